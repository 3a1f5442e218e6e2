package lens

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/mat"

	"github.com/gopherlens/gopherlens/plots"
)

// FitOptions chooses what FitTunedLens leaves to defaults. The zero value is usual for a small model.
type FitOptions struct {
	Steps int     // of the optimizer; default 300
	Batch int     // positions of a step; default 64
	Rate  float64 // of Adam, falling linearly to 0; default 0.002
	Seed  uint64  // of the order of positions
	// Checkpoint is a file that the fit is written to every 50 steps and when it is interrupted. A fit with the same text and options goes on from it, to the
	// same bits as one that was not interrupted.
	Checkpoint string
	BOS        BOS // before each stretch of the text
	// Progress, if not nil, is called after each step with the mean KL over the rows of that step, in nats.
	Progress func(step, steps int, loss float64, left time.Duration)
}

func (o *FitOptions) check() error {
	if o.Steps == 0 {
		o.Steps = 300
	}
	if o.Batch == 0 {
		o.Batch = 64
	}
	if o.Rate == 0 {
		o.Rate = 0.002
	}
	switch {
	case o.Steps < 1 || o.Steps > 1e6:
		return invalidf("%d steps: ask for 1 to 1000000", o.Steps)
	case o.Batch < 1 || o.Batch > 4096:
		return invalidf("batch %d: ask for 1 to 4096", o.Batch)
	case !(o.Rate > 0 && o.Rate <= 1):
		return invalidf("rate %v: ask for more than 0, to 1", o.Rate)
	}
	return nil
}

// Fit is a fitted tuned lens and how it came to be.
type Fit struct {
	Translators *Translators `json:"-"`
	Digest      string       `json:"translators"` // of the translators
	Rows        []string     `json:"rows"`        // that have one
	Normed      []float64    `json:"normed"`      // by row: mean KL(model || normed lens) over the held-out positions, nats
	Tuned       []float64    `json:"tuned"`       // by row: of the fitted lens, over the same
	Loss        []float64    `json:"loss"`        // by step: mean over rows of the KL of the step's positions
	Positions   int          `json:"positions"`   // fitted on
	HeldOut     int          `json:"held_out"`    // every tenth position, never fitted on
	Options     string       `json:"options"`
	caption     string
}

// heldOut keeps every tenth position away from the fit.
const heldOut = 10

// maxFitValues bounds the rows held in memory for a fit: 2 GiB.
const maxFitValues = 1 << 29

// FitTunedLens fits a tuned lens (Belrose et al. 2023) on a text: for each row but the last a translator that brings the lens of that row nearest to the model's
// own output, by KL(model || lens), with Adam from the identity. The text should have some thousand tokens or more; it is read in stretches of the model's
// context. Interrupted, it keeps its checkpoint.
func (m *Model) FitTunedLens(ctx context.Context, text string, opt FitOptions) (*Fit, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	f, err := m.newFitter(ctx, text, opt)
	if err != nil {
		return nil, wrap(Unavailable, err, "fitting a tuned lens")
	}
	if err := f.run(ctx); err != nil {
		return nil, wrap(Unavailable, err, "fitting a tuned lens stopped after %d of %d steps", f.step, opt.Steps)
	}
	tr, err := f.translators()
	if err != nil {
		return nil, wrap(Internal, err, "fitting a tuned lens")
	}
	fit := &Fit{Translators: tr, Digest: tr.Digest, Rows: tr.Rows, Loss: f.loss, Positions: len(f.train), HeldOut: len(f.held),
		Options: fmt.Sprintf("%d steps of %d positions, Adam at %g, seed %d", opt.Steps, opt.Batch, opt.Rate, opt.Seed),
		caption: fmt.Sprintf("%s (%.12s) · tuned lens %.12s", m.name, m.digest, tr.Digest)}
	fit.Normed, fit.Tuned, err = f.evaluate(ctx)
	return fit, err
}

// fitter is a fit at work. Parameters and moments are float32, so that a checkpoint holds them whole.
type fitter struct {
	m           *Model
	opt         FitOptions
	d, rows     int         // rows that have a translator
	data        []float32   // [positions, rows+1, d]
	train, held []int       // positions
	u           *mat.Dense  // [d_vocab, d_model]
	gain, bias  []float64   // of the final norm; bias may be nil
	rms         bool        //
	params      [][]float32 // by row: A [d, d], then b [d]
	first, sq   [][]float32 // Adam's moments, as params
	loss        []float64
	step        int
	text        string // digest of text and options
}

func (m *Model) newFitter(ctx context.Context, text string, opt FitOptions) (*fitter, error) {
	ids, err := m.Encode(text)
	if err != nil {
		return nil, err
	}
	f := &fitter{m: m, opt: opt, d: m.cfg.DModel, rows: len(m.rowNames) - 1}
	if len(ids)*(f.rows+1)*f.d > maxFitValues {
		return nil, invalidf("the text has %d tokens, whose rows take more memory than %d values: give less text", len(ids), maxFitValues)
	}
	if len(ids) < 2*heldOut {
		return nil, invalidf("the text has %d tokens: a fit needs %d at least, and some thousand to be good", len(ids), 2*heldOut)
	}
	// A stretch leaves room for a BOS.
	for at := 0; at < len(ids); at += m.cfg.NCtx - 1 {
		part, err := m.stretch(ids[at:min(at+m.cfg.NCtx-1, len(ids))], opt.BOS)
		if err != nil {
			return nil, err
		}
		s, err := m.freshStream(ctx, part, 0, len(part), false, nil)
		if err != nil {
			return nil, err
		}
		f.data = append(f.data, s.data...)
	}
	for p := range len(f.data) / (f.d * (f.rows + 1)) {
		if p%heldOut == heldOut-1 {
			f.held = append(f.held, p)
		} else {
			f.train = append(f.train, p)
		}
	}
	f.text = digestOf(m.digest, text, opt.Steps, opt.Batch, opt.Rate, opt.Seed, opt.BOS)
	mod, v := m.run.Model(), m.cfg.DVocab
	f.u = mat.NewDense(v, f.d, nil)
	for id := range v {
		f.u.SetRow(id, mod.UnembeddingRow(id, -1, false))
	}
	gain, bias, rms := mod.FinalNorm()
	f.gain, f.bias, f.rms = float64s(gain), float64s(bias), rms
	for _, dst := range []*[][]float32{&f.params, &f.first, &f.sq} {
		for range f.rows {
			*dst = append(*dst, make([]float32, f.d*f.d+f.d))
		}
	}
	return f, f.resume()
}

// stretch is a part of a text as it is fed.
func (m *Model) stretch(ids []int, bos BOS) ([]int, error) {
	if (bos == BOSAuto || bos == "") && m.tok.AddsBOS() {
		bos = BOSYes
	}
	return m.WithBOS(ids, bos)
}

func float64s(x []float32) []float64 {
	if x == nil {
		return nil
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// run takes the steps that are left.
func (f *fitter) run(ctx context.Context) error {
	start, began := time.Now(), f.step
	for f.step < f.opt.Steps {
		if err := ctx.Err(); err != nil {
			if f.opt.Checkpoint != "" {
				if err := f.save(); err != nil {
					return err
				}
			}
			return err
		}
		// The positions of a step depend on seed and step alone, so a fit that goes on draws what it would have drawn.
		rng := rand.New(rand.NewPCG(f.opt.Seed, uint64(f.step)))
		batch := make([]int, f.opt.Batch)
		for i := range batch {
			batch[i] = f.train[rng.IntN(len(f.train))]
		}
		losses, grads := f.gradients(batch, true)
		rate := f.opt.Rate * (1 - float64(f.step)/float64(f.opt.Steps))
		f.step++
		var loss float64
		for r := range f.rows {
			f.update(r, grads[r], rate)
			loss += losses[r] / float64(f.rows)
		}
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return invalidf("the loss is not finite at step %d: choose a lower rate", f.step)
		}
		f.loss = append(f.loss, loss)
		if f.opt.Checkpoint != "" && (f.step%50 == 0 || f.step == f.opt.Steps) {
			if err := f.save(); err != nil {
				return err
			}
		}
		if f.opt.Progress != nil {
			done := f.step - began
			f.opt.Progress(f.step, f.opt.Steps, loss, time.Since(start)/time.Duration(done)*time.Duration(f.opt.Steps-f.step))
		}
	}
	return nil
}

// update is a step of Adam (Kingma and Ba 2014) with their constants.
func (f *fitter) update(r int, grad []float64, rate float64) {
	const beta1, beta2, eps = 0.9, 0.999, 1e-8
	c1, c2 := 1-math.Pow(beta1, float64(f.step)), 1-math.Pow(beta2, float64(f.step))
	for i, g := range grad {
		a := beta1*float64(f.first[r][i]) + (1-beta1)*g
		b := beta2*float64(f.sq[r][i]) + (1-beta2)*g*g
		f.first[r][i], f.sq[r][i] = float32(a), float32(b)
		f.params[r][i] = float32(float64(f.params[r][i]) - rate*(a/c1)/(math.Sqrt(b/c2)+eps))
	}
}

// gradients are, by row, the mean over positions of KL(model || lens) and its gradient by the row's parameters, if asked for.
func (f *fitter) gradients(positions []int, wanted bool) (losses []float64, grads [][]float64) {
	losses, grads = make([]float64, f.rows), make([][]float64, f.rows)
	last := f.logits(f.forward(f.gather(positions, f.rows), nil))
	model := logSoftmax(last)
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for r := range f.rows {
		g.Go(func() error {
			losses[r], grads[r] = f.gradient(f.gather(positions, r), model, r, wanted)
			return nil
		})
	}
	_ = g.Wait() // nothing in it fails
	return losses, grads
}

// gather is row r of positions, [n, d_model].
func (f *fitter) gather(positions []int, r int) *mat.Dense {
	x := mat.NewDense(len(positions), f.d, nil)
	for i, p := range positions {
		row := x.RawRowView(i)
		for j, v := range f.data[(p*(f.rows+1)+r)*f.d:][:f.d] {
			row[j] = float64(v)
		}
	}
	return x
}

// normed is the final norm of rows, with what its gradient needs.
type normed struct {
	hat, y *mat.Dense
	scale  []float64
}

// forward is norm_final(x + A x + b); params nil: norm_final(x).
func (f *fitter) forward(x *mat.Dense, params []float32) normed {
	n, d := x.Dims()
	h := x
	if params != nil {
		a := mat.NewDense(d, d, float64s(params[:d*d]))
		h = mat.NewDense(n, d, nil)
		h.Mul(x, a.T())
		for i := range n {
			row, in := h.RawRowView(i), x.RawRowView(i)
			for j := range row {
				row[j] += in[j] + float64(params[d*d+j])
			}
		}
	}
	out := normed{mat.NewDense(n, d, nil), mat.NewDense(n, d, nil), make([]float64, n)}
	for i := range n {
		row, hat, y := h.RawRowView(i), out.hat.RawRowView(i), out.y.RawRowView(i)
		var mean, sq float64
		for _, v := range row {
			mean += v / float64(d)
		}
		if f.rms {
			mean = 0
		}
		for _, v := range row {
			sq += (v - mean) * (v - mean) / float64(d)
		}
		out.scale[i] = math.Sqrt(sq + f.m.cfg.NormEps)
		for j, v := range row {
			hat[j] = (v - mean) / out.scale[i]
			y[j] = hat[j] * f.gain[j]
			if f.bias != nil {
				y[j] += f.bias[j]
			}
		}
	}
	return out
}

// logits are [n, d_vocab], soft cap included.
func (f *fitter) logits(y normed) *mat.Dense {
	n, _ := y.y.Dims()
	z := mat.NewDense(n, f.m.cfg.DVocab, nil)
	z.Mul(y.y, f.u.T())
	if limit := f.m.cfg.LogitCap; limit > 0 {
		z.Apply(func(_, _ int, v float64) float64 { return limit * math.Tanh(v/limit) }, z)
	}
	return z
}

func logSoftmax(z *mat.Dense) *mat.Dense {
	n, v := z.Dims()
	out := mat.NewDense(n, v, nil)
	for i := range n {
		row, dst := z.RawRowView(i), out.RawRowView(i)
		top, sum := mat.Max(z.RowView(i)), 0.0
		for _, x := range row {
			sum += math.Exp(x - top)
		}
		lse := top + math.Log(sum)
		for j, x := range row {
			dst[j] = x - lse
		}
	}
	return out
}

// gradient is the loss of one row's translator over x, and its gradient: with q the lens and p the model, d loss / d logits = (q - p) / n, back through cap,
// unembedding, gain and norm.
func (f *fitter) gradient(x, model *mat.Dense, r int, wanted bool) (loss float64, grad []float64) {
	n, d := x.Dims()
	fw := f.forward(x, f.params[r])
	z := f.logits(fw)
	lq := logSoftmax(z)
	for i := range n {
		p, q, dz := model.RawRowView(i), lq.RawRowView(i), z.RawRowView(i)
		for j := range p {
			e := math.Exp(p[j])
			loss += e * (p[j] - q[j]) / float64(n)
			slope := 1.0
			if limit := f.m.cfg.LogitCap; limit > 0 {
				slope = 1 - dz[j]/limit*dz[j]/limit
			}
			dz[j] = (math.Exp(q[j]) - e) / float64(n) * slope
		}
	}
	if !wanted {
		return loss, nil
	}
	dh := mat.NewDense(n, d, nil)
	dh.Mul(z, f.u)
	for i := range n {
		row, hat := dh.RawRowView(i), fw.hat.RawRowView(i)
		var mean, along float64
		for j := range row {
			row[j] *= f.gain[j]
			mean += row[j] / float64(d)
			along += row[j] * hat[j] / float64(d)
		}
		if f.rms {
			mean = 0
		}
		for j := range row {
			row[j] = (row[j] - mean - hat[j]*along) / fw.scale[i]
		}
	}
	grad = make([]float64, d*d+d)
	mat.NewDense(d, d, grad[:d*d]).Mul(dh.T(), x)
	for i := range n {
		for j, v := range dh.RawRowView(i) {
			grad[d*d+j] += v
		}
	}
	return loss, grad
}

// evaluate is the mean KL of the held-out positions, by row, under the normed lens and under the fitted one.
func (f *fitter) evaluate(ctx context.Context) (plain, tuned []float64, err error) {
	fitted := f.params
	defer func() { f.params = fitted }()
	zero := make([][]float32, f.rows)
	for r := range zero {
		zero[r] = make([]float32, f.d*f.d+f.d)
	}
	plain, tuned = make([]float64, f.rows), make([]float64, f.rows)
	for at := 0; at < len(f.held); at += f.opt.Batch {
		if err := ctx.Err(); err != nil {
			return nil, nil, wrap(Interrupted, err, "evaluating the fit")
		}
		part := f.held[at:min(at+f.opt.Batch, len(f.held))]
		for _, which := range []struct {
			params [][]float32
			sum    []float64
		}{{zero, plain}, {fitted, tuned}} {
			f.params = which.params
			losses, _ := f.gradients(part, false)
			for r, l := range losses {
				which.sum[r] += l * float64(len(part)) / float64(len(f.held))
			}
		}
	}
	return plain, tuned, nil
}

// Chart draws the mean KL of each row under both lenses, and the loss by step.
func (f *Fit) Chart() (*plots.Figure, error) {
	rows := plots.Lines{Title: "Held-out KL to the model's output", Caption: fmt.Sprintf("%s · over %d positions that were not fitted on", f.caption, f.HeldOut), X: f.Rows, XLabel: "row", YLabel: "nats",
		Series: []plots.Series{{Name: "normed", Values: f.Normed}, {Name: "tuned", Values: f.Tuned}}}
	a, err := rows.Draw()
	if err != nil {
		return nil, wrap(Invalid, err, "drawing the fit")
	}
	steps := plots.Lines{Title: "Loss of the fit", Caption: f.Options, XLabel: "steps up to", YLabel: "nats, mean over rows and steps", Series: []plots.Series{{Name: "KL"}}}
	every := (len(f.Loss) + 7) / 8
	for part := range slices.Chunk(f.Loss, every) { // the mean of each stretch of steps
		var sum float64
		for _, l := range part {
			sum += l / float64(len(part))
		}
		steps.X, steps.Series[0].Values = append(steps.X, fmt.Sprint(len(steps.X)*every+len(part))), append(steps.Series[0].Values, sum)
	}
	b, err := steps.Draw()
	if err != nil {
		return nil, wrap(Invalid, err, "drawing the fit")
	}
	fig, err := plots.Join(a, b)
	return fig, wrap(Invalid, err, "drawing the fit")
}

// String is the mean KL of each row under both lenses.
func (f *Fit) String() string {
	var t table
	t.add("row", "normed", "tuned")
	for r := len(f.Rows) - 1; r >= 0; r-- {
		t.add(f.Rows[r], fmt.Sprintf("%.3f", f.Normed[r]), fmt.Sprintf("%.3f", f.Tuned[r]))
	}
	return fmt.Sprintf("%s\n%s, fitted on %d positions\nmean KL to the model's output over %d held-out positions, nats\n%s", f.caption, f.Options, f.Positions, f.HeldOut, &t)
}

// MIMEBundle shows the fit as a table and a picture.
func (f *Fit) MIMEBundle() map[string]any { return figureBundle(f, f.Chart) }

// MIMEMetadata gives the picture's size.
func (f *Fit) MIMEMetadata() map[string]any { return figureMetadata(f.Chart) }
