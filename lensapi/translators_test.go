package lens_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// translatorFile writes the translators of testdata/lens.py. Its writer is not the package's own.
func translatorFile(t testing.TB, m *lens.Model, kind lens.Variant, head string, ints bool) string {
	t.Helper()
	type entry struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	d, rows := m.Config().DModel, m.Rows()
	var data []byte
	js := map[string]any{"__metadata__": map[string]string{"gopherlens.translators": string(kind), "gopherlens.head": head}}
	put := func(name string, shape []int, n int, at func(i int) float64) {
		start := len(data)
		for i := range n {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(at(i))))
		}
		js[name] = entry{"F32", shape, [2]int{start, len(data)}}
	}
	for row, name := range rows[:len(rows)-1] {
		if ints {
			name = fmt.Sprint(row)
		}
		put(name+".weight", []int{d, d}, d*d, func(i int) float64 { return 0.1 * math.Sin(float64(7*(i/d)+3*(i%d)+row)) })
		if kind != lens.Jacobian {
			put(name+".bias", []int{d}, d, func(i int) float64 { return 0.1 * math.Cos(float64(5*i+row)) })
		}
	}
	b, err := json.Marshal(js)
	if err != nil {
		t.Fatal(err)
	}
	file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(b))), append(b, data...)...)
	path := filepath.Join(t.TempDir(), "translators.safetensors")
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func wantError(t *testing.T, err error, code lens.Code, says string) {
	t.Helper()
	var e *lens.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want %s and %q in one line", err, code, says)
	}
}

// Whatever the bytes are, loading translators ends in an error or in translators that can be used.
func FuzzTranslators(f *testing.F) {
	m := tiny(f, "gpt2")
	whole, err := os.ReadFile(translatorFile(f, m, lens.Tuned, m.HeadDigest(), false))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-4])
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255})
	path := filepath.Join(f.TempDir(), "x.safetensors")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if tr, err := m.LoadTranslators(path); err == nil {
			if _, err := m.LogitLens(t.Context(), "the cat", lens.LensOptions{Variant: tr.Kind, Translators: tr}); err != nil {
				var e *lens.Error
				if !errors.As(err, &e) || e.Code != lens.Invalid {
					t.Fatal(err)
				}
			}
		}
	})
}
