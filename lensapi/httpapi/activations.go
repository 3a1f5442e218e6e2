package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

type clickInput struct {
	Accept         string `header:"Accept"`
	ConversationID string `path:"conversation_id" maxLength:"100"`
	Position       int    `path:"token_position" minimum:"-1" maximum:"1000000000" doc:"from 0, over all turns; -1 is the last"`
	LensQuery
	IncludeContext bool   `query:"include_context" doc:"with the layers of the tokens before it"`
	ContextSize    int    `query:"context_size" default:"15" minimum:"0" maximum:"256" doc:"how many tokens before it"`
	Activations    bool   `query:"activations" doc:"with the residual rows"`
	Format         string `query:"format" default:"json" enum:"json,npy,safetensors" doc:"the residual rows alone as a file"`
}

// ClickStart is the event with which a streamed click begins: the token, before its layers.
type ClickStart struct {
	Head
	Token
	Rows          []string `json:"rows"`
	ContextWindow []int    `json:"context_window"`
}

// ClickDone is the event that ends a streamed click.
type ClickDone struct {
	Position int    `json:"position"`
	Settled  string `json:"settled"`
}

func (s *Server) click(ctx context.Context, in *clickInput) (*huma.StreamResponse, error) {
	t, err := s.find(ctx, in.ConversationID)
	if err != nil {
		return nil, fail(err)
	}
	p := in.Position
	if p == -1 {
		p = t.Len() - 1
	}
	if p >= t.Len() {
		return nil, errorf(NotFound, "position %d: the conversation has positions 0 to %d, and -1 for the last", p, t.Len()-1)
	}
	if in.Format != "json" {
		body, contentType, err := residualFile(ctx, t, p, p+1, in.Format)
		if err != nil {
			return nil, fail(err)
		}
		return file(contentType, fmt.Sprintf("%s-%d.%s", t.ID(), p, in.Format), body), nil
	}
	from := p
	if in.IncludeContext {
		from = max(0, p-in.ContextSize)
	}
	v, err := s.views(ctx, t, from, p+1, in.ContextSize, &in.LensQuery)
	if err != nil {
		return nil, fail(err)
	}
	out := &Click{Head: v.Head, TokenView: v.Tokens[p-from], Context: v.Tokens[:p-from]}
	if in.Activations {
		if out.LayerActivations, err = activationsOf(ctx, t, p, v.rows); err != nil {
			return nil, fail(err)
		}
	}
	f := formOf(in.Accept)
	if f == whole {
		return value(out), nil
	}
	return s.stream(f, func(_ *http.Request, x *wire) error {
		start := ClickStart{out.Head, out.Token, []string{}, out.ContextWindow}
		for _, l := range out.LayerPredictions {
			start.Rows = append(start.Rows, l.Row)
		}
		if err := x.send("token", start); err != nil {
			return err
		}
		for _, l := range out.LayerPredictions {
			if err := x.send("layer", LayerEvent{p, l}); err != nil {
				return err
			}
		}
		return x.send("done", ClickDone{p, out.Settled})
	}), nil
}

// maxRange is how many positions one request may ask for.
const maxRange = 64

type rangeInput struct {
	ConversationID string `path:"conversation_id" maxLength:"100"`
	LensQuery
	From        int `query:"from" minimum:"0" maximum:"1000000000"`
	To          int `query:"to" minimum:"0" maximum:"1000000000" doc:"the position after the last, at most 64 more than from; default: as far as that"`
	ContextSize int `query:"context_size" default:"15" minimum:"0" maximum:"256"`
}

type rangeOutput struct{ Body ClickRange }

func (s *Server) clickRange(ctx context.Context, in *rangeInput) (*rangeOutput, error) {
	t, err := s.find(ctx, in.ConversationID)
	if err != nil {
		return nil, fail(err)
	}
	if in.To == 0 {
		in.To = min(in.From+maxRange, t.Len())
	}
	if in.To-in.From > maxRange {
		return nil, errorf(Invalid, "from %d to %d: ask for at most %d positions at a time", in.From, in.To, maxRange)
	}
	v, err := s.views(ctx, t, in.From, in.To, in.ContextSize, &in.LensQuery)
	if err != nil {
		return nil, fail(err)
	}
	return &rangeOutput{ClickRange{v.Head, in.From, in.To, t.Len(), v.Tokens}}, nil
}

// viewed are tokens with their layers.
type viewed struct {
	Head
	Tokens []TokenView
	rows   []int
}

// views are the clicks on positions from to to-1. The normed lens is read back; others are computed, in turn with other runs.
func (s *Server) views(ctx context.Context, t talk, from, to, before int, q *LensQuery) (*viewed, error) {
	rows, err := chosen(splitList(q.Layers), t.Model().Rows())
	if err != nil {
		return nil, err
	}
	g, err := s.lens(ctx, t, from, to, q.Variant, q.Rows, q.Top, false)
	if err != nil {
		return nil, err
	}
	tokens, err := tokensOf(t, from, to)
	if err != nil {
		return nil, err
	}
	out := &viewed{Head: headOf(t, g), rows: rows}
	for i, tok := range tokens {
		out.Tokens = append(out.Tokens, TokenView{Token: tok, Settled: g.Settled[i], LayerPredictions: layersOf(g, i, rows), ContextWindow: window(from+i, before)})
	}
	return out, nil
}

func headOf(t talk, g *lens.Grid) Head {
	return Head{t.ID(), g.Model, g.ModelDigest, string(g.Variant), g.Codec}
}

// lens is the lens of positions from to to-1.
func (s *Server) lens(ctx context.Context, t talk, from, to int, variant, rows string, top int, stats bool) (*lens.Grid, error) {
	opt, err := t.model.lensOptions(variant, rows, top)
	if err != nil {
		return nil, err
	}
	opt.Stats = stats
	if opt.Variant != lens.Normed || stats {
		leave, err := s.takeTurn(ctx)
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	return t.Lens(ctx, from, to, opt)
}

// takeTurn waits for the right to compute.
func (s *Server) takeTurn(ctx context.Context) (leave func(), err error) {
	run, err := s.gate.enter()
	if err != nil {
		return nil, err
	}
	return run.leave, run.wait(ctx, nil)
}

// activationsOf are the residual rows at a position.
func activationsOf(ctx context.Context, t talk, p int, rows []int) (map[string][]float32, error) {
	r, err := t.Residuals(ctx, p, p+1)
	if err != nil {
		return nil, err
	}
	out := map[string][]float32{}
	for i, name := range r.Rows {
		if rows == nil || slices.Contains(rows, i) {
			out[name] = r.At(i, 0)
		}
	}
	return out, nil
}

// residualFile is the residual rows of positions from to to-1 as a file.
func residualFile(ctx context.Context, t talk, from, to int, format string) (body []byte, contentType string, err error) {
	r, err := t.Residuals(ctx, from, to)
	if err != nil {
		return nil, "", err
	}
	var b bytes.Buffer
	write := r.NPY
	if format == "safetensors" {
		write = r.Safetensors
	}
	if err := write(&b); err != nil {
		return nil, "", err
	}
	return b.Bytes(), "application/octet-stream", nil
}
