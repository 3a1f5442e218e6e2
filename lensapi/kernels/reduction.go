package kernels

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
)

// moments are the sums over one tile of a row: of e^(z-top) and of its product with z - top.
type moments struct {
	top      float32
	sum, dot float64
	cross    float64 // sum e^(m-top_m) (m - z), m the last row of the position
}

// reducedRow is a row while it is reduced.
type reducedRow struct {
	top   []Hit
	floor atomic.Uint32 // of top in float32 bits: a logit below is not among them; see part.reduce
	limit []float32     // logits of the tokens asked for
	above []int         // how many tokens rank before those
	total moments       // relative to the greatest logit
	lse   float64
}

// reduction is the readout of rows in the making.
type reduction struct {
	per, n, top, tiles int // rows of a position; tokens; candidates; tiles of tokens
	rows               []reducedRow
	kept               [][]float32 // by row: its logits, if they are kept
	asked              [][]int     // by position: the tokens to score

	mu sync.Mutex
	*lensMemory
}

// lensMemory is what a reduction needs much of. It is used again, because memory that is new to a process costs more than filling
// it.
type lensMemory struct {
	in, z []float32
	parts []moments // [rows, tiles]
}

var (
	lensPool = sync.Pool{New: func() any { return &lensMemory{} }}
	partPool = sync.Pool{New: func() any { return &part{} }}
)

// resize makes a slice n long; its values are what they happen to be.
func resize[T any](s *[]T, n int) []T {
	if cap(*s) < n {
		*s = make([]T, n)
	}
	*s = (*s)[:n]
	return *s
}

func newReduction(rows, per, n, top int) *reduction {
	tiles := (n + tileCols - 1) / tileCols
	m := lensPool.Get().(*lensMemory)
	resize(&m.parts, rows*tiles)
	r := &reduction{per: per, n: n, top: min(top, n), tiles: tiles, rows: make([]reducedRow, rows), kept: make([][]float32, rows),
		asked: make([][]int, rows/per), lensMemory: m}
	for i := range r.rows {
		r.rows[i].floor.Store(math.Float32bits(float32(math.Inf(-1))))
	}
	return r
}

// free gives the memory of a reduction back.
func (r *reduction) free() { lensPool.Put(r.lensMemory) }

// work estimates the reduction of rows for Parallel.
func (r *reduction) work(rows int) int {
	if active == portable {
		return rows * r.n * 32
	}
	return rows * r.n
}

// last is the last row of the position of a row.
func (r *reduction) last(row int) int { return row/r.per*r.per + r.per - 1 }

// part is what one call within Parallel has found of all rows.
type part struct {
	*reduction
	top   [][]Hit
	above [][]int
	mask  [tilePanels]uint16

	e      [tileCols]float64 // exponentials
	model  int               // the row and tile that mine holds, -1 at first
	tile   int
	mine   [tileCols]float64 // e^(m - top_m) of that last row
	logits []float32         // of a block of rows
}

func (r *reduction) part() *part {
	p := partPool.Get().(*part)
	p.reduction, p.model = r, -1
	// merge copies what is in them, so their memory serves again.
	for i, hits := range resize(&p.top, len(r.rows)) {
		p.top[i] = hits[:0]
	}
	for i, counts := range resize(&p.above, len(r.rows)) {
		p.above[i] = counts[:0]
	}
	return p
}

// reduce takes a tile of a row's logits in.
func (p *part) reduce(row, tile int, z []float32) {
	m := &p.parts[row*p.tiles+tile]
	m.top = greatest(z)
	m.sum, m.dot = expMoments(p.e[:len(z)], z, float64(m.top))
	top, floor := p.top[row], &p.rows[row].floor
	known := math.Float32frombits(floor.Load())
	limit := math.Nextafter32(known, float32(math.Inf(-1))) // of equal ones that with the lowest id counts, and another part may have it
	if len(top) == p.top0() {
		limit = max(limit, top[len(top)-1].Logit) // here tokens come in ascending order, so an equal one is behind
	}
	if !(m.top > limit) {
		return
	}
	for i, word := range p.compareTo(z, limit) {
		for ; word != 0; word &= word - 1 {
			j := i*panel + bits.TrailingZeros16(word)
			top = insert(top, Hit{tile*tileCols + j, z[j]}, p.top0())
		}
	}
	p.top[row] = top
	if len(top) == p.top0() && top[len(top)-1].Logit > known {
		floor.Store(math.Float32bits(top[len(top)-1].Logit)) // one that is lower than another part's costs time only
	}
}

// top0 is how many candidates are kept.
func (p *part) top0() int { return p.reduction.top }

// compareTo sets the bits of the logits that are greater than limit.
func (p *part) compareTo(z []float32, limit float32) []uint16 {
	mask := p.mask[:(len(z)+panel-1)/panel]
	n := vectorAbove(mask, z, limit)
	clear(mask[n/panel:])
	for i := n; i < len(z); i++ {
		if z[i] > limit {
			mask[i/panel] |= 1 << (i % panel)
		}
	}
	return mask
}

// compare compares a tile of a row with the last row of the position, whose logits are kept, and counts the tokens that rank before
// those asked for.
func (p *part) compare(row, tile int, z []float32) {
	if last := p.last(row); row != last {
		m := p.kept[last][tile*tileCols:][:len(z)]
		if p.model != last || p.tile != tile {
			expMoments(p.mine[:len(z)], m, float64(p.parts[last*p.tiles+tile].top))
			p.model, p.tile = last, tile
		}
		p.parts[row*p.tiles+tile].cross = crossMoment(p.mine[:len(z)], m, z)
	}
	if len(p.above[row]) == 0 {
		clear(resize(&p.above[row], len(p.asked[row/p.per])))
	}
	for i := range p.above[row] {
		for _, word := range p.compareTo(z, p.rows[row].limit[i]) {
			p.above[row][i] += bits.OnesCount16(word)
		}
	}
}

// merge adds what a part found, and ends it.
func (r *reduction) merge(p *part) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.rows {
		row := &r.rows[i]
		for _, h := range p.top[i] {
			row.top = insert(row.top, h, r.top)
		}
		if len(row.above) == 0 {
			row.above = make([]int, len(p.above[i]))
		}
		for j, n := range p.above[i] {
			row.above[j] += n
		}
	}
	p.reduction = nil
	partPool.Put(p)
}

// insert puts a hit where it belongs among the best k.
func insert(top []Hit, h Hit, k int) []Hit {
	before := func(a, b Hit) bool { return a.Logit > b.Logit || a.Logit == b.Logit && a.ID < b.ID }
	if len(top) < k {
		top = append(top, h)
	} else if !before(h, top[k-1]) {
		return top
	}
	i := len(top) - 1
	for ; i > 0 && before(h, top[i-1]); i-- {
		top[i] = top[i-1]
	}
	top[i] = h
	return top
}

// finish adds the tiles of some rows up, in ascending order.
func (r *reduction) finish(rows []int) error {
	for _, i := range rows {
		row := &r.rows[i]
		parts := r.parts[i*r.tiles : (i+1)*r.tiles]
		t := &row.total
		t.top = float32(math.Inf(-1))
		for _, p := range parts {
			t.top = max(t.top, p.top)
		}
		for _, p := range parts {
			d := float64(p.top) - float64(t.top)
			w := exp64(d)
			t.sum = math.FMA(w, p.sum, t.sum)
			t.dot = math.FMA(w, math.FMA(d, p.sum, p.dot), t.dot)
		}
		if math.IsNaN(t.dot) || math.IsInf(t.dot, 0) || math.IsInf(float64(t.top), 0) || len(row.top) == 0 {
			return &NotFiniteError{i / r.per, i % r.per}
		}
		row.lse = float64(t.top) + Log(t.sum)
	}
	return nil
}

// answer says which tokens are asked for, when the last rows are known, and their logits where those are kept.
func (r *reduction) answer(next []int) {
	for pos := range r.asked {
		r.asked[pos] = []int{r.rows[pos*r.per+r.per-1].top[0].ID}
		if next != nil && next[pos] >= 0 {
			r.asked[pos] = append(r.asked[pos], next[pos])
		}
		for i := pos * r.per; i < (pos+1)*r.per; i++ {
			if r.kept[i] == nil {
				continue
			}
			for _, id := range r.asked[pos] {
				r.rows[i].limit = append(r.rows[i].limit, r.kept[i][id])
			}
		}
	}
}

// compareKept compares kept rows.
func (r *reduction) compareKept(rows []int) {
	Parallel(len(rows)*r.tiles, r.work(len(rows))/4, func(lo, hi int) {
		p := r.part()
		for i := lo; i < hi; i++ {
			row, tile := rows[i%len(rows)], i/len(rows)
			at := tile * tileCols
			p.compare(row, tile, r.kept[row][at:min(at+tileCols, r.n)])
		}
		r.merge(p)
	})
}

// readouts are the results.
func (r *reduction) readouts() []Readout {
	out := make([]Readout, len(r.rows))
	for i := range out {
		row, last := &r.rows[i], &r.rows[r.last(i)]
		log := Log(row.total.sum)
		o := Readout{Top: row.top, LogPartition: row.lse, Entropy: max(0, log-row.total.dot/row.total.sum)}
		if row != last {
			var cross float64
			for t, p := range r.parts[i*r.tiles : (i+1)*r.tiles] {
				d := float64(r.parts[r.last(i)*r.tiles+t].top) - float64(last.total.top)
				cross = math.FMA(exp64(d), p.cross, cross)
			}
			o.KL = max(0, cross/last.total.sum-last.lse+row.lse) // rounding can leave -1e-15 where the rows agree
		}
		for j, logit := range row.limit {
			o.Scores = append(o.Scores, Score{logit, float64(logit) - row.lse, 1 + row.above[j]})
		}
		out[i] = o
	}
	return out
}

// expMoments writes e^(z - top) and returns its sum and that of its product with z - top.
func expMoments(e []float64, z []float32, top float64) (sum, dot float64) {
	var s, d [lanes64]float64
	for i := vectorMoments(&s, &d, e, z, top); i < len(z); i++ {
		x := float64(z[i]) - top
		e[i] = exp64(x)
		l := i % lanes64
		s[l] += e[i]
		d[l] = math.FMA(x, e[i], d[l])
	}
	return tree(s[:]), tree(d[:])
}

// crossMoment is the sum of e (a - b).
func crossMoment(e []float64, a, b []float32) float64 {
	var acc [lanes64]float64
	for i := vectorCross(&acc, e, a, b); i < len(a); i++ {
		acc[i%lanes64] = math.FMA(e[i], float64(a[i])-float64(b[i]), acc[i%lanes64])
	}
	return tree(acc[:])
}

// countAbove counts the values greater than limit.
func countAbove(z []float32, limit float32) int {
	var p part
	n := 0
	for ; len(z) > 0; z = z[min(tileCols, len(z)):] {
		for _, word := range p.compareTo(z[:min(tileCols, len(z))], limit) {
			n += bits.OnesCount16(word)
		}
	}
	return n
}
