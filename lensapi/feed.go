package lens

import (
	"context"
	"errors"
	"slices"

	"github.com/gopherlens/gopherlens/cache"
	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

// feeder runs one sequence through the model and makes the lens record of every position. One goroutine at a time.
type feeder struct {
	m    *Model
	sess *forward.Session
	k    int       // candidates kept per cell
	last []float32 // logits of the last position fed, [rows, d_vocab]: the next token is sampled from its last row, and scored by all
	rows []row     // the lens of that position
}

// chunk bounds what one step holds in memory and how long an interrupt waits.
const chunk = 32

func (m *Model) newFeeder(k int) *feeder { return &feeder{m: m, sess: m.run.NewSession(), k: k} }

// feed extends the sequence by ids and hands the finished positions to sink, in order, before it goes on: what sink has taken is safe.
// A failed feeder must be dropped: the model may have read further than sink knows.
func (f *feeder) feed(ctx context.Context, ids []int, sink func(toks []cache.Token, resid []float32) error) error {
	n := len(f.m.rowNames)
	for part := range slices.Chunk(ids, chunk) {
		at := f.sess.Len()
		trace, err := f.sess.Extend(ctx, part)
		if err != nil {
			return err
		}
		var self []score // of the first, by the logits that go now
		if f.rows != nil {
			self = scoreNext(f.last, f.rows, part[0])
		}
		// The model's own output and the lens are one call: the last row is what the sampler reads.
		reads, err := f.lens(ctx, trace.Resid, at, append(slices.Clone(part[1:]), -1))
		if err != nil {
			return err
		}
		toks := make([]cache.Token, len(part))
		for i, id := range part {
			rec := record{rows: rowsOf(reads[i*n : (i+1)*n]), self: self}
			toks[i] = cache.Token{ID: id, Record: rec.encode()}
			f.rows, self = rec.rows, nil
			for _, r := range reads[i*n : (i+1)*n] {
				if len(r.Scores) > 1 {
					self = append(self, scored(r.Scores[1]))
				}
			}
		}
		if err := sink(toks, trace.Resid); err != nil {
			return err
		}
	}
	return nil
}

// lens reads out the rows of positions from at on, and leaves the logits of the last one in f.last.
func (f *feeder) lens(ctx context.Context, resid []float32, at int, next []int) ([]model.Readout, error) {
	if f.last == nil {
		f.last = make([]float32, len(f.m.rowNames)*f.m.cfg.DVocab)
	}
	reads, err := f.m.run.Lens(ctx, resid, f.k, next, f.last)
	var e *model.NotFiniteError
	if errors.As(err, &e) {
		err = &model.NotFiniteError{Position: at + e.Position, Row: e.Row}
	}
	return reads, err
}

// logits is the model's own output at the last position fed, [d_vocab].
func (f *feeder) logits() []float32 { return f.last[len(f.last)-f.m.cfg.DVocab:] }

// reread feeds ids that are recorded already, to bring the model's attention cache back; nothing is stored.
func (f *feeder) reread(ctx context.Context, ids []int) error {
	if len(ids) == 0 {
		return nil
	}
	n, d := len(f.m.rowNames), f.m.cfg.DModel
	// What another conversation fed is not fed again, but for the last token, whose rows are wanted.
	f.sess = f.m.run.Resume(ids[:len(ids)-1])
	var trace *forward.Trace
	for part := range slices.Chunk(ids[f.sess.Len():], chunk) {
		var err error
		if trace, err = f.sess.Extend(ctx, part); err != nil {
			return err
		}
	}
	reads, err := f.lens(ctx, trace.Resid[(trace.Tokens-1)*n*d:], f.sess.Len()-1, nil)
	if err != nil {
		return err
	}
	f.rows = rowsOf(reads)
	return nil
}
