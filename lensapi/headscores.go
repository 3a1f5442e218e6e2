package lens

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/gopherlens/gopherlens/plots"
)

// HeadScoreOptions chooses the text that HeadScores makes. The zero value is usual.
type HeadScoreOptions struct {
	Length int    // random tokens before they are repeated; default 32, less where the context is short
	Texts  int    // how many such texts are averaged, 1 to 100; default 4
	Seed   uint64 // of the tokens
	Tokens []int  // the tokens to draw from; default all but special ones. A small model knows few words: give it those
}

// HeadScores say how far each head does one of three things on random tokens that come twice: r_0 ... r_{n-1} r_0 ... r_{n-1}, after a BOS where the model
// has one. Each is a mean over queries (and texts) of the weight on one key, 0 to 1, as in TransformerLens's head_detector and Olsson et al. (2022).
type HeadScores struct {
	Model       string           `json:"model"`
	ModelDigest string           `json:"model_digest"`
	Options     HeadScoreOptions `json:"options"`
	IDs         [][]int          `json:"ids"`       // the texts
	Previous    [][]float64      `json:"previous"`  // [layer][head]: on the token before; all queries but the first
	Duplicate   [][]float64      `json:"duplicate"` // on the same token's first occurrence; queries of the second half
	Induction   [][]float64      `json:"induction"` // on the token after the same token's first occurrence; queries of the second half
}

func (o *HeadScoreOptions) check(m *Model) error {
	most := (m.cfg.NCtx - 1) / 2
	if o.Length == 0 {
		o.Length = min(32, most)
	}
	if o.Texts == 0 {
		o.Texts = 4
	}
	if o.Length < 2 || o.Length > most {
		return invalidf("length %d: %s takes 2 to %d tokens, which come twice", o.Length, m.name, most)
	}
	if o.Texts < 1 || o.Texts > 100 {
		return invalidf("texts %d: ask for 1 to 100", o.Texts)
	}
	return nil
}

// HeadScores runs the model on random repeated tokens and scores its heads. Equal options give equal numbers.
func (m *Model) HeadScores(ctx context.Context, opt HeadScoreOptions) (*HeadScores, error) {
	if err := opt.check(m); err != nil {
		return nil, err
	}
	s := &HeadScores{Model: m.name, ModelDigest: m.digest, Options: opt}
	for _, dst := range []*[][]float64{&s.Previous, &s.Duplicate, &s.Induction} {
		for range m.cfg.NLayers {
			*dst = append(*dst, make([]float64, m.cfg.NHeads))
		}
	}
	rng := rand.New(rand.NewPCG(opt.Seed, 0x6c656e73))
	ordinary := opt.Tokens
	for _, id := range ordinary {
		if err := m.checkToken(id); err != nil {
			return nil, err
		}
	}
	for id := 0; len(opt.Tokens) == 0 && id < min(m.tok.Size(), m.cfg.DVocab); id++ {
		if !m.tok.IsSpecial(id) && m.tok.Bytes(id) != nil {
			ordinary = append(ordinary, id)
		}
	}
	if len(ordinary) == 0 {
		return nil, invalidf("the tokenizer of %s has no ordinary tokens", m.name)
	}
	for range opt.Texts {
		var ids []int
		if bos, ok := m.tok.BOS(); ok && bos < m.cfg.DVocab {
			ids = append(ids, bos)
		}
		at := len(ids)
		for range opt.Length {
			ids = append(ids, ordinary[rng.IntN(len(ordinary))])
		}
		ids = append(ids, ids[at:]...)
		s.IDs = append(s.IDs, ids)
		if err := s.add(ctx, m, ids, at); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// add averages one text in; its tokens begin at position at.
func (s *HeadScores) add(ctx context.Context, m *Model, ids []int, at int) error {
	a, err := m.AttentionIDs(ctx, ids, AttentionOptions{})
	if err != nil {
		return err
	}
	n, texts := s.Options.Length, float64(s.Options.Texts)
	for l, heads := range a.Pattern {
		for h, rows := range heads {
			for q := 1; q < len(ids); q++ {
				s.Previous[l][h] += float64(rows[q][q-1]) / float64(len(ids)-1) / texts
			}
			for q := at + n; q < len(ids); q++ {
				s.Duplicate[l][h] += float64(rows[q][q-n]) / float64(n) / texts
				s.Induction[l][h] += float64(rows[q][q-n+1]) / float64(n) / texts
			}
		}
	}
	return nil
}

func (s *HeadScores) caption() string {
	return fmt.Sprintf("%s (%.12s) · %d texts of %d random tokens that come twice, seed %d", s.Model, s.ModelDigest, s.Options.Texts, s.Options.Length, s.Options.Seed)
}

// Chart draws the three scores, layers by heads.
func (s *HeadScores) Chart() (*plots.Figure, error) {
	var figs []*plots.Figure
	for _, k := range s.kinds() {
		mx := headMatrix(k.name, s.caption(), "mean weight on "+k.on, k.scores, false)
		mx.Max = 1
		f, err := mx.Draw()
		if err != nil {
			return nil, wrap(Invalid, err, "drawing head scores")
		}
		figs = append(figs, f)
	}
	fig, err := plots.Join(figs...)
	return fig, wrap(Invalid, err, "drawing head scores")
}

type headKind struct {
	name, on string
	scores   [][]float64
}

func (s *HeadScores) kinds() []headKind {
	return []headKind{
		{"Previous-token heads", "the token before", s.Previous},
		{"Duplicate-token heads", "the same token before", s.Duplicate},
		{"Induction heads", "the token after the same before", s.Induction},
	}
}

// String is the first heads of each kind.
func (s *HeadScores) String() string {
	var t table
	for _, k := range s.kinds() {
		line := []string{k.name}
		for _, p := range topParts(k.scores, "H", 5) {
			line = append(line, fmt.Sprintf("%s %.2f", p.Name, p.Value))
		}
		t.add(line...)
	}
	return s.caption() + "\n" + t.String()
}

// MIMEBundle shows the first heads as a table, and all scores as pictures.
func (s *HeadScores) MIMEBundle() map[string]any { return figureBundle(s, s.Chart) }

// MIMEMetadata gives the picture's size.
func (s *HeadScores) MIMEMetadata() map[string]any { return figureMetadata(s.Chart) }
