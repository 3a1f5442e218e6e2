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
	cache  *Cache      // blocks only
	start  int         // positions before this run
	rows   int         // T
	angles [][]float64 // by rotary of the graph: the angles of the T positions
	in     []float32   // [T, d_model]; head only
	out    []float32   // [T, d_vocab]; head only
	taps   []Tap       // by index of the site; nil: none
	err    error       // the first failure, before Gorgonia wraps it in its own words
}

// buffer is memory that operations of different layers share; see graph.op.
type buffer struct{ data []float32 }

func (b *buffer) rows(n int) []float32 {
	if cap(b.data) < n {
		b.data = make([]float32, n)
	}
	return b.data[:n]
}

// op is a coarse operation on rows. It owns its output (CallsExtern and OverwritesInput keep the machine from
// giving it memory of the declared shape), and its name is its hash: Gorgonia makes nodes with equal hash and
// children one node.
type op struct {
	name  string
	arity int
	cols  int        // declared columns
	width func() int // columns of this run; nil: cols
	run   *run
	dst   func(n int) []float32
	f     func(dst []float32, in [][]float32)

	out  *tensor.Dense
	back []float32
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
	for i, v := range vs {
		o.in[i] = v.(*tensor.Dense).Float32s()
	}
	cols := o.cols
	if o.width != nil {
		cols = o.width()
	}
	dst := o.dst(o.run.rows * cols)
	o.f(dst, o.in[:o.arity])
	if o.out == nil || o.out.Shape()[0] != o.run.rows || len(o.back) != len(dst) || &o.back[0] != &dst[0] {
		o.back = dst
		o.out = tensor.New(tensor.WithShape(o.run.rows, cols), tensor.WithBacking(dst))
	}
	return o.out, nil
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

// hookOp is the identity: it hands the rows of its input to the tap of its site, if there is one, and returns
// them. Everyone downstream reads this node and not its input, so an edit in place is seen by all.
type hookOp struct {
	op
	index int
	site  Site
}

func (o *hookOp) Do(vs ...gorgonia.Value) (v gorgonia.Value, err error) {
	defer o.run.guard(o.name, &err)
	if o.index < len(o.run.taps) && o.run.taps[o.index] != nil {
		shape := append([]int{o.run.rows}, o.site.Shape...)
		for i, d := range shape {
			if d == Positions {
				shape[i] = o.run.start + o.run.rows
			}
		}
		a := Activation{Site: o.name, Start: o.run.start, Shape: shape, Data: vs[0].(*tensor.Dense).Float32s()}
		if err := o.run.taps[o.index](a); err != nil {
			return nil, fmt.Errorf("%s: %w", o.name, err)
		}
	}
	return vs[0], nil
}
