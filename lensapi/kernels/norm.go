package kernels

import "math"

// LayerNorm writes (x - mean) / sqrt(variance + eps) of each row of d values, before any gain and bias; the
// variance is the biased one. dst and x are [T, d] and may be the same slice.
func LayerNorm(dst, x []float32, d int, eps float64) {
	for t := 0; t < len(x); t += d {
		row, out := x[t:t+d], dst[t:t+d]
		var sum, sq float64
		for _, v := range row {
			sum += float64(v)
		}
		mean := sum / float64(d)
		for _, v := range row {
			c := float64(v) - mean
			sq += float64(c * c) // rounded before it is added: see doc.go
		}
		scale := math.Sqrt(sq/float64(d) + eps)
		for i, v := range row {
			out[i] = float32((float64(v) - mean) / scale)
		}
	}
}

// RMSNorm writes x / sqrt(mean of squares + eps) of each row of d values, before any gain. dst and x are [T, d]
// and may be the same slice.
func RMSNorm(dst, x []float32, d int, eps float64) {
	for t := 0; t < len(x); t += d {
		row, out := x[t:t+d], dst[t:t+d]
		var sq float64
		for _, v := range row {
			sq += float64(v) * float64(v)
		}
		scale := math.Sqrt(sq/float64(d) + eps)
		for i, v := range row {
			out[i] = float32(float64(v) / scale)
		}
	}
}

// Scale writes x*gain + bias row by row, rounded once; gain is [d], bias [d] or nil. dst and x are [T, d] and may
// be the same slice.
func Scale(dst, x, gain, bias []float32) {
	d := len(gain)
	for t := 0; t < len(x); t += d {
		row, out := x[t:t+d], dst[t:t+d]
		for i, v := range row {
			y := float64(v) * float64(gain[i])
			if bias != nil {
				y += float64(bias[i])
			}
			out[i] = float32(y)
		}
	}
}

// Add writes a + b + ..., summed in float64 from left to right and rounded once. All have one length.
func Add(dst []float32, terms ...[]float32) {
	for i := range dst {
		var s float64
		for _, x := range terms {
			s += float64(x[i])
		}
		dst[i] = float32(s)
	}
}

// Mul writes a*b element by element. All have one length.
func Mul(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}
