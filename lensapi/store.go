package lens

import (
	"os"
	"path/filepath"
	"sync"

	"github.com/gopherlens/gopherlens/cache"
)

// CacheDirEnv names the environment variable that chooses the cache folder.
const CacheDirEnv = "GOPHERLENS_CACHE_DIR"

// CacheDir resolves the cache folder: dir when given, else GOPHERLENS_CACHE_DIR, else "gopherlens" in the user's cache folder.
func CacheDir(dir string) (string, error) {
	if dir == "" {
		dir = os.Getenv(CacheDirEnv)
	}
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", wrap(Unavailable, err, "there is no user cache folder: choose a cache folder with %s or --cache-dir", CacheDirEnv)
		}
		dir = filepath.Join(user, "gopherlens")
	}
	abs, err := filepath.Abs(dir)
	return abs, wrap(Invalid, err, "cache folder %s", dir)
}

// stores holds one open cache per folder, however many models use it: a memory budget is for the process, and a conversation has one writer.
type stores struct {
	mu    sync.Mutex
	byDir map[string]*openStore
}

type openStore struct {
	*cache.Store
	users     int
	capturing sync.Mutex // held while a prompt is captured: two callers with one prompt must not both write it
}

var shared = stores{byDir: map[string]*openStore{}}

// open returns the cache of dir and the function that gives it back; the last to do so closes it.
func (s *stores) open(dir string) (*openStore, func() error, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.byDir[dir]
	if o == nil {
		st, err := cache.Open(dir, cache.Options{})
		if err != nil {
			return nil, nil, err
		}
		o = &openStore{Store: st}
		s.byDir[dir] = o
	}
	o.users++
	var once sync.Once
	free := func() (err error) {
		once.Do(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if o.users--; o.users == 0 {
				delete(s.byDir, dir)
				err = o.Close()
			}
		})
		return err
	}
	return o, free, nil
}
