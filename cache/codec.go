package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// dtype says how the values of a vector or chunk are stored.
type dtype byte

const (
	dtypeF16      dtype = 1
	dtypeF32      dtype = 2 // because the codec's own type cannot hold it
	dtypeInt8     dtype = 3
	dtypeArrayF32 dtype = 4 // by choice: the type of the zarr array
)

// size is the bytes of a vector of d values.
func (t dtype) size(d int) int {
	switch t {
	case dtypeF32, dtypeArrayF32:
		return 4 * d
	case dtypeInt8:
		return 4 + 6*outliers(d) + d
	}
	return 2 * d
}

// fits reports whether a vector of the type may stand in a layout.
func (l layout) fits(t dtype) bool { return t == dtypeF32 || t == l.codec.natural() }

// encRow is one token in its final form: a byte of dtype per stored row, then the vectors. It is made once, when the
// token is captured; tail, blocks and memory only copy it. The decoded bits of a vector do not depend on its
// neighbours.
type encRow []byte

// maxEncRow bounds an encRow in a segment.
func maxEncRow(l layout) int { return l.Rows + 4*l.values() + 64*l.Rows }

// encodeRow encodes the rows of the layout out of resid, all rows of the space.
func encodeRow(l layout, resid []float32) encRow {
	enc := make([]byte, l.Rows, l.Rows+l.Rows*l.codec.natural().size(l.DModel))
	for i := range l.Rows {
		r := i
		if l.layers != nil {
			r = l.layers[i]
		}
		vec := resid[r*l.DModel : (r+1)*l.DModel]
		var t dtype
		enc, t = appendVector(enc, l.codec, vec)
		enc[i] = byte(t)
	}
	return enc
}

// appendVector encodes a vector by the codec, or as float32 if a value does not fit.
func appendVector(dst []byte, c Codec, vec []float32) ([]byte, dtype) {
	start, ok := len(dst), false
	switch c {
	case CodecF16:
		dst, ok = appendF16(dst, vec)
	case CodecCompact:
		dst, ok = appendInt8(dst, vec)
	case CodecF32:
		return appendF32(dst, vec), dtypeArrayF32
	}
	if ok {
		return dst, c.natural()
	}
	return appendF32(dst[:start], vec), dtypeF32
}

func appendF32(dst []byte, vec []float32) []byte {
	for _, v := range vec {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
	}
	return dst
}

// maxOutliers is the number of columns of a vector of at least 512 values that int8 keeps exactly. A few dimensions of
// the residual stream are a hundred times larger than the others; without them the scale would be theirs.
const maxOutliers = 8

func outliers(d int) int { return min(maxOutliers, (d+63)/64) }

// maxInt8 is the longest vector of int8: its columns have to fit 16 bits.
const maxInt8 = 1 << 16

// appendInt8 writes the scale, the columns and the values of the outliers, and an int8 for each value, zero for
// outliers. It fails for vectors that are too long or have a value that is not finite.
func appendInt8(dst []byte, vec []float32) ([]byte, bool) {
	if len(vec) > maxInt8 {
		return dst, false
	}
	var best [maxOutliers]int // columns by falling magnitude, the lower one first among equals
	k := outliers(len(vec))
	n := 0
	for i, v := range vec {
		a := abs32(v)
		if !(a <= math.MaxFloat32) {
			return dst, false
		}
		if n == k && a <= abs32(vec[best[n-1]]) {
			continue
		}
		if n < k {
			n++
		}
		j := n - 1
		for ; j > 0 && a > abs32(vec[best[j-1]]); j-- {
			best[j] = best[j-1]
		}
		best[j] = i
	}
	cols := best[:n]
	slices.Sort(cols)
	var largest float32
	next := 0
	for i, v := range vec {
		if next < n && cols[next] == i {
			next++
			continue
		}
		largest = max(largest, abs32(v))
	}
	scale := largest / 127
	if scale == 0 && largest > 0 {
		return dst, false
	}
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, math.Float32bits(scale))
	for _, i := range cols {
		dst = le.AppendUint16(dst, uint16(i))
	}
	for _, i := range cols {
		dst = le.AppendUint32(dst, math.Float32bits(vec[i]))
	}
	next = 0
	for i, v := range vec {
		var q int8
		switch {
		case next < n && cols[next] == i:
			next++
		case scale > 0:
			q = int8(math.RoundToEven(min(max(float64(v)/float64(scale), -127), 127)))
		}
		dst = append(dst, byte(q))
	}
	return dst, true
}

func abs32(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }

// decodeInt8 refuses nothing: a column outside the vector, which only a file made on purpose has, is passed over.
func decodeInt8(raw []byte, dst []float32) {
	le := binary.LittleEndian
	k := outliers(len(dst))
	scale := math.Float32frombits(le.Uint32(raw))
	cols, exact, q := raw[4:4+2*k], raw[4+2*k:4+6*k], raw[4+6*k:]
	for i := range dst {
		dst[i] = float32(int8(q[i])) * scale
	}
	for j := range k {
		if i := int(le.Uint16(cols[2*j:])); i < len(dst) {
			dst[i] = math.Float32frombits(le.Uint32(exact[4*j:]))
		}
	}
}

// parseRow checks that p is an encoded row of the layout and copies it.
func parseRow(l layout, p []byte) (encRow, error) {
	if len(p) < l.Rows {
		return nil, fmt.Errorf("row of %d bytes is shorter than its %d types", len(p), l.Rows)
	}
	want := l.Rows
	for _, t := range p[:l.Rows] {
		if !l.fits(dtype(t)) {
			return nil, fmt.Errorf("value type %d is not one of codec %s", t, l.codec)
		}
		want += dtype(t).size(l.DModel)
	}
	if len(p) != want {
		return nil, fmt.Errorf("row of %d bytes, %d expected", len(p), want)
	}
	return append(encRow(nil), p...), nil
}

// vectors calls fn with the type and bytes of each vector.
func (e encRow) vectors(l layout, fn func(r int, t dtype, raw []byte)) {
	off := l.Rows
	for r := range l.Rows {
		t := dtype(e[r])
		n := t.size(l.DModel)
		fn(r, t, e[off:off+n])
		off += n
	}
}

// decode writes the stored rows at to dst [len(at), d_model].
func (e encRow) decode(l layout, at []int, dst []float32) {
	e.vectors(l, func(r int, t dtype, raw []byte) {
		for i, want := range at {
			if want == r {
				decodeValues(t, raw, dst[i*l.DModel:(i+1)*l.DModel])
			}
		}
	})
}

// block is some tokens of rows, as in its file but not compressed. It is immutable: many readers hold it at once.
type block struct {
	key    blockKey
	lay    layout
	chunks []chunk // one per row; without bytes where only others were read
}

// chunk is one row of the block's tokens, [Block, d_model], little-endian. It has the type of its vectors, or is
// float32 if they differ; the others are then widened, which keeps their values.
type chunk struct {
	t   dtype
	raw []byte
}

// newBlock gathers encoded tokens.
func newBlock(key blockKey, l layout, toks []encRow) (*block, error) {
	if len(toks) != l.Block {
		return nil, errors.New("a block needs all its tokens")
	}
	b := &block{key: key, lay: l, chunks: make([]chunk, l.Rows)}
	for r := range b.chunks {
		t := dtype(toks[0][r])
		for _, e := range toks {
			if dtype(e[r]) != t {
				t = dtypeF32
			}
		}
		b.chunks[r] = chunk{t, make([]byte, 0, l.Block*t.size(l.DModel))}
	}
	vec := make([]float32, l.DModel)
	for _, e := range toks {
		e.vectors(l, func(r int, t dtype, raw []byte) {
			c := &b.chunks[r]
			if t == c.t {
				c.raw = append(c.raw, raw...)
				return
			}
			decodeValues(t, raw, vec)
			c.raw = appendF32(c.raw, vec)
		})
	}
	return b, nil
}

// decode writes the stored rows at of token i to dst [len(at), d_model].
func (b *block) decode(i int, at []int, dst []float32) {
	d := b.lay.DModel
	for j, r := range at {
		c := b.chunks[r]
		n := c.t.size(d)
		decodeValues(c.t, c.raw[i*n:(i+1)*n], dst[j*d:(j+1)*d])
	}
}

// row gives token i in its encoded form.
func (b *block) row(i int) encRow {
	out := make([]byte, b.lay.Rows)
	for r, c := range b.chunks {
		n := c.t.size(b.lay.DModel)
		out[r] = byte(c.t)
		out = append(out, c.raw[i*n:(i+1)*n]...)
	}
	return out
}

// cost is what the block takes in memory, in bytes.
func (b *block) cost() int64 {
	n := int64(256)
	for _, c := range b.chunks {
		n += int64(len(c.raw)) + 32
	}
	return n
}

func decodeValues(t dtype, raw []byte, dst []float32) {
	switch t {
	case dtypeF32, dtypeArrayF32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	case dtypeInt8:
		decodeInt8(raw, dst)
	default:
		decodeF16(raw, dst)
	}
}
