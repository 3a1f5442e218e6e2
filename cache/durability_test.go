package cache_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/cache"
)

// template is a cache with one conversation of n tokens and the bytes of its logs.
func template(t *testing.T, n int) (dir, tokensLog, tailLog string) {
	dir = t.TempDir()
	s := open(t, dir, quick)
	must(t, appendIDs(create(t, s, "a"), seq(0, n)...))
	closeStore(t, s)
	return dir, filepath.Join(dir, "conv/c-a/tokens.log"), filepath.Join(dir, "conv/c-a/tail.wal")
}

func TestTokenLogCutAnywhere(t *testing.T) {
	const n = 17
	dir, log, tail := template(t, n)
	data, rows := read(t, log), read(t, tail)
	// Where each token's frame ends, from the format's description.
	ends := []int{8}
	for i := range n {
		ends = append(ends, ends[i]+24+len(record(i, i)))
	}
	if ends[n] != len(data) {
		t.Fatalf("log has %d bytes, %d expected", len(data), ends[n])
	}
	for cut := range data {
		write(t, log, data[:cut])
		write(t, tail, rows)
		want := 0
		for want < n && ends[want+1] <= cut {
			want++
		}
		s := open(t, dir, quick)
		c := conversation(t, s, "a")
		verify(t, c, seq(0, want), recompute(small))
		torn := cut != 0 && cut != ends[want]
		if got := len(s.Status().OpenReports); (got > 0) != torn {
			t.Fatalf("cut at %d: reports %q", cut, s.Status().OpenReports)
		}
		if cut%4 == 0 || torn && cut == ends[want]+1 {
			must(t, appendIDs(c, want)) // writing goes on at the right place
			verify(t, c, seq(0, want+1), recompute(small))
		}
		closeStore(t, s)
		checkDir(t, dir)
	}
}

func TestTailCutAnywhere(t *testing.T) {
	dir, log, tail := template(t, 19)
	data, toks := read(t, log), read(t, tail)
	for cut := range toks {
		write(t, log, data)
		write(t, tail, toks[:cut])
		s := open(t, dir, quick)
		c := conversation(t, s, "a")
		verify(t, c, seq(0, 19), recompute(small))
		must(t, appendIDs(c, seq(19, 13)...))
		verify(t, c, seq(0, 32), mustNotRecompute)
		closeStore(t, s)
		checkDir(t, dir)
	}
}

// A flipped bit in a log never changes what is read: it ends there, and the rest is kept aside.
func TestLogFlippedAnywhere(t *testing.T) {
	const n = 6
	dir, log, tail := template(t, n)
	good := map[string][]byte{log: read(t, log), tail: read(t, tail)}
	for _, name := range []string{log, tail} {
		for i := range good[name] {
			for other, data := range good {
				write(t, other, data)
			}
			bad := append([]byte(nil), good[name]...)
			bad[i] ^= 0x10
			write(t, name, bad)
			problems := 0
			for p := range cache.Check(dir) {
				problems++
				if !strings.HasPrefix(p.File, "conv/c-a/") || p.Offset > int64(i) {
					t.Fatalf("byte %d: problem %v", i, p)
				}
			}
			s := open(t, dir, quick)
			c := conversation(t, s, "a")
			st := s.Status()
			if problems == 0 || st.Disk.Corrupt != 1 || len(st.OpenReports) != 1 || !strings.Contains(st.OpenReports[0], "quarantine/") {
				t.Fatalf("byte %d of %s: %d problems, status %v", i, name, problems, st)
			}
			if name == tail && c.Len() != n {
				t.Fatalf("a damaged tail took tokens")
			}
			verify(t, c, seq(0, c.Len()), recompute(small))
			closeStore(t, s)
			checkDir(t, dir)
			aside := glob(t, dir, "quarantine/*")
			if len(aside) != 1 || !strings.HasSuffix(string(bad), string(read(t, aside[0]))) {
				t.Fatalf("byte %d: kept aside %v", i, aside)
			}
			must(t, os.Remove(aside[0]))
		}
	}
}

// The checker finds damage of a block; that every byte counts is shown without a disk in TestShardDamage.
func TestCheckFindsDamagedBlock(t *testing.T) {
	dir, _, _ := template(t, 16)
	name := blockFiles(t, dir)[0]
	good := read(t, name)
	for i := 0; i < len(good); i += 7 {
		bad := append([]byte(nil), good...)
		bad[i] ^= 1 << (i % 8)
		write(t, name, bad)
		found := 0
		for p := range cache.Check(dir) {
			found++
			if filepath.Join(dir, filepath.FromSlash(p.File)) != name {
				t.Fatalf("byte %d: problem %v", i, p)
			}
		}
		if found != 1 {
			t.Fatalf("byte %d: %d problems found", i, found)
		}
	}
	for cut := 0; cut < len(good); cut += 13 {
		write(t, name, good[:cut])
		found := 0
		for range cache.Check(dir) {
			found++
		}
		if found != 1 {
			t.Fatalf("cut at %d: %d problems found", cut, found)
		}
	}
}

// While another process writes, a reader takes an unfinished frame for what it is and leaves it alone.
func TestReaderLeavesUnfinishedFrame(t *testing.T) {
	dir, log, _ := template(t, 5)
	s1, s2 := open(t, dir, quick), open(t, dir, quick)
	c1 := conversation(t, s1, "a")
	must(t, appendIDs(c1, 5)) // takes the lock
	good := read(t, log)
	write(t, log, append(append([]byte(nil), good...), good[8:8+24]...))
	verify(t, conversation(t, s2, "a"), seq(0, 6), mustNotRecompute)
	if len(read(t, log)) != len(good)+24 || len(s2.Status().OpenReports) != 0 {
		t.Errorf("the log was touched: %v", s2.Status())
	}
	must(t, appendIDs(c1, 6)) // the writer knows where it is
	verify(t, conversation(t, s2, "a"), seq(0, 7), mustNotRecompute)
	closeStore(t, s1)
	closeStore(t, s2)
	// A longer unfinished write leaves a rest behind the frames that followed it here; nothing good is lost.
	s3 := open(t, dir, quick)
	verify(t, conversation(t, s3, "a"), seq(0, 7), mustNotRecompute)
}

// Damage that cannot be repaired because another process writes is reported all the same.
func TestDamageUnderLock(t *testing.T) {
	dir, log, _ := template(t, 5)
	s1, s2 := open(t, dir, quick), open(t, dir, quick)
	must(t, appendIDs(conversation(t, s1, "a"), 5))
	data := read(t, log)
	data[len(data)-1] ^= 1
	write(t, log, data)
	verify(t, conversation(t, s2, "a"), seq(0, 5), mustNotRecompute)
	if r := s2.Status().OpenReports; len(r) != 1 || !strings.Contains(r[0], "conv/c-a/tokens.log is damaged at byte") {
		t.Errorf("reports %q", r)
	}
	if string(read(t, log)) != string(data) {
		t.Error("the log of another writer was changed")
	}
}

func TestCheckFindsStrangers(t *testing.T) {
	dir, _, _ := template(t, 17)
	block := blockFiles(t, dir)[0]
	for name, data := range map[string][]byte{
		"conv/x":                               nil,
		"conv/c-a/extra":                       nil,
		"conv/c-b/metadata.json":               []byte("{}"),
		"blocks/00/note":                       nil,
		"blocks/00/" + strings.Repeat("0", 64): read(t, block), // a good block under another key
	} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		write(t, filepath.Join(dir, name), data)
		var got []string
		for p := range cache.Check(dir) {
			got = append(got, p.String())
		}
		if len(got) != 1 || !strings.HasPrefix(got[0], name) {
			t.Errorf("%s: problems %q", name, got)
		}
		for range cache.Check(dir) {
			break // a caller may stop
		}
		must(t, os.RemoveAll(filepath.Join(dir, name)))
		must(t, os.RemoveAll(filepath.Join(dir, "conv/c-b")))
	}
	must(t, os.Remove(filepath.Join(dir, "VERSION")))
	for _, d := range []string{dir, filepath.Join(dir, "nothing")} {
		n := 0
		for range cache.Check(d) {
			n++
		}
		if n != 1 {
			t.Errorf("%d problems in %s", n, d)
		}
	}
}

const writerEnv = "GOPHERLENS_CACHE_TEST_WRITER"

// writeForever appends to the conversation in dir and says so, until it is killed.
func writeForever(dir string) {
	s, err := cache.Open(dir, cache.Options{MemoryPolicy: cache.PolicyLRU})
	fail := func(err error) {
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	fail(err)
	c, err := s.Conversation("a")
	if errors.Is(err, cache.ErrNotFound) {
		c, err = s.Create("a", small)
	}
	fail(err)
	for {
		fail(appendIDs(c, seq(c.Len(), 1+c.Len()%5)...))
		fmt.Println(c.Len())
	}
}

func TestKilledWriterLosesNothing(t *testing.T) {
	exe, err := os.Executable()
	must(t, err)
	dir := t.TempDir()
	kills, acked := 10, 0
	if testing.Short() {
		kills = 3
	}
	for i := range kills {
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), writerEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		first := true
		for lines.Scan() {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Errorf("writer says %q", lines.Text())
				break
			}
			acked = n
			if first { // killed some time after it started to write
				first = false
				time.AfterFunc(time.Duration(5+7*i)*time.Millisecond, func() { cmd.Process.Kill() })
			}
		}
		cmd.Process.Kill()
		cmd.Wait()
		s := open(t, dir, quick)
		c := conversation(t, s, "a")
		if c.Len() < acked {
			t.Fatalf("kill %d: %d tokens were acknowledged, %d are there", i, acked, c.Len())
		}
		verify(t, c, seq(0, c.Len()), mustNotRecompute)
		closeStore(t, s)
		checkDir(t, dir)
	}
	t.Logf("%d kills, %d tokens acknowledged, none lost", kills, acked)
}

// faultyDisk fails its n-th change of the disk, and every later one if it is full.
type faultyDisk struct {
	cache.Filesystem
	left *int // changes until the failure; negative: never
	full bool
}

var errFault = fmt.Errorf("write: %w", syscall.ENOSPC)

func (d faultyDisk) fault() error {
	if *d.left < 0 {
		return nil
	}
	if *d.left == 0 {
		if !d.full {
			*d.left = -1
		}
		return errFault
	}
	*d.left--
	return nil
}

func (d faultyDisk) OpenWrite(name string, excl bool) (cache.File, error) {
	if err := d.fault(); err != nil {
		return nil, err
	}
	f, err := d.Filesystem.OpenWrite(name, excl)
	if err != nil {
		return nil, err
	}
	return faultyFile{f, d}, nil
}

func (d faultyDisk) MkdirAll(name string) error {
	return join(d.fault(), func() error { return d.Filesystem.MkdirAll(name) })
}
func (d faultyDisk) Rename(from, to string) error {
	return join(d.fault(), func() error { return d.Filesystem.Rename(from, to) })
}
func (d faultyDisk) Remove(name string) error {
	return join(d.fault(), func() error { return d.Filesystem.Remove(name) })
}
func (d faultyDisk) Touch(name string) error {
	return join(d.fault(), func() error { return d.Filesystem.Touch(name) })
}
func (d faultyDisk) SyncDir(name string) error {
	return d.fault() // what a sync does shows only at a loss of power
}

func join(err error, fn func() error) error {
	if err != nil {
		return err
	}
	return fn()
}

type faultyFile struct {
	cache.File
	d faultyDisk
}

// WriteAt writes half of the bytes when it fails.
func (f faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.d.fault(); err != nil {
		n, _ := f.File.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	return f.File.WriteAt(p, off)
}
func (f faultyFile) Truncate(n int64) error {
	return join(f.d.fault(), func() error { return f.File.Truncate(n) })
}
func (f faultyFile) Sync() error { return f.d.fault() }

// An append that failed is undone at once where the disk lets it: the next process does not see it either.
func TestFailedAppendIsUndone(t *testing.T) {
	failed := 0
	for n := range 12 {
		dir, left := t.TempDir(), -1
		opt := cache.Options{MemoryPolicy: cache.PolicyLRU, Sync: cache.SyncAlways}
		s, err := cache.OpenOn(dir, opt, func(d cache.Filesystem) cache.Filesystem { return faultyDisk{d, &left, false} })
		must(t, err)
		c := create(t, s, "a")
		must(t, appendIDs(c, seq(0, 10)...))
		left = n
		err = appendIDs(c, seq(10, 8)...)
		left = -1
		closeStore(t, s)
		s = open(t, dir, quick)
		want := 18
		if err != nil {
			failed++
			want = 10
		}
		verify(t, conversation(t, s, "a"), seq(0, want), mustNotRecompute)
		closeStore(t, s)
		checkDir(t, dir)
	}
	if failed < 5 {
		t.Errorf("only %d appends failed", failed)
	}
}

// afterCrash opens the folder as the next process would if this one died now, its disk having stopped some time ago:
// the acknowledged tokens are there, and so are their rows, since a row is written before its token.
func afterCrash(t *testing.T, dir string, acked int) {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(copied, os.DirFS(dir)))
	s := open(t, copied, quick)
	c := conversation(t, s, "a")
	if c.Len() < acked {
		t.Fatalf("%d tokens were acknowledged, %d are there", acked, c.Len())
	}
	rows, err := c.Rows(t.Context(), 0, acked, mustNotRecompute)
	must(t, err)
	if !sameBits(rows, stored(small, model(small, seq(0, acked)))) {
		t.Fatal("rows differ")
	}
	verify(t, c, seq(0, c.Len()), recompute(small))
	closeStore(t, s)
	checkDir(t, copied)
}

// Every single disk operation of a session fails in turn, once or from then on. An append that failed has added
// nothing, one that returned nil is there, also for the next process, and writing goes on when the disk is well.
func TestEveryOperationFails(t *testing.T) {
	var _ io.WriterAt = faultyFile{}
	for _, full := range []bool{false, true} {
		runs := 0
		for n := 0; ; n++ {
			dir := t.TempDir()
			left := -1
			opt := cache.Options{MemoryPolicy: cache.PolicyLRU, Sync: cache.SyncBlock}
			if full {
				opt.Sync = cache.SyncAlways
			}
			s, err := cache.OpenOn(dir, opt, func(d cache.Filesystem) cache.Filesystem { return faultyDisk{d, &left, full} })
			must(t, err)
			must(t, second(s.Create("a", small)))
			left = n
			c := conversation(t, s, "a")
			failed := 0
			for i := 0; i < 9; i++ {
				before := c.Len()
				var err error
				if i == 4 {
					err = c.AddEvent(json.RawMessage(`"note"`))
				} else {
					err = appendIDs(c, seq(before, 1+(i*5)%9)...)
				}
				if err != nil {
					failed++
					if !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "\n") || s.Status().Degraded == "" || c.Len() != before {
						t.Fatalf("fault %d: error %v, status %v, %d tokens after %d", n, err, s.Status(), c.Len(), before)
					}
				}
				verify(t, c, seq(0, c.Len()), recompute(small))
			}
			reached := left <= 0 && (failed > 0 || left < 0 || full)
			if full {
				afterCrash(t, dir, c.Len())
			}
			left = -1
			must(t, appendIDs(c, c.Len()))
			if d := s.Status().Degraded; d != "" {
				t.Fatalf("fault %d: still degraded: %s", n, d)
			}
			acked := c.Len()
			verify(t, c, seq(0, acked), recompute(small))
			closeStore(t, s)
			checkDir(t, dir)
			s = open(t, dir, quick)
			verify(t, conversation(t, s, "a"), seq(0, acked), recompute(small))
			closeStore(t, s)
			if runs++; !reached {
				break
			}
		}
		t.Logf("full=%v: %d faults", full, runs)
		if runs < 20 {
			t.Errorf("only %d faults: the disk is not asked", runs)
		}
	}
}
