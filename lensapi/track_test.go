package lens_test

import (
	"context"
	"math"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

func TestTrackEqualsReference(t *testing.T) {
	eachModel(t, func(t *testing.T, m *lens.Model, name string, ref numpy) {
		want := ref.Models[name].Track
		for _, opt := range []lens.LensOptions{{}, {Stats: true}} {
			g, err := m.LogitLensIDs(context.Background(), ref.IDs, lens.LensOptions{})
			if err != nil {
				t.Fatal(err)
			}
			tr, err := m.TrackIDs(context.Background(), ref.IDs, want.IDs, opt)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want.IDs {
				for r := range tr.Rows {
					for p := range ref.IDs {
						if d := math.Abs(tr.Logprob[i][r][p] - want.Logprob[i][r][p]); !(d <= tolerance) {
							t.Errorf("token %d, row %s, position %d: %.7f, reference %.7f", want.IDs[i], tr.Rows[r], p, tr.Logprob[i][r][p], want.Logprob[i][r][p])
						}
						if opt.Stats && tr.Rank[i][r][p] != want.Rank[i][r][p] {
							t.Errorf("token %d, row %s, position %d: rank %d, reference %d", want.IDs[i], tr.Rows[r], p, tr.Rank[i][r][p], want.Rank[i][r][p])
						}
						for _, top := range g.Cells[r][p].Top { // the bits of the record, where it has the token
							if top.ID == want.IDs[i] && (top.Logit != tr.Logit[i][r][p] || top.Logprob != tr.Logprob[i][r][p]) {
								t.Errorf("token %d, row %s, position %d: logit %v, in the grid %v", top.ID, tr.Rows[r], p, tr.Logit[i][r][p], top.Logit)
							}
						}
					}
				}
			}
		}
	})
}

func TestTrack(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx := context.Background()
	paris, err := m.TokenID(" Paris")
	if err != nil {
		t.Fatal(err)
	}
	rome, err := m.TokenID(" Rome")
	if err != nil {
		t.Fatal(err)
	}
	tr, err := m.Track(ctx, "The capital of France is", []int{paris, rome}, lens.LensOptions{})
	if err != nil {
		t.Fatal(err)
	}
	diff, err := tr.Difference(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if last := len(tr.IDs) - 1; diff[6][last] < 3 || math.Abs(diff[6][last]-(tr.Logprob[0][6][last]-tr.Logprob[1][6][last])) > 1e-12 {
		t.Errorf("difference %v", diff[6][last])
	}
	passes := m.Status().Forward.Passes
	if _, err := m.Track(ctx, "The capital of France is", nil, lens.LensOptions{Rows: lens.Stored}); err != nil {
		t.Fatal(err)
	}
	if n := m.Status().Forward.Passes - passes; n != 0 {
		t.Errorf("tracking through stored rows took %d forward passes", n)
	}
	_, err = m.Track(ctx, "a", []int{1020}, lens.LensOptions{})
	wantError(t, err, lens.Invalid, "0 to 1019")
	_, err = m.TokenID("Paris is")
	wantError(t, err, lens.Invalid, "not one")
	_, err = tr.Chart(5)
	wantError(t, err, lens.NotFound, "0 to 4")
	_, err = tr.Difference(0, 2)
	wantError(t, err, lens.Invalid, "0 to 1")
}
