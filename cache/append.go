package cache

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Append adds tokens with their residual rows, resid [len(toks), rows, d_model]. When it returns nil the tokens and
// their records are in memory, and on disk if that works: then they survive the death of the process, and SyncPolicy
// says what survives loss of power. While the disk refuses, or is slow, [Store.Status] says that the cache is degraded
// and how many tokens are not saved, [Info] which; they are saved as soon as the disk works again. A nil resid means
// that the rows are not known; they are recomputed when they are asked for.
//
// On an error nothing is added. ErrLocked and ErrChanged tell that another process writes or wrote: the caller's idea
// of the next position may be wrong, so the tokens are not taken. ErrUnsaved tells that too much waits for the disk.
func (c *Conversation) Append(toks []Token, resid []float32) error {
	sp := c.meta.Space
	if resid != nil && len(resid) != len(toks)*sp.values() {
		return fmt.Errorf("conversation %s: rows have %d values, %d tokens of %d rows of %d need %d",
			c.ID(), len(resid), len(toks), sp.Rows, sp.DModel, len(toks)*sp.values())
	}
	for i, t := range toks {
		if t.ID < 0 || t.ID > maxTokenID {
			return fmt.Errorf("conversation %s: token id %d is not in 0..%d", c.ID(), t.ID, maxTokenID)
		}
		if len(t.Record) > MaxRecord {
			return fmt.Errorf("conversation %s: record of token %d has %d bytes, at most %d allowed", c.ID(), i, len(t.Record), MaxRecord)
		}
	}
	if len(toks) == 0 {
		return nil
	}
	rows := make([]encRow, len(toks))
	if resid != nil {
		for i := range rows {
			rows[i] = encodeRow(c.lay, resid[i*sp.values():(i+1)*sp.values()])
		}
	}
	return c.add(func(st *state) error { return c.append(st, toks, rows) })
}

// AddEvent adds a note at the current end, as durable as a token. data must be valid JSON of at most MaxRecord bytes.
func (c *Conversation) AddEvent(data json.RawMessage) error {
	if len(data) > MaxRecord || !json.Valid(data) {
		return fmt.Errorf("conversation %s: event of %d bytes is not valid JSON of at most %d bytes", c.ID(), len(data), MaxRecord)
	}
	return c.add(func(st *state) error {
		f := frame{kind: frameEvent, at: len(st.tokens), payload: bytes.Clone(data)}
		st.events = append(st.events, Event{f.at, f.payload})
		st.un.push(appendFrame(nil, f), st, false)
		return nil
	})
}

// add makes one change in memory and saves it. change gets a copy of the state and brings it up to date.
func (c *Conversation) add(change func(st *state) error) error {
	done, err := c.s.begin()
	if err != nil {
		return err
	}
	defer done()
	c.amu.Lock()
	defer c.amu.Unlock()
	if err := c.claim(); err != nil {
		return fmt.Errorf("conversation %s: %w", c.ID(), err)
	}
	st, err := c.snapshot()
	if err != nil {
		return err
	}
	if c.s.unsavedBytes.Load() > maxUnsaved {
		return fmt.Errorf("conversation %s: %w: %s wait for the disk, more is not kept in memory: %s",
			c.ID(), ErrUnsaved, size(c.s.unsavedBytes.Load()), c.s.reason())
	}
	st.un = unsaved{} // collects what change adds
	if err := change(&st); err != nil {
		return fmt.Errorf("conversation %s: %w", c.ID(), err)
	}
	c.commit(&st)
	c.flush()
	return nil
}

// commit shows a change. Rows that were recomputed meanwhile, and what was saved meanwhile, stay.
func (c *Conversation) commit(st *state) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(st.tokens)/c.lay.Block == len(c.state.tokens)/c.lay.Block {
		for i, row := range st.tail {
			if row == nil && i < len(c.state.tokens)%c.lay.Block {
				st.tail[i] = c.state.tail[i]
			}
		}
	}
	un := c.state.un
	un.entries = slices.Concat(un.entries, st.un.entries)
	for _, e := range st.un.entries {
		c.s.unsavedBytes.Add(int64(len(e.frames)))
	}
	if c.s.unsavedRows.Load() <= maxUnsavedRows { // else they are computed again; tokens could not be
		un.blocks = slices.Concat(un.blocks, st.un.blocks)
		for _, p := range st.un.blocks {
			c.s.unsavedRows.Add(p.cost())
		}
	}
	un.rows = true
	st.un, st.updated, st.log = un, time.Now(), nil
	st.logEnd = c.state.logEnd
	c.state = *st
	c.mine.Store(true)
}

func (c *Conversation) append(st *state, toks []Token, rows []encRow) error {
	old := len(st.tokens)
	for _, t := range toks {
		st.tokens = append(st.tokens, t.ID)
	}
	st.keys = extendKeys(c.root, c.lay.Block, st.keys, st.tokens)
	var frames []byte
	for i, t := range toks {
		pos := old + i
		frames = appendFrame(frames, frame{frameToken, pos, t.ID, t.Record})
		st.records = append(st.records, append([]byte{}, t.Record...))
		st.tail[pos%c.lay.Block] = rows[i]
		if (pos+1)%c.lay.Block == 0 {
			c.complete(st, pos/c.lay.Block)
		}
	}
	st.un.push(frames, st, old/c.lay.Block != len(st.tokens)/c.lay.Block)
	return nil
}

// complete takes the rows of block n from the tail. If some are not known the block is left to a recomputation.
func (c *Conversation) complete(st *state, n int) {
	rows := slices.Clone(st.tail[:c.lay.Block])
	st.tail = [MaxBlockTokens]encRow{}
	if !slices.ContainsFunc(rows, func(r encRow) bool { return r == nil }) {
		st.un.blocks = append(st.un.blocks, &pending{st.keys[n], n, rows})
	}
}
