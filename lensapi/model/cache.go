package model

import (
	"slices"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// Cache holds the keys and values of one sequence, as the attention of each layer reads them (keys rotated). It
// grows with the sequence, by kernels.BlockLen positions at a time, and never past the context. One goroutine at a time.
type Cache struct {
	segments []*segment
	own      []bool // by segment: this cache may write to it
	layers   int
	heads    kernels.Heads
	length   int
	limit    int // n_ctx
}

// segment is the keys and values of kernels.BlockLen positions. Forks of a cache share segments: one cache owns each,
// and not even that one writes what a fork may read.
type segment struct {
	data   []float32 // by layer, from the layer first on: a piece of keys, then one of values; see kernels.Blocks
	first  int
	shared int // positions that forks of the owner may read; the owner's to change
}

// keys and values are the kinds of pieces in a segment.
const (
	keys = iota
	values
)

// NewCache returns the cache of an empty sequence.
func (m *Model) NewCache() *Cache {
	c := m.cfg
	return &Cache{layers: c.NLayers, heads: kernels.Heads{KV: c.NKVHeads, Dim: c.DHead}, limit: c.NCtx}
}

// CacheBytes is the memory that one position takes in a cache.
func (c Config) CacheBytes() int64 {
	k, v := kernels.Heads{KV: c.NKVHeads, Dim: c.DHead}.BlockSizes()
	return 4 * int64(c.NLayers) * int64(k+v) / kernels.BlockLen
}

// Len is the number of positions held.
func (c *Cache) Len() int { return c.length }

// Truncate forgets the positions from n on; n is at most Len.
func (c *Cache) Truncate(n int) {
	c.length = max(0, min(n, c.length))
	c.segments = c.segments[:pieces(c.length)]
	c.own = c.own[:len(c.segments)]
}

// Fork returns a cache of the same positions that shares them with c. Nothing is copied now; the fork copies what is in
// the last, partly filled block when it grows. Both may then be used by different goroutines.
func (c *Cache) Fork() *Cache {
	f := *c
	f.segments = slices.Clone(c.segments[:pieces(c.length)])
	f.own = make([]bool, len(f.segments))
	for i, s := range f.segments {
		if c.own[i] {
			s.shared = max(s.shared, min(c.length-i*kernels.BlockLen, kernels.BlockLen))
		}
	}
	return &f
}

// Branch is a fork of the first n positions for runs that enter at a layer: it knows nothing of the layers below, and has room for more positions. Its own memory
// is taken from spare as far as that goes; what is left of spare is returned with it. Nothing may go on with a branch but runs from the layer on, in a program of
// NewLayers; Recycle gives its memory back when they are over.
func (c *Cache) Branch(n, more, layer int, spare Spare) (*Cache, Spare) {
	f := *c
	f.length = n
	whole, used := n/kernels.BlockLen, n%kernels.BlockLen
	f.segments, f.own = slices.Clone(c.segments[:whole]), make([]bool, whole, pieces(n+more))
	for i, s := range f.segments {
		if c.own[i] {
			s.shared = kernels.BlockLen
		}
	}
	for len(f.segments) < pieces(n+more) {
		var s *segment
		if s, spare = spare.take(&f, layer); used > 0 {
			old := c.segments[whole]
			for l := layer; l < c.layers; l++ {
				c.heads.CopyKeys(c.piece(s, keys, l), c.piece(old, keys, l), used)
				c.heads.CopyValues(c.piece(s, values, l), c.piece(old, values, l), used)
			}
			used = 0
		}
		f.segments, f.own = append(f.segments, s), append(f.own, true)
	}
	return &f, spare
}

// BranchBytes is the memory of its own that a branch takes.
func (c Config) BranchBytes(n, more, layer int) int64 {
	k, v := kernels.Heads{KV: c.NKVHeads, Dim: c.DHead}.BlockSizes()
	return 4 * int64(k+v) * int64(c.NLayers-layer) * int64(pieces(n+more)-n/kernels.BlockLen)
}

// Spare is memory that branches had.
type Spare [][]float32

// take is a segment for the layers from layer on.
func (spare Spare) take(c *Cache, layer int) (*segment, Spare) {
	k, v := c.heads.BlockSizes()
	n := (c.layers - layer) * (k + v)
	if last := len(spare) - 1; last >= 0 && cap(spare[last]) >= n {
		return &segment{data: spare[last][:n], first: layer}, spare[:last]
	}
	return &segment{data: make([]float32, n), first: layer}, spare
}

// Recycle adds the own memory of a branch, which must not be used any more, to spare.
func (c *Cache) Recycle(spare Spare) Spare {
	for i, s := range c.segments {
		if c.own[i] {
			spare = append(spare, s.data)
		}
	}
	return spare
}

// Bytes is the memory of all positions of the caches, those they share counted once.
func Bytes(caches ...*Cache) int64 {
	seen := map[*segment]bool{}
	var n int64
	for _, c := range caches {
		for _, s := range c.segments {
			if !seen[s] {
				n += 4 * int64(len(s.data))
			}
			seen[s] = true
		}
	}
	return n
}

// pieces is how many segments n positions take.
func pieces(n int) int { return (n + kernels.BlockLen - 1) / kernels.BlockLen }

// reserve makes room for the positions from Len to n, in segments that this cache may write.
func (c *Cache) reserve(n int) {
	if i, used := c.length/kernels.BlockLen, c.length%kernels.BlockLen; used > 0 {
		if old := c.segments[i]; !c.own[i] || old.shared > used {
			s := c.segment()
			for l := range c.layers {
				c.heads.CopyKeys(c.piece(s, keys, l), c.piece(old, keys, l), used)
				c.heads.CopyValues(c.piece(s, values, l), c.piece(old, values, l), used)
			}
			c.segments[i], c.own[i] = s, true
		}
	}
	for len(c.segments) < pieces(n) {
		c.segments, c.own = append(c.segments, c.segment()), append(c.own, true)
	}
}

func (c *Cache) segment() *segment {
	k, v := c.heads.BlockSizes()
	return &segment{data: make([]float32, c.layers*(k+v))}
}

// piece is the keys or the values of layer l in a segment.
func (c *Cache) piece(s *segment, kind, l int) []float32 {
	k, v := c.heads.BlockSizes()
	at := (l - s.first) * (k + v)
	if kind == values {
		return s.data[at+k : at+k+v : at+k+v]
	}
	return s.data[at : at+k : at+k]
}

// put writes the keys or values of new positions behind those of layer l and returns all of that layer.
func (c *Cache) put(kind, l int, rows []float32) kernels.Blocks {
	b := make(kernels.Blocks, len(c.segments))
	for i, s := range c.segments {
		b[i] = c.piece(s, kind, l)
	}
	if kind == keys {
		c.heads.PutKeys(b, c.length, rows)
	} else {
		c.heads.PutValues(b, c.length, rows)
	}
	return b
}
