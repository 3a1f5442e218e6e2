package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// SweepResult says what a sweep removed.
type SweepResult struct {
	Blocks    int   `json:"blocks"`
	Bytes     int64 `json:"bytes"`
	Temporary int   `json:"temporary"` // unfinished files and folders, and locks
}

// Sweep removes blocks that no conversation names, unfinished files, and lock files of conversations that are gone, all
// only when they are old enough: a block may be published just before the log that names it. If a conversation cannot be read nothing is
// removed, for its blocks are unknown. Use by other processes meanwhile is safe.
func (s *Store) Sweep() (SweepResult, error) {
	done, err := s.begin()
	if err != nil {
		return SweepResult{}, err
	}
	defer done()
	return s.sweep()
}

func (s *Store) sweep() (SweepResult, error) {
	limit := time.Now().Add(-s.opt.SweepGrace)
	named, err := s.named()
	if err != nil {
		return SweepResult{}, fmt.Errorf("nothing swept: %w", err)
	}
	var res SweepResult
	err = walkBlocks(s.disk, func(key blockKey, info fs.FileInfo) error {
		if named[key] || info.ModTime().After(limit) {
			return nil
		}
		if err := s.blocks.remove(key, info.Size()); err != nil {
			return err
		}
		s.mem.Remove(key)
		res.Blocks++
		res.Bytes += info.Size()
		return nil
	})
	if err != nil {
		return res, fmt.Errorf("sweeping: %w", err)
	}
	if res.Temporary, err = sweepTemporary(s.disk); err != nil {
		return res, err
	}
	n, err := sweepLocks(s.disk)
	res.Temporary += n
	return res, err
}

// sweepLocks removes the lock files of conversations that are gone.
func sweepLocks(d filesystem) (n int, err error) {
	limit := time.Now().Add(-DefaultSweepGrace)
	entries, err := d.ReadDir("locks")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if _, ok := idOfDir(e.Name()); !ok {
			continue
		}
		gone := func() bool {
			_, err := d.Lstat("conv/" + e.Name())
			return errors.Is(err, fs.ErrNotExist)
		}
		name := "locks/" + e.Name()
		if info, err := d.Lstat(name); err != nil || info.ModTime().After(limit) || !gone() {
			continue
		}
		lock, err := d.Lock(name)
		if err != nil {
			continue // somebody is about to make the conversation
		}
		if gone() && d.Remove(name) == nil { // Windows removes nothing that is open; the file stays, and does no harm
			n++
		}
		if err := lock.Close(); err != nil {
			return n, err
		}
	}
	return n, nil
}

// named collects the keys of the blocks that conversations name.
func (s *Store) named() (map[blockKey]bool, error) {
	names, err := ids(s.disk)
	if err != nil {
		return nil, err
	}
	keys := map[blockKey]bool{}
	for _, id := range names {
		c, err := s.get(id, false)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		st, err := c.snapshot()
		if errors.Is(err, ErrNotFound) {
			continue
		}
		for _, k := range st.keys {
			keys[k] = true
		}
	}
	return keys, nil
}

// sweepTemporary removes what dead processes left unfinished. It goes by the default grace whatever the option: a
// file taken from a running write would make it fail.
func sweepTemporary(d filesystem) (n int, err error) {
	limit := time.Now().Add(-DefaultSweepGrace)
	entries, err := d.ReadDir("tmp")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		info, err := d.Lstat("tmp/" + e.Name())
		if err != nil || info.ModTime().After(limit) {
			continue
		}
		if err := d.RemoveAll("tmp/" + e.Name()); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
