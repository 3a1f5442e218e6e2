package kernels

import "math"

// Heads is the layout of an attention layer: Q query heads share KV key/value heads, Q/KV neighbours to each,
// all of Dim values.
type Heads struct {
	Q, KV, Dim int
	Scale      float64 // what q·k is multiplied by; 0: 1/sqrt(Dim)
	Cap        float64 // a score s becomes Cap tanh(s/Cap); 0: it stays
	Window     int     // the positions attended to, the query's own and those just before it; 0: all
}

// Pattern writes the attention weights of T queries q [T, Q, Dim] at positions start..start+T-1 over keys
// [S, KV, Dim], S = start+T, of positions 0..S-1: dst [T, Q, S], each row the softmax of its scores, and exactly 0 where
// the key comes after the query or before its window.
func (h Heads) Pattern(dst, q, keys []float32, start int) {
	rows := len(q) / (h.Q * h.Dim)
	s := start + rows
	scale := h.Scale
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(h.Dim))
	}
	width := h.KV * h.Dim
	Parallel(rows*h.Q, rows*h.Q*s*h.Dim, func(lo, hi int) {
		scores := make([]float64, s)
		for r := lo; r < hi; r++ {
			t, head := r/h.Q, r%h.Q
			qr := q[r*h.Dim : (r+1)*h.Dim]
			kv := head / (h.Q / h.KV)
			n, first := start+t+1, 0
			if h.Window > 0 {
				first = max(0, n-h.Window)
			}
			seen := scores[first:n]
			dots(seen, qr, keys[first*width+kv*h.Dim:], width)
			for i := range seen {
				seen[i] = float64(seen[i] * scale) // rounded before softmax subtracts: see doc.go
				if h.Cap > 0 {
					seen[i] = float64(h.Cap * math.Tanh(seen[i]/h.Cap))
				}
			}
			clear(dst[r*s : r*s+first])
			softmax(dst[r*s+first:(r+1)*s], seen)
		}
	})
}

// dots computes q·k for len(out) keys that lie stride apart, four chains at a time.
func dots(out []float64, q, keys []float32, stride int) {
	d := len(q)
	j := 0
	for ; j+4 <= len(out); j += 4 {
		k0, k1 := keys[j*stride:][:d], keys[(j+1)*stride:][:d]
		k2, k3 := keys[(j+2)*stride:][:d], keys[(j+3)*stride:][:d]
		var s0, s1, s2, s3 float64
		for i, a := range q {
			v := float64(a)
			s0 += v * float64(k0[i])
			s1 += v * float64(k1[i])
			s2 += v * float64(k2[i])
			s3 += v * float64(k3[i])
		}
		out[j], out[j+1], out[j+2], out[j+3] = s0, s1, s2, s3
	}
	for ; j < len(out); j++ {
		k := keys[j*stride:][:d]
		var s float64
		for i, a := range q {
			s += float64(a) * float64(k[i])
		}
		out[j] = s
	}
}

// softmax writes exp(x - max) / sum and zeroes the rest of dst. It uses x as scratch.
func softmax(dst []float32, x []float64) {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, v)
	}
	var sum float64
	for i, v := range x {
		x[i] = math.Exp(v - top)
		sum += x[i]
	}
	for i, v := range x {
		dst[i] = float32(v / sum)
	}
	clear(dst[len(x):])
}

// Mix writes the values averaged with the attention weights: pattern [T, Q, S] over values [S, KV, Dim] to dst
// [T, Q, Dim], S = start+T. It reads the whole row of the pattern only up to the query's own position, so an
// edited pattern cannot look ahead.
func (h Heads) Mix(dst, pattern, values []float32, start int) {
	rows := len(dst) / (h.Q * h.Dim)
	s := start + rows
	width := h.KV * h.Dim
	Parallel(rows*h.Q, rows*h.Q*s*h.Dim, func(lo, hi int) {
		acc := make([]float64, h.Dim)
		for r := lo; r < hi; r++ {
			t, head := r/h.Q, r%h.Q
			kv := head / (h.Q / h.KV)
			clear(acc)
			for j, p := range pattern[r*s : r*s+start+t+1] {
				w := float64(p)
				v := values[j*width+kv*h.Dim:][:h.Dim]
				for i, x := range v {
					acc[i] += w * float64(x)
				}
			}
			for i, v := range acc {
				dst[r*h.Dim+i] = float32(v)
			}
		}
	})
}
