package lens_test

import (
	"context"
	"math"
	"testing"

	"github.com/gopherlens/gopherlens/cache"
	lens "github.com/gopherlens/gopherlens/lensapi"
)

// codecErrors compares two grids of the same tokens: the part of cells with the same first token, the part of the first
// ten tokens that both have, and the largest and mean difference of the log-probabilities of those.
func codecErrors(exact, stored *lens.Grid) (top1, overlap, largest, mean float64) {
	cells, both, all := 0, 0, 0
	for r := range exact.Cells {
		for p := range exact.Cells[r] {
			a, b := exact.Cells[r][p].Top, stored.Cells[r][p].Top
			cells++
			if a[0].ID == b[0].ID {
				top1++
			}
			at := map[int]float64{}
			for _, c := range b {
				at[c.ID] = c.Logprob
			}
			for _, c := range a {
				all++
				if lp, ok := at[c.ID]; ok {
					both++
					d := math.Abs(lp - c.Logprob)
					largest, mean = max(largest, d), mean+d
				}
			}
		}
	}
	return top1 / float64(cells), float64(both) / float64(all), largest, mean / float64(both)
}

// What the lens says of rows as a codec keeps them, against the model's own pass: on the trained model, all rows of a
// chat. The figures are those that the documentation of the codecs gives.
func TestLensOfStoredRows(t *testing.T) {
	for _, tc := range []struct {
		codec                        cache.Codec
		top1, overlap, largest, mean float64
	}{
		{cache.CodecF32, 1, 1, 0, 0},
		{cache.CodecF16, 0.998, 0.998, 0.006, 0.0005},
		{cache.CodecCompact, 0.99, 0.99, 0.1, 0.01},
	} {
		t.Setenv(cache.EnvCodec, string(tc.codec))
		m := loadIn(t, lens.Embedded, t.TempDir())
		c := must(m.NewChat(lens.ChatOptions{}))(t)
		for _, q := range []string{"What is the capital of France?", "And its currency?", "And Peru?", "My name is Mary.", "What is my name?", "What is the capital of Japan?"} {
			must(c.Say(context.Background(), q))(t)
		}
		lensOf := func(rows lens.RowSource) *lens.Grid {
			return must(c.Lens(context.Background(), 0, c.Len(), lens.LensOptions{Top: 10, Stats: true, Rows: rows}))(t)
		}
		passes := m.Status().Forward.Passes
		stored := lensOf(lens.Stored)
		if m.Status().Forward.Passes != passes {
			t.Errorf("%s: the rows were computed, not read", tc.codec)
		}
		top1, overlap, largest, mean := codecErrors(lensOf(lens.Fresh), stored)
		t.Logf("%s: %d cells, first token the same in %.4f, %.4f of the first ten, log-probabilities off by %.4f at most, %.5f in the mean",
			tc.codec, len(stored.Cells)*len(stored.Cells[0]), top1, overlap, largest, mean)
		if top1 < tc.top1 || overlap < tc.overlap || largest > tc.largest || mean > tc.mean {
			t.Errorf("%s: worse than %+v", tc.codec, tc)
		}
	}
}
