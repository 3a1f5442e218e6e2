package kernels

import (
	"runtime"
	"sync"
	"unsafe"
)

const (
	// blockK is the inputs after which a tile's sums are set aside, so that the weights and inputs of a block stay in
	// caches while they are used. It changes no result: a float32 is stored exactly.
	blockK = 1024
	// blockA is how many inputs, of a block of rows, are multiplied with all weights before the next block of rows: they
	// stay in a last-level cache.
	blockA = 512 << 10
)

// tileFunc computes a tile of a few rows by a few panels: for row r of the tile and column j,
//
//	c[r*ldc+j] = (acc ? c[r*ldc+j] : 0) + Σ a[r*lda+i] b[j/16][i][j%16] (+ bias[j])
//
// over i = 0..k-1 in ascending order, each step one fused multiply-add. Panels lie bs bytes apart; bias may be nil. Meanwhile it may ask
// for the memory from ahead bytes after b on, pace bytes a step, which need not exist.
type tileFunc func(k int, a *float32, lda int, b *byte, bs int, c *float32, ldc int, bias *float32, acc bool, ahead, pace int)

const maxRows = 14

// tiling is the tiles of one level and format.
type tiling struct {
	rows   int                      // the most of a tile
	panels [maxRows + 1]int         // by rows: the most of a tile
	tile   [maxRows + 1][9]tileFunc // by rows and panels
}

// product is one call of MatMul. A tile's k counts steps: inputs, or groups of them.
type product struct {
	dst, x  []float32
	w       *Matrix
	bias    []float32
	steps   int // of a row
	inputs  int // float32 of x in a step
	stride  int // float32 of x from row to row
	weights int // bytes of a panel in a step
}

// MatMul computes dst = x Wᵀ + bias for x [T, K] and dst [T, N]; bias [N] may be nil. An output is a chain of float32
// fused multiply-adds over K, ascending from 0; the bias is added last, with a rounding of its own. A matrix of format Int8
// rounds x too; see Matrix.Int8.
func MatMul(dst, x []float32, w *Matrix, bias []float32) {
	if w.k == 0 || w.n == 0 || len(x) < w.k {
		return
	}
	rows := len(x) / w.k
	m, free := productOf(dst[:rows*w.n], x[:rows*w.k], w, bias)
	defer free()
	switch {
	case active != portable:
		m.tiled(rows, tilings(active, w.format))
	case w.format == Int8:
		m.portableInt8(rows)
	default:
		m.portable(rows)
	}
	runtime.KeepAlive(w)
}

// productOf arranges a product. free gives its memory back.
func productOf(dst, x []float32, w *Matrix, bias []float32) (m product, free func()) {
	if w.format == Int8 {
		q := int8Pool.Get().(*int8Rows)
		q.set(x, w.k)
		return product{dst, q.words, w, bias, groups(w.k), groupRow, groups(w.k) * groupRow, groupWeights}, func() { int8Pool.Put(q) }
	}
	m = product{dst, x, w, bias, w.k, 1, w.k, panel * w.format.width()}
	if active == portable || w.k%crowded != 0 || len(x) <= 4*w.k {
		return m, func() {}
	}
	apart := rowPool.Get().(*[]float32)
	m.spread(apart)
	return m, func() { rowPool.Put(apart) }
}

const (
	// crowded is the float32 of a stride, and of all its multiples, at which the rows of a tile share so few sets of a first-level cache that they drive
	// one another out of it.
	crowded = 512
	// apartBy is added to such a stride: a cache line.
	apartBy = 16
)

var rowPool = sync.Pool{New: func() any { return new([]float32) }}

// spread copies x to rows that are farther apart.
func (m *product) spread(to *[]float32) {
	from, k := m.x, m.stride
	m.stride += apartBy
	m.x = resize(to, len(from)/k*m.stride)
	Parallel(len(from)/k, len(from)/4, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			copy(m.x[r*m.stride:], from[r*k:(r+1)*k])
		}
	})
}

// columns computes rows r0 to r1-1 of the panels p0 to p1-1, an even number of them, to c [r1-r0, (p1-p0)*16]; outputs past N are 0.
func (m *product) columns(c []float32, r0, r1, p0, p1 int) {
	size := m.steps * m.weights
	w := &Matrix{n: (p1 - p0) * panel, k: m.w.k, format: m.w.format, data: m.w.data[p0*size : p1*size]}
	part := product{c[:(r1-r0)*w.n], m.x[r0*m.stride : r1*m.stride], w, nil, m.steps, m.inputs, m.stride, m.weights}
	switch {
	case active != portable:
		part.strip(tilings(active, w.format), 0, r1-r0, 0, p1-p0)
	case w.format == Int8:
		part.portableInt8(r1 - r0)
	default:
		part.portable(r1 - r0)
	}
}

// tiled computes strips: a block of rows by a few panels each.
func (m *product) tiled(rows int, t *tiling) {
	panels := m.w.panels()
	step := max(1, blockA/(m.steps*m.inputs)/t.rows) * t.rows
	unit := 2
	if most := t.panels[min(rows, t.rows)]; panels >= most*runtime.GOMAXPROCS(0) {
		unit = max(unit, most)
	}
	strips := (panels + unit - 1) / unit
	// A vector kernel does some hundred multiply-adds in the time of one, but reads a weight in that of seven.
	work := m.w.n * m.w.k / 64 * (rows + 8)
	Parallel(strips*((rows+step-1)/step), work, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			r0, p0 := i/strips*step, i%strips*unit
			m.strip(t, r0, min(r0+step, rows), p0, min(p0+unit, panels))
		}
	})
}

// strip computes rows r0 to r1-1 of panels p0 to p1-1.
func (m *product) strip(t *tiling, r0, r1, p0, p1 int) {
	tiles := (r1 - r0 + t.rows - 1) / t.rows
	most := t.panels[(r1-r0+tiles-1)/tiles] // the tiles have nearly the same number of rows
	for p := p0; p < p1 && p*panel < m.w.n; {
		n := most
		if p+n > p1 {
			n = min(n, 2)
		}
		if (p+n)*panel <= m.w.n {
			var bias []float32
			if m.bias != nil {
				bias = m.bias[p*panel:]
			}
			m.column(t, m.dst[r0*m.w.n+p*panel:], m.w.n, bias, r0, r1, p, n)
		} else {
			m.edge(t, r0, r1, p, n)
		}
		p += n
	}
}

// edge is column where the panels are wider than the output.
func (m *product) edge(t *tiling, r0, r1, p, n int) {
	c := make([]float32, (r1-r0)*n*panel)
	cols := m.w.n - p*panel
	var bias []float32
	if m.bias != nil {
		bias = make([]float32, n*panel)
		copy(bias, m.bias[p*panel:])
	}
	m.column(t, c, n*panel, bias, r0, r1, p, n)
	for r := r0; r < r1; r++ {
		copy(m.dst[r*m.w.n+p*panel:][:cols], c[(r-r0)*n*panel:])
	}
}

// column computes rows r0 to r1-1 of n panels from p, one block of inputs after the other, into rows of c that are ldc apart.
func (m *product) column(t *tiling, c []float32, ldc int, bias []float32, r0, r1, p, n int) {
	tiles := (r1 - r0 + t.rows - 1) / t.rows
	block := m.steps
	if tiles > 1 && m.w.format != Int8 {
		block = blockK
	}
	for k0 := 0; k0 < m.steps; k0 += block {
		k1 := min(k0+block, m.steps)
		var last *float32
		if k1 == m.steps {
			last = unsafe.SliceData(bias)
		}
		b := &m.w.data[(p*m.steps+k0)*m.weights]
		// The tiles of a block share it, and each asks for a part of the block that follows, which it would otherwise wait for.
		size := (k1 - k0) * m.weights
		pace := (size/tiles + k1 - k0 - 1) / (k1 - k0)
		for i := range tiles {
			a0, a1 := i*(r1-r0)/tiles, (i+1)*(r1-r0)/tiles
			t.tile[a1-a0][n](k1-k0, &m.x[(r0+a0)*m.stride+k0*m.inputs], m.stride, b, m.steps*m.weights, &c[a0*ldc], ldc, last, k0 > 0, size+i*size/tiles, pace)
		}
	}
}
