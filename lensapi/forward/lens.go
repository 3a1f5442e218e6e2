package forward

import (
	"context"
	"fmt"

	"github.com/gopherlens/gopherlens/lensapi/model"
)

// Lens reads out all residual rows of some positions, resid [positions, len(Model.Rows()), d_model]: final norm and unembedding, with the bits
// of Logits, in one pass over the unembedding and without keeping the logits, except those of the last position, which it
// writes to last, [rows, d_vocab], unless that is nil. It keeps top candidates of each row, at least 1, and scores the last row's first choice and, where next, which may
// be nil, has one for a position, another token (-1: none). Nothing depends on the positions beside. ctx is looked at every few
// milliseconds.
//
// The error is that of ctx, or a *model.NotFiniteError.
func (r *Runner) Lens(ctx context.Context, resid []float32, top int, next []int, last []float32) ([]model.Readout, error) {
	c := r.m.Config()
	rows := c.NLayers + 1
	if len(resid)%(rows*c.DModel) != 0 {
		return nil, fmt.Errorf("%d values are not positions of %d rows of d_model %d", len(resid), rows, c.DModel)
	}
	if next != nil && len(next) != len(resid)/(rows*c.DModel) {
		return nil, fmt.Errorf("%d next tokens for %d positions", len(next), len(resid)/(rows*c.DModel))
	}
	for i, id := range next {
		if id < -1 || id >= c.DVocab {
			return nil, &TokenError{i, id, c.DVocab}
		}
	}
	if last != nil && len(last) != rows*c.DVocab {
		return nil, fmt.Errorf("room for %d logits: the last position has %d", len(last), rows*c.DVocab)
	}
	if top < 1 {
		return nil, fmt.Errorf("the top %d tokens: ask for 1 at least", top)
	}
	reads, err := r.m.Lens(ctx, r.m.Normalize(resid), rows, top, next, last)
	if err != nil {
		return nil, fmt.Errorf("lens: %w", err)
	}
	return reads, nil
}
