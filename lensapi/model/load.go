package model

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/x448/float16"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
	"github.com/gopherlens/gopherlens/lensapi/weights"
)

// Options chooses what Load leaves to defaults. The zero value is usual.
type Options struct {
	// Weights rounds all matrices to a narrower type, f16, bf16 or int8, which saves memory and time and makes every number an approximation; see
	// Model.Approximation. Empty keeps them as they are stored. A checkpoint of that type already is kept exactly. With int8, products
	// round their inputs too; see kernels.Matrix.Int8.
	Weights string

	// Lazy puts off each layer's tensors, and looking for NaN in them, until a run first needs them. The Set must stay open, and the
	// self-check of three tokens is left out.
	Lazy bool
}

// Memory is what a model takes, in bytes.
type Memory struct {
	Weights  int64 // everything that is loaded
	Position int64 // keys and values of one position of a sequence
}

// Estimate says what LoadWith would take. It reads the headers only and finds the same problems of config.json and of names, shapes and types
// of tensors.
func Estimate(config []byte, w *weights.Set, o Options) (Memory, error) {
	_, b, _, err := prepare(config, w, o)
	if err != nil {
		return Memory{}, err
	}
	return b.memory(), nil
}

// memory is that of all wants. Matrices are padded a little when they are packed, which does not count here.
func (b *binder) memory() Memory {
	m := Memory{Position: b.cfg.CacheBytes()}
	for _, w := range b.wants {
		n := int64(1)
		for _, d := range w.shape {
			n *= int64(d)
		}
		if info, ok := b.set.Info(w.name); ok && !w.vector {
			m.Weights += b.pack.bytes(n, info.DType)
		} else {
			m.Weights += 4 * n
		}
	}
	return m
}

// Size is the matrices that a position passes: the work and the reading of a run, but for attention.
type Size struct {
	Blocks, Head          int64 // numbers in them; a position takes a multiplication and an addition for each
	BlockBytes, HeadBytes int64 // the memory they are read from
}

// Size describes the model's matrices.
func (m *Model) Size() Size { return m.size }

// size adds up matrices; the embedding of an untied model is not multiplied with.
func (b *binder) size() (s Size) {
	head := b.unembed
	if b.cfg.Tied {
		head = b.embed
	}
	for _, w := range b.wants {
		info, ok := b.set.Info(w.name)
		if len(w.shape) != 2 || w.vector || !ok {
			continue
		}
		n := int64(w.shape[0]) * int64(w.shape[1])
		switch {
		case w.layer >= 0:
			s.Blocks, s.BlockBytes = s.Blocks+n, s.BlockBytes+b.pack.bytes(n, info.DType)
		case w.name == head:
			s.Head, s.HeadBytes = n, b.pack.bytes(n, info.DType)
		}
	}
	return s
}

// fits refuses a model that needs more memory than there is, if that is known: for its weights and a short prompt.
func (m Memory) fits(have int64, known bool) error {
	if need := m.Weights + m.Position*kernels.BlockLen; known && need > have {
		return fmt.Errorf("the model needs %s of memory, but %s are available: free some, or take a smaller model", gigabytes(need), gigabytes(have))
	}
	return nil
}

func gigabytes(n int64) string { return fmt.Sprintf("%.1f GB", float64(n)/1e9) }

// packer makes matrices of a checkpoint's tensors.
type packer struct {
	to string // f16, bf16, int8, or as stored
}

// newPacker refuses a type that there is not.
func newPacker(to string) (packer, error) {
	switch to {
	case "", "f16", "bf16", "int8":
		return packer{to: to}, nil
	}
	return packer{}, fmt.Errorf("weights %q are not supported (supported: f16, bf16, int8, or none to keep them as they are)", to)
}

// bytes is the memory of n packed numbers of a tensor of this type.
func (p packer) bytes(n int64, dtype string) int64 {
	switch {
	case p.to == "int8":
		return n * 17 / 16
	case p.to != "" || dtype == "F16" || dtype == "BF16":
		return 2 * n
	}
	return 4 * n
}

// rows packs the rows of v [out, in].
func (p packer) rows(v weights.Values, out, in int) (m *kernels.Matrix) {
	switch v = p.round(v); {
	case v.F16 != nil:
		m = kernels.PackBits(kernels.F16, v.F16, out, in)
	case v.BF16 != nil:
		m = kernels.PackBits(kernels.BF16, v.BF16, out, in)
	default:
		m = kernels.Pack(v.F32, out, in)
	}
	return p.shrink(m)
}

// columns packs the columns of v [in, out].
func (p packer) columns(v weights.Values, in, out int) (m *kernels.Matrix) {
	switch v = p.round(v); {
	case v.F16 != nil:
		m = kernels.PackBitsTransposed(kernels.F16, v.F16, in, out)
	case v.BF16 != nil:
		m = kernels.PackBitsTransposed(kernels.BF16, v.BF16, in, out)
	default:
		m = kernels.PackTransposed(v.F32, in, out)
	}
	return p.shrink(m)
}

func (p packer) shrink(m *kernels.Matrix) *kernels.Matrix {
	if p.to != "int8" {
		return m
	}
	defer m.Drop()
	return m.Int8()
}

// narrows says that v is to have another floating-point type.
func (p packer) narrows(v weights.Values) bool {
	return p.to == "f16" && v.F16 == nil || p.to == "bf16" && v.BF16 == nil
}

// round returns the numbers in the type asked for, rounded to nearest, ties to even.
func (p packer) round(v weights.Values) weights.Values {
	if !p.narrows(v) {
		return v
	}
	bits := make([]uint16, v.Len())
	const part = 1 << 12
	kernels.Parallel((len(bits)+part-1)/part, 4*len(bits), func(lo, hi int) {
		buf := make([]float32, part)
		for at := lo * part; at < min(hi*part, len(bits)); at += part {
			n := min(part, len(bits)-at)
			v.Slice(at, at+n).Widen(buf[:n])
			for i, x := range buf[:n] {
				if p.to == "f16" {
					bits[at+i] = float16.Fromfloat32(x).Bits()
				} else {
					bits[at+i] = toBF16(x)
				}
			}
		}
	})
	if p.to == "f16" {
		return weights.Values{F16: bits}
	}
	return weights.Values{BF16: bits}
}

// toBF16 rounds a finite number to nearest, ties to even.
func toBF16(x float32) uint16 {
	b := math.Float32bits(x)
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// rounds says whether some matrix is not of the type asked for.
func (b *binder) rounds() bool {
	return b.pack.to != "" && slices.ContainsFunc(b.wants, func(w want) bool {
		info, ok := b.set.Info(w.name)
		return ok && !w.vector && info.DType != strings.ToUpper(b.pack.to)
	})
}

// beyond is the index of the first number that rounding would make infinite, -1 when there is none.
func (p packer) beyond(v weights.Values) int {
	if !p.narrows(v) {
		return -1
	}
	least := 65520.0 // half-way to what would come after the greatest half float
	if p.to == "bf16" {
		least = 0x1.ffp127
	}
	buf := make([]float32, 1<<12)
	for at := 0; at < v.Len(); at += len(buf) {
		n := min(len(buf), v.Len()-at)
		v.Slice(at, at+n).Widen(buf[:n])
		for i, x := range buf[:n] {
			if math.Abs(float64(x)) >= least {
				return at + i
			}
		}
	}
	return -1
}

// Approximation says what makes the model's numbers differ from those of its checkpoint, such as "weights rounded to f16"; empty when nothing does.
// It belongs beside every number and into the key of everything stored.
func (m *Model) Approximation() string { return m.approximation }
