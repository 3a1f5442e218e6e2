package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// Reading is what the unembedding makes of one residual row.
type Reading struct {
	Top          []Candidate // the likeliest tokens, equal ones by id
	Tokens       []Candidate // the tokens asked for, in that order
	LogPartition float64     // ln of the sum of e^logit: a token's log-probability is its logit less this
}

// Candidate is a token as one row sees it.
type Candidate struct {
	ID    int
	Logit float32
	Rank  int // 1 + the number of tokens with a greater logit
}

// errNotFinite is of rows whose logits are NaN or infinite: nothing can be said of them.
var errNotFinite = errors.New("the logits are not finite: the weights or an edited activation hold NaN or Inf")

// Read computes readings of rows [n, d_model], which are not changed: the top candidates, 1 to d_vocab, and some tokens, all in the vocabulary. Logits are
// those of Run. taps is indexed as Model.Sites; it may be nil. After an error the head is unusable.
func (h *Head) Read(ctx context.Context, rows []float32, top int, tokens []int, taps []Tap) ([]Reading, error) {
	r := h.run
	r.rows = len(rows) / h.cfg.DModel
	if r.rows == 0 || len(rows) != r.rows*h.cfg.DModel || top < 1 || top > h.cfg.DVocab {
		return nil, fmt.Errorf("the top %d of %d values: rows are %d wide, and there are %d tokens", top, len(rows), h.cfg.DModel, h.cfg.DVocab)
	}
	r.in, r.taps = rows, taps
	r.read = &request{top: top, tokens: tokens, out: make([]Reading, r.rows)}
	defer func() { r.in, r.read = nil, nil }()
	if err := h.exec(ctx); err != nil {
		return nil, err
	}
	return r.read.out, nil
}

// request is a call of Head.Read.
type request struct {
	top    int
	tokens []int
	out    []Reading // [n]
}

// fill makes the readings from logits [n, d_vocab].
func (q *request) fill(logits []float32) error {
	v := len(logits) / len(q.out)
	errs := make([]error, len(q.out))
	kernels.Parallel(len(q.out), 8*len(logits), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			q.out[i], errs[i] = q.reading(logits[i*v : (i+1)*v])
		}
	})
	return cmp.Or(errs...)
}

func (q *request) reading(z []float32) (Reading, error) {
	r := Reading{Top: topOf(z, q.top)}
	most := float64(r.Top[0].Logit)
	var sum float64
	for _, v := range z {
		sum += math.Exp(float64(v) - most)
	}
	if math.IsNaN(sum) || math.IsInf(most, 0) {
		return Reading{}, errNotFinite
	}
	r.LogPartition = most + math.Log(sum)
	for _, id := range q.tokens {
		c := Candidate{ID: id, Logit: z[id], Rank: 1}
		for _, v := range z {
			if v > c.Logit {
				c.Rank++
			}
		}
		r.Tokens = append(r.Tokens, c)
	}
	return r, nil
}

// topOf finds the k greatest logits; z has k at least.
func topOf(z []float32, k int) []Candidate {
	best := make([]Candidate, 0, k+1)
	after := func(a, b Candidate) int { return cmp.Or(cmp.Compare(b.Logit, a.Logit), cmp.Compare(a.ID, b.ID)) }
	for id, v := range z {
		if len(best) == k && v <= best[k-1].Logit { // of equal ones the first stays
			continue
		}
		c := Candidate{ID: id, Logit: v}
		at, _ := slices.BinarySearchFunc(best, c, after)
		best = slices.Insert(best, at, c)[:min(len(best)+1, k)]
	}
	for i := range best {
		best[i].Rank = i + 1
		if i > 0 && best[i].Logit == best[i-1].Logit {
			best[i].Rank = best[i-1].Rank
		}
	}
	return best
}
