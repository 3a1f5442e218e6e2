package forward_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/lenstest"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ids of the tests that need no meaning.
func someIDs(n int) []int {
	ids := make([]int, n)
	for i := range ids {
		ids[i] = (i*i*7 + 3*i + 1) % 272
	}
	return ids
}

// result is everything a pass computes: the residual rows of all positions and the model's logits.
func result(t *testing.T, r *forward.Runner, ids []int, split []int, hooks ...forward.Hook) (resid, logits []float32) {
	t.Helper()
	s := r.NewSession()
	at := 0
	for _, n := range split {
		tr, err := s.Extend(context.Background(), ids[at:at+n], hooks...)
		if err != nil {
			t.Fatal(err)
		}
		if tr.Start != at || tr.Tokens != n || s.Len() != at+n {
			t.Fatalf("trace from %d of %d, session of %d; want %d, %d, %d", tr.Start, tr.Tokens, s.Len(), at, n, at+n)
		}
		at += n
		resid = append(resid, tr.Resid...)
		var last []float32
		for i := range n {
			last = append(last, tr.Row(i, tr.Rows-1)...)
		}
		z, err := r.Logits(context.Background(), last)
		if err != nil {
			t.Fatal(err)
		}
		logits = append(logits, z...)
	}
	return resid, logits
}

func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: value %d of %d is %v, want %v", what, i, len(got), got[i], want[i])
		}
	}
}

// TestSameBits: a sequence has one result, whatever the split into calls, the threads and the hooks that look on.
func TestSameBits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, name := range lenstest.Names() {
		t.Run(name, func(t *testing.T) {
			r := forward.New(lenstest.Model(t, name))
			const n = 24
			ids := someIDs(n)
			runtime.GOMAXPROCS(1)
			resid, logits := result(t, r, ids, []int{n})
			for what, split := range map[string][]int{
				"one by one": slices.Repeat([]int{1}, n), "prefill and decode": append([]int{n - 3}, 1, 1, 1), "uneven": {1, 11, 2, 10},
			} {
				got, z := result(t, r, ids, split)
				sameBits(t, what+": residuals", got, resid)
				sameBits(t, what+": logits", z, logits)
			}
			var hooks []forward.Hook
			for _, s := range r.Model().Sites() {
				if !s.Head {
					hooks = append(hooks, forward.Hook{Site: s.Name, Func: func(model.Activation) error { return nil }})
				}
			}
			runtime.GOMAXPROCS(2)
			got, z := result(t, r, ids, []int{n}, hooks...)
			sameBits(t, "hooks everywhere, two threads: residuals", got, resid)
			sameBits(t, "hooks everywhere, two threads: logits", z, logits)
		})
	}
}

// TestSameBitsLarge is above the sizes from which kernels use several threads and passes several chunks.
func TestSameBitsLarge(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	m := wideModel(t)
	r := forward.New(m)
	const n = 150
	ids := someIDs(n)
	for i := range ids {
		ids[i] %= m.Config().DVocab
	}
	resid, logits := result(t, r, ids, []int{n})
	runtime.GOMAXPROCS(2)
	got, z := result(t, r, ids, []int{n})
	sameBits(t, "two threads: residuals", got, resid)
	sameBits(t, "two threads: logits", z, logits)
	got, z = result(t, r, ids, []int{129, 1, 20})
	sameBits(t, "split: residuals", got, resid)
	sameBits(t, "split: logits", z, logits)
	var starts []int
	_, _ = result(t, r, ids, []int{n}, forward.Hook{Site: "blocks.1.attn.hook_pattern", Func: func(a model.Activation) error {
		if !slices.Equal(a.Shape, []int{a.Shape[0], m.Config().NHeads, a.Start + a.Shape[0]}) || len(a.Data) != a.Shape[0]*a.Shape[1]*a.Shape[2] {
			t.Errorf("pattern of shape %v and %d values at %d", a.Shape, len(a.Data), a.Start)
		}
		starts = append(starts, a.Start)
		return nil
	}})
	if !slices.Equal(starts, []int{0, 128}) {
		t.Errorf("chunks start at %v", starts)
	}
}

func TestConcurrentSessions(t *testing.T) {
	r := forward.New(lenstest.Model(t, "llama"))
	ids := someIDs(30)
	want, wantZ := result(t, r, ids, []int{30})
	other, _ := result(t, r, ids[5:], []int{25})
	t.Run("sessions", func(t *testing.T) {
		for i := range 4 {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				for range 5 {
					if i%2 == 0 {
						got, z := result(t, r, ids, []int{10, 1, 19})
						sameBits(t, "residuals", got, want)
						sameBits(t, "logits", z, wantZ)
					} else {
						got, _ := result(t, r, ids[5:], []int{25})
						sameBits(t, "other residuals", got, other)
					}
				}
			})
		}
	})
}

// TestInterleavedSessions: sessions share programs, not state.
func TestInterleavedSessions(t *testing.T) {
	r := forward.New(lenstest.Model(t, "neox"))
	ids := someIDs(20)
	want, _ := result(t, r, ids, []int{20})
	a, b := r.NewSession(), r.NewSession()
	var got []float32
	for i, id := range ids {
		tr, err := a.Extend(context.Background(), []int{id})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, tr.Resid...)
		if _, err := b.Extend(context.Background(), ids[:1+i%3]); err != nil && !errors.As(err, new(*forward.ContextError)) {
			t.Fatal(err)
		}
	}
	sameBits(t, "residuals", got, want)
}

func TestEditInPlace(t *testing.T) {
	for _, name := range []string{"gpt2", "llama", "neox-serial"} {
		r := forward.New(lenstest.Model(t, name))
		d := r.Model().Config().DModel
		ids := someIDs(8)
		clean, _ := result(t, r, ids, []int{8})
		edit := forward.Hook{Site: "blocks.1.hook_resid_mid", Func: func(a model.Activation) error {
			if p := 3 - a.Start; p >= 0 && p < a.Shape[0] {
				clear(a.Data[p*d : (p+1)*d])
			}
			return nil
		}}
		got, _ := result(t, r, ids, []int{8}, edit)
		rows := 3 * d
		// Only blocks.1 onwards of position 3 sees it: attention of the same block has already run.
		sameBits(t, name+": rows below the edit", got[3*rows:3*rows+2*d], clean[3*rows:3*rows+2*d])
		sameBits(t, name+": positions before", got[:3*rows], clean[:3*rows])
		sameBits(t, name+": positions after, last block", got[4*rows:], clean[4*rows:])
		if slices.Equal(got[3*rows+2*d:4*rows], clean[3*rows+2*d:4*rows]) {
			t.Errorf("%s: the edit changed nothing at its position", name)
		}
		stepwise, _ := result(t, r, ids, slices.Repeat([]int{1}, 8), edit)
		sameBits(t, name+": edit while decoding", stepwise, got)

		// An edit one block lower reaches later positions through attention, and never earlier ones.
		edit.Site = "blocks.0.hook_resid_mid"
		got, _ = result(t, r, ids, []int{8}, edit)
		sameBits(t, name+": positions before", got[:3*rows], clean[:3*rows])
		for p := 4; p < 8; p++ {
			if slices.Equal(got[p*rows+2*d:(p+1)*rows], clean[p*rows+2*d:(p+1)*rows]) {
				t.Errorf("%s: the edit did not reach position %d", name, p)
			}
		}
	}
}

// TestEditReachesEverySite: zeroing any site changes the model's output, so no consumer reads around a hook.
func TestEditReachesEverySite(t *testing.T) {
	for _, name := range lenstest.Names() {
		r := forward.New(lenstest.Model(t, name))
		ids := someIDs(6)
		clean, _ := result(t, r, ids, []int{6})
		for _, s := range r.Model().Sites() {
			if s.Head {
				continue
			}
			var seen []float32
			edit := forward.Hook{Site: s.Name, Func: func(a model.Activation) error {
				for i := range a.Data {
					a.Data[i] *= -1.5
				}
				return nil
			}}
			after := forward.Hook{Site: s.Name, Func: func(a model.Activation) error {
				seen = slices.Clone(a.Data)
				return nil
			}}
			got, _ := result(t, r, ids, []int{6}, edit, after)
			if slices.Equal(got, clean) {
				t.Errorf("%s: editing %s changed no residual row", name, s.Name)
			}
			if len(seen) == 0 {
				t.Errorf("%s: the second hook at %s saw nothing", name, s.Name)
			}
		}
		head := forward.Hook{Site: "ln_final.hook_normalized", Func: func(a model.Activation) error {
			clear(a.Data)
			return nil
		}}
		row := clean[:r.Model().Config().DModel]
		z, err := r.Logits(context.Background(), row)
		zero, err2 := r.Logits(context.Background(), row, head)
		if err != nil || err2 != nil || slices.Equal(z, zero) {
			t.Errorf("%s: editing ln_final changed no logit (%v, %v)", name, err, err2)
		}
	}
}

// TestParallelEdit: in GPT-NeoX's parallel block an edit of attn_out must not reach the MLP of the same block.
func TestParallelEdit(t *testing.T) {
	r := forward.New(lenstest.Model(t, "neox"))
	var mlp [][]float32
	keep := forward.Hook{Site: "blocks.0.hook_mlp_out", Func: func(a model.Activation) error {
		mlp = append(mlp, slices.Clone(a.Data))
		return nil
	}}
	zero := forward.Hook{Site: "blocks.0.hook_attn_out", Func: func(a model.Activation) error {
		clear(a.Data)
		return nil
	}}
	result(t, r, someIDs(5), []int{5}, keep)
	result(t, r, someIDs(5), []int{5}, keep, zero)
	sameBits(t, "mlp_out", mlp[1], mlp[0])
}

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

// TestFork: branches of a prefix, run at the same time, are what each would be alone.
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

// TestLogitsRows: a row's logits do not depend on the rows beside it, over the boundaries of chunks too.
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

// TestPartSites: what lies inside operations is what its name says, and an edit of it reaches the output by as much.
func TestPartSites(t *testing.T) {
	for _, name := range []string{"gpt2", "llama", "gemma2", "gpt-neo"} {
		r := forward.New(lenstest.Model(t, name))
		c := r.Model().Config()
		ids := someIDs(9)
		run := func(hooks ...forward.Hook) map[string][]float32 {
			seen := map[string][]float32{}
			for _, site := range []string{"hook_resid_pre", "ln1.hook_scale", "ln1.hook_normalized", "attn.hook_attn_scores", "attn.hook_pattern", "attn.hook_z", "attn.hook_result", "hook_attn_out"} {
				hooks = append(hooks, record("blocks.1."+site, seen))
			}
			result(t, r, ids, []int{len(ids)}, hooks...)
			return seen
		}
		near := func(what string, got, want float64) {
			t.Helper()
			if !(math.Abs(got-want) <= 2e-6*max(1, math.Abs(want))) {
				t.Fatalf("%s: %s: %v, want %v", name, what, got, want)
			}
		}
		clean := run()
		x, scale, normed := clean["blocks.1.hook_resid_pre"], clean["blocks.1.ln1.hook_scale"], clean["blocks.1.ln1.hook_normalized"]
		for p := range ids {
			var mean float64
			for _, v := range x[p*c.DModel : (p+1)*c.DModel] {
				mean += float64(v) / float64(c.DModel)
			}
			if c.RotaryDims > 0 { // the families here with an RMSNorm
				mean = 0
			}
			for i := range c.DModel {
				near("scale times normalized", float64(scale[p])*float64(normed[p*c.DModel+i])+mean, float64(x[p*c.DModel+i]))
			}
		}
		scores, pattern := clean["blocks.1.attn.hook_attn_scores"], clean["blocks.1.attn.hook_pattern"]
		for at := 0; at < len(scores); at += len(ids) {
			lp, _ := logSoftmax(scores[at : at+len(ids)])
			for i, l := range lp {
				near("softmax of scores", float64(pattern[at+i]), math.Exp(l))
			}
		}
		h, out := clean["blocks.1.attn.hook_result"], clean["blocks.1.hook_attn_out"]
		sum := func(p, i int) (s float64) {
			for head := range c.NHeads {
				s += float64(h[(p*c.NHeads+head)*c.DModel+i])
			}
			return s
		}
		if name != "gemma2" { // where a norm lies between
			for p := range ids {
				for i := range c.DModel { // the rest is the bias, the same everywhere
					near("sum of results", float64(out[p*c.DModel+i])-sum(p, i), float64(out[i])-sum(0, i))
				}
			}
			edited := run(forward.Hook{Site: "blocks.1.attn.hook_result", Func: func(a model.Activation) error {
				clear(a.Data[(3*c.NHeads+1)*c.DModel:][:c.DModel]) // head 1 at position 3
				return nil
			}})["blocks.1.hook_attn_out"]
			for i := range out {
				want := float64(out[i])
				if p := i / c.DModel; p == 3 {
					want -= float64(h[(3*c.NHeads+1)*c.DModel+i%c.DModel])
				}
				near("attn_out without a head", float64(edited[i]), want)
			}
		}
		edited := run(forward.Hook{Site: "blocks.1.ln1.hook_scale", Func: func(a model.Activation) error {
			a.Data[2] *= 2
			return nil
		}})["blocks.1.ln1.hook_normalized"]
		for i, v := range normed {
			if i/c.DModel == 2 {
				v /= 2
			}
			near("normalized by twice the scale", float64(edited[i]), float64(v))
		}
		// Scores raised at one key take all of the weight; what is not seen stays unseen.
		edited = run(forward.Hook{Site: "blocks.1.attn.hook_attn_scores", Func: func(a model.Activation) error {
			s := a.Shape[2]
			for row := 0; row < len(a.Data); row += s {
				q := row / s / c.NHeads
				a.Data[row+q] += 200
				if q+1 < s {
					a.Data[row+q+1] = 1000
				}
			}
			return nil
		}})["blocks.1.attn.hook_pattern"]
		for row := 0; row < len(edited); row += len(ids) {
			q := row / len(ids) / c.NHeads
			for j, p := range edited[row : row+len(ids)] {
				if want := j == q; want != (p > 0.99) {
					t.Fatalf("%s: pattern of position %d at %d is %v", name, q, j, p)
				}
			}
		}
	}
}
