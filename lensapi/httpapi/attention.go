package httpapi

import (
	"context"
	"slices"
	"strconv"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

type attentionInput struct {
	ConversationID string `path:"conversation_id" maxLength:"100"`
	Layer          string `path:"layer" pattern:"^([0-9]{1,4}|rollout)$" doc:"a layer from 0, or rollout: the product over all layers of half the heads' mean and half the identity"`
	Heads          string `query:"heads" maxLength:"4096" pattern:"^([0-9]{1,4}(,[0-9]{1,4})*)?$" doc:"with commas between them; default: all"`
	N              int    `query:"n" minimum:"0" maximum:"1000000000" doc:"only the first n tokens; default: all"`
	Query          int    `query:"query" default:"-1" minimum:"-1" maximum:"1000000000" doc:"only where this position looks; -1: all positions"`
	Weighted       bool   `query:"weighted" doc:"with weight times the length of what the head adds for it"`
	Rows           string `query:"rows" default:"stored" enum:"stored,fresh" doc:"from the cache's rows, which are rounded, or from a forward pass"`
}

// AttentionReply is where heads look.
type AttentionReply struct {
	ConversationID string        `json:"conversation_id"`
	ModelName      string        `json:"model_name"`
	ModelDigest    string        `json:"model_digest"`
	Codec          string        `json:"codec,omitempty"`
	Layer          int           `json:"layer" doc:"-1 for a rollout"`
	Heads          []int         `json:"heads" doc:"of pattern, in order; empty for a rollout"`
	IDs            []int         `json:"ids"`
	Tokens         []string      `json:"tokens"`
	FirstQuery     int           `json:"first_query" doc:"position of the first query"`
	Pattern        [][][]float32 `json:"pattern" doc:"[head][query][key]: weights that sum to one; keys end at the query, what comes after it has weight 0"`
	Weighted       [][][]float32 `json:"weighted,omitempty" doc:"the same shape: weight times |v W_O|"`
}

type attentionOutput struct{ Body *AttentionReply }

// maxPattern bounds the numbers of one pattern as it is computed: 64 MiB.
const maxPattern = 1 << 24

func (s *Server) attention(ctx context.Context, in *attentionInput) (*attentionOutput, error) {
	t, err := s.find(ctx, in.ConversationID)
	if err != nil {
		return nil, fail(err)
	}
	if in.N == 0 {
		in.N = t.Len()
	}
	cfg := t.Model().Config()
	if in.Query >= in.N {
		return nil, errorf(NotFound, "query %d: there are positions 0 to %d", in.Query, in.N-1)
	}
	if in.N > t.Len() {
		return nil, errorf(NotFound, "n %d: the conversation has %d tokens", in.N, t.Len())
	}
	rollout := in.Layer == "rollout"
	layer, _ := strconv.Atoi(in.Layer) // digits: the pattern demands it
	opt := lens.AttentionOptions{Layers: []int{layer}, Weighted: in.Weighted && !rollout, Rows: lens.RowSource(in.Rows)}
	layers := 1
	if rollout {
		opt.Layers, layers = nil, cfg.NLayers
	}
	if size := layers * cfg.NHeads * in.N * in.N; size > maxPattern {
		return nil, errorf(Invalid, "attention over %d tokens has %d numbers, more than %d: ask for the first n tokens", in.N, size, maxPattern)
	}
	heads, err := headsOf(in.Heads, cfg.NHeads)
	if err != nil {
		return nil, fail(err)
	}
	leave, err := s.takeTurn(ctx)
	if err != nil {
		return nil, fail(err)
	}
	defer leave()
	a, err := t.Attention(ctx, in.N, opt)
	if err != nil {
		return nil, fail(err)
	}
	infos, err := t.Infos(0, in.N)
	if err != nil {
		return nil, fail(err)
	}
	out := &AttentionReply{ConversationID: t.ID(), ModelName: a.Model, ModelDigest: a.ModelDigest, Codec: a.Codec, Layer: layer, Heads: heads, IDs: a.IDs, FirstQuery: max(0, in.Query)}
	for _, info := range infos {
		out.Tokens = append(out.Tokens, info.TokenText)
	}
	if rollout {
		roll, err := a.Rollout()
		if err != nil {
			return nil, fail(err)
		}
		out.Layer, out.Heads, out.Pattern = -1, []int{}, [][][]float32{causal(roll, in.Query)}
		return &attentionOutput{out}, nil
	}
	for _, h := range heads {
		out.Pattern = append(out.Pattern, causal(a.Pattern[0][h], in.Query))
		if opt.Weighted {
			out.Weighted = append(out.Weighted, causal(a.Weighted[0][h], in.Query))
		}
	}
	return &attentionOutput{out}, nil
}

// causal leaves out the keys after each query, and all queries but one when it is not -1.
func causal[T float32 | float64](rows [][]T, query int) [][]float32 {
	var out [][]float32
	for q, row := range rows {
		if query >= 0 && q != query {
			continue
		}
		line := make([]float32, q+1)
		for k := range line {
			line[k] = float32(row[k])
		}
		out = append(out, line)
	}
	return out
}

func headsOf(list string, n int) ([]int, error) {
	var out []int
	for _, ref := range splitList(list) {
		h, err := strconv.Atoi(ref)
		if err != nil || h >= n {
			return nil, errorf(Invalid, "heads: there is no head %s: use 0 to %d", ref, n-1)
		}
		if !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	if out == nil {
		for h := range n {
			out = append(out, h)
		}
	}
	return out, nil
}
