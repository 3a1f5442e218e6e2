package lens_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

func TestPatchEqualsReference(t *testing.T) {
	eachModel(t, func(t *testing.T, m *lens.Model, name string, ref numpy) {
		var clean, corrupt float64
		raw := ref.Models[name].Patch
		if err := errors.Join(json.Unmarshal(raw["clean"], &clean), json.Unmarshal(raw["corrupt"], &corrupt)); err != nil {
			t.Fatal(err)
		}
		for site, heads := range map[string]bool{"resid_pre": false, "attn_out": false, "mlp_out": false, "z": true, "pattern": true} {
			if raw[site] == nil {
				continue
			}
			var want [][]float64
			if err := json.Unmarshal(raw[site], &want); err != nil {
				t.Fatal(err)
			}
			s, err := m.PatchIDs(context.Background(), ref.IDs, ref.Other, lens.DifferenceOf(ref.A, ref.B), lens.PatchOptions{Site: site, ByHead: heads})
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(s.CleanValue-clean) > tolerance || math.Abs(s.Corrupt-corrupt) > tolerance {
				t.Errorf("%s: clean %.6f and corrupted %.6f, reference %.6f and %.6f", site, s.CleanValue, s.Corrupt, clean, corrupt)
			}
			for l := range want {
				for j := range want[l] {
					if math.Abs(s.Value[l][j]-want[l][j]) > tolerance {
						t.Errorf("%s, layer %d, %d: %.6f, reference %.6f", site, l, j, s.Value[l][j], want[l][j])
					}
				}
			}
			if s.Done != s.Total || s.Total != len(want)*len(want[0]) {
				t.Errorf("%s: %d of %d", site, s.Done, s.Total)
			}
		}
	})
}

// Estimates are the base run's target and its derivative along the change, which the reference takes by central differences.
func TestPatchGradientEqualsReference(t *testing.T) {
	eachModel(t, func(t *testing.T, m *lens.Model, name string, ref numpy) {
		sites := ref.Models[name].Gradient
		if len(sites) < 3 {
			t.Fatalf("the reference has gradients at %d sites", len(sites))
		}
		for site, want := range sites {
			s, err := m.PatchIDs(context.Background(), ref.IDs, ref.Other, lens.DifferenceOf(ref.A, ref.B), lens.PatchOptions{Site: site, ByHead: site == "z" || site == "pattern", Gradient: true, Check: 3})
			if err != nil {
				t.Fatal(err)
			}
			for l := range want {
				for j := range want[l] {
					if math.Abs(s.Value[l][j]-want[l][j]) > tolerance {
						t.Errorf("%s, layer %d, %d: %.6f, reference %.6f", site, l, j, s.Value[l][j], want[l][j])
					}
				}
			}
		}
	})
}

// The error that a sweep of estimates tells is that against the exact sweep, at every site; noising, too.
func TestPatchGradientError(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx := context.Background()
	paris, _ := m.TokenID(" Paris")
	for _, site := range []string{"resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "q", "k", "v", "z", "pattern", "pre", "post"} {
		opt := lens.PatchOptions{Site: site, Noising: site == "q", ByHead: site == "v", Layers: []int{3, 1}}
		exact, err := m.Patch(ctx, "The capital of France is", "The capital of Italy is", lens.LogitOf(paris), opt)
		if err != nil {
			t.Fatal(err)
		}
		opt.Gradient, opt.Check = true, -1
		s, err := m.Patch(ctx, "The capital of France is", "The capital of Italy is", lens.LogitOf(paris), opt)
		if err != nil {
			t.Fatal(err)
		}
		var most, sum float64
		for i := range s.Normalized {
			for j, v := range s.Normalized[i] {
				e := math.Abs(v - exact.Normalized[i][j])
				most, sum = max(most, e), sum+e
			}
		}
		if c := s.Checked; math.Abs(c.MaxError-most) > 1e-12 || math.Abs(c.MeanError*float64(c.Cells)-sum) > 1e-9 || most == 0 || s.Done != s.Total || s.Approximation != "gradient" {
			t.Errorf("%s: %+v, really %g at most and %g in all", site, c, most, sum)
		}
		if text := s.String(); !strings.Contains(text, "attribution patching") || !strings.Contains(text, "exact runs") {
			t.Errorf("%s does not say that it is an estimate: %s", site, text)
		}
	}
	_, err := m.Patch(ctx, "a", "b", lens.LogitOf(1), lens.PatchOptions{Check: 4})
	wantError(t, err, lens.Invalid, "with Gradient")
}

// What a sweep saves changes no bit: every cell equals a whole run with a hook.
func TestPatchEqualsWholeRuns(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx := context.Background()
	clean, _ := m.Encode("The capital of France is")
	other, _ := m.Encode("The capital of Italy is")
	paris, _ := m.TokenID(" Paris")
	for _, opt := range []lens.PatchOptions{{Site: "resid_mid", Layers: []int{0, 3}}, {Site: "v", ByHead: true, Noising: true, Layers: []int{1, 5}},
		{Site: "post", Noising: true, Layers: []int{2}}, {Site: "pattern", Layers: []int{0, 2}}} {
		s, err := m.PatchIDs(ctx, clean, other, lens.LogitOf(paris), opt)
		if err != nil {
			t.Fatal(err)
		}
		base, source := other, clean
		if opt.Noising {
			base, source = clean, other
		}
		for i, l := range s.Layers {
			for j := range s.Value[i] {
				iv := lens.Intervention{Site: lens.SiteAt(l, opt.Site), Edit: lens.Replace, IDs: [][]int{source}}
				if opt.ByHead {
					iv.Heads = []int{j}
				} else {
					iv.Positions = []int{j}
				}
				g, err := m.InterveneIDs(ctx, base, []lens.Intervention{iv}, lens.LensOptions{Top: 1000})
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range g.Cells[6][4].Top {
					if c.ID == paris && c.Logit != s.Value[i][j] {
						t.Errorf("%s, layer %d, %d: %v, a whole run gives %v", opt.Site, l, j, s.Value[i][j], c.Logit)
					}
				}
			}
		}
	}
}

func TestPatchInterrupted(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx, cancel := context.WithCancel(context.Background())
	paris, _ := m.TokenID(" Paris")
	s, err := m.Patch(ctx, "The capital of France is", "The capital of Italy is", lens.LogitOf(paris), lens.PatchOptions{Progress: func(done, total int, left time.Duration) {
		if total != 30 || left < 0 {
			t.Errorf("%d of %d, %v left", done, total, left)
		}
		if done == 9 {
			cancel() // the tenth runs beside the ninth
		}
	}})
	wantError(t, err, lens.Interrupted, "10 of 30")
	if s == nil || s.Done != 10 || math.IsNaN(s.Value[1][4]) || !math.IsNaN(s.Value[2][0]) {
		t.Fatalf("the finished part: %+v", s)
	}
	b, err := json.Marshal(s)
	if err != nil || !strings.Contains(string(b), "null") {
		t.Errorf("%s, %v", b, err)
	}
	if !strings.Contains(s.String(), "10 of 30 runs done") || s.MIMEBundle()["image/png"] == nil {
		t.Error("the finished part does not show itself")
	}
}

func TestPatchRefuses(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx := context.Background()
	for name, try := range map[string]struct {
		clean, corrupted string
		target           lens.Target
		opt              lens.PatchOptions
		says             string
	}{
		"lengths":  {"The capital of France is", "The capital of France", lens.LogitOf(1), lens.PatchOptions{}, "5 tokens and the corrupted one 4"},
		"token":    {"a", "b", lens.LogitOf(5000), lens.PatchOptions{}, "0 to 1019"},
		"site":     {"a", "b", lens.LogitOf(1), lens.PatchOptions{Site: "soul"}, "resid_pre"},
		"heads":    {"a", "b", lens.LogitOf(1), lens.PatchOptions{ByHead: true}, "no heads"},
		"layer":    {"a", "b", lens.LogitOf(1), lens.PatchOptions{Layers: []int{6}}, "0 to 5"},
		"position": {"a", "b", lens.LogitOf(1), lens.PatchOptions{Position: 1}, "0 to 0"},
		"equal":    {"a", "a", lens.LogitOf(1), lens.PatchOptions{}, "in both runs"},
	} {
		_, err := m.Patch(ctx, try.clean, try.corrupted, try.target, try.opt)
		var e *lens.Error
		if !errors.As(err, &e) || e.Code != lens.Invalid && e.Code != lens.NotFound || !strings.Contains(err.Error(), try.says) {
			t.Errorf("%s: %v, want %q", name, err, try.says)
		}
	}
}
