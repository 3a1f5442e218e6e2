package lens_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// numpyReader runs a script with NumPy, an independent reader of what was written; where there is none the test skips and says so.
func numpyReader(t *testing.T, script string, args ...string) []byte {
	t.Helper()
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(python, "-c", "import numpy").Run() != nil {
			continue
		}
		out, err := exec.Command(python, append([]string{"-c", script}, args...)...).Output()
		if err != nil {
			t.Fatalf("%v: %s", err, err.(*exec.ExitError).Stderr)
		}
		return out
	}
	t.Skip("no Python with NumPy here: what is written is read back by nobody else")
	return nil
}

func TestGridNPZ(t *testing.T) {
	m := load(t, lens.Embedded)
	g, err := m.LogitLens(context.Background(), "The capital of France is", lens.LensOptions{Stats: true, Top: 3})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "grid.npz")
	var b bytes.Buffer
	if err := g.NPZ(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	out := numpyReader(t, `
import numpy as np, json, sys
z = np.load(sys.argv[1])
print(json.dumps({k: (z[k] if z[k].dtype.kind in "iU" else np.where(np.isnan(z[k]), -1e9, z[k])).ravel().tolist() for k in z.files} | {"shapes": {k: z[k].shape for k in z.files}}))`, path)
	var read map[string]json.RawMessage
	if err := json.Unmarshal(out, &read); err != nil {
		t.Fatal(err)
	}
	var shapes map[string][]int
	var ids, topID []int
	if want := `["` + g.Model + `"]`; string(read["model"]) != want {
		t.Errorf("model %s, want %s", read["model"], want)
	}
	if err := json.Unmarshal(read["shapes"], &shapes); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(read["ids"], &ids); err != nil || !equal(ids, g.IDs) {
		t.Errorf("ids %v, %v", ids, err)
	}
	if err := json.Unmarshal(read["top_id"], &topID); err != nil || !equal(shapes["top_id"], []int{7, 5, 3}) || topID[7*15-3] != g.Cells[6][4].Top[0].ID {
		t.Errorf("top_id %v, %v", shapes["top_id"], err)
	}
	for _, s := range lens.Statistics() {
		want, err := g.Values(s)
		if err != nil {
			t.Fatal(err)
		}
		var got []float64
		if err := json.Unmarshal(read[string(s)], &got); err != nil || !equal(shapes[string(s)], []int{7, 5}) {
			t.Fatalf("%s: %v, %v", s, shapes[string(s)], err)
		}
		for r := range want {
			for p, v := range want[r] {
				if x := got[r*5+p]; x != v && !(math.IsNaN(v) && x == -1e9) {
					t.Errorf("%s[%d][%d] = %v, written %v", s, r, p, x, v)
				}
			}
		}
	}
}

func TestGridCSV(t *testing.T) {
	m := load(t, lens.Embedded)
	g, err := m.LogitLens(context.Background(), "A \"quoted\", odd\ntext", lens.LensOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := g.CSV(&b); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(lines) != 1+len(g.Rows)*len(g.IDs) {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	at := map[string]int{}
	for i, name := range lines[0] {
		at[name] = i
	}
	if _, ok := at["js"]; ok {
		t.Error("a statistic that was not asked for is written")
	}
	for i, line := range lines[1:] {
		r, p := i/len(g.IDs), i%len(g.IDs)
		c := g.Cells[r][p]
		entropy, err := strconv.ParseFloat(line[at["entropy"]], 64)
		if err != nil || entropy != c.Entropy || line[at["row"]] != g.Rows[r] || line[at["position"]] != strconv.Itoa(p) || line[at["token"]] != g.Tokens[p] ||
			line[at["top_id"]] != strconv.Itoa(c.Top[0].ID) || (line[at["next_rank"]] == "") != (c.Next == nil) {
			t.Fatalf("line %d: %q", i, line)
		}
	}
}

func TestResidualsExported(t *testing.T) {
	m := load(t, lens.Embedded)
	c, err := m.Complete(context.Background(), "The capital of France is", lens.ChatOptions{MaxTokens: 1})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Residuals(context.Background(), 1, 4)
	if err != nil {
		t.Fatal(err)
	}
	if r.Codec != "float16" {
		t.Errorf("codec %q", r.Codec)
	}
	dir := t.TempDir()
	var npy, st bytes.Buffer
	if err := r.NPY(&npy); err != nil {
		t.Fatal(err)
	}
	if err := r.Safetensors(&st); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"r.npy": npy.Bytes(), "r.safetensors": st.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := numpyReader(t, `
import numpy as np, json, struct, sys
a = np.load(sys.argv[1] + "/r.npy")
data = open(sys.argv[1] + "/r.safetensors", "rb").read()
n, = struct.unpack_from("<Q", data)
head = json.loads(data[8:8 + n])
b = {}
for k, t in head.items():
    if k != "__metadata__":
        lo, hi = t["data_offsets"]
        b[k] = np.frombuffer(data[8 + n + lo:8 + n + hi], "<f4").reshape(t["shape"])
assert b["blocks.0.hook_resid_pre"].shape == (3, 96) and (b["blocks.0.hook_resid_pre"] == a[:, 0]).all()
assert all((b["blocks.%d.hook_resid_post" % l] == a[:, l + 1]).all() for l in range(6)) and len(b) == 7
assert len(data) == 8 + n + 4 * a.size and a.dtype == np.float32
print(json.dumps([float(x) for x in a.ravel()]))`, dir)
	var got []float64
	if err := json.Unmarshal(out, &got); err != nil || len(got) != len(r.Data) {
		t.Fatalf("%d values, %v", len(got), err)
	}
	for i, v := range r.Data {
		if float32(got[i]) != v {
			t.Fatalf("value %d is %v, written %v", i, got[i], v)
		}
	}
}

func TestContrast(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx := context.Background()
	a, err := m.LogitLens(ctx, "The capital of France is", lens.LensOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.LogitLens(ctx, "The capital of Italy is", lens.LensOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := lens.NewContrast(a, b, lens.Entropy)
	if err != nil {
		t.Fatal(err)
	}
	for r := range a.Rows {
		for p := range a.IDs {
			want := b.Cells[r][p].Entropy - a.Cells[r][p].Entropy
			if c.Difference[r][p] != want || p < 3 && want != 0 {
				t.Errorf("%s at %d: %g, want %g", a.Rows[r], p, c.Difference[r][p], want)
			}
		}
	}
	if c.MIMEBundle()["image/png"] == nil {
		t.Error("no picture")
	}
	short, err := m.LogitLens(ctx, "The capital", lens.LensOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = lens.NewContrast(a, short, lens.Entropy)
	wantError(t, err, lens.Invalid, "0 to 4 and 0 to 1")
	_, err = lens.NewContrast(a, b, lens.JS)
	wantError(t, err, lens.Invalid, "set Stats")
	_, err = lens.NewContrast(a, b, "soul")
	wantError(t, err, lens.Invalid, "not known")
}

// Grids of different rows are aligned as asked, and say so.
func TestContrastAligned(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx := context.Background()
	a, err := m.LogitLens(ctx, "The capital of France is", lens.LensOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.LogitLens(ctx, "The capital of Italy is", lens.LensOptions{Mid: true})
	if err != nil {
		t.Fatal(err)
	}
	short := *b // as a model of three layers would have
	short.Rows, short.Cells = []string{"embed", "0_post", "1_post", "2_post"}, [][]lens.Cell{b.Cells[0], b.Cells[2], b.Cells[4], b.Cells[6]}
	for _, c := range []struct {
		a, b *lens.Grid
		by   lens.Alignment
		rows []string
		pair [][2]int
	}{
		{a, b, lens.ByName, a.Rows, [][2]int{{0, 0}, {1, 2}, {6, 12}}},
		{a, b, lens.ByDepth, a.Rows, [][2]int{{0, 0}, {3, 6}, {6, 12}}},
		{a, &short, lens.ByDepth, []string{"embed", "1_post/0_post", "3_post/1_post", "5_post/2_post"}, [][2]int{{0, 0}, {2, 1}, {4, 2}, {6, 3}}},
		{&short, a, lens.ByDepth, []string{"embed", "0_post/1_post", "1_post/3_post", "2_post/5_post"}, [][2]int{{0, 0}, {1, 2}, {3, 6}}},
		{a, &short, lens.ByName, []string{"embed", "0_post", "1_post", "2_post"}, [][2]int{{0, 0}, {3, 3}}},
	} {
		got, err := lens.ContrastAligned(c.a, c.b, lens.Entropy, c.by)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Rows, c.rows) {
			t.Errorf("%s: rows %v, want %v", c.by, got.Rows, c.rows)
		}
		for _, p := range c.pair {
			i := slices.Index(got.Rows, c.a.Rows[p[0]])
			if i < 0 {
				i = slices.Index(got.Rows, c.a.Rows[p[0]]+"/"+c.b.Rows[p[1]])
			}
			if i < 0 || got.Difference[i][3] != c.b.Cells[p[1]][3].Entropy-c.a.Cells[p[0]][3].Entropy {
				t.Errorf("%s: %s is not compared with %s", c.by, c.a.Rows[p[0]], c.b.Rows[p[1]])
			}
		}
		if text := got.String(); !strings.Contains(text, map[lens.Alignment]string{lens.ByName: "rows of one name", lens.ByDepth: "relative depth"}[c.by]) || got.MIMEBundle()["image/png"] == nil {
			t.Errorf("%s does not say how rows are aligned: %s", c.by, text)
		}
	}
	_, err = lens.NewContrast(a, b, lens.Entropy)
	wantError(t, err, lens.Invalid, "aligned name or depth")
	_, err = lens.ContrastAligned(a, b, lens.Entropy, "soul")
	wantError(t, err, lens.Invalid, "alignment")
}
