package cache

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What can be in trouble besides a single conversation.
const (
	inFolder = "folder" // it cannot be prepared or listed
	inBlocks = "blocks" // blocks that were recomputed cannot be stored
	inReads  = "reads"
)

// retryAfter doubles with every failure in a row, up to maxRetryAfter.
const (
	retryAfter    = 100 * time.Millisecond
	maxRetryAfter = 5 * time.Second
)

var errVanished = errors.New("the cache folder is gone")

// vanished tells a folder that is gone from one in which something was deleted.
func (s *Store) vanished() bool {
	known, err := readVersion(s.disk, s.dir)
	return err != nil || !known
}

// degrade notes that something fails, and tries again later; healthy notes that it works.
func (s *Store) degrade(what any, err error) {
	s.notes.Lock()
	defer s.notes.Unlock()
	s.trouble[what] = strings.ReplaceAll(err.Error(), "\n", "; ")
	if s.timer == nil && !s.ended {
		s.retryLocked()
	}
}

func (s *Store) healthy(what any) {
	s.notes.Lock()
	delete(s.trouble, what)
	s.notes.Unlock()
}

func (s *Store) isDegraded(what any) bool {
	s.notes.Lock()
	defer s.notes.Unlock()
	return s.trouble[what] != ""
}

// reason says what is in trouble, empty if nothing is.
func (s *Store) reason() string {
	s.notes.Lock()
	defer s.notes.Unlock()
	var all []string
	for _, why := range s.trouble {
		all = append(all, why)
	}
	if len(all) == 0 {
		return ""
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(all) > 1 {
		return fmt.Sprintf("%s (and %d more)", all[0], len(all)-1)
	}
	return all[0]
}

// retryLocked sets the timer. notes is held.
func (s *Store) retryLocked() {
	wait := min(s.retryAfter<<min(s.retries, 10), maxRetryAfter)
	s.retries++
	s.timer = time.AfterFunc(wait, s.retry)
}

func (s *Store) stopRetrying() {
	s.notes.Lock()
	defer s.notes.Unlock()
	s.ended = true
	if s.timer != nil {
		s.timer.Stop()
	}
}

// retry saves what waits for the disk, and tries again later what could not be.
func (s *Store) retry() {
	done, err := s.begin()
	if err != nil {
		return // closed; Close saves
	}
	defer done()
	s.saveAll()
	s.notes.Lock()
	defer s.notes.Unlock()
	if len(s.trouble) > 0 && !s.ended {
		s.retryLocked()
		return
	}
	s.timer, s.retries = nil, 0
}

// saveAll saves what waits for the disk.
func (s *Store) saveAll() {
	if err := s.reopen(); err != nil {
		s.degrade(inFolder, err)
		return
	}
	for _, what := range []string{inFolder, inBlocks, inReads} {
		s.healthy(what)
	}
	for _, c := range s.loaded() {
		if !c.mine.Load() {
			s.healthy(sealing{c}) // its rows are in the tail, for whoever writes next
			continue
		}
		c.wmu.Lock()
		if c.saveOrRetry() && c.sealAll() == nil {
			s.healthy(sealing{c})
			c.trim(false)
		}
		c.wmu.Unlock()
	}
}

// reopen looks whether the folder is there and can be written. If it is another one than before, conversations take
// their locks anew; if it is empty, those in memory are written to it.
func (s *Store) reopen() error {
	moved, err := s.disk.Reopen()
	if err != nil {
		return err
	}
	made, err := s.prepare()
	if err != nil || !moved && !made {
		return err
	}
	for _, c := range s.loaded() {
		c.amu.Lock() // one who adds relies on the claim until the end
		c.wmu.Lock()
		err := c.closeLogs()
		if c.lock != nil {
			err = join(err, c.lock.Close())
			c.lock = nil
		}
		c.mu.Lock()
		switch {
		case made && c.state.full && !c.gone:
			u := everything(&c.state)
			u.absent = true
			c.setUnsaved(u)
			c.mine.Store(true)
		case c.state.un.logged():
			c.mine.Store(false)
		}
		c.mu.Unlock()
		c.wmu.Unlock()
		c.amu.Unlock()
		if err != nil {
			s.report("conversation %s: closing its files in the folder that is gone: %v", c.ID(), err)
		}
	}
	return nil
}
