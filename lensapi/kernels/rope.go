package kernels

// Rotary is the rotary position embedding of one model: the first 2*len(freq) values of each head are rotated in
// pairs (i, i+len(freq)), Hugging Face's "rotate half". It is never changed after NewRotary.
type Rotary struct {
	freq      []float64 // radians per position, one for each pair
	amplitude float64   // rotated values are multiplied by this
}

// NewRotary returns the rotation of the first dims (even) values of a head with frequencies base^(-2i/dims).
func NewRotary(dims int, base float64) *Rotary {
	r := &Rotary{make([]float64, dims/2), 1}
	log := Log(base)
	for i := range r.freq {
		r.freq[i] = exp64(-log * (float64(2*i) / float64(dims)))
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

// Angles appends, for each of the n positions from start, the sines of all pairs and then their cosines, times the
// amplitude: [n, 2, dims/2]. They are computed in float64 and rounded. A pass computes them once and uses them in every layer.
func (r *Rotary) Angles(dst []float32, start, n int) []float32 {
	half := len(r.freq)
	for p := start; p < start+n; p++ {
		at := len(dst)
		dst = append(dst, make([]float32, 2*half)...)
		for i, f := range r.freq {
			sin, cos := sincos(float64(p) * f)
			dst[at+i], dst[at+half+i] = float32(sin*r.amplitude), float32(cos*r.amplitude)
		}
	}
	return dst
}

// Rotate writes x [T, heads, dHead] rotated by angles [T, 2, dims/2]; values past dims are copied. Products and sums are
// each rounded to float32. dst and x may be the same slice.
func (r *Rotary) Rotate(dst, x, angles []float32, heads, dHead int) {
	half := len(r.freq)
	for h := 0; h*dHead < len(x); h++ {
		row, out := x[h*dHead:(h+1)*dHead], dst[h*dHead:(h+1)*dHead]
		sin := angles[h/heads*half*2:][:half]
		cos := angles[h/heads*half*2+half:][:half]
		for i := vectorRotate(out, row, sin, cos); i < half; i++ {
			a, b := row[i], row[i+half]
			out[i] = float32(a*cos[i]) - float32(b*sin[i])
			out[i+half] = float32(b*cos[i]) + float32(a*sin[i])
		}
		copy(out[2*half:], row[2*half:])
	}
}
