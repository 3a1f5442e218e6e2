package lens_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
	"github.com/gopherlens/gopherlens/lensapi/lenstest"
)

// cellStats are the reference's statistics of one row, by position.
type cellStats struct {
	LogPartition   []float64 `json:"log_partition"`
	Entropy        []float64 `json:"entropy"`
	KL             []float64 `json:"kl"`
	KLReverse      []float64 `json:"kl_reverse"`
	JS             []float64 `json:"js"`
	TV             []float64 `json:"tv"`
	MaxProbability []float64 `json:"max_probability"`
	Top            []int     `json:"top"`
	CrossEntropy   []float64 `json:"cross_entropy"`
	NextRank       []int     `json:"next_rank"`
	AnswerLogprob  []float64 `json:"answer_logprob"`
	AnswerRank     []int     `json:"answer_rank"`
}

// numpy is testdata/lens.json, which testdata/lens.py (NumPy, float64) wrote for the models of lenstest.
type numpy struct {
	IDs    []int `json:"ids"`
	Other  []int `json:"other"`
	A, B   int
	Models map[string]struct {
		Lens  map[lens.Variant][]cellStats `json:"lens"`
		Track struct {
			IDs     []int         `json:"ids"`
			Logprob [][][]float64 `json:"logprob"` // [token][row][position]
			Rank    [][][]int     `json:"rank"`
		} `json:"track"`
		Attribution map[string]attributionReference `json:"attribution"`
		Attention   struct {
			Pattern  [][][][]float64 `json:"pattern"` // [layer][head][query][key]
			Weighted [][][][]float64 `json:"weighted"`
			Rollout  [][]float64     `json:"rollout"`
		} `json:"attention"`
		Patch    map[string]json.RawMessage `json:"patch"`
		Gradient map[string][][]float64     `json:"gradient"`
	} `json:"models"`
}

type attributionReference struct {
	Embed    float64     `json:"embed"`
	PosEmbed float64     `json:"pos_embed"`
	Bias     float64     `json:"bias"`
	Attn     []float64   `json:"attn"`
	MLP      []float64   `json:"mlp"`
	Heads    [][]float64 `json:"heads"`
	Values   [][]float64 `json:"value_bias"`
	AttnBias []float64   `json:"attn_bias"`
	Neurons  [][]float64 `json:"neurons"`
	MLPBias  []float64   `json:"mlp_bias"`
	Total    float64     `json:"total"`
}

var readReference = sync.OnceValues(func() (r numpy, err error) {
	b, err := os.ReadFile("testdata/lens.json")
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(b, &r)
})

// eachModel runs test on every model of lenstest with the reference.
func eachModel(t *testing.T, test func(t *testing.T, m *lens.Model, name string, ref numpy)) {
	ref, err := readReference()
	if err != nil {
		t.Fatal(err)
	}
	if len(ref.Models) != len(lenstest.Names()) {
		t.Fatalf("the reference has %d models, lenstest %d: run testdata/lens.py", len(ref.Models), len(lenstest.Names()))
	}
	for _, name := range lenstest.Names() {
		if testing.Short() && !slices.Contains([]string{"gpt2", "llama", "gemma2", "neox"}, name) {
			continue // one of each kind of head and block
		}
		t.Run(name, func(t *testing.T) { test(t, tiny(t, name), name, ref) })
	}
}

// tiny loads a model of lenstest.
func tiny(t testing.TB, name string) *lens.Model {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, lenstest.FS(name)); err != nil {
		t.Fatal(err)
	}
	return load(t, dir)
}

// translators are those of testdata/lens.py, written as the tuned-lens library names them when ints is set.
func translators(t *testing.T, m *lens.Model, kind lens.Variant, ints bool) *lens.Translators {
	t.Helper()
	tr, err := m.LoadTranslators(translatorFile(t, m, kind, m.HeadDigest(), ints))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestVariantsEqualReference(t *testing.T) {
	eachModel(t, func(t *testing.T, m *lens.Model, name string, ref numpy) {
		want := ref.Models[name]
		for v, rows := range want.Lens {
			opt := lens.LensOptions{Variant: v, Stats: true, Mid: len(rows) == 5}
			if v == lens.Tuned || v == lens.Jacobian {
				opt.Translators = translators(t, m, v, name == "gpt2")
			}
			g, err := m.LogitLensIDs(context.Background(), ref.IDs, opt)
			if err != nil {
				t.Fatal(err)
			}
			if g.Variant != v || !strings.Contains(g.String(), "lens "+string(v)) {
				t.Errorf("the grid calls itself %s", g.Variant)
			}
			if opt.Mid && !slices.Equal(g.Rows, []string{"embed", "0_mid", "0_post", "1_mid", "1_post"}) {
				t.Errorf("rows %v", g.Rows)
			}
			compareStats(t, g, rows)
			for _, p := range []int{0, len(ref.IDs) - 1} {
				first := ""
				for i := len(rows) - 1; i >= 0 && rows[i].AnswerRank[p] == 1; i-- {
					first = g.Rows[i]
				}
				if g.Settled[p] != first {
					t.Errorf("%s, position %d: settled from %q, reference %q", v, p, g.Settled[p], first)
				}
			}
		}
	})
}

// compareStats demands every statistic of every cell within tolerance.
func compareStats(t *testing.T, g *lens.Grid, rows []cellStats) {
	t.Helper()
	if len(g.Cells) != len(rows) {
		t.Fatalf("%s: %d rows, reference %d", g.Variant, len(g.Cells), len(rows))
	}
	for i, ref := range rows {
		for p := range g.IDs {
			c := g.Cells[i][p]
			near := func(what string, got, want float64) {
				if !(math.Abs(got-want) <= tolerance) {
					t.Errorf("%s, row %s, position %d: %s %.7f, reference %.7f", g.Variant, g.Rows[i], p, what, got, want)
				}
			}
			near("log-partition", c.LogPartition, ref.LogPartition[p])
			near("entropy", c.Entropy, ref.Entropy[p])
			near("KL", c.KL, ref.KL[p])
			near("reverse KL", c.Stats.KLReverse, ref.KLReverse[p])
			near("JS", c.Stats.JS, ref.JS[p])
			near("TV", c.Stats.TV, ref.TV[p])
			near("max probability", c.Stats.MaxProbability, ref.MaxProbability[p])
			near("answer's logprob", c.Answer.Logprob, ref.AnswerLogprob[p])
			if c.Top[0].ID != ref.Top[p] || c.Answer.Rank != ref.AnswerRank[p] {
				t.Errorf("%s, row %s, position %d: first is id %d and the answer's rank %d, reference %d and %d", g.Variant, g.Rows[i], p, c.Top[0].ID, c.Answer.Rank, ref.Top[p], ref.AnswerRank[p])
			}
			if p == len(g.IDs)-1 {
				if c.Next != nil || c.Stats.CrossEntropy != nil {
					t.Errorf("%s: the last position has a next token", g.Variant)
				}
				continue
			}
			near("cross-entropy", *c.Stats.CrossEntropy, ref.CrossEntropy[p])
			if c.Next.Rank != ref.NextRank[p] {
				t.Errorf("%s, row %s, position %d: rank of the next token %d, reference %d", g.Variant, g.Rows[i], p, c.Next.Rank, ref.NextRank[p])
			}
		}
	}
}

// Whatever is computed anew has the bits of the record, and the last row of a lens that leaves it alone is the model's own output.
func TestFreshEqualsRecorded(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx, prompt := context.Background(), "The capital of France is"
	recorded, err := m.LogitLens(ctx, prompt, lens.LensOptions{})
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := m.LogitLens(ctx, prompt, lens.LensOptions{Stats: true, Mid: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range recorded.Rows {
		j := slices.Index(fresh.Rows, row)
		for p := range recorded.IDs {
			got := fresh.Cells[j][p]
			got.Stats = nil
			a, _ := json.Marshal(recorded.Cells[i][p])
			b, _ := json.Marshal(got)
			if string(a) != string(b) {
				t.Fatalf("row %s, position %d:\n%s\n%s", row, p, a, b)
			}
		}
	}
	for _, v := range []lens.Variant{lens.Scaled, lens.Tuned, lens.Jacobian} {
		opt := lens.LensOptions{Variant: v}
		if v != lens.Scaled {
			opt.Translators = translators(t, m, v, false)
		}
		g, err := m.LogitLens(ctx, prompt, opt)
		if err != nil {
			t.Fatal(err)
		}
		for p, c := range g.Cells[len(g.Cells)-1] {
			if want := recorded.Cells[len(recorded.Cells)-1][p]; c.KL != 0 || c.Top[0].Logit != want.Top[0].Logit || c.LogPartition != want.LogPartition {
				t.Errorf("%s: the last row at %d is not the model's output", v, p)
			}
		}
	}
}

// Stored rows need no forward pass, say how they were stored, and are as near as float16 allows.
func TestStoredRows(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx, prompt := context.Background(), "When Mary and John went to the shop, John gave a book to"
	exact, err := m.LogitLens(ctx, prompt, lens.LensOptions{Variant: lens.Raw})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.LogitLens(ctx, prompt, lens.LensOptions{}); err != nil {
		t.Fatal(err)
	}
	passes := m.Status().Forward.Passes
	g, err := m.LogitLens(ctx, prompt, lens.LensOptions{Variant: lens.Raw, Rows: lens.Stored})
	if err != nil {
		t.Fatal(err)
	}
	if n := m.Status().Forward.Passes - passes; n != 0 {
		t.Errorf("%d forward passes", n)
	}
	if g.Codec != "float16" || !strings.Contains(g.String(), "rows stored as float16") || exact.Codec != "" {
		t.Errorf("codec %q and %q", g.Codec, exact.Codec)
	}
	differ := false
	for i := range g.Cells {
		for p := range g.IDs {
			d := math.Abs(g.Cells[i][p].Entropy - exact.Cells[i][p].Entropy)
			differ = differ || d > 0
			if d > 0.02 {
				t.Errorf("row %s, position %d: entropy differs by %g", g.Rows[i], p, d)
			}
		}
	}
	if !differ {
		t.Error("stored rows are exact: say so")
	}
}

func TestTranslatorsOfAnotherHeadAreRefused(t *testing.T) {
	m := tiny(t, "gpt2")
	other := tiny(t, "gpt2-untied").HeadDigest()
	_, err := m.LoadTranslators(translatorFile(t, m, lens.Tuned, other, false))
	wantError(t, err, lens.Invalid, "fitted for this model")
	_, err = m.LoadTranslators(translatorFile(t, m, lens.Raw, m.HeadDigest(), false))
	wantError(t, err, lens.Invalid, "want tuned or jacobian")
	_, err = m.LoadTranslators(translatorFile(t, load(t, lens.Embedded), lens.Tuned, m.HeadDigest(), false))
	wantError(t, err, lens.Invalid, "wants [16 16]")
	_, err = m.LoadTranslators("nowhere.safetensors")
	wantError(t, err, lens.NotFound, "nowhere")
	_, err = m.LogitLens(context.Background(), "a", lens.LensOptions{Variant: lens.Jacobian, Translators: translators(t, m, lens.Tuned, false)})
	wantError(t, err, lens.Invalid, "tuned lens, not of a jacobian")
}

func TestTranslatorsSaved(t *testing.T) {
	m := tiny(t, "llama")
	tr := translators(t, m, lens.Tuned, false)
	path := t.TempDir() + "/again.safetensors"
	if err := tr.Save(path); err != nil {
		t.Fatal(err)
	}
	again, err := m.LoadTranslators(path)
	if err != nil {
		t.Fatal(err)
	}
	if again.Digest != tr.Digest || again.Kind != lens.Tuned {
		t.Errorf("%s %s came back as %s %s", tr.Kind, tr.Digest, again.Kind, again.Digest)
	}
}

func TestCompareLenses(t *testing.T) {
	m := load(t, lens.Embedded)
	c, err := m.CompareLenses(context.Background(), "The capital of France is")
	if err != nil {
		t.Fatal(err)
	}
	text := c.MIMEBundle()["text/plain"].(string)
	for _, want := range []string{"lens raw", "lens normed", "lens scaled", "mean KL"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	_, err = m.CompareLenses(context.Background(), "a", lens.LensOptions{}, lens.LensOptions{BOS: lens.BOSNo})
	wantError(t, err, lens.Invalid, "agree")
}
