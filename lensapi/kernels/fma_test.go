package kernels_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// fmaByBig rounds once, by package big.
func fmaByBig(a, b, c float32) float32 {
	x, y, z := float64(a), float64(b), float64(c)
	if math.IsNaN(x*y+z) || math.IsInf(x*y+z, 0) {
		return float32(x*y + z) // no rounding is involved: float64 holds every product and sum of float32
	}
	exact := func(v float64) *big.Float { return new(big.Float).SetPrec(1000).SetFloat64(v) }
	s := exact(x)
	s.Mul(s, exact(y))
	s.Add(s, exact(z))
	if s.Sign() == 0 {
		return float32(x*y + z) // the sign of an exact zero
	}
	f, _ := s.Float32()
	return f
}

func checkFMA(t *testing.T, a, b, c float32) {
	t.Helper()
	got, want := kernels.FMA(a, b, c), fmaByBig(a, b, c)
	if math.Float32bits(got) != math.Float32bits(want) && !(got != got && want != want) {
		t.Fatalf("fma32(%x, %x, %x) = %x, want %x", a, b, c, got, want)
	}
}

func TestFMA(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	negZero := float32(math.Copysign(0, -1))
	special := []float32{
		0, negZero, 1, -1, 1 + 0x1p-23, 1 - 0x1p-24, 0x1p-149, -0x1p-149, 0x1p-126, 0x1p-126 - 0x1p-149, 0x1p-75, -0x1p-75, 0x1.8p-75,
		math.MaxFloat32, -math.MaxFloat32, 0x1p127, 0x1p104, -0x1p103, 0x1p-24, -0x1p-24, 0x1p-25, 0x1p-60, -0x1p-60, inf, -inf, nan,
	}
	for _, a := range special {
		for _, b := range special {
			for _, c := range special {
				checkFMA(t, a, b, c)
			}
		}
	}
	n := 300_000
	if testing.Short() {
		n = 30_000
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range n { // any bits
		checkFMA(t, math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32()))
	}
	for range n { // comparable sizes, few bits set: sums often fall half way
		few := func(exp int) float32 {
			return float32(math.Ldexp(float64(r.IntN(2)*2-1)*(1+math.Ldexp(float64(r.IntN(4)), -r.IntN(24))), exp))
		}
		ea, eb := r.IntN(60)-30, r.IntN(60)-30
		checkFMA(t, few(ea), few(eb), few(ea+eb+r.IntN(100)-50))
	}
	for range n { // results around the least normal and the largest number
		few := func(exp int) float32 {
			return float32(math.Ldexp(float64(r.IntN(2)*2-1)*float64(1<<24-1-r.IntN(3)), exp-24))
		}
		e := r.IntN(100) - 50
		base := -126 - r.IntN(25)
		checkFMA(t, few(e), few(base-e), few(base+r.IntN(30)-20))
		checkFMA(t, few(e), few(128-e), few(128-r.IntN(60)))
	}
}

// TestFMADoubleRounding has sums whose rounding to float64 ends exactly half way between two float32 from either side,
// which plain conversion gets wrong.
func TestFMADoubleRounding(t *testing.T) {
	for _, c := range [][3]float32{
		{1 + 0x1p-23, 0x1p-24, 1},                // above half way by 2^-47: exact in float64
		{0x1p-24 + 0x1p-47, 1 - 0x1p-24, 1},      // 1 + 2^-24 - tiny
		{0x1p-30, 0x1p-30, 1 + 0x1p-23},          // far below
		{0x1p-12 + 0x1p-35, 0x1p-12, 1},          // just above
		{-0x1p-40, 0x1p-40, 0x1.000001p0},        // not a float32 half way at all
		{0x1.000002p-12, 0x1.fffffcp-13, 1},      // half way less 2^-70
		{0x1.000002p-12, -0x1.fffffcp-13, -1},    // and its negative
		{0x1.fffffep-1, 0x1.fffffep-1, 0x1p-100}, // product alone, with a sticky bit
	} {
		checkFMA(t, c[0], c[1], c[2])
	}
	wrong := 0
	r := rand.New(rand.NewPCG(2, 2))
	for range 20_000 {
		// (1 + i 2^-23)(1 - i 2^-23) = 1 - i² 2^-46, scaled to just under half a unit of c: an odd c stays.
		i := float32(1 + r.IntN(8))
		a, b, c := (1+i*0x1p-23)*0x1p-24, 1-i*0x1p-23, 1+float32(r.IntN(1<<23))*0x1p-23
		checkFMA(t, a, b, c)
		if s := float64(a)*float64(b) + float64(c); float32(s) != kernels.FMA(a, b, c) {
			wrong++
		}
	}
	for range 20_000 {
		a, b := math.Float32frombits(r.Uint32()>>9|0x3f800000), math.Float32frombits(r.Uint32()>>9|0x3f800000)
		p := float64(a) * float64(b)
		c := math.Float32frombits(math.Float32bits(float32(math.Ldexp(p, 24+r.IntN(8)))) &^ 1)
		checkFMA(t, a, b, c)
	}
	if wrong == 0 {
		t.Error("no case was double rounded: the test does not test")
	}
}

func TestLevel(t *testing.T) {
	for _, c := range []struct {
		name   string
		widest int
		want   string
		err    string
	}{
		{"", 2, "avx512", ""}, {"", 0, "portable", ""}, {"portable", 2, "portable", ""}, {"avx2", 1, "avx2", ""},
		{"avx512", 1, "portable", `GOPHERLENS_KERNELS="avx512": this machine has portable, avx2`},
		{"sse", 2, "portable", `GOPHERLENS_KERNELS="sse": this machine has portable, avx2, avx512`},
	} {
		got, err := kernels.ChooseLevel(c.name, c.widest)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%q on level %d: %s, %v; want %s, %q", c.name, c.widest, got, err, c.want, c.err)
		}
	}
	names := kernels.Levels()
	for _, name := range names {
		restore := kernels.Use(name)
		if got, err := kernels.Level(); got != name || err != nil {
			t.Errorf("level %s, %v; want %s", got, err, name)
		}
		restore()
	}
	t.Log("levels of this machine:", names)
}
