package forward_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/lenstest"
	"github.com/gopherlens/gopherlens/lensapi/model"
	"github.com/gopherlens/gopherlens/lensapi/teach"
	"github.com/gopherlens/gopherlens/lensapi/weights"
)

// off is how far the logits of rounded weights are from those of the weights as stored.
type off struct {
	Max, RMS float64 // of logits
	Share    float64 // RMS over the deviation of the exact logits of a position
	KL       float64 // nats, of the rounded distribution from the exact one, at the worst position
	Same     float64 // share of positions with the same first token
}

// roundedLogits opens a model as stored and rounded and compares the logits of all positions of some sequences.
func roundedLogits(t *testing.T, fsys fs.FS, to string, sequences [][]int) off {
	t.Helper()
	load := func(o model.Options) *forward.Runner {
		config, err := fs.ReadFile(fsys, "config.json")
		if err != nil {
			t.Fatal(err)
		}
		w, err := weights.Open(fsys)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		m, err := model.LoadWith(config, w, o)
		if err != nil {
			t.Fatal(err)
		}
		return forward.New(m)
	}
	exact, rounded := load(model.Options{}), load(model.Options{Weights: to})
	n := exact.Model().Config().DVocab
	logits := func(r *forward.Runner, ids []int) []float32 {
		tr, err := r.NewSession().Extend(context.Background(), ids)
		if err != nil {
			t.Fatal(err)
		}
		var rows []float32
		for p := range ids {
			rows = append(rows, tr.Row(p, tr.Rows-1)...)
		}
		z, err := r.Logits(context.Background(), rows)
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	var o off
	var spread float64
	positions := 0.0
	for _, ids := range sequences {
		allX, allY := logits(exact, ids), logits(rounded, ids)
		for p := range ids {
			x, y := allX[p*n:(p+1)*n], allY[p*n:(p+1)*n]
			var mean, kl float64
			for _, v := range x {
				mean += float64(v) / float64(n)
			}
			lx, _ := logSoftmax(x)
			ly, _ := logSoftmax(y)
			for i, v := range x {
				d := float64(y[i]) - float64(v)
				o.Max, o.RMS = max(o.Max, math.Abs(d)), o.RMS+d*d/float64(n)
				spread += (float64(v) - mean) * (float64(v) - mean) / float64(n)
				kl += math.Exp(lx[i]) * (lx[i] - ly[i])
			}
			o.KL = max(o.KL, kl)
			if slices.Index(x, slices.Max(x)) == slices.Index(y, slices.Max(y)) {
				o.Same++
			}
			positions++
		}
	}
	o.Share = math.Sqrt(o.RMS / spread)
	o.RMS, o.Same = math.Sqrt(o.RMS/positions), o.Same/positions
	return o
}

// TestRoundedLogits holds what the documentation of lens.LoadOptions.Weights says of the error; go test -v prints what is measured.
func TestRoundedLogits(t *testing.T) {
	limits := map[string]off{
		"f16":  {Max: 0.012, Share: 0.001, KL: 2e-5, Same: 1},
		"bf16": {Max: 0.1, Share: 0.008, KL: 6e-4, Same: 0.9}, // of 12 positions, so one may differ
		"int8": {Max: 0.6, Share: 0.04, KL: 0.012, Same: 0.8}, // two may
	}
	inTeach := map[string]float64{"f16": 1, "bf16": 0.98, "int8": 0.96} // Same of its 204 positions
	for _, name := range append(lenstest.Names(), "teach") {
		var fsys fs.FS
		var sequences [][]int
		if name == "teach" {
			fsys, sequences = teach.FS(), teachSequences(t)
		} else {
			g, err := lenstest.Golden(name)
			if err != nil {
				t.Fatal(err)
			}
			fsys, sequences = lenstest.FS(name), [][]int{g.IDs}
		}
		for to, limit := range limits {
			o := roundedLogits(t, fsys, to, sequences)
			t.Logf("%-12s %-5s max %.1e rms %.1e, %.2e of the deviation; kl %.1e; same %.3f", name, to, o.Max, o.RMS, o.Share, o.KL, o.Same)
			if name == "teach" {
				limit.Same = inTeach[to]
			}
			if !(o.Max <= limit.Max && o.Share <= limit.Share && o.KL <= limit.KL && o.Same >= limit.Same) {
				t.Errorf("%s rounded to %s: %+v, beyond %+v", name, to, o, limit)
			}
			if to == "int8" && o.RMS == 0 {
				t.Errorf("%s: int8 rounds nothing", name)
			}
		}
	}
}

// teachSequences are the prompts that the embedded model's reference was computed for.
func teachSequences(t *testing.T) (out [][]int) {
	data, err := os.ReadFile("../teach/testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct{ Prompts []struct{ IDs []int } }
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	for _, p := range g.Prompts {
		out = append(out, p.IDs)
	}
	return out
}
