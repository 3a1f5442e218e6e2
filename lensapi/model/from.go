package model

import (
	"context"
	"fmt"
	"math"
)

// NewLayers builds the layers first to end-1 alone, for runs that begin with rows of the residual stream; RunFrom runs
// them. Its sites have the indexes of Model.Sites.
func (m *Model) NewLayers(first, end int) (*Program, error) {
	if first < 0 || first >= end || end > m.cfg.NLayers {
		return nil, fmt.Errorf("layers %d to %d: %s has 0 to %d", first, end-1, m.cfg.Family, m.cfg.NLayers-1)
	}
	g := newGraph(m)
	at, _, err := m.Site(fmt.Sprintf("blocks.%d.hook_resid_pre", first))
	if err != nil {
		return nil, err
	}
	g.first = at
	mc, err := g.compile(func() {
		x := g.op("rows", m.cfg.DModel, func(dst []float32, _ [][]float32) { copy(dst, g.run.in) }, g.tick) // [T, d_model]
		m.blocks(g, x, first, end)
	})
	return &Program{mc}, err
}

// RunFrom is Run for a program of NewLayers: rows [T, d_model] enter its first layer. Only its own layers write to the
// cache, whose length grows all the same.
func (p *Program) RunFrom(ctx context.Context, rows []float32, cache *Cache, taps []Tap) error {
	r := p.run
	r.in = rows
	defer func() { r.in = nil }()
	return p.feed(ctx, len(rows)/p.cfg.DModel, cache, taps)
}

// Sequence is a part of a run of several sequences: as many Rows at the end of its cache, seen by its own Taps.
type Sequence struct {
	Cache *Cache
	Rows  int
	Taps  []Tap
}

// RunTogether is RunFrom for several sequences at once: rows has those of the first, then those of the second, and so on. Each gets the bits that it would get
// alone, while all share one pass over the weights.
func (p *Program) RunTogether(ctx context.Context, rows []float32, seqs []Sequence) error {
	r := p.run
	r.in, r.seqs = rows, r.seqs[:0]
	defer func() { r.in = nil }()
	for _, q := range seqs {
		r.seqs = append(r.seqs, sequence{q.Cache, q.Cache.Len(), q.Rows, q.Taps})
	}
	return p.feedAll(ctx)
}

// ValueLengths is, for the values v [T, n_kv_heads, d_head] of layer l, how long a vector each query head would add to
// the stream for attending to a position wholly: the length of v W_O, before any norm behind attention. [T, n_heads].
func (m *Model) ValueLengths(l int, v []float32) ([]float64, error) {
	arch, ok := m.arch.(writer)
	if !ok {
		return nil, fmt.Errorf("attention of %s has no output matrix of heads", m.cfg.Family)
	}
	if err := m.need(l); err != nil {
		return nil, err
	}
	w := arch.writes(l).attn.w
	c := m.cfg
	width, group := c.NKVHeads*c.DHead, c.NHeads/c.NKVHeads
	rows := len(v) / width
	out := make([]float64, rows*c.NHeads)
	row := make([]float32, w.Inputs())
	for i := range w.Outputs() {
		w.Row(row, i)
		for t := range rows {
			for h := range c.NHeads {
				var y float64
				value := v[t*width+h/group*c.DHead:][:c.DHead]
				for k, a := range row[h*c.DHead : (h+1)*c.DHead] {
					y += float64(a) * float64(value[k])
				}
				out[t*c.NHeads+h] += float64(y * y)
			}
		}
	}
	for i, sq := range out {
		out[i] = math.Sqrt(sq)
	}
	return out, nil
}
