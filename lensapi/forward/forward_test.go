package forward_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"strconv"
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

// TestEditReachesEverySite: zeroing any site changes the model's output, so no consumer reads around a hook.
// TestParallelEdit: in GPT-NeoX's parallel block an edit of attn_out must not reach the MLP of the same block.
// TestFork: branches of a prefix, run at the same time, are what each would be alone.
// TestLogitsRows: a row's logits do not depend on the rows beside it, over the boundaries of chunks too.
// TestPartSites: what lies inside operations is what its name says, and an edit of it reaches the output by as much.
