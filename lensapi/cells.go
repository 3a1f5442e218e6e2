package lens

import (
	"errors"

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

// rowsOf are the rows of one position, of which the last is the model's own output, against which KL is taken. With z the logits of a row and p = softmax(z):
//
//	log_partition = ln sum exp z,  entropy = -sum p ln p,  kl = sum p_model (ln p_model - ln p)
//
// Sums run in float64 in an order of their own (see kernels.Unembedding.Lens), so a row's numbers do not depend on the rows beside it. The last row's kl is exactly 0.
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
