package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
)

// Recompute computes the residual rows of a sequence of ids from its beginning: [len(ids), rows, d_model]. It must
// give the bits that were appended; the space's numerics class is there to make sure.
type Recompute func(ctx context.Context, ids []int) ([]float32, error)

// Rows returns the residual rows of positions from..to-1, [to-from, rows, d_model], as they are stored: rounded by the
// conversation's [Codec] unless a vector does not fit it. Rows that are missing or damaged are computed by r, at most
// once for all callers that wait for them, and stored again; with a nil r that is ErrMissing. The result belongs to the
// caller.
//
// ctx ends the waiting for a recomputation and is given to r.
func (c *Conversation) Rows(ctx context.Context, from, to int, r Recompute) ([]float32, error) {
	return c.Layers(ctx, from, to, seqTo(c.meta.Space.Rows), r)
}

// Layers is Rows of some rows of the space only, [to-from, len(rows), d_model]. Only these are read and decoded. A row
// that the conversation does not store is computed each time, and rounded as if it were.
func (c *Conversation) Layers(ctx context.Context, from, to int, rows []int, r Recompute) ([]float32, error) {
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
	for _, row := range rows {
		if row < 0 || row >= c.meta.Space.Rows {
			return nil, fmt.Errorf("conversation %s: row %d is not in 0..%d", c.ID(), row, c.meta.Space.Rows-1)
		}
	}
	c.s.used(c)
	n := len(rows) * c.lay.DModel
	out := make([]float32, (to-from)*n)
	put := func(pos int) []float32 { return out[(pos-from)*n : (pos-from+1)*n] }
	for look := true; ; look = false {
		missing, err := c.readStored(ctx, &st, from, to, rows, put)
		if err != nil {
			return nil, fmt.Errorf("conversation %s: %w", c.ID(), err)
		}
		if len(missing) == 0 {
			return out, nil
		}
		got, err := c.recompute(ctx, &st, missing, look, r)
		if errors.Is(err, errStored) {
			if st, err = c.snapshot(); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("conversation %s: position %d: %w", c.ID(), missing[0], err)
		}
		for _, pos := range missing {
			got.decode(pos, rows, put(pos))
		}
		return out, nil
	}
}

// errStored: rows that were missing have been computed and stored by another caller meanwhile.
var errStored = errors.New("stored by now")

// arePresent looks whether the rows at these positions are there by now.
func (c *Conversation) arePresent(positions []int) bool {
	st, err := c.snapshot()
	if err != nil {
		return false
	}
	size := c.lay.Block
	for i, pos := range positions {
		n := pos / size
		switch {
		case n == len(st.tokens)/size:
			if st.tail[pos%size] == nil {
				return false
			}
		case n >= len(st.keys): // read anew, and shorter
			return false
		case i > 0 && positions[i-1]/size == n: // looked at just now
		case st.un.block(st.keys[n]) == nil && !c.s.blocks.has(st.keys[n], c.lay):
			return false
		}
	}
	return true
}

// readStored decodes what is stored to put, several blocks at a time, and gives the positions whose rows are not.
func (c *Conversation) readStored(ctx context.Context, st *state, from, to int, rows []int, put func(pos int) []float32) (missing []int, err error) {
	if from == to {
		return nil, nil
	}
	at, stored := c.lay.index(rows)
	first := from / c.lay.Block
	lacking := make([][]int, (to+c.lay.Block-1)/c.lay.Block-first) // by block
	err = each(len(lacking), func(i int) error {
		n := first + i
		decode, err := c.source(ctx, st, n, at, stored)
		if err != nil {
			return err
		}
		for pos := max(from, n*c.lay.Block); pos < min(to, (n+1)*c.lay.Block); pos++ {
			if !decode(pos%c.lay.Block, put(pos)) {
				lacking[i] = append(lacking[i], pos)
			}
		}
		return nil
	})
	return slices.Concat(lacking...), err
}

// source gives the function that decodes the stored rows at of a token of block n, and says whether they are there.
func (c *Conversation) source(ctx context.Context, st *state, n int, at []int, stored bool) (func(i int, dst []float32) bool, error) {
	if !stored {
		return func(int, []float32) bool { return false }, nil
	}
	rows := st.tail[:] // of the incomplete block
	if n < len(st.tokens)/c.lay.Block {
		p := st.un.block(st.keys[n])
		if p == nil {
			b, err := c.s.block(ctx, st.keys[n], c.lay, at)
			return func(i int, dst []float32) bool {
				if b != nil {
					b.decode(i, at, dst)
				}
				return b != nil
			}, err
		}
		rows = p.rows
	}
	return func(i int, dst []float32) bool {
		if rows[i] != nil {
			rows[i].decode(c.lay, at, dst)
		}
		return rows[i] != nil
	}, nil
}

// block finds a block in memory or reads it, once for all who ask at the same time. Of a large block of which few rows
// are wanted only these are read, and not kept. It is nil, without error, if the block must be recomputed; what is
// wrong with a stored one has then been noted.
func (s *Store) block(ctx context.Context, key blockKey, l layout, at []int) (*block, error) {
	if b, ok := s.mem.Get(key); ok {
		s.hits.Add(1)
		return b, nil
	}
	s.misses.Add(1)
	flight := "read " + string(key[:])
	if 2*len(at) > l.Rows {
		at = nil // all
	} else {
		flight += fmt.Sprint(at)
	}
	v, err, _ := s.flights.Do(flight, func() (any, error) {
		if b, ok := s.mem.Get(key); ok { // read by a flight that ended just now
			return b, nil
		}
		size := min(maxShardSize(l), maxFills)
		// Reads end by themselves, so waiting for them needs no context; a cancelled one would fail the others.
		if err := s.fills.Acquire(context.WithoutCancel(ctx), size); err != nil {
			return nil, err
		}
		defer s.fills.Release(size)
		b, err := s.blocks.get(key, l, at)
		if err == nil && at == nil {
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

// computed are the rows of all tokens up to some position.
type computed struct {
	lay, restLay layout
	rows, rest   []encRow // those that are stored, and the others
}

// decode writes rows of the space at pos to dst [len(rows), d_model].
func (g *computed) decode(pos int, rows []int, dst []float32) {
	d := g.lay.DModel
	for i, r := range rows {
		part := dst[i*d : (i+1)*d]
		if at, ok := g.lay.index([]int{r}); ok {
			g.rows[pos].decode(g.lay, at, part)
		} else if at, ok := g.restLay.index([]int{r}); ok {
			g.rest[pos].decode(g.restLay, at, part)
		}
	}
}

// recompute computes the rows of all tokens up to the block of the last of the positions, stores the blocks that are not
// on disk and returns the rows by position. With look it makes sure first that this is still needed, errStored if not: the
// computation that a caller was to wait for may have ended while he was on his way to it.
func (c *Conversation) recompute(ctx context.Context, st *state, missing []int, look bool, r Recompute) (*computed, error) {
	if r == nil {
		return nil, ErrMissing
	}
	end := min((missing[len(missing)-1]/c.lay.Block+1)*c.lay.Block, len(st.tokens))
	ids := st.tokens[:end:end]
	// The key stands for the ids, so that conversations with the same beginning wait for one computation.
	key := "compute " + string(c.root[:])
	if full := end / c.lay.Block; full > 0 {
		key = "compute " + string(st.keys[full-1][:])
	}
	for _, id := range ids[end/c.lay.Block*c.lay.Block:] {
		key += " " + strconv.Itoa(id)
	}
	for {
		flight := c.s.flights.DoChan(key, func() (any, error) {
			done, err := c.s.begin() // the caller may be gone when this ends
			if err != nil {
				return nil, err
			}
			defer done()
			if look && c.arePresent(missing) {
				return nil, errStored
			}
			return c.compute(ctx, st.keys, ids, r)
		})
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case res := <-flight:
			if res.Err == nil {
				return res.Val.(*computed), nil
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
func (c *Conversation) compute(ctx context.Context, keys []blockKey, ids []int, r Recompute) (*computed, error) {
	resid, err := callRecompute(ctx, ids, r)
	if err != nil {
		return nil, fmt.Errorf("recomputing %d tokens: %w", len(ids), err)
	}
	sp := c.meta.Space
	if len(resid) != len(ids)*sp.values() {
		return nil, fmt.Errorf("recomputing %d tokens: %d values, %d expected", len(ids), len(resid), len(ids)*sp.values())
	}
	c.s.recomputed.Add(int64(len(ids)))
	got := &computed{lay: c.lay, rows: make([]encRow, len(ids))}
	if c.lay.layers != nil {
		got.restLay, got.rest = c.lay.rest(sp), make([]encRow, len(ids))
	}
	rows := got.rows
	for i := range rows {
		row := resid[i*sp.values() : (i+1)*sp.values()]
		rows[i] = encodeRow(c.lay, row)
		if got.rest != nil {
			got.rest[i] = encodeRow(got.restLay, row)
		}
	}
	for n := range len(ids) / c.lay.Block {
		if c.s.blocks.has(keys[n], c.lay) {
			continue
		}
		b, err := newBlock(keys[n], c.lay, rows[n*c.lay.Block:(n+1)*c.lay.Block])
		if err != nil {
			return nil, err
		}
		c.s.mem.Add(b)
		if !c.s.roomFor(c, b.cost()) {
			continue
		}
		if err := c.s.blocks.put(b); err != nil { // the rows are right, only not kept
			c.s.degrade(inBlocks, err)
		} else {
			c.s.healthy(inBlocks)
		}
	}
	c.fillTail(ids, rows)
	return got, nil
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
	first := len(c.state.tokens) / c.lay.Block * c.lay.Block
	for pos := first; pos < len(rows) && pos < len(c.state.tokens); pos++ {
		if c.state.tail[pos%c.lay.Block] == nil {
			c.state.tail[pos%c.lay.Block] = rows[pos]
		}
	}
}
