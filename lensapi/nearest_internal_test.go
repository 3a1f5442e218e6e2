package lens

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// The heap keeps what sorting all would put first, equal scores in their order.
func TestNearestKeepsTheBest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for limit := 1; limit < 40; limit += 6 {
		var all []ranked
		var best nearest
		for i := range 200 {
			r := ranked{candidate{score: float64(rng.IntN(30))}, i}
			all = append(all, r)
			best.keep(r.candidate, r.order, limit)
		}
		order := func(a, b ranked) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.order, b.order)) }
		slices.SortFunc(all, order)
		slices.SortFunc(best, order)
		if !slices.Equal(best, all[:limit]) {
			t.Fatalf("the best %d of 200: %v, want %v", limit, best, all[:limit])
		}
	}
}
