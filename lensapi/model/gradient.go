package model

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// Gradients go by reverse mode through the operations that the forward pass is built of: each says how the gradient by its output becomes one by its inputs. A layer
// runs forward once more, alone, so that its values are there, and then backward in float64. Gradients by weights are not computed: nothing is trained here.

// backward is an operation on the way back.
type backward struct {
	in, out []float32                       // values of the first input, and of the output
	others  [2][]float32                    // of the further inputs
	dOut    []float64                       // gradient by the output
	dIn     [3][]float64                    // by the inputs: to be added to
	run     *run                            // rows, angles
	inner   func(p placed, n int) []float64 // where to put the gradient [n] at a site inside the operation; nil: nobody asks
}

// Backward takes a gradient back through layer l. rows [T, d_model] enter it at positions 0 to T-1; out [T, d_model] is the gradient of some number by what leaves it. It
// returns that by what enters, and fills the entries of at, which are indices of Model.Sites in the layer, with those by the values there, in their shapes.
func (m *Model) Backward(ctx context.Context, l int, rows []float32, out []float64, at map[int][]float64) ([]float64, error) {
	p, err := m.NewLayers(l, l+1)
	if err != nil {
		return nil, err
	}
	if len(out) != len(rows) {
		return nil, fmt.Errorf("gradient of %d values for rows of %d", len(out), len(rows))
	}
	if err := p.RunFrom(ctx, rows, m.NewCache(), nil); err != nil {
		return nil, err
	}
	grads := map[*op][]float64{p.ops[len(p.ops)-1]: slices.Clone(out)}
	left := len(at)
	inner := func(s placed, n int) []float64 {
		if _, ok := at[s.index]; !ok {
			return nil
		}
		left--
		at[s.index] = make([]float64, n)
		return at[s.index]
	}
	for _, o := range slices.Backward(p.ops) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("stopped before the gradient of %s: %w", o.name, err)
		}
		g := grads[o]
		if g == nil {
			g = make([]float64, len(o.kept))
		}
		for _, s := range o.sites {
			copy(inner(s, len(g)), g)
		}
		if len(o.from) == 0 {
			if left > 0 {
				return nil, fmt.Errorf("no gradient at %d of the sites: they are not in layer %d, or are computed for hooks alone", left, l)
			}
			return g, nil
		}
		if o.grad == nil {
			return nil, fmt.Errorf("%s has no gradient", o.name)
		}
		b := backward{out: o.kept, dOut: g, run: p.run, inner: inner}
		for i, from := range o.from {
			if grads[from] == nil {
				grads[from] = make([]float64, len(from.kept))
			}
			b.dIn[i] = grads[from]
			if i == 0 {
				b.in = from.kept
			} else {
				b.others[i-1] = from.kept
			}
		}
		o.grad(&b)
		delete(grads, o)
	}
	return nil, fmt.Errorf("layer %d begins with no rows", l)
}

// LogitGradient is the gradient of the sum of weights[i] times the logit of ids[i], soft cap included, by the last residual row x [d_model].
func (m *Model) LogitGradient(x []float32, ids []int, weights []float64) []float64 {
	d, y := m.cfg.DModel, m.Normalize(x)
	z := make([]float32, len(ids))
	m.UnembedTokens(z, y, ids)
	u, row := make([]float64, d), make([]float32, d)
	for i, id := range ids {
		m.unembed.Row(row, id)
		w := weights[i]
		if m.cfg.LogitCap > 0 {
			t := float64(z[i]) / m.cfg.LogitCap
			w *= 1 - t*t
		}
		for j, v := range row {
			u[j] += w * float64(v) * float64(m.final.gain[j])
		}
	}
	g := make([]float64, d)
	normBackward(g, u, x, m.cfg.NormEps, m.final.rms)
	return g
}

// normBackward adds to dx the gradient by x of a norm (without gain and bias) whose output has the gradient dy.
func normBackward(dx, dy []float64, x []float32, eps float64, rms bool) {
	n := float64(len(x))
	s, mean := spread(x, eps, rms), 0.0
	if !rms {
		mean = meanOf(x)
	}
	var sum, along float64
	for i, g := range dy {
		sum += g
		along += g * (float64(x[i]) - mean) / s
	}
	if rms {
		sum = 0
	}
	for i, g := range dy {
		dx[i] += (g - sum/n - (float64(x[i])-mean)/s*along/n) / s
	}
}

func backAdd(b *backward) {
	for i := range b.dIn {
		for j := range b.dIn[i] {
			b.dIn[i][j] += b.dOut[j]
		}
	}
}

func backMul(b *backward) {
	for i, g := range b.dOut {
		b.dIn[0][i] += g * float64(b.others[0][i])
		b.dIn[1][i] += g * float64(b.in[i])
	}
}

func backNorm(d int, eps float64, rms bool) func(b *backward) {
	return func(b *backward) {
		for at := 0; at < len(b.in); at += d {
			normBackward(b.dIn[0][at:at+d], b.dOut[at:at+d], b.in[at:at+d], eps, rms)
		}
	}
}

func backScale(gain func() []float32) func(b *backward) {
	return func(b *backward) {
		w := gain()
		for i, g := range b.dOut {
			b.dIn[0][i] += g * float64(w[i%len(w)])
		}
	}
}

// linearParts is in how many parts, summed in their order, the sum over outputs is cut: a number of its own, for the bits not to depend on the machine's threads.
const linearParts = 4

// backLinear adds dOut W. Positions that nothing depends on cost nothing.
func backLinear(w *linear) func(b *backward) {
	return func(b *backward) {
		n, k, rows := w.w.Outputs(), w.w.Inputs(), b.run.rows
		sums := make([][]float64, linearParts)
		kernels.Parallel(linearParts, rows*n*k, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				sums[i] = make([]float64, rows*k)
				w.backPart(sums[i], b.dOut, i*n/linearParts, (i+1)*n/linearParts)
			}
		})
		for _, sum := range sums {
			for i, g := range sum {
				b.dIn[0][i] += g
			}
		}
	}
}

// backPart adds the outputs from to to-1 of dOut [T, n] times their weights to sum [T, k], four at a time.
func (w *linear) backPart(sum, dOut []float64, from, to int) {
	n, k := w.w.Outputs(), w.w.Inputs()
	row, wide := make([]float32, k), [4][]float64{}
	for q := range wide {
		wide[q] = make([]float64, k)
	}
	r0, r1, r2, r3 := wide[0][:k], wide[1][:k], wide[2][:k], wide[3][:k]
	for ; from < to; from += 4 {
		many := min(4, to-from)
		for q := range many {
			w.w.Row(row, from+q)
			for j, v := range row {
				wide[q][j] = float64(v)
			}
		}
		for t := range len(dOut) / n {
			var g [4]float64
			copy(g[:many], dOut[t*n+from:])
			if g == [4]float64{} {
				continue
			}
			dst := sum[t*k : (t+1)*k]
			for j := range dst {
				dst[j] += g[0]*r0[j] + g[1]*r1[j] + g[2]*r2[j] + g[3]*r3[j]
			}
		}
	}
}

// slopes are the derivatives of activations.
var slopes = map[string]func(x float64) float64{
	"gelu": func(x float64) float64 {
		return 0.5*math.Erfc(-x/math.Sqrt2) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	},
	"gelu_new": geluTanhSlope, "gelu_fast": geluTanhSlope, "gelu_pytorch_tanh": geluTanhSlope,
	"silu": siluSlope, "swish": siluSlope,
	"relu": func(x float64) float64 {
		if x > 0 {
			return 1
		}
		return 0
	},
}

func geluTanhSlope(x float64) float64 {
	c := math.Sqrt(2 / math.Pi)
	t := math.Tanh(c * (x + 0.044715*x*x*x))
	return 0.5*(1+t) + 0.5*x*(1-t*t)*c*(1+3*0.044715*x*x)
}

func siluSlope(x float64) float64 {
	s := 1 / (1 + math.Exp(-x))
	return s * (1 + x*(1-s))
}

func backActivation(name string) func(b *backward) {
	slope := slopes[name]
	return func(b *backward) {
		for i, g := range b.dOut {
			if g != 0 {
				b.dIn[0][i] += g * slope(float64(b.in[i]))
			}
		}
	}
}

// backRotate rotates the other way; an amplitude stays a factor.
func backRotate(at, heads, d int) func(b *backward) {
	return func(b *backward) {
		angles := b.run.angles[at]
		half := len(angles) / b.run.rows / 2
		for h := 0; h*d < len(b.dOut); h++ {
			g, dst := b.dOut[h*d:(h+1)*d], b.dIn[0][h*d:(h+1)*d]
			sin, cos := angles[h/heads*half*2:][:half], angles[h/heads*half*2+half:][:half]
			for i := range half {
				dst[i] += g[i]*float64(cos[i]) + g[i+half]*float64(sin[i])
				dst[i+half] += g[i+half]*float64(cos[i]) - g[i]*float64(sin[i])
			}
			for i := 2 * half; i < d; i++ {
				dst[i] += g[i]
			}
		}
	}
}

// backAttention goes from z to queries, keys and values, of a run whose first position is 0. Scores and pattern are computed again.
func backAttention(h kernels.Heads, scores, pattern placed) func(b *backward) {
	return func(b *backward) {
		rows, d, group := b.run.rows, h.Dim, h.Q/h.KV
		q, k, v := b.in, b.others[0], b.others[1]
		scale := h.Scale
		if scale == 0 {
			scale = 1 / math.Sqrt(float64(d))
		}
		dPattern, dScores := b.inner(pattern, rows*h.Q*rows), b.inner(scores, rows*h.Q*rows)
		kernels.Parallel(h.KV, 4*rows*rows*h.Q*d, func(lo, hi int) {
			s, dp, ds := make([]float64, rows), make([]float64, rows), make([]float64, rows)
			for head := lo * group; head < hi*group; head++ {
				kv := head / group
				for t := range rows {
					first := 0
					if h.Window > 0 {
						first = max(0, t+1-h.Window)
					}
					at := (t*h.Q + head) * d
					dz := b.dOut[at : at+d]
					if !slices.ContainsFunc(dz, func(g float64) bool { return g != 0 }) {
						continue
					}
					top := math.Inf(-1)
					for j := first; j <= t; j++ {
						s[j] = scale * dot(q[at:at+d], k[(j*h.KV+kv)*d:])
						if h.Cap > 0 {
							s[j] = h.Cap * math.Tanh(s[j]/h.Cap)
						}
						top = max(top, s[j])
					}
					var sum, mean float64
					for j := first; j <= t; j++ {
						sum += math.Exp(s[j] - top)
					}
					clear(dp)
					clear(ds)
					for j := first; j <= t; j++ {
						for i, g := range dz {
							dp[j] += g * float64(v[(j*h.KV+kv)*d+i])
						}
						mean += math.Exp(s[j]-top) / sum * dp[j]
					}
					for j := first; j <= t; j++ {
						p := math.Exp(s[j]-top) / sum
						ds[j] = p * (dp[j] - mean)
						g := scale * ds[j]
						if h.Cap > 0 {
							g *= 1 - s[j]/h.Cap*s[j]/h.Cap
						}
						to := (j*h.KV + kv) * d
						for i := range d {
							b.dIn[0][at+i] += g * float64(k[to+i])
							b.dIn[1][to+i] += g * float64(q[at+i])
							b.dIn[2][to+i] += p * dz[i]
						}
					}
					if at := (t*h.Q + head) * rows; dPattern != nil {
						copy(dPattern[at:at+rows], dp)
					}
					if at := (t*h.Q + head) * rows; dScores != nil {
						copy(dScores[at:at+rows], ds)
					}
				}
			}
		})
	}
}

func dot(a, b []float32) float64 {
	var sum float64
	for i, x := range a {
		sum += float64(x) * float64(b[i])
	}
	return sum
}
