package forward

import (
	"context"
	"fmt"

	"github.com/gopherlens/gopherlens/lensapi/model"
)

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
// the scores of the tokens given. All rows share one pass over the unembedding, and no logits are kept; they have the bits that Logits gives.
// ctx is looked at every few milliseconds.
func (r *Runner) Read(ctx context.Context, rows []float32, top int, tokens ...int) ([]model.Readout, error) {
	if err := r.checkRead(rows, top, tokens); err != nil {
		return nil, err
	}
	reads, err := r.m.Read(ctx, r.m.Normalize(rows), top, tokens)
	if err != nil {
		return nil, fmt.Errorf("lens: %w", err)
	}
	return reads, nil
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
func (s *Session) Stream(ctx context.Context, ids []int, cells []Cell, top int, f func(cells []Cell, readings []model.Readout) error) (*Trace, error) {
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
			if len(rows) == 0 {
				return nil
			}
			readings, err := r.Read(ctx, rows, top)
			if err != nil {
				return err
			}
			return f(at, readings)
		}
	}
	return s.extend(ctx, ids, sites, true)
}
