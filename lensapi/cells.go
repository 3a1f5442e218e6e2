package lens

import (
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// row is the lens of one residual row: what is kept of its distribution over the vocabulary.
type row struct {
	entropy, kl, logPartition float64 // nats
	top                       []hit   // by descending logit, ties by lower id
	answer                    score   // of the model's own first choice at this position, the last row's top-1
}

type hit struct {
	id    int
	logit float32
}

// score is how a row scored one token.
type score struct {
	logprob float64
	rank    int // 1 + number of tokens with a strictly greater logit
}

// lensRows turns the logits of one position into lens rows.
//
// logits is [n, d_vocab] in row order; the last row is the model's own output, against which KL is taken. With z the logits of a row and p = softmax(z):
//
//	log_partition = ln sum exp z,  entropy = -sum p ln p,  kl = sum p_model (ln p_model - ln p)
//
// Sums run in float64 in ascending id, so a row's numbers do not depend on the rows beside it. The last row's kl is exactly 0.
func lensRows(logits []float32, n, k int) ([]row, error) {
	v := len(logits) / n
	model, modelLSE, err := softmax(logits[(n-1)*v:])
	if err != nil {
		return nil, fmt.Errorf("row %d: %w", n-1, err)
	}
	rows := make([]row, n)
	answer := topK(logits[(n-1)*v:], 1)[0].id
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range rows {
		g.Go(func() error {
			z := logits[i*v : (i+1)*v]
			r := &rows[i]
			r.top = topK(z, k)
			max := float64(r.top[0].logit)
			var sum, dot float64
			for _, x := range z {
				d := float64(x) - max
				e := math.Exp(d)
				sum += e
				dot += e * d
			}
			if math.IsNaN(dot) || math.IsInf(max, 0) { // dot is NaN as soon as one logit is NaN or -Inf
				return fmt.Errorf("row %d: %w", i, errNotFinite)
			}
			r.logPartition = max + math.Log(sum)
			r.entropy = math.Max(0, math.Log(sum)-dot/sum)
			r.answer = scoreOf(z, r.logPartition, answer)
			if i == n-1 {
				return nil // the model against itself: exactly 0
			}
			for j, p := range model {
				if p > 0 {
					lm := float64(logits[(n-1)*v+j]) - modelLSE
					r.kl += p * (lm - (float64(z[j]) - r.logPartition))
				}
			}
			r.kl = math.Max(0, r.kl) // rounding can leave -1e-17 where the rows agree
			return nil
		})
	}
	return rows, g.Wait()
}

var errNotFinite = fmt.Errorf("the logits are not finite: the weights or an edited activation hold NaN or Inf")

// softmax returns the probabilities of z and its log-partition.
func softmax(z []float32) ([]float64, float64, error) {
	max := math.Inf(-1)
	for _, x := range z {
		max = math.Max(max, float64(x))
	}
	p := make([]float64, len(z))
	var sum float64
	for i, x := range z {
		p[i] = math.Exp(float64(x) - max)
		sum += p[i]
	}
	if math.IsNaN(sum) || math.IsInf(max, 0) {
		return nil, 0, errNotFinite
	}
	for i := range p {
		p[i] /= sum
	}
	return p, max + math.Log(sum), nil
}

// topK returns the k largest logits, ties in favour of the lower id.
func topK(z []float32, k int) []hit {
	k = min(k, len(z))
	top := make([]hit, 0, k)
	for id, x := range z {
		if len(top) == k && !(x > top[k-1].logit) {
			continue
		}
		if len(top) < k {
			top = append(top, hit{})
		}
		i := len(top) - 1
		for ; i > 0 && x > top[i-1].logit; i-- {
			top[i] = top[i-1]
		}
		top[i] = hit{id, x}
	}
	return top
}

// scoreOf is how a row with logits z scored token id.
func scoreOf(z []float32, logPartition float64, id int) score {
	rank := 1
	for _, x := range z {
		if x > z[id] {
			rank++
		}
	}
	return score{float64(z[id]) - logPartition, rank}
}

// scoreNext says how each row of one position scored the token that follows it.
func scoreNext(logits []float32, rows []row, id int) []score {
	v := len(logits) / len(rows)
	out := make([]score, len(rows))
	for i, r := range rows {
		out[i] = scoreOf(logits[i*v:(i+1)*v], r.logPartition, id)
	}
	return out
}
