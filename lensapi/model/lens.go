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
// bits are those of Unembed and ReadLogits.
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

// ReadLogits is the lens of logits [positions, rows, d_vocab] that are there already.
func ReadLogits(logits []float32, rows, dVocab, top int, next []int) ([]Readout, error) {
	return kernels.ReadLogits(logits, rows, dVocab, top, next)
}

// Probabilities writes softmax of finite logits to dst, as long as they are, in float64, with the same bits on every architecture.
func Probabilities(dst []float64, logits []float32, logPartition float64) {
	kernels.Probabilities(dst, logits, logPartition)
}

// Rank is 1 + the number of logits strictly greater than that of id.
func Rank(logits []float32, id int) int { return kernels.Rank(logits, id) }
