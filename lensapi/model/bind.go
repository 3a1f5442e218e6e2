package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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
	use   func(data []float32)
}

// base finds out whether names carry the usual prefix; checkpoints of the bare model do not.
func (b *binder) base(prefix, probe string) {
	b.prefix = prefix
	_, full := b.set.Info(prefix + probe)
	if _, bare := b.set.Info(probe); bare && !full {
		b.prefix = ""
	}
}

func (b *binder) want(name string, use func(data []float32), shape ...int) {
	b.wants = append(b.wants, want{name, shape, use})
}

// vector binds a tensor kept as it is.
func (b *binder) vector(dst *[]float32, name string, shape ...int) {
	b.want(name, func(data []float32) { *dst = data }, shape...)
}

func (b *binder) layerNorm(dst *norm, name string, d int) {
	b.vector(&dst.gain, name+".weight", d)
	b.vector(&dst.bias, name+".bias", d)
}

func (b *binder) rmsNorm(dst *norm, name string, d int) {
	dst.rms = true
	b.want(name+".weight", func(data []float32) {
		for i := range data {
			data[i] += b.offset
		}
		dst.gain = data
	}, d)
}

// matrix binds an embedding [out, in].
func (b *binder) matrix(dst **kernels.Matrix, name string, out, in int) {
	b.want(name, func(data []float32) { *dst = kernels.Pack(data, out, in) }, out, in)
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
	b.want(name+".weight", func(data []float32) {
		part := make([]float32, in*out)
		for j, d := range dst {
			for i := range in {
				copy(part[i*out:(i+1)*out], data[(i*n+j)*out:])
			}
			d.w = kernels.PackTransposed(part, in, out)
		}
	}, in, n*out)
	b.want(name+".bias", func(data []float32) {
		for j, d := range dst {
			d.b = data[j*out : (j+1)*out]
		}
	}, n*out)
}

// perHead binds a Linear whose outputs are, head by head, dHead rows for each of dst.
func (b *binder) perHead(dst []*linear, name string, in, heads, dHead int, bias bool) {
	n := len(dst)
	split := func(data []float32, j, width int) []float32 {
		part := make([]float32, 0, heads*dHead*width)
		for h := range heads {
			at := (h*n + j) * dHead * width
			part = append(part, data[at:at+dHead*width]...)
		}
		return part
	}
	b.want(name+".weight", func(data []float32) {
		for j, d := range dst {
			d.w = kernels.Pack(split(data, j, in), heads*dHead, in)
		}
	}, n*heads*dHead, in)
	if bias {
		b.want(name+".bias", func(data []float32) {
			for j, d := range dst {
				d.b = split(data, j, 1)
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
	b.want(name+".weight", func(data []float32) {
		at := 0
		for j, d := range dst {
			d.w = kernels.Pack(data[at:at+outs[j]*in], outs[j], in)
			at += outs[j] * in
		}
	}, sum, in)
}

// read compares the wanted tensors with the checkpoint, ignoring those named in also, and reads them.
func (b *binder) read(also ...string) error {
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
			wrong = append(wrong, fmt.Sprintf("%s has shape %v, want %v", w.name, info.Shape, w.shape))
		case !weights.Readable(info.DType):
			wrong = append(wrong, fmt.Sprintf("%s has dtype %s (supported: F32, F16, BF16, F64)", w.name, info.DType))
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
	for _, w := range b.wants {
		data, err := b.set.Float32(w.name)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(data, notFinite); i >= 0 {
			return fmt.Errorf("tensor %q: value %d is %v", w.name, i, data[i])
		}
		w.use(data)
	}
	return nil
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
	x, err := set.Float32(a)
	y, err2 := set.Float32(b)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	if !slices.Equal(x, y) {
		return fmt.Errorf("config.json: tie_word_embeddings is true, but %s differs from %s", b, a)
	}
	return nil
}
