package kernels

import "math"

// The functions below are the definition of every vector of this file's kind: each step is a float32 operation rounded on its own,
// in this order. The conversions keep compilers from fusing, so a processor's vectors and any Go compiler agree to the bit.
// A NaN stays one; which one is left open.

// Constants of exp32. ln2 is the sum of hi, whose product with a small integer is exact, and lo.
const (
	log2e32 float32 = 1.44269504088896341
	ln2hi32 float32 = 0.693359375
	ln2lo32 float32 = -2.12194440e-4
	round32 float32 = 0x1.8p23   // added and taken away again: rounds to an integer, half to even
	expLo32 float32 = -87.336540 // below, exp is 0: no result is subnormal
	expHi32 float32 = 89         // above, exp overflows
)

// expPoly are the coefficients of (e^r - 1 - r)/r² for |r| <= ln2/2, lowest first: relative error of e^r below 4e-9.
var expPoly = [5]float32{0.499999934318, 0.166665203987, 0.0416683908651, 0.00836874514928, 0.0013814535732}

// split32 returns n and q with e^x = 2^n (1 + q), for |x| < 2^22.
func split32(x float32) (n int32, q float32) {
	t := float32(x*log2e32) + round32
	k := t - round32
	r := x - float32(k*ln2hi32)
	r -= float32(k * ln2lo32)
	p := expPoly[4]
	for i := 3; i >= 0; i-- {
		p = float32(p*r) + expPoly[i]
	}
	rr := float32(r * r)
	return int32(math.Float32bits(t) - math.Float32bits(round32)), float32(p*rr) + r
}

// pow2 is 2^n for n from -126 to 127.
func pow2(n int32) float32 { return math.Float32frombits(uint32(n+127) << 23) }

// exp32 is e^x with a relative error below 2e-7; 0 where that is less than the least normal number, and +Inf above the greatest.
func exp32(x float32) float32 {
	c := x
	if expLo32 > c {
		c = expLo32
	}
	if expHi32 < c {
		c = expHi32
	}
	n, q := split32(c)
	half := n >> 1 // 2^128 is not a float32, its parts are
	y := float32(float32((1+q)*pow2(half)) * pow2(n-half))
	if x < expLo32 {
		return 0
	}
	return y
}

// Constants of the float64 functions.
const (
	log2e64  = 1.44269504088896340735992468100189214
	ln2hi64  = 6.93147180369123816490e-01
	ln2lo64  = 1.90821492927058770002e-10
	round64  = 0x1.8p52
	expLo64  = -708 // below, exp64 is that of -708
	tanhLo64 = -40  // below, tanh(-x/2) rounds to 1
	sqrtHalf = 0x1.6a09e667f3bcdp-1
)

// expPoly64 are the coefficients of (e^r - 1 - r)/r² for |r| <= ln2/2: relative error of e^r below 3e-16.
var expPoly64 = [9]float64{0.49999999999998316024, 0.16666666666611341475, 0.041666666668142471707, 0.0083333333709795425826,
	0.001388888851503534604, 0.0001984118507124472783, 0.000024801932515331060538, 2.763506673623714547e-6, 2.7476670414570205477e-7}

// split64 returns n, in the lower bits, and q with e^x = 2^n (1 + q), for |x| < 2^50.
func split64(x float64) (n uint64, q float64) {
	t := math.FMA(x, log2e64, round64)
	k := t - round64
	r := math.FMA(-k, ln2hi64, x)
	r = math.FMA(-k, ln2lo64, r)
	p := expPoly64[8]
	for i := 7; i >= 0; i-- {
		p = math.FMA(p, r, expPoly64[i])
	}
	return math.Float64bits(t), math.FMA(float64(r*r), p, r)
}

func pow2x64(n uint64) float64 { return math.Float64frombits((n + 1023) << 52) }

// exp64 is e^x for x <= 709 within 2 units in the last place, and e^-708 below -708.
func exp64(x float64) float64 {
	if expLo64 > x {
		x = expLo64
	}
	n, q := split64(x)
	return float64((1 + q) * pow2x64(n))
}

// Exp is math.Exp for x <= 709 within 2 units in the last place, but with the same bits on every architecture; below -708 it is e^-708.
func Exp(x float64) float64 { return exp64(x) }

// tanh64 is tanh(x) with a relative error below 1e-15.
func tanh64(x float64) float64 {
	a := -math.Abs(x)
	a += a
	if tanhLo64 > a {
		a = tanhLo64
	}
	n, q := split64(a)
	s := pow2x64(n)
	m := math.FMA(s, q, s-1) // e^a - 1, with no cancellation near 0
	return math.Copysign(m/(m+2), x)
}

// logPoly are the coefficients of fdlibm's log (Sun Microsystems, 1993): log(1+f) - f + f²/2 in s² = (f/(2+f))².
var logPoly = [7]float64{6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
	1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01}

// Log is the natural logarithm of a positive finite number within 1 unit in the last place: math.Log, but with the same bits
// on every architecture.
func Log(x float64) float64 {
	m, e := math.Frexp(x)
	if m < sqrtHalf {
		m *= 2
		e--
	}
	f, k := m-1, float64(e)
	s := f / (2 + f)
	z := float64(s * s)
	p := logPoly[6]
	for i := 5; i >= 0; i-- {
		p = math.FMA(p, z, logPoly[i])
	}
	half := float64(float64(0.5*f) * f)
	rest := math.FMA(s, math.FMA(p, z, half), float64(k*ln2lo64))
	return math.FMA(k, ln2hi64, f-(half-rest))
}

// Coefficients of fdlibm's sine and cosine on |x| <= π/4, and π/2 in three parts.
var (
	sinPoly = [6]float64{-1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04, 2.75573137070700676789e-06,
		-2.50507602534068634195e-08, 1.58969099521155010221e-10}
	cosPoly = [6]float64{4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05, -2.75573143513906633035e-07,
		2.08757232129817482790e-09, -1.13596475577881948265e-11}
)

const (
	twoOverPi = 0.636619772367581343075535053490057448
	piHalf1   = 0x1.921fb54442d18p0
	piHalf2   = 0x1.1a62633145c07p-54
	piHalf3   = -0x1.f1976b7ed8fbcp-110
)

// sincos is the sine and cosine of 0 <= x < 2^30 with an absolute error below 4e-16, the same bits on every architecture.
func sincos(x float64) (sin, cos float64) {
	t := math.FMA(x, twoOverPi, round64)
	k := t - round64
	// The first step is exact: its result is a multiple of the last place of piHalf1 and less than 1.
	r := math.FMA(-k, piHalf1, x)
	r = math.FMA(-k, piHalf2, r)
	r = math.FMA(-k, piHalf3, r)
	z := float64(r * r)
	p, q := sinPoly[5], cosPoly[5]
	for i := 4; i >= 0; i-- {
		p, q = math.FMA(p, z, sinPoly[i]), math.FMA(q, z, cosPoly[i])
	}
	sin = math.FMA(float64(z*r), p, r)
	cos = math.FMA(float64(z*z), q, math.FMA(-0.5, z, 1))
	switch math.Float64bits(t) & 3 {
	case 1:
		sin, cos = cos, -sin
	case 2:
		sin, cos = -sin, -cos
	case 3:
		sin, cos = -cos, sin
	}
	return sin, cos
}
