package kernels

import "math"

// lanes is how many partial sums a reduction keeps: element i is added to sum i%lanes, in ascending order, and the sums
// are then added in a fixed tree. That is the same on all levels, whatever the width of their vectors.
const lanes = 16

// tree adds the partial sums: those half of them apart first, then a quarter, and so on. It overwrites them.
func tree[T float32 | float64](acc []T) T {
	for w := len(acc) / 2; w > 0; w /= 2 {
		for i := range w {
			acc[i] += acc[i+w]
		}
	}
	return acc[0]
}

// sum adds a row in float64.
func sum(x []float32) float64 {
	var acc [lanes]float64
	for i := vectorSum(&acc, x); i < len(x); i++ {
		acc[i%lanes] += float64(x[i])
	}
	return tree(acc[:])
}

// squares adds (x - mean)² of a row in float64, each square fused with its addition.
func squares(x []float32, mean float64) float64 {
	var acc [lanes]float64
	for i := vectorSquares(&acc, x, mean); i < len(x); i++ {
		c := float64(x[i]) - mean
		acc[i%lanes] = math.FMA(c, c, acc[i%lanes])
	}
	return tree(acc[:])
}

// affine writes (x - mean) * factor, computed in float64.
func affine(dst, x []float32, mean, factor float64) {
	for i := vectorAffine(dst, x, mean, factor); i < len(x); i++ {
		dst[i] = float32((float64(x[i]) - mean) * factor)
	}
}

// LayerNorm writes (x - mean) / sqrt(variance + eps) of each row of d values, before any gain and bias; the
// variance is the biased one. Sums are float64. dst and x are [T, d] and may be the same slice.
func LayerNorm(dst, x []float32, d int, eps float64) {
	for t := 0; t < len(x); t += d {
		row := x[t : t+d]
		mean := sum(row) / float64(d)
		affine(dst[t:t+d], row, mean, 1/math.Sqrt(squares(row, mean)/float64(d)+eps))
	}
}

// RMSNorm writes x / sqrt(mean of squares + eps) of each row of d values, before any gain. Sums are float64. dst and x
// are [T, d] and may be the same slice.
func RMSNorm(dst, x []float32, d int, eps float64) {
	for t := 0; t < len(x); t += d {
		row := x[t : t+d]
		affine(dst[t:t+d], row, 0, 1/math.Sqrt(squares(row, 0)/float64(d)+eps))
	}
}

// Scale writes x*gain + bias row by row, rounded once; gain is [d], bias [d] or nil. dst and x are [T, d] and may
// be the same slice.
func Scale(dst, x, gain, bias []float32) {
	d := len(gain)
	for t := 0; t < len(x); t += d {
		row, out := x[t:t+d], dst[t:t+d]
		if bias == nil {
			Mul(out, row, gain)
			continue
		}
		for i := vectorScale(out, row, gain, bias); i < d; i++ {
			out[i] = fma32(row[i], gain[i], bias[i])
		}
	}
}

// Add writes a + b + ..., from left to right, each sum rounded to float32. All have one length; dst may be one of them.
// There are at least two terms.
func Add(dst []float32, terms ...[]float32) {
	a := terms[0]
	for _, b := range terms[1:] {
		for i := vectorAdd(dst, a, b); i < len(dst); i++ {
			dst[i] = a[i] + b[i]
		}
		a = dst
	}
}

// Mul writes a*b element by element. All have one length; dst may be one of them.
func Mul(dst, a, b []float32) {
	for i := vectorMul(dst, a, b); i < len(dst); i++ {
		dst[i] = a[i] * b[i]
	}
}
