package lens

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/model"
	"github.com/gopherlens/gopherlens/plots"
)

// PatchOptions chooses a sweep. The zero value patches resid_pre by layer and position, denoising.
type PatchOptions struct {
	// Site is where values are patched, in each layer: resid_pre (default), resid_mid, resid_post, attn_out, mlp_out, q, k, v, z, pattern, pre, post.
	Site string
	// ByHead sweeps layers by heads, each patched at all positions; without it layers by positions, each with all heads. For q, k, v, z and pattern.
	ByHead bool
	// Noising runs the clean prompt and puts values of the corrupted one in: what is necessary. Without it the corrupted prompt is run with values of the
	// clean one: what is sufficient.
	Noising  bool
	Layers   []int // default: all
	Position int   // where the target is read; 0 and -1: the last
	BOS      BOS   // before the prompts
	// Gradient estimates the cells to first order from one gradient (attribution patching) in place of running each: the cost no longer grows with the number of
	// cells, and the numbers are estimates, which the sweep says. Check is how many cells are run exactly beside them, to tell the error: 0 is 16, -1 all.
	Gradient bool
	Check    int
	// Progress, if not nil, is called after each run, with an estimate of the time that is left.
	Progress func(done, total int, left time.Duration)
}

// Sweep is the outcome of activation patching: one run for each cell, with one value of another run put in its place.
type Sweep struct {
	Model       string      `json:"model"`
	ModelDigest string      `json:"model_digest"`
	Site        string      `json:"site"`
	ByHead      bool        `json:"by_head"`
	Noising     bool        `json:"noising"`
	Clean       []int       `json:"clean"`     // ids
	Corrupted   []int       `json:"corrupted"` // ids, as many
	Position    int         `json:"position"`  // where the target is read
	Target      Target      `json:"target"`
	CleanValue  float64     `json:"clean_value"`     // of the target in the clean run
	Corrupt     float64     `json:"corrupted_value"` // of the target in the corrupted run
	Layers      []int       `json:"layers"`
	Value       [][]float64 `json:"value"`      // [layer][position or head]: the target in the patched run; NaN (null in JSON) where the sweep did not come to
	Normalized  [][]float64 `json:"normalized"` // (value - corrupted) / (clean - corrupted): 1 is as in the clean run, 0 as in the corrupted
	Done        int         `json:"done"`       // cells that were reached
	Total       int         `json:"total"`
	// Approximation is "gradient" when the cells are estimates; Checked then says how far off some of them are.
	Approximation string   `json:"approximation,omitempty"`
	Checked       *Checked `json:"checked,omitempty"`

	glyphs func(id int) string
}

var sweepSites = []string{"resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "q", "k", "v", "z", "pattern", "pre", "post"}

// Patch sweeps over a pair of prompts of equal length. It runs no more than it must: the tokens before the patched position come from a fork, and the layers below
// from the rows of the run that is patched; patches of one layer run together and share passes over the weights. What it gives has the bits of whole runs. Interrupted, it returns the sweep as far as it came beside the error.
func (m *Model) Patch(ctx context.Context, clean, corrupted string, target Target, opt PatchOptions) (*Sweep, error) {
	a, err := m.PromptIDs(clean, opt.BOS)
	if err != nil {
		return nil, wrap(Invalid, err, "clean prompt")
	}
	b, err := m.PromptIDs(corrupted, opt.BOS)
	if err != nil {
		return nil, wrap(Invalid, err, "corrupted prompt")
	}
	return m.PatchIDs(ctx, a, b, target, opt)
}

// PatchIDs is Patch for token ids, which are fed as they are.
func (m *Model) PatchIDs(ctx context.Context, clean, corrupted []int, target Target, opt PatchOptions) (*Sweep, error) {
	w, err := m.newSweep(clean, corrupted, target, opt)
	if err != nil {
		return nil, err
	}
	if err := w.prepare(ctx); err != nil {
		return nil, wrap(Unavailable, err, "patching %s", w.Site)
	}
	if opt.Gradient {
		err = w.estimate(ctx)
	} else {
		err = w.run(ctx)
	}
	return w.Sweep, wrap(Unavailable, err, "patching %s stopped after %d of %d runs", w.Site, w.Done, w.Total)
}

// sweeper is a sweep at work.
type sweeper struct {
	*Sweep
	m        *Model
	places   []place // by layer of Layers
	progress func(done, total int, left time.Duration)

	base   []int             // ids of the run that is patched
	sess   *forward.Session  // that run
	trace  [][]float32       // its rows that enter each layer of Layers: [T, d_model]
	source map[string]values // of the other run, by site
	first  int               // the first position where the runs can differ
	check  int               // cells run exactly beside estimates
}

func (m *Model) newSweep(clean, corrupted []int, target Target, opt PatchOptions) (*sweeper, error) {
	for _, ids := range [][]int{clean, corrupted} {
		if err := m.check(ids); err != nil {
			return nil, err
		}
	}
	if len(clean) != len(corrupted) {
		return nil, invalidf("the clean prompt has %d tokens and the corrupted one %d: patching puts values from one position to the same, so both must have as many", len(clean), len(corrupted))
	}
	if err := m.checkTarget(target); err != nil {
		return nil, err
	}
	if opt.Site == "" {
		opt.Site = "resid_pre"
	}
	if !slices.Contains(sweepSites, opt.Site) {
		return nil, invalidf("site %q: patch one of %v", opt.Site, sweepSites)
	}
	if opt.Position == 0 {
		opt.Position = -1
	}
	p, err := atPosition(opt.Position, len(clean))
	if err != nil {
		return nil, err
	}
	if opt.Check < -1 || opt.Check != 0 && !opt.Gradient {
		return nil, invalidf("check %d: with Gradient, some number of cells, or -1 for all", opt.Check)
	}
	w := &sweeper{m: m, progress: opt.Progress, base: corrupted, first: commonPrefix(clean, corrupted), check: cmp.Or(opt.Check, defaultCheck)}
	if opt.Noising {
		w.base = clean
	}
	w.base = slices.Clone(w.base[:p+1])
	layers := slices.Clone(opt.Layers)
	for l := 0; len(opt.Layers) == 0 && l < m.cfg.NLayers; l++ {
		layers = append(layers, l)
	}
	columns := p + 1
	for _, l := range layers {
		if l < 0 || l >= m.cfg.NLayers {
			return nil, invalidf("layer %d: %s has layers 0 to %d", l, m.name, m.cfg.NLayers-1)
		}
		pl, err := m.place(SiteAt(l, opt.Site))
		if err != nil {
			return nil, err
		}
		if opt.ByHead {
			if columns = pl.heads; columns == 0 {
				return nil, invalidf("%s has no heads: sweep it by position, or patch q, k, v, z or pattern", opt.Site)
			}
		}
		w.places = append(w.places, pl)
	}
	w.Sweep = &Sweep{Model: m.name, ModelDigest: m.digest, Site: opt.Site, ByHead: opt.ByHead, Noising: opt.Noising, Clean: slices.Clone(clean), Corrupted: slices.Clone(corrupted),
		Position: p, Target: target, Layers: layers, Total: len(layers) * columns, glyphs: m.glyphs}
	if opt.Gradient {
		w.Approximation = "gradient"
	}
	for range layers {
		row := slices.Repeat([]float64{math.NaN()}, columns)
		w.Value, w.Normalized = append(w.Value, row), append(w.Normalized, slices.Clone(row))
	}
	return w, nil
}

// prepare runs both prompts: the one that is patched, for its rows and its session, and the other for the values that are put in.
func (w *sweeper) prepare(ctx context.Context) error {
	other := w.Clean[:w.Position+1]
	if w.Noising {
		other = w.Corrupted[:w.Position+1]
	}
	w.source = map[string]values{}
	var hooks []forward.Hook
	for _, pl := range w.places {
		vs := make(values, len(other))
		w.source[pl.name] = vs
		hooks = append(hooks, forward.Hook{Site: pl.name, Func: func(a model.Activation) error { pl.keep(vs, a); return nil }})
	}
	_, last, err := w.m.whole(ctx, other, hooks)
	if err != nil {
		return err
	}
	theirs := w.m.value(last, w.Target)
	s, last, err := w.m.wholeInto(ctx, w.base, w.Layers, &w.trace)
	if err != nil {
		return err
	}
	w.sess = s
	mine := w.m.value(last, w.Target)
	w.CleanValue, w.Corrupt = theirs, mine
	if w.Noising {
		w.CleanValue, w.Corrupt = mine, theirs
	}
	if w.CleanValue == w.Corrupt {
		return invalidf("the target is %g in both runs: choose prompts or a target that differ", mine)
	}
	return nil
}

// whole runs ids and returns the session and the last row.
func (m *Model) whole(ctx context.Context, ids []int, hooks []forward.Hook) (*forward.Session, []float32, error) {
	sess := m.run.NewSession()
	var last []float32
	for part := range slices.Chunk(ids, chunk) {
		t, err := sess.Extend(ctx, part, hooks...)
		if err != nil {
			return nil, nil, err
		}
		last = t.Last()
	}
	return sess, last, nil
}

// wholeInto is whole that keeps the rows that enter layers.
func (m *Model) wholeInto(ctx context.Context, ids, layers []int, enter *[][]float32, hooks ...forward.Hook) (*forward.Session, []float32, error) {
	*enter = make([][]float32, len(layers))
	sess := m.run.NewSession()
	var last []float32
	for part := range slices.Chunk(ids, chunk) {
		t, err := sess.Extend(ctx, part, hooks...)
		if err != nil {
			return nil, nil, err
		}
		for i, l := range layers {
			for p := range t.Tokens {
				(*enter)[i] = append((*enter)[i], t.Row(p, l)...)
			}
		}
		last = t.Last()
	}
	return sess, last, nil
}

// value is the target as the model has it for a last row [d_model], with the bits of its logits.
func (m *Model) value(row []float32, t Target) float64 {
	ids := []int{t.Token}
	if t.Against != nil {
		ids = append(ids, *t.Against)
	}
	z := make([]float32, len(ids))
	mod := m.run.Model()
	mod.UnembedTokens(z, mod.Normalize(row), ids)
	x := float64(z[0])
	if t.Against != nil {
		x -= float64(z[1])
	}
	return x
}

// run fills the cells, layer after layer: those of one layer together, as many as share a pass.
func (w *sweeper) run(ctx context.Context) error {
	start := time.Now()
	set := func(i, j int, v float64) {
		w.set(i, j, v)
		if w.progress != nil {
			w.progress(w.Done, w.Total, time.Since(start)/time.Duration(w.Done)*time.Duration(w.Total-w.Done))
		}
	}
	for i := range w.Layers {
		if err := ctx.Err(); err != nil {
			return err
		}
		var branches []forward.Branch
		var columns []int
		for j := range w.Value[i] {
			if !w.ByHead && j < w.first { // both runs have the same values there: patching them changes nothing
				set(i, j, w.baseValue())
				continue
			}
			branches, columns = append(branches, w.branch(i, j)), append(columns, j)
		}
		err := w.sess.Branches(ctx, w.Layers[i], branches, func(k int, last []float32) error {
			set(i, columns[k], w.m.value(last, w.Target))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// set fills a cell.
func (w *sweeper) set(i, j int, v float64) {
	w.Value[i][j], w.Normalized[i][j] = v, w.normalized(v)
	w.Done++
}

func (w *sweeper) normalized(v float64) float64 { return (v - w.Corrupt) / (w.CleanValue - w.Corrupt) }

// baseValue is the target in the run that is patched.
func (w *sweeper) baseValue() float64 {
	if w.Noising {
		return w.CleanValue
	}
	return w.Corrupt
}

// branch is the run with one value patched.
func (w *sweeper) branch(i, j int) forward.Branch {
	pl, from, head := w.places[i], w.first, j
	var where func(int) bool
	if !w.ByHead {
		from, head = j, -1
		where = func(p int) bool { return p == j }
	}
	return forward.Branch{From: from, Rows: w.trace[i][from*w.m.cfg.DModel:], Hooks: []forward.Hook{{Site: pl.name, Func: func(a model.Activation) error {
		pl.put(w.source[pl.name], a, where, head)
		return nil
	}}}}
}

// PrintProgress writes the progress of a sweep or a fit to w, a line at most every two seconds.
func PrintProgress(w io.Writer) func(done, total int, left time.Duration) {
	var last time.Time
	return func(done, total int, left time.Duration) {
		if now := time.Now(); done == total || now.Sub(last) > 2*time.Second {
			last = now
			fmt.Fprintf(w, "%d of %d, about %s left\n", done, total, left.Round(time.Second))
		}
	}
}

// MarshalJSON writes cells that the sweep did not come to as null.
func (s *Sweep) MarshalJSON() ([]byte, error) {
	type plain Sweep
	return json.Marshal(struct {
		*plain
		Value      [][]*float64 `json:"value"`
		Normalized [][]*float64 `json:"normalized"`
	}{(*plain)(s), nullable(s.Value), nullable(s.Normalized)})
}

func nullable(rows [][]float64) [][]*float64 {
	out := make([][]*float64, len(rows))
	for i, row := range rows {
		out[i] = make([]*float64, len(row))
		for j := range row {
			if !math.IsNaN(row[j]) {
				out[i][j] = &row[j]
			}
		}
	}
	return out
}

func (s *Sweep) show(id int) string {
	if s.glyphs == nil {
		return Token{ID: id}.Glyphs()
	}
	return s.glyphs(id)
}

func (s *Sweep) caption() string {
	what := "logit of “" + s.show(s.Target.Token) + "”"
	if s.Target.Against != nil {
		what += " less “" + s.show(*s.Target.Against) + "”"
	}
	how := "denoising: values of the clean run in the corrupted one"
	if s.Noising {
		how = "noising: values of the corrupted run in the clean one"
	}
	text := fmt.Sprintf("%s (%.12s) · %s · target: %s at position %d, clean %.3f, corrupted %.3f · 1 is as clean, 0 as corrupted", s.Model, s.ModelDigest, how, what, s.Position, s.CleanValue, s.Corrupt)
	if s.Checked != nil {
		text += " · " + s.Checked.String()
	}
	if s.Done < s.Total {
		text += fmt.Sprintf(" · %d of %d runs done", s.Done, s.Total)
	}
	return text
}

func (s *Sweep) title() string {
	if s.Approximation != "" {
		return "Patching " + s.Site + ", estimated"
	}
	return "Patching " + s.Site
}

// Chart draws the normalized target, layers bottom-up.
func (s *Sweep) Chart() (*plots.Figure, error) {
	m := plots.Matrix{Title: s.title(), Caption: s.caption(), RowLabel: "layer", ColumnLabel: "position", BottomUp: true, Diverging: true, Max: 1,
		Label: "share of the clean target", Values: s.Normalized, Numbers: len(s.Normalized[0]) <= 24}
	for _, l := range s.Layers {
		m.Rows = append(m.Rows, strconv.Itoa(l))
	}
	if s.ByHead {
		m.ColumnLabel = "head"
	}
	for j := range s.Normalized[0] {
		name := strconv.Itoa(j)
		if !s.ByHead {
			name = s.show(s.Clean[j])
			if s.Corrupted[j] != s.Clean[j] {
				name += "/" + s.show(s.Corrupted[j])
			}
		}
		m.Columns = append(m.Columns, name)
	}
	fig, err := m.Draw()
	return fig, wrap(Invalid, err, "drawing the sweep")
}

// String is the normalized target as a table, the last layer on top.
func (s *Sweep) String() string {
	var t table
	head := []string{s.Site}
	for j := range s.Normalized[0] {
		if s.ByHead {
			head = append(head, fmt.Sprintf("H%d", j))
		} else {
			head = append(head, fmt.Sprintf("%d %s", j, s.show(s.Clean[j])))
		}
	}
	t.add(head...)
	for i := len(s.Layers) - 1; i >= 0; i-- {
		line := []string{strconv.Itoa(s.Layers[i])}
		for _, v := range s.Normalized[i] {
			text := "-"
			if !math.IsNaN(v) {
				text = fmt.Sprintf("%.2f", math.Round(100*v)/100+0) // + 0: no -0.00
			}
			line = append(line, text)
		}
		t.add(line...)
	}
	return s.caption() + "\n" + t.String()
}

// MIMEBundle shows the sweep as a table and a picture.
func (s *Sweep) MIMEBundle() map[string]any { return figureBundle(s, s.Chart) }

// MIMEMetadata gives the picture's size.
func (s *Sweep) MIMEMetadata() map[string]any { return figureMetadata(s.Chart) }
