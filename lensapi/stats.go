package lens

import (
	"math"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/gopherlens/gopherlens/lensapi/model"
)

// Stats are further statistics of a cell's distribution p against m, the model's own output at that position. Logarithms are natural.
type Stats struct {
	KLReverse      float64  `json:"kl_reverse"`      // sum p (ln p - ln m), in nats; Cell.KL is the other way round
	JS             float64  `json:"js"`              // Jensen-Shannon: (KL(p || a) + KL(m || a)) / 2 with a = (p + m) / 2, in nats, at most ln 2
	TV             float64  `json:"tv"`              // total variation: sum |p - m| / 2, at most 1
	MaxProbability float64  `json:"max_probability"` // of the first candidate
	CrossEntropy   *float64 `json:"cross_entropy"`   // -ln p of the actual next token; null at the last position
}

// statsOf computes the statistics of one position's rows from their logits [n, d_vocab] and the logits of the model's own output, in float64 in ascending id, each
// product rounded: with the same bits on every architecture.
func statsOf(logits []float32, rows []row, ref []float32) []Stats {
	v := len(ref)
	_, modelLSE, _ := softmax(ref) // finite: lensRows has looked
	out := make([]Stats, len(rows))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range rows {
		g.Go(func() error {
			z, lse, s := logits[i*v:(i+1)*v], rows[i].logPartition, &out[i]
			var js float64
			for j, x := range z {
				lp, lm := float64(x)-lse, float64(ref[j])-modelLSE
				p, q := model.Exp(lp), model.Exp(lm)
				s.KLReverse += float64(p * (lp - lm))
				s.TV += math.Abs(p-q) / 2
				la := model.Log(p+q) - math.Ln2
				js += float64(p*(lp-la)) + float64(q*(lm-la))
			}
			s.KLReverse, s.JS, s.TV = max(0, s.KLReverse), max(0, js/2), min(1, s.TV) // rounding
			s.MaxProbability = model.Exp(float64(rows[i].top[0].logit) - lse)
			return nil
		})
	}
	_ = g.Wait() // nothing in it fails
	return out
}

// Statistic names a number that every cell has, for Grid.Values.
type Statistic string

// The statistics. Those of the second group are there when LensOptions.Stats asked for them.
const (
	Probability       Statistic = "probability"        // of the first candidate: the max probability
	Logit             Statistic = "logit"              // of the first candidate
	Rank              Statistic = "rank"               // of the model's own first choice, from 1
	Entropy           Statistic = "entropy"            // nats
	KL                Statistic = "kl"                 // KL(model || cell), nats
	LogPartition      Statistic = "log_partition"      // ln sum exp logit
	CrossEntropy      Statistic = "cross_entropy"      // -ln p of the actual next token, nats; NaN at the last position
	AnswerProbability Statistic = "answer_probability" // of the model's own first choice

	KLReverse Statistic = "kl_reverse" // KL(cell || model), nats
	JS        Statistic = "js"         // Jensen-Shannon, nats
	TV        Statistic = "tv"         // total variation
)

// Statistics lists them.
func Statistics() []Statistic {
	return []Statistic{Probability, Logit, Rank, Entropy, KL, LogPartition, CrossEntropy, AnswerProbability, KLReverse, JS, TV}
}

// Value is one statistic of the cell; NaN for CrossEntropy at the last position, and for those that Stats holds when it is nil.
func (c Cell) Value(s Statistic) float64 {
	stats := c.Stats
	if stats == nil {
		stats = &Stats{KLReverse: math.NaN(), JS: math.NaN(), TV: math.NaN()}
	}
	switch s {
	case Probability:
		return math.Exp(c.Top[0].Logprob)
	case Logit:
		return c.Top[0].Logit
	case Rank:
		return float64(c.Answer.Rank)
	case Entropy:
		return c.Entropy
	case KL:
		return c.KL
	case LogPartition:
		return c.LogPartition
	case CrossEntropy:
		if c.Next != nil {
			return -c.Next.Logprob
		}
	case AnswerProbability:
		return math.Exp(c.Answer.Logprob)
	case KLReverse:
		return stats.KLReverse
	case JS:
		return stats.JS
	case TV:
		return stats.TV
	}
	return math.NaN()
}

// Values is one statistic of every cell, [row][position] in the order of Cells.
func (g *Grid) Values(s Statistic) ([][]float64, error) {
	if !slices.Contains(Statistics(), s) {
		return nil, invalidf("statistic %q is not known: use one of %v", s, Statistics())
	}
	if (s == KLReverse || s == JS || s == TV) && g.Cells[0][0].Stats == nil {
		return nil, invalidf("%s was not asked for: set Stats in LensOptions", s)
	}
	out := make([][]float64, len(g.Cells))
	for i, row := range g.Cells {
		for _, c := range row {
			out[i] = append(out[i], c.Value(s))
		}
	}
	return out, nil
}
