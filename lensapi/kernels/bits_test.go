package kernels_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

var update = flag.Bool("update", false, "write the golden files")

// bitCases compute from fixed inputs what must have the same bits everywhere. Their inputs come from exactFloats: package rand's
// normal numbers differ between architectures.
var bitCases = map[string]func() []float32{
	"fma": func() []float32 {
		r := rand.New(rand.NewPCG(10, 1))
		out := make([]float32, 0, 20_000)
		for len(out) < cap(out) {
			y := kernels.FMA(math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32()))
			if y == y {
				out = append(out, y)
			}
		}
		return out
	},
	"MatMul F32":           func() []float32 { return productBits(kernels.F32, 1, 300, 257) },
	"MatMul F32, 13 rows":  func() []float32 { return productBits(kernels.F32, 13, 129, 523) },
	"MatMul F16, 7 rows":   func() []float32 { return productBits(kernels.F16, 7, 47, 300) },
	"MatMul BF16, 30 rows": func() []float32 { return productBits(kernels.BF16, 30, 33, 300) },
	"MatMul Int8, 9 rows":  func() []float32 { return productBits(kernels.Int8, 9, 81, 300) },
	"attention":            attentionBits,
	"lens":                 lensBits,
}

func exactFloats(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Ldexp(float64(r.IntN(1<<24)-1<<23), -20-r.IntN(6)))
	}
	return x
}

func productBits(f kernels.Format, rows, n, k int) []float32 {
	r := rand.New(rand.NewPCG(10, uint64(f)))
	x, bias := exactFloats(r, rows*k), exactFloats(r, n)
	y := make([]float32, rows*n)
	kernels.MatMul(y, x, inFormat(f, exactFloats(r, n*k)).pack(n, k), bias)
	return y
}

func attentionBits() []float32 {
	r := rand.New(rand.NewPCG(10, 2))
	const rows = 70
	h := kernels.Heads{Q: 4, KV: 2, Dim: 24, Cap: 5, Window: 50}
	z := make([]float32, rows*h.Q*h.Dim)
	h.Attend(z, exactFloats(r, len(z)), keyBlocks(h, exactFloats(r, rows*h.KV*h.Dim)), valueBlocks(h, exactFloats(r, rows*h.KV*h.Dim)), 0)
	return z
}

// lensBits are the statistics as pairs of float32 that add up to them, or nearly.
func lensBits() (out []float32) {
	r := rand.New(rand.NewPCG(10, 3))
	const n, k, positions, rows = 700, 40, 3, 4
	u := kernels.Unembedding{W: kernels.Pack(exactFloats(r, n*k), n, k), Cap: 30}
	last := make([]float32, rows*n)
	reads, err := u.Lens(context.Background(), exactFloats(r, positions*rows*k), rows, 5, []int{3, -1, 600}, last)
	if err != nil {
		panic(err)
	}
	put := func(x float64) { out = append(out, float32(x), float32(x-float64(float32(x)))) }
	for _, o := range reads {
		put(o.LogPartition)
		put(o.Entropy)
		put(o.KL)
		for _, h := range o.Top {
			out = append(out, float32(h.ID), h.Logit)
		}
		for _, s := range o.Scores {
			put(s.Logprob)
			out = append(out, float32(s.Rank))
		}
	}
	return append(out, last...)
}

// TestBits compares hashes of results with those of the portable kernels on amd64. CI runs it on arm64 too.
func TestBits(t *testing.T) {
	path := filepath.Join("testdata", "bits.json")
	if *update {
		if runtime.GOARCH != "amd64" {
			t.Fatal("the golden hashes are those of amd64")
		}
		restore := kernels.Use("portable")
		hashes := map[string]string{}
		for name, f := range bitCases {
			hashes[name] = hash(f())
		}
		restore()
		text, err := json.MarshalIndent(hashes, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]string
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if len(want) != len(bitCases) {
		t.Errorf("%d golden hashes for %d cases", len(want), len(bitCases))
	}
	eachLevel(t, func(t *testing.T) {
		for name, f := range bitCases {
			if got := hash(f()); got != want[name] {
				t.Errorf("%s: hash %s, want %s", name, got, want[name])
			}
		}
	})
}

func hash(x []float32) string {
	h := sha256.New()
	for _, v := range x {
		h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}
