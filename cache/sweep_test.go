package cache_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/cache"
)

// Lock files of conversations that are gone are swept when they are old, others are not.
func TestSweepOfLocks(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, quick)
	for _, id := range []string{"gone", "young", "there"} {
		must(t, appendIDs(create(t, s, id), 1))
	}
	must(t, s.Delete("gone"))
	must(t, s.Delete("young"))
	for _, name := range []string{"c-gone", "c-there", "probe"} {
		must(t, os.Chtimes(filepath.Join(dir, "locks", name), time.Unix(0, 0), time.Unix(0, 0)))
	}
	res, err := s.Sweep()
	must(t, err)
	if got := glob(t, dir, "locks/*"); res.Temporary != 1 || len(got) != 3 {
		t.Errorf("%+v, left %v", res, got)
	}
	must(t, appendIDs(create(t, s, "gone"), 1))
}

// A lock excludes others also while lock files are removed.
func TestLockWhileSwept(t *testing.T) {
	dir := t.TempDir()
	closeStore(t, open(t, dir, quick)) // makes the folders
	var inside, got atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				lock, err := cache.LockIn(dir, "locks/c-a")
				if errors.Is(err, cache.ErrLocked) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d are inside", n)
				}
				got.Add(1)
				inside.Add(-1)
				if err := os.Remove(filepath.Join(dir, "locks/c-a")); err != nil {
					t.Error(err)
				}
				if err := lock.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got.Load() < 100 {
		t.Errorf("locked %d times", got.Load())
	}
}
