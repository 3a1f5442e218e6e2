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

// BlockLen is the positions of one block of Blocks.
const BlockLen = 64

// Blocks are the keys or values of the positions from 0 on, in pieces of BlockLen positions: each [BlockLen, KV, Dim]. Sequences that begin alike can
// share pieces. Values past S are not read.
type Blocks [][]float32

// Scores writes what softmax turns into attention weights: for T queries q [T, Q, Dim] at positions start..start+T-1 over the keys
// of positions 0..S-1, S = start+T, dst [T, Q, S] is the scaled and capped q·k, rounded to float32, and -Inf where the key comes
// after the query or before its window.
func (h Heads) Scores(dst, q []float32, keys Blocks, start int) {
	h.each(len(q)/(h.Q*h.Dim), start, func(r, kv, first, n, s int) {
		row := dst[r*s : (r+1)*s]
		h.score(row, q[r*h.Dim:(r+1)*h.Dim], keys, kv, first, n)
		inf := float32(math.Inf(-1))
		for i := range first {
			row[i] = inf
		}
		for i := n; i < s; i++ {
			row[i] = inf
		}
	})
}

// Softmax turns the scores [T, Q, S] of T = rows queries from position start on into attention weights, in place: each row over the positions that its query sees, and exactly 0
// elsewhere.
func (h Heads) Softmax(x []float32, rows, start int) {
	h.each(rows, start, func(r, _, first, n, s int) {
		row := x[r*s : (r+1)*s]
		clear(row[:first])
		softmax(row[first:n])
		clear(row[n:])
	})
}

// Pattern is Scores and then Softmax.
func (h Heads) Pattern(dst, q []float32, keys Blocks, start int) {
	h.Scores(dst, q, keys, start)
	h.Softmax(dst, len(q)/(h.Q*h.Dim), start)
}

// each calls f in parallel for every query and head: r is its row of [T, Q], kv its key head; it sees positions first..n-1 of s.
func (h Heads) each(rows, start int, f func(r, kv, first, n, s int)) {
	s := start + rows
	Parallel(rows*h.Q, rows*h.Q*s*h.Dim, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			n, first := start+r/h.Q+1, 0
			if h.Window > 0 {
				first = max(0, n-h.Window)
			}
			f(r, r%h.Q/(h.Q/h.KV), first, n, s)
		}
	})
}

// score writes dst[first:n].
func (h Heads) score(dst, q []float32, keys Blocks, kv, first, n int) {
	scale, width := h.Scale, h.KV*h.Dim
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(h.Dim))
	}
	var buf [BlockLen]float64
	for at := first; at < n; {
		i := at % BlockLen
		dots := buf[:min(BlockLen-i, n-at)]
		dot(dots, q, keys[at/BlockLen][i*width+kv*h.Dim:], width)
		for j, v := range dots {
			dst[at+j] = float32(v * scale)
		}
		at += len(dots)
	}
	if h.Cap > 0 {
		SoftCap(dst[first:n], dst[first:n], h.Cap)
	}
}

// dot computes q·k for len(out) keys that lie stride apart, four chains at a time.
func dot(out []float64, q, keys []float32, stride int) {
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

// Mix writes the values averaged with the attention weights: pattern [T, Q, S] over the values of positions 0..S-1 to dst
// [T, Q, Dim], S = start+T. It reads a row of the pattern only up to the query's own position, so an
// edited pattern cannot look ahead.
func (h Heads) Mix(dst, pattern []float32, values Blocks, start int) {
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
				v := values[j/BlockLen][j%BlockLen*width+kv*h.Dim:][:h.Dim]
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
