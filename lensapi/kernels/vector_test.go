package kernels

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// special are values at which functions change their ways.
var special = []float32{0, float32(math.Copysign(0, -1)), 1, -1, 0.5, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)),
	math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 0x1p-126, -0x1p-126, 0x1p-127,
	expLo32, math.Nextafter32(expLo32, 0), math.Nextafter32(expLo32, -100), -expLo32, 88.72283, 88.722839, 89, -89, 20, -20, 10, -10,
	1e-20, -1e-20, 3e-5, 13.2, -13.2, -16.6, 0.34657, 0.34658, -0.34658}

// mixed are special values, values of all sizes, and many of the usual size.
func mixed(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		switch r.IntN(8) {
		case 0:
			x[i] = special[r.IntN(len(special))]
		case 1:
			x[i] = math.Float32frombits(r.Uint32())
		default:
			x[i] = float32(r.NormFloat64() * 4)
		}
	}
	return x
}

// onLevels calls f on every level of this machine but the portable one, and afterwards on that: what f returns must be equal.
func onLevels(t *testing.T, what string, f func() []float64) {
	t.Helper()
	defer func(l level) { active = l }(active)
	active = portable
	want := f()
	for active = portable + 1; active <= available(); active++ {
		got := f()
		if len(got) != len(want) {
			t.Fatalf("%s: %d values on %v, %d in Go", what, len(got), active, len(want))
		}
		for i := range got {
			if math.Float64bits(got[i]) != math.Float64bits(want[i]) && (got[i] == got[i] || want[i] == want[i]) {
				t.Fatalf("%s: value %d is %x on %v, %x in Go", what, i, got[i], active, want[i])
			}
		}
	}
}

// checkVectors runs every function on x; equality is of bits, any NaN for another.
func checkVectors(t *testing.T, r *rand.Rand, x []float32) {
	t.Helper()
	n := len(x)
	const guard = 123
	wide := func(x []float32) (w []float64) {
		for _, v := range x {
			w = append(w, float64(v))
		}
		return w
	}
	out := func(f func(dst []float32)) func() []float64 {
		return func() []float64 {
			dst := slices.Repeat([]float32{guard}, n+lanes)
			f(dst[:n:n])
			return wide(dst)
		}
	}
	y, z := mixed(r, n), mixed(r, n)
	on := func(what string, f func() []float64) {
		t.Helper()
		onLevels(t, fmt.Sprintf("%s of %d", what, n), f)
	}
	on("GELU", out(func(d []float32) { GELU(d, x) }))
	on("GELUTanh", out(func(d []float32) { GELUTanh(d, x) }))
	on("SiLU", out(func(d []float32) { SiLU(d, x) }))
	on("SiLU in place", out(func(d []float32) { copy(d, x); SiLU(d, d) }))
	on("SoftCap", out(func(d []float32) { SoftCap(d, x, 4.7) }))
	on("Add", out(func(d []float32) { Add(d, x, y, z) }))
	on("Mul", out(func(d []float32) { Mul(d, x, y) }))
	on("Scale", out(func(d []float32) {
		if n > 0 {
			Scale(d, x, y, z)
		}
	}))
	on("times", out(func(d []float32) { times(d, x, 1.7) }))
	on("affine", out(func(d []float32) { affine(d, x, 0.3, 1.9) }))
	if n > 0 {
		on("LayerNorm", out(func(d []float32) { LayerNorm(d, x, n, 1e-5) }))
		on("RMSNorm", out(func(d []float32) { RMSNorm(d, x, n, 1e-5) }))
	}
	on("softmax", out(func(d []float32) { copy(d, x); softmax(d) }))
	on("Rotate", out(func(d []float32) {
		if n > 1 {
			half := n / 2
			(&Rotary{freq: make([]float64, half)}).Rotate(d, x, slices.Concat(y[:half], z[:half]), 1, n)
		}
	}))
	on("sum", func() []float64 { return []float64{sum(x)} })
	on("squares", func() []float64 { return []float64{squares(x, 0.7)} })
	on("greatest", func() []float64 { return []float64{float64(greatest(x))} })
}

func TestVectorsEqualGo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 96, 100, 128, 1000} {
		checkVectors(t, r, mixed(r, n))
		plain := make([]float32, n)
		for i := range plain {
			plain[i] = float32(r.NormFloat64())
		}
		checkVectors(t, r, plain)
	}
	checkVectors(t, r, special)
}

func FuzzVectors(f *testing.F) {
	f.Add([]byte{0, 0, 128, 63, 0, 0, 192, 127, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		x := make([]float32, min(len(b)/4, 200))
		for i := range x {
			x[i] = math.Float32frombits(uint32(b[4*i]) | uint32(b[4*i+1])<<8 | uint32(b[4*i+2])<<16 | uint32(b[4*i+3])<<24)
		}
		checkVectors(t, rand.New(rand.NewPCG(uint64(len(b)), 7)), x)
	})
}

// TestAccuracy holds the scalar functions, whose bits are those of the vectors, to what they say, over float32 of all sizes.
func TestAccuracy(t *testing.T) {
	gelu := func(x float64) float64 { return 0.5 * x * math.Erfc(-x/math.Sqrt2) }
	geluTanh := func(x float64) float64 {
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}
	for _, c := range []struct {
		name     string
		got      func(x float32) float32
		want     func(x float64) float64
		from, to float32
		absolute bool // error divided by max(1, |x|), not by the result
		limit    float64
	}{
		{"exp", exp32, math.Exp, expLo32, 88.7228, false, 2e-7},
		{"GELU", gelu32, gelu, -1e30, 1e30, true, 1.5e-7},
		{"GELUTanh", geluTanh32, geluTanh, -1e12, 1e12, true, 2e-7},
		{"SiLU", silu32, func(x float64) float64 { return x / (1 + math.Exp(-x)) }, -87, math.MaxFloat32, false, 4e-7},
		{"SoftCap", func(x float32) float32 { y := []float32{x}; SoftCap(y, y, 30); return y[0] },
			func(x float64) float64 { return 30 * math.Tanh(x/30) }, -math.MaxFloat32, math.MaxFloat32, false, 6.1e-8},
	} {
		step := uint32(4001)
		if testing.Short() {
			step = 40009
		}
		worst, at := 0.0, float32(0)
		for b := uint32(0); b < math.MaxUint32-step; b += step {
			x := math.Float32frombits(b)
			if !(x >= c.from && x <= c.to) {
				continue
			}
			got, want := float64(c.got(x)), c.want(float64(x))
			err := math.Abs(got - want)
			if c.absolute {
				err /= math.Max(1, math.Abs(float64(x)))
			} else {
				err /= math.Max(math.Abs(want), 0x1p-115) // near subnormal numbers digits are lost
			}
			if !(err <= worst) {
				worst, at = err, x
			}
		}
		t.Logf("%s: largest error %.2e at %v", c.name, worst, at)
		if !(worst <= c.limit) {
			t.Errorf("%s: error %.2e at %v, want at most %.1e", c.name, worst, at, c.limit)
		}
	}
}

func TestEnds(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		name    string
		f       func(x float32) float32
		x, want float32
	}{
		{"exp", exp32, -inf, 0}, {"exp", exp32, inf, inf}, {"exp", exp32, nan, nan}, {"exp", exp32, 0, 1},
		{"exp", exp32, -87.4, 0}, {"exp", exp32, 88.73, inf}, {"exp", exp32, 1e-30, 1},
		{"GELU", gelu32, inf, inf}, {"GELU", gelu32, -inf, 0}, {"GELU", gelu32, nan, nan},
		{"GELUTanh", geluTanh32, inf, inf}, {"GELUTanh", geluTanh32, nan, nan},
		{"SiLU", silu32, inf, inf}, {"SiLU", silu32, nan, nan},
		{"ReLU", relu32, -inf, 0}, {"ReLU", relu32, nan, nan},
	} {
		if got := c.f(c.x); got != c.want && !(got != got && c.want != c.want) {
			t.Errorf("%s(%v) = %v, want %v", c.name, c.x, got, c.want)
		}
	}
}

// TestFloat64Functions compares with package math, which is right to a unit or so in the last place.
func TestFloat64Functions(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 200000 {
		x := -708 * math.Pow(r.Float64(), 4)
		if got, want := exp64(x), math.Exp(x); math.Abs(got/want-1) > 8e-16 {
			t.Fatalf("exp64(%v) = %v, want %v", x, got, want)
		}
		y := math.Exp(r.NormFloat64() * 20)
		if got, want := Log(y), math.Log(y); math.Abs(got-want) > 3e-16*math.Max(1e-3, math.Abs(want)) {
			t.Fatalf("Log(%v) = %v, want %v", y, got, want)
		}
		z := math.Exp(r.Float64() * 20)
		sin, cos := sincos(z)
		wantSin, wantCos := math.Sincos(z)
		if math.Abs(sin-wantSin) > 4e-16 || math.Abs(cos-wantCos) > 4e-16 {
			t.Fatalf("sincos(%v) = %v, %v, want %v, %v", z, sin, cos, wantSin, wantCos)
		}
	}
	for _, x := range []float64{0, 1e-300, -1e-9, 1e-3, -0.3, 0.4, 1, 5, -17, 19, 30, -1e300, math.Inf(1)} {
		if got, want := tanh64(x), math.Tanh(x); math.Abs(got-want) > 1e-15*math.Abs(want) {
			t.Errorf("tanh64(%v) = %v, want %v", x, got, want)
		}
	}
	if !math.IsNaN(tanh64(math.NaN())) || !math.Signbit(tanh64(math.Copysign(0, -1))) {
		t.Error("tanh64 of NaN or -0")
	}
	if Log(1) != 0 || exp64(0) != 1 || exp64(-1e9) != exp64(-708) || !math.IsNaN(exp64(math.NaN())) {
		t.Error("an end is wrong")
	}
	if sin, cos := sincos(0); sin != 0 || cos != 1 {
		t.Errorf("sincos(0) = %v, %v", sin, cos)
	}
}

// TestSumOrder is the promised order, written down again and rounded by package big.
func TestSumOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	x := make([]float32, 77)
	for i := range x {
		x[i] = float32(r.NormFloat64() * math.Exp(r.NormFloat64()*10))
	}
	var acc [16]*big.Float
	for i := range acc {
		acc[i] = new(big.Float).SetPrec(53)
	}
	for i, v := range x {
		acc[i%16].Add(acc[i%16], big.NewFloat(float64(v)))
	}
	for _, w := range []int{8, 4, 2, 1} {
		for i := range w {
			acc[i].Add(acc[i], acc[i+w])
		}
	}
	if want, _ := acc[0].Float64(); sum(x) != want {
		t.Errorf("sum %v, want %v", sum(x), want)
	}
}

func BenchmarkVectors(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	const n = 3072
	x, y := make([]float32, n), make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	defer func(l level) { active = l }(active)
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"GELU", func() { GELU(y, x) }}, {"GELUTanh", func() { GELUTanh(y, x) }}, {"SiLU", func() { SiLU(y, x) }},
		{"SoftCap", func() { SoftCap(y, x, 30) }}, {"LayerNorm", func() { LayerNorm(y, x, n, 1e-5) }},
		{"softmax", func() { copy(y, x); softmax(y) }}, {"Add", func() { Add(y, x, x) }},
	} {
		for l := portable; l <= available(); l++ {
			b.Run(fmt.Sprint(c.name, "/", l), func(b *testing.B) {
				active = l
				for b.Loop() {
					c.f()
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gvalues/s")
			})
		}
	}
}

// TestSameBitsEverywhere hashes results for inputs that are exact: what this says must be what it says on every other architecture.
// A new hash belongs to a new forward.Numerics.
func TestSameBitsEverywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	next := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.IntN(1<<25)-1<<24) / float32(int(1)<<(18+r.IntN(10)))
		}
		return x
	}
	h := fnv.New64a()
	write := func(x ...float64) {
		for _, v := range x {
			if v != v {
				v = math.NaN()
			}
			if err := binary.Write(h, binary.LittleEndian, math.Float64bits(v)); err != nil {
				t.Fatal(err)
			}
		}
	}
	write32 := func(x []float32) {
		for _, v := range x {
			write(float64(v))
		}
	}
	const n = 999
	x, y, z, d := next(n), next(n), next(n), make([]float32, n)
	for _, f := range []func(){
		func() { GELU(d, x) }, func() { GELUTanh(d, x) }, func() { SiLU(d, x) }, func() { SoftCap(d, x, 30) }, func() { ReLU(d, x) },
		func() { LayerNorm(d, x, n, 1e-5) }, func() { RMSNorm(d, x, n, 1e-6) }, func() { Scale(d, x, y, z) }, func() { Add(d, x, y, z) },
		func() { Mul(d, x, y) }, func() { copy(d, x); softmax(d) },
		func() { r := NewRotary(48, 10000); r.Rotate(d[:960], x[:960], r.Angles(nil, 5, 10), 2, 48) },
	} {
		f()
		write32(d)
	}
	for _, v := range x {
		write(exp64(-math.Abs(float64(v))), Log(math.Abs(float64(v))+0.1))
	}
	for i := range 1000 {
		write(sincos(float64(i) * 131.7))
	}
	const want uint64 = 0x1f21e5d2b7f8150b
	if got := h.Sum64(); got != want {
		t.Errorf("hash %#x, want %#x", got, want)
	}
}
