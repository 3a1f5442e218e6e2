package cache

import (
	"io"
	"time"
)

// For tests of the public behaviour that need a faulty disk or memory.

type (
	Filesystem = filesystem
	File       = file
)

// HalfToFloat is the conversion that reading uses; a test compares it with another one for all values.
func HalfToFloat(h uint16) float32 { return halfToFloat(h) }

// OpenOn opens a store with something between it and the disk.
func OpenOn(dir string, opt Options, wrap func(Filesystem) Filesystem) (*Store, error) {
	return open(dir, opt.withDefaults(), wrap)
}

// OpenDisk opens a store on any disk.
func OpenDisk(d Filesystem, opt Options) (*Store, error) {
	return openOn(d, "disk in memory", opt.withDefaults())
}

// SetWaits changes how long calls wait for the disk, and how long after a failure the next try is made. Nothing is done
// in the background any more, so that a session asks the same of the disk each time.
func (s *Store) SetWaits(patience, retry time.Duration) {
	s.patience, s.lessPatience, s.retryAfter = patience, patience, retry
	s.inline, s.backlog, s.trimAfter = true, 1, 0
}

// Idle waits until nothing is left to do in the background.
func (s *Store) Idle() {
	for {
		s.sealer.mu.Lock()
		busy := s.sealer.running
		s.sealer.mu.Unlock()
		if !busy {
			return
		}
		time.Sleep(50 * time.Microsecond)
	}
}

// Settle waits until nothing is left to seal, and trims all tails.
func (s *Store) Settle() {
	s.Idle()
	for _, c := range s.loaded() {
		c.wmu.Lock()
		c.trim(true)
		c.wmu.Unlock()
	}
}

// Retry does at once what the timer does later.
func (s *Store) Retry() { s.retry() }

// RejectAll replaces the memory cache by one that keeps nothing.
func (s *Store) RejectAll() { s.mem = rejectAll{} }

type rejectAll struct{}

func (rejectAll) Get(blockKey) (*block, bool) { return nil, false }
func (rejectAll) Add(*block)                  {}
func (rejectAll) Remove(blockKey)             {}
func (rejectAll) Stats() memoryStats          { return memoryStats{} }

// TryBudget fills a memory cache while the rest of the process grows.
func TryBudget(t interface {
	Helper()
	Errorf(string, ...any)
}, policy string) {
	t.Helper()
	b := newBudget(10<<20, 30<<20)
	var others int64
	b.live = func(held int64) int64 { return others + held }
	m, end := newMemory(policy, b)
	defer end()
	next := byte(0)
	fill := func() int64 {
		b.next = time.Time{}
		for range 100 {
			next++
			m.Add(&block{key: blockKey{next, byte(others >> 20)}, chunks: []chunk{{dtypeF16, make([]byte, 200<<10)}}})
		}
		return m.Stats().bytes
	}
	for _, step := range []struct{ others, least, most int64 }{{0, 8 << 20, 10 << 20}, {15 << 20, 2 << 20, 5 << 20}, {100 << 20, 1, 1 << 20}, {0, 8 << 20, 10 << 20}} {
		others = step.others
		if got := fill(); got < step.least || got > step.most {
			t.Errorf("%s: %d bytes in memory beside %d others, want %d to %d", policy, got, others, step.least, step.most)
		}
	}
}

// CheckDisk is Check on any disk.
func CheckDisk(d Filesystem) []Problem {
	out, _ := runChecker(d)
	return out
}

// SummaryOf is what a checker finds on any disk.
func SummaryOf(d Filesystem) Summary {
	_, sum := runChecker(d)
	return sum
}

func runChecker(d Filesystem) (out []Problem, sum Summary) {
	c := new(Checker)
	ck := checker{disk: d, yield: func(p Problem) bool { out = append(out, p); return true }, spaces: map[blockKey]layout{}, unsealed: map[blockKey]bool{}, c: c}
	ck.run("disk in memory")
	return out, c.Summary
}

// LockIn takes a lock in a folder as a process of its own would.
func LockIn(dir, name string) (io.Closer, error) {
	d, err := openDisk(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Lock(name)
}
