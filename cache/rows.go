package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// Recompute computes the residual rows of a sequence of ids from its beginning: [len(ids), rows, d_model]. It must
// give the bits that were appended; the space's numerics class is there to make sure.
type Recompute func(ctx context.Context, ids []int) ([]float32, error)

// Rows returns the residual rows of positions from..to-1, [to-from, rows, d_model], as they are stored: rounded to
// float16 unless a vector does not fit it. Rows that are missing or damaged are computed by r, at most once for all
// callers that wait for them, and stored again; with a nil r that is ErrMissing. The result belongs to the caller.
//
// ctx ends the waiting for a recomputation and is given to r.
func (c *Conversation) Rows(ctx context.Context, from, to int, r Recompute) ([]float32, error) {
	done, err := c.s.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	st, err := c.snapshot()
	if err != nil {
		return nil, err
	}
	if from < 0 || to < from || to > len(st.tokens) {
		return nil, fmt.Errorf("conversation %s: positions %d..%d are not within 0..%d", c.ID(), from, to, len(st.tokens))
	}
	n := c.meta.Space.values()
	out := make([]float32, (to-from)*n)
	put := func(pos int, decode func([]float32)) { decode(out[(pos-from)*n : (pos-from+1)*n]) }
	var missing []int // positions
	for pos := from; pos < to; {
		end := min((pos/BlockTokens+1)*BlockTokens, to)
		if pos/BlockTokens == len(st.tokens)/BlockTokens { // the incomplete block
			for ; pos < end; pos++ {
				if row := st.tail[pos%BlockTokens]; row != nil {
					put(pos, func(dst []float32) { row.decode(c.meta.Space, dst) })
				} else {
					missing = append(missing, pos)
				}
			}
			continue
		}
		key := st.keys[pos/BlockTokens]
		b := st.un.block(key)
		if b == nil {
			if b, err = c.s.block(ctx, key, c.meta.Space); err != nil {
				return nil, fmt.Errorf("conversation %s: %w", c.ID(), err)
			}
		}
		for ; pos < end; pos++ {
			if b == nil {
				missing = append(missing, pos)
			} else {
				put(pos, func(dst []float32) { b.decode(pos%BlockTokens, dst) })
			}
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	rows, err := c.recompute(ctx, &st, missing[len(missing)-1], r)
	if err != nil {
		return nil, fmt.Errorf("conversation %s: position %d: %w", c.ID(), missing[0], err)
	}
	for _, pos := range missing {
		put(pos, func(dst []float32) { rows[pos].decode(c.meta.Space, dst) })
	}
	return out, nil
}

// block finds a block in memory or reads it, once for all who ask at the same time. It is nil, without error, if the
// block must be recomputed; what is wrong with a stored one has then been noted.
func (s *Store) block(ctx context.Context, key blockKey, sp Space) (*block, error) {
	if b, ok := s.mem.Get(key); ok {
		s.hits.Add(1)
		return b, nil
	}
	s.misses.Add(1)
	v, err, _ := s.flights.Do("read "+string(key[:]), func() (any, error) {
		if b, ok := s.mem.Get(key); ok { // read by a flight that ended just now
			return b, nil
		}
		size := min(maxShardSize(sp), maxFills)
		// Reads end by themselves, so waiting for them needs no context; a cancelled one would fail the others.
		if err := s.fills.Acquire(context.WithoutCancel(ctx), size); err != nil {
			return nil, err
		}
		defer s.fills.Release(size)
		b, err := s.blocks.get(key, sp)
		if err == nil {
			s.mem.Add(b)
		}
		return b, err
	})
	switch {
	case err == nil:
		s.healthy(inReads)
		return v.(*block), ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
	case errors.As(err, new(*CorruptError)):
		s.report("%v", err)
	default: // an unreadable disk does not keep rows from being computed
		s.degrade(inReads, err)
		return nil, ctx.Err()
	}
	s.healthy(inReads)
	return nil, ctx.Err()
}

// recompute computes the rows of all tokens up to the block of position last, stores the blocks that are not on disk
// and returns the rows by position.
func (c *Conversation) recompute(ctx context.Context, st *state, last int, r Recompute) ([]encRow, error) {
	if r == nil {
		return nil, ErrMissing
	}
	end := min((last/BlockTokens+1)*BlockTokens, len(st.tokens))
	ids := st.tokens[:end:end]
	// The key stands for the ids, so that conversations with the same beginning wait for one computation.
	key := "compute " + string(c.root[:])
	if full := end / BlockTokens; full > 0 {
		key = "compute " + string(st.keys[full-1][:])
	}
	for _, id := range ids[end/BlockTokens*BlockTokens:] {
		key += " " + strconv.Itoa(id)
	}
	for {
		flight := c.s.flights.DoChan(key, func() (any, error) {
			done, err := c.s.begin() // the caller may be gone when this ends
			if err != nil {
				return nil, err
			}
			defer done()
			return c.compute(ctx, st.keys, ids, r)
		})
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case res := <-flight:
			if res.Err == nil {
				return res.Val.([]encRow), nil
			}
			// The flight runs under the context of whoever came first: if that one gave up, take over.
			if ctx.Err() == nil && res.Shared && (errors.Is(res.Err, context.Canceled) || errors.Is(res.Err, context.DeadlineExceeded)) {
				continue
			}
			return nil, res.Err
		}
	}
}

// compute calls r and stores its result.
func (c *Conversation) compute(ctx context.Context, keys []blockKey, ids []int, r Recompute) ([]encRow, error) {
	resid, err := callRecompute(ctx, ids, r)
	if err != nil {
		return nil, fmt.Errorf("recomputing %d tokens: %w", len(ids), err)
	}
	sp := c.meta.Space
	if len(resid) != len(ids)*sp.values() {
		return nil, fmt.Errorf("recomputing %d tokens: %d values, %d expected", len(ids), len(resid), len(ids)*sp.values())
	}
	c.s.recomputed.Add(int64(len(ids)))
	rows := make([]encRow, len(ids))
	for i := range rows {
		rows[i] = encodeRow(sp, resid[i*sp.values():(i+1)*sp.values()])
	}
	for n := range len(ids) / BlockTokens {
		if c.s.blocks.has(keys[n], sp) {
			continue
		}
		b, err := newBlock(keys[n], sp, rows[n*BlockTokens:(n+1)*BlockTokens])
		if err != nil {
			return nil, err
		}
		c.s.mem.Add(b)
		if _, err := c.s.blocks.put(b); err != nil { // the rows are right, only not kept
			c.s.degrade(inBlocks, err)
		} else {
			c.s.healthy(inBlocks)
		}
	}
	c.fillTail(ids, rows)
	return rows, nil
}

// callRecompute keeps a panic of the caller's function from ending the process: it runs on a goroutine of its own.
func callRecompute(ctx context.Context, ids []int, r Recompute) (resid []float32, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return r(ctx, append([]int(nil), ids...))
}

// fillTail keeps recomputed rows of the incomplete block, so that it can be sealed and is not computed twice.
func (c *Conversation) fillTail(ids []int, rows []encRow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := len(c.state.tokens) / BlockTokens * BlockTokens
	for pos := first; pos < len(rows) && pos < len(c.state.tokens); pos++ {
		if c.state.tail[pos%BlockTokens] == nil {
			c.state.tail[pos%BlockTokens] = rows[pos]
		}
	}
}
