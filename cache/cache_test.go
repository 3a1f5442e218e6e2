package cache_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/cache"
)

// Whatever the sizes of the appends, what is read later is what was appended, in this process and in the next.
func TestAppendAndReopen(t *testing.T) {
	for _, sync := range []cache.SyncPolicy{cache.SyncBlock, cache.SyncAlways, cache.SyncNever} {
		for _, policy := range []string{cache.PolicyRistretto, cache.PolicyLRU} {
			dir := t.TempDir()
			opt := cache.Options{Sync: sync, MemoryPolicy: policy}
			s := open(t, dir, opt)
			c := create(t, s, "chat")
			var ids []int
			for _, n := range []int{1, 14, 1, 16, 5, 40, 1, 3} {
				more := seq(len(ids)*7, n)
				must(t, appendIDs(c, more...))
				ids = append(ids, more...)
				verify(t, c, ids, mustNotRecompute)
			}
			must(t, c.AddEvent(json.RawMessage(`{"turn":1}`)))
			must(t, appendIDs(c, 5))
			ids = append(ids, 5)
			closeStore(t, s)
			checkDir(t, dir)

			s = open(t, dir, opt)
			c = conversation(t, s, "chat")
			verify(t, c, ids, mustNotRecompute)
			if e := c.Events(); len(e) != 1 || e[0].At != len(ids)-1 || string(e[0].Data) != `{"turn":1}` {
				t.Errorf("events are %v", e)
			}
			must(t, appendIDs(c, 6, 7))
			verify(t, c, append(ids, 6, 7), mustNotRecompute)
			if st := s.Status(); st.RecomputedTokens != 0 || st.Degraded != "" || len(st.OpenReports) != 0 {
				t.Errorf("status %+v", st)
			}
			closeStore(t, s)
			checkDir(t, dir)
		}
	}
}

func TestWindows(t *testing.T) {
	s := open(t, t.TempDir(), quick)
	c := create(t, s, "")
	ids := seq(1, 50)
	must(t, appendIDs(c, ids...))
	all := stored(small, model(small, ids))
	n := small.Rows * small.DModel
	for from := 0; from <= 50; from++ {
		for to := from; to <= 50; to += 1 + (to-from)/3 {
			got, err := c.Rows(t.Context(), from, to, mustNotRecompute)
			must(t, err)
			if !sameBits(got, all[from*n:to*n]) {
				t.Fatalf("rows %d..%d differ", from, to)
			}
		}
	}
	for _, bad := range [][2]int{{-1, 2}, {3, 2}, {0, 51}} {
		if _, err := c.Rows(t.Context(), bad[0], bad[1], nil); err == nil {
			t.Errorf("positions %v accepted", bad)
		}
	}
	for _, pos := range []int{-1, 50} {
		if _, err := c.Record(pos); err == nil {
			t.Errorf("record %d accepted", pos)
		}
	}
}

func TestBadAppends(t *testing.T) {
	s := open(t, t.TempDir(), quick)
	c := create(t, s, "a")
	one := make([]float32, small.Rows*small.DModel)
	for name, err := range map[string]error{
		"short rows":   c.Append(tokens(0, 1), one[1:]),
		"negative id":  c.Append(tokens(0, -1), one),
		"large id":     c.Append(tokens(0, 1<<31), one),
		"large record": c.Append([]cache.Token{{ID: 1, Record: make([]byte, cache.MaxRecord+1)}}, one),
		"not JSON":     c.AddEvent(json.RawMessage(`{`)),
	} {
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if c.Len() != 0 || len(c.Events()) != 0 {
		t.Error("a refused append left something")
	}
	must(t, c.Append([]cache.Token{{ID: 1<<31 - 1, Record: make([]byte, cache.MaxRecord)}}, one))
}

// Tokens without rows are known, and computed when asked for.
func TestTokensWithoutRows(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, quick)
	c := create(t, s, "a")
	must(t, appendIDs(c, seq(0, 10)...))
	must(t, c.Append(tokens(10, 10), nil))
	_, err := c.Rows(t.Context(), 8, 11, nil)
	wantErr(t, err, cache.ErrMissing)
	verify(t, c, seq(0, 11), recompute(small))
	must(t, appendIDs(c, seq(11, 10)...))
	verify(t, c, seq(0, 21), mustNotRecompute)
	closeStore(t, s)
	checkDir(t, dir)
}

func TestNames(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, quick)
	a := create(t, s, "a")
	create(t, s, "A") // differs even where file names ignore case
	_, err := s.Create("a", small)
	wantErr(t, err, cache.ErrExists)
	must(t, appendIDs(a, 1, 2, 3))
	must(t, s.Rename("a", "b"))
	if a.ID() != "b" {
		t.Errorf("id is %s after renaming", a.ID())
	}
	must(t, appendIDs(a, 4))
	_, err = s.Conversation("a")
	wantErr(t, err, cache.ErrNotFound)
	wantErr(t, s.Rename("b", "A"), cache.ErrExists)
	wantErr(t, s.Rename("nobody", "x"), cache.ErrNotFound)
	wantErr(t, s.Delete("nobody"), cache.ErrNotFound)
	verify(t, conversation(t, s, "b"), []int{1, 2, 3, 4}, mustNotRecompute)
	list, err := s.List()
	must(t, err)
	if len(list) != 2 || list[0].ID != "b" || list[0].Tokens != 4 || list[0].Space != small || list[1].ID != "A" {
		t.Errorf("list is %+v", list)
	}
	must(t, s.Delete("b"))
	wantErr(t, appendIDs(a, 5), cache.ErrNotFound)
	_, err = a.Rows(t.Context(), 0, 1, nil)
	wantErr(t, err, cache.ErrNotFound)
	again := create(t, s, "b")
	if again.Len() != 0 {
		t.Error("a new conversation has the tokens of a deleted one")
	}
	made := create(t, s, "")
	if conversation(t, s, made.ID()) != made {
		t.Error("the same conversation twice")
	}
	closeStore(t, s)
	checkDir(t, dir)
	for _, id := range []string{"", ".", "..", ".hidden", "a/b", "../../etc", "a\x00", "ä", strings.Repeat("x", 65), "a b", `a\b`} {
		if id != "" {
			if _, err := open(t, dir, quick).Create(id, small); err == nil {
				t.Errorf("id %q accepted", id)
			}
		}
		if _, err := open(t, dir, quick).Conversation(id); err == nil {
			t.Errorf("id %q found", id)
		}
	}
}

func TestPrefix(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, quick)
	other := small
	other.Model = "another"
	x, err := s.Create("other", other)
	must(t, err)
	must(t, appendIDs(x, seq(0, 40)...))
	must(t, appendIDs(create(t, s, "short"), seq(0, 5)...))
	must(t, appendIDs(create(t, s, "long"), seq(0, 20)...))
	must(t, appendIDs(create(t, s, "long2"), append(seq(0, 20), 99)...))
	for range 2 { // the second time from disk
		c, n := s.Prefix(small, seq(0, 30))
		if c == nil || n != 20 || c.ID() != "long2" {
			t.Fatalf("prefix is %v, %d", c, n)
		}
		verify(t, c, append(seq(0, 20), 99), mustNotRecompute)
		if c, n := s.Prefix(small, []int{0, 1, 77}); n != 2 || c == nil {
			t.Errorf("prefix is %v, %d", c, n)
		}
		if c, n := s.Prefix(small, []int{5}); n != 0 || c != nil {
			t.Errorf("prefix is %v, %d", c, n)
		}
		closeStore(t, s)
		s = open(t, dir, quick)
	}
	// Another process appends and the index follows.
	s2 := open(t, dir, quick)
	must(t, appendIDs(conversation(t, s2, "short"), seq(5, 20)...))
	if c, n := s.Prefix(small, seq(0, 30)); n != 25 || c.ID() != "short" {
		t.Errorf("prefix is %v, %d", c, n)
	}
}

// Two stores on one folder stand for two processes: locks belong to open files.
func TestTwoProcesses(t *testing.T) {
	dir := t.TempDir()
	s1, s2 := open(t, dir, quick), open(t, dir, quick)
	c1 := create(t, s1, "chat")
	must(t, appendIDs(c1, seq(0, 20)...))
	c2 := conversation(t, s2, "chat")
	verify(t, c2, seq(0, 20), mustNotRecompute)
	err := appendIDs(c2, 20)
	wantErr(t, err, cache.ErrLocked)
	if !strings.Contains(err.Error(), "chat") || !strings.Contains(err.Error(), "another process") {
		t.Errorf("error is %v", err)
	}
	wantErr(t, s2.Delete("chat"), cache.ErrLocked)
	wantErr(t, s2.Rename("chat", "x"), cache.ErrLocked)
	must(t, appendIDs(c1, seq(20, 15)...))
	must(t, c1.AddEvent(json.RawMessage(`1`)))
	if again := conversation(t, s2, "chat"); again != c2 {
		t.Error("a second value for one conversation")
	}
	verify(t, c2, seq(0, 35), mustNotRecompute)
	if len(c2.Events()) != 1 {
		t.Error("event of the other process not seen")
	}
	must(t, appendIDs(c1, 35))
	closeStore(t, s1)

	// c2 has not seen token 35, so what it would append belongs elsewhere.
	wantErr(t, appendIDs(c2, 35), cache.ErrChanged)
	verify(t, c2, seq(0, 36), mustNotRecompute)
	must(t, appendIDs(c2, 36))
	verify(t, c2, seq(0, 37), mustNotRecompute)

	s3 := open(t, dir, quick)
	c3 := conversation(t, s3, "chat")
	must(t, s2.Delete("chat"))
	_, err = s3.Conversation("chat")
	wantErr(t, err, cache.ErrNotFound)
	wantErr(t, appendIDs(c3, 1), cache.ErrNotFound)
	create(t, s2, "chat")
	if n := conversation(t, s3, "chat").Len(); n != 0 {
		t.Errorf("conversation made anew has %d tokens", n)
	}
	closeStore(t, s2)
	closeStore(t, s3)
	checkDir(t, dir)
}

func TestSharedBlocksAndSweep(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, cache.Options{Sync: cache.SyncNever, SweepGrace: 1})
	a, b := create(t, s, "a"), create(t, s, "b")
	must(t, appendIDs(a, seq(0, 48)...))
	must(t, appendIDs(b, append(seq(0, 32), seq(100, 16)...)...))
	s.Settle()
	st := s.Status()
	if st.Disk.Blocks != 4 || st.Disk.Writes != 4 || st.Disk.Shared != 2 || len(blockFiles(t, dir)) != 4 {
		t.Errorf("status %+v", st.Disk)
	}
	other := small
	other.Numerics = "other"
	c, err := s.Create("c", other)
	must(t, err)
	must(t, appendIDs(c, seq(0, 16)...))
	s.Settle()
	if st := s.Status(); st.Disk.Blocks != 5 || st.Disk.Shared != 2 {
		t.Errorf("spaces share: %+v", st.Disk)
	}
	must(t, s.Delete("a"))
	if n := len(blockFiles(t, dir)); n != 5 {
		t.Errorf("%d blocks after deleting, before the sweep", n)
	}
	res, err := s.Sweep()
	must(t, err)
	if res.Blocks != 1 || s.Status().Disk.Blocks != 4 || len(blockFiles(t, dir)) != 4 {
		t.Errorf("swept %+v, status %+v", res, s.Status().Disk)
	}
	verify(t, b, append(seq(0, 32), seq(100, 16)...), mustNotRecompute)
	var total int64
	for _, f := range blockFiles(t, dir) {
		total += int64(len(read(t, f)))
	}
	if got := s.Status().Disk.Bytes; got != total {
		t.Errorf("status says %d bytes, files have %d", got, total)
	}
	closeStore(t, s)
	checkDir(t, dir)

	// With the default grace a young orphan stays.
	s = open(t, dir, quick)
	must(t, s.Delete("b"))
	if res, err := s.Sweep(); err != nil || res.Blocks != 0 {
		t.Errorf("swept %+v, %v", res, err)
	}
	// A conversation that cannot be read keeps every block.
	s2 := open(t, dir, cache.Options{SweepGrace: 1})
	write(t, filepath.Join(dir, "conv/c-c/metadata.json"), []byte("{"))
	if res, err := s2.Sweep(); err == nil || res.Blocks != 0 {
		t.Errorf("swept %+v, %v", res, err)
	}
}

func TestUnusableFolder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, nil)
	bad := []string{file, filepath.Join(file, "below"), ""}
	if runtime.GOOS == "linux" {
		bad = append(bad, "/proc/gopherlens")
	}
	for _, dir := range bad {
		_, err := cache.Open(dir, cache.Options{})
		if err == nil {
			t.Fatalf("%q opened", dir)
		}
		for _, part := range []string{dir, "--cache-dir", "GOPHERLENS_CACHE_DIR"} {
			if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q does not name %q on one line", err, part)
			}
		}
	}
	if os.Getuid() > 0 {
		must(t, os.Chmod(dir, 0o500))
		if _, err := cache.Open(dir, cache.Options{}); !errors.Is(err, os.ErrPermission) {
			t.Errorf("error %v", err)
		}
		must(t, os.Chmod(dir, 0o700))
	}
	_, err := cache.Open(dir, cache.Options{MaxMemory: -1, MemoryPolicy: "fifo", Sync: 7, SweepGrace: -1})
	for _, part := range []string{"-1", "fifo", "ristretto, lru", "7", "-1ns"} {
		if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v does not name %q", err, part)
		}
	}
}

func TestUnknownVersion(t *testing.T) {
	dir := t.TempDir()
	must(t, open(t, dir, quick).Close())
	write(t, filepath.Join(dir, "VERSION"), []byte("gopherlens-cache 2.0\n"))
	_, err := cache.Open(dir, quick)
	wantErr(t, err, cache.ErrVersion)
	if got := string(read(t, filepath.Join(dir, "VERSION"))); got != "gopherlens-cache 2.0\n" {
		t.Errorf("VERSION became %q", got)
	}
	write(t, filepath.Join(dir, "VERSION"), []byte("gopherlens-cache 1.9\n"))
	must(t, open(t, dir, quick).Close())
	write(t, filepath.Join(dir, "VERSION"), []byte("?"))
	if _, err := cache.Open(dir, quick); err == nil {
		t.Error("damaged VERSION accepted")
	}
}

func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	dir := filepath.Join(t.TempDir(), "new", "cache")
	s := open(t, dir, quick)
	must(t, appendIDs(create(t, s, "a"), seq(0, 20)...))
	must(t, filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		must(t, err)
		info, err := e.Info()
		must(t, err)
		want := os.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", name, info.Mode().Perm())
		}
		return nil
	}))
}

// A link in the tree is not followed, neither for a log nor for a block.
func TestLinksRefused(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	s := open(t, dir, quick)
	must(t, appendIDs(create(t, s, "a"), seq(0, 17)...))
	closeStore(t, s)
	block := blockFiles(t, dir)[0]
	write(t, outside, read(t, block))
	must(t, os.Remove(block))
	if err := os.Symlink(outside, block); err != nil {
		t.Skip(err)
	}
	s = open(t, dir, quick)
	verify(t, conversation(t, s, "a"), seq(0, 17), recompute(small))
	if st := s.Status(); st.Disk.Corrupt != 1 || st.RecomputedTokens == 0 {
		t.Errorf("the link was followed: %+v", st)
	}
	closeStore(t, s)
	log := filepath.Join(dir, "conv/c-a/tokens.log")
	must(t, os.Remove(log))
	must(t, os.Symlink(outside, log))
	if _, err := open(t, dir, quick).Conversation("a"); err == nil {
		t.Error("linked log read")
	}
}

func TestStatus(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, quick)
	c := create(t, s, "a")
	must(t, appendIDs(c, seq(0, 20)...))
	s.Settle()
	_, err := c.Rows(t.Context(), 0, 20, nil)
	must(t, err)
	st := s.Status()
	data, err := json.Marshal(st)
	must(t, err)
	var m map[string]any
	must(t, json.Unmarshal(data, &m))
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	if want := []string{"conversations", "degraded", "dir", "disk", "memory", "open_reports", "policy", "recomputed_tokens", "tokens", "unsaved_tokens"}; !slices.Equal(keys, want) {
		t.Errorf("keys are %v", keys)
	}
	if st.Conversations != 1 || st.Tokens != 20 || st.Memory.Hits != 1 || st.Memory.Bytes == 0 || st.Memory.MaxBytes != cache.DefaultMaxMemory || st.Policy != "lru" {
		t.Errorf("status %+v", st)
	}
	for _, part := range []string{dir, "1 conversations, 20 tokens", "450.0 MiB", "1 hits"} {
		if !strings.Contains(st.String(), part) {
			t.Errorf("%q does not say %q", st, part)
		}
	}
	closeStore(t, s)
	if s.Status().Dir != dir {
		t.Error("no status after Close")
	}
	for name, err := range map[string]error{
		"Append": appendIDs(c, 1), "AddEvent": c.AddEvent(json.RawMessage(`1`)), "Delete": s.Delete("a"), "Rename": s.Rename("a", "b"),
		"Create": second(s.Create("b", small)), "Conversation": second(s.Conversation("a")), "List": second(s.List()),
		"Rows": second(c.Rows(t.Context(), 0, 1, nil)), "Sweep": second(s.Sweep()),
	} {
		if !errors.Is(err, cache.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	if c, n := s.Prefix(small, []int{0}); c != nil || n != 0 {
		t.Error("Prefix after Close")
	}
}

func second[T any](_ T, err error) error { return err }
