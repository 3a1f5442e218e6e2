package model

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
	"github.com/gopherlens/gopherlens/lensapi/weights"
)

// norm is the gain and bias of a LayerNorm, or the gain of an RMSNorm.
type norm struct {
	rms  bool
	gain []float32 // [d_model]
	bias []float32 // [d_model]; nil for RMSNorm
}

// linear is y = x Wᵀ + b.
type linear struct {
	w *kernels.Matrix // [out, in]
	b []float32       // [out], or nil
}

// binder collects which tensors an architecture wants and where they go, then compares that with the checkpoint
// and reads it. Nothing is allocated for a tensor before its shape in the file is the wanted one.
type binder struct {
	set    *weights.Set
	prefix string // of the names of the base model: "transformer." or, in a checkpoint without the head, ""
	final  *norm
	offset float32 // added to the gain of each RMSNorm: 1 in Gemma, which stores its gains less 1
	wants  []want
}

type want struct {
	name  string
	shape []int
	use   func(v weights.Values)
}

// base finds out whether names carry the usual prefix; checkpoints of the bare model do not.
func (b *binder) base(prefix, probe string) {
	b.prefix = prefix
	_, full := b.set.Info(prefix + probe)
	if _, bare := b.set.Info(probe); bare && !full {
		b.prefix = ""
	}
}

func (b *binder) want(name string, use func(v weights.Values), shape ...int) {
	b.wants = append(b.wants, want{name, shape, use})
}

// vector binds a tensor kept as float32, row-major.
func (b *binder) vector(dst *[]float32, name string, shape ...int) {
	b.want(name, func(v weights.Values) { *dst = widen(v) }, shape...)
}

func widen(v weights.Values) []float32 {
	data := make([]float32, v.Len())
	v.Widen(data)
	return data
}

func (b *binder) layerNorm(dst *norm, name string, d int) {
	b.vector(&dst.gain, name+".weight", d)
	b.vector(&dst.bias, name+".bias", d)
}

func (b *binder) rmsNorm(dst *norm, name string, d int) {
	dst.rms = true
	b.want(name+".weight", func(v weights.Values) {
		dst.gain = widen(v)
		for i := range dst.gain {
			dst.gain[i] += b.offset
		}
	}, d)
}

// matrix binds an embedding [out, in].
func (b *binder) matrix(dst **kernels.Matrix, name string, out, in int) {
	b.want(name, func(v weights.Values) { *dst = pack(v, out, in) }, out, in)
}

// linear binds torch's Linear: weight [out, in], bias [out] where the config has one.
func (b *binder) linear(dst *linear, name string, in, out int, bias bool) {
	b.matrix(&dst.w, name+".weight", out, in)
	if bias {
		b.vector(&dst.b, name+".bias", out)
	}
}

// conv1D binds GPT-2's Conv1D, weight [in, out]: the outputs of dst side by side, out of them each.
func (b *binder) conv1D(dst []*linear, name string, in, out int) {
	n := len(dst)
	b.want(name+".weight", func(v weights.Values) {
		for j, d := range dst {
			d.w = packTransposed(gather(v, in, func(i int) (lo, hi int) { return (i*n + j) * out, (i*n + j + 1) * out }), in, out)
		}
	}, in, n*out)
	b.want(name+".bias", func(v weights.Values) {
		for j, d := range dst {
			d.b = widen(v.Slice(j*out, (j+1)*out))
		}
	}, n*out)
}

// perHead binds a Linear whose outputs are, head by head, dHead rows for each of dst.
func (b *binder) perHead(dst []*linear, name string, in, heads, dHead int, bias bool) {
	n := len(dst)
	split := func(v weights.Values, j, width int) weights.Values {
		return gather(v, heads, func(h int) (lo, hi int) { return (h*n + j) * dHead * width, (h*n + j + 1) * dHead * width })
	}
	b.want(name+".weight", func(v weights.Values) {
		for j, d := range dst {
			d.w = pack(split(v, j, in), heads*dHead, in)
		}
	}, n*heads*dHead, in)
	if bias {
		b.want(name+".bias", func(v weights.Values) {
			for j, d := range dst {
				d.b = widen(split(v, j, 1))
			}
		}, n*heads*dHead)
	}
}

// stacked binds a Linear without bias whose outputs are those of dst one after the other.
func (b *binder) stacked(dst []*linear, name string, in int, outs ...int) {
	sum := 0
	for _, n := range outs {
		sum += n
	}
	b.want(name+".weight", func(v weights.Values) {
		at := 0
		for j, d := range dst {
			d.w = pack(v.Slice(at, at+outs[j]*in), outs[j], in)
			at += outs[j] * in
		}
	}, sum, in)
}

// pack packs the rows of w [out, in], as wide as they are stored.
func pack(v weights.Values, out, in int) *kernels.Matrix {
	switch {
	case v.F16 != nil:
		return kernels.PackBits(kernels.F16, v.F16, out, in)
	case v.BF16 != nil:
		return kernels.PackBits(kernels.BF16, v.BF16, out, in)
	}
	return kernels.Pack(v.F32, out, in)
}

// packTransposed packs the columns of w [in, out], as wide as they are stored.
func packTransposed(v weights.Values, in, out int) *kernels.Matrix {
	switch {
	case v.F16 != nil:
		return kernels.PackBitsTransposed(kernels.F16, v.F16, in, out)
	case v.BF16 != nil:
		return kernels.PackBitsTransposed(kernels.BF16, v.BF16, in, out)
	}
	return kernels.PackTransposed(v.F32, in, out)
}

// gather copies n parts of v, all of one length, into one after the other; all of v is not copied.
func gather(v weights.Values, n int, part func(i int) (lo, hi int)) weights.Values {
	if lo, hi := part(0); hi-lo == v.Len()/n {
		return v.Slice(lo, lo+v.Len())
	}
	return weights.Values{F32: gatherOf(v.F32, n, part), F16: gatherOf(v.F16, n, part), BF16: gatherOf(v.BF16, n, part)}
}

func gatherOf[T any](v []T, n int, part func(i int) (lo, hi int)) (out []T) {
	if v == nil {
		return nil
	}
	for i := range n {
		lo, hi := part(i)
		out = append(slices.Grow(out, n*(hi-lo)-len(out)), v[lo:hi]...)
	}
	return out
}

// compare demands that the checkpoint has the wanted tensors and, besides those named in also, no others.
func (b *binder) compare(also ...string) error {
	var wrong []string
	wanted := map[string]bool{}
	for _, n := range also {
		wanted[n] = true
	}
	for _, w := range b.wants {
		wanted[w.name] = true
		info, ok := b.set.Info(w.name)
		switch {
		case !ok:
			wrong = append(wrong, "missing "+w.name)
		case !slices.Equal(info.Shape, w.shape):
			wrong = append(wrong, fmt.Sprintf("%s has shape %v, want %v (%s)", w.name, info.Shape, w.shape, info.File))
		case !weights.Readable(info.DType):
			wrong = append(wrong, fmt.Sprintf("%s has dtype %s (supported: F32, F16, BF16, F64) (%s)", w.name, info.DType, info.File))
		}
	}
	for _, n := range b.set.Names() {
		if !wanted[n] && !isBuffer(n) {
			wrong = append(wrong, "unexpected "+n)
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d tensors do not fit config.json: %s", len(wrong), strings.Join(wrong, "; "))
	}
	return nil
}

// read reads the wanted tensors, which have been compared.
func (b *binder) read() error {
	for _, w := range b.wants {
		v, err := b.set.Stored(w.name)
		if err == nil {
			err = weights.Guard(func() error { w.use(v); return nil })
		}
		if err != nil {
			return fmt.Errorf("tensor %q: %w", w.name, err)
		}
		b.set.Release(w.name)
	}
	return nil
}

// finite looks for NaN and infinities in all wanted tensors, before memory is taken for any of them.
func (b *binder) finite() error {
	errs := make([]error, len(b.wants))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, w := range b.wants {
		group.Go(func() error {
			v, err := b.set.Stored(w.name)
			at := -1
			if err == nil {
				err = weights.Guard(func() error { at = v.NotFinite(); return nil })
			}
			if err == nil && at >= 0 {
				x := make([]float32, 1)
				v.Slice(at, at+1).Widen(x)
				info, _ := b.set.Info(w.name)
				err = fmt.Errorf("%s: tensor %q: value %d is %v", info.File, w.name, at, x[0])
			}
			errs[i] = err
			b.set.Release(w.name)
			return nil
		})
	}
	_ = group.Wait() // the first in the order of wants counts, not the first in time
	return cmp.Or(errs...)
}

// isBuffer recognises constants that older versions of Hugging Face's library saved beside the weights: causal
// masks and rotary frequencies.
func isBuffer(name string) bool {
	for _, s := range []string{".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias", "rotary_emb.inv_freq"} {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	return false
}

// sameTensor demands that a tied unembedding that was saved all the same equals the embedding.
func sameTensor(set *weights.Set, a, b string) error {
	x, err := set.Stored(a)
	y, err2 := set.Stored(b)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	same := x.Len() == y.Len()
	err = weights.Guard(func() error {
		const part = 1 << 14
		xs, ys := make([]float32, part), make([]float32, part)
		for at := 0; same && at < x.Len(); at += part {
			n := min(part, x.Len()-at)
			x.Slice(at, at+n).Widen(xs)
			y.Slice(at, at+n).Widen(ys)
			same = slices.Equal(xs[:n], ys[:n])
		}
		return nil
	})
	if err == nil && !same {
		info, _ := set.Info(b)
		err = fmt.Errorf("%s: tie_word_embeddings is true in config.json, but tensor %q differs from %q", info.File, b, a)
	}
	return err
}
