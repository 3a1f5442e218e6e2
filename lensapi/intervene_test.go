package lens_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// cells are a grid's numbers as text, for equality to the bit.
func cells(t *testing.T, g *lens.Grid) string {
	t.Helper()
	b, err := json.Marshal(g.Cells)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A patch with the run's own values changes no bit, at any site of any family.
func TestOwnValuesChangeNothing(t *testing.T) {
	eachModel(t, func(t *testing.T, m *lens.Model, name string, ref numpy) {
		ctx := context.Background()
		plain, err := m.LogitLensIDs(ctx, ref.IDs, lens.LensOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want := cells(t, plain)
		for _, site := range m.Sites() {
			if site.Head {
				continue
			}
			g, err := m.InterveneIDs(ctx, ref.IDs, []lens.Intervention{{Site: site.Name, Edit: lens.Replace, IDs: [][]int{ref.IDs}}}, lens.LensOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if cells(t, g) != want {
				t.Errorf("%s: own values at %s change the run", name, site.Name)
			}
		}
	})
}

// Each edit does what its name says, seen at the rows of the lens.
func TestEdits(t *testing.T) {
	m := tiny(t, "gpt2")
	ctx := context.Background()
	ids := []int{268, 84, 258, 265, 266}
	other := []int{5, 6, 7}
	d := m.Config().DModel
	run := func(ivs ...lens.Intervention) *lens.Grid {
		t.Helper()
		g, err := m.InterveneIDs(ctx, ids, ivs, lens.LensOptions{Top: 1000})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	plain := run()
	// Nothing written by either sublayer: the row above is the row below.
	g := run(lens.Intervention{Site: lens.SiteAt(0, "attn_out"), Edit: lens.Zero}, lens.Intervention{Site: lens.SiteAt(0, "mlp_out"), Edit: lens.Zero})
	for p := range ids {
		if g.Cells[1][p].Top[0].Logit != g.Cells[0][p].Top[0].Logit {
			t.Errorf("position %d: 0_post is not embed", p)
		}
	}
	if len(g.Interventions) != 2 || !strings.Contains(g.String(), "zero blocks.0.hook_attn_out") {
		t.Errorf("interventions %q", g.Interventions)
	}
	// A change at a position reaches no position before it.
	g = run(lens.Intervention{Site: lens.SiteAt(0, "resid_pre"), Edit: lens.Zero, Positions: []int{3}})
	for p := range ids {
		if same := g.Cells[2][p].LogPartition == plain.Cells[2][p].LogPartition; same != (p < 3) {
			t.Errorf("zero at 3: position %d same %v", p, same)
		}
	}
	// Adding a vector and its opposite is nothing but rounding; adding half twice is adding once.
	v := make([]float32, d)
	for i := range v {
		v[i] = float32(i) - 7
	}
	add := func(scale float64) lens.Intervention {
		return lens.Intervention{Site: lens.SiteAt(1, "resid_pre"), Edit: lens.Add, Vector: v, Scale: scale, Positions: []int{-1}}
	}
	once, twice, back := run(add(1)), run(add(0.5), add(0.5)), run(add(2), add(-2))
	last := len(ids) - 1
	if x := plain.Cells[2][last].LogPartition; math.Abs(once.Cells[2][last].LogPartition-x) < 1e-2 || math.Abs(back.Cells[2][last].LogPartition-x) > 1e-4 ||
		math.Abs(once.Cells[2][last].LogPartition-twice.Cells[2][last].LogPartition) > 1e-4 {
		t.Errorf("adding: plain %g, once %g, twice half %g, back %g", x, once.Cells[2][last].LogPartition, twice.Cells[2][last].LogPartition, back.Cells[2][last].LogPartition)
	}
	// The mean over one position is that position's value; so is what is drawn from one.
	one := [][]int{{5}}
	mean := run(lens.Intervention{Site: lens.SiteAt(1, "resid_pre"), Edit: lens.Mean, IDs: one, Positions: []int{0}})
	drawn := run(lens.Intervention{Site: lens.SiteAt(1, "resid_pre"), Edit: lens.Resample, IDs: one, Positions: []int{0}})
	five, err := m.LogitLensIDs(ctx, []int{5}, lens.LensOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if x := five.Cells[1][0].LogPartition; mean.Cells[1][0].LogPartition != x && drawn.Cells[2][0].LogPartition != five.Cells[2][0].LogPartition {
		t.Errorf("mean %g and drawn %g, want %g", mean.Cells[1][0].LogPartition, drawn.Cells[1][0].LogPartition, x)
	}
	if mean.Cells[2][0].LogPartition != five.Cells[2][0].LogPartition {
		t.Errorf("after the mean %g, want %g", mean.Cells[2][0].LogPartition, five.Cells[2][0].LogPartition)
	}
	// One head at a time: zeroing both is zeroing all.
	z := lens.Intervention{Site: lens.SiteAt(1, "z"), Edit: lens.Zero}
	all, h0 := run(z), z
	h0.Heads = []int{0}
	h1 := z
	h1.Heads = []int{1}
	if cells(t, run(h0, h1)) != cells(t, all) || cells(t, run(h0)) == cells(t, all) {
		t.Error("zeroing head by head is not zeroing all")
	}
	// A mean over several texts is not any one of them, and is the same in whatever order.
	a := run(lens.Intervention{Site: lens.SiteAt(0, "z"), Edit: lens.Mean, IDs: [][]int{other, {9}}})
	b := run(lens.Intervention{Site: lens.SiteAt(0, "z"), Edit: lens.Mean, IDs: [][]int{{9}, other}})
	if math.Abs(a.Cells[2][last].LogPartition-b.Cells[2][last].LogPartition) > 1e-4 {
		t.Error("the mean depends on the order of texts")
	}
}

func TestInterveneRefuses(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx := context.Background()
	for name, try := range map[string]struct {
		iv   lens.Intervention
		says string
	}{
		"site":          {lens.Intervention{Site: "blocks.9.hook_z", Edit: lens.Zero}, "unknown site"},
		"head site":     {lens.Intervention{Site: "ln_final.hook_normalized", Edit: lens.Zero}, "unembedding"},
		"edit":          {lens.Intervention{Site: lens.SiteAt(0, "z"), Edit: "burn"}, "zero, mean, resample, add or replace"},
		"head":          {lens.Intervention{Site: lens.SiteAt(0, "z"), Edit: lens.Zero, Heads: []int{4}}, "4 heads"},
		"no heads":      {lens.Intervention{Site: lens.SiteAt(0, "resid_pre"), Edit: lens.Zero, Heads: []int{0}}, "0 heads"},
		"position":      {lens.Intervention{Site: lens.SiteAt(0, "z"), Edit: lens.Zero, Positions: []int{5}}, "0 to 4"},
		"no texts":      {lens.Intervention{Site: lens.SiteAt(0, "z"), Edit: lens.Mean}, "give some"},
		"texts of zero": {lens.Intervention{Site: lens.SiteAt(0, "z"), Edit: lens.Zero, Texts: []string{"a"}}, "no other texts"},
		"length":        {lens.Intervention{Site: lens.SiteAt(0, "z"), Edit: lens.Replace, Texts: []string{"a"}}, "one text of 5 tokens"},
		"vector":        {lens.Intervention{Site: lens.SiteAt(0, "z"), Edit: lens.Add, Vector: []float32{1}}, "wants 96"},
		"vector a head": {lens.Intervention{Site: lens.SiteAt(0, "z"), Edit: lens.Add, Vector: []float32{1}, Heads: []int{1}}, "wants 24"},
		"infinite":      {lens.Intervention{Site: lens.SiteAt(0, "z"), Edit: lens.Add, Vector: make([]float32, 24), Heads: []int{1}, Scale: math.Inf(1)}, "not finite"},
		"pattern mean":  {lens.Intervention{Site: lens.SiteAt(0, "pattern"), Edit: lens.Mean, Texts: []string{"a"}}, "no meaning"},
		"pattern add":   {lens.Intervention{Site: lens.SiteAt(0, "pattern"), Edit: lens.Add, Vector: []float32{1}}, "nothing can be added"},
		"stray vector":  {lens.Intervention{Site: lens.SiteAt(0, "z"), Edit: lens.Zero, Vector: []float32{1}}, "no vector"},
	} {
		_, err := m.Intervene(ctx, "The capital of France is", []lens.Intervention{try.iv}, lens.LensOptions{})
		var e *lens.Error
		if !errors.As(err, &e) || e.Code != lens.Invalid && e.Code != lens.NotFound || !strings.Contains(err.Error(), try.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, try.says)
		}
	}
	_, err := m.Intervene(ctx, "a", nil, lens.LensOptions{Variant: lens.Raw, Rows: lens.Stored})
	wantError(t, err, lens.Invalid, "no stored rows")
}
