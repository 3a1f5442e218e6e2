package cache

import (
	"bytes"
	"testing"
)

func testSegment() []byte {
	data := []byte(tokensMagic)
	data = appendFrame(data, frame{frameToken, 0, 5, []byte("record")})
	data = appendFrame(data, frame{frameEvent, 1, 0, []byte(`{"a":1}`)})
	return appendFrame(data, frame{frameToken, 1, 6, nil})
}

// FuzzSegment: whatever the bytes, the frames read encode to exactly the bytes passed over.
func FuzzSegment(f *testing.F) {
	good := testSegment()
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add(append(bytes.Clone(good), make([]byte, 100)...))
	f.Add([]byte("GLTOKS"))
	f.Add([]byte{})
	flipped := bytes.Clone(good)
	flipped[9] ^= 0x80
	f.Add(flipped)
	f.Fuzz(func(t *testing.T, data []byte) {
		again := []byte(tokensMagic)
		sc, err := scanSegment(bytes.NewReader(data), 0, int64(len(data)), tokensMagic, 1<<10, func(fr frame) error {
			again = appendFrame(again, fr)
			return nil
		})
		if err != nil || sc.good > int64(len(data)) || sc.torn && sc.bad != nil {
			t.Fatalf("scan %+v, %v", sc, err)
		}
		if sc.good > 0 && !bytes.Equal(again, data[:sc.good]) {
			t.Fatal("frames differ from the bytes they were read from")
		}
		if sc.clean() && sc.good != int64(len(data)) {
			t.Fatal("bytes were passed over")
		}
	})
}

// A log that lost a frame in the middle, or holds one twice, is not taken as whole.
func TestFramesOutOfPlace(t *testing.T) {
	var st state
	for _, f := range []frame{{frameToken, 1, 5, nil}, {frameEvent, 1, 0, []byte("1")}, {frameEvent, 0, 0, []byte("{")}, {frameRow, 0, 5, nil}} {
		if st.add(f, true) == nil {
			t.Errorf("frame %+v accepted", f)
		}
	}
}
