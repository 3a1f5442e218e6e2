package lens_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// searched is a model with a few conversations, some of which begin alike, and a prompt.
func searched(t *testing.T) (*lens.Model, []*lens.Conversation) {
	t.Helper()
	m := load(t, lens.Embedded)
	ctx := context.Background()
	var all []*lens.Conversation
	for id, questions := range map[string][]string{"one": {"What is the capital of France?", "And its currency?"}, "two": {"What is the capital of France?"}, "three": {"My name is Mary."}} {
		c, err := m.NewChat(lens.ChatOptions{ID: id})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range questions {
			if _, err := c.Say(ctx, q); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, c)
	}
	if _, err := m.LogitLens(ctx, "The Eiffel Tower is in the city of", lens.LensOptions{}); err != nil {
		t.Fatal(err)
	}
	return m, all
}

// Nearest rows are those of a brute-force scan by NumPy over what the cache gives out.
func TestSearchNear(t *testing.T) {
	m, all := searched(t)
	ctx := context.Background()
	r, err := all[0].Residuals(ctx, 3, 4)
	if err != nil {
		t.Fatal(err)
	}
	near := r.At(4, 0)
	type place struct {
		ID  string      `json:"id"`
		Row [][]float32 `json:"rows"`
	}
	var places []place
	for _, c := range all {
		rs, err := c.Residuals(ctx, 0, c.Len())
		if err != nil {
			t.Fatal(err)
		}
		pl := place{ID: c.ID()}
		for p := range c.Len() {
			pl.Row = append(pl.Row, rs.At(4, p))
		}
		places = append(places, pl)
	}
	dir := t.TempDir()
	b, err := json.Marshal(map[string]any{"near": near, "places": places})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "in.json"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	out := numpyReader(t, `
import numpy as np, json, sys
d = json.load(open(sys.argv[1] + "/in.json"))
v = np.array(d["near"], np.float32).astype(float)
found = []
for p in d["places"]:
    x = np.array(p["rows"], np.float32).astype(float)
    for i, s in enumerate(x @ v / (np.linalg.norm(x, axis=1) * np.linalg.norm(v))):
        found.append((-s, x[i].tobytes(), p["id"], i))
found.sort(key=lambda f: f[0])
seen, out = set(), []
for s, key, id, i in found:
    if key not in seen:
        seen.add(key)
        out.append({"id": id, "position": i, "score": -s})
print(json.dumps(out))`, dir)
	var want []struct {
		Position int
		Score    float64
	}
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	passes := m.Status().Forward.Passes
	hits, err := m.Search(ctx, lens.Query{Near: near, Row: "3_post", In: []string{"one", "two", "three"}, Limit: 10000})
	if err != nil {
		t.Fatal(err)
	}
	if m.Status().Forward.Passes != passes || hits.Codec != "float16" || hits.Conversations != 3 {
		t.Errorf("%d passes, codec %q, %d conversations", m.Status().Forward.Passes-passes, hits.Codec, hits.Conversations)
	}
	if len(hits.Hits) != len(want) || hits.Positions != len(want) {
		t.Fatalf("%d hits at %d positions, NumPy %d", len(hits.Hits), hits.Positions, len(want))
	}
	for i, h := range hits.Hits {
		if math.Abs(h.Score-want[i].Score) > 1e-12 || h.Position != want[i].Position && math.Abs(want[i].Score-want[max(0, i-1)].Score) > 1e-12 && i > 0 {
			t.Errorf("hit %d: position %d at %.9f, NumPy %d at %.9f", i, h.Position, h.Score, want[i].Position, want[i].Score)
		}
	}
	if math.Abs(hits.Hits[0].Score-1) > 1e-12 {
		t.Errorf("the row itself scores %v", hits.Hits[0].Score)
	}
}

// What a search finds in the records is what the grids hold.
func TestSearchCells(t *testing.T) {
	m, all := searched(t)
	ctx := context.Background()
	euro, err := m.TokenID(" euro")
	if err != nil {
		t.Fatal(err)
	}
	within, drops, crossings := 0, 0, 0
	for _, c := range all[:3] {
		if c.ID() == "two" { // begins as "one" does
			continue
		}
		g, err := c.Grid(0, c.Len())
		if err != nil {
			t.Fatal(err)
		}
		for r := range g.Rows {
			for p := range g.IDs {
				for _, top := range g.Cells[r][p].Top[:3] {
					if top.ID == euro {
						within++
					}
				}
				if r > 0 && g.Cells[r-1][p].Entropy-g.Cells[r][p].Entropy >= 2 {
					drops++
				}
				if n := g.Cells[r][p].Next; r > 0 && n != nil && n.Rank <= 5 && g.Cells[r-1][p].Next.Rank > 5 {
					crossings++
				}
			}
		}
	}
	in := []string{"one", "three"}
	for what, try := range map[string]struct {
		q    lens.Query
		want int
	}{
		"token":    {lens.Query{Token: &lens.Within{Token: euro, First: 3}, In: in, Limit: 10000}, within},
		"drop":     {lens.Query{EntropyDrop: 2, In: in, Limit: 10000}, drops},
		"crossing": {lens.Query{Crossing: 5, In: in, Limit: 10000}, crossings},
	} {
		hits, err := m.Search(ctx, try.q)
		if err != nil {
			t.Fatal(err)
		}
		if hits.Total != try.want || try.want == 0 {
			t.Errorf("%s: %d hits, the grids have %d", what, hits.Total, try.want)
		}
	}
	// A conversation that begins alike adds to Same, not to the hits.
	hits, err := m.Search(ctx, lens.Query{Token: &lens.Within{Token: euro, First: 3}, Limit: 10000})
	if err != nil {
		t.Fatal(err)
	}
	if hits.Conversations != 4 || hits.Total < within {
		t.Errorf("%d conversations, %d hits", hits.Conversations, hits.Total)
	}
	v, err := hits.Click(0)
	if err != nil || v.Position != hits.Hits[0].Position || len(hits.Hits[0].Context) != min(15, v.Position) {
		t.Errorf("click: %v, %v", v, err)
	}
	_, err = hits.Click(-1)
	wantError(t, err, lens.NotFound, "from 0")
}

func TestSearchText(t *testing.T) {
	m, _ := searched(t)
	ctx := context.Background()
	hits, err := m.Search(ctx, lens.Query{Text: `capital of (France|Peru)`, In: []string{"one", "two"}})
	if err != nil {
		t.Fatal(err)
	}
	if hits.Total != 4 { // question and answer, twice
		t.Errorf("%s", hits)
	}
	for _, h := range hits.Hits {
		if !strings.HasSuffix(strings.TrimSpace(h.TokenText), "capital") {
			t.Errorf("hit %+v", h)
		}
	}
	none, err := m.Search(ctx, lens.Query{Text: "xyzzy"})
	if err != nil || none.Total != 0 || none.String() == "" {
		t.Errorf("%v, %v", none, err)
	}
	for says, q := range map[string]lens.Query{
		"0 things":    {},
		"2 things":    {Text: "a", Crossing: 1},
		"missing":     {Text: "("},
		"d_model 96":  {Near: []float32{1}, Row: "embed"},
		"zero":        {Near: make([]float32, 96), Row: "embed"},
		"6_post":      {Crossing: 1, Row: "6_post"},
		"0 to 1019":   {Token: &lens.Within{Token: -1, First: 1}},
		"first 0":     {Token: &lens.Within{Token: 1}},
		"1 to 10000":  {Text: "a", Limit: -1},
		"more than 0": {EntropyDrop: -1},
		"rank from 1": {Crossing: -1},
	} {
		_, err := m.Search(ctx, q)
		wantError(t, err, lens.Invalid, says)
	}
	_, err = m.Search(ctx, lens.Query{Text: "a", In: []string{"nobody"}})
	wantError(t, err, lens.NotFound, "nobody")
}
