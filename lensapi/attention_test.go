package lens_test

import (
	"context"
	"math"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

func TestAttentionEqualsReference(t *testing.T) {
	eachModel(t, func(t *testing.T, m *lens.Model, name string, ref numpy) {
		want := ref.Models[name].Attention
		for _, opt := range []lens.AttentionOptions{{Weighted: true}, {Weighted: true, Rows: lens.Stored}} {
			near := 1e-5
			if opt.Rows == lens.Stored {
				near = 2e-2 // float16
			}
			if opt.Rows == lens.Stored { // captured first: what is counted is the attention's own
				if _, err := m.LogitLensIDs(context.Background(), ref.IDs, lens.LensOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			passes := m.Status().Forward.Passes
			a, err := m.AttentionIDs(context.Background(), ref.IDs, opt)
			if err != nil {
				t.Fatal(err)
			}
			if n := m.Status().Forward.Passes - passes; opt.Rows == lens.Stored && (n != 0 || a.Codec == "") {
				t.Errorf("from stored rows: %d passes, codec %q", n, a.Codec)
			}
			for l := range want.Pattern {
				for h := range want.Pattern[l] {
					for q, row := range want.Pattern[l][h] {
						var sum float64
						for k := range row {
							got := float64(a.Pattern[l][h][q][k])
							sum += got
							if math.Abs(got-row[k]) > near || k > q && got != 0 {
								t.Errorf("L%dH%d, %d to %d: %g, reference %g", l, h, q, k, got, row[k])
							}
							if w := want.Weighted[l][h][q][k]; math.Abs(float64(a.Weighted[l][h][q][k])-w) > near*max(1, w) {
								t.Errorf("L%dH%d, %d to %d, weighted: %g, reference %g", l, h, q, k, a.Weighted[l][h][q][k], w)
							}
						}
						if math.Abs(sum-1) > 1e-5 {
							t.Errorf("L%dH%d: weights of %d sum to %g", l, h, q, sum)
						}
					}
				}
			}
			roll, err := a.Rollout()
			if err != nil {
				t.Fatal(err)
			}
			for q := range roll {
				for k := range roll {
					if math.Abs(roll[q][k]-want.Rollout[q][k]) > near {
						t.Errorf("rollout %d to %d: %g, reference %g", q, k, roll[q][k], want.Rollout[q][k])
					}
				}
			}
		}
	})
}

func TestAttentionRefuses(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx := context.Background()
	_, err := m.Attention(ctx, "a", lens.AttentionOptions{Layers: []int{6}})
	wantError(t, err, lens.Invalid, "layers 0 to 5")
	_, err = m.Attention(ctx, "a", lens.AttentionOptions{Rows: "old"})
	wantError(t, err, lens.Invalid, "fresh or stored")
	a, err := m.Attention(ctx, "The capital of France is", lens.AttentionOptions{Layers: []int{1, 3}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Rollout()
	wantError(t, err, lens.Invalid, "all 6 layers")
	_, err = a.Head(2, 0)
	wantError(t, err, lens.NotFound, "[1 3]")
	_, err = a.Head(3, 4)
	wantError(t, err, lens.NotFound, "0 to 3")
	_, err = m.HeadScores(ctx, lens.HeadScoreOptions{Length: 128})
	wantError(t, err, lens.Invalid, "2 to 127")
	_, err = m.HeadScores(ctx, lens.HeadScoreOptions{Texts: 101})
	wantError(t, err, lens.Invalid, "1 to 100")
}

// Scores are what the patterns of the texts say, summed another way, and equal options give equal numbers.
func TestHeadScores(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx := context.Background()
	s, err := m.HeadScores(ctx, lens.HeadScoreOptions{Length: 20, Texts: 2, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.HeadScores(ctx, lens.HeadScoreOptions{Length: 20, Texts: 2, Seed: 7})
	if err != nil || again.String() != s.String() {
		t.Errorf("a second run differs: %v", err)
	}
	var want, got float64 // of the head that scores first, summed by position from the patterns of each text
	l, h := 0, 0
	for i := range s.Induction {
		for j, v := range s.Induction[i] {
			if v > s.Induction[l][h] {
				l, h = i, j
			}
		}
	}
	for _, ids := range s.IDs {
		a, err := m.AttentionIDs(ctx, ids, lens.AttentionOptions{Layers: []int{l}})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for q := range ids {
			for k := range q {
				if q-20 >= len(ids)-40 && k > 0 && ids[k-1] == ids[q] && k-1 == q-20 {
					want += float64(a.Pattern[0][h][q][k])
					n++
				}
			}
		}
		if n != 20 {
			t.Fatalf("%d queries", n)
		}
	}
	got = s.Induction[l][h] * 40
	if math.Abs(got-want) > 1e-6 {
		t.Errorf("L%dH%d scores %g, its patterns say %g", l, h, got/40, want/40)
	}
	t.Log(s)
}
