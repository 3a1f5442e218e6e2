package lens

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A record is all that a click needs of one position, stored exactly with its token. Little endian:
//
//	byte   version (1)
//	u16    rows
//	u16    k
//	byte   1 when the token was scored by the position before it, else 0
//	rows x { f64 entropy, f64 kl, f64 log_partition,
//	         f64 logprob, u32 rank of the model's own first choice at this position,
//	         k x { u32 id, f32 logit },
//	         if scored: f64 logprob, u32 rank of this token as seen from the position before }
//
// The score of token p is stored with p, not with p-1, because it is known only when p has come.
type record struct {
	rows []row
	self []score // nil for the first token
}

const (
	recordVersion = 1
	recordHeader  = 6
	maxTop        = 1000 // candidates per cell: bounds a record to about 8 kB a row
)

func (r record) encode() []byte {
	k := len(r.rows[0].top)
	b := make([]byte, 0, recordHeader+len(r.rows)*(48+8*k))
	b = append(b, recordVersion)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(r.rows)))
	b = binary.LittleEndian.AppendUint16(b, uint16(k))
	if r.self != nil {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	f64 := func(x float64) { b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x)) }
	put := func(s score) {
		f64(s.logprob)
		b = binary.LittleEndian.AppendUint32(b, uint32(s.rank))
	}
	for i, row := range r.rows {
		f64(row.entropy)
		f64(row.kl)
		f64(row.logPartition)
		put(row.answer)
		for _, h := range row.top {
			b = binary.LittleEndian.AppendUint32(b, uint32(h.id))
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(h.logit))
		}
		if r.self != nil {
			put(r.self[i])
		}
	}
	return b
}

// decodeRecord reads what encode wrote, for a model with the given number of rows and vocabulary; the bytes come from disk and are not trusted.
func decodeRecord(b []byte, rows, dVocab int) (record, error) {
	if len(b) < recordHeader {
		return record{}, fmt.Errorf("lens record of %d bytes is shorter than its header of %d", len(b), recordHeader)
	}
	if b[0] != recordVersion {
		return record{}, fmt.Errorf("lens record of version %d; this program reads version %d", b[0], recordVersion)
	}
	n, k := int(binary.LittleEndian.Uint16(b[1:])), int(binary.LittleEndian.Uint16(b[3:]))
	scored := b[5] == 1
	size := n * (36 + 8*k)
	if scored {
		size += n * 12
	}
	if b[5] > 1 || n != rows || k < 1 || k > min(maxTop, dVocab) || len(b) != recordHeader+size {
		return record{}, fmt.Errorf("lens record of %d bytes does not hold %d rows of %d candidates", len(b), rows, k)
	}
	b = b[recordHeader:]
	u32 := func() uint32 { x := binary.LittleEndian.Uint32(b); b = b[4:]; return x }
	f64 := func() float64 { x := math.Float64frombits(binary.LittleEndian.Uint64(b)); b = b[8:]; return x }
	r := record{rows: make([]row, n)}
	if scored {
		r.self = make([]score, n)
	}
	for i := range r.rows {
		w := &r.rows[i]
		w.entropy, w.kl, w.logPartition = f64(), f64(), f64()
		w.answer = score{f64(), int(u32())}
		w.top = make([]hit, k)
		for j := range w.top {
			w.top[j] = hit{int(u32()), math.Float32frombits(u32())}
			if w.top[j].id >= dVocab {
				return record{}, fmt.Errorf("lens record names token %d; the vocabulary has %d", w.top[j].id, dVocab)
			}
		}
		if scored {
			r.self[i] = score{f64(), int(u32())}
		}
	}
	return r, nil
}
