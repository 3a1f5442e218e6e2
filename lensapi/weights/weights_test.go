package weights_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gopherlens/gopherlens/lensapi/weights"
)

// file joins a header and data as the format lays them out.
func file(header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func open(t *testing.T, header string, data []byte) (*weights.Set, error) {
	t.Helper()
	s, err := weights.Open(fstest.MapFS{"model.safetensors": {Data: file(header, data)}})
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

func f32(v ...float32) (b []byte) {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func TestFloat32Types(t *testing.T) {
	f64 := binary.LittleEndian.AppendUint64(nil, math.Float64bits(-2.5))
	for _, c := range []struct {
		dtype string
		data  []byte
		want  []float32
	}{
		{"F32", f32(1.5, -3), []float32{1.5, -3}},
		// 1.0, the largest half, the smallest subnormal half, -0.
		{"F16", []byte{0x00, 0x3c, 0xff, 0x7b, 0x01, 0x00, 0x00, 0x80}, []float32{1, 65504, 0x1p-24, float32(math.Copysign(0, -1))}},
		{"BF16", []byte{0x80, 0x3f, 0x49, 0xc0}, []float32{1, -3.140625}},
		{"F64", f64, []float32{-2.5}},
	} {
		s, err := open(t, fmt.Sprintf(`{"a":{"dtype":%q,"shape":[%d],"data_offsets":[0,%d]}}`, c.dtype, len(c.want), len(c.data)), c.data)
		if err != nil {
			t.Fatal(c.dtype, err)
		}
		got, err := s.Float32("a")
		if err != nil {
			t.Fatal(c.dtype, err)
		}
		for i := range c.want {
			if math.Float32bits(got[i]) != math.Float32bits(c.want[i]) {
				t.Errorf("%s[%d] = %v, want %v", c.dtype, i, got[i], c.want[i])
			}
		}
	}
}

func TestFloat32Chunks(t *testing.T) {
	n := 1<<17 + 3 // more than one read
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(i)
	}
	s, err := open(t, fmt.Sprintf(`{"a":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}`, n, 4*n), f32(v...))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Float32("a")
	if err != nil || !slices.Equal(got, v) {
		t.Fatalf("read of %d values differs (%v)", n, err)
	}
}

func TestBadFiles(t *testing.T) {
	one := `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	ok4, ok8 := f32(1), f32(1, 2)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":             {nil, "truncated"},
		"short length":      {[]byte{1, 2, 3}, "truncated"},
		"header past end":   {binary.LittleEndian.AppendUint64(nil, 50), "truncated: header of 50 bytes"},
		"huge header":       {binary.LittleEndian.AppendUint64(nil, 1<<62), "more than the format's"},
		"not JSON":          {file("hello", nil), "not a safetensors file"},
		"broken JSON":       {file(`{"a":`, nil), "bad JSON"},
		"trailing":          {file(`{} {}`, nil), "after the JSON object"},
		"bad UTF-8":         {file("{\"\xff\":1}", nil), "UTF-8"},
		"truncated data":    {file(one, []byte{1, 2, 3}), "truncated: 3 of 4 bytes"},
		"extra data":        {file(one, ok8), "4 bytes after the last tensor"},
		"twice":             {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, ok8), `"a" appears twice`},
		"field twice":       {file(`{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, ok4), `"dtype" appears twice`},
		"overlap":           {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}`, ok8), "inside the tensor before it"},
		"same bytes":        {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, ok4), "inside the tensor before it"},
		"gap":               {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, ok8), "gap of 4 bytes"},
		"reversed":          {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, ok4), "not an interval"},
		"offset overflow":   {file(`{"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,18446744073709551615]}}`, ok4), "too large"},
		"product overflow":  {file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, nil), "too large"},
		"negative":          {file(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, ok4), `shape: "[-1]" is not a list of whole numbers from 0`},
		"fraction":          {file(`{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}`, ok4), "shape"},
		"size differs":      {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, ok4), "does not take the 4 bytes"},
		"unknown dtype":     {file(`{"a":{"dtype":"Q4","shape":[1],"data_offsets":[0,4]}}`, ok4), `unknown dtype "Q4" (known: BF16, BOOL`},
		"rank":              {file(`{"a":{"dtype":"F32","shape":[`+strings.Repeat("1,", 40)+`1],"data_offsets":[0,4]}}`, ok4), "dimensions"},
		"no shape":          {file(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, ok4), "needs a dtype"},
		"three offsets":     {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}`, ok4), "two data_offsets"},
		"entry not object":  {file(`{"a":7}`, nil), "not a JSON object"},
		"unknown field":     {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}`, ok4), `unknown field "x"`},
		"case of the field": {file(`{"a":{"DTYPE":"F32","shape":[1],"data_offsets":[0,4]}}`, ok4), `unknown field "DTYPE"`},
	} {
		s, err := weights.Open(fstest.MapFS{"model.safetensors": {Data: c.file}})
		if err == nil {
			s.Close()
			t.Errorf("%s: no error", name)
		} else if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "model.safetensors") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %q, want it to say %q", name, err, c.want)
		}
	}
	if _, err := weights.Open(fstest.MapFS{}); err == nil || !strings.Contains(err.Error(), "no weights") {
		t.Errorf("empty folder: %v", err)
	}
}

func TestEmptyAndScalar(t *testing.T) {
	s, err := open(t, `{"__metadata__":{"format":"pt"},"e":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]},"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}  `, f32(7))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := s.Float32("s"); err != nil || !slices.Equal(v, []float32{7}) {
		t.Errorf("scalar = %v, %v", v, err)
	}
	if v, err := s.Float32("e"); err != nil || len(v) != 0 {
		t.Errorf("empty = %v, %v", v, err)
	}
	if !slices.Equal(s.Names(), []string{"e", "s"}) {
		t.Errorf("names %v", s.Names())
	}
}

func TestUnsupportedType(t *testing.T) {
	s, err := open(t, `{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}`, make([]byte, 8))
	if err != nil {
		t.Fatal(err) // a buffer nobody reads may have any type
	}
	if weights.Readable("I64") || !weights.Readable("BF16") {
		t.Error("Readable and Float32 disagree")
	}
	_, err = s.Float32("a")
	if err == nil || !strings.Contains(err.Error(), `tensor "a": dtype I64 is not supported (supported: F32, F16, BF16, F64)`) {
		t.Error(err)
	}
	if _, err = s.Float32("b"); err == nil {
		t.Error("no error for a missing tensor")
	}
}

func TestShardsAndDigest(t *testing.T) {
	a := `"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`
	b := `"b":{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]}`
	single := fstest.MapFS{"model.safetensors": {Data: file("{"+a+","+fmt.Sprintf(b, 4, 8)+"}", f32(1, 2))}}
	swapped := fstest.MapFS{"model.safetensors": {Data: file("{"+fmt.Sprintf(b, 0, 4)+`,"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, f32(2, 1))}}
	other := fstest.MapFS{"model.safetensors": {Data: file("{"+a+","+fmt.Sprintf(b, 4, 8)+"}", f32(1, 3))}}
	shards := func(index string) fstest.MapFS {
		return fstest.MapFS{
			"model.safetensors.index.json": {Data: []byte(index)},
			"s1.safetensors":               {Data: file("{"+a+"}", f32(1))},
			"s2.safetensors":               {Data: file("{"+fmt.Sprintf(b, 0, 4)+"}", f32(2))},
		}
	}
	digest := func(fsys fs.FS) string {
		s, err := weights.Open(fsys)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		d, err := s.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	want := digest(single)
	if d := digest(swapped); d != want {
		t.Error("digest depends on the order in the file")
	}
	if d := digest(shards(`{"metadata":{},"weight_map":{"a":"s1.safetensors","b":"s2.safetensors"}}`)); d != want {
		t.Error("digest depends on sharding")
	}
	if d := digest(other); d == want {
		t.Error("digest does not depend on the values")
	}
	for index, want := range map[string]string{
		`{"weight_map":{"a":"../s1.safetensors"}}`:                   "not a plain file name",
		`{"weight_map":{"a":"/etc/passwd"}}`:                         "not a plain file name",
		`{"weight_map":{"a":"d\\s1.safetensors"}}`:                   "not a plain file name",
		`{"weight_map":{"a":"C:s1.safetensors"}}`:                    "not a plain file name",
		`{"weight_map":{"a":"s3.safetensors"}}`:                      "model.safetensors.index.json: shard s3.safetensors is missing",
		`{"weight_map":{"a":"s1.safetensors","c":"s1.safetensors"}}`: `tensor "c" of model.safetensors.index.json is missing`,
		`{"weight_map":{"b":"s1.safetensors"}}`:                      `tensor "a" is not listed`,
		`{"weight_map":{"a":"s1.safetensors","a":"s2.safetensors"}}`: `"a" appears twice`,
		`{}`:                     "no weight_map",
		`{"weight_map":{"a":1}}`: "file name",
	} {
		s, err := weights.Open(shards(index))
		if err == nil {
			s.Close()
			t.Errorf("%s: no error", index)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", index, err, want)
		}
	}
	dup := shards(`{"weight_map":{"a":"s1.safetensors","b":"s2.safetensors"}}`)
	dup["s2.safetensors"] = dup["s1.safetensors"]
	if _, err := weights.Open(dup); err == nil || !strings.Contains(err.Error(), "also in another shard") {
		t.Errorf("duplicate over shards: %v", err)
	}
}

func TestDirAndClose(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, f32(5)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := weights.Open(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := s.Float32("a"); err != nil || v[0] != 5 {
		t.Error(v, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Float32("a"); err == nil {
		t.Error("read after Close succeeded")
	}
}

func TestStored(t *testing.T) {
	header := `{"a":{"dtype":"F32","shape":[2],"data_offsets":[1,9]},"b":{"dtype":"F16","shape":[2],"data_offsets":[9,13]},"c":{"dtype":"BF16","shape":[1,2],"data_offsets":[13,17]},` +
		`"odd":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]},"z":{"dtype":"F32","shape":[0],"data_offsets":[17,17]}}`
	data := slices.Concat([]byte{1}, f32(1.5, float32(math.Inf(-1))), []byte{0, 0x3c, 0xff, 0x7f}, []byte{0x80, 0x3f, 0x80, 0x7f})
	for _, pad := range []string{"", " "} { // aligned and not
		s, err := open(t, header+pad, data)
		if err != nil {
			t.Fatal(err)
		}
		a, errA := s.Stored("a")
		b, errB := s.Stored("b")
		c, errC := s.Stored("c")
		z, errZ := s.Stored("z")
		if errA != nil || errB != nil || errC != nil || errZ != nil {
			t.Fatal(errA, errB, errC, errZ)
		}
		if !slices.Equal(a.F32, []float32{1.5, float32(math.Inf(-1))}) || !slices.Equal(b.F16, []uint16{0x3c00, 0x7fff}) || !slices.Equal(c.BF16, []uint16{0x3f80, 0x7f80}) || z.Len() != 0 {
			t.Errorf("stored as %v, %v, %v and %v", a, b, c, z)
		}
		for _, v := range []weights.Values{a, b, c} {
			if v.Len() != 2 || v.NotFinite() != 1 || v.Slice(0, 1).NotFinite() != -1 || v.Slice(1, 2).NotFinite() != 0 {
				t.Errorf("%v: not finite at %d, %d in its first part, %d in its second", v, v.NotFinite(), v.Slice(0, 1).NotFinite(), v.Slice(1, 2).NotFinite())
			}
			w := make([]float32, 1)
			if v.Slice(0, 1).Widen(w); w[0] != 1 && w[0] != 1.5 {
				t.Errorf("%v widens to %v", v, w)
			}
		}
		if z.NotFinite() != -1 {
			t.Error("a tensor of no numbers has one that is not finite")
		}
		if info, _ := s.Info("b"); info.Bytes != 4 || info.File != "model.safetensors" {
			t.Errorf("info %+v", info)
		}
	}
}

// TestCutAfterOpen: a file that another program shortens is an error, also where it is mapped and reading it faults.
func TestCutAfterOpen(t *testing.T) {
	dir := t.TempDir()
	name, n := filepath.Join(dir, "model.safetensors"), 1<<18
	if err := os.WriteFile(name, file(fmt.Sprintf(`{"a":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}`, n, 4*n), make([]byte, 4*n)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := weights.Open(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := os.Truncate(name, 4096); err != nil {
		t.Skip("skipped: this system does not cut files that are open:", err)
	}
	if _, err := s.Float32("a"); err == nil || !strings.Contains(err.Error(), `tensor "a": `) {
		t.Errorf("reading a file that was cut: %v", err)
	}
	if _, err := s.Digest(); err == nil || !strings.Contains(err.Error(), `model.safetensors: tensor "a": `) {
		t.Errorf("digest of a file that was cut: %v", err)
	}
	defer func() {
		if p := recover(); p != "own" {
			t.Errorf("Guard made %v of another panic", p)
		}
	}()
	_ = weights.Guard(func() error { panic("own") })
}

// FuzzSafetensors demands, beyond not crashing, that whatever Open accepts is read completely and that writing it
// anew in the order of the names gives the same digest.
func FuzzSafetensors(f *testing.F) {
	f.Add(file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F16","shape":[1,1],"data_offsets":[8,10]}}`, make([]byte, 10)))
	f.Add(file(`{"a":{"dtype":"BF16","shape":[0],"data_offsets":[0,0]}}  `, nil))
	f.Add(file(`{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,1]}}`, []byte{1}))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 127})
	f.Add(file("{}\f", nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := weights.Open(fstest.MapFS{"model.safetensors": {Data: data}})
		if err != nil {
			return
		}
		defer s.Close()
		var body bytes.Buffer
		header := map[string]any{}
		headerLen := int(binary.LittleEndian.Uint64(data))
		var orig map[string]json.RawMessage
		if err := json.Unmarshal(data[8:8+headerLen], &orig); err != nil {
			t.Fatal(err)
		}
		for _, n := range s.Names() {
			info, ok := s.Info(n)
			if !ok {
				t.Fatalf("no info for %q", n)
			}
			var e struct {
				Offsets [2]int `json:"data_offsets"`
			}
			if err := json.Unmarshal(orig[n], &e); err != nil {
				t.Fatal(err)
			}
			at := body.Len()
			body.Write(data[8+headerLen+e.Offsets[0] : 8+headerLen+e.Offsets[1]])
			header[n] = map[string]any{"dtype": info.DType, "shape": info.Shape, "data_offsets": [2]int{at, body.Len()}}
			elems := 1
			for _, d := range info.Shape {
				elems *= d
			}
			if v, err := s.Float32(n); err == nil && len(v) != elems {
				t.Fatalf("%q: %d values for shape %v", n, len(v), info.Shape)
			}
		}
		js, err := json.Marshal(header)
		if err != nil {
			t.Fatal(err)
		}
		again, err := weights.Open(fstest.MapFS{"model.safetensors": {Data: file(string(js), body.Bytes())}})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		d1, err1 := s.Digest()
		d2, err2 := again.Digest()
		if err1 != nil || err2 != nil || d1 != d2 {
			t.Fatalf("digests %s %s (%v, %v)", d1, d2, err1, err2)
		}
	})
}
