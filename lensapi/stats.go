package lens

import (
	"math"
	"slices"

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

// addStats fills in the statistics of one position's cells; d are those of its rows.
func addStats(col []Cell, d []model.Distances) {
	for i := range col {
		s := Stats{KLReverse: d[i].KLReverse, JS: d[i].JS, TV: d[i].TV, MaxProbability: model.Exp(col[i].Top[0].Logprob)}
		if col[i].Next != nil {
			ce := -col[i].Next.Logprob
			s.CrossEntropy = &ce
		}
		col[i].Stats = &s
	}
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
