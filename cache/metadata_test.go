package cache

import (
	"bytes"
	"reflect"
	"testing"
)

// FuzzMetadata: what is read is written again as the same bytes, unless it has fields that are not known here.
func FuzzMetadata(f *testing.F) {
	data, err := metadata{Format: 1, UID: "u", Space: testSpace}.marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(sealMetadata([]byte(`{"format":1,"space":{"rows":-1}}`)))
	f.Add(sealMetadata([]byte(`{"format":3}`)))
	f.Add(sealMetadata([]byte(`{"format":2,"uid":"u","codec":"compact","block":8,"layers":[0,2],"space":{"rows":3,"d_model":4}}`)))
	f.Add(sealMetadata([]byte(`{"format":2,"codec":"x","block":-1,"layers":[7,2],"space":{"rows":3,"d_model":4}}`)))
	f.Add([]byte(`{"crc32c":"00000000","metadata":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseMetadata(data)
		if err != nil {
			return
		}
		again, err := m.marshal()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseMetadata(again); err != nil || !back.Created.Equal(m.Created) || back.UID != m.UID || back.Space != m.Space || !reflect.DeepEqual(back.layout(), m.layout()) {
			t.Fatalf("%+v came back as %+v, %v", m, back, err)
		}
	})
}

func TestMetadataFlips(t *testing.T) {
	data, err := metadata{Format: 1, UID: "u", Space: testSpace}.marshal()
	if err != nil {
		t.Fatal(err)
	}
	if m, err := parseMetadata(data); err != nil || m.Space != testSpace {
		t.Fatalf("%+v, %v", m, err)
	}
	for i := range data {
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			if _, err := parseMetadata(bad); err == nil {
				t.Errorf("flip of bit %d in byte %d not found", bit, i)
			}
		}
	}
}
