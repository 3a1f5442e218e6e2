package model

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/weights"
)

func TestFits(t *testing.T) {
	m := Memory{Weights: 13_500_000_000, Position: 1_000_000}
	err := m.fits(9_100_000_000, true)
	if want := "the model needs 13.6 GB of memory, but 9.1 GB are available: free some, or take a smaller model"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	if err := m.fits(13_600_000_000, true); err != nil {
		t.Error(err)
	}
	if err := m.fits(0, false); err != nil {
		t.Error("refused without knowing:", err)
	}
}

func TestAvailable(t *testing.T) {
	n, ok := available()
	if want := runtime.GOOS == "linux" || runtime.GOOS == "darwin"; ok != want {
		t.Fatalf("memory known: %v, want %v", ok, want)
	}
	if ok && (n < 10<<20 || n > 1<<50) {
		t.Errorf("%d bytes are available", n)
	}
}

const smallGPT2 = `{"model_type":"gpt2","n_embd":64,"n_layer":2,"n_head":4,"n_positions":128,"vocab_size":300}`

func TestRandom(t *testing.T) {
	first := func(dtype string, seed uint64) []float32 {
		m, err := Random([]byte(smallGPT2), dtype, seed, Options{})
		if err != nil {
			t.Fatal(err)
		}
		row := make([]float32, 64)
		m.embed.Row(row, 299)
		if g := m.arch.(*gpt2).layers[1].ln1.gain; g[3] < 0.96 || g[3] > 1.04 {
			t.Errorf("%s: gain %v", dtype, g[3])
		}
		return row
	}
	for _, dtype := range []string{"F32", "F16", "BF16"} {
		a, b, c := first(dtype, 1), first(dtype, 1), first(dtype, 2)
		different := 0
		for i := range a {
			if a[i] != b[i] || a[i] < -0.0352 || a[i] > 0.0352 {
				t.Fatalf("%s: value %d is %v, then %v", dtype, i, a[i], b[i])
			}
			if a[i] != c[i] {
				different++
			}
		}
		if different < 50 {
			t.Errorf("%s: another seed changes %d of 64 values", dtype, different)
		}
	}
	if _, err := Random([]byte(smallGPT2), "I8", 1, Options{}); err == nil || !strings.Contains(err.Error(), "supported: F32, F16, BF16") {
		t.Errorf("weights of I8: %v", err)
	}
}

// TestRound compares with the two neighbours in the narrow type: the nearer one, of equally near ones the one whose last bit is 0.
func TestRound(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	x := []float32{0, 1, -1, 1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1p-11, 1 + 0x3p-11, 65504, 65519, 0x1p-25, 0x1.8p-25, 0x3p-26, float32(math.Copysign(0, -1))}
	for range 10000 {
		x = append(x, float32(rng.NormFloat64()*math.Exp(2*rng.NormFloat64()-4)))
	}
	for _, to := range []string{"f16", "bf16"} {
		v := packer{to: to}.round(weights.Values{F32: x})
		bits := slices.Concat(v.F16, v.BF16)
		value := func(b uint16) float64 {
			w := make([]float32, 1)
			if to == "f16" {
				weights.Values{F16: []uint16{b}}.Widen(w)
			} else {
				weights.Values{BF16: []uint16{b}}.Widen(w)
			}
			return float64(w[0])
		}
		for i, b := range bits {
			exact := float64(x[i])
			if math.Signbit(exact) != math.Signbit(value(b)) {
				t.Fatalf("%s: %v became %v", to, exact, value(b))
			}
			off := math.Abs(value(b) - exact)
			for _, n := range []uint16{b - 1, b + 1} {
				if b&0x7fff == 0 && n == b-1 || math.IsInf(value(n), 0) {
					continue
				}
				other := math.Abs(value(n) - exact)
				if other < off || other == off && b&1 == 1 {
					t.Fatalf("%s: %v became %v, %v is nearer", to, exact, value(b), value(n))
				}
			}
		}
	}
}
