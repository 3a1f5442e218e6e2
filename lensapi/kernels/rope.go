package kernels

import "math"

// Rotary is the rotary position embedding of one model: the first 2*len(freq) values of each head are rotated in
// pairs (i, i+len(freq)), Hugging Face's "rotate half". It is never changed after NewRotary.
type Rotary struct {
	freq      []float64 // radians per position, one for each pair
	amplitude float64   // rotated values are multiplied by this
}

// NewRotary returns the rotation of the first dims (even) values of a head with frequencies base^(-2i/dims).
func NewRotary(dims int, base float64) *Rotary {
	r := &Rotary{make([]float64, dims/2), 1}
	for i := range r.freq {
		r.freq[i] = 1 / math.Pow(base, float64(2*i)/float64(dims))
	}
	return r
}

// Rescaled returns a rotation whose frequencies are f of those of r, and whose rotated values are multiplied by
// amplitude.
func (r *Rotary) Rescaled(f func(pair int, freq float64) float64, amplitude float64) *Rotary {
	s := &Rotary{make([]float64, len(r.freq)), amplitude}
	for i, w := range r.freq {
		s.freq[i] = f(i, w)
	}
	return s
}

// Angles appends the sine and cosine, times the amplitude, of every pair for the n positions from start: [n, dims/2, 2]. A pass
// computes them once and uses them in every layer.
func (r *Rotary) Angles(dst []float64, start, n int) []float64 {
	for p := start; p < start+n; p++ {
		for _, f := range r.freq {
			sin, cos := math.Sincos(float64(p) * f)
			dst = append(dst, sin*r.amplitude, cos*r.amplitude)
		}
	}
	return dst
}

// Rotate writes x [T, heads, dHead] rotated by angles [T, dims/2, 2]; values past dims are copied. dst and x may
// be the same slice.
func (r *Rotary) Rotate(dst, x []float32, angles []float64, heads, dHead int) {
	half := len(r.freq)
	for h := 0; h*dHead < len(x); h++ {
		row, out := x[h*dHead:(h+1)*dHead], dst[h*dHead:(h+1)*dHead]
		ang := angles[h/heads*half*2:][:half*2]
		for i := range half {
			sin, cos := ang[2*i], ang[2*i+1]
			a, b := float64(row[i]), float64(row[i+half])
			out[i] = float32(float64(a*cos) - float64(b*sin)) // rounded before the sum: see doc.go
			out[i+half] = float32(float64(b*cos) + float64(a*sin))
		}
		copy(out[2*half:], row[2*half:])
	}
}
