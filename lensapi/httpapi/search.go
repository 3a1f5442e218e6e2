package httpapi

import (
	"context"
	"slices"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// SearchRequest asks for exactly one of Text, Token, EntropyDrop, Crossing and Near.
type SearchRequest struct {
	Model       string       `json:"model,omitempty" maxLength:"64"`
	Text        string       `json:"text,omitempty" maxLength:"1024" doc:"regular expression (RE2) over the text of conversations"`
	Token       *WithinToken `json:"token,omitempty" doc:"cells where a token is among the first candidates"`
	EntropyDrop float64      `json:"entropy_drop,omitempty" minimum:"0" maximum:"1000" doc:"cells whose entropy is at least so many nats below the row before"`
	Crossing    int          `json:"crossing,omitempty" minimum:"0" maximum:"10000000" doc:"cells where the rank of the actual next token comes to this or less"`
	Near        *NearPlace   `json:"near,omitempty" doc:"residual rows nearest to the one at a place"`
	Row         string       `json:"row,omitempty" maxLength:"32" doc:"of near: the row compared, by default the last; of the others: only this row"`
	Dot         bool         `json:"dot,omitempty" doc:"of near: by dot product in place of cosine"`
	In          []string     `json:"in,omitempty" maxItems:"1000" doc:"conversations; default: all that are kept for the model"`
	Limit       int          `json:"limit,omitempty" default:"20" minimum:"1" maximum:"1000"`
}

// WithinToken is a token among the first candidates.
type WithinToken struct {
	Token TokenRef `json:"id"`
	First int      `json:"first,omitempty" default:"1" minimum:"1" maximum:"1000"`
}

// NearPlace is a place in a conversation.
type NearPlace struct {
	ConversationID string `json:"conversation_id" maxLength:"100"`
	Position       int    `json:"position" minimum:"-1" maximum:"1000000000"`
}

// SearchReply is what was found: by score for near, token and entropy_drop, largest first; otherwise as it stands, newest conversations first.
type SearchReply struct {
	ModelName string `json:"model_name"`
	lens.Hits
}

type searchInput struct{ Body SearchRequest }

type searchOutput struct{ Body *SearchReply }

func (s *Server) search(ctx context.Context, in *searchInput) (*searchOutput, error) {
	req := &in.Body
	e, err := s.models.named(req.Model)
	if err != nil {
		return nil, fail(err)
	}
	m, err := e.get(ctx)
	if err != nil {
		return nil, fail(err)
	}
	q := lens.Query{Text: req.Text, EntropyDrop: req.EntropyDrop, Crossing: req.Crossing, Row: req.Row, Dot: req.Dot, In: req.In, Limit: req.Limit}
	if req.Token != nil {
		id, err := req.Token.Token.id(m)
		if err != nil {
			return nil, fail(err)
		}
		q.Token = &lens.Within{Token: id, First: req.Token.First}
	}
	leave, err := s.takeTurn(ctx)
	if err != nil {
		return nil, fail(err)
	}
	defer leave()
	if req.Near != nil {
		if err := s.near(ctx, e, req.Near, &q); err != nil {
			return nil, fail(err)
		}
	}
	hits, err := m.Search(ctx, q)
	if err != nil {
		return nil, fail(err)
	}
	out := &SearchReply{m.Name(), *hits}
	if out.Hits.Hits == nil {
		out.Hits.Hits = []lens.Hit{}
	}
	for i := range out.Hits.Hits {
		if out.Hits.Hits[i].Context == nil {
			out.Hits.Hits[i].Context = []lens.TokenInfo{}
		}
	}
	return &searchOutput{out}, nil
}

// near is the row at a place, to be compared with others.
func (s *Server) near(ctx context.Context, e *modelEntry, at *NearPlace, q *lens.Query) error {
	t, err := s.find(ctx, at.ConversationID)
	if err != nil {
		return err
	}
	if t.model != e {
		return errorf(Conflict, "conversation %q belongs to the model %s", at.ConversationID, t.model.Name)
	}
	p := at.Position
	if p == -1 {
		p = t.Len() - 1
	}
	r, err := t.Residuals(ctx, p, p+1)
	if err != nil {
		return err
	}
	if q.Row == "" {
		q.Row = r.Rows[len(r.Rows)-1]
	}
	i := slices.Index(r.Rows, q.Row)
	if i < 0 {
		return known("row", q.Row, r.Rows)
	}
	q.Near = r.At(i, 0)
	return nil
}
