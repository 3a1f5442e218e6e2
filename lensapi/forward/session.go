package forward

import (
	"context"
	"fmt"

	"github.com/gopherlens/gopherlens/lensapi/model"
)

// Session is one sequence and its key/value cache. One goroutine at a time.
type Session struct {
	r     *Runner
	cache *model.Cache
	resid []int // by residual row: index of the site it is read at
	lack  lack
}

// NewSession returns an empty sequence. It holds memory only as it grows.
func (r *Runner) NewSession() *Session {
	s := &Session{r: r, cache: r.m.NewCache()}
	sites := []string{"blocks.0.hook_resid_pre"}
	for l := range r.m.Config().NLayers {
		sites = append(sites, fmt.Sprintf("blocks.%d.hook_resid_post", l))
	}
	at := map[string]int{}
	for i, site := range r.m.Sites() {
		at[site.Name] = i
	}
	for _, name := range sites {
		s.resid = append(s.resid, at[name])
	}
	return s
}

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
	return nil
}

// Fork returns a session that has the same positions and goes on separately: a branch of the conversation, one run of a
// sweep. Nothing is copied but, when the fork grows, the last few positions. Both may be used at the same time.
func (s *Session) Fork() *Session { return &Session{s.r, s.cache.Fork(), s.resid, s.lack} }

// Extend feeds ids as the positions from Len on and returns their residual rows. Hooks see and may edit this
// pass; what they change in keys and values stays in the cache. ctx is looked at before each operation, so a
// cancelled call returns within one. After an error the session has the Len it had before.
//
// The errors for ids are ErrEmpty, *ContextError and *TokenError.
func (s *Session) Extend(ctx context.Context, ids []int, hooks ...Hook) (*Trace, error) {
	c := s.r.m.Config()
	start := s.Len()
	if len(ids) == 0 {
		return nil, ErrEmpty
	}
	if len(ids) > c.NCtx-start {
		return nil, &ContextError{start, len(ids), c.NCtx}
	}
	for i, id := range ids {
		if id < 0 || id >= c.DVocab {
			return nil, &TokenError{i, id, c.DVocab}
		}
	}
	if s.lack.layer > 0 {
		return nil, s.lack.err()
	}
	taps, err := s.r.taps(hooks, false, nil)
	if err != nil {
		return nil, err
	}
	t := &Trace{Start: start, Tokens: len(ids), Rows: c.NLayers + 1, DModel: c.DModel}
	t.Resid = make([]float32, len(ids)*t.Rows*t.DModel)
	p, err := s.r.programs.get()
	if err != nil {
		return nil, err
	}
	s.r.passes.Add(1)
	taps = s.capture(taps, t)
	for at := 0; at < len(ids); at += chunk {
		if err := p.Run(ctx, ids[at:min(at+chunk, len(ids))], s.cache, taps); err != nil {
			s.cache.Truncate(start)
			return nil, err
		}
	}
	s.r.programs.put(p)
	s.r.tokens.Add(int64(len(ids)))
	return t, nil
}

// capture adds, behind the hooks, the taps that copy the residual rows to t.
func (s *Session) capture(taps []model.Tap, t *Trace) []model.Tap {
	all := make([]model.Tap, len(s.r.m.Sites()))
	copy(all, taps)
	for row, site := range s.resid {
		all[site] = then(all[site], func(a model.Activation) error {
			for i := range a.Shape[0] {
				copy(t.Row(a.Start-t.Start+i, row), a.Data[i*t.DModel:])
			}
			return nil
		})
	}
	return all
}
