package lens

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

// Checked says how far estimates are from exact runs, in units of Sweep.Normalized.
type Checked struct {
	Cells     int     `json:"cells"`      // that were run exactly, evenly spread over those that can differ
	MeanError float64 `json:"mean_error"` // of absolute differences
	MaxError  float64 `json:"max_error"`
}

// defaultCheck is how many cells are run exactly beside an estimate.
const defaultCheck = 16

// estimate fills the cells with first-order estimates: what the target has in the run that is patched, and its gradient there times the difference of the values. One pass
// forward and one backward give the gradients of all cells (Nanda 2023, attribution patching).
func (w *sweeper) estimate(ctx context.Context) error {
	start := time.Now()
	mod, d := w.m.run.Model(), w.m.cfg.DModel
	mine, hooks := map[string]values{}, []forward.Hook(nil)
	at := map[int]int{} // index into Layers by layer
	for i, pl := range w.places {
		vs := make(values, len(w.base))
		mine[pl.name], at[w.Layers[i]] = vs, i
		hooks = append(hooks, forward.Hook{Site: pl.name, Func: func(a model.Activation) error { pl.keep(vs, a); return nil }})
	}
	all := make([]int, w.m.cfg.NLayers)
	for l := range all {
		all[l] = l
	}
	var trace [][]float32
	_, last, err := w.m.wholeInto(ctx, w.base, all, &trace, hooks...)
	if err != nil {
		return err
	}
	grad := make([]float64, len(w.base)*d)
	ids, weights := []int{w.Target.Token}, []float64{1, -1}
	if w.Target.Against != nil {
		ids = append(ids, *w.Target.Against)
	}
	copy(grad[len(grad)-d:], mod.LogitGradient(last, ids, weights))
	for l := w.m.cfg.NLayers - 1; l >= 0 && w.Done < w.Total; l-- {
		sites := map[int][]float64{}
		i, wanted := at[l]
		site := -1
		if wanted {
			if site, _, err = mod.Site(w.places[i].name); err != nil {
				return err
			}
			sites[site] = nil
		}
		if grad, err = mod.Backward(ctx, l, trace[l], grad, sites); err != nil {
			return err
		}
		if wanted {
			w.estimateLayer(i, sites[site], mine[w.places[i].name])
			if w.progress != nil {
				w.progress(w.Done, w.Total, time.Since(start)/time.Duration(w.Done)*time.Duration(w.Total-w.Done))
			}
		}
	}
	return w.checkEstimates(ctx)
}

// estimateLayer fills the cells of one layer from the gradient g at its site, [T, ...].
func (w *sweeper) estimateLayer(i int, g []float64, mine values) {
	pl, theirs := w.places[i], w.source[w.places[i].name]
	heads, width := max(1, pl.heads), len(g)/len(w.base)/max(1, pl.heads)
	change := make([]float64, len(w.Value[i]))
	for p := w.first; p < len(w.base); p++ {
		for h := range heads {
			n := len(theirs[p]) / heads // of a pattern, as many keys as the pass had so far
			a, b := theirs[p][h*n:(h+1)*n], mine[p][h*n:(h+1)*n]
			var sum float64
			for k := range min(n, width) {
				sum += g[(p*heads+h)*width+k] * (float64(a[k]) - float64(b[k]))
			}
			if w.ByHead {
				change[h] += sum
			} else {
				change[p] += sum
			}
		}
	}
	for j, c := range change {
		w.set(i, j, w.baseValue()+c)
	}
}

// checkEstimates runs some cells exactly.
func (w *sweeper) checkEstimates(ctx context.Context) error {
	type place struct{ i, j int }
	var cells []place
	for i := range w.Layers {
		for j := range w.Value[i] {
			if w.ByHead || j >= w.first {
				cells = append(cells, place{i, j})
			}
		}
	}
	n := w.check
	if n < 0 || n > len(cells) {
		n = len(cells)
	}
	w.Checked = &Checked{Cells: n}
	chosen := make([][]int, len(w.Layers))
	for k := range n {
		c := cells[(2*k+1)*len(cells)/(2*n)]
		chosen[c.i] = append(chosen[c.i], c.j)
	}
	for i, columns := range chosen {
		var branches []forward.Branch
		for _, j := range columns {
			branches = append(branches, w.branch(i, j))
		}
		err := w.sess.Branches(ctx, w.Layers[i], branches, func(k int, last []float32) error {
			err := math.Abs(w.normalized(w.m.value(last, w.Target)) - w.Normalized[i][columns[k]])
			w.Checked.MeanError += err / float64(n)
			w.Checked.MaxError = max(w.Checked.MaxError, err)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Checked) String() string {
	return fmt.Sprintf("first-order estimates from one gradient (attribution patching); against %d exact runs they are off by %.3f in the mean and %.3f at most", c.Cells, c.MeanError, c.MaxError)
}
