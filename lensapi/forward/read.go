package forward

import (
	"context"
	"fmt"
	"slices"

	"github.com/gopherlens/gopherlens/lensapi/model"
)

// Reading is what the unembedding makes of one residual row; see model.Reading.
type Reading = model.Reading

// Cell is a residual row of a position: Row indexes Model.Rows.
type Cell struct{ Row, Position int }

// Cells are the rows of some cells of the trace, [len(cells), DModel], copied: what Read takes. It panics when one is not in the trace, as an
// index does.
func (t *Trace) Cells(cells ...Cell) []float32 {
	out := make([]float32, 0, len(cells)*t.DModel)
	for _, c := range cells {
		out = append(out, t.Row(c.Position-t.Start, c.Row)...)
	}
	return out
}

// Read is the lens of rows [n, d_model], any rows of any positions: final norm and unembedding, the top likeliest tokens of each row, and
// logit and rank of the tokens given. All rows share passes over the unembedding, and no logits are kept. The logits have the bits that Logits gives.
// ctx is looked at every few rows.
func (r *Runner) Read(ctx context.Context, rows []float32, top int, tokens ...int) ([]Reading, error) {
	if err := r.checkRead(rows, top, tokens); err != nil {
		return nil, err
	}
	d := r.m.Config().DModel
	out := make([]Reading, 0, len(rows)/d)
	for part := range slices.Chunk(rows, r.headChunk*d) {
		err := turn(ctx, r, &r.heads, func(h *model.Head) error {
			got, err := h.Read(ctx, part, top, tokens, nil)
			out = append(out, got...)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("lens: %w", err)
		}
	}
	return out, nil
}

// checkRead refuses what Read cannot do.
func (r *Runner) checkRead(rows []float32, top int, tokens []int) error {
	c := r.m.Config()
	if len(rows)%c.DModel != 0 {
		return fmt.Errorf("%d values are not rows of d_model %d", len(rows), c.DModel)
	}
	if top < 1 || top > c.DVocab {
		return fmt.Errorf("the top %d tokens: ask for 1 to %d", top, c.DVocab)
	}
	return checkIDs(tokens, c.DVocab)
}

// Stream is Extend that hands over the lens of chosen cells while the pass goes on: when a block is done with some positions, f gets those of its
// rows that cells names, in the order of their positions, and their readings. An error of f ends the call. cells may name positions
// of this call only.
func (s *Session) Stream(ctx context.Context, ids []int, cells []Cell, top int, f func(cells []Cell, readings []Reading) error) (*Trace, error) {
	r := s.r
	if err := r.checkRead(nil, top, nil); err != nil {
		return nil, err
	}
	byRow := map[int]map[int]bool{}
	for _, c := range cells {
		if c.Row < 0 || c.Row >= len(r.resid) || c.Position < s.Len() || c.Position >= s.Len()+len(ids) {
			return nil, fmt.Errorf("row %d of position %d is not in this call: rows go from 0 to %d, positions from %d to %d",
				c.Row, c.Position, len(r.resid)-1, s.Len(), s.Len()+len(ids)-1)
		}
		if byRow[c.Row] == nil {
			byRow[c.Row] = map[int]bool{}
		}
		byRow[c.Row][c.Position] = true
	}
	sites := make([]model.Tap, r.sites)
	for row, want := range byRow {
		sites[r.resid[row]] = func(a model.Activation) error {
			var at []Cell
			var rows []float32
			d := a.Shape[1]
			for i := range a.Shape[0] {
				if want[a.Start+i] {
					at = append(at, Cell{row, a.Start + i})
					rows = append(rows, a.Data[i*d:(i+1)*d]...)
				}
			}
			return r.readNow(ctx, rows, top, func(lo int, readings []Reading) error { return f(at[lo:lo+len(readings)], readings) })
		}
	}
	return s.extend(ctx, ids, sites, true)
}

// readNow is Read for a caller that has a turn already: in line for another one it could wait for itself.
func (r *Runner) readNow(ctx context.Context, rows []float32, top int, f func(lo int, readings []Reading) error) error {
	d := r.m.Config().DModel
	lo := 0
	for part := range slices.Chunk(rows, r.headChunk*d) {
		h, err := r.heads.get()
		if err != nil {
			return err
		}
		readings, err := h.Read(ctx, part, top, nil, nil)
		if err != nil {
			return fmt.Errorf("lens: %w", err)
		}
		r.heads.put(h)
		if err := f(lo, readings); err != nil {
			return err
		}
		lo += len(readings)
	}
	return nil
}
