package lens_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// tolerance bounds the difference to the float64 reference in every log-probability and entropy, in nats.
const tolerance = 1e-4

// golden is the file that the NumPy float64 reference wrote beside each model: lens[row][...], row 0 the embedding.
type golden struct {
	Prompts []struct {
		Text *string `json:"text"`
		IDs  []int   `json:"ids"`
		Lens []struct {
			IDs         [][]int     `json:"ids"`
			Logprobs    [][]float64 `json:"logprobs"`
			Entropy     []float64   `json:"entropy"`
			NextLogprob []float64   `json:"next_logprob"`
		} `json:"lens"`
	} `json:"prompts"`
}

func load(t testing.TB, name string) *lens.Model {
	t.Helper()
	return loadIn(t, name, t.TempDir())
}

func loadIn(t testing.TB, name, dir string) *lens.Model {
	t.Helper()
	m, err := lens.LoadWith(name, lens.LoadOptions{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func readGolden(t *testing.T, path string) golden {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Prompts) == 0 {
		t.Fatalf("%s holds no prompts", path)
	}
	return g
}

func TestLensEqualsReference(t *testing.T) {
	compare(t, lens.Embedded, filepath.Join("teach", "testdata", "golden.json"))
}

// The models beside the project are of all three families; a checkout alone does not have them, and lenstest covers the families there.
func TestLensEqualsReferenceOnSharedModels(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join("..", "..", "shared", "models", "*", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) == 0 {
		t.Skip("../shared/models is absent: the families are covered by lensapi/lenstest")
	}
	for _, path := range dirs {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) { compare(t, filepath.Dir(path), path) })
	}
}

// compare demands the reference's ids, and its numbers within tolerance at every row and position; ids must come in its order wherever the gap exceeds tolerance.
func compare(t *testing.T, name, path string) {
	m := load(t, name)
	var worst float64
	off := func(what string, p, row, pos int, got, want float64) {
		d := math.Abs(got - want)
		worst = math.Max(worst, d)
		if !(d <= tolerance) {
			t.Errorf("prompt %d, row %s, position %d: %s %.7f, reference %.7f", p, m.Rows()[row], pos, what, got, want)
		}
	}
	for p, want := range readGolden(t, path).Prompts {
		g, err := m.LogitLensIDs(context.Background(), want.IDs, lens.LensOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if want.Text != nil {
			byText, err := m.LogitLens(context.Background(), *want.Text, lens.LensOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if !equal(byText.IDs, want.IDs) {
				t.Errorf("%q: ids %v, reference %v", *want.Text, byText.IDs, want.IDs)
			}
		}
		for row, ref := range want.Lens {
			for pos := range want.IDs {
				cell := g.Cells[row][pos]
				off("entropy", p, row, pos, cell.Entropy, ref.Entropy[pos])
				if pos < len(ref.NextLogprob) {
					off("next logprob", p, row, pos, cell.Next.Logprob, ref.NextLogprob[pos])
				} else if cell.Next != nil {
					t.Errorf("prompt %d: the last position has a next token", p)
				}
				got := map[int]float64{}
				for _, c := range cell.Top {
					got[c.ID] = c.Logprob
				}
				for i, id := range ref.IDs[pos] {
					lp := ref.Logprobs[pos][i]
					apart := (i == 0 || ref.Logprobs[pos][i-1]-lp > tolerance) && (i+1 == len(ref.IDs[pos]) || lp-ref.Logprobs[pos][i+1] > tolerance)
					if apart && i+1 < len(ref.IDs[pos]) && cell.Top[i].ID != id {
						t.Errorf("prompt %d, row %d, position %d: candidate %d is id %d, reference %d", p, row, pos, i, cell.Top[i].ID, id)
					}
					if x, ok := got[id]; ok {
						off("logprob", p, row, pos, x, lp)
					} else if i+1 < len(ref.IDs[pos]) {
						t.Errorf("prompt %d, row %d, position %d: id %d is missing", p, row, pos, id)
					}
				}
			}
		}
	}
	t.Logf("%s: largest difference in logprob and entropy %.2g nats", m.Name(), worst)
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// The identities that hold whatever the weights: they need no reference.
func TestIdentities(t *testing.T) {
	m := load(t, lens.Embedded)
	g, err := m.LogitLens(context.Background(), "When Mary and John went to the shop, John gave a book to", lens.LensOptions{Top: 1000})
	if err != nil {
		t.Fatal(err)
	}
	lnV := math.Log(float64(m.Config().DVocab))
	for i, row := range g.Cells {
		for p, c := range row {
			if c.Entropy < 0 || c.Entropy > lnV+1e-9 {
				t.Errorf("%s at %d: entropy %g is outside [0, ln V]", g.Rows[i], p, c.Entropy)
			}
			if c.KL < 0 || i == len(g.Cells)-1 && c.KL != 0 {
				t.Errorf("%s at %d: KL %g", g.Rows[i], p, c.KL)
			}
			var mass float64
			for j, top := range c.Top {
				mass += math.Exp(top.Logprob)
				if top.Logprob != top.Logit-c.LogPartition {
					t.Errorf("%s at %d: logprob is not logit - log_partition", g.Rows[i], p)
				}
				if top.Rank != j+1 && top.Logit != c.Top[j-1].Logit {
					t.Errorf("%s at %d: candidate %d has rank %d", g.Rows[i], p, j, top.Rank)
				}
			}
			if mass > 1+1e-9 || mass < 0.9 {
				t.Errorf("%s at %d: 1000 of %d candidates hold %g of the mass", g.Rows[i], p, m.Config().DVocab, mass)
			}
			if c.Next != nil {
				for _, top := range c.Top {
					if top.ID == c.Next.ID && (top.Logprob != c.Next.Logprob || top.Rank != c.Next.Rank) {
						t.Errorf("%s at %d: the next token is %v in one place and %v in the other", g.Rows[i], p, top, *c.Next)
					}
				}
			}
		}
	}
}
