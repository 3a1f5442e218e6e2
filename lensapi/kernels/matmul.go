package kernels

// panel is how many outputs lie side by side in a packed matrix.
const panel = 8

// Matrix is a weight matrix of N outputs by K inputs, packed once for MatMul. The zero Matrix has no outputs.
// It is never changed after packing.
type Matrix struct {
	n, k int
	data []float32 // [ceil(N/8), K, 8]; outputs past N are zero
}

// Pack packs w, row-major [n, k]: one row per output, as torch's Linear stores it.
func Pack(w []float32, n, k int) *Matrix {
	return pack(n, k, func(out, in int) float32 { return w[out*k+in] })
}

// PackTransposed packs w, row-major [k, n]: one column per output, as GPT-2's Conv1D stores it.
func PackTransposed(w []float32, k, n int) *Matrix {
	return pack(n, k, func(out, in int) float32 { return w[in*n+out] })
}

func pack(n, k int, at func(out, in int) float32) *Matrix {
	m := &Matrix{n: n, k: k, data: make([]float32, (n+panel-1)/panel*panel*k)}
	for out := range n {
		p := m.data[out/panel*panel*k+out%panel:]
		for in := range k {
			p[in*panel] = at(out, in)
		}
	}
	return m
}

// Outputs is N; Inputs is K.
func (m *Matrix) Outputs() int { return m.n }

// Inputs is K.
func (m *Matrix) Inputs() int { return m.k }

// Row copies the weights of one output into dst [K]: a row of an embedding table.
func (m *Matrix) Row(dst []float32, out int) {
	p := m.data[out/panel*panel*m.k+out%panel:]
	for in := range dst[:m.k] {
		dst[in] = p[in*panel]
	}
}

// MatMul computes dst = x Wᵀ + bias for x [T, K] and dst [T, N]; bias [N] may be nil. The sum over K is
// accumulated in float64, the bias added last, and the result rounded once.
func MatMul(dst, x []float32, w *Matrix, bias []float32) {
	if w.k == 0 || w.n == 0 {
		return
	}
	rows := len(x) / w.k
	panels := (w.n + panel - 1) / panel
	Parallel(panels, rows*w.n*w.k, func(lo, hi int) {
		for p := lo; p < hi; p++ {
			wp := w.data[p*panel*w.k : (p+1)*panel*w.k]
			cols := min(panel, w.n-p*panel)
			var b [panel]float64
			if bias != nil {
				for j := range cols {
					b[j] = float64(bias[p*panel+j])
				}
			}
			var out [2][panel]float64
			t := 0
			for ; t+2 <= rows; t += 2 {
				x0, x1 := x[t*w.k:(t+1)*w.k], x[(t+1)*w.k:(t+2)*w.k]
				dot2x4(&out, x0, x1, wp, 0)
				dot2x4(&out, x0, x1, wp, panel/2)
				store(dst[t*w.n+p*panel:], &out[0], &b, cols)
				store(dst[(t+1)*w.n+p*panel:], &out[1], &b, cols)
			}
			if t < rows {
				dot1x8(&out[0], x[t*w.k:(t+1)*w.k], wp)
				store(dst[t*w.n+p*panel:], &out[0], &b, cols)
			}
		}
	})
}

func store(dst []float32, sum, bias *[panel]float64, cols int) {
	for j := range cols {
		dst[j] = float32(sum[j] + bias[j])
	}
}

// dot1x8 computes one row's eight outputs. The eight chains are independent, which hides the latency of the
// additions without changing the order within any of them.
func dot1x8(out *[panel]float64, x, wp []float32) {
	var s0, s1, s2, s3, s4, s5, s6, s7 float64
	for k, a := range x {
		w := (*[panel]float32)(wp[k*panel:])
		v := float64(a)
		s0 += v * float64(w[0])
		s1 += v * float64(w[1])
		s2 += v * float64(w[2])
		s3 += v * float64(w[3])
		s4 += v * float64(w[4])
		s5 += v * float64(w[5])
		s6 += v * float64(w[6])
		s7 += v * float64(w[7])
	}
	*out = [panel]float64{s0, s1, s2, s3, s4, s5, s6, s7}
}

// dot2x4 computes two rows' outputs at..at+4 of a panel: each weight is converted once for both rows.
func dot2x4(out *[2][panel]float64, x0, x1, wp []float32, at int) {
	var s00, s01, s02, s03, s10, s11, s12, s13 float64
	x1 = x1[:len(x0)]
	wp = wp[at:]
	for k, a := range x0 {
		w := (*[panel / 2]float32)(wp[k*panel:])
		u, v := float64(a), float64(x1[k])
		w0, w1, w2, w3 := float64(w[0]), float64(w[1]), float64(w[2]), float64(w[3])
		s00 += u * w0
		s01 += u * w1
		s02 += u * w2
		s03 += u * w3
		s10 += v * w0
		s11 += v * w1
		s12 += v * w2
		s13 += v * w3
	}
	*(*[4]float64)(out[0][at:]) = [4]float64{s00, s01, s02, s03}
	*(*[4]float64)(out[1][at:]) = [4]float64{s10, s11, s12, s13}
}
