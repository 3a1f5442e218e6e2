package kernels

import (
	"math"
	"runtime"
	"sync"
	"unsafe"
)

// A matrix of format Int8 approximates weights by 8-bit integers. groupInputs inputs of an output share a float32 scale, and so do the
// same inputs of a row of MatMul's x, which is rounded likewise:
//
//	Σ over groups, ascending, of (Σ qx qw) sx sw
//
// The inner sum is of integers, and exact; float32 holds it. Its product with sx is rounded, and then one fused multiply-add adds
// it to the chain, which starts from zero. A short last group is filled with zeros.
//
// A group of a panel is [16 quads][16 outputs][4 inputs] bytes, each a weight plus 128, and 16 scales. A group of a row is its
// inputs as signed bytes, their scale, and -128 times their sum as an int32: what the offset of the weights adds, negated.
const (
	groupInputs  = 64
	groupWeights = groupInputs*panel + 4*panel // bytes
	groupRow     = groupInputs/4 + 2           // words of 4 bytes
)

func groups(k int) int { return (k + groupInputs - 1) / groupInputs }

// Int8 returns an approximation of m that takes 17/16 bytes for a weight. Each group of 64 inputs of an output is rounded to
// the nearest of 255 steps between its largest magnitude and minus that; MatMul does the same with the rows of x. The weights of m must
// be finite; a row of x that is not gives NaN, and one beyond 2^112 may overflow early.
func (m *Matrix) Int8() *Matrix {
	if m.format == Int8 {
		return m
	}
	q := &Matrix{n: m.n, k: m.k, format: Int8}
	size := groups(m.k) * groupWeights
	q.data, q.owner = allocate(q.panels() * size)
	Parallel(m.panels(), m.n*m.k, func(lo, hi int) {
		panelWeights := make([]float32, m.k*panel)
		column, row := make([]float32, groupInputs), make([]float32, groupRow)
		for p := lo; p < hi; p++ {
			m.widen(panelWeights, p)
			for g := range groups(m.k) {
				to := q.data[p*size+g*groupWeights:][:groupWeights]
				quads, scales := view[uint32](to[:groupInputs*panel]), view[float32](to[groupInputs*panel:])
				inputs := panelWeights[g*groupInputs*panel : min((g+1)*groupInputs, m.k)*panel]
				for j := range panel {
					clear(column)
					for i := j; i < len(inputs); i += panel {
						column[i/panel] = inputs[i]
					}
					quantizeRow(row, column)
					scales[j] = row[groupRow-2]
					for i := range groupInputs / 4 {
						quads[i*panel+j] = math.Float32bits(row[i]) ^ 0x80808080 // plus 128, byte by byte
					}
				}
			}
		}
	})
	runtime.KeepAlive(m)
	return q
}

// quantize rounds x to steps and returns the size of a step; NaN when x is not finite.
func quantize(steps *[groupInputs]int8, x *[groupInputs]float32) (scale float32) {
	var top uint32 // magnitudes compare as their bits
	for _, v := range x {
		top = max(top, math.Float32bits(v)&^(1<<31))
	}
	const infinity = 0xff << 23
	// A group below this gets steps of no size: the inverse of a smaller one would overflow.
	const least = 0x1p-100
	most := math.Float32frombits(top)
	switch {
	case top >= infinity:
		clear(steps[:])
		return float32(math.NaN())
	case most < least:
		clear(steps[:])
		return 0
	}
	inverse := 127 / most
	// Adding 1.5 * 2^23 rounds to an integer, to even at half, that stands in the last bits.
	const magic = 3 << 22
	for i, v := range x {
		scaled := float32(v * inverse)
		steps[i] = int8(math.Float32bits(scaled+magic) - math.Float32bits(magic))
	}
	return most / 127
}

// int8Rows are the quantized inputs of one call: [rows, groups, groupRow] words.
type int8Rows struct{ words []float32 }

var int8Pool = sync.Pool{New: func() any { return &int8Rows{} }}

// set quantizes rows x [T, K].
func (q *int8Rows) set(x []float32, k int) {
	rows, n := len(x)/k, groups(k)
	if need := rows * n * groupRow; cap(q.words) < need {
		q.words = make([]float32, need)
	} else {
		q.words = q.words[:need]
	}
	Parallel(rows, len(x), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			quantizeRow(q.words[r*n*groupRow:(r+1)*n*groupRow], x[r*k:(r+1)*k])
		}
	})
}

// quantizeRow writes the groups of a row.
func quantizeRow(to, x []float32) {
	if whole := len(x) / groupInputs; active != portable && whole > 0 {
		quantizeGroups(to, x, whole)
		to, x = to[whole*groupRow:], x[whole*groupInputs:]
	}
	for ; len(x) > 0; to, x = to[groupRow:], x[min(groupInputs, len(x)):] {
		quantizeGroup(to, x[:min(groupInputs, len(x))])
	}
}

// quantizeGroup writes one group of a row; short ones get zeros.
func quantizeGroup(to, x []float32) {
	var group [groupInputs]float32
	copy(group[:], x)
	steps := (*[groupInputs]int8)(unsafe.Pointer(&to[0]))
	to[groupRow-2] = quantize(steps, &group)
	var sum int32
	for _, s := range steps {
		sum += int32(s)
	}
	*(*int32)(unsafe.Pointer(&to[groupRow-1])) = -128 * sum
}

// portableInt8 is the twin of the assembly in Go; x holds the rows that int8Rows.set made.
func (m *product) portableInt8(rows int) {
	n, size := groups(m.w.k), groups(m.w.k)*groupWeights
	Parallel((m.w.n+panel-1)/panel, rows*m.w.n*m.w.k, func(lo, hi int) {
		for p := lo; p < hi; p++ {
			for r := range rows {
				var sum [panel]float32
				for g := range n {
					row := m.x[(r*n+g)*groupRow:][:groupRow]
					steps := (*[groupInputs]int8)(unsafe.Pointer(&row[0]))
					weights := m.w.data[p*size+g*groupWeights:][:groupWeights]
					scales := view[float32](weights[groupInputs*panel:])
					for j := range sum {
						var dot int32
						for i, s := range steps {
							dot += int32(s) * (int32(weights[i/4*4*panel+4*j+i%4]) - 128)
						}
						sum[j] = fma32(float32(float32(dot)*row[groupRow-2]), scales[j], sum[j])
					}
				}
				for j, s := range sum[:min(panel, m.w.n-p*panel)] {
					if m.bias != nil {
						s += m.bias[p*panel+j]
					}
					m.dst[r*m.w.n+p*panel+j] = s
				}
			}
		}
	})
}

// int8Row is Row of a matrix of format Int8.
func (m *Matrix) int8Row(dst []float32, out int) {
	size, j := groups(m.k)*groupWeights, out%panel
	for i := range dst {
		g, in := i/groupInputs, i%groupInputs
		weights := m.data[out/panel*size+g*groupWeights:][:groupWeights]
		step := int(weights[in/4*4*panel+4*j+in%4]) - 128
		dst[i] = float32(step) * view[float32](weights[groupInputs*panel:])[j]
	}
}
