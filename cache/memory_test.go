package cache

import (
	"math/rand/v2"
	"testing"
)

// The same operations on both policies: never a wrong block, never more than the budget, and with room for all no
// difference at all.
func TestMemoryPolicies(t *testing.T) {
	blocks := make([]*block, 64)
	for i := range blocks {
		blocks[i] = &block{key: blockKey{byte(i)}, chunks: []chunk{{dtypeF16, make([]byte, 1000+i)}}}
	}
	for _, room := range []int64{1 << 20, 20 << 10} {
		lru := newLRU(newBudget(room, 0))
		rist := newRistretto(newBudget(room, 0))
		defer rist.close()
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 3000 {
			b := blocks[rnd.IntN(len(blocks))]
			switch rnd.IntN(8) {
			case 0:
				lru.Remove(b.key)
				rist.Remove(b.key)
			case 1, 2, 3:
				lru.Add(b)
				rist.Add(b)
			default:
				x, okX := lru.Get(b.key)
				y, okY := rist.Get(b.key)
				if okX && x != b || okY && y != b || room == 1<<20 && okX != okY {
					t.Fatalf("block %d: lru %v, ristretto %v", b.key[0], okX, okY)
				}
			}
			for _, m := range []memory{lru, rist} {
				if st := m.Stats(); st.bytes > room || st.bytes < 0 || st.max != room {
					t.Fatalf("%T: %+v", m, st)
				}
			}
		}
	}
}

func TestLRUOrder(t *testing.T) {
	mk := func(i byte) *block { return &block{key: blockKey{i}, chunks: []chunk{{dtypeF16, make([]byte, 712)}}} }
	m := newLRU(newBudget(3000, 0)) // three blocks of 1000
	for i := range byte(3) {
		m.Add(mk(i))
	}
	m.Get(blockKey{0})
	m.Add(mk(3))
	for i, want := range []bool{true, false, true, true} {
		if _, ok := m.Get(blockKey{byte(i)}); ok != want {
			t.Errorf("block %d kept: %v", i, ok)
		}
	}
	m.Add(&block{key: blockKey{9}, chunks: []chunk{{dtypeF16, make([]byte, 5000)}}})
	if st := m.Stats(); st.rejected != 1 || st.bytes != 3000 {
		t.Errorf("stats %+v", st)
	}
}
