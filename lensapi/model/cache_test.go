package model

import (
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// kinds is how many kinds of pieces there are.
const kinds = 2

// feed appends n positions whose keys and values say what they are.
func feed(c *Cache, mark float32, n int) {
	c.reserve(c.length + n)
	for l := range c.layers {
		for kind := range kinds {
			rows := make([]float32, n*c.heads.KV*c.heads.Dim)
			for i := range rows {
				rows[i] = mark + float32(c.length+i/(c.heads.KV*c.heads.Dim)) + float32(l*kinds+kind)/8
			}
			c.put(kind, l, rows)
		}
	}
	c.length += n
}

// TestCacheForks: a fork and what it came from never see each other's later positions, wherever the fork, the cut and the blocks' ends are,
// and whole blocks are not copied.
func TestCacheForks(t *testing.T) {
	heads := kernels.Heads{KV: 1, Dim: 2}
	ks, vs := heads.BlockSizes()
	// where value 1 of a position is in a piece of each kind
	at := [kinds]func(i int) int{func(i int) int { return i/16*2*16 + 16 + i%16 }, func(i int) int { return i*16 + 1 }}
	check := func(what string, c *Cache, marks ...float32) { // marks[p] of position p
		t.Helper()
		if c.Len() != len(marks) {
			t.Fatalf("%s: %d positions, want %d", what, c.Len(), len(marks))
		}
		for l := range c.layers {
			for kind := range kinds {
				b := c.put(kind, l, nil)
				for p, m := range marks {
					if got, want := b[p/kernels.BlockLen][at[kind](p%kernels.BlockLen)], m+float32(p)+float32(l*kinds+kind)/8; got != want {
						t.Fatalf("%s: layer %d kind %d position %d is %v, want %v", what, l, kind, p, got, want)
					}
				}
			}
		}
	}
	many := func(parts ...any) (m []float32) { // mark, count, mark, count, ...
		for i := 0; i < len(parts); i += 2 {
			for range parts[i+1].(int) {
				m = append(m, float32(parts[i].(int)))
			}
		}
		return m
	}
	for _, n := range []int{1, kernels.BlockLen - 1, kernels.BlockLen, kernels.BlockLen + 1, 2*kernels.BlockLen + 7} {
		a := &Cache{layers: 3, heads: heads, limit: 1 << 20}
		feed(a, 1000, n)
		b := a.Fork()
		if Bytes(a, b) != Bytes(a) {
			t.Errorf("a fork of %d positions takes memory", n)
		}
		feed(a, 2000, 70)
		feed(b, 3000, 5)
		c := b.Fork()
		feed(c, 4000, 1)
		check("the origin", a, many(1000, n, 2000, 70)...)
		check("the fork", b, many(1000, n, 3000, 5)...)
		check("the fork's fork", c, many(1000, n, 3000, 5, 4000, 1)...)
		// Beyond whole blocks of a, b and c share those that b filled before c began.
		if whole := int64(n / kernels.BlockLen * 4 * 3 * (ks + vs)); Bytes(a, b, c) != Bytes(a)+Bytes(b)+Bytes(c)-2*whole-int64(((n+5)/kernels.BlockLen-n/kernels.BlockLen)*4*3*(ks+vs)) {
			t.Errorf("%d positions: three caches take %d bytes, alone %d, %d and %d", n, Bytes(a, b, c), Bytes(a), Bytes(b), Bytes(c))
		}
		// The owner goes back behind what its fork reads and writes there.
		a.Truncate(n - 1)
		feed(a, 5000, 3)
		check("the origin, rewritten", a, many(1000, n-1, 5000, 3)...)
		check("the fork after that", b, many(1000, n, 3000, 5)...)
		b.Truncate(0)
		feed(b, 6000, n+2)
		check("the fork, afresh", b, many(6000, n+2)...)
		check("the fork's fork after that", c, many(1000, n, 3000, 5, 4000, 1)...)
	}
}
