package cache_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/cache"
)

// A memory cache is a hint: one that keeps nothing loses nothing.
func TestMemoryThatKeepsNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, quick)
	s.RejectAll()
	c := create(t, s, "a")
	for i := range 40 {
		must(t, appendIDs(c, i))
		verify(t, c, seq(0, i+1), mustNotRecompute)
	}
	s.Settle()
	// So does one that is too small for a single block.
	s2 := open(t, dir, cache.Options{MaxMemory: 100})
	verify(t, conversation(t, s2, "a"), seq(0, 40), mustNotRecompute)
	if m := s2.Status().Memory; m.Rejected != 2 || m.Misses != 2 || m.Bytes != 0 {
		t.Errorf("memory %+v", m)
	}
}

// A hundred who want rows of one block at once cost one read, whether they want all layers or one.
func TestConcurrentColdReadsReadOnce(t *testing.T) {
	for _, policy := range []string{cache.PolicyRistretto, cache.PolicyLRU} {
		dir := t.TempDir()
		s := open(t, dir, quick)
		must(t, appendIDs(create(t, s, "a"), seq(0, 16)...))
		closeStore(t, s)
		for _, layers := range [][]int{{0, 1, 2}, {1}} {
			s, slow := openCounted(t, dir, cache.Options{MemoryPolicy: policy})
			c := conversation(t, s, "a")
			slow.hang.Store(true) // the first has to wait until all are there
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if _, err := c.Layers(t.Context(), 3, 9, layers, mustNotRecompute); err != nil {
						t.Error(err)
					}
				})
			}
			for st := s.Status(); st.Memory.Misses < 100; st = s.Status() {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(20 * time.Millisecond) // from being counted to waiting it is a step
			slow.hang.Store(false)
			close(slow.answer)
			wg.Wait()
			if st := s.Status(); st.Disk.Reads != 1 || slow.opened.Load() != 1 {
				t.Errorf("%s, layers %v: opened %d times, %+v %+v", policy, layers, slow.opened.Load(), st.Disk, st.Memory)
			}
			closeStore(t, s)
		}
	}
}

// A damaged block is moved aside, computed once for all who want it, and written again with the same bits.
func TestDamagedBlockIsRecomputed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, quick)
	must(t, appendIDs(create(t, s, "a"), seq(0, 40)...))
	closeStore(t, s)
	files := blockFiles(t, dir)
	good := map[string][]byte{}
	for i, name := range files {
		good[name] = read(t, name)
		if i == 0 {
			must(t, os.Remove(name))
			continue
		}
		bad := append([]byte(nil), good[name]...)
		bad[len(bad)/2] ^= 1
		write(t, name, bad)
	}
	s = open(t, dir, quick)
	c := conversation(t, s, "a")
	_, err := c.Rows(t.Context(), 0, 40, nil)
	wantErr(t, err, cache.ErrMissing)
	var calls atomic.Int32
	var wg sync.WaitGroup
	release := make(chan struct{})
	for range 20 {
		wg.Go(func() {
			rows, err := c.Rows(t.Context(), 0, 40, func(_ context.Context, ids []int) ([]float32, error) {
				calls.Add(1)
				<-release
				return model(small, ids), nil
			})
			if err != nil || !sameBits(rows, stored(small, model(small, seq(0, 40)))) {
				t.Errorf("rows differ, %v", err)
			}
		})
	}
	time.Sleep(20 * time.Millisecond) // lets most of them arrive; the rest find the blocks
	close(release)
	wg.Wait()
	st := s.Status()
	if calls.Load() != 1 || st.RecomputedTokens != 32 || st.Disk.Corrupt != 1 || len(st.OpenReports) != 1 {
		t.Errorf("%d calls, status %v", calls.Load(), st)
	}
	if n := len(glob(t, dir, "quarantine/*")); n != 1 {
		t.Errorf("%d files in quarantine", n)
	}
	for name, data := range good {
		if string(read(t, name)) != string(data) {
			t.Errorf("%s was written differently", filepath.Base(name))
		}
	}
	closeStore(t, s)
	checkDir(t, dir)
	s = open(t, dir, quick)
	verify(t, conversation(t, s, "a"), seq(0, 40), mustNotRecompute)
}

func TestRecomputeFailures(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, quick)
	c := create(t, s, "a")
	must(t, c.Append(tokens(0, seq(0, 20)...), nil))
	sentinel := errors.New("no model")
	for name, r := range map[string]cache.Recompute{
		"error": func(context.Context, []int) ([]float32, error) { return nil, sentinel },
		"short": func(_ context.Context, ids []int) ([]float32, error) { return model(small, ids)[1:], nil },
		"panic": func(context.Context, []int) ([]float32, error) { panic("boom") },
	} {
		_, err := c.Rows(t.Context(), 2, 18, r)
		if err == nil || strings.Contains(err.Error(), "\n") || name == "error" && !errors.Is(err, sentinel) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if st := s.Status(); st.RecomputedTokens != 0 || st.Disk.Writes != 0 {
		t.Errorf("status %v", st)
	}
	// One who gives up does not take the others with him.
	ctx, cancel := context.WithCancel(t.Context())
	entered, done := make(chan struct{}), make(chan error)
	go func() {
		_, err := c.Rows(ctx, 0, 20, func(ctx context.Context, _ []int) ([]float32, error) {
			close(entered)
			<-ctx.Done()
			return nil, ctx.Err()
		})
		done <- err
	}()
	<-entered
	go func() {
		_, err := c.Rows(t.Context(), 0, 20, recompute(small))
		done <- err
	}()
	time.Sleep(10 * time.Millisecond) // lets the second join the first
	cancel()
	a, b := <-done, <-done
	if a == nil {
		a, b = b, a
	}
	if !errors.Is(a, context.Canceled) || b != nil {
		t.Errorf("errors %v and %v", a, b)
	}
	verify(t, c, seq(0, 20), mustNotRecompute)
}

// What does not fit float16 keeps its bits, and its neighbours keep theirs, wherever they are read from.
func TestOverflowIsKeptExactly(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, quick)
	c := create(t, s, "a")
	ids := seq(0, 20)
	rows := model(small, ids)
	n, d := small.Rows*small.DModel, small.DModel
	set := func(pos, row, j int, v float32) { rows[pos*n+row*d+j] = v }
	special := []float32{65504, 65519.996, 65520, -65520, float32(math.Inf(1)), float32(math.Inf(-1)), 1e30,
		math.Float32frombits(0x7fc12345), math.Float32frombits(0xff812345), 0x1p-24, 0x1p-25, 1.5e-7, math.Float32frombits(0x80000000), math.SmallestNonzeroFloat32}
	for i, v := range special {
		set(i, i%3, i%5, v)
	}
	set(18, 1, 2, 7e4) // in the tail
	want := stored(small, rows)
	for i, tok := range ids { // one at a time: each is in the tail once
		must(t, c.Append(tokens(i, tok), rows[i*n:(i+1)*n]))
		got, err := c.Rows(t.Context(), 0, i+1, mustNotRecompute)
		must(t, err)
		if !sameBits(got, want[:(i+1)*n]) {
			t.Fatalf("rows differ after token %d", i)
		}
	}
	closeStore(t, s)
	checkDir(t, dir)
	s = open(t, dir, quick)
	got, err := conversation(t, s, "a").Rows(t.Context(), 0, 20, mustNotRecompute)
	must(t, err)
	if !sameBits(got, want) {
		t.Fatal("rows from disk differ")
	}
	must(t, os.Remove(blockFiles(t, dir)[0]))
	s2 := open(t, dir, quick)
	c2 := conversation(t, s2, "a")
	got, err = c2.Rows(t.Context(), 0, 20, func(_ context.Context, ids []int) ([]float32, error) { return rows[:len(ids)*n], nil })
	must(t, err)
	if !sameBits(got, want) {
		t.Fatal("recomputed rows differ")
	}
}

// Everything at once, for the race detector. Errors are allowed only for what was taken away meanwhile.
func TestConcurrentUse(t *testing.T) {
	dir := t.TempDir()
	s, err := cache.Open(dir, cache.Options{Sync: cache.SyncNever, MaxMemory: 20 << 10, SweepGrace: 1, MaxDisk: 400 << 10, MaxConversationDisk: 20 << 10})
	must(t, err)
	allowed := func(err error) {
		for _, ok := range []error{nil, cache.ErrClosed, cache.ErrNotFound, cache.ErrExists, cache.ErrLocked} {
			if errors.Is(err, ok) {
				return
			}
		}
		t.Error(err)
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for g := range 16 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(g)))
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprint("c", rnd.IntN(4))
				c, err := s.Conversation(id)
				if err != nil {
					allowed(err)
					_, err = s.Create(id, small)
					allowed(err)
					continue
				}
				switch rnd.IntN(8) {
				case 0:
					allowed(c.AddEvent([]byte(`1`)))
				case 1:
					s.Prefix(small, seq(0, 30))
					_ = s.Status().String()
				case 2:
					allowed(second(s.List()))
				case 3:
					if rnd.IntN(4) == 0 {
						allowed(s.Delete(id))
					} else {
						allowed(s.Rename(id, id+"x"))
						allowed(s.Rename(id+"x", id))
					}
				case 4:
					switch rnd.IntN(3) {
					case 0:
						allowed(second(s.Sweep()))
					case 1:
						allowed(second(s.Purge(id)))
					default:
						if other, err := s.Conversation("c0"); err == nil {
							allowed(c.AppendFrom(other, 0, min(other.Len(), 3)))
						}
					}
				default:
					// Two goroutines may append at once, so the rows are those of the position only.
					allowed(c.Append(tokens(0, 7, 8, 9), make([]float32, 3*small.Rows*small.DModel)))
					n := c.Len()
					rows, err := c.Rows(t.Context(), n/2, n, func(_ context.Context, ids []int) ([]float32, error) {
						return make([]float32, len(ids)*small.Rows*small.DModel), nil
					})
					allowed(err)
					for _, v := range rows {
						if v != 0 {
							t.Error("wrong row")
						}
					}
				}
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	must(t, s.Close()) // in the middle of it
	close(stop)
	wg.Wait()
	must(t, s.Close())
	checkDir(t, dir)
}

// A conversation branches without a forward pass and without a block written twice, whatever the codec.
func TestBranchIsFree(t *testing.T) {
	for _, codec := range []cache.Codec{cache.CodecF16, cache.CodecF32, cache.CodecCompact} {
		dir := t.TempDir()
		opt := quick
		opt.Codec = codec
		s := open(t, dir, opt)
		a := create(t, s, "a")
		must(t, appendIDs(a, seq(0, 40)...))
		s.Settle()
		writes := s.Status().Disk.Writes
		for _, n := range []int{40, 35, 32, 20, 1} {
			b := create(t, s, fmt.Sprint("b", n))
			must(t, b.AppendFrom(a, 0, n))
			verify(t, b, seq(0, n), mustNotRecompute)
		}
		s.Settle()
		if st := s.Status(); st.Disk.Writes != writes {
			t.Errorf("%d blocks written, %d more for branches", writes, st.Disk.Writes-writes)
		}
		// Another beginning: the rows are copied as they are. That they do not belong there is the caller's business.
		c := create(t, s, "c")
		must(t, c.Append(tokens(0, 99), nil))
		must(t, c.AppendFrom(a, 0, 40))
		got, err := c.Rows(t.Context(), 16, 41, mustNotRecompute)
		must(t, err)
		if !sameBits(got, storedAs(codec, small, model(small, seq(0, 40)))[15*small.Rows*small.DModel:]) {
			t.Errorf("%s: rows differ", codec)
		}
		for _, bad := range [][2]int{{-1, 2}, {3, 2}, {0, 41}} {
			if c.AppendFrom(a, bad[0], bad[1]) == nil {
				t.Errorf("positions %v accepted", bad)
			}
		}
		closeStore(t, s)
		checkDir(t, dir)
	}
}

// Only some layers are stored; the others are computed, rounded as if they were.
func TestChosenLayers(t *testing.T) {
	dir := t.TempDir()
	opt := quick
	opt.Layers = []int{-1, 0}
	s := open(t, dir, opt)
	c := create(t, s, "a")
	must(t, appendIDs(c, seq(0, 20)...))
	if got := c.Info().Layers; len(got) != 2 || got[0] != 0 || got[1] != 2 {
		t.Errorf("layers %v", got)
	}
	closeStore(t, s)
	s = open(t, dir, quick) // a conversation keeps what it was made with
	c = conversation(t, s, "a")
	all := stored(small, model(small, seq(0, 20)))
	got, err := c.Layers(t.Context(), 0, 20, []int{2, 0}, mustNotRecompute)
	must(t, err)
	n, d := small.Rows*small.DModel, small.DModel
	for pos := range 20 {
		if !sameBits(got[pos*2*d:][:d], all[pos*n+2*d:][:d]) || !sameBits(got[pos*2*d+d:][:d], all[pos*n:][:d]) {
			t.Fatalf("rows of position %d differ", pos)
		}
	}
	_, err = c.Rows(t.Context(), 0, 20, nil)
	wantErr(t, err, cache.ErrMissing)
	verify(t, c, seq(0, 20), recompute(small))
	if _, err := c.Layers(t.Context(), 0, 1, []int{3}, nil); err == nil {
		t.Error("row 3 of 3 accepted")
	}
	closeStore(t, s)
	checkDir(t, dir)
	opt.Layers = []int{3}
	s = open(t, dir, opt)
	if _, err := s.Create("b", small); err == nil || !strings.Contains(err.Error(), "0..2") {
		t.Errorf("layer 3 of 3: %v", err)
	}
}

// While a conversation is renamed to and fro, others open it under both names, list and append. It keeps one value, which
// loses nothing.
func TestOneValueWhileRenamed(t *testing.T) {
	s := open(t, t.TempDir(), quick)
	c := create(t, s, "a")
	names := []string{"a", "b"}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var added atomic.Int64
	for g := range 4 {
		wg.Go(func() {
			for i := g; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				got, err := s.Conversation(names[i%2])
				switch {
				case errors.Is(err, cache.ErrNotFound):
					continue
				case err != nil:
					t.Error(err)
				case got != c:
					t.Errorf("%s is opened as a second value", names[i%2])
					return
				}
				if g == 0 {
					err = second(s.List())
				} else if err = got.Append(tokens(0, 7), nil); err == nil {
					added.Add(1)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 300 {
		must(t, s.Rename(names[i%2], names[1-i%2]))
	}
	close(stop)
	wg.Wait()
	if c.Len() != int(added.Load()) {
		t.Errorf("%d tokens, %d were appended", c.Len(), added.Load())
	}
	must(t, s.Close())
}
