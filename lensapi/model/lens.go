package model

import (
	"context"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// Readout is what the lens keeps of one row of logits.
type Readout = kernels.Readout

// Score is how a row scored one token.
type Score = kernels.Score

// NotFiniteError says that a logit of a row is NaN or infinite.
type NotFiniteError = kernels.NotFiniteError

// Lens reads out all rows of some positions, y [positions, rows, d_model], in one pass over the unembedding that keeps the logits only of
// the last row of each position and of the last position; these, [rows, d_vocab], go to last, unless that is nil. See kernels.Unembedding.Lens for top and next. The
// bits are those of the Head and ReadLogits.
func (m *Model) Lens(ctx context.Context, y Normalized, rows, top int, next []int, last []float32) ([]Readout, error) {
	return m.unembedding().Lens(ctx, y.rows, rows, top, next, last)
}

func (m *Model) unembedding() kernels.Unembedding {
	return kernels.Unembedding{W: m.unembed, Cap: m.cfg.LogitCap}
}

// Read is the lens of any rows y [n, d_model], none of which is compared with another, in one pass over the unembedding that keeps no logits:
// the top candidates and the scores of some tokens, all in the vocabulary. See kernels.Unembedding.Read.
func (m *Model) Read(ctx context.Context, y Normalized, top int, tokens []int) ([]Readout, error) {
	return kernels.Unembedding{W: m.unembed, Cap: m.cfg.LogitCap}.Read(ctx, y.rows, top, tokens)
}

// Distances are further statistics of a row against the last one of its position.
type Distances = kernels.Distances

// Distances compares all rows of some positions, y [positions, rows, d_model], whose readings are known, in another pass over the unembedding that keeps
// no logits. See kernels.Unembedding.Distances.
func (m *Model) Distances(ctx context.Context, y Normalized, rows int, reads []Readout) ([]Distances, error) {
	lse := make([]float64, len(reads))
	for i, r := range reads {
		lse[i] = r.LogPartition
	}
	return m.unembedding().Distances(ctx, y.rows, rows, lse)
}

// ReadLogits is the lens of logits [positions, rows, d_vocab] that are there already.
func ReadLogits(logits []float32, rows, dVocab, top int, next []int) ([]Readout, error) {
	return kernels.ReadLogits(logits, rows, dVocab, top, next)
}

// Rank is 1 + the number of logits strictly greater than that of id.
func Rank(logits []float32, id int) int { return kernels.Rank(logits, id) }
