package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// Conversation opens a conversation and reads what other processes have added to it since. ErrNotFound if there is
// none. Asking again gives the same value as long as the conversation exists.
func (s *Store) Conversation(id string) (*Conversation, error) {
	done, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := checkID(id); err != nil {
		return nil, err
	}
	return s.get(id, true)
}

// get finds a conversation in memory or on disk. full asks for records and events too.
func (s *Store) get(id string, full bool) (*Conversation, error) {
	if c := s.inMemory(id); c != nil {
		same, err := c.refresh(full)
		if err != nil {
			return nil, fmt.Errorf("conversation %s: %w", id, err)
		}
		if same {
			return c, nil
		}
		s.forget(c)
	}
	c, read, err := s.read(id, full)
	if err != nil || read {
		return c, err
	}
	if _, err := c.refresh(full); err != nil {
		return nil, fmt.Errorf("conversation %s: %w", id, err)
	}
	return c, nil
}

// read loads a conversation, unless another goroutine has done so just now: all must share one value.
func (s *Store) read(id string, full bool) (c *Conversation, read bool, err error) {
	defer s.names.lock(id)()
	if c := s.inMemory(id); c != nil {
		return c, false, nil
	}
	if c, err = s.load(id, full); err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.convs[id]; other != nil { // saved under another id: see elsewhere
		return other, false, nil
	}
	s.convs[id] = c
	return c, true, nil
}

func (s *Store) inMemory(id string) *Conversation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.convs[id]
}

// forget drops a conversation that is not on disk any more.
func (s *Store) forget(c *Conversation) {
	id := c.ID()
	s.mu.Lock()
	if s.convs[id] == c {
		delete(s.convs, id)
	}
	s.mu.Unlock()
	c.drop()
}

// drop makes every later use of the conversation fail with ErrNotFound.
func (c *Conversation) drop() {
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	if err := c.release(); err != nil {
		c.s.report("conversation %s: %v", c.ID(), err)
	}
	c.mu.Lock()
	c.setUnsaved(unsaved{})
	c.mu.Unlock()
}

// ids lists the conversations on disk, sorted.
func ids(d filesystem) ([]string, error) {
	entries, err := d.ReadDir("conv")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if id, ok := idOfDir(e.Name()); ok && e.IsDir() {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out, nil
}

// all brings every conversation on disk into memory, tokens only, and adds those that are only in memory. One that
// cannot be read is reported and left out. With an error it gives those in memory.
func (s *Store) all() ([]*Conversation, error) {
	names, err := ids(s.disk)
	if err != nil {
		return s.loaded(), err
	}
	var out []*Conversation
	for _, c := range s.loaded() {
		if c.isAbsent() {
			out = append(out, c)
			continue
		}
		if _, there := slices.BinarySearch(names, c.ID()); !there {
			if s.isDeleted(c) {
				s.forget(c)
			}
		}
	}
	for _, id := range names {
		c, err := s.get(id, false)
		switch {
		case err == nil:
			out = append(out, c)
		case !errors.Is(err, ErrNotFound):
			s.report("%v", err)
		}
	}
	return out, nil
}

// isDeleted says that a conversation's folder is gone from a cache that is there.
func (s *Store) isDeleted(c *Conversation) bool {
	id := c.ID()
	defer s.names.lock(id)()
	if c.ID() != id { // renamed just now
		return false
	}
	_, err := s.disk.Lstat(convPath(id))
	return errors.Is(err, fs.ErrNotExist) && !s.vanished()
}

// List describes all conversations, the most recently written first.
func (s *Store) List() ([]Info, error) {
	done, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	all, err := s.all()
	if err != nil {
		return nil, fmt.Errorf("cache %s: %w", s.dir, err)
	}
	out := make([]Info, len(all))
	for i, c := range all {
		out[i] = c.Info()
	}
	slices.SortStableFunc(out, func(a, b Info) int { return b.Updated.Compare(a.Updated) })
	return out, nil
}

// Prefix finds the conversation of the space that has the longest prefix in common with ids, n tokens of it, the
// most recently written if several do. It is nil, 0 if none shares the first token or the store is closed.
func (s *Store) Prefix(sp Space, ids []int) (c *Conversation, n int) {
	var newest time.Time
	s.search(sp, ids, func(cand *Conversation, k int, updated time.Time) {
		if k > n || k > 0 && k == n && updated.After(newest) {
			c, n, newest = cand, k, updated
		}
	})
	if c = s.whole(c); c == nil {
		return nil, 0
	}
	return c, n
}

// Beginning finds the conversations of the space that begin with ids and go on, in no particular order.
func (s *Store) Beginning(sp Space, ids []int) []*Conversation {
	var found []*Conversation
	s.search(sp, ids, func(cand *Conversation, k int, _ time.Time) {
		if k == len(ids) && cand.Len() > k {
			found = append(found, cand)
		}
	})
	whole := found[:0]
	for _, c := range found {
		if c = s.whole(c); c != nil {
			whole = append(whole, c)
		}
	}
	return whole
}

// search shows every conversation of the space and how many tokens it has in common with ids. Only tokens are read.
func (s *Store) search(sp Space, ids []int, show func(c *Conversation, common int, updated time.Time)) {
	done, err := s.begin()
	if err != nil {
		return
	}
	defer done()
	all, err := s.all()
	if err != nil {
		s.degrade(inFolder, err) // those in memory are better than none
	}
	for _, c := range all {
		st, err := c.snapshot()
		if err != nil || c.meta.Space != sp {
			continue
		}
		k := 0
		for k < len(ids) && k < len(st.tokens) && ids[k] == st.tokens[k] {
			k++
		}
		show(c, k, st.updated)
	}
}

// whole is c with its records and events read; nil when it cannot be.
func (s *Store) whole(c *Conversation) *Conversation {
	if c == nil {
		return nil
	}
	done, err := s.begin()
	if err != nil {
		return nil
	}
	defer done()
	full, err := s.get(c.ID(), true)
	if err != nil {
		s.report("%v", err)
		return nil
	}
	return full
}
