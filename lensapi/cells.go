package lens

import (
	"errors"
	"fmt"
	"math"

	"github.com/gopherlens/gopherlens/lensapi/model"
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
// Sums run in float64 in an order of their own (see kernels.Unembedding.Lens), so a row's numbers do not depend on the rows beside it. The last row's kl is exactly 0.
func lensRows(logits []float32, n, k int) ([]row, error) {
	reads, err := model.ReadLogits(logits, n, len(logits)/n, k, nil)
	var e *model.NotFiniteError
	if errors.As(err, &e) {
		return nil, fmt.Errorf("row %d: %w", e.Row, errNotFinite)
	}
	return rowsOf(reads), err
}

// rowsOf are the rows of one position.
func rowsOf(reads []model.Readout) []row {
	rows := make([]row, len(reads))
	for i, r := range reads {
		rows[i] = row{entropy: r.Entropy, kl: r.KL, logPartition: r.LogPartition, answer: scored(r.Scores[0])}
		for _, h := range r.Top {
			rows[i].top = append(rows[i].top, hit{h.ID, h.Logit})
		}
	}
	return rows
}

func scored(s model.Score) score { return score{s.Logprob, s.Rank} }

var errNotFinite = errors.New("the logits are not finite: the weights or an edited activation hold NaN or Inf")

// softmax returns the probabilities of z and its log-partition, that of lensRows.
func softmax(z []float32) ([]float64, float64, error) {
	reads, err := model.ReadLogits(z, 1, len(z), 1, nil)
	if err != nil {
		return nil, 0, errNotFinite
	}
	lse := reads[0].LogPartition
	p := make([]float64, len(z))
	for i, x := range z {
		p[i] = math.Exp(float64(x) - lse)
	}
	return p, lse, nil
}

// scoreOf is how a row with logits z scored token id.
func scoreOf(z []float32, logPartition float64, id int) score {
	return score{float64(z[id]) - logPartition, model.Rank(z, id)}
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
