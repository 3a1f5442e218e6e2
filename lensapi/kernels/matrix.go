package kernels

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"unsafe"

	"github.com/x448/float16"
)

// panel is how many outputs lie side by side in a packed matrix. The number of panels is even, so that a kernel can
// always take two.
const panel = 16

// Format is how a Matrix stores its weights.
type Format int

// Kernels widen F32, F16 and BF16 to float32, which is exact. Int8 is an approximation; see Matrix.Int8.
const (
	F32  Format = iota
	F16         // IEEE 754 binary16
	BF16        // the upper half of a float32
	Int8        // 8-bit integers with a scale for each 64 inputs of an output
)

func (f Format) String() string { return [...]string{"F32", "F16", "BF16", "Int8"}[f] }

// width is the bytes of a weight of an exact format.
func (f Format) width() int {
	if f == F32 {
		return 4
	}
	return 2
}

// Matrix is a weight matrix of N outputs by K inputs, packed once for MatMul. The zero Matrix has no outputs.
// It is never changed after packing. Large matrices lie outside the Go heap, in huge pages where the system has
// them, and are given back some time after the last use of the Matrix.
type Matrix struct {
	n, k   int
	format Format
	data   []byte // [panels, K, 16] weights, but see int8.go; outputs past N are zero
	owner  *chunk // keeps data alive
}

// The weights given to the functions that pack may be a mapped file. When it is cut short while it is read, they panic with the
// error of the fault, as package runtime/debug does for a goroutine of its own.

// Pack packs w, row-major [n, k]: one row per output, as torch's Linear stores it.
func Pack(w []float32, n, k int) *Matrix { return pack(F32, w, n, k, false) }

// PackTransposed packs w, row-major [k, n]: one column per output, as GPT-2's Conv1D stores it.
func PackTransposed(w []float32, k, n int) *Matrix { return pack(F32, w, n, k, true) }

// PackBits is Pack of weights that are 16 bits wide, F16 or BF16.
func PackBits(f Format, w []uint16, n, k int) *Matrix { return pack(f, w, n, k, false) }

// PackBitsTransposed is PackTransposed of weights that are 16 bits wide, F16 or BF16.
func PackBitsTransposed(f Format, w []uint16, k, n int) *Matrix { return pack(f, w, n, k, true) }

func pack[T float32 | uint16](f Format, w []T, n, k int, transposed bool) *Matrix {
	var t T
	if f == Int8 || int(unsafe.Sizeof(t)) != f.width() {
		panic(fmt.Sprintf("kernels: %T is not %v", w, f))
	}
	m := &Matrix{n: n, k: k, format: f}
	m.data, m.owner = allocate(m.panels() * panel * k * f.width())
	dst := view[T](m.data)
	Parallel(m.panels(), n*k, func(lo, hi int) {
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		for p := lo; p < hi; p++ {
			to := dst[p*panel*k : (p+1)*panel*k]
			first := min(p*panel, n)
			cols := min(panel, n-first)
			if transposed {
				for in := range k {
					copy(to[in*panel:], w[in*n+first:in*n+first+cols])
				}
			} else {
				packRows(to, w[first*k:], cols, k)
			}
		}
	})
	return m
}

// packRows writes the rows of w [cols, k] as the columns of a panel.
func packRows[T float32 | uint16](to, w []T, cols, k int) {
	// A few inputs at a time: the panel's lines stay in the cache until all their columns are there.
	const block = 64
	for in := 0; in < k; in += block {
		end := min(in+block, k)
		for c := range cols {
			for i, v := range w[c*k+in : c*k+end] {
				to[(in+i)*panel+c] = v
			}
		}
	}
}

// view is the bytes as numbers.
func view[T float32 | uint16 | uint32](b []byte) []T {
	if len(b) == 0 {
		return nil
	}
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(t)))
}

// panels is the number of panels that are stored, even.
func (m *Matrix) panels() int { return (m.n + 2*panel - 1) / (2 * panel) * 2 }

// Drop gives the memory of the weights back at once, and not some time after the last use of m, after which it must not be used.
func (m *Matrix) Drop() {
	if m.owner != nil {
		dropMemory(m.data)
	}
}

// Outputs is N; Inputs is K.
func (m *Matrix) Outputs() int { return m.n }

// Inputs is K.
func (m *Matrix) Inputs() int { return m.k }

// Format is how the weights are stored.
func (m *Matrix) Format() Format { return m.format }

// Bytes is the memory of the weights: what one MatMul of few rows reads.
func (m *Matrix) Bytes() int { return len(m.data) }

// Row copies the weights of one output into dst [K]: a row of an embedding table.
func (m *Matrix) Row(dst []float32, out int) {
	dst = dst[:m.k]
	at := out/panel*panel*m.k + out%panel
	switch m.format {
	case F32:
		for i, w := 0, view[float32](m.data)[at:]; i < len(dst); i++ {
			dst[i] = w[i*panel]
		}
	case F16:
		for i, w := 0, view[uint16](m.data)[at:]; i < len(dst); i++ {
			dst[i] = float16.Frombits(w[i*panel]).Float32()
		}
	case BF16:
		for i, w := 0, view[uint16](m.data)[at:]; i < len(dst); i++ {
			dst[i] = fromBF16(w[i*panel])
		}
	case Int8:
		m.int8Row(dst, out)
	}
	runtime.KeepAlive(m)
}

// widen writes panel p of an exact format as float32: dst [K, 16].
func (m *Matrix) widen(dst []float32, p int) {
	at := p * panel * m.k
	switch m.format {
	case F32:
		copy(dst, view[float32](m.data)[at:])
	case F16:
		for i, w := range view[uint16](m.data)[at : at+len(dst)] {
			dst[i] = float16.Frombits(w).Float32()
		}
	case BF16:
		for i, w := range view[uint16](m.data)[at : at+len(dst)] {
			dst[i] = fromBF16(w)
		}
	}
}

func fromBF16(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }
