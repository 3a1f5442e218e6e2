package lens

import (
	"context"
	"errors"
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

	mu      sync.Mutex
	claimed map[*cache.Conversation]bool // being written through one of our Conversations
}

// errClaimed says that another Conversation of this process is writing to the same kept one.
var errClaimed = errors.New("another chat is writing to it")

// claim takes a kept conversation for one writer, until release: what it holds cannot change between a look at it and an append.
func (o *openStore) claim(c *cache.Conversation) (release func(), err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.claimed[c] {
		return nil, errClaimed
	}
	o.claimed[c] = true
	return func() {
		o.mu.Lock()
		delete(o.claimed, c)
		o.mu.Unlock()
	}, nil
}

// conflict says whether an error means that somebody else writes to the conversation.
func conflict(err error) bool {
	return errors.Is(err, cache.ErrLocked) || errors.Is(err, cache.ErrChanged) || errors.Is(err, errClaimed)
}

var shared = stores{byDir: map[string]*openStore{}}

// open returns the cache of dir and the function that gives it back; the last to do so closes it.
func (s *stores) open(dir string) (*openStore, func() error, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.byDir[dir]
	if o == nil {
		opt, err := cache.OptionsFromEnv()
		if err != nil {
			return nil, nil, wrap(Invalid, err, "cache options")
		}
		st, err := cache.Open(dir, opt)
		if err != nil {
			return nil, nil, err
		}
		o = &openStore{Store: st, claimed: map[*cache.Conversation]bool{}}
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

// sampleText is what the residual stream of a model is sampled on: some plain prose, of which a block of tokens or more is read.
const sampleText = "What is the capital of France? The capital of France is Paris, on the river Seine. My friend Mary went to the market with John, and when " +
	"they came back she gave him a book about the history of the city. The keys to the cabinet are on the table. In 1969 two people walked on the moon, " +
	"while a third waited for them; about 600 million others watched."

// EstimateCache says what a conversation of that many tokens with this model will take in the cache, before it is begun. codec is f16, f32 or compact, "" for
// the one that is set. While nothing of the model is stored, one pass over a few sentences tells how well its rows compress.
func (m *Model) EstimateCache(tokens int, codec cache.Codec) (cache.Estimate, error) {
	e, err := m.store.Estimate(m.space, tokens, codec, cache.Sample{})
	if err == nil && !e.Measured {
		e, err = m.sampledEstimate(tokens, codec)
	}
	return e, wrap(Invalid, err, "estimating what %d tokens take", tokens)
}

func (m *Model) sampledEstimate(tokens int, codec cache.Codec) (cache.Estimate, error) {
	ids, err := m.tok.Encode(sampleText)
	if err != nil {
		return cache.Estimate{}, err
	}
	resid, err := m.residuals(context.Background(), ids[:min(len(ids), m.cfg.NCtx, 4*cache.BlockTokens)])
	if err != nil {
		return cache.Estimate{}, err
	}
	k := min(defaultTop, m.cfg.DVocab)
	return m.store.Estimate(m.space, tokens, codec, cache.Sample{Resid: resid, Record: recordHeader + len(m.rowNames)*(48+8*k)})
}

// RepairCache repairs the whole cache (cache.Store.Repair) and computes what is missing of this model's conversations. progress may be nil.
func (m *Model) RepairCache(ctx context.Context, progress func(done, total int)) (cache.RepairResult, error) {
	res, err := m.store.Repair(ctx, func(sp cache.Space) cache.Recompute {
		if sp == m.space {
			return m.residuals
		}
		return nil
	}, progress)
	return res, wrap(Unavailable, err, "repairing the cache")
}
