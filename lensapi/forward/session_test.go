package forward_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/lenstest"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

func TestInterrupt(t *testing.T) {
	r := forward.New(lenstest.Model(t, "gpt2"))
	ids := someIDs(12)
	want, _ := result(t, r, ids, []int{12})
	s := r.NewSession()
	first, err := s.Extend(context.Background(), ids[:4])
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	reached := false
	_, err = s.Extend(ctx, ids[4:],
		forward.Hook{Site: "blocks.1.attn.hook_k", Func: func(model.Activation) error { cancel(); return nil }},
		forward.Hook{Site: "blocks.1.attn.hook_z", Func: func(model.Activation) error { reached = true; return nil }})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "stopped before blocks.1.attn.") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q", err)
	}
	if reached || s.Len() != 4 {
		t.Errorf("ran on to hook_z: %v; session has %d positions, want 4", reached, s.Len())
	}
	bad := errors.New("bad hook")
	_, err = s.Extend(context.Background(), ids[4:], forward.Hook{Site: "blocks.0.hook_mlp_out", Func: func(model.Activation) error { return bad }})
	if !errors.Is(err, bad) || err.Error() != "blocks.0.hook_mlp_out: bad hook" || s.Len() != 4 {
		t.Errorf("error %q, session of %d", err, s.Len())
	}
	_, err = s.Extend(context.Background(), ids[4:], forward.Hook{Site: "blocks.0.hook_resid_mid", Func: func(model.Activation) error { panic("oops") }})
	if err == nil || err.Error() != "blocks.0.hook_resid_mid: panic: oops" || s.Len() != 4 {
		t.Errorf("error %q, session of %d", err, s.Len())
	}
	if _, err := r.Logits(ctx, first.Last()); !errors.Is(err, context.Canceled) {
		t.Errorf("Logits with a cancelled context: %v", err)
	}
	rest, err := s.Extend(context.Background(), ids[4:])
	if err != nil {
		t.Fatal(err)
	}
	sameBits(t, "after the failures", slices.Concat(first.Resid, rest.Resid), want)
	if got := r.Stats(); got.Tokens != 12+4+8 || got.Passes != 1+1+3+1 {
		t.Errorf("stats %+v", got)
	}
}

func TestTruncate(t *testing.T) {
	r := forward.New(lenstest.Model(t, "llama-tied"))
	ids := someIDs(15)
	want, _ := result(t, r, ids, []int{15})
	s := r.NewSession()
	if _, err := s.Extend(context.Background(), slices.Concat(ids[:5], someIDs(59)[20:])); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{-1, 45} {
		if err := s.Truncate(n); err == nil || s.Len() != 44 {
			t.Errorf("Truncate(%d): %v, Len %d", n, err, s.Len())
		}
	}
	if err := s.Truncate(5); err != nil || s.Len() != 5 {
		t.Fatal(err, s.Len())
	}
	tr, err := s.Extend(context.Background(), ids[5:])
	if err != nil {
		t.Fatal(err)
	}
	sameBits(t, "after Truncate", tr.Resid, want[len(want)-len(tr.Resid):])
}

func TestFork(t *testing.T) {
	r := forward.New(wideModel(t))
	ids := someIDs(150)
	for i := range ids {
		ids[i] %= 300
	}
	lengths := []int{3, 64, 100}
	if testing.Short() {
		lengths = lengths[2:]
	}
	for _, n := range lengths {
		s := r.NewSession()
		if _, err := s.Extend(context.Background(), ids[:n]); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for branch := range 4 {
			f := s.Fork()
			tail := append([]int{branch}, ids[n:n+30]...)
			want, _ := result(t, r, append(slices.Clone(ids[:n]), tail...), []int{n, 31})
			wg.Go(func() {
				var got []float32
				for _, part := range [][]int{tail[:1], tail[1:30], tail[30:]} {
					tr, err := f.Extend(context.Background(), part)
					if err != nil {
						t.Error(err)
						return
					}
					got = append(got, tr.Resid...)
				}
				if f.Len() != n+31 || !slices.Equal(got, want[len(want)-len(got):]) {
					t.Errorf("branch %d after %d differs from a run of its own", branch, n)
				}
			})
		}
		wg.Wait()
		if s.Len() != n {
			t.Errorf("the origin has %d positions, want %d", s.Len(), n)
		}
	}
}

func TestBadCalls(t *testing.T) {
	r := forward.New(lenstest.Model(t, "gpt2"))
	ctx := context.Background()
	noop := func(model.Activation) error { return nil }
	s := r.NewSession()
	if _, err := s.Extend(ctx, nil); !errors.Is(err, forward.ErrEmpty) {
		t.Errorf("no ids: %v", err)
	}
	var ce *forward.ContextError
	if _, err := s.Extend(ctx, make([]int, 65)); !errors.As(err, &ce) || *ce != (forward.ContextError{Have: 0, Add: 65, Limit: 64}) {
		t.Errorf("long prompt: %v", err)
	}
	var te *forward.TokenError
	for _, id := range []int{-1, 272, math.MaxInt} {
		if _, err := s.Extend(ctx, []int{0, id}); !errors.As(err, &te) || te.Index != 1 || te.ID != id || te.Size != 272 {
			t.Errorf("id %d: %v", id, err)
		}
	}
	for want, h := range map[string]forward.Hook{
		"unknown site":       {Site: "blocks.2.hook_resid_post", Func: noop},
		"blocks.{l}.hook_at": {Site: "nowhere", Func: noop}, // the error names what there is
		"has no Func":        {Site: "hook_embed"},
		"give the hook to L": {Site: "ln_final.hook_normalized", Func: noop},
	} {
		if _, err := s.Extend(ctx, []int{1}, h); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("hook at %q: %v", h.Site, err)
		}
	}
	if _, err := r.Logits(ctx, make([]float32, 16), forward.Hook{Site: "hook_embed", Func: noop}); err == nil {
		t.Error("a hook of the blocks was accepted by Logits")
	}
	if _, err := r.Logits(ctx, make([]float32, 17)); err == nil || !strings.Contains(err.Error(), "d_model 16") {
		t.Errorf("17 values: %v", err)
	}
	if z, err := r.Logits(ctx, nil); err != nil || len(z) != 0 {
		t.Errorf("no rows: %v, %v", z, err)
	}
	if s.Len() != 0 || r.Stats() != (forward.Stats{}) {
		t.Errorf("refused calls left Len %d and %+v", s.Len(), r.Stats())
	}
	if _, err := s.Extend(ctx, make([]int, 64)); err != nil {
		t.Errorf("a full context: %v", err)
	}
	if _, err := s.Extend(ctx, []int{1}); !errors.As(err, &ce) || err.Error() != "1 tokens after the 64 before them do not fit the context of 64" {
		t.Errorf("past the context: %v", err)
	}
}

func TestLogitsRows(t *testing.T) {
	r := forward.New(lenstest.Model(t, "neox-serial"))
	c := r.Model().Config()
	resid, _ := result(t, r, someIDs(40), []int{40})
	all, err := r.Logits(context.Background(), resid)
	if err != nil {
		t.Fatal(err)
	}
	rows := slices.Clone(resid)
	var starts []int
	if _, err := r.Logits(context.Background(), resid, forward.Hook{Site: "ln_final.hook_normalized", Func: func(a model.Activation) error {
		starts = append(starts, a.Start)
		return nil
	}}); err != nil || !slices.Equal(starts, []int{0, 32, 64, 96}) {
		t.Errorf("chunks %v, %v", starts, err)
	}
	for i := 0; i < 120; i += 13 {
		z, err := r.Logits(context.Background(), rows[i*c.DModel:(i+1)*c.DModel])
		if err != nil {
			t.Fatal(err)
		}
		sameBits(t, "logits", z, all[i*c.DVocab:(i+1)*c.DVocab])
	}
	sameBits(t, "the rows given", resid, rows)
}
