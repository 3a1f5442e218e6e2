package cache

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// FuzzRow: an encoded row is either refused or decodes; what it decodes to is encoded to values that stay the same,
// unless the codec rounds them: int8 always, and a vector of float32 that this time fits f16.
func FuzzRow(f *testing.F) {
	for i, l := range testLayouts {
		f.Add([]byte(encodeRow(l, make([]float32, 3*l.DModel))), i)
		f.Add([]byte{2, 1, 1}, i)
	}
	f.Fuzz(func(t *testing.T, data []byte, i int) {
		l := testLayouts[uint(i)%uint(len(testLayouts))]
		row, err := parseRow(l, data)
		if err != nil {
			return
		}
		v := make([]float32, l.values())
		row.decode(l, seqTo(l.Rows), v)
		if l.codec == CodecCompact {
			return
		}
		w := make([]float32, len(v))
		again := encodeRow(l, v)
		again.decode(l, seqTo(l.Rows), w)
		for i := range v {
			rounded := dtype(row[i/l.DModel]) == dtypeF32 && dtype(again[i/l.DModel]) == dtypeF16
			// A chunk of type f16 that holds infinities is never written by us; reading it must not invent numbers.
			if !rounded && math.Float32bits(v[i]) != math.Float32bits(w[i]) {
				t.Fatalf("value %d is %v, then %v", i, v[i], w[i])
			}
		}
	})
}

// int8 keeps its outliers to the bit and the rest within half a step of the largest that remains.
func TestInt8(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, d := range []int{1, 2, 63, 64, 65, 768, 4096} {
		for trial := range 50 {
			vec := make([]float32, d)
			for i := range vec {
				vec[i] = float32(rnd.NormFloat64())
			}
			if trial%2 == 0 {
				vec[rnd.IntN(d)] = 2800
				vec[d-1] = -300
			}
			enc, ok := appendInt8(nil, vec)
			if !ok || len(enc) != dtypeInt8.size(d) {
				t.Fatalf("%d bytes for %d values", len(enc), d)
			}
			got := make([]float32, d)
			decodeInt8(enc, got)
			sorted := slices.Clone(vec)
			slices.SortFunc(sorted, func(a, b float32) int { return cmp.Compare(abs32(b), abs32(a)) })
			step := float32(0)
			if k := outliers(d); k < d {
				step = abs32(sorted[k]) / 127
			}
			exact := 0
			for i := range vec {
				if got[i] == vec[i] {
					exact++
				}
				if abs32(got[i]-vec[i]) > step/2*1.0001 {
					t.Fatalf("value %d of %d: %v became %v with steps of %v", i, d, vec[i], got[i], step)
				}
			}
			if exact < outliers(d) {
				t.Fatalf("%d values exact of %d, %d outliers", exact, d, outliers(d))
			}
		}
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(-1))} {
		if _, ok := appendInt8(nil, []float32{1, bad}); ok {
			t.Errorf("%v accepted", bad)
		}
	}
	if _, ok := appendInt8(nil, []float32{2, math.SmallestNonzeroFloat32}); ok {
		t.Error("a scale of zero accepted")
	}
}
