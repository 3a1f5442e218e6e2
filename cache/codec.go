package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/x448/float16"
)

// dtype says how the values of a vector or chunk are stored.
type dtype byte

const (
	dtypeF16 dtype = 1
	dtypeF32 dtype = 2
)

func (t dtype) size() int {
	if t == dtypeF32 {
		return 4
	}
	return 2
}

// encRow is one token in its final form: rows bytes of dtype, then the vectors. It is made once, when the token is
// captured; tail, blocks and memory only copy it. A vector [d_model] is f16, or f32 if any of its values is not
// finite or would overflow, so the decoded bits of a vector do not depend on its neighbours.
type encRow []byte

// maxEncRow bounds an encRow in a segment.
func maxEncRow(sp Space) int { return sp.Rows + 4*sp.values() }

// encodeRow encodes resid [rows, d_model].
func encodeRow(sp Space, resid []float32) encRow {
	enc := make([]byte, sp.Rows, sp.Rows+2*sp.values())
	for r := range sp.Rows {
		vec := resid[r*sp.DModel : (r+1)*sp.DModel]
		start := len(enc)
		enc[r] = byte(dtypeF16)
		for _, v := range vec {
			h := float16.Fromfloat32(v).Bits()
			if h&0x7c00 == 0x7c00 { // overflow, infinity or NaN
				enc[r] = byte(dtypeF32)
				break
			}
			enc = append(enc, byte(h), byte(h>>8))
		}
		if enc[r] == byte(dtypeF32) {
			enc = enc[:start]
			for _, v := range vec {
				enc = binary.LittleEndian.AppendUint32(enc, math.Float32bits(v))
			}
		}
	}
	return enc
}

// parseRow checks that p is an encoded row of the space and copies it.
func parseRow(sp Space, p []byte) (encRow, error) {
	if len(p) < sp.Rows {
		return nil, fmt.Errorf("row of %d bytes is shorter than its %d types", len(p), sp.Rows)
	}
	want := sp.Rows
	for _, t := range p[:sp.Rows] {
		if t != byte(dtypeF16) && t != byte(dtypeF32) {
			return nil, fmt.Errorf("unknown value type %d", t)
		}
		want += sp.DModel * dtype(t).size()
	}
	if len(p) != want {
		return nil, fmt.Errorf("row of %d bytes, %d expected", len(p), want)
	}
	return append(encRow(nil), p...), nil
}

// vectors calls fn with the type and bytes of each vector.
func (e encRow) vectors(sp Space, fn func(r int, t dtype, raw []byte)) {
	off := sp.Rows
	for r := range sp.Rows {
		t := dtype(e[r])
		n := sp.DModel * t.size()
		fn(r, t, e[off:off+n])
		off += n
	}
}

// decode writes the token to dst [rows, d_model].
func (e encRow) decode(sp Space, dst []float32) {
	e.vectors(sp, func(r int, t dtype, raw []byte) {
		decodeValues(t, raw, dst[r*sp.DModel:(r+1)*sp.DModel])
	})
}

// block is 16 tokens of rows, as in its file but not compressed. It is immutable: many readers hold it at once.
type block struct {
	key    blockKey
	sp     Space
	chunks []chunk // one per row
}

// chunk is one row of 16 tokens, [16, d_model], little-endian. It is f16, or f32 if one of its vectors is; vectors
// that were f16 are then widened, which keeps their values.
type chunk struct {
	t   dtype
	raw []byte
}

// newBlock gathers 16 encoded tokens.
func newBlock(key blockKey, sp Space, toks []encRow) (*block, error) {
	if len(toks) != BlockTokens {
		return nil, errors.New("a block needs 16 tokens")
	}
	b := &block{key: key, sp: sp, chunks: make([]chunk, sp.Rows)}
	for r := range b.chunks {
		b.chunks[r].t = dtypeF16
		for _, e := range toks {
			if dtype(e[r]) == dtypeF32 {
				b.chunks[r].t = dtypeF32
			}
		}
		b.chunks[r].raw = make([]byte, 0, BlockTokens*sp.DModel*b.chunks[r].t.size())
	}
	vec := make([]float32, sp.DModel)
	for _, e := range toks {
		e.vectors(sp, func(r int, t dtype, raw []byte) {
			c := &b.chunks[r]
			if t == c.t {
				c.raw = append(c.raw, raw...)
				return
			}
			decodeValues(t, raw, vec)
			for _, v := range vec {
				c.raw = binary.LittleEndian.AppendUint32(c.raw, math.Float32bits(v))
			}
		})
	}
	return b, nil
}

// decode writes token i of the block to dst [rows, d_model].
func (b *block) decode(i int, dst []float32) {
	d := b.sp.DModel
	for r, c := range b.chunks {
		n := d * c.t.size()
		decodeValues(c.t, c.raw[i*n:(i+1)*n], dst[r*d:(r+1)*d])
	}
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
	if t == dtypeF32 {
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		return
	}
	raw = raw[:2*len(dst)]
	for i := range dst {
		dst[i] = halfToFloat(binary.LittleEndian.Uint16(raw[2*i:]))
	}
}

// halfToFloat is float16's conversion, inlined: reading rows is the hot path of a click.
func halfToFloat(h uint16) float32 {
	sign, exp, frac := uint32(h&0x8000)<<16, uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exp {
	case 0: // zero and subnormals: frac * 2^-24, exact in float32
		return math.Float32frombits(sign | math.Float32bits(float32(frac)*0x1p-24))
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
