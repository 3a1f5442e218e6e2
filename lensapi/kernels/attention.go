package kernels

import (
	"math"
	"slices"
	"sync"
	"unsafe"
)

// Heads is the layout of an attention layer: Q query heads share KV key/value heads, Q/KV neighbours to each,
// all of Dim values.
//
// A score is a chain of float32 fused multiply-adds over Dim, scaled, and capped; a row of weights is softmax of the scores of the
// positions that its query sees; z is, for each of Dim values, a chain of fused multiply-adds over those positions in ascending
// order that begins at the first whose weight is not 0. None of it depends on the other queries of a call, so a sequence may be
// cut into calls anywhere.
type Heads struct {
	Q, KV, Dim int
	Scale      float64 // what q·k is multiplied by, rounded to float32; 0: 1/sqrt(Dim)
	Cap        float64 // a score s becomes Cap tanh(s/Cap); 0: it stays
	Window     int     // the positions attended to, the query's own and those just before it; 0: all
}

// Attend computes z [T, Q, Dim] of T queries q [T, Q, Dim] at positions start..start+T-1 over the keys and values of positions
// 0..S-1, S = start+T. It is Scores, Softmax and Mix, with the same bits, but keeps no scores.
func (h Heads) Attend(dst, q []float32, keys, values Blocks, start int) {
	rows := len(q) / (h.Q * h.Dim)
	s := start + rows
	group := h.Q / h.KV
	// A job is some rows that share a key head: queries of neighbouring positions and of the heads of the group.
	per := min(rows*group, 4*maxRows)
	jobs := (rows*group + per - 1) / per
	Parallel(h.KV*jobs, h.work(rows, s), func(lo, hi int) {
		w := h.newAttender(per, s)
		for i := lo; i < hi; i++ {
			kv, from := i/jobs, i%jobs*per
			w.attend(dst, q, keys, values, start, kv, from, min(from+per, rows*group))
		}
		attenderPool.Put(w)
	})
}

// work estimates multiply-adds for Parallel. Vectors are faster, but read keys and values, which other layers' have driven out of the caches.
func (h Heads) work(rows, s int) int {
	if active == portable {
		return 2 * rows * h.Q * s * h.Dim
	}
	return 2 * h.KV * s * h.Dim / 32 * (rows*h.Q/h.KV + 8)
}

// seen are the positions that the query at a position attends to: first..n-1.
func (h Heads) seen(position int) (first, n int) {
	if h.Window > 0 {
		first = max(0, position+1-h.Window)
	}
	return first, position + 1
}

func (h Heads) scale() float32 {
	if h.Scale != 0 {
		return float32(h.Scale)
	}
	return float32(1 / math.Sqrt(float64(h.Dim)))
}

// attender is the memory of one thread for some rows of one key head.
type attender struct {
	h      Heads
	group  int
	width  int       // columns of scores, a multiple of BlockLen
	q      []float32 // [rows, Dim]
	scores []float32 // [rows, width], of positions from the beginning of a block on
	z      []float32 // [rows, padded Dim]
	span   []span    // [rows]
}

// span are the positions lo..hi-1.
type span struct{ lo, hi int }

func (h Heads) newAttender(rows, s int) *attender {
	width := (s + BlockLen - 1) / BlockLen * BlockLen
	if h.Window > 0 { // the window of the first row to that of the last, cut at blocks
		width = min(width, (h.Window+rows+2*BlockLen-1)/BlockLen*BlockLen)
	}
	w := attenderPool.Get().(*attender)
	w.h, w.group, w.width = h, h.Q/h.KV, width
	resize(&w.q, rows*h.Dim)
	resize(&w.scores, rows*width)
	resize(&w.z, rows*h.paddedDim())
	resize(&w.span, rows)
	return w
}

// attenderPool keeps them: they are many, and new memory is slow.
var attenderPool = sync.Pool{New: func() any { return &attender{} }}

// attend computes rows from..to-1 of the key head: row r is head r%group of the group at position start + r/group.
func (w *attender) attend(dst, q []float32, keys, values Blocks, start, kv, from, to int) {
	h, n := w.h, to-from
	at := func(r int) int { return ((from+r)/w.group*h.Q + kv*w.group + (from+r)%w.group) * h.Dim }
	for r := range n {
		copy(w.q[r*h.Dim:(r+1)*h.Dim], q[at(r):])
		w.span[r].lo, w.span[r].hi = h.seen(start + (from+r)/w.group)
	}
	base := w.span[0].lo / BlockLen * BlockLen
	w.score(keys, kv, n, base)
	for r, s := range w.span[:n] {
		row := w.scores[r*w.width+s.lo-base : r*w.width+s.hi-base]
		softmax(row)
		w.span[r].lo += leadingZeros(row)
	}
	w.mix(values, kv, n, base)
	for r := range n {
		copy(dst[at(r):at(r)+h.Dim], w.z[r*h.paddedDim():])
	}
}

// score writes the scores of rows 0..n-1: column i is position base+i. What lies outside a row's span is left over.
func (w *attender) score(keys Blocks, kv, n, base int) {
	h := w.h
	for r0 := 0; r0 < n; {
		rows := min(tileRows(), n-r0)
		end := w.span[r0+rows-1].hi // positions ascend with rows
		for at := w.span[r0].lo / (2 * panel) * (2 * panel); at < end; at += 2 * panel {
			i := at % BlockLen / panel
			b := keys[at/BlockLen][(kv*BlockLen/panel+i)*h.Dim*panel:]
			tile(h.Dim, w.q[r0*h.Dim:], h.Dim, b, h.Dim*panel, 2, w.scores[r0*w.width+at-base:], w.width, rows, min(2*panel, end-at), false)
		}
		r0 += rows
	}
	for r, s := range w.span[:n] {
		row := w.scores[r*w.width+s.lo-base : r*w.width+s.hi-base]
		times(row, row, h.scale())
		if h.Cap > 0 {
			SoftCap(row, row, h.Cap)
		}
	}
}

// mix writes z of rows 0..n-1 from the weights where the scores were.
func (w *attender) mix(values Blocks, kv, n, base int) {
	clear(w.z[:n*w.h.paddedDim()])
	for r0 := 0; r0 < n; {
		rows := min(tileRows(), n-r0)
		all := span{0, math.MaxInt} // what all rows see
		for _, s := range w.span[r0 : r0+rows] {
			all = span{max(all.lo, s.lo), min(all.hi, s.hi)}
		}
		if all.lo >= all.hi {
			all = span{}
		}
		for r := r0; r < r0+rows; r++ { // each row's own positions before those
			end := all.lo
			if all.hi == 0 {
				end = w.span[r].hi
			}
			w.mixSpan(values, kv, r, 1, span{w.span[r].lo, end}, base)
		}
		w.mixSpan(values, kv, r0, rows, all, base)
		for r := r0; r < r0+rows && all.hi > 0; r++ {
			w.mixSpan(values, kv, r, 1, span{all.hi, w.span[r].hi}, base)
		}
		r0 += rows
	}
}

// mixSpan adds positions s to z of some rows.
func (w *attender) mixSpan(values Blocks, kv, r0, rows int, s span, base int) {
	dim := w.h.paddedDim()
	for at := s.lo; at < s.hi; {
		i := at % BlockLen
		k := min(BlockLen-i, s.hi-at)
		b := values[at/BlockLen][kv*dim*BlockLen+i*panel:]
		tile(k, w.scores[r0*w.width+at-base:], w.width, b, BlockLen*panel, dim/panel, w.z[r0*dim:], dim, rows, dim, true)
		at += k
	}
}

// leadingZeros counts the zeros at the beginning.
func leadingZeros(x []float32) int {
	i := slices.IndexFunc(x, func(v float32) bool { return v != 0 })
	if i < 0 {
		return len(x)
	}
	return i
}

// tileRows is the most rows of a tile.
func tileRows() int {
	if active == portable {
		return 1
	}
	return tilings(active, F32).rows
}

// tile computes a tile of rows by panels of float32 that lie bs apart, an even number of them: see tileFunc. It writes at least the
// first cols columns of each row.
func tile(k int, a []float32, lda int, b []float32, bs, panels int, c []float32, ldc, rows, cols int, acc bool) {
	if active == portable {
		portableTile(k, a, lda, b, bs, c, ldc, rows, cols, acc)
		return
	}
	_, _, _ = a[(rows-1)*lda+k-1], b[(panels-1)*bs+k*panel-1], c[(rows-1)*ldc+panels*panel-1]
	t := tilings(active, F32)
	for p := 0; p < panels; {
		n := t.panels[rows]
		if n > panels-p {
			n = 2
		}
		t.tile[rows][n](k, &a[0], lda, (*byte)(unsafe.Pointer(&b[p*bs])), 4*bs, &c[p*panel], ldc, nil, acc, 4*bs, 4*panel)
		p += n
	}
}

// portableTile is its twin in Go. It does not even read other columns, which another goroutine may be writing.
func portableTile(k int, a []float32, lda int, b []float32, bs int, c []float32, ldc, rows, cols int, acc bool) {
	for r := range rows {
		for at := 0; at < cols; at += panel {
			sum := c[r*ldc+at : r*ldc+min(at+panel, cols)]
			if !acc {
				clear(sum)
			}
			for i, x := range a[r*lda : r*lda+k] {
				w := b[at/panel*bs+i*panel:][:len(sum)]
				for j, v := range w {
					sum[j] = fma32(x, v, sum[j])
				}
			}
		}
	}
}

// Scores writes what softmax turns into attention weights: for T queries q [T, Q, Dim] at positions start..start+T-1 over the keys
// of positions 0..S-1, S = start+T, dst [T, Q, S] is the scaled and capped q·k, and -Inf where the key comes
// after the query or before its window.
func (h Heads) Scores(dst, q []float32, keys Blocks, start int) {
	h.each(len(q)/(h.Q*h.Dim), start, func(w *attender, r, kv, s int) {
		copy(w.q, q[r*h.Dim:(r+1)*h.Dim])
		base := w.span[0].lo / BlockLen * BlockLen
		w.score(keys, kv, 1, base)
		row := dst[r*s : (r+1)*s]
		for i := range row {
			row[i] = float32(math.Inf(-1))
		}
		copy(row[w.span[0].lo:], w.scores[w.span[0].lo-base:w.span[0].hi-base])
	})
}

// Softmax turns the scores [T, Q, S] of T = rows queries from position start on into attention weights, in place: each row over the
// positions that its query sees, and exactly 0 elsewhere.
func (h Heads) Softmax(x []float32, rows, start int) {
	h.each(rows, start, func(w *attender, r, _, s int) {
		row := x[r*s : (r+1)*s]
		clear(row[:w.span[0].lo])
		softmax(row[w.span[0].lo:w.span[0].hi])
		clear(row[w.span[0].hi:])
	})
}

// Mix writes the values averaged with the attention weights: pattern [T, Q, S] over the values of positions 0..S-1 to dst
// [T, Q, Dim], S = start+T. It reads a row of the pattern only up to the query's own position, so an
// edited pattern cannot look ahead.
func (h Heads) Mix(dst, pattern []float32, values Blocks, start int) {
	all := h
	all.Window = 0 // an edited pattern may reach behind the window
	all.each(len(dst)/(h.Q*h.Dim), start, func(w *attender, r, kv, s int) {
		n := w.span[0].hi
		copy(w.scores, pattern[r*s:r*s+n])
		w.span[0].lo = leadingZeros(w.scores[:n])
		w.mix(values, kv, 1, 0)
		copy(dst[r*h.Dim:(r+1)*h.Dim], w.z)
	})
}

// each calls f in parallel for every query and head, with an attender for one row whose span is set: r is its row of [T, Q], kv its
// key head, s the positions.
func (h Heads) each(rows, start int, f func(w *attender, r, kv, s int)) {
	s := start + rows
	Parallel(rows*h.Q, h.work(rows, s), func(lo, hi int) {
		w := h.newAttender(1, s)
		for r := lo; r < hi; r++ {
			w.span[0].lo, w.span[0].hi = h.seen(start + r/h.Q)
			f(w, r, r%h.Q/(h.Q/h.KV), s)
		}
		attenderPool.Put(w)
	})
}
