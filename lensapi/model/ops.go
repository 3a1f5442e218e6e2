package model

import (
	"context"
	"fmt"
	"hash"
	"hash/fnv"
	"io"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// run is what one execution of a program reads; the operations of the program hold a pointer to it. That is how
// one compiled graph serves every length: nodes are declared [n_ctx, cols] and their values are [T, cols], which
// the tape machine does not compare.
type run struct {
	ctx    context.Context
	ids    []int       // [T]; blocks only
	seqs   []sequence  // whose rows these are, one after the other
	rows   int         // T, of all sequences
	angles [][]float32 // by rotary of the graph: the angles of the T positions
	in     []float32   // [T, d_model]; head, and layers without embedding
	out    []float32   // [T, d_vocab]; head only
	err    error       // the first failure, before Gorgonia wraps it in its own words
}

// sequence is the part of a run that belongs to one sequence.
type sequence struct {
	cache *Cache // nil in the head
	start int    // positions before this run
	rows  int
	taps  []Tap // by index of the site; nil: none
}

// buffer is memory that operations of different layers share; see graph.op.
type buffer struct{ data []float32 }

func (b *buffer) rows(n int) []float32 {
	if cap(b.data) < n {
		b.data = make([]float32, n)
	}
	return b.data[:n]
}

// placed is a site of a program and its index in Model.Sites.
type placed struct {
	Site
	index int
}

// op is a coarse operation on rows. When it is done it hands its output to the taps of its sites, so an edit in place is seen by all
// who read it, and a site without a tap costs nothing. It owns its output (CallsExtern and OverwritesInput keep the machine from
// giving it memory of the declared shape), and its name is its hash: Gorgonia makes nodes with equal hash and
// children one node.
type op struct {
	name  string
	arity int
	cols  int
	run   *run
	load  func() error // reads the layer's tensors if that has not been done; nil: it has
	dst   func(n int) []float32
	f     func(dst []float32, in [][]float32) error
	sites []placed // where hooks see the output, in this order
	from  []*op    // whose outputs it reads; none for what begins a graph
	grad  func(b *backward)

	out  *tensor.Dense
	kept []float32 // its last output
	in   [3][]float32
}

func (o *op) Arity() int { return o.arity }

func (o *op) Type() hm.Type {
	ts := make([]hm.Type, o.arity+1)
	for i := range ts {
		ts[i] = gorgonia.TensorType{Dims: 2, Of: tensor.Float32}
	}
	return hm.NewFnType(ts...)
}

func (o *op) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return tensor.Shape{1, o.cols}, nil
}

func (o *op) ReturnsPtr() bool      { return true }
func (o *op) CallsExtern() bool     { return false }
func (o *op) OverwritesInput() int  { return -1 }
func (o *op) WriteHash(h hash.Hash) { _, _ = io.WriteString(h, o.name) } // a hash never fails to take bytes
func (o *op) Hashcode() uint32      { h := fnv.New32a(); o.WriteHash(h); return h.Sum32() }
func (o *op) String() string        { return o.name }

// Do runs the operation. It looks at the context first, so that an interrupt ends a pass within one operation.
// The machine runs it on a goroutine of its own, where a panic would end the process: it becomes an error here.
func (o *op) Do(vs ...gorgonia.Value) (v gorgonia.Value, err error) {
	defer o.run.guard(o.name, &err)
	if err := o.run.ctx.Err(); err != nil {
		return nil, fmt.Errorf("stopped before %s: %w", o.name, err)
	}
	if o.load != nil {
		if err := o.load(); err != nil {
			return nil, err
		}
	}
	for i, v := range vs {
		o.in[i] = v.(*tensor.Dense).Float32s()
	}
	dst := o.dst(o.run.rows * o.cols)
	if err := o.f(dst, o.in[:o.arity]); err != nil {
		return nil, err
	}
	for _, p := range o.sites {
		if err := o.run.tap(p, dst); err != nil {
			return nil, err
		}
	}
	if o.out == nil || o.out.Shape()[0] != o.run.rows || len(o.kept) != len(dst) || &o.kept[0] != &dst[0] {
		o.kept = dst
		o.out = tensor.New(tensor.WithShape(o.run.rows, o.cols), tensor.WithBacking(dst))
	}
	return o.out, nil
}

// tapped says whether someone looks at a site.
func (r *run) tapped(p placed) bool {
	for i := range r.seqs {
		if r.seqs[i].tapped(p) {
			return true
		}
	}
	return false
}

func (q *sequence) tapped(p placed) bool { return p.index < len(q.taps) && q.taps[p.index] != nil }

// tap hands data, the rows of this run, to the taps of a site: to each sequence's its own rows.
func (r *run) tap(p placed, data []float32) error {
	if len(r.seqs) == 1 {
		return r.tapSeq(&r.seqs[0], p, data)
	}
	width, at := len(data)/r.rows, 0
	for i := range r.seqs {
		q := &r.seqs[i]
		if err := r.tapSeq(q, p, data[at*width:(at+q.rows)*width]); err != nil {
			return err
		}
		at += q.rows
	}
	return nil
}

// tapSeq hands data, the rows of one sequence, to its tap. A panic in it is an error that names the site.
func (r *run) tapSeq(q *sequence, p placed, data []float32) (err error) {
	if !q.tapped(p) {
		return nil
	}
	defer r.guard(p.Name, &err)
	shape := append([]int{q.rows}, p.Shape...)
	for i, d := range shape {
		if d == Positions {
			shape[i] = q.start + q.rows
		}
	}
	if err := q.taps[p.index](Activation{Site: p.Name, Start: q.start, Shape: shape, Data: data}); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	return nil
}

// guard turns a panic into an error that names the place, and keeps the first error of the run.
func (r *run) guard(name string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: panic: %v", name, p)
	}
	if *err != nil && r.err == nil {
		r.err = *err
	}
}
