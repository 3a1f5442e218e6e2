package lens

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/gopherlens/gopherlens/cache"
	"github.com/gopherlens/gopherlens/lensapi/model"
	"github.com/gopherlens/gopherlens/plots"
)

// Tracks follow chosen tokens through all rows and positions, whether or not they ever were among the first candidates. A token is its id.
type Tracks struct {
	Model       string        `json:"model"`
	ModelDigest string        `json:"model_digest"`
	Variant     Variant       `json:"variant"`
	Codec       string        `json:"codec,omitempty"`       // how rows were stored that logits were computed from; "" when they are exact
	Translators string        `json:"translators,omitempty"` // digest, of Tuned and Jacobian
	First       int           `json:"first,omitempty"`       // position of the first column
	IDs         []int         `json:"ids"`                   // of the columns
	Rows        []string      `json:"rows"`
	Tracked     []Tracked     `json:"tracked"`
	Logit       [][][]float64 `json:"logit"`          // [tracked][row][position]
	Logprob     [][][]float64 `json:"logprob"`        // [tracked][row][position], nats: logit less the row's log-partition
	Rank        [][][]int     `json:"rank,omitempty"` // [tracked][row][position], from 1; with LensOptions.Stats

	glyphs func(id int) string
}

// Tracked is a token that is followed.
type Tracked struct {
	ID    int    `json:"id"`
	Token string `json:"token"`
}

const maxTracked = 1000

// TokenID is the id of text where it is exactly one token; most words of a text have a space before them: " Paris".
func (m *Model) TokenID(text string) (int, error) {
	ids, err := m.Encode(text)
	if err != nil {
		return 0, err
	}
	if len(ids) != 1 {
		return 0, invalidf("%q is %d tokens, not one: give one token, or its id", text, len(ids))
	}
	return ids[0], nil
}

// Track follows tokens through a prompt. Without tokens, it follows those that are some row's first choice at the last position. A normed lens costs a dot
// product for each number and takes the log-partition from the exact records; other variants and ranks (opt.Stats) need whole unembeddings.
func (m *Model) Track(ctx context.Context, prompt string, tokens []int, opt LensOptions) (*Tracks, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	ids, err := m.PromptIDs(prompt, opt.BOS)
	if err != nil {
		return nil, err
	}
	return m.trackIDs(ctx, ids, tokens, opt)
}

// TrackIDs is Track for token ids, which are fed as they are (with a BOS before them when opt.BOS is BOSYes).
func (m *Model) TrackIDs(ctx context.Context, ids, tokens []int, opt LensOptions) (*Tracks, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	ids, err := m.WithBOS(ids, opt.BOS)
	if err != nil {
		return nil, err
	}
	return m.trackIDs(ctx, ids, tokens, opt)
}

func (m *Model) trackIDs(ctx context.Context, ids, tokens []int, opt LensOptions) (*Tracks, error) {
	conv, err := m.captured(ctx, ids, opt.Top)
	if err != nil {
		return nil, wrap(Unavailable, err, "tracking through %d tokens", len(ids))
	}
	return m.track(ctx, conv, ids, 0, len(ids), tokens, opt)
}

// Track follows tokens through positions from to to-1 of the conversation; see Model.Track.
func (c *Conversation) Track(ctx context.Context, from, to int, tokens []int, opt LensOptions) (*Tracks, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	kept, ids, _ := c.snapshot()
	if err := checkRange(from, to, len(ids)); err != nil {
		return nil, err
	}
	return c.m.track(ctx, kept, ids, from, to, tokens, opt)
}

func (m *Model) track(ctx context.Context, conv *cache.Conversation, ids []int, from, to int, tokens []int, opt LensOptions) (*Tracks, error) {
	if len(tokens) == 0 {
		col, err := m.column(conv, ids, to-1, 1)
		if err != nil {
			return nil, err
		}
		for i := len(col) - 1; i >= 0; i-- {
			if id := col[i].Top[0].ID; !slices.Contains(tokens, id) && len(tokens) < plots.MaxSeries {
				tokens = append(tokens, id)
			}
		}
	}
	s, err := m.stream(ctx, conv, ids, from, to, opt)
	if err != nil {
		return nil, err
	}
	t, err := m.newTracks(s, ids, tokens, opt)
	if err != nil {
		return nil, err
	}
	if opt.recorded() {
		return t, m.trackRecorded(ctx, conv, s, tokens, t)
	}
	return t, m.trackWhole(ctx, s, tokens, opt, t)
}

// newTracks are tracks without numbers.
func (m *Model) newTracks(s *stream, ids, tokens []int, opt LensOptions) (*Tracks, error) {
	if len(tokens) > maxTracked {
		return nil, invalidf("%d tokens to track: ask for at most %d", len(tokens), maxTracked)
	}
	n := s.positions()
	t := &Tracks{Model: m.name, ModelDigest: m.digest, Variant: opt.Variant, Codec: s.codec, First: s.from, IDs: slices.Clone(ids[s.from : s.from+n]),
		Rows: slices.Clone(s.rows), glyphs: m.glyphs}
	for _, id := range tokens {
		if err := m.checkToken(id); err != nil {
			return nil, err
		}
		t.Tracked = append(t.Tracked, Tracked{id, m.token(id).Text()})
	}
	if opt.Translators != nil {
		t.Translators = opt.Translators.Digest
	}
	t.Logit, t.Logprob = cube[float64](len(tokens), len(s.rows), n), cube[float64](len(tokens), len(s.rows), n)
	if opt.Stats {
		t.Rank = cube[int](len(tokens), len(s.rows), n)
	}
	return t, nil
}

// checkToken refuses an id that the vocabulary lacks.
func (m *Model) checkToken(id int) error {
	if id < 0 || id >= m.cfg.DVocab {
		return invalidf("token id %d is not in the vocabulary of %s: ids go from 0 to %d", id, m.name, m.cfg.DVocab-1)
	}
	return nil
}

func cube[T any](a, b, c int) [][][]T {
	out := make([][][]T, a)
	for i := range out {
		out[i] = make([][]T, b)
		for j := range out[i] {
			out[i][j] = make([]T, c)
		}
	}
	return out
}

// trackRecorded takes log-partitions from the records and computes a dot product for each logit.
func (m *Model) trackRecorded(ctx context.Context, conv *cache.Conversation, s *stream, tokens []int, t *Tracks) error {
	mod, n, k := m.run.Model(), len(s.rows), len(tokens)
	z := make([]float32, s.positions()*n*k)
	const at = 16 // positions between two looks at the context
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for p := 0; p < s.positions(); p += at {
		g.Go(func() error {
			end := min(p+at, s.positions())
			mod.UnembedTokens(z[p*n*k:end*n*k], mod.Normalize(s.data[p*n*s.d:end*n*s.d]), tokens)
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return wrap(Interrupted, err, "tracking")
	}
	for p := range s.positions() {
		rec, err := m.record(conv, s.from+p)
		if err != nil {
			return err
		}
		for r := range n {
			for i := range k {
				x := float64(z[(p*n+r)*k+i])
				t.Logit[i][r][p], t.Logprob[i][r][p] = x, x-rec.rows[r].logPartition
			}
		}
	}
	return nil
}

// trackWhole reads out every row.
func (m *Model) trackWhole(ctx context.Context, s *stream, tokens []int, opt LensOptions, t *Tracks) error {
	r, n := reader{m, opt.Variant, opt.Translators, s.rows}, len(s.rows)
	for from := 0; from < s.positions(); from += chunk {
		end := min(from+chunk, s.positions())
		y, per := r.batch(s.data[from*n*s.d : end*n*s.d])
		reads, err := m.run.Model().Read(ctx, y, 1, tokens)
		if err != nil {
			return trackError(err, s, from, per)
		}
		for p := from; p < end; p++ {
			for row := range n {
				for i, score := range reads[(p-from)*per+row].Scores {
					t.Logit[i][row][p], t.Logprob[i][row][p] = float64(score.Logit), score.Logprob
					if t.Rank != nil {
						t.Rank[i][row][p] = score.Rank
					}
				}
			}
		}
	}
	return nil
}

// trackError says where logits are not finite: Read counts rows, per of each position from from on.
func trackError(err error, s *stream, from, per int) error {
	var e *model.NotFiniteError
	if errors.As(err, &e) {
		err = &model.NotFiniteError{Position: e.Position / per, Row: e.Position % per}
	}
	return lensError(err, s.from+from, "tracking at position %d", s.from+from)
}

// Difference is the logit of tracked token a less that of b (indexes into Tracked), which is also their difference in log-probability: [row][position].
func (t *Tracks) Difference(a, b int) ([][]float64, error) {
	if a < 0 || b < 0 || a >= len(t.Tracked) || b >= len(t.Tracked) {
		return nil, invalidf("tracked tokens %d and %d: there are 0 to %d", a, b, len(t.Tracked)-1)
	}
	out := make([][]float64, len(t.Rows))
	for r := range out {
		for p := range t.IDs {
			out[r] = append(out[r], t.Logit[a][r][p]-t.Logit[b][r][p])
		}
	}
	return out, nil
}

// Chart draws the probability of each tracked token over the rows, after the token at position (-1: the last). At most eight tokens can be told apart.
func (t *Tracks) Chart(position int) (*plots.Figure, error) {
	p, err := t.column(position)
	if err != nil {
		return nil, err
	}
	l := plots.Lines{Title: fmt.Sprintf("After “%s” at position %d", t.show(t.IDs[p]), t.First+p), Caption: t.caption(),
		X: t.Rows, XLabel: "row", YLabel: "probability of the next token", Axis: plots.ProbabilityAxis}
	for i, tok := range t.Tracked {
		s := plots.Series{Name: t.show(tok.ID)}
		for r := range t.Rows {
			s.Values = append(s.Values, math.Exp(t.Logprob[i][r][p]))
		}
		l.Series = append(l.Series, s)
	}
	fig, err := l.Draw()
	return fig, wrap(Invalid, err, "drawing the tracks")
}

// column is the index of a position.
func (t *Tracks) column(position int) (int, error) {
	if position == -1 {
		return len(t.IDs) - 1, nil
	}
	if position < t.First || position >= t.First+len(t.IDs) {
		return 0, notFoundf("position %d: the tracks have %d to %d, and -1 for the last", position, t.First, t.First+len(t.IDs)-1)
	}
	return position - t.First, nil
}

func (t *Tracks) show(id int) string {
	if t.glyphs == nil {
		return Token{ID: id}.Glyphs()
	}
	return t.glyphs(id)
}

func (t *Tracks) caption() string {
	text := fmt.Sprintf("%s (%.12s) · lens %s", t.Model, t.ModelDigest, t.Variant)
	if t.Translators != "" {
		text += fmt.Sprintf(" · translators %.12s", t.Translators)
	}
	if t.Codec != "" {
		text += " · rows stored as " + t.Codec
	}
	return text
}

// String is the probabilities at the last position as a table: the model's own output on top.
func (t *Tracks) String() string {
	var tab table
	head := []string{"row"}
	for _, tok := range t.Tracked {
		head = append(head, t.show(tok.ID))
	}
	tab.add(head...)
	last := len(t.IDs) - 1
	for r := len(t.Rows) - 1; r >= 0; r-- {
		line := []string{t.Rows[r]}
		for i := range t.Tracked {
			text := prob(t.Logprob[i][r][last])
			if t.Rank != nil {
				text += fmt.Sprintf(" rank %d", t.Rank[i][r][last])
			}
			line = append(line, text)
		}
		tab.add(line...)
	}
	return fmt.Sprintf("%s\nprobability after %s at position %d\n%s", t.caption(), t.show(t.IDs[last]), t.First+last, &tab)
}

// MIMEBundle shows the tracks at the last position as a table and a chart.
func (t *Tracks) MIMEBundle() map[string]any { return figureBundle(t, t.lastChart) }

// MIMEMetadata gives the picture's size.
func (t *Tracks) MIMEMetadata() map[string]any { return figureMetadata(t.lastChart) }

func (t *Tracks) lastChart() (*plots.Figure, error) { return t.Chart(-1) }
