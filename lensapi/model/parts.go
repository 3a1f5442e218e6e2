package model

import (
	"math"
	"slices"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// Some sites lie inside an operation, where computing them would cost something every time, or would change the order of a sum. They are
// computed only for a tap, and what it changes is then carried over to the operation's output: no change, no difference in a bit.

// rescale shows what a norm divided by, one number for each d values, and divides dst by what a hook makes of it.
func (r *run) rescale(site placed, dst, x []float32, d int, eps float64, rms bool) error {
	scale := make([]float32, len(x)/d)
	for i := range scale {
		scale[i] = float32(spread(x[i*d:(i+1)*d], eps, rms))
	}
	before := slices.Clone(scale)
	if err := r.tap(site, scale); err != nil {
		return err
	}
	for i, s := range scale {
		if s != before[i] {
			f := float64(before[i]) / float64(s)
			for j, v := range dst[i*d : (i+1)*d] {
				dst[i*d+j] = float32(float64(v) * f)
			}
		}
	}
	return nil
}

// spread is sqrt(mean of squares + eps), of the differences from the mean unless rms.
func spread(x []float32, eps float64, rms bool) float64 {
	var mean, sq float64
	if !rms {
		for _, v := range x {
			mean += float64(v) / float64(len(x))
		}
	}
	for _, v := range x {
		sq += (float64(v) - mean) * (float64(v) - mean) / float64(len(x))
	}
	return math.Sqrt(sq + eps)
}

// results shows each head's part of dst = z Wᵀ + b, and adds to dst what a hook changes in them.
func (r *run) results(site placed, dst, z []float32, w *kernels.Matrix, heads int) error {
	d, width := w.Outputs(), w.Inputs()
	dHead := width / heads
	parts, part := make([]float32, r.rows*heads*d), make([]float32, r.rows*d)
	one := make([]float32, len(z)) // z with all heads but one at 0
	for h := range heads {
		clear(one)
		for at := h * dHead; at < len(z); at += width {
			copy(one[at:at+dHead], z[at:])
		}
		kernels.MatMul(part, one, w, nil)
		for t := range r.rows {
			copy(parts[(t*heads+h)*d:][:d], part[t*d:])
		}
	}
	before := slices.Clone(parts)
	if err := r.tap(site, parts); err != nil {
		return err
	}
	for i := range dst {
		var change float64
		for at, h := i/d*heads*d+i%d, 0; h < heads; h++ {
			change += float64(parts[at+h*d]) - float64(before[at+h*d])
		}
		if change != 0 {
			dst[i] = float32(float64(dst[i]) + change)
		}
	}
	return nil
}
