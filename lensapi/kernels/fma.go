package kernels

import "math"

// fma32 is a*b + c rounded once to float32, as the processor's fused multiply-add: the portable twin of VFMADD. Which
// NaN comes out of several is left open.
//
// The product is exact in float64. Its sum with c is rounded there to 53 bits and then to the 24 of a float32, which differs
// from one rounding only where the first one ends exactly half way between two float32: for a normal result that shows
// in the 29 bits that the second rounding drops. fmaExact takes these cases, and results too small for all 24 bits.
func fma32(a, b, c float32) float32 {
	p, z := float64(a)*float64(b), float64(c)
	if s := p + z; !twice(s) {
		return float32(s)
	}
	return fmaExact(p, z)
}

// twice reports whether rounding s to float32 may be a second rounding that matters.
func twice(s float64) bool {
	const minNormal = 1023 - 126 // the exponent field of a float64 that is the least normal float32
	u := math.Float64bits(s)
	return u<<35 == 1<<63 || u<<1 < minNormal<<53
}

// fmaExact is p + z, rounded once. It rounds the sum to odd first: when it is inexact, its last bit is set. Then no half way of a narrower format is
// hit by accident, and the second rounding is right (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
func fmaExact(p, z float64) float32 {
	s := float64(p + z)
	// The error of the sum, exactly (Knuth's two-sum).
	v := float64(s - p)
	e := float64(p-float64(s-v)) + float64(z-v)
	if e != 0 && !math.IsNaN(e) {
		u := math.Float64bits(s)
		if u&1 == 0 {
			if (e > 0) == (s > 0) {
				u++
			} else {
				u--
			}
		}
		s = math.Float64frombits(u)
	}
	return float32(s)
}
