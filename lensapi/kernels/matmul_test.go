package kernels_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/x448/float16"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// eachLevel runs a test with every set of instructions that this machine has.
func eachLevel(t *testing.T, f func(t *testing.T)) {
	for _, name := range kernels.Levels() {
		t.Run(name, func(t *testing.T) {
			defer kernels.Use(name)()
			f(t)
		})
	}
}

// weights are in a format; bits is nil for F32 and Int8.
type weights struct {
	format kernels.Format
	values []float32
	bits   []uint16
}

func randomWeights(r *rand.Rand, f kernels.Format, n int) weights { return inFormat(f, random(r, n)) }

// inFormat rounds values to a format.
func inFormat(f kernels.Format, values []float32) weights {
	w := weights{format: f, values: values}
	for i, v := range w.values {
		switch f {
		case kernels.F16:
			if i%97 == 0 {
				v *= 0x1p-20 // some subnormal ones
			}
			h := float16.Fromfloat32(v)
			w.bits = append(w.bits, h.Bits())
			w.values[i] = h.Float32()
		case kernels.BF16:
			h := uint16(math.Float32bits(v) >> 16)
			w.bits = append(w.bits, h)
			w.values[i] = math.Float32frombits(uint32(h) << 16)
		}
	}
	return w
}

func (w weights) pack(n, k int) *kernels.Matrix {
	if w.format == kernels.Int8 {
		return kernels.Pack(w.values, n, k).Int8()
	}
	if w.bits == nil {
		return kernels.Pack(w.values, n, k)
	}
	return kernels.PackBits(w.format, w.bits, n, k)
}

// packTransposed packs the same matrix from its transpose.
func (w weights) packTransposed(n, k int) *kernels.Matrix {
	values, bits := make([]float32, n*k), make([]uint16, n*k)
	for i := range n {
		for j := range k {
			values[j*n+i] = w.values[i*k+j]
			if w.bits != nil {
				bits[j*n+i] = w.bits[i*k+j]
			}
		}
	}
	if w.bits == nil {
		return kernels.PackTransposed(values, k, n)
	}
	return kernels.PackBitsTransposed(w.format, bits, k, n)
}

// chain is the promised arithmetic of one output, rounded by package big and not by the processor.
func chain(x, w []float32) float32 {
	var sum float32
	for k := range x {
		sum = fmaByBig(x[k], w[k], sum)
	}
	return sum
}

var formats = []kernels.Format{kernels.F32, kernels.F16, kernels.BF16}

func TestMatMul(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 1))
		for _, f := range formats {
			for _, c := range []struct{ t, n, k int }{{1, 1, 1}, {1, 8, 5}, {3, 9, 7}, {2, 17, 33}, {5, 31, 64}, {13, 33, 6}, {4, 150, 3}} {
				x, w, bias := random(r, c.t*c.k), randomWeights(r, f, c.n*c.k), random(r, c.n)
				want, plain := make([]float32, c.t*c.n), make([]float32, c.t*c.n)
				for i := range c.n {
					for j := range c.t {
						plain[j*c.n+i] = chain(x[j*c.k:(j+1)*c.k], w.values[i*c.k:(i+1)*c.k])
						want[j*c.n+i] = plain[j*c.n+i] + bias[i]
					}
				}
				for what, m := range map[string]*kernels.Matrix{"Pack": w.pack(c.n, c.k), "PackTransposed": w.packTransposed(c.n, c.k)} {
					what = fmt.Sprint(what, " ", f, " ", c)
					got := make([]float32, len(want))
					kernels.MatMul(got, x, m, bias)
					sameBits(t, what, got, want)
					kernels.MatMul(got, x, m, nil)
					sameBits(t, what+" without bias", got, plain)
					row := make([]float32, c.k)
					m.Row(row, c.n-1)
					sameBits(t, what+" Row", row, w.values[(c.n-1)*c.k:])
					if m.Outputs() != c.n || m.Inputs() != c.k || m.Format() != f {
						t.Errorf("%s: %d outputs, %d inputs, %v", what, m.Outputs(), m.Inputs(), m.Format())
					}
				}
			}
		}
	})
}

// TestMatMulLevels is the promise of doc.go for products: the level, the rows beside, the threads, the blocking and rows that are set apart do
// not change a bit. The portable level itself is compared with package big above.
func TestMatMulLevels(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	const rows = 40
	for _, f := range append(formats, kernels.Int8) {
		for _, c := range []struct{ n, k int }{{1, 300}, {47, 257}, {129, 523}, {300, 9}, {35, 512}, {33, 1100}, {256, 768}} {
			if testing.Short() && c.k > 600 {
				continue
			}
			x, bias := random(r, rows*c.k), random(r, c.n)
			m := randomWeights(r, f, c.n*c.k).pack(c.n, c.k)
			want := make([]float32, rows*c.n)
			restore := kernels.Use("portable")
			kernels.MatMul(want, x, m, bias)
			restore()
			for _, level := range kernels.Levels() {
				restore := kernels.Use(level)
				for n := 1; n <= rows; n++ {
					first := r.IntN(rows - n + 1)
					if level == "portable" && n > 3 {
						break // it computes one row at a time
					}
					got := make([]float32, n*c.n)
					kernels.MatMul(got, x[first*c.k:(first+n)*c.k], m, bias)
					sameBits(t, fmt.Sprintf("%s %v %dx%d, %d rows from %d", level, f, c.n, c.k, n, first), got, want[first*c.n:(first+n)*c.n])
				}
				restore()
			}
		}
	}
}

func TestMatMulThreads(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 3))
		const n, k = 272, 1100
		rows := 300 // more than a block of them
		if name, _ := kernels.Level(); name == "portable" {
			rows = 4 // it has no blocks
		}
		x, m := random(r, rows*k), randomWeights(r, kernels.BF16, n*k).pack(n, k)
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		want := make([]float32, rows*n)
		kernels.MatMul(want, x, m, nil)
		for _, threads := range []int{2, 3, 7} {
			runtime.GOMAXPROCS(threads)
			var wg sync.WaitGroup
			for range 3 { // sessions at once
				wg.Go(func() {
					got := make([]float32, rows*n)
					kernels.MatMul(got, x, m, nil)
					for i := range got {
						if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
							t.Errorf("%d threads: value %d is %v, want %v", threads, i, got[i], want[i])
							return
						}
					}
				})
			}
			wg.Wait()
		}
	})
}

// TestMatMulSpecial has sums that overflow, vanish and are not numbers.
func TestMatMulSpecial(t *testing.T) {
	inf := float32(math.Inf(1))
	const k = 4
	x := []float32{1e38, 1e38, 1e38, -1e38, 0x1p-140, -0x1p-149, 0x1p-126, 0, inf, 1, -inf, 2, 0, 0, 0, 0}
	w := []float32{4, 1, -4, 1, 0x1p-5, 1, 0x1p-20, 1, 1, 1, 0, 1, -1, -1, -1, -1}
	eachLevel(t, func(t *testing.T) {
		got := make([]float32, 16)
		kernels.MatMul(got, x, kernels.Pack(w, k, k), nil)
		for i, v := range got {
			want := chain(x[i/4*k:(i/4+1)*k], w[i%4*k:(i%4+1)*k])
			if math.Float32bits(v) != math.Float32bits(want) && !(v != v && want != want) {
				t.Errorf("output %d is %v, want %v", i, v, want)
			}
		}
	})
}

func TestMatMulEmpty(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		kernels.MatMul(nil, nil, &kernels.Matrix{}, nil)
		m := kernels.Pack(nil, 0, 3)
		kernels.MatMul(nil, make([]float32, 3), m, nil)
		kernels.MatMul(nil, nil, kernels.Pack(make([]float32, 6), 2, 3), nil)
	})
}

// TestMatrixMemory packs and forgets matrices of all sizes: memory comes back and what is in use stays.
func TestMatrixMemory(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	keep := map[int]*kernels.Matrix{}
	for i := range 60 {
		n, k := 1+r.IntN(300), 1+r.IntN(300)
		if i == 7 && !testing.Short() {
			n, k = 3000, 6000 // larger than a chunk
		}
		m := kernels.Pack(constant(n*k, float32(i)), n, k)
		if m.Bytes() < 4*n*k || m.Bytes() > 4*(n+31)*k {
			t.Errorf("%d bytes for %d x %d", m.Bytes(), n, k)
		}
		if i%3 == 0 {
			keep[i] = m
		}
		if i%10 == 9 {
			runtime.GC()
		}
	}
	for i, m := range keep {
		row := make([]float32, m.Inputs())
		for out := range m.Outputs() {
			m.Row(row, out)
			sameBits(t, fmt.Sprint("matrix ", i), row, constant(len(row), float32(i)))
		}
	}
}

func constant(n int, v float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = v
	}
	return x
}
