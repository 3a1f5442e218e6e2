package cache_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/cache"
)

// faultMode says which operations are counted and what happens to the n-th.
type faultMode struct {
	name    string
	counts  func(op string) bool
	err     error
	forever bool // all later ones fail too
	short   bool
	power   bool // forever, and then the power is lost
}

func all(string) bool { return true }

func writes(op string) bool {
	return slices.Contains([]string{"create", "mkdir", "rename", "remove", "remove all", "touch", "truncate", "write", "sync", "sync folder"}, op)
}

var faultModes = []faultMode{
	{name: "error", counts: all, err: syscall.EIO},
	{name: "short write", counts: func(op string) bool { return op == "write" }, err: syscall.ENOSPC, short: true},
	{name: "failed sync", counts: func(op string) bool { return strings.HasPrefix(op, "sync") }, err: syscall.EIO},
	{name: "disk full", counts: func(op string) bool { return op == "create" || op == "mkdir" || op == "write" }, err: syscall.ENOSPC, forever: true, short: true},
	{name: "read-only", counts: writes, err: syscall.EROFS, forever: true},
	{name: "power cut", counts: all, err: syscall.EIO, forever: true, power: true},
}

// trial is one session on a disk that fails at a given operation.
type trial struct {
	t      *testing.T
	fs     *cache.MemFS
	s      *cache.Store
	opt    cache.Options
	ids    []int  // of conversation a, all acknowledged
	events int    // of it
	safe   int    // tokens of it that were called durable
	moved  bool   // b was acknowledged to be c
	gone   bool   // c was acknowledged to be deleted
	hit    bool   // the fault happened
	what   string // for messages
}

func newTrial(t *testing.T, mode faultMode, opt cache.Options, n int) *trial {
	tr := &trial{t: t, fs: cache.NewMemFS(), opt: opt, what: fmt.Sprintf("%s at operation %d", mode.name, n)}
	s, err := cache.OpenDisk(tr.fs, opt)
	must(t, err)
	s.SetWaits(time.Minute, time.Hour) // nothing by itself: trials are to be the same each time
	tr.s = s
	tr.fs.Short = mode.short
	left := n
	tr.fs.Fault = func(op, _ string) error {
		switch {
		case tr.hit && mode.forever && mode.counts(op):
			return mode.err
		case tr.hit || !mode.counts(op):
			return nil
		case left > 0:
			left--
			return nil
		}
		tr.hit = true
		return mode.err
	}
	return tr
}

func (tr *trial) fail(format string, args ...any) {
	tr.t.Helper()
	tr.t.Fatalf("%s: %s", tr.what, fmt.Sprintf(format, args...))
}

// add appends n tokens to a and looks at all of it.
func (tr *trial) add(c *cache.Conversation, n int) {
	tr.t.Helper()
	if err := appendIDs(c, seq(len(tr.ids), n)...); err != nil {
		tr.fail("append: %v", err)
	}
	tr.ids = seq(0, len(tr.ids)+n)
	tr.look(c)
}

func (tr *trial) look(c *cache.Conversation) {
	tr.t.Helper()
	verify(tr.t, c, tr.ids, recompute(small))
	info := c.Info()
	if info.Durable > info.Saved || info.Saved > info.Tokens {
		tr.fail("%+v", info)
	}
	if st := tr.s.Status(); info.Saved < info.Tokens && (st.Degraded == "" || st.UnsavedTokens == 0 || strings.Contains(st.Degraded, "\n")) {
		tr.fail("%d of %d tokens are saved, but the status is %v", info.Saved, info.Tokens, st)
	}
	tr.safe = max(tr.safe, info.Durable)
}

// session goes through what a store does. Whatever fails, chat goes on.
func (tr *trial) session() {
	t, s := tr.t, tr.s
	c, err := s.Create("a", small)
	if err != nil {
		tr.fail("create: %v", err)
	}
	tr.add(c, 3)
	if err := c.AddEvent([]byte(`"turn"`)); err != nil {
		tr.fail("event: %v", err)
	}
	tr.events++
	tr.add(c, 14)
	b, err := s.Create("b", small)
	if err != nil {
		tr.fail("create: %v", err)
	}
	if err := appendIDs(b, seq(0, 18)...); err != nil {
		tr.fail("append: %v", err)
	}
	tr.add(c, 20)
	healthy := func() bool { return s.Status().Degraded == "" } // else names may be changed in memory only
	tr.moved = s.Rename("b", "c") == nil && healthy()
	tr.add(c, 1)
	tr.gone = s.Delete("c") == nil && tr.moved && healthy()
	s.Sweep()
	s.Prefix(small, seq(0, 5))
	tr.add(c, 16)
	tr.add(c, 40) // more blocks at once than may wait
	verify(t, c, tr.ids, recompute(small))
}

// after looks at the disk as the next process finds it.
func (tr *trial) after(fs *cache.MemFS, least int) {
	tr.t.Helper()
	s, err := cache.OpenDisk(fs, tr.opt)
	if err != nil {
		tr.fail("opening again: %v", err)
	}
	c, err := s.Conversation("a")
	switch {
	case errors.Is(err, cache.ErrNotFound) && least == 0:
	case err != nil:
		tr.fail("opening again: %v", err)
	default:
		if c.Len() < least || c.Len() > len(tr.ids) {
			tr.fail("%d tokens were to be there, %d are", least, c.Len())
		}
		verify(tr.t, c, seq(0, c.Len()), recompute(small))
		if least == len(tr.ids) && len(c.Events()) != tr.events {
			tr.fail("%d events of %d", len(c.Events()), tr.events)
		}
		if err := appendIDs(c, c.Len()); err != nil {
			tr.fail("going on: %v", err)
		}
		verify(tr.t, c, seq(0, c.Len()), recompute(small))
	}
	if _, err := s.Conversation("b"); tr.moved && !errors.Is(err, cache.ErrNotFound) {
		tr.fail("b is back: %v", err)
	}
	if _, err := s.Conversation("c"); tr.gone && !errors.Is(err, cache.ErrNotFound) {
		tr.fail("c is back: %v", err)
	}
	if tr.opt.Sync == cache.SyncBlock { // leaves blocks to the system: a loss of power may have torn some that nobody reads
		if _, err := s.Repair(tr.t.Context(), recompute, nil); err != nil {
			tr.fail("repair: %v", err)
		}
	}
	if err := s.Close(); err != nil {
		tr.fail("closing: %v", err)
	}
	for _, p := range cache.CheckDisk(fs) {
		tr.fail("check: %v", p)
	}
}

// Every single operation of a session fails in turn, in every way. Chat goes on, what is read is right to the bit, what
// was called durable is there after the power is cut at any point, and when the disk is well again all is saved.
func TestEveryOperationFails(t *testing.T) {
	for _, mode := range faultModes {
		for _, sync := range []cache.SyncPolicy{cache.SyncBlock, cache.SyncAlways} {
			opt := cache.Options{MemoryPolicy: cache.PolicyLRU, Sync: sync, SweepGrace: 1}
			runs := 0
			step := 1
			if testing.Short() {
				step = 7
			}
			for n := 0; ; n += step {
				tr := newTrial(t, mode, opt, n)
				tr.session()
				if !tr.hit {
					must(t, tr.s.Close())
					break
				}
				runs++
				// The power may be cut now; names and half-written bytes may have survived or not.
				for _, how := range [][2]bool{{false, false}, {true, false}, {true, true}} {
					tr.after(tr.fs.Crash(how[0], how[1]), tr.safe)
				}
				if mode.power {
					err := tr.s.Close()
					if err != nil && (strings.Contains(err.Error(), "\n") || !errors.Is(err, syscall.EIO)) {
						tr.fail("close: %v", err)
					}
				} else {
					tr.fs.Fault = nil // the disk is well again
					tr.s.Retry()
					if st := tr.s.Status(); st.Degraded != "" || st.UnsavedTokens != 0 {
						tr.fail("still degraded: %v", st)
					}
					must(t, tr.s.Close())
					tr.after(tr.fs, len(tr.ids))
				}
				if n := tr.fs.OpenFiles(); n != 0 {
					tr.fail("%d files left open", n)
				}
			}
			t.Logf("%s, sync policy %d: %d faults", mode.name, sync, runs)
			if runs*step < 10 {
				t.Errorf("%s: only %d faults: the disk is not asked", mode.name, runs)
			}
		}
	}
}

// A closed store that could not save says so, and the next process finds what was saved before.
func TestCloseSaysWhatIsLost(t *testing.T) {
	fs := cache.NewMemFS()
	s, err := cache.OpenDisk(fs, quick)
	must(t, err)
	s.SetWaits(time.Minute, time.Hour)
	c := create(t, s, "a")
	must(t, appendIDs(c, seq(0, 5)...))
	fs.Fault = func(op, _ string) error {
		if op == "write" || op == "create" {
			return syscall.ENOSPC
		}
		return nil
	}
	must(t, appendIDs(c, 5, 6))
	if i := c.Info(); i.Saved != 5 || i.Tokens != 7 {
		t.Errorf("%+v", i)
	}
	st := s.Status()
	for _, part := range []string{"degraded: conversation a", "no space left on device", "only in memory: 2 tokens"} {
		if !strings.Contains(st.String(), part) {
			t.Errorf("status %q does not say %q", st, part)
		}
	}
	err = s.Close()
	if !errors.Is(err, cache.ErrUnsaved) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "conversation a: 2 tokens") {
		t.Errorf("close: %v", err)
	}
	fs.Fault = nil
	s, err = cache.OpenDisk(fs, quick)
	must(t, err)
	verify(t, conversation(t, s, "a"), seq(0, 5), mustNotRecompute)
	must(t, s.Close())
}

// slowDisk hangs in writes, and when blocks are opened, until it is told to answer.
type slowDisk struct {
	cache.Filesystem
	hang   atomic.Bool
	answer chan struct{}
	opened atomic.Int64 // blocks
}

func openCounted(t *testing.T, dir string, opt cache.Options) (*cache.Store, *slowDisk) {
	slow := &slowDisk{answer: make(chan struct{})}
	s, err := cache.OpenOn(dir, opt, func(d cache.Filesystem) cache.Filesystem {
		slow.Filesystem = d
		return slow
	})
	must(t, err)
	return s, slow
}

func (d *slowDisk) Open(name string) (cache.File, error) {
	if strings.HasPrefix(name, "blocks/") {
		d.opened.Add(1)
		if d.hang.Load() {
			<-d.answer
		}
	}
	return d.Filesystem.Open(name)
}

type slowFile struct {
	cache.File
	d *slowDisk
}

func (d *slowDisk) OpenWrite(name string, excl bool) (cache.File, error) {
	f, err := d.Filesystem.OpenWrite(name, excl)
	if err != nil {
		return nil, err
	}
	return slowFile{f, d}, nil
}

func (f slowFile) WriteAt(p []byte, off int64) (int, error) {
	if f.d.hang.Load() {
		<-f.d.answer
	}
	return f.File.WriteAt(p, off)
}

// A disk that does not answer holds nobody up for long; what waits is saved when it answers.
func TestSlowDisk(t *testing.T) {
	fs := cache.NewMemFS()
	s, err := cache.OpenDisk(fs, quick)
	must(t, err)
	s.SetWaits(5*time.Millisecond, time.Hour)
	c := create(t, s, "a")
	must(t, appendIDs(c, seq(0, 5)...))
	slow := &slowDisk{Filesystem: fs, answer: make(chan struct{})}
	closeStore(t, s)
	s, err = cache.OpenDisk(slow, quick)
	must(t, err)
	s.SetWaits(5*time.Millisecond, time.Hour)
	c = conversation(t, s, "a")
	must(t, appendIDs(c, 5))
	slow.hang.Store(true)
	for i := 6; i < 40; i++ {
		must(t, appendIDs(c, i))
		verify(t, c, seq(0, i+1), mustNotRecompute)
	}
	if st := s.Status(); !strings.Contains(st.Degraded, "slow") || st.UnsavedTokens == 0 {
		t.Errorf("status %v", st)
	}
	slow.hang.Store(false)
	close(slow.answer)
	for c.Info().Saved != 40 {
		time.Sleep(time.Millisecond)
		must(t, c.AddEvent([]byte(`1`)))
	}
	if st := s.Status(); st.Degraded != "" || st.UnsavedTokens != 0 {
		t.Errorf("status %v", st)
	}
	must(t, s.Close())
	s, err = cache.OpenDisk(fs, quick)
	must(t, err)
	verify(t, conversation(t, s, "a"), seq(0, 40), mustNotRecompute)
	must(t, s.Close())
}

// A folder that is deleted under a running store is written anew with all that is in memory.
func TestFolderVanishes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	s := open(t, dir, cache.Options{MemoryPolicy: cache.PolicyLRU})
	s.SetWaits(time.Minute, time.Millisecond)
	a, b := create(t, s, "a"), create(t, s, "b")
	must(t, appendIDs(a, seq(0, 20)...))
	must(t, appendIDs(b, seq(0, 3)...))
	must(t, b.AddEvent([]byte(`2`)))
	must(t, os.RemoveAll(dir))
	must(t, appendIDs(a, seq(20, 20)...)) // seals a block, which fails
	deadline := time.Now().Add(10 * time.Second)
	for s.Status().Degraded != "" || s.Status().UnsavedTokens > 0 || a.Info().Saved < 40 {
		if time.Now().After(deadline) {
			t.Fatalf("status %v", s.Status())
		}
		time.Sleep(time.Millisecond)
	}
	verify(t, a, seq(0, 40), recompute(small))
	closeStore(t, s)
	checkDir(t, dir)
	s = open(t, dir, quick)
	verify(t, conversation(t, s, "a"), seq(0, 40), recompute(small))
	b = conversation(t, s, "b")
	verify(t, b, seq(0, 3), mustNotRecompute)
	if len(b.Events()) != 1 {
		t.Errorf("events %v", b.Events())
	}
}

// A folder that cannot be written is read, and what is new waits in memory.
func TestReadOnlyFolder(t *testing.T) {
	fs := cache.NewMemFS()
	s, err := cache.OpenDisk(fs, quick)
	must(t, err)
	must(t, appendIDs(create(t, s, "a"), seq(0, 20)...))
	must(t, s.Close())
	fs.Fault = func(op, _ string) error {
		if writes(op) || op == "lock" {
			return syscall.EROFS
		}
		return nil
	}
	s, err = cache.OpenDisk(fs, quick)
	must(t, err)
	s.SetWaits(time.Minute, time.Hour)
	if st := s.Status(); !strings.Contains(st.Degraded, "read-only") {
		t.Errorf("status %v", st)
	}
	c := conversation(t, s, "a")
	verify(t, c, seq(0, 20), mustNotRecompute)
	must(t, appendIDs(c, seq(20, 20)...))
	verify(t, c, seq(0, 40), mustNotRecompute)
	n := create(t, s, "new")
	must(t, appendIDs(n, 1, 2))
	if conversation(t, s, "new") != n {
		t.Error("a conversation in memory is not found")
	}
	_, err = s.Create("new", small)
	wantErr(t, err, cache.ErrExists)
	_, err = s.Create("a", small)
	wantErr(t, err, cache.ErrExists)
	wantErr(t, s.Rename("new", "a"), cache.ErrExists)
	must(t, s.Rename("new", "newer"))
	list, err := s.List()
	must(t, err)
	if len(list) != 2 || s.Status().Conversations != 2 {
		t.Errorf("list %v", list)
	}
	must(t, appendIDs(create(t, s, "brief"), 1))
	must(t, s.Delete("brief"))
	fs.Fault = nil
	s.Retry()
	if st := s.Status(); st.Degraded != "" || st.UnsavedTokens != 0 {
		t.Errorf("status %v", st)
	}
	must(t, s.Close())
	s, err = cache.OpenDisk(fs, quick)
	must(t, err)
	verify(t, conversation(t, s, "a"), seq(0, 40), mustNotRecompute)
	verify(t, conversation(t, s, "newer"), []int{1, 2}, mustNotRecompute)
	_, err = s.Conversation("brief")
	wantErr(t, err, cache.ErrNotFound)
	must(t, s.Close())
}

// What another process did meanwhile is not written over: both stay.
func TestOutageWithTwoProcesses(t *testing.T) {
	fs := cache.NewMemFS()
	ours, err := cache.OpenDisk(fs, quick)
	must(t, err)
	ours.SetWaits(time.Minute, time.Hour)
	must(t, appendIDs(create(t, ours, "a"), 1, 2))
	must(t, ours.Close())
	ours, err = cache.OpenDisk(fs, quick)
	must(t, err)
	ours.SetWaits(time.Minute, time.Hour)
	a := conversation(t, ours, "a")
	fs.Fault = func(string, string) error { return syscall.EIO }
	must(t, appendIDs(a, 3))
	b := create(t, ours, "b")
	must(t, appendIDs(b, 4))
	fs.Fault = nil
	theirs, err := cache.OpenDisk(fs, quick)
	must(t, err)
	must(t, appendIDs(conversation(t, theirs, "a"), 5))
	must(t, appendIDs(create(t, theirs, "b"), 6))
	must(t, theirs.Close())
	ours.Retry()
	if a.ID() != "a~1" || b.ID() != "b~1" || len(ours.Status().OpenReports) != 2 {
		t.Errorf("ids %s, %s, status %v", a.ID(), b.ID(), ours.Status())
	}
	must(t, ours.Close())
	s, err := cache.OpenDisk(fs, quick)
	must(t, err)
	for id, want := range map[string][]int{"a": {1, 2, 5}, "b": {6}, "a~1": {1, 2, 3}, "b~1": {4}} {
		if got := conversation(t, s, id).Tokens(); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", id, got, want)
		}
	}
	must(t, s.Close())
	for _, p := range cache.CheckDisk(fs) {
		t.Error(p)
	}
}
