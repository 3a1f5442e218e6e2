package lens_test

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// TestRoundedWeights: every output of a model with rounded weights says so, and what is cached of it is its own.
func TestRoundedWeights(t *testing.T) {
	dir := t.TempDir()
	open := func(w string) *lens.Model {
		m, err := lens.LoadWith(lens.Embedded, lens.LoadOptions{CacheDir: dir, Weights: w})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	}
	exact, rounded := open(""), open("bf16")
	if exact.Digest() == rounded.Digest() || strings.Contains(exact.String(), "approximation") {
		t.Errorf("exact %s, rounded %s", exact, rounded)
	}
	const label = "teach (approximation: weights rounded to bf16)"
	if rounded.Name() != label || !strings.Contains(rounded.String(), label) {
		t.Errorf("the name is %q, the line %q", rounded.Name(), rounded)
	}
	a, err := exact.LogitLens(context.Background(), "The capital of France is", lens.LensOptions{})
	b, err2 := rounded.LogitLens(context.Background(), "The capital of France is", lens.LensOptions{})
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	js, err := json.Marshal(b)
	if err != nil || !strings.Contains(string(js), label) || !strings.Contains(b.String(), label) {
		t.Errorf("the grid does not say what it is: %v", err)
	}
	for name, write := range map[string]func(io.Writer) error{"page": b.HTML, "CSV": b.CSV, "Parquet": b.Parquet} {
		var out strings.Builder
		if err := write(&out); err != nil || !strings.Contains(out.String(), label) {
			t.Errorf("the %s does not say what it is: %v", name, err)
		}
	}
	x, y := a.Cells[len(a.Cells)-1][4].Top[0], b.Cells[len(b.Cells)-1][4].Top[0]
	if d := math.Abs(x.Logprob - y.Logprob); x.ID != y.ID || d == 0 || d > 0.1 {
		t.Errorf("the same prompt gives %+v and %+v", x, y)
	}
	if _, err := lens.LoadWith(lens.Embedded, lens.LoadOptions{CacheDir: dir, Weights: "int3"}); err == nil || !strings.Contains(err.Error(), "supported: f16, bf16") {
		t.Errorf("weights of int3: %v", err)
	}
	full, err := lens.Estimate(lens.Embedded, lens.LoadOptions{})
	half, err2 := lens.Estimate(lens.Embedded, lens.LoadOptions{Weights: "f16"})
	if err != nil || err2 != nil || full.Weights < 1e6 || half.Weights > full.Weights*6/10 || half.Position != full.Position {
		t.Errorf("estimates %+v and %+v (%v, %v)", full, half, err, err2)
	}
}
