package kernels_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// TestInt8Exact has weights and inputs that are whole steps, so nothing is rounded away.
func TestInt8Exact(t *testing.T) {
	const rows, n, k = 7, 37, 200
	r := rand.New(rand.NewPCG(1, 1))
	// whole are integers times a scale; each group of 64 has one of magnitude 127.
	whole := func(rows int) []float32 {
		x := make([]float32, rows*k)
		for i := range x {
			scale := math.Ldexp(1, i/k%5+i%k/64-4)
			if x[i] = float32(float64(r.IntN(255)-127) * scale); i%k%64 == 5 {
				x[i] = float32(127 * scale)
			}
		}
		return x
	}
	x, w := whole(rows), whole(n)
	m := kernels.Pack(w, n, k).Int8()
	if m.Format() != kernels.Int8 || m.Int8() != m || m.Bytes() != 64*256*17/16 {
		t.Errorf("%v, %d bytes", m.Format(), m.Bytes())
	}
	want := make([]float32, rows*n)
	for i := range want {
		var sum float64
		for j := range k {
			sum += float64(x[i/n*k+j]) * float64(w[i%n*k+j])
		}
		if want[i] = float32(sum); float64(want[i]) != sum {
			t.Fatalf("output %d is not a float32: the test is wrong", i)
		}
	}
	eachLevel(t, func(t *testing.T) {
		got := make([]float32, rows*n)
		kernels.MatMul(got, x, m, nil)
		sameBits(t, "outputs", got, want)
		row := make([]float32, k)
		m.Row(row, n-1)
		sameBits(t, "Row", row, w[(n-1)*k:])
	})
}

// TestInt8Error compares with the exact product: each weight and input is off by at most half a step.
func TestInt8Error(t *testing.T) {
	const rows, n, k = 5, 48, 300
	r := rand.New(rand.NewPCG(2, 2))
	x, w, bias := random(r, rows*k), random(r, n*k), random(r, n)
	for i := range x {
		x[i] *= float32(math.Ldexp(1, r.IntN(8)))
	}
	got := make([]float32, rows*n)
	kernels.MatMul(got, x, kernels.Pack(w, n, k).Int8(), bias)
	step := func(v []float32) (half, sum float64) {
		for _, f := range v {
			half, sum = max(half, math.Abs(float64(f))/254), sum+math.Abs(float64(f))
		}
		return
	}
	for i := range got {
		want, bound := float64(bias[i%n]), 1e-5
		for from := 0; from < k; from += 64 {
			xg, wg := x[i/n*k+from:i/n*k+min(from+64, k)], w[i%n*k+from:i%n*k+min(from+64, k)]
			hx, sx := step(xg)
			hw, sw := step(wg)
			for j := range xg {
				want += float64(xg[j]) * float64(wg[j])
			}
			bound += 1.001 * (sx*hw + sw*hx + float64(len(xg))*hx*hw)
		}
		if d := math.Abs(float64(got[i]) - want); d > bound || d != d {
			t.Errorf("output %d is off by %g, more than %g", i, d, bound)
		}
	}
}

func TestInt8Special(t *testing.T) {
	const n, k = 20, 70
	w := random(rand.New(rand.NewPCG(3, 3)), n*k)
	m := kernels.Pack(w, n, k).Int8()
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachLevel(t, func(t *testing.T) {
		for _, bad := range []float32{nan, inf, -inf} {
			for _, at := range []int{3, 66} { // in a whole group and in a short one
				x, got := make([]float32, 3*k), make([]float32, 3*n)
				x[k+at] = bad
				kernels.MatMul(got, x, m, nil)
				for i, v := range got {
					if middle := i/n == 1; (v != v) != middle || !middle && v != 0 {
						t.Fatalf("%v in row 1: output %d of row %d is %v", bad, i%n, i/n, v)
					}
				}
			}
		}
		got := make([]float32, n)
		kernels.MatMul(got, constant(k, 0x1p-149), m, constant(n, 3))
		sameBits(t, "of next to nothing", got, constant(n, 3))
		kernels.MatMul(got, constant(k, math.MaxFloat32), kernels.Pack(constant(n*k, 0x1p-126), n, k).Int8(), nil)
		sameBits(t, "times next to nothing", got, constant(n, 0))
		kernels.MatMul(got, constant(k, 0x1p112), kernels.Pack(constant(n*k, 0x1p-10), n, k).Int8(), nil)
		for _, v := range got {
			if want := k * 0x1p102; math.Abs(float64(v)/want-1) > 1e-6 {
				t.Fatalf("%v, want %v", v, want)
			}
		}
	})
}

// TestInt8Rounding multiplies inputs half way between two steps with the identity.
func TestInt8Rounding(t *testing.T) {
	const k = 64
	x, w := make([]float32, k), make([]float32, k*k)
	for i := range k {
		x[i], w[i*k+i] = float32(i)-31.5, 1
	}
	x[0] = -127
	m := kernels.Pack(w, k, k).Int8()
	eachLevel(t, func(t *testing.T) {
		got := make([]float32, k)
		kernels.MatMul(got, x, m, nil)
		for i, v := range got {
			if want := math.RoundToEven(float64(x[i])); math.Abs(float64(v)-want) > 1e-5 {
				t.Errorf("%v became %v, want %v", x[i], v, want)
			}
		}
	})
}
