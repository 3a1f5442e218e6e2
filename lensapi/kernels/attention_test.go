package kernels_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// blocks writes keys or values [n, KV, Dim] into pieces of a size; NaN stands where nothing is to be read.
func blocks(h kernels.Heads, put func(b kernels.Blocks, pos int, rows []float32), size int, x []float32) (b kernels.Blocks) {
	n := len(x) / (h.KV * h.Dim)
	for range (n + kernels.BlockLen - 1) / kernels.BlockLen {
		b = append(b, slices.Repeat([]float32{float32(math.NaN())}, size))
	}
	put(b, 0, x)
	return b
}

func keyBlocks(h kernels.Heads, x []float32) kernels.Blocks {
	size, _ := h.BlockSizes()
	return blocks(h, h.PutKeys, size, x)
}

func valueBlocks(h kernels.Heads, x []float32) kernels.Blocks {
	_, size := h.BlockSizes()
	return blocks(h, h.PutValues, size, x)
}

// onEachLevel runs f on every level, with 1 and 3 threads.
func onEachLevel(f func(level string)) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, l := range kernels.Levels() {
		restore := kernels.Use(l)
		for _, threads := range []int{1, 3} {
			if testing.Short() && threads == 1 {
				continue
			}
			runtime.GOMAXPROCS(threads)
			f(fmt.Sprint(l, " on ", threads, " threads"))
		}
		restore()
	}
}

// TestAttentionBits: z of a position is the same on every level and with any number of threads, wherever a sequence is cut into
// calls, and with the scores and the pattern looked at or not.
func TestAttentionBits(t *testing.T) {
	s := 150
	if testing.Short() {
		s = 100
	}
	for _, h := range []kernels.Heads{
		{Q: 6, KV: 3, Dim: 16}, {Q: 6, KV: 3, Dim: 16, Scale: 0.5, Cap: 3, Window: 30}, {Q: 3, KV: 3, Dim: 64}, {Q: 8, KV: 1, Dim: 80},
		{Q: 2, KV: 2, Dim: 24, Window: 70}, {Q: 2, KV: 1, Dim: 7, Window: 1}, {Q: 1, KV: 1, Dim: 33, Window: 64},
	} {
		if testing.Short() && h.Q*h.Dim > 200 {
			continue
		}
		r := rand.New(rand.NewPCG(2, uint64(h.Dim)))
		q, keys, vals := random(r, s*h.Q*h.Dim), random(r, s*h.KV*h.Dim), random(r, s*h.KV*h.Dim)
		want, patterns := make([]float32, s*h.Q*h.Dim), make([][]float32, s)
		restore := kernels.Use("portable")
		w := h.Q * h.Dim
		for p := range s {
			kb, vb := keyBlocks(h, keys[:(p+1)*h.KV*h.Dim]), valueBlocks(h, vals[:(p+1)*h.KV*h.Dim])
			patterns[p] = make([]float32, h.Q*(p+1))
			h.Scores(patterns[p], q[p*w:(p+1)*w], kb, p)
			h.Softmax(patterns[p], 1, p)
			h.Mix(want[p*w:(p+1)*w], patterns[p], vb, p)
		}
		restore()
		onEachLevel(func(level string) {
			for _, cuts := range [][]int{{0, s}, {0, 1, 2, 64, 96, s}, {0, 63, 65, 67, s}} {
				for i, start := range cuts[:len(cuts)-1] {
					end := cuts[i+1]
					kb, vb := keyBlocks(h, keys[:end*h.KV*h.Dim]), valueBlocks(h, vals[:end*h.KV*h.Dim])
					z := make([]float32, (end-start)*w)
					what := fmt.Sprintf("%+v, %s, positions %d to %d", h, level, start, end)
					h.Attend(z, q[start*w:end*w], kb, vb, start)
					sameBits(t, "Attend "+what, z, want[start*w:end*w])
					pattern := make([]float32, (end-start)*h.Q*end)
					h.Scores(pattern, q[start*w:end*w], kb, start)
					h.Softmax(pattern, end-start, start)
					h.Mix(z, pattern, vb, start)
					sameBits(t, "Mix "+what, z, want[start*w:end*w])
					for j := range (end - start) * h.Q {
						p, row := start+j/h.Q, pattern[j*end:(j+1)*end]
						sameBits(t, "pattern "+what, row[:p+1], patterns[p][j%h.Q*(p+1):][:p+1])
						sameBits(t, "pattern ahead "+what, row[p+1:], make([]float32, end-p-1))
					}
				}
			}
		})
	}
}

// TestAttentionIsProducts: scores and z are the chains that MatMul computes.
func TestAttentionIsProducts(t *testing.T) {
	h := kernels.Heads{Q: 1, KV: 1, Dim: 40, Scale: 1}
	const s = 70
	r := rand.New(rand.NewPCG(6, 6))
	q, keys, vals := random(r, s*h.Dim), random(r, s*h.Dim), random(r, s*h.Dim)
	scores, products := make([]float32, s*s), make([]float32, s*s)
	h.Scores(scores, q, keyBlocks(h, keys), 0)
	kernels.MatMul(products, q, kernels.Pack(keys, s, h.Dim), nil)
	for p := range s {
		sameBits(t, "scores", scores[p*s:p*s+p+1], products[p*s:p*s+p+1])
	}
	h.Softmax(scores, s, 0)
	z, mixed := make([]float32, s*h.Dim), make([]float32, s*h.Dim)
	h.Mix(z, scores, valueBlocks(h, vals), 0)
	kernels.MatMul(mixed, scores, kernels.PackTransposed(vals, s, h.Dim), nil)
	sameBits(t, "z", z, mixed)
}

// TestEditedPattern: what stands in a pattern is what is mixed, before the window too, but not ahead of the query.
func TestEditedPattern(t *testing.T) {
	h := kernels.Heads{Q: 1, KV: 1, Dim: 5, Window: 2}
	const s = 80
	vals := random(rand.New(rand.NewPCG(7, 7)), s*h.Dim)
	for _, from := range []int{0, 1, 63, 64, 70} {
		pattern, z := make([]float32, s*s), make([]float32, s*h.Dim)
		for p := range s {
			pattern[p*s+from] = 1
		}
		h.Mix(z, pattern, valueBlocks(h, vals), 0)
		for p := range s {
			want := vals[from*h.Dim : (from+1)*h.Dim]
			if p < from {
				want = make([]float32, h.Dim)
			}
			sameBits(t, fmt.Sprintf("position %d of value %d", p, from), z[p*h.Dim:(p+1)*h.Dim], want)
		}
	}
}

// TestCopyBlocks: the first positions of a piece are copied and no others.
func TestCopyBlocks(t *testing.T) {
	h := kernels.Heads{Q: 2, KV: 2, Dim: 5}
	r := rand.New(rand.NewPCG(8, 8))
	x := random(r, kernels.BlockLen*h.KV*h.Dim)
	ks, vs := h.BlockSizes()
	for _, n := range []int{0, 1, 15, 16, 17, 63, 64} {
		k, v := make([]float32, ks), make([]float32, vs)
		h.CopyKeys(k, keyBlocks(h, x)[0], n)
		h.CopyValues(v, valueBlocks(h, x)[0], n)
		wantK, wantV := kernels.Blocks{make([]float32, ks)}, kernels.Blocks{make([]float32, vs)}
		h.PutKeys(wantK, 0, x[:n*h.KV*h.Dim])
		h.PutValues(wantV, 0, x[:n*h.KV*h.Dim])
		sameBits(t, "keys", k, wantK[0])
		for i, want := range wantV[0] { // what pads Dim is whatever it was
			if want != 0 && v[i] != want || want == 0 && v[i] == v[i] && v[i] != 0 {
				t.Fatalf("values of %d positions: %d is %v, want %v", n, i, v[i], want)
			}
		}
	}
}

func TestAttention(t *testing.T) {
	for _, h := range []kernels.Heads{
		{Q: 4, KV: 2, Dim: 3}, {Q: 4, KV: 2, Dim: 3, Scale: 1}, {Q: 4, KV: 2, Dim: 3, Cap: 0.7}, {Q: 4, KV: 2, Dim: 3, Window: 2},
		{Q: 4, KV: 2, Dim: 3, Window: 9}, {Q: 4, KV: 2, Dim: 3, Scale: 2, Cap: 1.5, Window: 1},
	} {
		t.Run(fmt.Sprintf("%+v", h), func(t *testing.T) { testAttention(t, h) })
	}
}

func testAttention(t *testing.T, h kernels.Heads) {
	r := rand.New(rand.NewPCG(3, 3))
	const rows = 5
	q, keys, vals := random(r, rows*h.Q*h.Dim), random(r, rows*h.KV*h.Dim), random(r, rows*h.KV*h.Dim)
	pat, z := make([]float32, rows*h.Q*rows), make([]float32, rows*h.Q*h.Dim)
	scores := make([]float32, len(pat))
	h.Scores(scores, q, keyBlocks(h, keys), 0)
	copy(pat, scores)
	h.Softmax(pat, rows, 0)
	h.Mix(z, pat, valueBlocks(h, vals), 0)
	at := func(x []float32, heads, pos, head, i int) float64 { return float64(x[(pos*heads+head)*h.Dim+i]) }
	for p := range rows {
		for head := range h.Q {
			kv := head / 2
			var e [rows]float64
			var sum float64
			for j := range p + 1 {
				if h.Window > 0 && p-j >= h.Window {
					continue
				}
				var dot float64
				for i := range h.Dim {
					dot += at(q, h.Q, p, head, i) * at(keys, h.KV, j, kv, i)
				}
				if h.Scale != 0 {
					dot *= h.Scale
				} else {
					dot /= math.Sqrt(float64(h.Dim))
				}
				if h.Cap != 0 {
					dot = h.Cap * (1 - 2/(math.Exp(2*dot/h.Cap)+1))
				}
				e[j] = math.Exp(dot)
				sum += e[j]
			}
			for i := range h.Dim {
				var want float64
				for j := range p + 1 {
					want += e[j] / sum * at(vals, h.KV, j, kv, i)
				}
				if got := at(z, h.Q, p, head, i); math.Abs(got-want) > 1e-6 {
					t.Errorf("position %d head %d: %v, want %v", p, head, got, want)
				}
			}
			for j := range rows {
				if got := float64(scores[(p*h.Q+head)*rows+j]); e[j] == 0 != math.IsInf(got, -1) || e[j] != 0 && math.Abs(math.Exp(got)-e[j]) > 1e-6*max(1, e[j]) {
					t.Errorf("score %d %d %d: %v, want %v", p, head, j, got, math.Log(e[j]))
				}
				if got := float64(pat[(p*h.Q+head)*rows+j]); math.Abs(got-e[j]/sum) > 3e-7 || e[j] == 0 && got != 0 {
					t.Errorf("pattern %d %d %d: %v, want %v", p, head, j, got, e[j]/sum)
				}
			}
		}
	}
}

func TestPatternLargeScores(t *testing.T) {
	h := kernels.Heads{Q: 1, KV: 1, Dim: 1}
	pat := make([]float32, 4)
	h.Scores(pat, []float32{1, 1000}, keyBlocks(h, []float32{1000, -1000}), 0)
	h.Softmax(pat, 2, 0)
	sameBits(t, "pattern", pat, []float32{1, 0, 1, 0})
}

// BenchmarkAttention compares with the explicit path in the same run: GPT-2 small, one layer.
func BenchmarkAttention(b *testing.B) {
	h := kernels.Heads{Q: 12, KV: 12, Dim: 64}
	r := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct{ start, rows int }{{0, 100}, {100, 1}, {872, 128}, {999, 1}} {
		s := c.start + c.rows
		q, keys, vals := random(r, c.rows*768), keyBlocks(h, random(r, s*768)), valueBlocks(h, random(r, s*768))
		z, pattern := make([]float32, c.rows*768), make([]float32, c.rows*h.Q*s)
		for name, f := range map[string]func(){
			"fused": func() { h.Attend(z, q, keys, vals, c.start) },
			"explicit": func() {
				h.Scores(pattern, q, keys, c.start)
				h.Softmax(pattern, c.rows, c.start)
				h.Mix(z, pattern, vals, c.start)
			},
		} {
			b.Run(fmt.Sprintf("%d-after-%d/%s", c.rows, c.start, name), func(b *testing.B) {
				for b.Loop() {
					f()
				}
			})
		}
	}
}
