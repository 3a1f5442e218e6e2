package httpapi

import (
	"context"
	"slices"
	"strconv"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

type heatmapInput struct {
	ConversationID string `path:"conversation_id" maxLength:"100"`
	Statistic      string `query:"statistic" default:"probability" enum:"probability,logit,rank,entropy,kl,log_partition,cross_entropy,answer_probability,kl_reverse,js,tv"`
	Variant        string `query:"variant" default:"normed" enum:"normed,raw,scaled,tuned,jacobian"`
	Rows           string `query:"rows" default:"stored" enum:"stored,fresh"`
	From           int    `query:"from" minimum:"0" maximum:"1000000000"`
	To             int    `query:"to" minimum:"0" maximum:"1000000000" doc:"the position after the last; default: all"`
}

// Heatmap is one statistic of every cell, with each cell's first candidate.
type Heatmap struct {
	Head
	Statistic  string            `json:"statistic"`
	Rows       []string          `json:"rows"`
	From       int               `json:"from"`
	To         int               `json:"to"`
	IDs        []int             `json:"ids"`
	Tokens     []string          `json:"tokens"`
	Settled    []string          `json:"settled"`
	Doubtful   []bool            `json:"doubtful" doc:"by row: far from the model's output (mean KL above 3 nats), where the lens may misread"`
	Values     [][]*float64      `json:"values" doc:"[row][position]; null where a cell has none"`
	TopIDs     [][]int           `json:"top_ids" doc:"[row][position]: the first candidate"`
	AnswerRank [][]int           `json:"answer_rank" doc:"[row][position]: rank of the model's own first choice"`
	Texts      map[string]string `json:"texts" doc:"of the ids in top_ids"`
}

type heatmapOutput struct{ Body *Heatmap }

func (s *Server) heatmap(ctx context.Context, in *heatmapInput) (*heatmapOutput, error) {
	t, err := s.find(ctx, in.ConversationID)
	if err != nil {
		return nil, fail(err)
	}
	if in.To == 0 {
		in.To = t.Len()
	}
	g, err := s.lens(ctx, t, in.From, in.To, in.Variant, in.Rows, 1, needsStats(in.Statistic))
	if err != nil {
		return nil, fail(err)
	}
	values, err := g.Values(lens.Statistic(in.Statistic))
	if err != nil {
		return nil, fail(err)
	}
	h := &Heatmap{Head: headOf(t, g), Statistic: in.Statistic, Rows: g.Rows, From: in.From, To: in.To, IDs: g.IDs, Tokens: g.Tokens, Settled: g.Settled,
		Values: numbers(values), Texts: map[string]string{}}
	for r, row := range g.Cells {
		ids, ranks := make([]int, len(row)), make([]int, len(row))
		for p, c := range row {
			ids[p], ranks[p] = c.Top[0].ID, c.Answer.Rank
			h.Texts[strconv.Itoa(c.Top[0].ID)] = c.Top[0].Token
		}
		h.TopIDs, h.AnswerRank, h.Doubtful = append(h.TopIDs, ids), append(h.AnswerRank, ranks), append(h.Doubtful, g.Doubtful(r))
	}
	return &heatmapOutput{h}, nil
}

// needsStats says whether a statistic takes whole distributions, which the records do not hold.
func needsStats(s string) bool {
	return slices.Contains([]lens.Statistic{lens.KLReverse, lens.JS, lens.TV}, lens.Statistic(s))
}
