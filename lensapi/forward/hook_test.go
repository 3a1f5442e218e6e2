package forward_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/lenstest"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

func TestEditInPlace(t *testing.T) {
	for _, name := range []string{"gpt2", "llama", "neox-serial"} {
		r := forward.New(lenstest.Model(t, name))
		d := r.Model().Config().DModel
		ids := someIDs(8)
		clean, _ := result(t, r, ids, []int{8})
		edit := forward.Hook{Site: "blocks.1.hook_resid_mid", Func: func(a model.Activation) error {
			if p := 3 - a.Start; p >= 0 && p < a.Shape[0] {
				clear(a.Data[p*d : (p+1)*d])
			}
			return nil
		}}
		got, _ := result(t, r, ids, []int{8}, edit)
		rows := 3 * d
		// Only blocks.1 onwards of position 3 sees it: attention of the same block has already run.
		sameBits(t, name+": rows below the edit", got[3*rows:3*rows+2*d], clean[3*rows:3*rows+2*d])
		sameBits(t, name+": positions before", got[:3*rows], clean[:3*rows])
		sameBits(t, name+": positions after, last block", got[4*rows:], clean[4*rows:])
		if slices.Equal(got[3*rows+2*d:4*rows], clean[3*rows+2*d:4*rows]) {
			t.Errorf("%s: the edit changed nothing at its position", name)
		}
		stepwise, _ := result(t, r, ids, slices.Repeat([]int{1}, 8), edit)
		sameBits(t, name+": edit while decoding", stepwise, got)

		// An edit one block lower reaches later positions through attention, and never earlier ones.
		edit.Site = "blocks.0.hook_resid_mid"
		got, _ = result(t, r, ids, []int{8}, edit)
		sameBits(t, name+": positions before", got[:3*rows], clean[:3*rows])
		for p := 4; p < 8; p++ {
			if slices.Equal(got[p*rows+2*d:(p+1)*rows], clean[p*rows+2*d:(p+1)*rows]) {
				t.Errorf("%s: the edit did not reach position %d", name, p)
			}
		}
	}
}

func TestEditReachesEverySite(t *testing.T) {
	for _, name := range lenstest.Names() {
		r := forward.New(lenstest.Model(t, name))
		ids := someIDs(6)
		clean, _ := result(t, r, ids, []int{6})
		for _, s := range r.Model().Sites() {
			if s.Head {
				continue
			}
			var seen []float32
			edit := forward.Hook{Site: s.Name, Func: func(a model.Activation) error {
				for i := range a.Data {
					a.Data[i] *= -1.5
				}
				return nil
			}}
			after := forward.Hook{Site: s.Name, Func: func(a model.Activation) error {
				seen = slices.Clone(a.Data)
				return nil
			}}
			got, _ := result(t, r, ids, []int{6}, edit, after)
			if slices.Equal(got, clean) {
				t.Errorf("%s: editing %s changed no residual row", name, s.Name)
			}
			if len(seen) == 0 {
				t.Errorf("%s: the second hook at %s saw nothing", name, s.Name)
			}
		}
		head := forward.Hook{Site: "ln_final.hook_normalized", Func: func(a model.Activation) error {
			clear(a.Data)
			return nil
		}}
		row := clean[:r.Model().Config().DModel]
		z, err := r.Logits(context.Background(), row)
		zero, err2 := r.Logits(context.Background(), row, head)
		if err != nil || err2 != nil || slices.Equal(z, zero) {
			t.Errorf("%s: editing ln_final changed no logit (%v, %v)", name, err, err2)
		}
	}
}

func TestParallelEdit(t *testing.T) {
	r := forward.New(lenstest.Model(t, "neox"))
	var mlp [][]float32
	keep := forward.Hook{Site: "blocks.0.hook_mlp_out", Func: func(a model.Activation) error {
		mlp = append(mlp, slices.Clone(a.Data))
		return nil
	}}
	zero := forward.Hook{Site: "blocks.0.hook_attn_out", Func: func(a model.Activation) error {
		clear(a.Data)
		return nil
	}}
	result(t, r, someIDs(5), []int{5}, keep)
	result(t, r, someIDs(5), []int{5}, keep, zero)
	sameBits(t, "mlp_out", mlp[1], mlp[0])
}

func TestPartSites(t *testing.T) {
	for _, name := range []string{"gpt2", "llama", "gemma2", "gpt-neo"} {
		r := forward.New(lenstest.Model(t, name))
		c := r.Model().Config()
		ids := someIDs(9)
		run := func(hooks ...forward.Hook) map[string][]float32 {
			seen := map[string][]float32{}
			for _, site := range []string{"hook_resid_pre", "ln1.hook_scale", "ln1.hook_normalized", "attn.hook_attn_scores", "attn.hook_pattern", "attn.hook_z", "attn.hook_result", "hook_attn_out"} {
				hooks = append(hooks, record("blocks.1."+site, seen))
			}
			result(t, r, ids, []int{len(ids)}, hooks...)
			return seen
		}
		near := func(what string, got, want float64) {
			t.Helper()
			if !(math.Abs(got-want) <= 2e-6*max(1, math.Abs(want))) {
				t.Fatalf("%s: %s: %v, want %v", name, what, got, want)
			}
		}
		clean := run()
		x, scale, normed := clean["blocks.1.hook_resid_pre"], clean["blocks.1.ln1.hook_scale"], clean["blocks.1.ln1.hook_normalized"]
		for p := range ids {
			var mean float64
			for _, v := range x[p*c.DModel : (p+1)*c.DModel] {
				mean += float64(v) / float64(c.DModel)
			}
			if c.RotaryDims > 0 { // the families here with an RMSNorm
				mean = 0
			}
			for i := range c.DModel {
				near("scale times normalized", float64(scale[p])*float64(normed[p*c.DModel+i])+mean, float64(x[p*c.DModel+i]))
			}
		}
		scores, pattern := clean["blocks.1.attn.hook_attn_scores"], clean["blocks.1.attn.hook_pattern"]
		for at := 0; at < len(scores); at += len(ids) {
			lp, _ := logSoftmax(scores[at : at+len(ids)])
			for i, l := range lp {
				near("softmax of scores", float64(pattern[at+i]), math.Exp(l))
			}
		}
		h, out := clean["blocks.1.attn.hook_result"], clean["blocks.1.hook_attn_out"]
		sum := func(p, i int) (s float64) {
			for head := range c.NHeads {
				s += float64(h[(p*c.NHeads+head)*c.DModel+i])
			}
			return s
		}
		if name != "gemma2" { // where a norm lies between
			for p := range ids {
				for i := range c.DModel { // the rest is the bias, the same everywhere
					near("sum of results", float64(out[p*c.DModel+i])-sum(p, i), float64(out[i])-sum(0, i))
				}
			}
			edited := run(forward.Hook{Site: "blocks.1.attn.hook_result", Func: func(a model.Activation) error {
				clear(a.Data[(3*c.NHeads+1)*c.DModel:][:c.DModel]) // head 1 at position 3
				return nil
			}})["blocks.1.hook_attn_out"]
			for i := range out {
				want := float64(out[i])
				if p := i / c.DModel; p == 3 {
					want -= float64(h[(3*c.NHeads+1)*c.DModel+i%c.DModel])
				}
				near("attn_out without a head", float64(edited[i]), want)
			}
		}
		edited := run(forward.Hook{Site: "blocks.1.ln1.hook_scale", Func: func(a model.Activation) error {
			a.Data[2] *= 2
			return nil
		}})["blocks.1.ln1.hook_normalized"]
		for i, v := range normed {
			if i/c.DModel == 2 {
				v /= 2
			}
			near("normalized by twice the scale", float64(edited[i]), float64(v))
		}
		// Scores raised at one key take all of the weight; what is not seen stays unseen.
		edited = run(forward.Hook{Site: "blocks.1.attn.hook_attn_scores", Func: func(a model.Activation) error {
			s := a.Shape[2]
			for row := 0; row < len(a.Data); row += s {
				q := row / s / c.NHeads
				a.Data[row+q] += 200
				if q+1 < s {
					a.Data[row+q+1] = 1000
				}
			}
			return nil
		}})["blocks.1.attn.hook_pattern"]
		for row := 0; row < len(edited); row += len(ids) {
			q := row / len(ids) / c.NHeads
			for j, p := range edited[row : row+len(ids)] {
				if want := j == q; want != (p > 0.99) {
					t.Fatalf("%s: pattern of position %d at %d is %v", name, q, j, p)
				}
			}
		}
	}
}
