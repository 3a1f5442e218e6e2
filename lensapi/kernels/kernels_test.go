package kernels_test

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestNorms(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	const d, eps = 24, 1e-5
	x := random(r, 2*d)
	ln, rms := make([]float32, 2*d), make([]float32, 2*d)
	kernels.LayerNorm(ln, x, d, eps)
	kernels.RMSNorm(rms, x, d, eps)
	for t0 := 0; t0 < 2*d; t0 += d {
		var m, v, sq float64
		for _, f := range x[t0 : t0+d] {
			m += float64(f) / d
			sq += float64(f) * float64(f) / d
		}
		v = sq - m*m
		for i := t0; i < t0+d; i++ {
			if want := (float64(x[i]) - m) / math.Sqrt(v+eps); math.Abs(float64(ln[i])-want) > 1e-6 {
				t.Errorf("LayerNorm %d: %v, want %v", i, ln[i], want)
			}
			if want := float64(x[i]) / math.Sqrt(sq+eps); math.Abs(float64(rms[i])-want) > 1e-6 {
				t.Errorf("RMSNorm %d: %v, want %v", i, rms[i], want)
			}
		}
	}
	got := make([]float32, 4)
	kernels.Scale(got, []float32{1, 2, 3, 4}, []float32{10, 100}, []float32{1, 2})
	sameBits(t, "Scale", got, []float32{11, 202, 31, 402})
	kernels.Add(got, []float32{1, 2, 3, 4}, []float32{1, 1, 1, 1}, []float32{0, 0, 0, 5})
	sameBits(t, "Add", got, []float32{2, 3, 4, 10})
	kernels.Mul(got, []float32{1, 2, 3, 4}, []float32{2, 2, 2, -1})
	sameBits(t, "Mul", got, []float32{2, 4, 6, -4})
}

// TestActivations checks against values of the definitions from another language's math library.
func TestActivations(t *testing.T) {
	x := []float32{-8, -2, -0.5, 0, 1, 3, 30}
	for name, c := range map[string]struct {
		f    func(dst, x []float32)
		want []float64
	}{
		"GELU":     {kernels.GELU, []float64{-4.976768e-15, -0.04550026390, -0.1542687694, 0, 0.8413447461, 2.9959503059, 30}},
		"GELUTanh": {kernels.GELUTanh, []float64{0, -0.04540230591, -0.1542859902, 0, 0.8411919906, 2.9963626062, 30}},
		"SiLU":     {kernels.SiLU, []float64{-0.002682801, -0.2384058440, -0.1887703344, 0, 0.7310585786, 2.8577223804, 30}},
		"SoftCap":  {func(dst, x []float32) { kernels.SoftCap(dst, x, 4) }, []float64{-3.8561103203, -1.8484686290, -0.4974120071, 0, 0.9796746496, 2.5405958095, 3.9999975528}},
		"ReLU":     {kernels.ReLU, []float64{0, 0, 0, 0, 1, 3, 30}},
	} {
		got := make([]float32, len(x))
		c.f(got, x)
		for i := range x {
			if math.Abs(float64(got[i])-c.want[i]) > 1e-7*max(1, math.Abs(c.want[i])) {
				t.Errorf("%s(%v) = %v, want %v", name, x[i], got[i], c.want[i])
			}
		}
	}
}

// TestRotary compares with the multiplication of complex numbers that the rotation is.
func TestRotary(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	const heads, dHead, dims, base, start, rows = 2, 10, 6, 100.0, 7, 3
	check := func(rot *kernels.Rotary, freq func(i int) float64, amplitude float64) {
		t.Helper()
		x := random(r, rows*heads*dHead)
		got := make([]float32, len(x))
		rot.Rotate(got, x, rot.Angles(nil, start, rows), heads, dHead)
		for p := range rows {
			for h := range heads {
				in, out := x[(p*heads+h)*dHead:][:dHead], got[(p*heads+h)*dHead:][:dHead]
				for i := range dims / 2 {
					theta := float64(start+p) * freq(i)
					want := complex(float64(in[i]), float64(in[i+dims/2])) * cmplx.Rect(amplitude, theta)
					if cmplx.Abs(want-complex(float64(out[i]), float64(out[i+dims/2]))) > 1e-6 {
						t.Errorf("position %d head %d pair %d", start+p, h, i)
					}
				}
				sameBits(t, "values past dims", out[dims:], in[dims:])
			}
		}
	}
	plain := func(i int) float64 { return math.Pow(base, -2*float64(i)/dims) }
	rot := kernels.NewRotary(dims, base)
	rescaled := rot.Rescaled(func(i int, freq float64) float64 { return freq / float64(i+2) }, 1.25)
	check(rescaled, func(i int) float64 { return plain(i) / float64(i+2) }, 1.25)
	check(rot, plain, 1)
}

func TestParallel(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	const work = 1 << 30
	var sum atomic.Int64
	kernels.Parallel(10, work, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			kernels.Parallel(10, work, func(lo, hi int) { // from within itself
				for j := lo; j < hi; j++ {
					sum.Add(int64(10*i + j))
				}
			})
		}
	})
	if sum.Load() != 4950 {
		t.Errorf("sum %d, want 4950", sum.Load())
	}
	kernels.Parallel(0, work, func(lo, hi int) {
		if lo != hi {
			t.Error("work in an empty interval")
		}
	})
	for bad := range 4 {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("panic in part %d was lost", bad)
				}
			}()
			kernels.Parallel(4, work, func(lo, hi int) {
				if lo <= bad && bad < hi {
					panic("bad")
				}
			})
		}()
	}
}
