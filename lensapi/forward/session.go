package forward

import (
	"context"
	"fmt"
	"slices"

	"github.com/gopherlens/gopherlens/lensapi/model"
)

// Session is one sequence and its key/value cache. One goroutine at a time.
type Session struct {
	r     *Runner
	cache *model.Cache
	lack  lack
	ids   []int // fed so far
	clean int   // positions that were fed without hooks: these may serve others
	kept  *prefix
}

// NewSession returns an empty sequence. It holds memory only as it grows.
func (r *Runner) NewSession() *Session { return &Session{r: r, cache: r.m.NewCache()} }

// Trace is what Extend computed, copied out.
type Trace struct {
	Start  int       // position of the first row
	Tokens int       // T
	Rows   int       // residual rows of a position: len(Model.Rows())
	DModel int       //
	Resid  []float32 // [T, Rows, DModel], after any edits by hooks
}

// Row returns the residual row of one of the T positions: [DModel], part of Resid. It panics out of range, as an
// index does.
func (t *Trace) Row(token, row int) []float32 {
	i := (token*t.Rows + row) * t.DModel
	return t.Resid[i : i+t.DModel : i+t.DModel]
}

// Last returns the row whose Logits predict the token after the last one: [DModel], part of Resid.
func (t *Trace) Last() []float32 { return t.Row(t.Tokens-1, t.Rows-1) }

// IDs are the tokens fed, -1 for rows of ExtendFrom. The slice is the caller's.
func (s *Session) IDs() []int { return slices.Clone(s.ids) }

// Len is the number of positions fed.
func (s *Session) Len() int { return s.cache.Len() }

// Truncate forgets the positions from n on; 0 <= n <= Len.
func (s *Session) Truncate(n int) error {
	if n < 0 || n > s.Len() {
		return fmt.Errorf("cannot truncate to %d: the session has %d positions", n, s.Len())
	}
	s.cache.Truncate(n)
	if n <= s.lack.at {
		s.lack = lack{}
	}
	s.ids, s.clean = s.ids[:n:n], min(s.clean, n)
	return nil
}

// Fork returns a session that has the same positions and goes on separately: a branch of the conversation, one run of a
// sweep. Nothing is copied but, when the fork grows, the last few positions. Both may be used at the same time.
func (s *Session) Fork() *Session {
	return &Session{r: s.r, cache: s.cache.Fork(), ids: slices.Clip(s.ids), clean: s.clean, lack: s.lack}
}

// Extend feeds ids as the positions from Len on and returns their residual rows. Hooks see and may edit this
// pass; what they change in keys and values stays in the cache. ctx is looked at before each operation, so a
// cancelled call returns within one. After an error the session has the Len it had before.
//
// The errors for ids are ErrEmpty, *ContextError and *TokenError.
func (s *Session) Extend(ctx context.Context, ids []int, hooks ...Hook) (*Trace, error) {
	taps, err := s.r.taps(hooks, false, nil)
	if err != nil {
		return nil, err
	}
	return s.extend(ctx, ids, taps, len(hooks) == 0)
}

// extend is Extend with taps by site; clean says that they edit nothing.
func (s *Session) extend(ctx context.Context, ids []int, taps []model.Tap, clean bool) (*Trace, error) {
	c := s.r.m.Config()
	start := s.Len()
	if len(ids) == 0 {
		return nil, ErrEmpty
	}
	if len(ids) > c.NCtx-start {
		return nil, &ContextError{start, len(ids), c.NCtx}
	}
	if err := checkIDs(ids, c.DVocab); err != nil {
		return nil, err
	}
	if s.lack.layer > 0 {
		return nil, s.lack.err()
	}
	t := &Trace{Start: start, Tokens: len(ids), Rows: c.NLayers + 1, DModel: c.DModel}
	t.Resid = make([]float32, len(ids)*t.Rows*t.DModel)
	s.r.passes.Add(1)
	taps = s.capture(taps, t)
	for part := range slices.Chunk(ids, s.r.chunk) {
		if err := turn(ctx, s.r, &s.r.programs, func(p *model.Program) error { return p.Run(ctx, part, s.cache, taps) }); err != nil {
			s.cache.Truncate(start)
			return nil, err
		}
	}
	s.r.tokens.Add(int64(len(ids)))
	s.ids = append(s.ids, ids...)
	if clean && s.clean == start {
		s.clean = s.Len()
		s.r.prefixes.keep(s)
	}
	return t, nil
}

func checkIDs(ids []int, vocab int) error {
	for i, id := range ids {
		if id < 0 || id >= vocab {
			return &TokenError{i, id, vocab}
		}
	}
	return nil
}

// capture adds, behind the hooks, the taps that copy the residual rows to t.
func (s *Session) capture(taps []model.Tap, t *Trace) []model.Tap {
	all := make([]model.Tap, s.r.sites)
	copy(all, taps)
	for row, site := range s.r.resid {
		all[site] = then(all[site], func(a model.Activation) error {
			for i := range a.Shape[0] {
				copy(t.Row(a.Start-t.Start+i, row), a.Data[i*t.DModel:])
			}
			return nil
		})
	}
	return all
}
