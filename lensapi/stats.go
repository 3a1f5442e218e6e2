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

// addStats computes the statistics of one position's cells. y is what the unembedding reads of its rows, the last of which is the model's own output, and reads
// is their lens.
func (m *Model) addStats(col []Cell, y []float32, reads []model.Readout) {
	v := m.cfg.DVocab
	z := make([]float32, len(reads)*v)
	m.run.Model().Unembed(z, model.Unnormalized(y))
	last := len(reads) - 1
	ref := newDistribution(z[last*v:], reads[last].LogPartition)
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range col {
		g.Go(func() error {
			s := newDistribution(z[i*v:(i+1)*v], reads[i].LogPartition).stats(ref)
			s.MaxProbability = model.Exp(col[i].Top[0].Logprob)
			if col[i].Next != nil {
				ce := -col[i].Next.Logprob
				s.CrossEntropy = &ce
			}
			col[i].Stats = &s
			return nil
		})
	}
	_ = g.Wait() // nothing in it fails
}

// distribution is softmax(z).
type distribution struct {
	z   []float32
	lse float64
	p   []float64
}

func newDistribution(z []float32, lse float64) distribution {
	d := distribution{z, lse, make([]float64, len(z))}
	model.Probabilities(d.p, z, lse)
	return d
}

// stats compares d with the model's own output, in float64 in ascending id. Every step is rounded on its own, so that the bits are those of every architecture.
func (d distribution) stats(ref distribution) (s Stats) {
	var js float64
	for j, p := range d.p {
		q := ref.p[j]
		lp, lm := float64(d.z[j])-d.lse, float64(ref.z[j])-ref.lse
		s.KLReverse += float64(p * (lp - lm))
		s.TV += math.Abs(p - q)
		la := model.Log(p+q) - math.Ln2
		js += float64(p*(lp-la)) + float64(q*(lm-la))
	}
	s.KLReverse, s.JS, s.TV = max(0, s.KLReverse), max(0, js/2), min(1, s.TV/2) // rounding
	return s
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
