package forward_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/lenstest"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

// sameReading compares a reading with the logits of its row.
func sameReading(t *testing.T, where string, got model.Readout, z []float32, tokens []int) {
	t.Helper()
	lp := make([]float64, len(z))
	for i, v := range z {
		lp[i] = float64(v)
	}
	order := rank(lp)
	for i, c := range got.Top {
		if c.ID != order[i] || math.Float32bits(c.Logit) != math.Float32bits(z[c.ID]) {
			t.Fatalf("%s: candidate %d is %+v, want token %d with logit %v", where, i, c, order[i], z[order[i]])
		}
	}
	for i, c := range got.Scores {
		if order[c.Rank-1] != tokens[i] || c.Logit != z[tokens[i]] || math.Abs(c.Logprob-(float64(c.Logit)-got.LogPartition)) > 1e-9 {
			t.Fatalf("%s: token %d is %+v", where, tokens[i], c)
		}
	}
	if len(got.Scores) != len(tokens) {
		t.Fatalf("%s: %d tokens, want %d", where, len(got.Scores), len(tokens))
	}
	if _, want := logSoftmax(z); math.Abs(got.LogPartition-want) > 1e-6*max(1, math.Abs(want)) {
		t.Fatalf("%s: log partition %v, want %v", where, got.LogPartition, want)
	}
}

func TestRead(t *testing.T) {
	for _, name := range lenstest.Names() {
		r := forward.New(lenstest.Model(t, name))
		c := r.Model().Config()
		ids := someIDs(30)
		tr := extend(t, r.NewSession(), ids)
		tokens := []int{0, 271, 5, 5}
		z, err := r.Logits(context.Background(), tr.Resid)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Read(context.Background(), tr.Resid, 7, tokens...)
		if err != nil || len(got) != 30*3 {
			t.Fatal(name, len(got), err)
		}
		for i, g := range got {
			if len(g.Top) != 7 {
				t.Fatalf("%s: %d candidates", name, len(g.Top))
			}
			sameReading(t, fmt.Sprintf("%s row %d", name, i), g, z[i*c.DVocab:(i+1)*c.DVocab], tokens)
		}
		cells := []forward.Cell{{Row: 2, Position: 29}, {Row: 0, Position: 4}, {Row: 2, Position: 29}}
		few, err := r.Read(context.Background(), tr.Cells(cells...), c.DVocab)
		if err != nil {
			t.Fatal(err)
		}
		for i, cell := range cells {
			sameReading(t, name, few[i], z[(cell.Position*3+cell.Row)*c.DVocab:][:c.DVocab], nil)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	r := forward.New(lenstest.Model(t, "gpt2"))
	ctx := context.Background()
	row := make([]float32, 16)
	var te *forward.TokenError
	if _, err := r.Read(ctx, row, 1, 3, 272); !errors.As(err, &te) || te.Index != 1 {
		t.Errorf("a token outside the vocabulary: %v", err)
	}
	for want, f := range map[string]func() error{
		"ask for 1 to 272":    func() error { _, err := r.Read(ctx, row, 0); return err },
		"the top 273 tokens":  func() error { _, err := r.Read(ctx, row, 273); return err },
		"not rows of d_model": func() error { _, err := r.Read(ctx, row[:15], 1); return err },
		"context canceled":    func() error { c, cancel := context.WithCancel(ctx); cancel(); _, err := r.Read(c, row, 1); return err },
		"are not finite":      func() error { row[3] = float32(math.NaN()); _, err := r.Read(ctx, row, 1); return err },
		"row 3 of position 1 ": func() error {
			_, err := r.NewSession().Stream(ctx, []int{1, 2}, []forward.Cell{{3, 1}}, 1, nil)
			return err
		},
		"positions from 0 to 1": func() error {
			_, err := r.NewSession().Stream(ctx, []int{1, 2}, []forward.Cell{{0, 2}}, 1, nil)
			return err
		},
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want it to say %q", err, want)
		}
	}
	if got, err := r.Read(ctx, nil, 1); err != nil || len(got) != 0 {
		t.Errorf("no rows: %v, %v", got, err)
	}
}

// TestStream: rows come block by block with what Read says of them, the trace is that of Extend, and the session goes on.
func TestStream(t *testing.T) {
	m := wideModel(t)
	r := forward.New(m)
	ids := someIDs(150)
	for i := range ids {
		ids[i] %= 300
	}
	want, _ := result(t, r, ids, []int{150})
	s := r.NewSession()
	extend(t, s, ids[:5])
	cells := []forward.Cell{{2, 149}, {0, 5}, {1, 140}, {1, 6}, {1, 133}}
	var order []forward.Cell
	got := map[forward.Cell]model.Readout{}
	tr, err := s.Stream(context.Background(), ids[5:], cells, 4, func(at []forward.Cell, readings []model.Readout) error {
		order = append(order, at...)
		for i, c := range at {
			got[c] = readings[i]
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sameBits(t, "the trace", tr.Resid, want[5*3*64:])
	// The first 128 positions pass all blocks before the rest does.
	if !slices.Equal(order, []forward.Cell{{0, 5}, {1, 6}, {1, 133}, {1, 140}, {2, 149}}) {
		t.Errorf("cells came as %v", order)
	}
	for _, c := range cells {
		z, err := r.Logits(context.Background(), tr.Cells(c))
		if err != nil {
			t.Fatal(err)
		}
		sameReading(t, fmt.Sprint(c), got[c], z, nil)
	}
	stop := errors.New("enough")
	if _, err := s.Stream(context.Background(), ids[:3], []forward.Cell{{1, 151}}, 1, func([]forward.Cell, []model.Readout) error { return stop }); !errors.Is(err, stop) || s.Len() != 150 {
		t.Errorf("stopped by its reader: %v, %d positions", err, s.Len())
	}
}
