package httpapi

import (
	"context"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// Place is a stretch of a conversation, or a prompt of its own. Exactly one of ConversationID and Text.
type Place struct {
	ConversationID string `json:"conversation_id,omitempty" maxLength:"100"`
	Text           string `json:"text,omitempty" doc:"a prompt, which is fed as it is (with a BOS where the checkpoint's tokenizer puts one)"`
	Model          string `json:"model,omitempty" maxLength:"64" doc:"of a prompt; default: the first that is served"`
	From           int    `json:"from,omitempty" minimum:"0" maximum:"1000000000"`
	To             int    `json:"to,omitempty" minimum:"0" maximum:"1000000000" doc:"the position after the last; default: all"`
}

// place is where a Place is: ids, and the conversation if it is one.
type place struct {
	talk
	m        *lens.Model
	e        *modelEntry
	ids      []int
	from, to int
}

func (s *Server) place(ctx context.Context, p *Place) (pl place, err error) {
	if (p.ConversationID == "") == (p.Text == "") {
		return pl, errorf(Invalid, "give exactly one of conversation_id and text")
	}
	if p.ConversationID != "" {
		if pl.talk, err = s.find(ctx, p.ConversationID); err != nil {
			return pl, err
		}
		if p.Model != "" && pl.model.Name != p.Model {
			return pl, errorf(Conflict, "conversation %q belongs to the model %s: leave model out", p.ConversationID, pl.model.Name)
		}
		pl.e, pl.m, pl.ids = pl.model, pl.talk.Model(), pl.IDs()
	} else {
		if pl.e, err = s.models.named(p.Model); err != nil {
			return pl, err
		}
		if pl.m, err = pl.e.get(ctx); err != nil {
			return pl, err
		}
		if pl.ids, err = pl.m.PromptIDs(p.Text, lens.BOSAuto); err != nil {
			return pl, err
		}
	}
	pl.from, pl.to = p.From, p.To
	if pl.to == 0 {
		pl.to = len(pl.ids)
	}
	if pl.from >= pl.to || pl.to > len(pl.ids) {
		return pl, errorf(NotFound, "positions %d to %d: there are %d tokens, so ask for 0 <= from < to <= %d", pl.from, pl.to, len(pl.ids), len(pl.ids))
	}
	return pl, nil
}

// texts are those of its tokens.
func (pl *place) texts() []string {
	out := []string{}
	for _, id := range pl.ids[pl.from:pl.to] {
		out = append(out, pl.m.TokenText(id))
	}
	return out
}

// ContrastRequest asks for one statistic of two stretches, and their difference.
type ContrastRequest struct {
	A         Place  `json:"a"`
	B         Place  `json:"b"`
	Statistic string `json:"statistic,omitempty" default:"probability" enum:"probability,logit,rank,entropy,kl,log_partition,cross_entropy,answer_probability,kl_reverse,js,tv"`
	Variant   string `json:"variant,omitempty" default:"normed" enum:"normed,raw,scaled,tuned,jacobian"`
	Rows      string `json:"rows,omitempty" default:"stored" enum:"stored,fresh"`
}

// ContrastSide is one of the two.
type ContrastSide struct {
	Head
	First  int      `json:"first" doc:"position of the first column"`
	IDs    []int    `json:"ids"`
	Tokens []string `json:"tokens"`
}

// ContrastReply is a statistic of two stretches cell by cell. Positions are compared one to one, tokens never aligned by their text.
type ContrastReply struct {
	Statistic  string       `json:"statistic"`
	A          ContrastSide `json:"a"`
	B          ContrastSide `json:"b"`
	Rows       []string     `json:"rows"`
	AValues    [][]*float64 `json:"a_values" doc:"[row][position]; null where a cell has none"`
	BValues    [][]*float64 `json:"b_values"`
	Difference [][]*float64 `json:"difference" doc:"b - a"`
}

type contrastInput struct{ Body ContrastRequest }

type contrastOutput struct{ Body *ContrastReply }

func (s *Server) contrast(ctx context.Context, in *contrastInput) (*contrastOutput, error) {
	req := &in.Body
	leave, err := s.takeTurn(ctx)
	if err != nil {
		return nil, fail(err)
	}
	defer leave()
	var grids [2]*lens.Grid
	var sides [2]ContrastSide
	for i, p := range []*Place{&req.A, &req.B} {
		pl, err := s.place(ctx, p)
		if err != nil {
			return nil, fail(err)
		}
		g, err := pl.lens(ctx, req.Variant, req.Rows, needsStats(req.Statistic))
		if err != nil {
			return nil, fail(err)
		}
		grids[i] = g
		sides[i] = ContrastSide{Head{p.ConversationID, g.Model, g.ModelDigest, string(g.Variant), g.Codec}, g.First, g.IDs, g.Tokens}
	}
	st := lens.Statistic(req.Statistic)
	c, err := lens.NewContrast(grids[0], grids[1], st)
	if err != nil {
		return nil, fail(err)
	}
	a, err := grids[0].Values(st)
	if err != nil {
		return nil, fail(err)
	}
	b, err := grids[1].Values(st)
	if err != nil {
		return nil, fail(err)
	}
	return &contrastOutput{&ContrastReply{req.Statistic, sides[0], sides[1], grids[0].Rows, numbers(a), numbers(b), numbers(c.Difference)}}, nil
}

// lens is the lens of the place; a prompt's is captured in the cache on the way.
func (pl *place) lens(ctx context.Context, variant, rows string, stats bool) (*lens.Grid, error) {
	opt, err := pl.e.lensOptions(variant, rows, 1)
	if err != nil {
		return nil, err
	}
	opt.Stats = stats
	if pl.Conversation != nil {
		return pl.Lens(ctx, pl.from, pl.to, opt)
	}
	if pl.from > 0 {
		return nil, errorf(Invalid, "from %d: a text is compared from its beginning; leave words out of it instead", pl.from)
	}
	return pl.m.LogitLensIDs(ctx, pl.ids[:pl.to], opt)
}

// TrackRequest follows tokens through all rows of a stretch.
type TrackRequest struct {
	Place
	Tokens  []TokenRef `json:"tokens,omitempty" maxItems:"100" doc:"default: those that are some row's first choice at the last position"`
	Variant string     `json:"variant,omitempty" default:"normed" enum:"normed,raw,scaled,tuned,jacobian"`
	Rows    string     `json:"rows,omitempty" default:"stored" enum:"stored,fresh" doc:"rows as the cache stores them, or from a forward pass"`
	Ranks   bool       `json:"ranks,omitempty" doc:"with ranks, which takes whole unembeddings"`
}

// TrackReply is how the tokens fare.
type TrackReply struct {
	Head
	First    int            `json:"first" doc:"position of the first column"`
	IDs      []int          `json:"ids"`
	Tokens   []string       `json:"tokens"`
	RowNames []string       `json:"rows"`
	Tracked  []lens.Tracked `json:"tracked"`
	Logit    [][][]float64  `json:"logit" doc:"[tracked][row][position]"`
	Logprob  [][][]float64  `json:"logprob" doc:"[tracked][row][position], nats"`
	Rank     [][][]int      `json:"rank,omitempty" doc:"[tracked][row][position], from 1"`
}

type trackInput struct{ Body TrackRequest }

type trackOutput struct{ Body *TrackReply }

// maxTrack bounds the numbers of a track.
const maxTrack = 1 << 21

func (s *Server) track(ctx context.Context, in *trackInput) (*trackOutput, error) {
	req := &in.Body
	pl, err := s.place(ctx, &req.Place)
	if err != nil {
		return nil, fail(err)
	}
	ids, err := idsOf(pl.m, req.Tokens)
	if err != nil {
		return nil, fail(err)
	}
	if n := max(1, len(ids)) * len(pl.m.Rows()) * (pl.to - pl.from); n > maxTrack {
		return nil, errorf(Invalid, "%d tokens over %d positions are %d numbers, more than %d: ask for fewer", len(ids), pl.to-pl.from, n, maxTrack)
	}
	opt, err := pl.e.lensOptions(req.Variant, req.Rows, 0)
	if err != nil {
		return nil, fail(err)
	}
	opt.Stats = req.Ranks
	leave, err := s.takeTurn(ctx)
	if err != nil {
		return nil, fail(err)
	}
	defer leave()
	var tr *lens.Tracks
	switch {
	case pl.Conversation != nil:
		tr, err = pl.Track(ctx, pl.from, pl.to, ids, opt)
	case pl.from > 0:
		err = errorf(Invalid, "from %d: a text is followed from its beginning", pl.from)
	default:
		tr, err = pl.m.TrackIDs(ctx, pl.ids[:pl.to], ids, opt)
	}
	if err != nil {
		return nil, fail(err)
	}
	return &trackOutput{&TrackReply{Head{req.ConversationID, tr.Model, tr.ModelDigest, string(tr.Variant), tr.Codec}, tr.First, tr.IDs, pl.texts(), tr.Rows,
		tr.Tracked, tr.Logit, tr.Logprob, tr.Rank}}, nil
}
