package model

import (
	"context"
	"testing"
	"time"

	"gorgonia.org/gorgonia"
)

const gpt2Small = `{"model_type":"gpt2"}` // whose defaults are the small model

// direct is the same operations as a program's, called one after the other without a machine.
type direct struct {
	run *run
	ops []*op
	in  [][]int // by operation: those whose output it reads
}

func newDirect(b *testing.B, m *Model) *direct {
	g := newGraph(m)
	d := &direct{run: g.run}
	if _, err := g.compile(func() { m.blocks(g, m.arch.embed(g), 0, m.cfg.NLayers) }); err != nil {
		b.Fatal(err)
	}
	nodes, err := gorgonia.Sort(g.ExprGraph)
	if err != nil {
		b.Fatal(err)
	}
	at := map[int64]int{}
	for i := len(nodes) - 1; i >= 0; i-- { // Sort puts results first
		o, ok := nodes[i].Op().(*op)
		if !ok {
			continue
		}
		var in []int
		for children := g.From(nodes[i].ID()); children.Next(); {
			if c, ok := at[children.Node().ID()]; ok {
				in = append(in, c)
			}
		}
		at[nodes[i].ID()] = len(d.ops)
		d.ops, d.in = append(d.ops, o), append(d.in, in)
	}
	return d
}

func (d *direct) Run(b *testing.B, ids []int, cache *Cache) {
	r := d.run
	r.ctx, r.ids, r.rows, r.seqs = context.Background(), ids, len(ids), []sequence{{cache: cache, start: cache.Len(), rows: len(ids)}}
	cache.reserve(cache.Len() + r.rows)
	outs := make([][]float32, len(d.ops))
	var in [3][]float32
	for i, o := range d.ops {
		for j, k := range d.in[i] {
			in[j] = outs[k]
		}
		outs[i] = o.dst(r.rows * o.cols)
		if err := o.f(outs[i], in[:o.arity]); err != nil {
			b.Fatal(err)
		}
	}
	cache.length += r.rows
}

// BenchmarkTape decodes 100 tokens after 100 of GPT-2's small shape, each token once through Gorgonia's tape machine and once by calling the
// same operations directly. The metric to look at is the ratio of the means.
func BenchmarkTape(b *testing.B) {
	for _, dtype := range []string{"F32", "F16"} {
		b.Run(dtype, func(b *testing.B) { benchTape(b, dtype) })
	}
}

func benchTape(b *testing.B, dtype string) {
	m, err := Random([]byte(gpt2Small), dtype, 1, Options{})
	if err != nil {
		b.Fatal(err)
	}
	p, err := m.NewProgram()
	if err != nil {
		b.Fatal(err)
	}
	d := newDirect(b, m)
	ids := make([]int, 100)
	for i := range ids {
		ids[i] = i * 397
	}
	ctx := context.Background()
	var graph, calls time.Duration
	n := 0
	for b.Loop() {
		x, y := m.NewCache(), m.NewCache()
		if err := p.Run(ctx, ids, x, nil); err != nil {
			b.Fatal(err)
		}
		d.Run(b, ids, y)
		for i := range ids {
			one := ids[i : i+1]
			start := time.Now()
			if err := p.Run(ctx, one, x, nil); err != nil {
				b.Fatal(err)
			}
			between := time.Now()
			d.Run(b, one, y)
			graph += between.Sub(start)
			calls += time.Since(between)
			n++
		}
	}
	b.ReportMetric(float64(graph.Microseconds())/float64(n)/1000, "ms/token-graph")
	b.ReportMetric(float64(calls.Microseconds())/float64(n)/1000, "ms/token-direct")
	b.ReportMetric(float64(graph)/float64(calls), "graph/direct")
}
