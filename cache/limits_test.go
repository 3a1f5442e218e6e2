package cache_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/cache"
)

// diskSize is what the files of a cache really have.
func diskSize(t testing.TB, dir string) (n int64) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			info, err := e.Info()
			must(t, err)
			n += info.Size()
		}
		return err
	}))
	return n
}

func lockOf(t *testing.T, dir, id string) io.Closer {
	t.Helper()
	s, err := cache.Open(dir, quick)
	must(t, err)
	c, err := s.Conversation(id)
	must(t, err)
	must(t, c.AddEvent([]byte(`"open"`)))
	return s
}

// Beyond the limit of the folder, rows go in the order that is promised: what nobody names, then the least recently
// used, and never what is open here or elsewhere. What is gone is computed again, with the same bits.
func TestMaxDisk(t *testing.T) {
	dir := t.TempDir()
	sp := cache.Space{Model: "m", Rows: 4, DModel: 64}
	opt := cache.Options{Sync: cache.SyncNever, MemoryPolicy: cache.PolicyLRU, MaxMemory: 1, SweepGrace: 1}
	s := open(t, dir, opt)
	const n = 64 // tokens of each, 4 blocks
	for i := range 6 {
		c, err := s.Create(fmt.Sprint("c", i), sp)
		must(t, err)
		must(t, appendIDs(c, seq(1000*i, n)...))
	}
	s.Settle()
	perConversation := s.Status().Disk.Bytes / 6
	must(t, s.Delete("c5")) // its blocks are named by nobody now
	closeStore(t, s)
	for i := range 5 { // used in the order 3, 1, 0, 2, 4
		at := time.Now().Add(time.Duration([]int{-3, -4, -2, -5, -1}[i]) * time.Hour)
		for _, name := range []string{"", "/tokens.log"} {
			must(t, os.Chtimes(filepath.Join(dir, "conv", fmt.Sprint("c-c", i))+name, at, at))
		}
	}
	defer lockOf(t, dir, "c3").Close() // the oldest, but another process has it open
	must(t, os.Chtimes(filepath.Join(dir, "conv/c-c3"), time.Unix(0, 0), time.Unix(0, 0)))

	opt.MaxDisk = 15*perConversation/2 + s.Status().Disk.LogBytes
	s = open(t, dir, opt)
	left := func(id string) int {
		c, n := conversation(t, s, id), 0
		for at := 0; at < 64; at += 16 {
			if _, err := c.Rows(t.Context(), at, at+1, nil); err == nil {
				n++
			}
		}
		return n
	}
	fresh, err := s.Create("new", sp)
	must(t, err)
	must(t, appendIDs(fresh, seq(9000, n)...))
	s.Settle()
	if st := s.Status(); st.Disk.Evicted != 0 || st.Disk.Blocks != 24 {
		t.Errorf("the blocks of nobody were to be enough: %+v", st.Disk)
	}
	more, err := s.Create("more", sp)
	must(t, err)
	must(t, appendIDs(more, seq(9900, 2*n)...))
	s.Settle()
	st := s.Status()
	if total := diskSize(t, dir); total > opt.MaxDisk || st.Disk.Evicted == 0 || st.Disk.EvictedBytes == 0 || st.Disk.MaxBytes != opt.MaxDisk {
		t.Errorf("%d bytes with a limit of %d: %+v", total, opt.MaxDisk, st.Disk)
	}
	if !strings.Contains(st.String(), "evicted") {
		t.Errorf("status %v", st)
	}
	for id, want := range map[string]int{"c1": 0, "c3": 4, "c2": 4, "c4": 4, "new": 4, "more": 8} {
		if got := left(id); got != min(want, 4) {
			t.Errorf("%s has %d blocks left, want %d", id, got, want)
		}
	}
	c1 := conversation(t, s, "c1")
	verify(t, c1, seq(1000, n), recompute(sp))
	closeStore(t, s)
	checkDir(t, dir)
}

// When all is open, the limit holds all the same: rows are not stored, tokens are.
func TestMaxDiskHoldsWhenAllIsOpen(t *testing.T) {
	dir := t.TempDir()
	opt := cache.Options{Sync: cache.SyncNever, MemoryPolicy: cache.PolicyLRU, MaxMemory: 1, MaxDisk: 20 << 10}
	s := open(t, dir, opt)
	sp := cache.Space{Model: "m", Rows: 4, DModel: 64}
	c, err := s.Create("a", sp)
	must(t, err)
	for range 20 {
		must(t, appendIDs(c, seq(c.Len(), 16)...))
	}
	s.Settle()
	st := s.Status()
	if got := diskSize(t, dir); got > opt.MaxDisk+16<<10 || st.Disk.Denied == 0 || st.Degraded != "" {
		t.Errorf("%d bytes with a limit of %d: %v", got, opt.MaxDisk, st)
	}
	verify(t, c, seq(0, 320), recompute(sp))
	if got := diskSize(t, dir); got > opt.MaxDisk+16<<10 {
		t.Errorf("%d bytes after recomputing", got)
	}
	closeStore(t, s)
	checkDir(t, dir)
}

// A conversation that is too large gives up its first rows, but not those that another one shares.
func TestMaxConversationDisk(t *testing.T) {
	dir := t.TempDir()
	sp := cache.Space{Model: "m", Rows: 4, DModel: 64}
	opt := cache.Options{Sync: cache.SyncNever, MemoryPolicy: cache.PolicyLRU, MaxMemory: 1, MaxConversationDisk: 60 << 10}
	s := open(t, dir, opt)
	a, err := s.Create("a", sp)
	must(t, err)
	must(t, appendIDs(a, seq(0, 16)...))
	b, err := s.Create("b", sp)
	must(t, err)
	must(t, b.AppendFrom(a, 0, 16))
	for range 15 {
		must(t, appendIDs(a, seq(a.Len(), 16)...))
	}
	s.Settle()
	st := s.Status()
	const limit = 60<<10 + 7<<10/2 // half of a block is borne by b
	if st.Disk.Bytes > limit || st.Disk.Evicted == 0 {
		t.Errorf("%+v", st.Disk)
	}
	has := func(c *cache.Conversation, pos int) bool {
		_, err := c.Rows(t.Context(), pos, pos+1, nil)
		return err == nil
	}
	if !has(a, 0) || !has(b, 0) || has(a, 16) || !has(a, 255) {
		t.Error("other blocks were evicted than the first that is not shared")
	}
	verify(t, a, seq(0, 256), recompute(sp))
	if got := s.Status().Disk.Bytes; got > limit {
		t.Errorf("%d bytes after recomputing", got)
	}
	closeStore(t, s)
	checkDir(t, dir)
}

// However many conversations are written to, few files are open, and each goes on where it was.
func TestManyWriters(t *testing.T) {
	fs := cache.NewMemFS()
	s := openDisk(t, fs, quick)
	for round := range 2 {
		for i := range 100 {
			id := fmt.Sprint("c", i)
			if round == 0 {
				create(t, s, id)
			}
			must(t, appendIDs(conversation(t, s, id), seq(round*3, 3)...))
		}
	}
	if n := fs.OpenFiles(); n > 3*64 {
		t.Errorf("%d files and locks are open", n)
	}
	for i := range 100 {
		verify(t, conversation(t, s, fmt.Sprint("c", i)), seq(0, 6), mustNotRecompute)
	}
	closeStore(t, s)
	checkDisk(t, fs)
	if n := fs.OpenFiles(); n != 0 {
		t.Errorf("%d files left open", n)
	}
}

// noise has rows as compressible as those of a trained model: normal values, a few large dimensions.
func noise(sp cache.Space, seed uint64, n int) []float32 {
	rnd := rand.New(rand.NewPCG(seed, 1))
	out := make([]float32, n*sp.Rows*sp.DModel)
	for i := range out {
		out[i] = float32(rnd.NormFloat64())
		if i%sp.DModel < 3 {
			out[i] *= 60
		}
	}
	return out
}

// The estimate that is told before a conversation is made is within one percent of what its files have.
func TestEstimate(t *testing.T) {
	sp := cache.Space{Model: "m", Rows: 5, DModel: 128}
	for _, codec := range []cache.Codec{cache.CodecF16, cache.CodecF32, cache.CodecCompact} {
		for _, layers := range [][]int{nil, {0, -1}} {
			dir := t.TempDir()
			opt := cache.Options{Sync: cache.SyncNever, Codec: codec, Layers: layers}
			s := open(t, dir, opt)
			first, err := s.Estimate(sp, 1000, "", cache.Sample{})
			must(t, err)
			sampled, err := s.Estimate(sp, 500, "", cache.Sample{Resid: noise(sp, 77, 64), Record: 303})
			must(t, err)
			add := func(id string, seed uint64, n int) {
				c, err := s.Create(id, sp)
				must(t, err)
				toks := make([]cache.Token, n)
				for i := range toks {
					toks[i] = cache.Token{ID: i + 10000*int(seed), Record: make([]byte, 300+i%7)}
				}
				must(t, c.Append(toks, noise(sp, seed, n)))
				s.Settle()
			}
			add("sample", 1, 100)
			for _, n := range []int{500, 133} {
				before := diskSize(t, dir)
				e, err := s.Estimate(sp, n, "", cache.Sample{})
				must(t, err)
				add(fmt.Sprint("c", n), uint64(n), n)
				got := diskSize(t, dir) - before
				if off := float64(e.Bytes)/float64(got) - 1; off < -0.01 || off > 0.01 || !e.Measured || first.Measured {
					t.Errorf("%s, layers %v, %d tokens: estimated %v, took %d (%.2f%%)", codec, layers, n, e, got, 100*off)
				}
				if off := float64(sampled.Bytes)/float64(got) - 1; n == 500 && (off < -0.01 || off > 0.01 || !sampled.Sampled || sampled.Measured) {
					t.Errorf("%s, layers %v: %v from a sample, took %d (%.2f%%)", codec, layers, sampled, got, 100*off)
				}
				if off := float64(first.Rows)/float64(e.Rows)*float64(n)/1000 - 1; off < -0.2 || off > 0.2 {
					t.Errorf("%s: %v without a sample, %v with one", codec, first, e)
				}
			}
		}
	}
	s := open(t, t.TempDir(), quick)
	for _, err := range []error{second(s.Estimate(cache.Space{}, 1, "", cache.Sample{})), second(s.Estimate(sp, -1, "", cache.Sample{})),
		second(s.Estimate(sp, 1, "zip", cache.Sample{})), second(s.Estimate(sp, 1, "", cache.Sample{Resid: make([]float32, 3)}))} {
		if err == nil {
			t.Error("nonsense estimated")
		}
	}
}

// Blocks in memory make way for what else the process holds.
func TestProcessMemory(t *testing.T) {
	for _, policy := range []string{cache.PolicyLRU, cache.PolicyRistretto} {
		cache.TryBudget(t, policy)
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	open(t, t.TempDir(), cache.Options{ProcessMemory: 3 << 30})
	if got := debug.SetMemoryLimit(-1); got != 3<<30 {
		t.Errorf("the limit of the process is %d", got)
	}
}

// A conversation bears of the rows that it shares with others its part only.
func TestSharedRowsAreBorneTogether(t *testing.T) {
	sp := cache.Space{Model: "m", Rows: 4, DModel: 64}
	const blockSize = 7 << 10
	opt := cache.Options{Sync: cache.SyncNever, MemoryPolicy: cache.PolicyLRU, MaxConversationDisk: 10 * blockSize}
	s := open(t, t.TempDir(), opt)
	a, err := s.Create("a", sp)
	must(t, err)
	must(t, appendIDs(a, seq(0, 8*16)...))
	b, err := s.Create("b", sp)
	must(t, err)
	must(t, b.AppendFrom(a, 0, 8*16))
	for i := range 4 { // 8 blocks in common and 4 of its own: 8 to bear
		must(t, appendIDs(b, seq(5000+16*i, 16)...))
	}
	s.Settle()
	if st := s.Status(); st.Disk.Blocks != 12 || st.Disk.Evicted+st.Disk.Denied != 0 {
		t.Errorf("%+v", st.Disk)
	}
	for i := range 8 {
		must(t, appendIDs(b, seq(6000+16*i, 16)...))
	}
	s.Settle()
	if st := s.Status(); st.Disk.Evicted == 0 || st.Disk.Blocks < 8 {
		t.Errorf("%+v", st.Disk)
	}
	verify(t, a, seq(0, 8*16), mustNotRecompute) // what others share is not evicted
	verify(t, b, b.Tokens(), recompute(sp))
}
