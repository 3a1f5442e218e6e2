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
	width    int // n_kv_heads * d_head
	length   int
	limit    int // n_ctx
}

// segment is the keys and values of kernels.BlockLen positions. Forks of a cache share segments: one cache owns each,
// and not even that one writes what a fork may read.
type segment struct {
	data   []float32 // [n_layers, 2, BlockLen, n_kv_heads, d_head]
	shared int       // positions that forks of the owner may read; the owner's to change
}

// keys and values are the second index of a segment's data.
const (
	keys = iota
	values
	kinds
)

// NewCache returns the cache of an empty sequence.
func (m *Model) NewCache() *Cache {
	c := m.cfg
	return &Cache{layers: c.NLayers, width: c.NKVHeads * c.DHead, limit: c.NCtx}
}

// CacheBytes is the memory that one position takes in a cache.
func (c Config) CacheBytes() int64 {
	return 4 * kinds * int64(c.NLayers) * int64(c.NKVHeads) * int64(c.DHead)
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
			for at := 0; at < len(s.data); at += kernels.BlockLen * c.width {
				copy(s.data[at:at+used*c.width], old.data[at:])
			}
			c.segments[i], c.own[i] = s, true
		}
	}
	for len(c.segments) < pieces(n) {
		c.segments, c.own = append(c.segments, c.segment()), append(c.own, true)
	}
}

func (c *Cache) segment() *segment {
	return &segment{data: make([]float32, c.layers*kinds*kernels.BlockLen*c.width)}
}

// put writes the keys or values of new positions behind those of layer l and returns all of that layer.
func (c *Cache) put(kind, l int, rows []float32) kernels.Blocks {
	size := kernels.BlockLen * c.width
	at := (l*kinds + kind) * size
	for p := c.length; len(rows) > 0; {
		i, used := p/kernels.BlockLen, p%kernels.BlockLen
		n := copy(c.segments[i].data[at+used*c.width:at+size], rows)
		rows, p = rows[n:], p+n/c.width
	}
	b := make(kernels.Blocks, len(c.segments))
	for i, s := range c.segments {
		b[i] = s.data[at : at+size : at+size]
	}
	return b
}
