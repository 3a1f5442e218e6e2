package forward

import (
	"context"
	"fmt"
	"slices"

	"github.com/gopherlens/gopherlens/lensapi/model"
)

// Branch is a continuation of a session that is computed beside others and forgotten, as a sweep wants it.
type Branch struct {
	From  int       // how many positions of the session come before it
	Rows  []float32 // [T, d_model]: what enters the layer at the positions from From on
	Hooks []Hook
}

// branchMemory bounds the keys and values of branches that run at once.
const branchMemory = 128 << 20

// Branches runs branches of the session from a layer on, several at once, which share one pass over the weights, and hands over the last residual row of each,
// [d_model], as they are done, in their order. Each has the bits that a fork of the session has after Truncate and ExtendFrom. f may keep the row; its error ends the
// call. The session stays as it is, and must not go on meanwhile.
func (s *Session) Branches(ctx context.Context, layer int, branches []Branch, f func(i int, last []float32) error) error {
	c := s.r.m.Config()
	if layer < 0 || layer >= c.NLayers {
		return fmt.Errorf("layer %d: there are layers 0 to %d", layer, c.NLayers-1)
	}
	if s.lack.layer > layer {
		return s.lack.err()
	}
	for i, b := range branches {
		n := len(b.Rows) / c.DModel
		switch {
		case b.From < 0 || b.From > s.Len():
			return fmt.Errorf("branch %d begins at %d: the session has %d positions", i, b.From, s.Len())
		case n == 0 || len(b.Rows) != n*c.DModel:
			return fmt.Errorf("branch %d: %d values are not rows of d_model %d", i, len(b.Rows), c.DModel)
		case n > c.NCtx-b.From:
			return &ContextError{b.From, n, c.NCtx}
		}
	}
	var spare model.Spare
	for at := 0; at < len(branches); {
		n := s.together(layer, branches[at:])
		lasts, err := s.branch(ctx, layer, branches[at:at+n], &spare)
		if err != nil {
			return err
		}
		for i, last := range lasts {
			if err := f(at+i, last); err != nil {
				return err
			}
		}
		at += n
	}
	return nil
}

// together is how many of the branches run at once: one at least.
func (s *Session) together(layer int, branches []Branch) int {
	c := s.r.m.Config()
	rows, memory := 0, int64(0)
	for i, b := range branches {
		n := len(b.Rows) / c.DModel
		rows += n
		memory += c.BranchBytes(b.From, n, layer)
		if i > 0 && (rows > s.r.chunk || memory > branchMemory) {
			return i
		}
	}
	return len(branches)
}

// branch runs branches at once, in pieces where the only one is longer than a chunk, and returns their last rows.
func (s *Session) branch(ctx context.Context, layer int, branches []Branch, spare *model.Spare) ([][]float32, error) {
	r, d := s.r, s.r.m.Config().DModel
	lasts, seqs := make([][]float32, len(branches)), make([]model.Sequence, len(branches))
	var rows []float32
	for i, b := range branches {
		taps, err := r.taps(b.Hooks, false, nil)
		if err != nil {
			return nil, err
		}
		all := make([]model.Tap, r.sites)
		copy(all, taps)
		last := r.resid[len(r.resid)-1]
		all[last] = then(all[last], func(a model.Activation) error {
			lasts[i] = slices.Clone(a.Data[len(a.Data)-d:])
			return nil
		})
		n := len(b.Rows) / d
		seqs[i] = model.Sequence{Rows: n, Taps: all}
		seqs[i].Cache, *spare = s.cache.Branch(b.From, n, layer, *spare)
		rows = append(rows, b.Rows...)
	}
	r.partial.Add(int64(len(branches)))
	piece := len(rows)
	if len(branches) == 1 {
		piece = r.chunk * d
	}
	for part := range slices.Chunk(rows, piece) {
		if len(branches) == 1 {
			seqs[0].Rows = len(part) / d
		}
		if err := turn(ctx, r, &r.layers[layer], func(p *model.Program) error { return p.RunTogether(ctx, part, seqs) }); err != nil {
			return nil, err
		}
	}
	for i := range seqs {
		*spare = seqs[i].Cache.Recycle(*spare)
	}
	return lasts, nil
}
