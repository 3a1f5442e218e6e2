package model

import (
	"fmt"
	"math"
)

// writer is an architecture whose layers write to the stream by a linear map of z and one of the MLP's post.
type writer interface{ writes(l int) writes }

// writes are a layer's maps to the residual stream. The norms stand behind them, where the architecture has such; v is known by its bias alone.
type writes struct {
	v, attn, mlp      *linear
	attnPost, mlpPost *norm
}

func (a *gpt2) writes(l int) writes {
	w := &a.layers[l]
	return writes{v: &w.v, attn: &w.o, mlp: &w.out}
}

func (a *llama) writes(l int) writes {
	w := &a.layers[l]
	return writes{v: &w.v, attn: &w.o, mlp: &w.down}
}

func (a *gemma2) writes(l int) writes {
	w := &a.layers[l]
	return writes{v: &w.v, attn: &w.o, mlp: &w.down, attnPost: &w.ln1Post, mlpPost: &w.ln2Post}
}

func (a *neox) writes(l int) writes {
	w := &a.layers[l]
	return writes{v: &w.v, attn: &w.o, mlp: &w.out}
}

// Contribution is what a layer's parts add to the residual stream at one position along a direction. The parts of each sublayer sum to it up to the
// rounding of the pass; they are computed in float64.
type Contribution struct {
	Heads    []float64 // [n_heads]: of z times the head's part of the output matrix
	Values   []float64 // [n_heads]: what the value bias adds to Heads, as attention weights sum to one; zero without one
	AttnBias float64   // of the output's bias
	Neurons  []float64 // [d_mlp]: of post times the neuron's output weights
	MLPBias  float64
}

// Contribution splits what layer l adds along u [d_model] at a position where attention gave z [n_heads, d_head] and the MLP's activation post [d_mlp].
// A norm behind a sublayer (Gemma 2 and 3) is applied with the scale that it had.
func (m *Model) Contribution(l int, u []float64, z, post []float32) (Contribution, error) {
	arch, ok := m.arch.(writer)
	if !ok {
		return Contribution{}, fmt.Errorf("a layer of %s is not a linear map of heads and neurons", m.cfg.Family)
	}
	if err := m.need(l); err != nil {
		return Contribution{}, err
	}
	w := arch.writes(l)
	byHead, attnBias := m.project(w.attn, w.attnPost, u, z)
	neurons, mlpBias := m.project(w.mlp, w.mlpPost, u, post)
	c := Contribution{Heads: make([]float64, m.cfg.NHeads), Values: make([]float64, m.cfg.NHeads), AttnBias: attnBias, MLPBias: mlpBias, Neurons: neurons}
	d, group := m.cfg.DHead, m.cfg.NHeads/m.cfg.NKVHeads
	for h := range c.Heads {
		for i := range d {
			at := h*d + i
			c.Heads[h] += float64(byHead[at] * float64(z[at]))
			if w.v.b != nil {
				c.Values[h] += float64(byHead[at] * float64(w.v.b[h/group*d+i]))
			}
		}
	}
	for i, x := range post {
		c.Neurons[i] = neurons[i] * float64(x)
	}
	return c, nil
}

// project is the direction u seen through a map x Wᵀ + b and the norm behind it, as the norm scales at input x: a weight for each input, and the bias's part.
func (m *Model) project(w *linear, post *norm, u []float64, x []float32) (weights []float64, bias float64) {
	row := make([]float32, w.w.Inputs())
	if post != nil {
		var sq float64
		for i := range u {
			w.w.Row(row, i)
			var y float64
			for j, v := range row {
				y += float64(v) * float64(x[j])
			}
			if w.b != nil {
				y += float64(w.b[i])
			}
			sq += float64(y * y)
		}
		scale := math.Sqrt(sq/float64(len(u)) + m.cfg.NormEps)
		through := make([]float64, len(u))
		for i := range u {
			through[i] = u[i] * float64(post.gain[i]) / scale
		}
		u = through
	}
	weights = make([]float64, w.w.Inputs())
	for i, a := range u {
		w.w.Row(row, i)
		for j, v := range row {
			weights[j] += float64(a * float64(v))
		}
		if w.b != nil {
			bias += float64(a * float64(w.b[i]))
		}
	}
	return weights, bias
}
