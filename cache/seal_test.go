package cache_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/cache"
)

// unsealed is a disk on which a process has added n tokens, one at a time, and could not seal their blocks. The process
// is still there.
func unsealed(t *testing.T, n int) (*cache.MemFS, *cache.Store) {
	t.Helper()
	fs := cache.NewMemFS()
	s := openDisk(t, fs, quick)
	s.SetWaits(time.Minute, time.Hour)
	c := create(t, s, "a")
	must(t, appendIDs(c, 0))
	var refuse atomic.Bool
	refuse.Store(true)
	fs.Fault = func(op, name string) error {
		if op == "create" && strings.HasPrefix(name, "tmp/") && refuse.Load() {
			return syscall.ENOSPC
		}
		return nil
	}
	for i := 1; i < n; i++ {
		must(t, appendIDs(c, i))
	}
	st := s.Status()
	if c.Info().Saved != n || len(fs.List("blocks")) != 0 || st.Disk.Unsealed == 0 || !strings.Contains(st.Degraded, "no space") {
		t.Fatalf("%+v, %v, status %v", c.Info(), fs.List("blocks"), st)
	}
	t.Cleanup(func() {
		refuse.Store(false)
		must(t, s.Close())
		if len(fs.List("blocks")) != n/16 {
			t.Errorf("after closing %v", fs.List("blocks"))
		}
		checkDisk(t, fs)
	})
	return fs, s
}

// Rows of complete blocks that a process had no time to seal are in the tail: whoever reads finds them there, and whoever
// writes next seals them.
func TestUnsealedRowsAreFound(t *testing.T) {
	fs, s := unsealed(t, 40)
	verify(t, conversation(t, s, "a"), seq(0, 40), mustNotRecompute)
	reader := openDisk(t, fs, quick) // beside the writer
	verify(t, conversation(t, reader, "a"), seq(0, 40), mustNotRecompute)
	closeStore(t, reader)

	dead := fs.Kill()
	checkDisk(t, dead)
	if sum := cache.SummaryOf(dead); sum.Missing != 0 || sum.Blocks != 0 {
		t.Errorf("%+v", sum)
	}
	next := openDisk(t, dead, quick)
	c := conversation(t, next, "a")
	verify(t, c, seq(0, 40), mustNotRecompute)
	must(t, appendIDs(c, 40))
	next.Settle()
	if len(dead.List("blocks")) != 2 || next.Status().Disk.Unsealed != 0 {
		t.Errorf("blocks %v, status %v", dead.List("blocks"), next.Status())
	}
	verify(t, c, seq(0, 41), mustNotRecompute)
	closeStore(t, next)
	checkDisk(t, dead)
	if tail := dead.ReadFile("conv/c-a/tail.wal"); len(tail) > 10*(24+3+2*15) {
		t.Errorf("the tail has %d bytes for 9 rows", len(tail))
	}
	next = openDisk(t, dead, quick)
	verify(t, conversation(t, next, "a"), seq(0, 41), mustNotRecompute)
	closeStore(t, next)
}

// A repair seals them too. A block of which the tail lacks a row is computed again.
func TestRepairSeals(t *testing.T) {
	fs, _ := unsealed(t, 40)
	dead := fs.Kill()
	tail := dead.ReadFile("conv/c-a/tail.wal")
	const frame = 24 + 3 + 2*15
	if len(tail) != 8+40*frame {
		t.Fatalf("tail of %d bytes", len(tail))
	}
	dead.WriteFile("conv/c-a/tail.wal", append(append([]byte{}, tail[:8+3*frame]...), tail[8+4*frame:]...)) // without row 3
	s := openDisk(t, dead, quick)
	res, err := s.Repair(t.Context(), recompute, nil)
	must(t, err)
	if len(dead.List("blocks")) != 2 || res.Recomputed != 32 || res.Missing != 0 {
		t.Errorf("%+v, blocks %v", res, dead.List("blocks"))
	}
	verify(t, conversation(t, s, "a"), seq(0, 40), mustNotRecompute)
	closeStore(t, s)
	checkDisk(t, dead)
}

// A conversation that is purged while its blocks are being sealed leaves none behind.
func TestPurgeWhileSealing(t *testing.T) {
	fs := cache.NewMemFS()
	s := openDisk(t, fs, quick)
	for range 20 {
		c := create(t, s, "a")
		for i := range 33 {
			must(t, appendIDs(c, i))
		}
		must(t, second(s.Purge("a")))
		s.Settle()
		if left := fs.List("blocks"); len(left) != 0 {
			t.Fatalf("left %v", left)
		}
	}
	closeStore(t, s)
	checkDisk(t, fs)
}

// Conversations that grow at once share the one goroutine that seals; nothing is lost, and nothing is left in logs.
func TestManySealers(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, quick)
	var wg sync.WaitGroup
	for _, id := range []string{"a", "b", "c", "d"} {
		c := create(t, s, id)
		wg.Go(func() {
			for i := range 200 {
				if err := appendIDs(c, i); err != nil {
					t.Error(err)
				}
				if i%50 == 49 {
					if _, err := c.Rows(t.Context(), 0, i+1, mustNotRecompute); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	closeStore(t, s)
	checkDir(t, dir)
	s = open(t, dir, quick)
	for _, id := range []string{"a", "b", "c", "d"} {
		verify(t, conversation(t, s, id), seq(0, 200), mustNotRecompute)
	}
	if st := s.Status(); st.Disk.Blocks != 12 {
		t.Errorf("%d blocks, the four conversations have 12 in common", st.Disk.Blocks)
	}
}
