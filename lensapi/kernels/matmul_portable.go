package kernels

// portable is the twin of the assembly in Go.
func (m *product) portable(rows int) {
	k, n := m.w.k, m.w.n
	Parallel((n+panel-1)/panel, rows*n*k, func(lo, hi int) {
		weights := make([]float32, k*panel)
		for p := lo; p < hi; p++ {
			m.w.widen(weights, p)
			for r := range rows {
				x, out := m.x[r*k:(r+1)*k], m.dst[r*n+p*panel:r*n+min((p+1)*panel, n)]
				var sum [panel]float32
				for at := 0; at < panel; at += 4 {
					chains4(sum[at:], x, weights[at:])
				}
				for j := range out {
					if out[j] = sum[j]; m.bias != nil {
						out[j] += m.bias[p*panel+j]
					}
				}
			}
		}
	})
}

// chains4 computes four sums over x and as many columns of w [K, 16]. Independent chains hide the latency of each. The
// steps are fma32 written out, because the compiler does not inline it.
func chains4(sum, x, w []float32) {
	var s0, s1, s2, s3 float32
	for i, v := range x {
		c := (*[4]float32)(w[i*panel:])
		f := float64(v)
		d0 := f*float64(c[0]) + float64(s0)
		d1 := f*float64(c[1]) + float64(s1)
		d2 := f*float64(c[2]) + float64(s2)
		d3 := f*float64(c[3]) + float64(s3)
		if twice(d0) || twice(d1) || twice(d2) || twice(d3) {
			s0, s1, s2, s3 = fma32(v, c[0], s0), fma32(v, c[1], s1), fma32(v, c[2], s2), fma32(v, c[3], s3)
			continue
		}
		s0, s1, s2, s3 = float32(d0), float32(d1), float32(d2), float32(d3)
	}
	sum[0], sum[1], sum[2], sum[3] = s0, s1, s2, s3
}
