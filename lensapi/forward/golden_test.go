package forward_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/lenstest"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

// tolerance is the issue's; what is measured is far below it (go test -v prints it).
const tolerance = 1e-4

// worst collects the largest difference of each kind of number.
type worst struct {
	t     *testing.T
	kinds []string
	max   map[string]float64
}

func newWorst(t *testing.T) *worst {
	w := &worst{t: t, max: map[string]float64{}}
	t.Cleanup(func() {
		for _, k := range w.kinds {
			t.Logf("largest error of %-14s %.2e", k, w.max[k])
		}
	})
	return w
}

// see compares got with want.
func (w *worst) see(kind, where string, got, want float64) {
	w.t.Helper()
	if !slices.Contains(w.kinds, kind) {
		w.kinds = append(w.kinds, kind)
	}
	d := math.Abs(got - want)
	if !(d <= tolerance) {
		w.t.Errorf("%s %s: %v, want %v", kind, where, got, want)
	}
	w.max[kind] = max(w.max[kind], d)
}

// record is a hook that copies what passes a site.
func record(site string, dst map[string][]float32) forward.Hook {
	return forward.Hook{Site: site, Func: func(a model.Activation) error {
		dst[site] = append(dst[site], a.Data...)
		return nil
	}}
}

// logSoftmax in float64: the statistics of the lens are not this package's, its logits are.
func logSoftmax(z []float32) (lp []float64, partition float64) {
	top := float64(slices.Max(z))
	var sum float64
	for _, v := range z {
		sum += math.Exp(float64(v) - top)
	}
	partition = top + math.Log(sum)
	for _, v := range z {
		lp = append(lp, float64(v)-partition)
	}
	return lp, partition
}

func entropy(lp []float64) (h float64) {
	for _, l := range lp {
		h -= math.Exp(l) * l
	}
	return h
}

// rank orders ids by logprob, equal ones by id.
func rank(lp []float64) []int {
	ids := make([]int, len(lp))
	for i := range ids {
		ids[i] = i
	}
	slices.SortStableFunc(ids, func(a, b int) int {
		switch {
		case lp[a] > lp[b]:
			return -1
		case lp[a] < lp[b]:
			return 1
		}
		return 0
	})
	return ids
}

// checkTop compares a lens row: each golden token has the golden logprob, and stands where it should wherever the
// golden's neighbours are further apart than the tolerance.
func checkTop(w *worst, where string, lp []float64, ids []int, logprobs []float64) {
	got := rank(lp)
	for i, id := range ids {
		w.see("lens logprob", where, lp[id], logprobs[i])
		clear := (i == 0 || logprobs[i-1]-logprobs[i] > tolerance) && (i+1 < len(ids) && logprobs[i]-logprobs[i+1] > tolerance)
		if clear && got[i] != id {
			w.t.Errorf("%s: rank %d is token %d, want %d", where, i+1, got[i], id)
		}
	}
}

func TestTinyGoldens(t *testing.T) {
	for _, name := range lenstest.Names() {
		t.Run(name, func(t *testing.T) {
			g, err := lenstest.Golden(name)
			if err != nil {
				t.Fatal(err)
			}
			ctx := context.Background()
			r := forward.New(lenstest.Model(t, name))
			c := r.Model().Config()
			sites := map[string][]float32{}
			var hooks []forward.Hook
			for l := range c.NLayers {
				for _, s := range []string{"hook_attn_out", "hook_mlp_out", "attn.hook_pattern"} {
					hooks = append(hooks, record(fmt.Sprintf("blocks.%d.%s", l, s), sites))
				}
			}
			tr, err := r.NewSession().Extend(ctx, g.IDs, hooks...)
			if err != nil {
				t.Fatal(err)
			}
			n, w := len(g.IDs), newWorst(t)
			for row := range g.Resid {
				for p := range n {
					for i, want := range g.Resid[row][p] {
						w.see("resid", fmt.Sprint(row, p, i), float64(tr.Row(p, row)[i]), want)
					}
				}
			}
			for l := range c.NLayers {
				at := fmt.Sprintf("blocks.%d.", l)
				for p := range n {
					for i := range c.DModel {
						w.see("attn_out", fmt.Sprint(l, p, i), float64(sites[at+"hook_attn_out"][p*c.DModel+i]), g.AttnOut[l][p][i])
						w.see("mlp_out", fmt.Sprint(l, p, i), float64(sites[at+"hook_mlp_out"][p*c.DModel+i]), g.MLPOut[l][p][i])
					}
					for h := range c.NHeads {
						for k := range n {
							w.see("pattern", fmt.Sprint(l, p, h, k), float64(sites[at+"attn.hook_pattern"][(p*c.NHeads+h)*n+k]), g.Pattern[l][h][p][k])
						}
					}
				}
			}
			final := g.Logits
			for row := range g.Lens {
				lens := g.Lens[row]
				for p := range n {
					z, err := r.Logits(ctx, tr.Row(p, row))
					if err != nil {
						t.Fatal(err)
					}
					where := fmt.Sprintf("row %d position %d", row, p)
					if row == c.NLayers {
						for i := range final[p] {
							w.see("logits", where, float64(z[i]), final[p][i])
						}
					}
					lp, part := logSoftmax(z)
					checkTop(w, where, lp, lens.IDs[p], lens.LogProbs[p])
					w.see("entropy", where, entropy(lp), lens.Entropy[p])
					w.see("log partition", where, part, lens.LogPartition[p])
					if p+1 < n {
						w.see("next logprob", where, lp[g.IDs[p+1]], lens.NextLogProb[p])
					}
				}
			}
		})
	}
}
