package interp

import (
	"context"
	"slices"
	"sync/atomic"
)

// Cells are compiled one at a time and run beside each other: those of the main
// shell in turn, those of subshells as they come.

// turn is a mutex for which one can wait no longer than a context lasts.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) Lock()   { t <- struct{}{} }
func (t turn) Unlock() { <-t }

func (t turn) TryLock() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

func (t turn) LockWithin(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin counts r among what runs; false means that the session is closed.
func (s *Session) begin(r *run) bool {
	s.runMu.Lock()
	defer s.runMu.Unlock()
	if s.ending {
		return false
	}
	s.runs = append(s.runs, r)
	r.io.run.Store(r)
	return true
}

func (s *Session) end(r *run) {
	s.runMu.Lock()
	defer s.runMu.Unlock()
	s.runs = slices.DeleteFunc(s.runs, func(o *run) bool { return o == r })
	r.io.run.CompareAndSwap(r, nil)
	s.ended.Broadcast()
}

// endAll lets nothing begin any more and waits for what runs.
func (s *Session) endAll() {
	s.runMu.Lock()
	defer s.runMu.Unlock()
	s.ending = true
	for len(s.runs) > 0 {
		s.ended.Wait()
	}
}

// busy reports whether a cell runs.
func (s *Session) busy() bool {
	s.runMu.Lock()
	defer s.runMu.Unlock()
	return len(s.runs) > 0
}

// current is the cell that gets what nobody's is: the one that runs in the main
// shell, else the newest that runs, else the latest; nil before the first.
func (s *Session) current() *cellIO {
	s.runMu.Lock()
	defer s.runMu.Unlock()
	for _, r := range slices.Backward(s.runs) {
		if !r.io.apart {
			return r.io
		}
	}
	if n := len(s.runs); n > 0 {
		return s.runs[n-1].io
	}
	return s.latest.Load()
}

// mustStop reports whether a goroutine of c is to stop. One of no cell, such as
// one under labels of its own, may be anybody's: it stops with all that runs.
func (s *Session) mustStop(c *cellIO) bool {
	if c != nil {
		return c.stopping.Load()
	}
	s.runMu.Lock()
	defer s.runMu.Unlock()
	return len(s.runs) > 0 && !slices.ContainsFunc(s.runs, func(r *run) bool { return !r.io.stopping.Load() })
}

// stopFlag raises the flag that compiled code looks at, for c.
func (s *Session) stopFlag(c *cellIO) (lower func()) {
	c.stopping.Store(true)
	atomic.AddInt32(&s.stop, 1)
	return func() {
		atomic.AddInt32(&s.stop, -1)
		c.stopping.Store(false)
	}
}
