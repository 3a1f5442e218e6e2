package lens

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gopherlens/gopherlens/cache"
	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

// RowSource says where residual rows come from that the exact records do not answer for.
type RowSource string

// The sources of rows.
const (
	Fresh  RowSource = "fresh"  // the blocks run again over the tokens: float32, the very bits of the model's pass
	Stored RowSource = "stored" // as the cache keeps them, without a forward pass: rounded by its codec, which the value and its caption say
)

// storedAs names how a conversation's rows are rounded; "" when they are exact.
func storedAs(c *cache.Conversation) string {
	switch codec := c.Info().Codec; codec {
	case cache.CodecF32:
		return ""
	case cache.CodecF16:
		return "float16"
	default:
		return string(codec)
	}
}

// stream holds residual rows of consecutive positions.
type stream struct {
	rows  []string
	from  int       // position of the first
	data  []float32 // [positions, rows, d_model]
	d     int
	codec string
}

func (s *stream) positions() int { return len(s.data) / (s.d * len(s.rows)) }

// at is [rows, d_model] of one position.
func (s *stream) at(p int) []float32 {
	n := s.d * len(s.rows)
	return s.data[(p-s.from)*n : (p-s.from+1)*n]
}

// stream gets the rows of positions from to to-1 of ids, with which the conversation begins.
func (m *Model) stream(ctx context.Context, conv *cache.Conversation, ids []int, from, to int, opt LensOptions) (*stream, error) {
	if opt.Rows == Stored {
		data, err := conv.Rows(ctx, from, to, m.residuals)
		if err != nil {
			return nil, wrap(Unavailable, err, "residuals of %s", conv.ID())
		}
		return &stream{m.Rows(), from, data, m.cfg.DModel, storedAs(conv)}, nil
	}
	return m.freshStream(ctx, ids, from, to, opt.Mid, nil)
}

// freshStream runs the blocks over ids, with hooks, and keeps the rows of positions from to to-1 as they are after the hooks.
func (m *Model) freshStream(ctx context.Context, ids []int, from, to int, mid bool, hooks []forward.Hook) (*stream, error) {
	rows, midHooks, mids, err := m.midHooks(mid, to)
	if err != nil {
		return nil, err
	}
	s := &stream{rows: rows, from: from, d: m.cfg.DModel}
	sess := m.run.NewSession()
	for part := range slices.Chunk(ids[:to], chunk) {
		t, err := sess.Extend(ctx, part, slices.Concat(hooks, midHooks)...)
		if err != nil {
			return nil, wrap(Unavailable, err, "the rows of %d tokens", to)
		}
		for i := range t.Tokens {
			if t.Start+i < from {
				continue
			}
			for row := range t.Rows {
				if row > 0 && mid {
					s.data = append(s.data, mids[row-1][(t.Start+i)*s.d:(t.Start+i+1)*s.d]...)
				}
				s.data = append(s.data, t.Row(i, row)...)
			}
		}
	}
	return s, nil
}

// midHooks names the rows and, with mid, collects those between attention and MLP: by layer [positions, d_model].
func (m *Model) midHooks(mid bool, positions int) (rows []string, hooks []forward.Hook, mids [][]float32, err error) {
	if !mid {
		return m.Rows(), nil, nil, nil
	}
	if m.cfg.Parallel {
		return nil, nil, nil, invalidf("%s has no rows between attention and MLP: its blocks add both at once", m.name)
	}
	d := m.cfg.DModel
	mids = make([][]float32, m.cfg.NLayers)
	for i, name := range m.rowNames {
		if i > 0 {
			l := i - 1
			rows = append(rows, strings.TrimSuffix(name, "post")+"mid")
			mids[l] = make([]float32, positions*d)
			hooks = append(hooks, forward.Hook{Site: fmt.Sprintf("blocks.%d.hook_resid_mid", l), Func: func(a model.Activation) error {
				copy(mids[l][a.Start*d:], a.Data)
				return nil
			}})
		}
		rows = append(rows, name)
	}
	return rows, hooks, mids, nil
}

// gridOf computes the lens of a stream's positions.
func (m *Model) gridOf(ctx context.Context, s *stream, ids []int, opt LensOptions) (*Grid, error) {
	to := s.from + s.positions()
	g := m.newGrid(ids, s.from, to, opt.Variant, s.rows)
	g.Codec = s.codec
	if opt.Translators != nil {
		g.Translators = opt.Translators.Digest
	}
	r, n := reader{m, opt.Variant, opt.Translators, s.rows}, len(s.rows)
	for from := s.from; from < to; from += chunk {
		end := min(from+chunk, to)
		y, per := r.batch(s.data[(from-s.from)*n*s.d : (end-s.from)*n*s.d])
		next := slices.Repeat([]int{-1}, end-from)
		copy(next, ids[min(from+1, len(ids)):])
		reads, err := m.run.Model().Lens(ctx, y, per, opt.Top, next, nil)
		if err != nil {
			return nil, lensError(err, from, "lens %s of position %d", opt.Variant, from)
		}
		var distances []model.Distances
		if opt.Stats {
			if distances, err = m.run.Model().Distances(ctx, y, per, reads); err != nil {
				return nil, wrap(Unavailable, err, "statistics of the lens %s of positions %d to %d", opt.Variant, from, end-1)
			}
		}
		for p := from; p < end; p++ {
			i := p - from
			its := reads[i*per : (i+1)*per]
			col := m.readColumn(its, next[i], opt.Top)[:n]
			if opt.Stats {
				addStats(col, distances[i*per:])
			}
			g.set(p-s.from, col)
		}
	}
	return g, nil
}

// readColumn is the lens of one position, whose rows were also asked about the token that follows unless that is -1.
func (m *Model) readColumn(reads []model.Readout, nextID, top int) []Cell {
	var next *record
	if nextID >= 0 {
		next = &record{}
		for _, r := range reads {
			next.self = append(next.self, scored(r.Scores[1]))
		}
	}
	return m.cells(record{rows: rowsOf(reads)}, next, nextID, top)
}

// lensError names the position, counted from from, whose logits are not finite; other errors are told as format says.
func lensError(err error, from int, format string, args ...any) error {
	var e *model.NotFiniteError
	if errors.As(err, &e) {
		return wrap(Invalid, fmt.Errorf("row %d: %w", e.Row, errNotFinite), "position %d", from+e.Position)
	}
	return wrap(Unavailable, err, format, args...)
}

// Lens is the lens of positions from to to-1 of the conversation. Where the exact records do not answer (see LensOptions), opt.Rows chooses between running
// the blocks again and the rows that the cache holds. opt.BOS does not matter.
func (c *Conversation) Lens(ctx context.Context, from, to int, opt LensOptions) (*Grid, error) {
	if opt.Top == 0 {
		opt.Top = c.opt.Top
	}
	if err := opt.check(); err != nil {
		return nil, err
	}
	kept, ids, _ := c.snapshot()
	if err := checkRange(from, to, len(ids)); err != nil {
		return nil, err
	}
	return c.m.conversationLens(ctx, kept, ids, from, to, opt)
}
