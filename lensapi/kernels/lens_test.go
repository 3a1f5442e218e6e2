package kernels_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// unembedding is a random one with few distinct weights, so that ties are common.
func unembedding(r *rand.Rand, f kernels.Format, n, k int, limit float64) kernels.Unembedding {
	w, halves := make([]float32, n*k), make([]uint16, n*k)
	for i := range w {
		w[i] = float32(r.IntN(9)-4) / 4
		switch f {
		case kernels.F16: // 0, 0.25, ..., 2 and their negatives, by hand
			halves[i] = []uint16{0xbc00, 0xba00, 0xb800, 0xb400, 0, 0x3400, 0x3800, 0x3a00, 0x3c00}[int(w[i]*4)+4]
		case kernels.BF16:
			halves[i] = uint16(math.Float32bits(w[i]) >> 16)
		}
	}
	if f == kernels.F32 {
		return kernels.Unembedding{W: kernels.Pack(w, n, k), Cap: limit}
	}
	if f == kernels.Int8 {
		return kernels.Unembedding{W: kernels.Pack(w, n, k).Int8(), Cap: limit}
	}
	return kernels.Unembedding{W: kernels.PackBits(f, halves, n, k), Cap: limit}
}

// coarse are rows of few distinct values.
func coarse(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.IntN(5) - 2)
	}
	return x
}

// TestLensEqualsLogits: the readout of rows whose logits are never kept is, to the bit, that of the logits which MatMul computes, on
// every level, with any number of threads and positions beside, for every format of the weights.
func TestLensEqualsLogits(t *testing.T) {
	ctx := context.Background()
	for i, c := range []struct {
		format                     kernels.Format
		n, k, positions, rows, top int
		limit                      float64
	}{
		{kernels.F32, 1000, 20, 5, 4, 10, 0}, {kernels.F32, 777, 33, 3, 2, 5, 7}, {kernels.F16, 513, 16, 4, 3, 1, 0}, {kernels.BF16, 300, 24, 2, 13, 400, 0},
		{kernels.Int8, 300, 70, 3, 3, 6, 0}, {kernels.F32, 5, 3, 2, 2, 10, 0}, {kernels.F32, 290, 8, 1, 5, 3, 0}, {kernels.F32, 290, 8, 4, 1, 3, 0}, {kernels.F32, 530, 270, 50, 4, 10, 0},
	} {
		if testing.Short() && c.positions > 10 {
			continue
		}
		r := rand.New(rand.NewPCG(9, uint64(i)))
		u := unembedding(r, c.format, c.n, c.k, c.limit)
		x := coarse(r, c.positions*c.rows*c.k)
		next := make([]int, c.positions)
		for p := range next {
			next[p] = r.IntN(c.n+1) - 1
		}
		z := make([]float32, c.positions*c.rows*c.n)
		restore := kernels.Use("portable")
		u.Logits(z, x)
		want, err := kernels.ReadLogits(z, c.rows, c.n, c.top, next)
		restore()
		if err != nil {
			t.Fatal(err)
		}
		checkReadouts(t, z, want, c.rows, c.n, c.top, next)
		onEachLevel(func(level string) {
			last := make([]float32, c.rows*c.n)
			got, err := u.Lens(ctx, x, c.rows, c.top, next, last)
			if err != nil {
				t.Fatal(err)
			}
			sameBits(t, "last logits", last, z[len(z)-c.rows*c.n:])
			if !reflect.DeepEqual(got, want) {
				for i := range got {
					if !reflect.DeepEqual(got[i], want[i]) {
						t.Fatalf("%+v, %s: row %d is\n%+v, want\n%+v", c, level, i, got[i], want[i])
					}
				}
			}
			if read, err := kernels.ReadLogits(z, c.rows, c.n, c.top, next); err != nil || !reflect.DeepEqual(read, want) {
				t.Fatalf("%+v, %s: ReadLogits differs (%v)", c, level, err)
			}
			checkRead(t, u, x, z, want, c.top, level)
			p := c.positions / 2
			one, err := u.Lens(ctx, x[p*c.rows*c.k:(p+1)*c.rows*c.k], c.rows, c.top, next[p:p+1], nil)
			if err != nil || !reflect.DeepEqual(one, want[p*c.rows:(p+1)*c.rows]) {
				t.Fatalf("%+v, %s: position %d alone differs (%v)", c, level, p, err)
			}
		})
	}
}

// checkReadouts compares with the definitions, in package math's float64.
func checkReadouts(t *testing.T, z []float32, got []kernels.Readout, rows, n, top int, next []int) {
	t.Helper()
	near := func(what string, got, want float64) {
		t.Helper()
		if !(math.Abs(got-want) <= 1e-11) {
			t.Fatalf("%s %.14f, want %.14f", what, got, want)
		}
	}
	logp := make([][]float64, len(got))
	for i := range got {
		var sum float64
		row := z[i*n : (i+1)*n]
		m := float64(slices.Max(row))
		for _, v := range row {
			sum += math.Exp(float64(v) - m)
		}
		near("log partition", got[i].LogPartition, m+math.Log(sum))
		for _, v := range row {
			logp[i] = append(logp[i], float64(v)-m-math.Log(sum))
		}
	}
	for i, g := range got {
		row, last := z[i*n:(i+1)*n], i/rows*rows+rows-1
		order := make([]int, n)
		for j := range order {
			order[j] = j
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch {
			case row[a] > row[b]:
				return -1
			case row[a] < row[b]:
				return 1
			}
			return 0
		})
		if len(g.Top) != min(top, n) {
			t.Fatalf("row %d: %d candidates, want %d", i, len(g.Top), min(top, n))
		}
		for j, h := range g.Top {
			if h.ID != order[j] || h.Logit != row[h.ID] {
				t.Fatalf("row %d: candidate %d is %v, want token %d", i, j, h, order[j])
			}
		}
		var entropy, kl float64
		for j := range n {
			entropy -= math.Exp(logp[i][j]) * logp[i][j]
			kl += math.Exp(logp[last][j]) * (logp[last][j] - logp[i][j])
		}
		near("entropy", g.Entropy, entropy)
		near("KL", g.KL, kl)
		if i == last && g.KL != 0 {
			t.Fatalf("row %d: KL with itself is %v", i, g.KL)
		}
		score := func(what string, s kernels.Score, id int) {
			t.Helper()
			rank := 1
			for _, v := range row {
				if v > row[id] {
					rank++
				}
			}
			near(what, s.Logprob, logp[i][id])
			if s.Logit != row[id] || s.Rank != rank || kernels.Rank(row, id) != rank {
				t.Fatalf("row %d: rank of %s %d is %d, Rank says %d, want %d", i, what, id, s.Rank, kernels.Rank(row, id), rank)
			}
		}
		score("answer", g.Scores[0], got[last].Top[0].ID)
		if id := next[i/rows]; id >= 0 {
			score("next", g.Scores[1], id)
		} else if len(g.Scores) != 1 {
			t.Fatalf("row %d: scores of no token: %v", i, g.Scores)
		}
	}
}

// checkRead compares Read with the logits and with what Lens makes of them.
func checkRead(t *testing.T, u kernels.Unembedding, x, z []float32, want []kernels.Readout, top int, level string) {
	t.Helper()
	n := u.W.Outputs()
	tokens := []int{n - 1, 0, n / 2, 0}
	got, err := u.Read(context.Background(), x, top, tokens)
	if err != nil || len(got) != len(want) {
		t.Fatal(len(got), err)
	}
	for i, g := range got {
		if w := want[i]; !reflect.DeepEqual(g.Top, w.Top) || g.LogPartition != w.LogPartition || g.Entropy != w.Entropy || g.KL != 0 {
			t.Fatalf("%s: row %d is read as %+v, want %+v", level, i, g, w)
		}
		row := z[i*n : (i+1)*n]
		for j, id := range tokens {
			rank := 1
			for _, v := range row {
				if v > row[id] {
					rank++
				}
			}
			if s := g.Scores[j]; s != (kernels.Score{Logit: row[id], Logprob: float64(row[id]) - g.LogPartition, Rank: rank}) {
				t.Fatalf("%s: row %d scores token %d as %+v, want rank %d", level, i, id, s, rank)
			}
		}
	}
}

// TestLensOfLikeRows: rows that agree diverge by exactly nothing, and logits may be far apart and large.
func TestLensOfLikeRows(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 10))
	const n = 700
	z := random(r, n)
	for i := range z {
		z[i] *= 3000
	}
	got, err := kernels.ReadLogits(slices.Concat(z, z), 2, n, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].KL != 0 || !reflect.DeepEqual(got[0], got[1]) || got[0].Entropy < 0 {
		t.Errorf("%+v and %+v", got[0], got[1])
	}
}

func TestLensErrors(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 11))
	u := unembedding(r, kernels.F32, 600, 8, 0)
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, at := range []int{0, 8, 40, 47} { // of 3 positions of 2 rows
			x := coarse(r, 48)
			x[at] = float32(bad)
			_, err := u.Lens(context.Background(), x, 2, 5, nil, nil)
			var e *kernels.NotFiniteError
			if want := (kernels.NotFiniteError{Position: at / 16, Row: at / 8 % 2}); !errors.As(err, &e) || *e != want {
				t.Errorf("%v at %d: error %v, want %v", bad, at, err, &want)
			}
		}
		for at := range 300 {
			z := random(r, 600)
			z[2*at] = float32(bad)
			var e *kernels.NotFiniteError
			if _, err := kernels.ReadLogits(z, 2, 300, 5, nil); !errors.As(err, &e) || e.Row != at/150 {
				t.Errorf("%v at %d: error %v", bad, at, err)
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := u.Lens(ctx, coarse(r, 48), 2, 5, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if out, err := u.Lens(context.Background(), nil, 2, 5, nil, nil); out != nil || err != nil {
		t.Errorf("no rows: %v, %v", out, err)
	}
}

// BenchmarkLens compares, in one run, the lens of a token's rows and of 100 positions of GPT-2 small with the plain product that
// keeps all logits, and with that and ReadLogits of them.
func BenchmarkLens(b *testing.B) {
	const n, k, rows = 50257, 768, 12
	r := rand.New(rand.NewPCG(1, 1))
	u := kernels.Unembedding{W: kernels.Pack(random(r, n*k), n, k)}
	for _, positions := range []int{1, 100} {
		x := random(r, positions*rows*k)
		for i := range x {
			x[i] /= 28
		}
		flops := 2 * float64(positions*rows*n*k)
		report := func(b *testing.B) {
			b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOPS")
		}
		b.Run(fmt.Sprintf("%dx%d/fused", rows, positions), func(b *testing.B) {
			for b.Loop() {
				if _, err := u.Lens(context.Background(), x, rows, 10, nil, nil); err != nil {
					b.Fatal(err)
				}
			}
			report(b)
		})
		z := make([]float32, positions*rows*n)
		b.Run(fmt.Sprintf("%dx%d/product", rows, positions), func(b *testing.B) {
			for b.Loop() {
				u.Logits(z, x)
			}
			report(b)
		})
		b.Run(fmt.Sprintf("%dx%d/product+read", rows, positions), func(b *testing.B) {
			for b.Loop() {
				u.Logits(z, x)
				if _, err := kernels.ReadLogits(z, rows, n, 10, nil); err != nil {
					b.Fatal(err)
				}
			}
			report(b)
		})
	}
}

// TestProbabilities: softmax in float64 is that of package math, and the same bits on every level.
func TestProbabilities(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	z := random(r, 777)
	var sum float64
	for i := range z {
		z[i] *= 20
		sum += math.Exp(float64(z[i]))
	}
	lse := math.Log(sum)
	var want []float64
	for _, level := range kernels.Levels() {
		restore := kernels.Use(level)
		got := make([]float64, len(z))
		kernels.Probabilities(got, z, lse)
		restore()
		for i, p := range got {
			if exact := math.Exp(float64(z[i]) - lse); math.Abs(p-exact) > 1e-14*exact {
				t.Fatalf("%s: probability of %v is %v, want %v", level, z[i], p, exact)
			}
		}
		if want == nil {
			want = got
		} else if !slices.Equal(got, want) {
			t.Errorf("%s: other bits", level)
		}
	}
}
