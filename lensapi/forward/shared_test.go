package forward_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/lenstest"
)

// sharedModel is the folder of a trained model that lies beside the repository on the project's machines; the test
// is skipped where it does not.
func sharedModel(tb testing.TB, name string) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			tb.Skip("skipped: no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	dir = filepath.Join(filepath.Dir(dir), "shared", "models", name)
	if _, err := os.Stat(dir); err != nil {
		tb.Skipf("skipped: ../shared/models/%s is not here", name)
	}
	return dir
}

type sharedGolden struct {
	Prompts []struct {
		IDs       []int       `json:"ids"`
		ResidNorm [][]float64 `json:"resid_norm"` // [L+1][T]
		AttnNorm  [][]float64 `json:"attn_out_norm"`
		MLPNorm   [][]float64 `json:"mlp_out_norm"`
		Pattern   [][]float64 `json:"last_pos_pattern_l0"` // [n_heads][T]
		Lens      []struct {
			IDs         [][]int     `json:"ids"`
			LogProbs    [][]float64 `json:"logprobs"`
			Entropy     []float64   `json:"entropy"`
			NextLogProb []float64   `json:"next_logprob"`
		} `json:"lens"`
		Final map[string]json.RawMessage `json:"final_logits"` // by position: all, or topLogits
	} `json:"prompts"`
}

type topLogits struct {
	IDs    []int     `json:"ids"`
	Logits []float64 `json:"logits"`
	Sum    float64   `json:"sum"`
	First8 []float64 `json:"first8"`
}

func norm(x []float32) float64 {
	var s float64
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return math.Sqrt(s)
}

// TestSharedGoldens is the acceptance on trained models.
func TestSharedGoldens(t *testing.T) {
	for _, name := range []string{"teach-draft", "stories260k-llama", "kjv-neox", "nano-sort-gpt2"} {
		t.Run(name, func(t *testing.T) {
			dir := sharedModel(t, name)
			data, err := os.ReadFile(filepath.Join(dir, "golden.json"))
			if err != nil {
				t.Fatal(err)
			}
			var g sharedGolden
			if err := json.Unmarshal(data, &g); err != nil {
				t.Fatal(err)
			}
			if testing.Short() {
				g.Prompts = g.Prompts[:1]
			}
			r := forward.New(lenstest.Load(t, os.DirFS(dir)))
			c := r.Model().Config()
			w := newWorst(t)
			for pi, p := range g.Prompts {
				sites := map[string][]float32{}
				hooks := []forward.Hook{record("blocks.0.attn.hook_pattern", sites)}
				for l := range c.NLayers {
					hooks = append(hooks, record(fmt.Sprintf("blocks.%d.hook_attn_out", l), sites), record(fmt.Sprintf("blocks.%d.hook_mlp_out", l), sites))
				}
				tr, err := r.NewSession().Extend(context.Background(), p.IDs, hooks...)
				if err != nil {
					t.Fatal(err)
				}
				n, d := len(p.IDs), c.DModel
				for h, row := range p.Pattern {
					for k, want := range row {
						w.see("pattern", fmt.Sprint(pi, h, k), float64(sites["blocks.0.attn.hook_pattern"][((n-1)*c.NHeads+h)*n+k]), want)
					}
				}
				for pos := range n {
					for l := range c.NLayers {
						for site, want := range map[string]float64{"hook_attn_out": p.AttnNorm[l][pos], "hook_mlp_out": p.MLPNorm[l][pos]} {
							x := sites[fmt.Sprintf("blocks.%d.%s", l, site)][pos*d : (pos+1)*d]
							w.see(site+" norm", fmt.Sprint(pi, l, pos), norm(x)/want, 1)
						}
					}
					for row := range p.Lens {
						where := fmt.Sprintf("prompt %d row %d position %d", pi, row, pos)
						w.see("resid norm", where, norm(tr.Row(pos, row))/p.ResidNorm[row][pos], 1)
						z, err := r.Logits(context.Background(), tr.Row(pos, row))
						if err != nil {
							t.Fatal(err)
						}
						lp, _ := logSoftmax(z)
						checkTop(w, where, lp, p.Lens[row].IDs[pos], p.Lens[row].LogProbs[pos])
						w.see("entropy", where, entropy(lp), p.Lens[row].Entropy[pos])
						if pos+1 < n {
							w.see("next logprob", where, lp[p.IDs[pos+1]], p.Lens[row].NextLogProb[pos])
						}
						if raw := p.Final[strconv.Itoa(pos)]; raw != nil && row == c.NLayers {
							checkFinal(w, where, z, raw)
						}
					}
				}
			}
		})
	}
}

func checkFinal(w *worst, where string, z []float32, raw json.RawMessage) {
	var all []float64
	var top topLogits
	if json.Unmarshal(raw, &all) != nil {
		if err := json.Unmarshal(raw, &top); err != nil {
			w.t.Fatal(err)
		}
	}
	for i, want := range slices.Concat(all, top.First8) {
		w.see("logits", where, float64(z[i]), want)
	}
	for i, id := range top.IDs {
		w.see("logits", where, float64(z[id]), top.Logits[i])
	}
	if len(top.IDs) > 0 {
		var sum float64
		for _, v := range z {
			sum += float64(v)
		}
		w.see("mean logit", where, sum/float64(len(z)), top.Sum/float64(len(z)))
	}
}

// TestGreedyStories generates as the reference does; its smallest gap between the best two logits is 0.004, so
// nothing is left to rounding.
func TestGreedyStories(t *testing.T) {
	data, err := os.ReadFile("testdata/stories260k-greedy.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		First int   `json:"first"`
		IDs   []int `json:"ids"`
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	r := forward.New(lenstest.Load(t, os.DirFS(sharedModel(t, "stories260k-llama"))))
	for range 2 {
		if got := generate(t, r, forward.Sampling{}, []int{want.First}, len(want.IDs)); !slices.Equal(got, want.IDs) {
			t.Fatalf("greedy ids\n%v, want\n%v", got, want.IDs)
		}
	}
}

// generate feeds ids, then n tokens one by one, and returns the n.
func generate(tb testing.TB, r *forward.Runner, s forward.Sampling, ids []int, n int) (out []int) {
	tb.Helper()
	ctx := context.Background()
	smp, err := forward.NewSampler(s)
	if err != nil {
		tb.Fatal(err)
	}
	sess := r.NewSession()
	for range n {
		tr, err := sess.Extend(ctx, ids)
		if err != nil {
			tb.Fatal(err)
		}
		z, err := r.Logits(ctx, tr.Last())
		if err != nil {
			tb.Fatal(err)
		}
		id, err := smp.Next(z)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, id)
		ids = []int{id}
	}
	return out
}
