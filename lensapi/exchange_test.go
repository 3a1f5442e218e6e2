package lens_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

func exportedGrid(t *testing.T, m *lens.Model) *lens.Grid {
	t.Helper()
	g, err := m.LogitLens(context.Background(), "A \"quoted\", odd\ntext – the capital of France is", lens.LensOptions{Stats: true, Top: 3})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// written is what write writes, as a file.
func written(t *testing.T, name string, write func(b *bytes.Buffer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// sameAsCSV compares columns with the table that CSV writes.
func sameAsCSV(t *testing.T, g *lens.Grid, columns map[string][]any) {
	t.Helper()
	var b bytes.Buffer
	if err := g.CSV(&b); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i := range lines { // the model, which other files have in their metadata
		lines[i] = lines[i][:len(lines[i])-1]
	}
	if len(columns) != len(lines[0]) {
		t.Errorf("%d columns, CSV has %d", len(columns), len(lines[0]))
	}
	for j, name := range lines[0] {
		if len(columns[name]) != len(lines)-1 {
			t.Fatalf("%s: %d lines, CSV has %d", name, len(columns[name]), len(lines)-1)
		}
		for i, line := range lines[1:] {
			got := columns[name][i]
			var x float64
			_, err := fmt.Sscan(line[j], &x)
			isText := name == "row" || strings.HasSuffix(name, "token")
			if isText && got != line[j] || !isText && line[j] == "" && got != nil || !isText && line[j] != "" && (err != nil || got != x) {
				t.Fatalf("%s of line %d: %v, CSV has %q", name, i, got, line[j])
			}
		}
	}
}

func TestGridParquet(t *testing.T) {
	g := exportedGrid(t, load(t, lens.Embedded))
	path := written(t, "cells.parquet", func(b *bytes.Buffer) error { return g.Parquet(b) })
	script, err := os.ReadFile("testdata/parquet.py")
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Columns map[string][]any
		Meta    map[string]string
	}
	if err := json.Unmarshal(numpyReader(t, string(script), path), &read); err != nil {
		t.Fatal(err)
	}
	sameAsCSV(t, g, read.Columns)
	if read.Meta["gopherlens.model_digest"] != g.ModelDigest || read.Meta["gopherlens.variant"] != "normed" {
		t.Errorf("metadata %v", read.Meta)
	}
}

func TestZarr(t *testing.T) {
	m := load(t, lens.Embedded)
	g := exportedGrid(t, m)
	dir := filepath.Join(t.TempDir(), "grid.zarr")
	if err := g.Zarr(dir); err != nil {
		t.Fatal(err)
	}
	wantError(t, g.Zarr(dir), lens.Invalid, "there already")
	npz := written(t, "grid.npz", func(b *bytes.Buffer) error { return g.NPZ(b) })
	c, err := m.Complete(context.Background(), "The capital of France is", lens.ChatOptions{MaxTokens: 1})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Residuals(context.Background(), 1, 4)
	if err != nil {
		t.Fatal(err)
	}
	rows := filepath.Join(t.TempDir(), "rows.zarr")
	if err := r.Zarr(rows); err != nil {
		t.Fatal(err)
	}
	npy := written(t, "rows.npy", func(b *bytes.Buffer) error { return r.NPY(b) })
	out := numpyReader(t, `
import numpy as np, json, os, sys
grid, npz, rows, npy = sys.argv[1:]
def array(path):
    a = json.load(open(path + "/zarr.json"))
    assert a["zarr_format"] == 3 and a["node_type"] == "array" and a["codecs"] == [{"name": "bytes", "configuration": {"endian": "little"}}]
    assert len(a["dimension_names"]) == len(a["shape"]) and a["chunk_grid"]["configuration"]["chunk_shape"] == a["shape"]
    return np.fromfile(path + "/c" + "/0" * len(a["shape"]), np.dtype(a["data_type"]).newbyteorder("<")).reshape(a["shape"])
z = np.load(npz)
names = sorted(n for n in os.listdir(grid) if os.path.isdir(grid + "/" + n))
assert names + ["model"] == sorted(z.files, key=lambda n: (n == "model", n)), names
for n in names:
    assert np.array_equal(array(grid + "/" + n), z[n], equal_nan=z[n].dtype.kind == "f"), n
assert (array(rows + "/rows") == np.load(npy)).all()
print(json.dumps([json.load(open(p + "/zarr.json"))["attributes"] for p in (grid, rows)]))`, dir, npz, rows, npy)
	var attributes []map[string]any
	if err := json.Unmarshal(out, &attributes); err != nil || attributes[0]["gopherlens.model_digest"] != g.ModelDigest || attributes[1]["codec"] != "float16" || attributes[1]["model"] != g.Model {
		t.Errorf("attributes %v, %v", attributes, err)
	}
}

func TestLogitLensKit(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx := context.Background()
	for _, opt := range []lens.LensOptions{{Top: 5}, {Variant: lens.Raw, Top: 3}} {
		k, err := m.LogitLensKit(ctx, "The capital of France is", opt)
		if err != nil {
			t.Fatal(err)
		}
		g, err := m.LogitLens(ctx, "The capital of France is", opt)
		if err != nil {
			t.Fatal(err)
		}
		for l, row := range g.Cells[1:] {
			for p, cell := range row {
				for i, c := range cell.Top {
					if got := k.Probability(l, p, k.TopK[l][p][i]); math.Abs(got-math.Exp(c.Logprob)) > 1e-12 || k.TrackedIDs[p][k.TopK[l][p][i]] != c.ID {
						t.Errorf("%s, layer %d, position %d: %q has %v, the grid %v", k.Meta.Variant, l, p, k.TopK[l][p][i], got, math.Exp(c.Logprob))
					}
				}
			}
		}
		var b bytes.Buffer
		if err := k.Write(&b); err != nil {
			t.Fatal(err)
		}
		back, err := lens.ReadLogitLensKit(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if err := back.Write(&again); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
			t.Errorf("what is read and written again differs, %v", err)
		}
		if back.MIMEBundle()["image/png"] == nil || !strings.Contains(back.String(), "Paris") {
			t.Error("it does not show itself")
		}
	}
}

// A file as LogitLensKit 2 writes it, with none of our fields.
const kitFile = `{"meta": {"version": 2, "timestamp": "2026-01-01T00:00:00Z", "model": "toy"}, "layers": [0, 4], "input": ["The", " quick"],
"tracked": [{" the": [0.1234, 0.1456], " a": [0.0987, 0.0876]}, {" fox": [0.3456, 0.5]}], "topk": [[[" the", " a"], [" fox"]], [[" a"], [" fox"]]]}`

func TestReadLogitLensKit(t *testing.T) {
	k, err := lens.ReadLogitLensKit(strings.NewReader(kitFile))
	if err != nil {
		t.Fatal(err)
	}
	if k.Probability(1, 0, " a") != 0.0876 || !math.IsNaN(k.Probability(0, 1, "x")) || k.Meta.Model != "toy" {
		t.Errorf("%+v", k)
	}
	if text := k.String(); !strings.Contains(text, "toy") || !strings.Contains(text, "4_post") || k.MIMEBundle()["image/png"] == nil {
		t.Errorf("it shows itself as %s", text)
	}
	for _, bad := range [][3]string{{`"version": 2`, `"version": 1`, "version 1"}, {`[0, 4]`, `[0]`, "topk has 2 layers and layers 1"}, {`[0.1234, 0.1456]`, `[0.1234]`, "1 probabilities for 2 layers"}, {`0.5]`, `1.5]`, "probability 1.5"},
		{`["The", " quick"]`, `["The"]`, "2 positions and input 1"}, {`[" fox"]]]`, `[]]]`, "is empty"}, {`[" fox"]]]`, `[" fox"]], []]`, "topk has 3"}, {`"layers"`, `[`, "not JSON"}} {
		_, err := lens.ReadLogitLensKit(strings.NewReader(strings.Replace(kitFile, bad[0], bad[1], 1)))
		wantError(t, err, lens.Invalid, bad[2])
	}
}

func FuzzLogitLensKit(f *testing.F) {
	f.Add([]byte(kitFile))
	f.Add([]byte(`{"meta": {"version": 2}, "layers": [0], "input": ["a"], "tracked": [null], "topk": [[["b"]]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := lens.ReadLogitLensKit(bytes.NewReader(b)); err == nil {
			_ = k.String()
			_, _ = k.Heatmap()
		}
	})
}
