package kernels_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// TestDistances compares with the definitions, from logits that are kept and with package math, and demands the same bits of every level, of any number of
// threads and of each position alone.
func TestDistances(t *testing.T) {
	ctx := context.Background()
	for i, c := range []struct {
		format                kernels.Format
		n, k, positions, rows int
		limit                 float64
	}{
		{kernels.F32, 1000, 20, 5, 4, 0}, {kernels.F16, 777, 33, 3, 2, 7}, {kernels.Int8, 300, 70, 3, 3, 0}, {kernels.BF16, 5, 3, 2, 1, 0}, {kernels.F32, 257, 8, 60, 5, 0},
	} {
		r := rand.New(rand.NewPCG(4, uint64(i)))
		u := unembedding(r, c.format, c.n, c.k, c.limit)
		x := coarse(r, c.positions*c.rows*c.k)
		z := make([]float32, c.positions*c.rows*c.n)
		u.Logits(z, x)
		reads, err := kernels.ReadLogits(z, c.rows, c.n, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		lse := make([]float64, len(reads))
		for i, r := range reads {
			lse[i] = r.LogPartition
		}
		var want []kernels.Distances
		onEachLevel(func(level string) {
			got, err := u.Distances(ctx, x, c.rows, lse)
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = got
				checkDistances(t, z, lse, got, c.rows, c.n)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v of %d tokens: %s differs", c.format, c.n, level)
			}
			var alone []kernels.Distances
			for p := 0; p < len(lse); p += c.rows {
				d, err := u.Distances(ctx, x[p*c.k:(p+c.rows)*c.k], c.rows, lse[p:p+c.rows])
				if err != nil {
					t.Fatal(err)
				}
				alone = append(alone, d...)
			}
			if !slices.Equal(alone, want) {
				t.Errorf("%v of %d tokens: %s, positions alone, differs", c.format, c.n, level)
			}
		})
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	u := unembedding(rand.New(rand.NewPCG(1, 1)), kernels.F32, 100, 4, 0)
	if _, err := u.Distances(stopped, make([]float32, 8), 2, make([]float64, 2)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func checkDistances(t *testing.T, z []float32, lse []float64, got []kernels.Distances, rows, n int) {
	t.Helper()
	for i := range lse {
		last := i/rows*rows + rows - 1
		var want kernels.Distances
		for j := range n {
			lp, lm := float64(z[i*n+j])-lse[i], float64(z[last*n+j])-lse[last]
			p, m := math.Exp(lp), math.Exp(lm)
			a := math.Log((p + m) / 2)
			want.KLReverse += p * (lp - lm)
			want.JS += (p*(lp-a) + m*(lm-a)) / 2
			want.TV += math.Abs(p-m) / 2
		}
		for _, d := range []float64{want.KLReverse - got[i].KLReverse, want.JS - got[i].JS, want.TV - got[i].TV} {
			if !(math.Abs(d) < 1e-9) {
				t.Fatalf("row %d of %d tokens: %+v, want %+v", i, n, got[i], want)
			}
		}
	}
}
