package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Purge deletes a conversation and, before it returns, everything that only it has: its blocks, those of it that were
// put into quarantine, and ends of its logs there. Blocks that other conversations name stay; one that another process
// is about to name is computed again by it.
func (s *Store) Purge(id string) (SweepResult, error) {
	var res SweepResult
	done, err := s.begin()
	if err != nil {
		return res, err
	}
	defer done()
	if err := checkID(id); err != nil {
		return res, err
	}
	c, err := s.get(id, false)
	var keys []blockKey
	if err == nil {
		st, err := c.snapshot()
		if err != nil {
			return res, err
		}
		keys = st.keys
	}
	if err := s.Delete(id); err != nil {
		return res, err
	}
	named, err := s.named()
	if err != nil {
		return res, fmt.Errorf("conversation %s is deleted, its blocks are not: %w", id, err)
	}
	own := map[string]bool{}
	for _, k := range keys {
		if named[k] {
			continue
		}
		own[k.String()] = true
		s.mem.Remove(k)
		info, err := s.disk.Lstat(k.path())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = s.blocks.remove(k, info.Size())
		}
		if err != nil {
			return res, fmt.Errorf("conversation %s is deleted, not all of its blocks: %w", id, err)
		}
		res.Blocks++
		res.Bytes += info.Size()
	}
	aside, err := s.disk.ReadDir("quarantine")
	if err != nil {
		return res, err
	}
	for _, e := range aside {
		key, _, _ := strings.Cut(e.Name(), "-")
		if !own[key] && !strings.HasPrefix(e.Name(), dirName(id)+"-") {
			continue
		}
		if err := s.disk.RemoveAll("quarantine/" + e.Name()); err != nil {
			return res, err
		}
		res.Temporary++
	}
	return res, nil
}

// RepairResult says what a repair did.
type RepairResult struct {
	Conversations int      `json:"conversations"` // read
	Damaged       []string `json:"damaged"`       // what was found and what was done about it
	Recomputed    int64    `json:"recomputed"`    // tokens
	Missing       int      `json:"missing"`       // blocks that nobody could compute here
}

// Repair reads every conversation and block, moves what is damaged to quarantine, cuts logs after their last good frame,
// and computes rows that are missing where recompute has a function for the space. progress, if not nil, is called
// after each conversation. Conversations that another process writes to are left to it.
func (s *Store) Repair(ctx context.Context, recompute func(Space) Recompute, progress func(done, total int)) (RepairResult, error) {
	var res RepairResult
	res.Damaged = []string{}
	done, err := s.begin()
	if err != nil {
		return res, err
	}
	defer done()
	names, err := ids(s.disk)
	if err != nil {
		return res, err
	}
	found := func(err error) { res.Damaged = append(res.Damaged, err.Error()) }
	before := s.recomputed.Load()
	for i, id := range names {
		if err := ctx.Err(); err != nil {
			return res, err
		}
		c, err := s.get(id, true)
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil && errors.As(err, new(*CorruptError)):
			if err := s.setAside(id, err); err != nil {
				return res, err
			}
			found(err)
		case err != nil:
			return res, err
		default:
			res.Conversations++
			if err := s.repairBlocks(ctx, c, recompute, &res, found); err != nil {
				return res, err
			}
		}
		if progress != nil {
			progress(i+1, len(names))
		}
	}
	res.Recomputed = s.recomputed.Load() - before
	// Blocks that nobody names are not worth computing.
	seen := len(res.Damaged)
	err = walkBlocks(s.disk, func(key blockKey, _ fs.FileInfo) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		l, err := shardLayout(s.disk, key.path())
		if err == nil {
			_, err = s.blocks.read(key, l, nil)
		}
		if bad := (*damage)(nil); errors.As(err, &bad) {
			err = &CorruptError{key.path(), bad.offset, bad.err}
		}
		if errors.As(err, new(*CorruptError)) {
			found(err)
			return s.blocks.quarantine(key)
		}
		return ignoreNotExist(err)
	})
	s.blocks.corrupt.Add(int64(len(res.Damaged) - seen))
	return res, err
}

// repairBlocks checks the blocks that a conversation names.
func (s *Store) repairBlocks(ctx context.Context, c *Conversation, recompute func(Space) Recompute, res *RepairResult, found func(error)) error {
	if err := c.sealAll(); err != nil { // rows that a process left in the tail
		return err
	}
	st, err := c.snapshot()
	if err != nil {
		return nil
	}
	lacking := 0
	for _, k := range st.keys {
		_, err := s.blocks.get(k, c.lay, nil)
		switch {
		case err == nil:
		case errors.Is(err, fs.ErrNotExist):
			lacking++
		case errors.As(err, new(*CorruptError)):
			found(err)
			s.mem.Remove(k)
			lacking++
		default:
			return err
		}
	}
	if lacking == 0 {
		return nil
	}
	var r Recompute
	if recompute != nil {
		r = recompute(c.meta.Space)
	}
	if r == nil {
		res.Missing += lacking
		return nil
	}
	n := len(st.keys) * c.lay.Block
	if _, err := c.recompute(ctx, &st, []int{n - 1}, false, r); err != nil { // stores all that is lacking
		return fmt.Errorf("conversation %s: %w", c.ID(), err)
	}
	return nil
}
