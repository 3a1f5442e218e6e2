package model

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// Program is the compiled graph of embedding and blocks. It is used by one goroutine at a time and shares the
// weights with all programs of its model; its own memory is one row of intermediate values per position of the
// longest run so far.
type Program struct{ machine }

// Head is the compiled graph of the final norm and the unembedding: the one way from a residual row to logits,
// for the last row as for every other. One goroutine at a time.
type Head struct{ machine }

// machine is a graph on a tape machine.
type machine struct {
	run    *run
	vm     gorgonia.VM
	all    func() error // runs all of vm
	sites  []Site
	ops    []*op
	rotary []*rotary
	cfg    Config
	broken bool
}

// NewProgram builds and compiles the blocks; a millisecond or two.
func (m *Model) NewProgram() (p *Program, err error) {
	g := newGraph(m)
	mc, err := g.compile(func() { m.blocks(g, m.arch.embed(g), 0, m.cfg.NLayers) })
	return &Program{mc}, err
}

// blocks builds the layers first to end-1; x [T, d_model] enters the first.
func (m *Model) blocks(g *graph, x node, first, end int) {
	for l := first; l < end; l++ {
		g.prefix = fmt.Sprintf("blocks.%d.", l)
		if m.layers != nil {
			g.load = m.layers[l]
		}
		x = m.arch.block(g, l, x)
	}
}

// NewHead builds and compiles the final norm and the unembedding.
func (m *Model) NewHead() (h *Head, err error) {
	g := newGraph(m)
	g.first = m.head
	mc, err := g.compile(func() {
		d := m.cfg.DModel
		x := g.op("rows", d, func(dst []float32, _ [][]float32) { copy(dst, g.run.in) }, g.tick) // [n, d_model]
		x = g.norm("ln_final", x, &m.final)                                                      // [n, d_model]
		g.apply(&op{name: "unembed", arity: 1, cols: m.cfg.DVocab, run: g.run,                   // [n, d_vocab]
			dst: func(n int) []float32 { return g.run.out[:n] },
			f: func(dst []float32, in [][]float32) error {
				kernels.Unembedding{W: m.unembed, Cap: m.cfg.LogitCap}.Logits(dst, in[0])
				return nil
			},
		}, x)
	})
	return &Head{mc}, err
}

// compile builds the graph and the machine; Gorgonia panics when it cannot, which becomes an error.
func (g *graph) compile(build func()) (m machine, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("building the program: %v", p)
		}
	}()
	build()
	if g.err != nil {
		return machine{}, fmt.Errorf("building the program: %w", g.err)
	}
	for i := range g.sites {
		g.sites[i].Head = g.first > 0
	}
	vm := gorgonia.NewTapeMachine(g.ExprGraph)
	all, _ := inline(vm)
	return machine{run: g.run, vm: vm, all: all, sites: g.sites, ops: g.ops, rotary: g.rotary, cfg: g.cfg}, nil
}

// errBroken is returned by a program that has failed before; its machine stopped in the middle.
var errBroken = errors.New("this program has failed before and must not be used again")

func (m *machine) exec(ctx context.Context) error {
	if m.broken {
		return errBroken
	}
	m.broken = true
	m.run.ctx, m.run.err = ctx, nil
	err := m.all()
	m.run.ctx = nil
	clear(m.run.seqs)
	if m.run.err != nil {
		return m.run.err
	}
	if err != nil {
		return err
	}
	m.vm.Reset()
	m.broken = false
	return nil
}

// Run feeds ids at the end of the cache and advances it. taps is indexed as Model.Sites; it may be shorter or
// nil. The caller has checked that there is an id, that each is in the vocabulary and that they fit the context.
// ctx is looked at before every operation. After an error the cache is as before and the program unusable.
func (p *Program) Run(ctx context.Context, ids []int, cache *Cache, taps []Tap) error {
	p.run.ids = ids
	defer func() { p.run.ids = nil }()
	return p.feed(ctx, len(ids), cache, taps)
}

// feed runs n positions of one sequence.
func (p *Program) feed(ctx context.Context, n int, cache *Cache, taps []Tap) error {
	p.run.seqs = append(p.run.seqs[:0], sequence{cache, cache.Len(), n, taps})
	return p.feedAll(ctx)
}

// feedAll runs the positions of all sequences of the run.
func (p *Program) feedAll(ctx context.Context) error {
	r := p.run
	r.rows = 0
	for i := range r.angles {
		r.angles[i] = r.angles[i][:0]
	}
	for _, q := range r.seqs {
		if q.rows == 0 || q.start+q.rows > p.cfg.NCtx {
			return fmt.Errorf("%d positions after %d do not fit the context of %d", q.rows, q.start, p.cfg.NCtx)
		}
		r.rows += q.rows
		for i, rotary := range p.rotary {
			r.angles[i] = rotary.Angles(r.angles[i], q.start, q.rows)
		}
		q.cache.reserve(q.start + q.rows)
	}
	seqs := slices.Clone(r.seqs)
	if err := p.exec(ctx); err != nil {
		return err
	}
	for _, q := range seqs {
		q.cache.length += q.rows
	}
	return nil
}

// Run computes out [n, d_vocab] from rows [n, d_model]; rows is not changed. taps is indexed as Model.Sites; it may
// be nil. After an error the head is unusable.
func (h *Head) Run(ctx context.Context, rows, out []float32, taps []Tap) error {
	r := h.run
	r.rows = len(rows) / h.cfg.DModel
	if r.rows == 0 || len(rows) != r.rows*h.cfg.DModel || len(out) != r.rows*h.cfg.DVocab {
		return fmt.Errorf("%d values to %d logits: rows are %d wide and logits %d", len(rows), len(out), h.cfg.DModel, h.cfg.DVocab)
	}
	r.in, r.out, r.seqs = rows, out, append(r.seqs[:0], sequence{rows: r.rows, taps: taps})
	defer func() { r.in, r.out = nil, nil }()
	return h.exec(ctx)
}
