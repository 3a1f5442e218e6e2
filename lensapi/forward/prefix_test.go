package forward_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/lenstest"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

// extend feeds ids and ends the test if it cannot.
func extend(t *testing.T, s *forward.Session, ids []int, hooks ...forward.Hook) *forward.Trace {
	t.Helper()
	tr, err := s.Extend(context.Background(), ids, hooks...)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestResume(t *testing.T) {
	m := wideModel(t)
	r := forward.New(m)
	ids := someIDs(140)
	for i := range ids {
		ids[i] %= 300
	}
	want, _ := result(t, forward.New(m), ids, []int{140})
	check := func(what string, r *forward.Runner, ids []int, held int) *forward.Session {
		t.Helper()
		s := r.Resume(ids)
		if s.Len() != held || !slices.Equal(s.IDs(), ids[:held]) {
			t.Fatalf("%s: %d of %d positions are held, want %d", what, s.Len(), len(ids), held)
		}
		if held < len(ids) {
			tr := extend(t, s, ids[held:])
			sameBits(t, what, tr.Resid, want[len(want)-len(tr.Resid):])
		}
		return s
	}
	if s := r.Resume(ids); s.Len() != 0 {
		t.Errorf("a new runner holds %d positions", s.Len())
	}
	a := r.NewSession()
	extend(t, a, ids[:70])
	check("the same beginning", r, ids, 70)
	check("all of it", r, ids, 140)
	// A session goes back and on elsewhere; what it fed before is another's now.
	if err := a.Truncate(60); err != nil {
		t.Fatal(err)
	}
	extend(t, a, []int{299, 298, 297})
	check("after a session went elsewhere", r, ids, 140)
	if s := r.Resume(append(slices.Clone(ids[:60]), 299, 298, 5)); s.Len() != 62 {
		t.Errorf("elsewhere: %d positions are held, want 62", s.Len())
	}
	// Positions fed with hooks are never handed on, nor are those after them.
	b := r.NewSession()
	other := slices.Concat([]int{7}, ids[:20])
	extend(t, b, other[:10])
	extend(t, b, other[10:11], forward.Hook{Site: "blocks.0.attn.hook_v", Func: func(a model.Activation) error { clear(a.Data); return nil }})
	extend(t, b, other[11:])
	if s := r.Resume(other); s.Len() != 10 {
		t.Errorf("after hooks: %d positions are held, want 10", s.Len())
	}
	// 64 positions in 2 layers of 64 values take 64 KiB.
	r.Keep(3 << 16)
	if s := r.Resume(ids); s.Len() != 60 && s.Len() != 0 {
		t.Errorf("with room for three blocks %d positions are held", s.Len())
	}
	r.Keep(0)
	extend(t, r.NewSession(), ids)
	check("keeping nothing", r, ids, 0)
}

// TestResumeConcurrently: sessions that begin alike, on many goroutines, are each what they would be alone.
func TestResumeConcurrently(t *testing.T) {
	m := lenstest.Model(t, "llama")
	r, alone := forward.New(m), forward.New(m)
	r.Keep(1 << 16)
	alone.Keep(0)
	var want [][]float32
	var ids [][]int
	for i := range 6 {
		p := append(slices.Clone(someIDs(20)[:5+2*i]), someIDs(60)[20+i:45]...)
		w, _ := result(t, alone, p, []int{len(p)})
		ids, want = append(ids, p), append(want, w)
	}
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			for range rounds {
				i := rng.IntN(len(ids))
				s := r.Resume(ids[i])
				for s.Len() < len(ids[i]) {
					tr, err := s.Extend(context.Background(), ids[i][s.Len():min(len(ids[i]), s.Len()+1+rng.IntN(9))])
					if err != nil {
						t.Error(err)
						return
					}
					at := tr.Start * tr.Rows * tr.DModel
					if !slices.Equal(tr.Resid, want[i][at:at+len(tr.Resid)]) {
						t.Errorf("prompt %d from %d on differs", i, tr.Start)
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestTurns: a long prompt lets others in between; a session that waits stops waiting when its context ends.
func TestTurns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r := forward.New(wideModel(t)) // two turns at once
	ids := make([]int, 160)
	block := make(chan struct{})
	blocked := make(chan struct{})
	var wg sync.WaitGroup
	hold := forward.Hook{Site: "hook_embed", Func: func(model.Activation) error { blocked <- struct{}{}; <-block; return nil }}
	for range 2 {
		wg.Go(func() {
			if _, err := r.NewSession().Extend(context.Background(), ids[:1], hold); err != nil {
				t.Error(err)
			}
		})
		<-blocked
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	s := r.NewSession()
	if _, err := s.Extend(ctx, ids[:1]); err == nil || ctx.Err() == nil || s.Len() != 0 {
		t.Errorf("waiting for a turn with a context that ended: %v, %d positions", err, s.Len())
	}
	close(block)
	wg.Wait()

	// One turn is held for good, so the long prompt and the short one share the other.
	free := make(chan struct{})
	wg.Go(func() {
		_, err := r.NewSession().Extend(context.Background(), ids[:1], forward.Hook{Site: "hook_embed", Func: func(model.Activation) error { blocked <- struct{}{}; <-free; return nil }})
		if err != nil {
			t.Error(err)
		}
	})
	<-blocked
	short := make(chan struct{})
	chunks := 0
	_, err := r.NewSession().Extend(context.Background(), ids, forward.Hook{Site: "hook_embed", Func: func(a model.Activation) error {
		switch chunks++; chunks {
		case 1:
			before := r.Stats().Passes
			wg.Go(func() {
				if _, err := r.NewSession().Extend(context.Background(), ids[:1]); err != nil {
					t.Error(err)
				}
				close(short)
			})
			for r.Stats().Passes == before { // counted just before it stands in line
				time.Sleep(5 * time.Millisecond)
			}
		case 2:
			select {
			case <-short:
			default:
				t.Error("the second part of a long prompt ran before a short one that had waited")
			}
		}
		return nil
	}})
	if err != nil || chunks != 2 {
		t.Error(err, chunks)
	}
	close(free)
	wg.Wait()
}
