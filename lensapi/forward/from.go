package forward

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gopherlens/gopherlens/lensapi/model"
)

// lack says that positions from at on were fed to the layers from layer on alone; layer 0: none were.
type lack struct{ at, layer int }

// ExtendFrom is Extend for rows [T, d_model] that enter layer in place of ids that enter the embedding: the layers below do not run. The
// trace holds these rows and those above, and zeros below. Keys and values below the layer stay unknown for these positions, so
// until they are truncated the session takes ExtendFrom at this layer or above and nothing else.
func (s *Session) ExtendFrom(ctx context.Context, layer int, rows []float32, hooks ...Hook) (*Trace, error) {
	c := s.r.m.Config()
	start, n := s.Len(), len(rows)/c.DModel
	switch {
	case layer < 0 || layer >= c.NLayers:
		return nil, fmt.Errorf("layer %d: there are layers 0 to %d", layer, c.NLayers-1)
	case n == 0 || len(rows) != n*c.DModel:
		return nil, fmt.Errorf("%d values are not rows of d_model %d", len(rows), c.DModel)
	case n > c.NCtx-start:
		return nil, &ContextError{start, n, c.NCtx}
	case s.lack.layer > layer:
		return nil, s.lack.err()
	}
	taps, err := s.r.taps(hooks, false, nil)
	if err != nil {
		return nil, err
	}
	t := &Trace{Start: start, Tokens: n, Rows: c.NLayers + 1, DModel: c.DModel}
	t.Resid = make([]float32, n*t.Rows*t.DModel)
	for i := range n {
		copy(t.Row(i, layer), rows[i*c.DModel:])
	}
	s.r.partial.Add(1)
	taps = s.capture(taps, t)
	for part := range slices.Chunk(rows, s.r.chunk*c.DModel) {
		err := turn(ctx, s.r, &s.r.layers[layer], func(p *model.Program) error { return p.RunFrom(ctx, part, s.cache, taps) })
		if err != nil {
			s.cache.Truncate(start)
			return nil, err
		}
	}
	s.ids = append(s.ids, slices.Repeat([]int{-1}, n)...)
	if layer > s.lack.layer {
		if s.lack.layer == 0 {
			s.lack.at = start
		}
		s.lack.layer = layer
	}
	return t, nil
}

func (l lack) err() error {
	return fmt.Errorf("positions from %d on were fed to layer %d and above alone: truncate them first, or go on with ExtendFrom at layer %d or above", l.at, l.layer, l.layer)
}

// errStop ends a run that has done what it was for.
var errStop = errors.New("done")

// Attention runs the attention of one layer over rows [T, d_model] that enter the layer at positions 0 to T-1, as far as z, and nothing else
// of the model. Hooks may be at the sites of the layer up to attn.hook_z, and see all T positions at once. It counts for no forward pass.
func (r *Runner) Attention(ctx context.Context, layer int, rows []float32, hooks ...Hook) error {
	c := r.m.Config()
	n := len(rows) / c.DModel
	if n == 0 || len(rows) != n*c.DModel || n > c.NCtx {
		return fmt.Errorf("%d values are not 1 to %d rows of d_model %d", len(rows), c.NCtx, c.DModel)
	}
	taps, err := r.taps(hooks, false, nil)
	if err != nil {
		return err
	}
	last := fmt.Sprintf("blocks.%d.attn.hook_z", layer)
	z, _, err := r.m.Site(last)
	if err != nil {
		return err
	}
	for i, s := range r.m.Sites() {
		if i < len(taps) && taps[i] != nil && (i > z || !strings.HasPrefix(s.Name, fmt.Sprintf("blocks.%d.", layer))) {
			return fmt.Errorf("hook at %s: the attention of layer %d ends at %s", s.Name, layer, last)
		}
	}
	all := make([]model.Tap, z+1)
	copy(all, taps)
	all[z] = then(all[z], func(model.Activation) error { return errStop })
	p, err := r.m.NewLayers(layer, layer+1)
	if err != nil {
		return err
	}
	if err := p.RunFrom(ctx, rows, r.m.NewCache(), all); !errors.Is(err, errStop) {
		return err
	}
	return nil
}
