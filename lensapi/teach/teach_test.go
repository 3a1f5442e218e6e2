package teach_test

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/teach"
)

func readJSON(t *testing.T, fsys fs.FS, name string, v any) {
	t.Helper()
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// Exactly these files are shipped: goldens and training leftovers are not.
func TestFiles(t *testing.T) {
	entries, err := fs.ReadDir(teach.FS(), ".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{"PROVENANCE.json", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
	if !slices.Equal(names, want) {
		t.Errorf("the folder holds %v, want %v", names, want)
	}
}

// What doc.go promises of the architecture and the provenance is what the files say.
func TestDocumentedArchitecture(t *testing.T) {
	var c struct {
		Type      string `json:"model_type"`
		Act       string `json:"activation_function"`
		Tied      bool   `json:"tie_word_embeddings"`
		Layers    int    `json:"n_layer"`
		Heads     int    `json:"n_head"`
		DModel    int    `json:"n_embd"`
		Positions int    `json:"n_positions"`
		Vocab     int    `json:"vocab_size"`
	}
	readJSON(t, teach.FS(), "config.json", &c)
	if c.Type != "gpt2" || c.Act != "gelu_new" || c.Tied || c.Layers != 6 || c.Heads != 4 || c.DModel != 96 || c.Positions != 256 || c.Vocab != 1020 {
		t.Errorf("config.json says %+v", c)
	}
	var p struct {
		License string `json:"license"`
		Params  int    `json:"stored_params"`
	}
	readJSON(t, teach.FS(), "PROVENANCE.json", &p)
	if p.License != "ours; may be shipped" || p.Params != 891648 {
		t.Errorf("PROVENANCE.json says %+v", p)
	}
}

// The weights can be read at any offset, without copying the whole file first, and hold the documented number of values.
func TestWeightsAreRandomAccess(t *testing.T) {
	f, err := teach.FS().Open("model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at, ok := f.(io.ReaderAt)
	if !ok {
		t.Fatalf("%T is not an io.ReaderAt", f)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	var size [8]byte
	if _, err := at.ReadAt(size[:], 0); err != nil {
		t.Fatal(err)
	}
	header := make([]byte, binary.LittleEndian.Uint64(size[:]))
	if _, err := at.ReadAt(header, 8); err != nil {
		t.Fatal(err)
	}
	var tensors map[string]struct {
		DType string `json:"dtype"`
		Shape []int  `json:"shape"`
	}
	if err := json.Unmarshal(header, &tensors); err != nil {
		t.Fatal(err)
	}
	values := 0
	for name, x := range tensors {
		if name == "__metadata__" {
			continue
		}
		n := 1
		for _, d := range x.Shape {
			n *= d
		}
		if x.DType != "F32" {
			t.Errorf("%s is %s", name, x.DType)
		}
		values += n
	}
	if values != 891648 || info.Size() != int64(8+len(header)+4*values) {
		t.Errorf("%d values in a file of %d bytes", values, info.Size())
	}
}

// The goldens belong to this model: every id is in its vocabulary and every prompt has the rows of six layers.
func TestGoldenFits(t *testing.T) {
	var g struct {
		Layers  int `json:"layers"`
		Prompts []struct {
			IDs  []int             `json:"ids"`
			Lens []json.RawMessage `json:"lens"`
		} `json:"prompts"`
	}
	readJSON(t, os.DirFS("testdata"), "golden.json", &g)
	if g.Layers != 6 || len(g.Prompts) != 15 {
		t.Fatalf("%d layers, %d prompts", g.Layers, len(g.Prompts))
	}
	for i, p := range g.Prompts {
		if len(p.IDs) == 0 || slices.Min(p.IDs) < 0 || slices.Max(p.IDs) >= 1020 || len(p.Lens) != 7 {
			t.Errorf("prompt %d: %d ids, %d rows", i, len(p.IDs), len(p.Lens))
		}
	}
}
