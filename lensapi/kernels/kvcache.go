package kernels

// BlockLen is the positions of one block of Blocks.
const BlockLen = 64

// Blocks are the keys or the values of the positions from 0 on, in pieces of BlockLen positions that Heads.PutKeys or
// Heads.PutValues wrote. Sequences that begin alike can share pieces. Positions past S are not used.
//
// A piece is in panels, as the kernels read it: keys [KV, BlockLen/16, Dim, 16], the 16 being positions; values
// [KV, paddedDim/16, BlockLen, 16], the 16 being values of a head.
type Blocks [][]float32

// paddedDim is Dim in an even number of panels.
func (h Heads) paddedDim() int { return (h.Dim + 2*panel - 1) / (2 * panel) * (2 * panel) }

// BlockSizes are the lengths of a piece of keys and of one of values.
func (h Heads) BlockSizes() (keys, values int) {
	return h.KV * h.Dim * BlockLen, h.KV * h.paddedDim() * BlockLen
}

// PutKeys writes the keys [n, KV, Dim] of the n positions from pos on.
func (h Heads) PutKeys(b Blocks, pos int, rows []float32) {
	h.put(b, pos, rows, func(piece []float32, kv, i int, head []float32) {
		to := piece[(kv*BlockLen/panel+i/panel)*h.Dim*panel+i%panel:]
		for d, v := range head {
			to[d*panel] = v
		}
	})
}

// PutValues writes the values [n, KV, Dim] of the n positions from pos on.
func (h Heads) PutValues(b Blocks, pos int, rows []float32) {
	h.put(b, pos, rows, func(piece []float32, kv, i int, head []float32) {
		to := piece[kv*h.paddedDim()*BlockLen+i*panel:]
		for d := 0; d < h.Dim; d += panel {
			copy(to[d*BlockLen:], head[d:min(d+panel, h.Dim)])
		}
	})
}

// put calls f for each head of each position, i being its place in its piece. A position's values lie in as many cache lines, which
// come from memory; other positions find them in a cache.
func (h Heads) put(b Blocks, pos int, rows []float32, f func(piece []float32, kv, i int, head []float32)) {
	n := len(rows) / (h.KV * h.Dim)
	Parallel(h.KV, h.KV*h.Dim*(n+64), func(lo, hi int) {
		for kv := lo; kv < hi; kv++ {
			for t := range n {
				p := pos + t
				f(b[p/BlockLen], kv, p%BlockLen, rows[(t*h.KV+kv)*h.Dim:][:h.Dim])
			}
		}
	})
}

// CopyKeys copies the first n positions of a piece of keys, and reads no others.
func (h Heads) CopyKeys(dst, src []float32, n int) {
	for kv := range h.KV {
		for i := 0; i < n; i += panel {
			at := (kv*BlockLen + i) * h.Dim
			for d := range h.Dim {
				copy(dst[at+d*panel:], src[at+d*panel:at+d*panel+min(panel, n-i)])
			}
		}
	}
}

// CopyValues copies the first n positions of a piece of values, and reads no others.
func (h Heads) CopyValues(dst, src []float32, n int) {
	for at := 0; at < len(src); at += BlockLen * panel {
		copy(dst[at:], src[at:at+n*panel])
	}
}
