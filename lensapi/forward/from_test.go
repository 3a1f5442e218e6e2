package forward_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/lenstest"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

// Rows that enter a layer where they would have come anyway change no bit above, in every family and for every split.
func TestExtendFromEqualsExtend(t *testing.T) {
	ctx := context.Background()
	for _, name := range lenstest.Names() {
		m := lenstest.Model(t, name)
		r := forward.New(m)
		g, err := lenstest.Golden(name)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := r.NewSession().Extend(ctx, g.IDs)
		if err != nil {
			t.Fatal(err)
		}
		for layer := range m.Config().NLayers {
			for _, split := range []int{1, 5, len(g.IDs)} {
				s := r.NewSession()
				if split < len(g.IDs) {
					if _, err := s.Extend(ctx, g.IDs[:split]); err != nil {
						t.Fatal(err)
					}
				} else {
					split = 0
				}
				var rows []float32
				for p := split; p < len(g.IDs); p++ {
					rows = append(rows, whole.Row(p, layer)...)
				}
				got, err := s.Fork().ExtendFrom(ctx, layer, rows)
				if err != nil {
					t.Fatal(err)
				}
				for p := range got.Tokens {
					for row := layer; row < got.Rows; row++ {
						if !slices.Equal(got.Row(p, row), whole.Row(split+p, row)) {
							t.Fatalf("%s, from layer %d at %d: row %d of position %d differs", name, layer, split, row, split+p)
						}
					}
				}
			}
		}
	}
}

// Branches have the bits that each has alone, hooks and attention patterns included, in every family; the session stays as it is.
func TestBranchesEqualForks(t *testing.T) {
	ctx := context.Background()
	for _, name := range lenstest.Names() {
		m := lenstest.Model(t, name)
		r := forward.New(m)
		g, err := lenstest.Golden(name)
		if err != nil {
			t.Fatal(err)
		}
		s := r.NewSession()
		whole, err := s.Extend(ctx, g.IDs)
		if err != nil {
			t.Fatal(err)
		}
		d := m.Config().DModel
		for layer := range m.Config().NLayers {
			var branches []forward.Branch
			var want [][]float32
			for from := range g.IDs {
				var rows []float32
				for p := from; p < len(g.IDs); p++ {
					rows = append(rows, whole.Row(p, layer)...)
				}
				hook := forward.Hook{Site: fmt.Sprintf("blocks.%d.attn.hook_%s", layer, []string{"z", "pattern"}[from%2]), Func: func(a model.Activation) error {
					if n := len(a.Data) / a.Shape[0]; a.Start <= from {
						a.Data[(from-a.Start)*n] += float32(from + 1)
					}
					return nil
				}}
				branches = append(branches, forward.Branch{From: from, Rows: rows, Hooks: []forward.Hook{hook}})
				fork := s.Fork()
				if err := fork.Truncate(from); err != nil {
					t.Fatal(err)
				}
				got, err := fork.ExtendFrom(ctx, layer, rows, hook)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, slices.Clone(got.Last()))
			}
			next := 0
			err := s.Branches(ctx, layer, branches, func(i int, last []float32) error {
				if i != next || len(last) != d || !slices.Equal(last, want[i]) {
					t.Errorf("%s, layer %d: branch %d differs from its fork", name, layer, i)
				}
				next++
				return nil
			})
			if err != nil || next != len(branches) {
				t.Fatalf("%d branches, %v", next, err)
			}
		}
		if s.Len() != len(g.IDs) {
			t.Errorf("%s: the session has %d positions", name, s.Len())
		}
	}
}

// Many branches of a long session, in several passes and in pieces: more rows than one run of a program takes.
func TestBranchesOfLongSessions(t *testing.T) {
	ctx := context.Background()
	r := forward.New(lenstest.Model(t, "gpt2"))
	s := r.NewSession()
	ids := make([]int, 64)
	for i := range ids {
		ids[i] = i * 7 % 100
	}
	whole, err := s.Extend(ctx, ids)
	if err != nil {
		t.Fatal(err)
	}
	var branches []forward.Branch
	for from := range ids {
		var rows []float32
		for p := from; p < len(ids); p++ {
			rows = append(rows, whole.Row(p, 1)...)
		}
		branches = append(branches, forward.Branch{From: from, Rows: rows})
	}
	n := 0
	if err := s.Branches(ctx, 1, branches, func(i int, last []float32) error {
		n++
		if !slices.Equal(last, whole.Last()) {
			t.Errorf("branch %d: a branch that changes nothing ends elsewhere", i)
		}
		return nil
	}); err != nil || n != len(ids) {
		t.Fatalf("%d branches, %v", n, err)
	}
	for what, b := range map[string]forward.Branch{"begins at 65": {From: 65, Rows: make([]float32, 16)}, "not rows": {From: 1, Rows: make([]float32, 15)}, "context": {From: 64, Rows: make([]float32, 16)}} {
		if err := s.Branches(ctx, 1, []forward.Branch{b}, nil); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want %q", err, what)
		}
	}
}

func TestExtendFromRefuses(t *testing.T) {
	ctx := context.Background()
	r := forward.New(lenstest.Model(t, "gpt2"))
	s := r.NewSession()
	rows := make([]float32, 2*16)
	for i := range rows {
		rows[i] = float32(i % 5)
	}
	want := func(err error, says string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want %q", err, says)
		}
	}
	_, err := s.ExtendFrom(ctx, 2, rows)
	want(err, "layers 0 to 1")
	_, err = s.ExtendFrom(ctx, 0, rows[:7])
	want(err, "rows of d_model 16")
	_, err = s.ExtendFrom(ctx, 0, nil)
	want(err, "rows of d_model 16")
	_, err = s.ExtendFrom(ctx, 0, make([]float32, 65*16))
	want(err, "context of 64")
	if _, err := s.Extend(ctx, []int{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ExtendFrom(ctx, 1, rows); err != nil {
		t.Fatal(err)
	}
	_, err = s.Extend(ctx, []int{1})
	want(err, "layer 1 and above alone")
	_, err = s.Fork().ExtendFrom(ctx, 0, rows)
	want(err, "layer 1 and above alone")
	if err := s.Truncate(1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Extend(ctx, []int{1}); err != nil {
		t.Errorf("after truncation: %v", err)
	}
	want(r.Attention(ctx, 2, rows), "unknown site")
	want(r.Attention(ctx, 0, rows[:3]), "rows of d_model 16")
	nothing := func(model.Activation) error { return nil }
	want(r.Attention(ctx, 0, rows, forward.Hook{Site: "blocks.0.hook_mlp_out", Func: nothing}), "ends at blocks.0.attn.hook_z")
	want(r.Attention(ctx, 1, rows, forward.Hook{Site: "blocks.0.attn.hook_q", Func: nothing}), "the attention of layer 1")
	want(r.Attention(ctx, 0, rows, forward.Hook{Site: "blocks.0.attn.hook_q", Func: func(model.Activation) error { return fmt.Errorf("no more") }}), "no more")
}

// Attention alone over the rows of a pass has the bits of the pass.
func TestAttentionEqualsPass(t *testing.T) {
	ctx := context.Background()
	for _, name := range lenstest.Names() {
		m := lenstest.Model(t, name)
		r := forward.New(m)
		g, err := lenstest.Golden(name)
		if err != nil {
			t.Fatal(err)
		}
		site := "blocks.1.attn.hook_pattern"
		var want, got []float32
		keep := func(dst *[]float32) forward.Hook {
			return forward.Hook{Site: site, Func: func(a model.Activation) error { *dst = append(*dst, a.Data...); return nil }}
		}
		trace, err := r.NewSession().Extend(ctx, g.IDs, keep(&want))
		if err != nil {
			t.Fatal(err)
		}
		var rows []float32
		for p := range g.IDs {
			rows = append(rows, trace.Row(p, 1)...)
		}
		passes := r.Stats()
		if err := r.Attention(ctx, 1, rows, keep(&got)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("%s: the pattern differs", name)
		}
		if r.Stats() != passes {
			t.Errorf("%s: attention alone counted as %+v", name, r.Stats())
		}
	}
}
