package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// Normalized are rows [n, d_model] that stand where the unembedding reads: behind the final norm. Rows of the residual
// stream are plain slices, so the compiler keeps a row from being normalized twice or not at all.
type Normalized struct{ rows []float32 }

// Unnormalized takes rows of the residual stream [n, d_model] for normalized ones: the lens without a final norm.
func Unnormalized(rows []float32) Normalized { return Normalized{rows} }

// Data is [n, d_model].
func (y Normalized) Data() []float32 { return y.rows }

// Normalize applies the final norm with gain and bias to rows of the residual stream [n, d_model], with the bits of
// the Head. It panics when x is not whole rows.
func (m *Model) Normalize(x []float32) Normalized {
	y := make([]float32, len(x))
	if m.final.rms {
		kernels.RMSNorm(y, x, m.cfg.DModel, m.cfg.NormEps)
	} else {
		kernels.LayerNorm(y, x, m.cfg.DModel, m.cfg.NormEps)
	}
	kernels.Scale(y, y, m.final.gain, m.final.bias)
	return Normalized{y}
}

// NormalizeBy is Normalize with the scale (the root of variance or mean square, plus eps) of the row like [d_model] in
// place of each row's own; the mean that a LayerNorm takes away stays each row's own. With it the norm is linear in x.
func (m *Model) NormalizeBy(x, like []float32) Normalized {
	d, scale := m.cfg.DModel, m.FinalScale(like)
	y := make([]float32, len(x))
	for t := 0; t < len(x); t += d {
		mean := 0.0
		if !m.final.rms {
			mean = meanOf(x[t : t+d])
		}
		for i, v := range x[t : t+d] {
			y[t+i] = float32((float64(v) - mean) / scale)
		}
	}
	kernels.Scale(y, y, m.final.gain, m.final.bias)
	return Normalized{y}
}

// FinalScale is what the final norm divides the row x [d_model] by: TransformerLens's ln_final.hook_scale.
func (m *Model) FinalScale(x []float32) float64 {
	mean := 0.0
	if !m.final.rms {
		mean = meanOf(x)
	}
	var sq float64
	for _, v := range x {
		c := float64(v) - mean
		sq += float64(c * c)
	}
	return math.Sqrt(sq/float64(len(x)) + m.cfg.NormEps)
}

func meanOf(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v)
	}
	return sum / float64(len(x))
}

// UnembedTokens writes the logits of some tokens to dst [n, len(ids)], with the bits of the Head. An id outside
// the vocabulary panics.
func (m *Model) UnembedTokens(dst []float32, y Normalized, ids []int) {
	m.unembedding().Tokens(dst, y.rows, ids)
}

// UnembeddingRow is the unembedding of a token [d_model], less that of base unless base is -1, in float64. centred takes
// the mean over the vocabulary out first, as TransformerLens's center_unembed does; a difference of two has none. Ids
// outside the vocabulary panic.
func (m *Model) UnembeddingRow(id, base int, centred bool) []float64 {
	w := make([]float64, m.cfg.DModel)
	row := make([]float32, m.cfg.DModel)
	add := func(id int, factor float64) {
		m.unembed.Row(row, id)
		for i, v := range row {
			w[i] += float64(factor * float64(v))
		}
	}
	add(id, 1)
	switch {
	case base >= 0:
		add(base, -1)
	case centred:
		for j := range m.cfg.DVocab {
			add(j, -1/float64(m.cfg.DVocab))
		}
	}
	return w
}

// Direction is UnembeddingRow w seen through the final norm: for a row x that the norm divides by scale,
// w·norm(x) = u·x/scale + offset. The norm's gain is folded into u, its bias into offset, and the mean that a LayerNorm
// takes out of x is taken out of u instead.
func (m *Model) Direction(id, base int, centred bool) (u []float64, offset float64) {
	u = m.UnembeddingRow(id, base, centred)
	mean := 0.0
	for i, w := range u {
		if m.final.bias != nil {
			offset += float64(w * float64(m.final.bias[i]))
		}
		u[i] = w * float64(m.final.gain[i])
		mean += u[i] / float64(len(u))
	}
	if !m.final.rms {
		for i := range u {
			u[i] -= mean
		}
	}
	return u, offset
}

// HeadDigest is the hex SHA-256 of what turns a residual row into logits: little-endian float32 of the final norm's
// gain, its bias (none for RMSNorm) and the unembedding [d_vocab, d_model], after the line "rms" or "layer", eps and the
// soft cap. A translator fitted for one head is wrong for another.
func (m *Model) HeadDigest() string {
	h := sha256.New()
	kind := "layer"
	if m.final.rms {
		kind = "rms"
	}
	fmt.Fprintf(h, "%s %g %g\n", kind, m.cfg.NormEps, m.cfg.LogitCap)
	buf := make([]byte, 0, 4*m.cfg.DModel)
	write := func(x []float32) {
		buf = buf[:0]
		for _, v := range x {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		h.Write(buf)
	}
	write(m.final.gain)
	write(m.final.bias)
	row := make([]float32, m.cfg.DModel)
	for id := range m.cfg.DVocab {
		m.unembed.Row(row, id)
		write(row)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// FinalNorm is the gain [d_model] and bias [d_model] (nil for an RMSNorm) of the final norm, the caller's.
func (m *Model) FinalNorm() (gain, bias []float32, rms bool) {
	return slices.Clone(m.final.gain), slices.Clone(m.final.bias), m.final.rms
}
