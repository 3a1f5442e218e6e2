package model

import (
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

type rotary = kernels.Rotary

// activations by Hugging Face's names.
var activations = map[string]func(dst, x []float32){
	"gelu":              kernels.GELU,
	"gelu_new":          kernels.GELUTanh,
	"gelu_fast":         kernels.GELUTanh,
	"gelu_pytorch_tanh": kernels.GELUTanh,
	"silu":              kernels.SiLU,
	"swish":             kernels.SiLU,
	"relu":              kernels.ReLU,
}

// graph builds one program. Names get prefix, which says the layer; the first error sticks and later calls do
// nothing.
type graph struct {
	*gorgonia.ExprGraph
	m       *Model
	cfg     Config
	run     *run
	prefix  string
	load    func() error // of the layer
	first   int          // index of the program's first site in Model.Sites
	sites   []Site
	ops     []*op // in the order of execution
	bufs    map[string]*buffer
	pattern buffer    // of attention; layers share it
	rotary  []*rotary // those of rotate; run.angles is in this order
	tick    node      // a graph needs an input; this one carries nothing
	err     error
}

// node is a value of the graph: cols values for each position, or n_heads for each pair of positions.
type node struct {
	n    *gorgonia.Node
	op   *op // that computes it
	cols int
}

func newGraph(m *Model) *graph {
	g := &graph{ExprGraph: gorgonia.NewGraph(), m: m, cfg: m.cfg, run: &run{}, bufs: map[string]*buffer{}}
	zero := tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]float32{0}))
	g.tick.n = gorgonia.NewMatrix(g.ExprGraph, tensor.Float32, gorgonia.WithShape(1, 1), gorgonia.WithName("tick"), gorgonia.WithValue(zero))
	return g
}

// op adds an operation that cannot fail.
func (g *graph) op(local string, cols int, f func(dst []float32, in [][]float32), in ...node) node {
	return g.opErr(local, cols, func(dst []float32, in [][]float32) error { f(dst, in); return nil }, in...)
}

// opErr adds an operation. Layers share the output buffer of the local name: when layer l+1 writes it, every reader
// in layer l has run, because each of them is an ancestor of the residual stream that layer l+1 begins with.
func (g *graph) opErr(local string, cols int, f func(dst []float32, in [][]float32) error, in ...node) node {
	b := g.bufs[local]
	if b == nil {
		b = &buffer{}
		g.bufs[local] = b
	}
	return g.apply(&op{name: g.prefix + local, arity: len(in), cols: cols, run: g.run, load: g.load, dst: b.rows, f: f}, in...)
}

func (g *graph) apply(o *op, in ...node) node {
	x := node{nil, o, o.cols}
	g.ops = append(g.ops, o)
	if g.err == nil {
		ns := make([]*gorgonia.Node, len(in))
		for i := range in {
			ns[i] = in[i].n
			if in[i].op != nil {
				o.from = append(o.from, in[i].op)
			}
		}
		x.n, g.err = gorgonia.ApplyOp(o, ns...)
	}
	return x
}

// back says how the gradient by x becomes one by what x is computed from.
func (x node) back(f func(b *backward)) node {
	x.op.grad = f
	return x
}

// place lists a site whose rows have the given shape.
func (g *graph) place(local string, shape ...int) placed {
	p := placed{Site{Name: g.prefix + local, Shape: shape}, g.first + len(g.sites)}
	g.sites = append(g.sites, p.Site)
	return p
}

// hook offers x as a site whose rows have the given shape; [cols] if none is given.
func (g *graph) hook(local string, x node, shape ...int) node {
	if shape == nil {
		shape = []int{x.cols}
	}
	x.op.sites = append(x.op.sites, g.place(local, shape...))
	return x
}

// heads is a hook on values that are [heads, d_head].
func (g *graph) heads(local string, x node) node {
	return g.hook(local, x, x.cols/g.cfg.DHead, g.cfg.DHead)
}

// embed looks the ids up and multiplies by the embedding's scale, rounded to float32: [T, d_model].
func (g *graph) embed() node {
	d, table := g.cfg.DModel, g.m.embed
	x := g.op("embed", d, func(dst []float32, _ [][]float32) {
		for t, id := range g.run.ids {
			table.Row(dst[t*d:(t+1)*d], id)
		}
	}, g.tick)
	if g.cfg.EmbedScale == 1 {
		return x
	}
	scale := slices.Repeat([]float32{float32(g.cfg.EmbedScale)}, d)
	return g.op("embed.scale", d, func(dst []float32, in [][]float32) { kernels.Scale(dst, in[0], scale, nil) }, x)
}

// positions looks learned positions up in table [n_ctx, d_model]: [T, d_model].
func (g *graph) positions(table []float32) node {
	d := g.cfg.DModel
	return g.op("pos_embed", d, func(dst []float32, _ [][]float32) {
		for _, q := range g.run.seqs {
			n := copy(dst[:q.rows*d], table[q.start*d:])
			dst = dst[n:]
		}
	}, g.tick)
}

// add sums values of one shape.
func (g *graph) add(local string, xs ...node) node {
	return g.op(local, xs[0].cols, func(dst []float32, in [][]float32) { kernels.Add(dst, in...) }, xs...).back(backAdd)
}

func (g *graph) mul(local string, a, b node) node {
	return g.op(local, a.cols, func(dst []float32, in [][]float32) { kernels.Mul(dst, in[0], in[1]) }, a, b).back(backMul)
}

// norm normalizes, offers the result as a site, and applies gain and bias: [T, d_model].
func (g *graph) norm(local string, x node, w *norm) node {
	return g.normalize(local, x, w, x.cols)
}

// headNorm is a norm over the values of each head: [T, heads, d_head].
func (g *graph) headNorm(local string, x node, w *norm) node {
	return g.normalize(local, x, w, x.cols/g.cfg.DHead, g.cfg.DHead)
}

// normalize is a norm over the last dimension of rows of the given shape. What it divides by is a site, and so is the quotient.
func (g *graph) normalize(local string, x node, w *norm, shape ...int) node {
	d, eps := shape[len(shape)-1], g.cfg.NormEps
	kernel := kernels.LayerNorm
	if w.rms {
		kernel = kernels.RMSNorm
	}
	scale := g.place(local+".hook_scale", append(slices.Clone(shape[:len(shape)-1]), 1)...)
	n := g.opErr(local+".normalize", x.cols, func(dst []float32, in [][]float32) error {
		kernel(dst, in[0], d, eps)
		if !g.run.tapped(scale) {
			return nil
		}
		return g.run.rescale(scale, dst, in[0], d, eps, w.rms)
	}, x).back(backNorm(d, eps, w.rms))
	n = g.hook(local+".hook_normalized", n, shape...)
	return g.op(local+".scale", x.cols, func(dst []float32, in [][]float32) { kernels.Scale(dst, in[0], w.gain, w.bias) }, n).
		back(backScale(func() []float32 { return w.gain }))
}

func (g *graph) linear(local string, x node, w *linear) node {
	return g.op(local, w.out, func(dst []float32, in [][]float32) { kernels.MatMul(dst, in[0], w.w, w.b) }, x).back(backLinear(w))
}

func (g *graph) activate(local string, x node) node {
	f := activations[g.cfg.Activation]
	return g.op(local, x.cols, func(dst []float32, in [][]float32) { f(dst, in[0]) }, x).back(backActivation(g.cfg.Activation))
}

// rotate applies the rotary embedding to each head.
func (g *graph) rotate(local string, x node, r *rotary) node {
	at := slices.Index(g.rotary, r)
	if at < 0 {
		at = len(g.rotary)
		g.rotary = append(g.rotary, r)
		g.run.angles = append(g.run.angles, nil)
	}
	heads, d := x.cols/g.cfg.DHead, g.cfg.DHead
	return g.op(local, x.cols, func(dst []float32, in [][]float32) { r.Rotate(dst, in[0], g.run.angles[at], heads, d) }, x).back(backRotate(at, heads, d))
}

// attention stores the keys and values of layer l in the cache and attends to all of it, or to the layer's window: z, the values averaged
// with the pattern, [T, n_heads, d_head]. Scores and pattern are sites, [T, n_heads, S].
func (g *graph) attention(l int, q, k, v node) node {
	c := g.cfg
	h := kernels.Heads{Q: c.NHeads, KV: c.NKVHeads, Dim: c.DHead, Scale: c.scale(l), Cap: c.AttnCap, Window: c.window(l)}
	scores := g.place("attn.hook_attn_scores", c.NHeads, Positions)
	pattern := g.place("attn.hook_pattern", c.NHeads, Positions)
	scratch := &g.pattern
	attend := func(dst, q, k, v []float32, s *sequence) error {
		ks, vs := s.cache.put(keys, l, k), s.cache.put(values, l, v)
		if !s.tapped(scores) && !s.tapped(pattern) {
			h.Attend(dst, q, ks, vs, s.start)
			return nil
		}
		p := scratch.rows(s.rows * c.NHeads * (s.start + s.rows))
		h.Scores(p, q, ks, s.start)
		if err := g.run.tapSeq(s, scores, p); err != nil {
			return err
		}
		h.Softmax(p, s.rows, s.start)
		if err := g.run.tapSeq(s, pattern, p); err != nil {
			return err
		}
		h.Mix(dst, p, vs, s.start)
		return nil
	}
	z := g.opErr("attn.z", c.NHeads*c.DHead, func(dst []float32, in [][]float32) error {
		q, k, v := in[0], in[1], in[2]
		for i := range g.run.seqs {
			s := &g.run.seqs[i]
			nq, nkv := s.rows*c.NHeads*c.DHead, s.rows*c.NKVHeads*c.DHead
			if err := attend(dst[:nq], q[:nq], k[:nkv], v[:nkv], s); err != nil {
				return err
			}
			dst, q, k, v = dst[nq:], q[nq:], k[nkv:], v[nkv:]
		}
		return nil
	}, q, k, v).back(backAttention(h, scores, pattern))
	return g.heads("attn.hook_z", z)
}

// attnOut is z times the output matrix of attention, [T, d_model]. The part of each head is a site, [T, n_heads, d_model].
func (g *graph) attnOut(z node, w *linear) node {
	c := g.cfg
	result := g.place("attn.hook_result", c.NHeads, c.DModel)
	return g.opErr("attn.out", c.DModel, func(dst []float32, in [][]float32) error {
		kernels.MatMul(dst, in[0], w.w, w.b)
		if !g.run.tapped(result) {
			return nil
		}
		return g.run.results(result, dst, in[0], w.w, c.NHeads)
	}, z).back(backLinear(w))
}
