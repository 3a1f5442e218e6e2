package cache

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/x448/float16"
)

// Every float16 is read as another implementation reads it, alone and among others.
func TestHalfToFloat(t *testing.T) {
	raw := make([]byte, 2<<16)
	for h := range 1 << 16 {
		binary.LittleEndian.PutUint16(raw[2*h:], uint16(h))
	}
	all := make([]float32, 1<<16)
	decodeF16(raw, all)
	for h, got := range all {
		want := float16.Frombits(uint16(h))
		if want.IsNaN() != (got != got) || got == got && math.Float32bits(got) != math.Float32bits(want.Float32()) {
			t.Fatalf("%#04x is %v, want %v", h, got, want.Float32())
		}
		if alone := halfToFloat(uint16(h)); math.Float32bits(alone) != math.Float32bits(got) {
			t.Fatalf("%#04x is %v alone and %v among others", h, alone, got)
		}
	}
	for n := range 9 { // the rest of a vector that four do not divide
		got := make([]float32, n)
		decodeF16(raw[2*0x3c00:], got)
		for i, v := range got {
			if v != all[0x3c00+i] {
				t.Errorf("value %d of %d is %v", i, n, v)
			}
		}
	}
}

// Rounding agrees with another implementation where it is decided: halfway between neighbours, a bit beside it, and at
// random. What would not be finite is refused.
func TestFloatToHalf(t *testing.T) {
	try := func(bits uint32) {
		want := float16.Fromfloat32(math.Float32frombits(bits)).Bits()
		got, ok := appendF16(nil, []float32{math.Float32frombits(bits)})
		if finite := want&0x7c00 != 0x7c00; ok != finite || ok && binary.LittleEndian.Uint16(got) != want {
			t.Fatalf("%#08x (%v) is %x, %v, want %#04x", bits, math.Float32frombits(bits), got, ok, want)
		}
		many := []float32{1, -2, math.Float32frombits(bits), 4, 5, 0}
		if got, also := appendF16(nil, many); also != ok || ok && (len(got) != 12 || binary.LittleEndian.Uint16(got[4:]) != want || binary.LittleEndian.Uint16(got[6:]) != 0x4400) {
			t.Fatalf("%#08x among others is %x, %v", bits, got, also)
		}
	}
	for h := range uint32(0x7c00) {
		a, b := float16.Frombits(uint16(h)).Float32(), float16.Frombits(uint16(h+1)).Float32()
		if h+1 == 0x7c00 {
			b = 65536
		}
		middle := math.Float32bits((a + b) / 2)
		for _, bits := range []uint32{math.Float32bits(a), middle - 1, middle, middle + 1} {
			try(bits)
			try(bits | signBit)
		}
	}
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 1 << 20 {
		try(rnd.Uint32())
	}
	for _, bits := range []uint32{0, 1, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc00000, 0x33000000, 0x33000001} {
		try(bits)
		try(bits | signBit)
	}
}
