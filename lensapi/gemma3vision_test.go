package lens_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
	"github.com/gopherlens/gopherlens/lensapi/lenstest"
)

// seeing writes the tiny Gemma 3 as a checkpoint that also sees images: the bytes of its tensors under other names, and one tensor more.
func seeing(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, lenstest.FS("gemma3")); err != nil {
		t.Fatal(err)
	}
	rewrite := func(name string, change func(b []byte) []byte) {
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, change(b), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	rewrite("config.json", func(b []byte) []byte {
		return []byte(`{"model_type":"gemma3","vision_config":{"model_type":"siglip_vision_model"},"text_config":` + string(b) + "}")
	})
	rewrite("model.safetensors", func(b []byte) []byte {
		n := 8 + binary.LittleEndian.Uint64(b)
		var header map[string]json.RawMessage
		if err := json.Unmarshal(b[8:n], &header); err != nil {
			t.Fatal(err)
		}
		for name, v := range header {
			if rest, ok := strings.CutPrefix(name, "model."); ok {
				header["language_model.model."+rest] = v
				delete(header, name)
			}
		}
		end := len(b) - int(n)
		extra, err := json.Marshal(map[string]any{"dtype": "F32", "shape": []int{1}, "data_offsets": []int{end, end + 4}})
		if err != nil {
			t.Fatal(err)
		}
		header["vision_tower.vision_model.post_layernorm.weight"] = extra
		head, err := json.Marshal(header)
		if err != nil {
			t.Fatal(err)
		}
		out := append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)
		return append(append(out, b[n:]...), 0, 0, 0, 0)
	})
	return dir
}

// A Gemma 3 that sees images is its text model, and says so.
func TestGemma3ThatSees(t *testing.T) {
	flat, m := tiny(t, "gemma3"), load(t, seeing(t))
	const says = "gemma3 (text only: 1 tensors that read images are not loaded), 2 layers"
	if s := m.String(); !strings.Contains(s, says) || strings.Contains(flat.String(), "text only") {
		t.Errorf("%s, want %q; and %s", s, says, flat)
	}
	ids, err := m.Encode("The tide came in.")
	if err != nil {
		t.Fatal(err)
	}
	grid := func(m *lens.Model) [][]lens.Cell {
		g, err := m.LogitLensIDs(context.Background(), ids, lens.LensOptions{Stats: true, Mid: true})
		if err != nil {
			t.Fatal(err)
		}
		return g.Cells
	}
	if a, b := grid(flat), grid(m); !reflect.DeepEqual(a, b) || len(a) != 5 {
		t.Errorf("the lens has %d and %d rows; the numbers must be equal", len(a), len(b))
	}
	if !m.HasChatTemplate() {
		t.Error("no chat template")
	}
}
