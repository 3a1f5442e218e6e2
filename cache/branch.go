package cache

import (
	"context"
	"fmt"
	"reflect"
	"slices"
)

// AppendFrom appends the tokens from..to-1 of src with their records and rows, so that a conversation can branch without
// a forward pass and without rounding rows twice. Complete blocks that both have in common are neither read nor
// written. Rows of a conversation that stores them in another way are left to a recomputation. Both must be in one
// space; the errors are those of Append.
func (c *Conversation) AppendFrom(src *Conversation, from, to int) error {
	done, err := c.s.begin()
	if err != nil {
		return err
	}
	defer done()
	st, err := src.snapshot()
	if err != nil {
		return err
	}
	switch {
	case from < 0 || to < from || to > len(st.records):
		return fmt.Errorf("conversation %s: positions %d..%d are not within 0..%d", src.ID(), from, to, len(st.records))
	case src.meta.Space != c.meta.Space:
		return fmt.Errorf("conversation %s: %s belongs to another space", c.ID(), src.ID())
	case from == to:
		return nil
	}
	toks := make([]Token, to-from)
	for i := range toks {
		toks[i] = Token{st.tokens[from+i], st.records[from+i]}
	}
	rows := make([]encRow, len(toks))
	if reflect.DeepEqual(src.lay, c.lay) {
		if err := c.copyRows(src.s, &st, from, rows); err != nil {
			return fmt.Errorf("conversation %s: %w", c.ID(), err)
		}
	}
	return c.add(func(st *state) error { return c.append(st, toks, rows) })
}

// copyRows fills in the rows that follow the present end of c, from the state of another conversation of its layout.
func (c *Conversation) copyRows(s *Store, src *state, from int, rows []encRow) error {
	own, err := c.snapshot()
	if err != nil {
		return err
	}
	size, start := c.lay.Block, len(own.tokens)
	all := slices.Concat(own.tokens, src.tokens[from:from+len(rows)])
	keys := extendKeys(c.root, size, own.keys, all)
	for i := range rows {
		pos := from + i
		if n := (start + i) / size; n < len(keys) && n < len(src.keys) && keys[n] == src.keys[n] {
			continue // the same block, which is there
		}
		if pos/size == len(src.tokens)/size {
			rows[i] = src.tail[pos%size]
			continue
		}
		key := src.keys[pos/size]
		if p := src.un.block(key); p != nil {
			rows[i] = p.rows[pos%size]
			continue
		}
		b, err := s.block(context.Background(), key, c.lay, seqTo(c.lay.Rows))
		if err != nil {
			return err
		}
		if b != nil {
			rows[i] = b.row(pos % size)
		}
	}
	return nil
}
