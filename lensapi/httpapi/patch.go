package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// PatchRequest asks for a sweep of activation patching over a pair of prompts of equal length.
type PatchRequest struct {
	Model     string    `json:"model,omitempty" maxLength:"64"`
	Clean     string    `json:"clean" minLength:"1"`
	Corrupted string    `json:"corrupted" minLength:"1"`
	Token     TokenRef  `json:"token" doc:"the token whose logit is the target"`
	Against   *TokenRef `json:"against,omitempty" doc:"the token whose logit is subtracted"`
	Site      string    `json:"site,omitempty" default:"resid_pre" enum:"resid_pre,resid_mid,resid_post,attn_out,mlp_out,q,k,v,z,pattern,pre,post"`
	ByHead    bool      `json:"by_head,omitempty" doc:"layers by heads, each at all positions; else layers by positions"`
	Noising   bool      `json:"noising,omitempty" doc:"put values of the corrupted run into the clean one; else the other way round"`
	Layers    []int     `json:"layers,omitempty" maxItems:"1000"`
	Position  int       `json:"position,omitempty" minimum:"-1" maximum:"1000000000" doc:"where the target is read; 0 and -1: the last"`
}

// PatchReply is the outcome: one run for each cell.
type PatchReply struct {
	ModelName       string       `json:"model_name"`
	ModelDigest     string       `json:"model_digest"`
	Site            string       `json:"site"`
	ByHead          bool         `json:"by_head"`
	Noising         bool         `json:"noising"`
	Clean           []int        `json:"clean" doc:"ids"`
	Corrupted       []int        `json:"corrupted" doc:"ids"`
	CleanTokens     []string     `json:"clean_tokens"`
	CorruptedTokens []string     `json:"corrupted_tokens"`
	Position        int          `json:"position"`
	CleanValue      float64      `json:"clean_value"`
	CorruptedValue  float64      `json:"corrupted_value"`
	Layers          []int        `json:"layers"`
	Value           [][]*float64 `json:"value" doc:"[layer][position or head]: the target in the patched run"`
	Normalized      [][]*float64 `json:"normalized" doc:"1 is as in the clean run, 0 as in the corrupted"`
}

// PatchProgress is the event of a sweep that goes on.
type PatchProgress struct {
	Done   int     `json:"done"`
	Total  int     `json:"total"`
	LeftMS float64 `json:"left_ms" doc:"about how long it will take yet"`
}

type patchInput struct {
	Accept string `header:"Accept"`
	Body   PatchRequest
}

func (s *Server) patch(ctx context.Context, in *patchInput) (*huma.StreamResponse, error) {
	req := &in.Body
	e, err := s.models.named(req.Model)
	if err != nil {
		return nil, fail(err)
	}
	m, err := e.get(ctx)
	if err != nil {
		return nil, fail(err)
	}
	target := lens.Target{}
	if target.Token, err = req.Token.id(m); err != nil {
		return nil, fail(err)
	}
	if req.Against != nil {
		id, err := req.Against.id(m)
		if err != nil {
			return nil, fail(err)
		}
		target.Against = &id
	}
	run, err := s.gate.enter()
	if err != nil {
		return nil, fail(err)
	}
	opt := lens.PatchOptions{Site: req.Site, ByHead: req.ByHead, Noising: req.Noising, Layers: req.Layers, Position: req.Position}
	f := formOf(in.Accept)
	if f == whole {
		defer run.leave()
		if err := run.wait(ctx, nil); err != nil {
			return nil, fail(err)
		}
		opt.Progress = func(int, int, time.Duration) { _ = run.yield(ctx) } // a context that ended ends the sweep by itself
		out, err := sweep(ctx, m, req, target, opt)
		if err != nil {
			return nil, fail(err)
		}
		return value(out), nil
	}
	return s.stream(f, func(r *http.Request, x *wire) error {
		defer run.leave()
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		if err := run.wait(ctx, func(place int) error { return x.send("queued", Queued{place}) }); err != nil {
			return err
		}
		var told time.Time
		opt.Progress = func(done, total int, left time.Duration) {
			_ = run.yield(ctx)
			if now := time.Now(); done == total || now.Sub(told) > 50*time.Millisecond {
				told = now
				if err := x.send("progress", PatchProgress{done, total, left.Seconds() * 1e3}); err != nil {
					cancel() // nobody reads
				}
			}
		}
		out, err := sweep(ctx, m, req, target, opt)
		if err != nil {
			return err
		}
		return x.send("done", out)
	}), nil
}

func sweep(ctx context.Context, m *lens.Model, req *PatchRequest, target lens.Target, opt lens.PatchOptions) (*PatchReply, error) {
	w, err := m.Patch(ctx, req.Clean, req.Corrupted, target, opt)
	if err != nil {
		return nil, err
	}
	texts := func(ids []int) []string {
		out := make([]string, len(ids))
		for i, id := range ids {
			out[i] = m.TokenText(id)
		}
		return out
	}
	return &PatchReply{m.Name(), m.Digest(), w.Site, w.ByHead, w.Noising, w.Clean, w.Corrupted, texts(w.Clean), texts(w.Corrupted), w.Position, w.CleanValue, w.Corrupt, w.Layers,
		numbers(w.Value), numbers(w.Normalized)}, nil
}
