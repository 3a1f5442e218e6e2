package kernels

import "math"

// greatest is the greatest of x, -Inf at least; a NaN among them is passed over.
func greatest(x []float32) float32 {
	var acc [lanes]float32
	for i := range acc {
		acc[i] = float32(math.Inf(-1))
	}
	for i := vectorMax(&acc, x); i < len(x); i++ {
		if l := i % lanes; x[i] > acc[l] {
			acc[l] = x[i]
		}
	}
	top := acc[0]
	for _, v := range acc {
		if v > top {
			top = v
		}
	}
	return top
}

// softmax turns scores into weights in place: e^(x - greatest) divided by the sum of these, which is float32. Weights of
// less than 1e-38 times the largest are 0.
func softmax(x []float32) {
	top := greatest(x)
	var acc [lanes]float32
	n := vectorExpSum(&acc, x, top)
	if rest := x[n:]; n > 0 && len(rest) > 0 {
		// One more vector: e^-Inf adds nothing.
		var last, more [lanes]float32
		for i := range last {
			last[i] = float32(math.Inf(-1))
		}
		copy(last[:], rest)
		vectorExpSum(&more, last[:], top)
		copy(rest, last[:])
		for i, v := range more {
			acc[i] += v
		}
		n = len(x)
	}
	for i := n; i < len(x); i++ {
		x[i] = exp32(x[i] - top)
		acc[i%lanes] += x[i]
	}
	times(x, x, 1/tree(acc[:]))
}

// times writes x*f. dst and x may be the same slice.
func times(dst, x []float32, f float32) {
	for i := vectorTimes(dst, x, f); i < len(x); i++ {
		dst[i] = x[i] * f
	}
}
