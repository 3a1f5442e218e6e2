package model

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
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

// linear is y = x Wᵀ + b. Only out is known before the tensors are read.
type linear struct {
	out int
	w   *kernels.Matrix // [out, in]
	b   []float32       // [out], or nil
}

// binder collects which tensors an architecture wants and where they go, then compares that with the checkpoint
// and reads it. Nothing is allocated for a tensor before its shape in the file is the wanted one.
type binder struct {
	set            source
	pack           packer
	prefix         string // of the names of the base model: "transformer." or, in a checkpoint without the head, ""
	cfg            Config
	final          *norm
	embed, unembed string
	offset         float32 // added to the gain of each RMSNorm: 1 in Gemma, which stores its gains less 1
	layer          int     // of the wants to come
	wants          []want
	images         []string // how names begin of tensors that read images, which are left alone
	unread         int      // how many of those there are
}

type want struct {
	name   string
	shape  []int
	layer  int  // -1: of no layer
	vector bool // kept as float32
	use    func(v weights.Values)
}

// source is where tensors come from: a weights.Set, or random numbers.
type source interface {
	Names() []string
	Info(name string) (weights.Info, bool)
	Stored(name string) (weights.Values, error)
	Release(name string)
}

// base finds out whether names carry the usual prefix; checkpoints of the bare model do not.
func (b *binder) base(prefix, probe string) {
	b.prefix = prefix
	_, full := b.set.Info(prefix + probe)
	if _, bare := b.set.Info(probe); bare && !full {
		b.prefix = ""
	}
}

// layers gives the tensors of each layer the number of the layer, and yields it with the beginning of their names, name.number.
func (b *binder) layers(name string, n int) iter.Seq2[int, string] {
	return func(yield func(l int, prefix string) bool) {
		defer func() { b.layer = -1 }()
		for b.layer = 0; b.layer < n; b.layer++ {
			if !yield(b.layer, fmt.Sprintf("%s%s.%d.", b.prefix, name, b.layer)) {
				return
			}
		}
	}
}

func (b *binder) want(name string, use func(v weights.Values), shape ...int) {
	b.wants = append(b.wants, want{name: name, shape: shape, layer: b.layer, use: use})
}

// floats binds a tensor that is read as float32, row-major, whatever becomes of matrices.
func (b *binder) floats(name string, use func(data []float32), shape ...int) {
	b.want(name, func(v weights.Values) { use(widen(v)) }, shape...)
	b.wants[len(b.wants)-1].vector = true
}

// vector binds a tensor kept as it is.
func (b *binder) vector(dst *[]float32, name string, shape ...int) {
	b.floats(name, func(data []float32) { *dst = data }, shape...)
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
	b.floats(name+".weight", func(data []float32) {
		for i := range data {
			data[i] += b.offset
		}
		dst.gain = data
	}, d)
}

// matrix binds an embedding [out, in].
func (b *binder) matrix(dst **kernels.Matrix, name string, out, in int) {
	b.want(name, func(v weights.Values) { *dst = b.pack.rows(v, out, in) }, out, in)
}

// linear binds torch's Linear: weight [out, in], bias [out] where the config has one.
func (b *binder) linear(dst *linear, name string, in, out int, bias bool) {
	dst.out = out
	b.matrix(&dst.w, name+".weight", out, in)
	if bias {
		b.vector(&dst.b, name+".bias", out)
	}
}

// conv1D binds GPT-2's Conv1D, weight [in, out]: the outputs of dst side by side, out of them each.
func (b *binder) conv1D(dst []*linear, name string, in, out int) {
	n := len(dst)
	for _, d := range dst {
		d.out = out
	}
	b.want(name+".weight", func(v weights.Values) {
		for j, d := range dst {
			d.w = b.pack.columns(gather(v, in, func(i int) (lo, hi int) { return (i*n + j) * out, (i*n + j + 1) * out }), in, out)
		}
	}, in, n*out)
	b.floats(name+".bias", func(data []float32) {
		for j, d := range dst {
			d.b = data[j*out : (j+1)*out]
		}
	}, n*out)
}

// perHead binds a Linear whose outputs are, head by head, dHead rows for each of dst.
func (b *binder) perHead(dst []*linear, name string, in, heads, dHead int, bias bool) {
	n := len(dst)
	part := func(j, width int) func(h int) (lo, hi int) {
		return func(h int) (lo, hi int) { return (h*n + j) * dHead * width, (h*n + j + 1) * dHead * width }
	}
	for _, d := range dst {
		d.out = heads * dHead
	}
	b.want(name+".weight", func(v weights.Values) {
		for j, d := range dst {
			d.w = b.pack.rows(gather(v, heads, part(j, in)), heads*dHead, in)
		}
	}, n*heads*dHead, in)
	if bias {
		b.floats(name+".bias", func(data []float32) {
			for j, d := range dst {
				d.b = gatherOf(data, heads, part(j, 1))
			}
		}, n*heads*dHead)
	}
}

// stacked binds a Linear without bias whose outputs are those of dst one after the other.
func (b *binder) stacked(dst []*linear, name string, in int, outs ...int) {
	sum := 0
	for j, n := range outs {
		dst[j].out = n
		sum += n
	}
	b.want(name+".weight", func(v weights.Values) {
		at := 0
		for j, d := range dst {
			d.w = b.pack.rows(v.Slice(at, at+outs[j]*in), outs[j], in)
			at += outs[j] * in
		}
	}, sum, in)
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

// maxListed bounds an error that lists tensors: a config of another model fits none of hundreds.
const maxListed = 40

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
		switch {
		case slices.ContainsFunc(b.images, func(p string) bool { return strings.HasPrefix(n, p) }):
			b.unread++
		case !wanted[n] && !isBuffer(n):
			wrong = append(wrong, "unexpected "+n)
		}
	}
	if n := len(wrong); n > 0 {
		if n > maxListed {
			wrong = append(wrong[:maxListed:maxListed], fmt.Sprintf("and %d more", n-maxListed))
		}
		return fmt.Errorf("%d tensors do not fit config.json: %s", n, strings.Join(wrong, "; "))
	}
	return nil
}

// eager names the wants that are read when the model is loaded.
func (b *binder) eager(o Options) func(w want) bool {
	return func(w want) bool { return !o.Lazy || w.layer < 0 }
}

// read reads the wanted tensors that which names; they have been compared.
func (b *binder) read(which func(w want) bool) error {
	for _, w := range b.wants {
		if !which(w) {
			continue
		}
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

// finite looks for NaN and infinities in the wanted tensors that which names, before memory is taken for any of them.
func (b *binder) finite(which func(w want) bool) error {
	errs := make([]error, len(b.wants))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, w := range b.wants {
		if !which(w) {
			continue
		}
		group.Go(func() error {
			v, err := b.set.Stored(w.name)
			at := -1
			beyond := -1
			if err == nil {
				err = weights.Guard(func() error {
					if at = v.NotFinite(); at < 0 && !w.vector {
						beyond = b.pack.beyond(v)
					}
					return nil
				})
			}
			if at = max(at, beyond); err == nil && at >= 0 {
				x := make([]float32, 1)
				v.Slice(at, at+1).Widen(x)
				info, _ := b.set.Info(w.name)
				err = fmt.Errorf("%s: tensor %q: value %d is %v", info.File, w.name, at, x[0])
				if beyond >= 0 {
					err = fmt.Errorf("%w, beyond what %s holds", err, b.pack.to)
				}
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
func sameTensor(set source, a, b string) error {
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
