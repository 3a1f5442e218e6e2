package cache

import (
	"encoding/binary"
	"math"
	"slices"
)

// Conversions between float32 and float16. Writing and reading rows are little else, so they are written out here; a
// test compares them with another implementation.

const (
	halfOverflow  = 0x477ff000 // 65520: from here on a float32 rounds to infinity; infinities and NaN are above it too
	halfSubnormal = 0x38800000 // 2^-14: below it a float16 has fewer digits
	signBit       = 1 << 31
)

// appendF16 rounds to nearest even. It fails for vectors with a value that is not finite or would overflow.
func appendF16(dst []byte, vec []float32) ([]byte, bool) {
	at := len(dst)
	dst = slices.Grow(dst, 2*len(vec))[:at+2*len(vec)]
	out := dst[at:]
	i := 0
	for ; i < len(vec)-3; i += 4 {
		v := vec[i : i+4 : i+4]
		b0, b1, b2, b3 := math.Float32bits(v[0]), math.Float32bits(v[1]), math.Float32bits(v[2]), math.Float32bits(v[3])
		if isNormalHalf(b0) && isNormalHalf(b1) && isNormalHalf(b2) && isNormalHalf(b3) {
			four := uint64(normalHalf(b0)|normalHalf(b1)<<16) | uint64(normalHalf(b2)|normalHalf(b3)<<16)<<32
			binary.LittleEndian.PutUint64(out[2*i:2*i+8], four)
		} else if !putHalves(out[2*i:], v) {
			return dst, false
		}
	}
	return dst, putHalves(out[2*i:], vec[i:])
}

func putHalves(out []byte, vec []float32) bool {
	for i, v := range vec {
		h, ok := floatToHalf(v)
		if !ok {
			return false
		}
		binary.LittleEndian.PutUint16(out[2*i:], h)
	}
	return true
}

// isNormalHalf tells the bits of values that become float16 with all their digits.
func isNormalHalf(bits uint32) bool {
	return bits&^signBit-halfSubnormal < halfOverflow-halfSubnormal
}

// normalHalf gives the exponent its other bias and adds half of the last digit that stays, less one bit if that is even.
func normalHalf(bits uint32) uint32 {
	return (bits&^signBit-112<<23+0xfff+bits>>13&1)>>13 | bits>>16&0x8000
}

func floatToHalf(v float32) (h uint16, ok bool) {
	bits := math.Float32bits(v)
	a := bits &^ signBit
	switch {
	case a >= halfOverflow:
		return 0, false
	case a >= halfSubnormal:
		return uint16(normalHalf(bits)), true
	}
	// The sum with 0.5 leaves a multiple of 2^-24 in the low bits, rounded by the processor.
	a = math.Float32bits(math.Float32frombits(a)+0.5) - math.Float32bits(0.5)
	return uint16(a | bits>>16&0x8000), true
}

// decodeF16 reads len(dst) values, four at a time.
func decodeF16(raw []byte, dst []float32) {
	const exponents, one, carry = 0x7c00_7c00_7c00_7c00, 0x0400_0400_0400_0400, 0x8000_8000_8000_8000
	raw = raw[:2*len(dst)]
	for len(dst) >= 4 {
		w := binary.LittleEndian.Uint64(raw)
		d := dst[:4:4]
		if (w&exponents+one)&carry == 0 {
			d[0], d[1], d[2], d[3] = finiteHalf(uint32(w)), finiteHalf(uint32(w>>16)), finiteHalf(uint32(w>>32)), finiteHalf(uint32(w>>48))
		} else {
			for i := range d {
				d[i] = halfToFloat(uint16(w >> (16 * i)))
			}
		}
		raw, dst = raw[8:], dst[4:]
	}
	for i := range dst {
		dst[i] = halfToFloat(binary.LittleEndian.Uint16(raw[2*i:]))
	}
}

// finiteHalf puts exponent and digits of a float16 where a float32 has them, and makes good for the difference of the
// biases; that is exact, for subnormal numbers too.
func finiteHalf(h uint32) float32 {
	return math.Float32frombits(h&0x7fff<<13|h&0x8000<<16) * 0x1p112
}

func halfToFloat(h uint16) float32 {
	if h&0x7c00 == 0x7c00 { // infinities, and NaN with its digits
		return math.Float32frombits(uint32(h&0x8000)<<16 | 0x7f800000 | uint32(h&0x3ff)<<13)
	}
	return finiteHalf(uint32(h))
}
