package cache_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
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

// memTemplate is template on a disk in memory, which is quick enough to try every byte.
func memTemplate(t *testing.T, n int) (fs *cache.MemFS, tokensLog, tailLog string) {
	fs = cache.NewMemFS()
	s := openDisk(t, fs, quick)
	must(t, appendIDs(create(t, s, "a"), seq(0, n)...))
	closeStore(t, s)
	return fs, "conv/c-a/tokens.log", "conv/c-a/tail.wal"
}

func TestTokenLogCutAnywhere(t *testing.T) {
	const n = 17
	fs, log, tail := memTemplate(t, n)
	data, rows := fs.ReadFile(log), fs.ReadFile(tail)
	// Where each token's frame ends, from the format's description.
	ends := []int{8}
	for i := range n {
		ends = append(ends, ends[i]+24+len(record(i, i)))
	}
	if ends[n] != len(data) {
		t.Fatalf("log has %d bytes, %d expected", len(data), ends[n])
	}
	for cut := range data {
		fs.WriteFile(log, data[:cut])
		fs.WriteFile(tail, rows)
		want := 0
		for want < n && ends[want+1] <= cut {
			want++
		}
		s := openDisk(t, fs, quick)
		c := conversation(t, s, "a")
		verify(t, c, seq(0, want), recompute(small))
		torn := cut != ends[want]
		if got := len(s.Status().OpenReports); (got > 0) != torn {
			t.Fatalf("cut at %d: reports %q", cut, s.Status().OpenReports)
		}
		if cut%4 == 0 || torn && cut == ends[want]+1 {
			must(t, appendIDs(c, want)) // writing goes on at the right place
			verify(t, c, seq(0, want+1), recompute(small))
		}
		closeStore(t, s)
		checkDisk(t, fs)
	}
}

func TestTailCutAnywhere(t *testing.T) {
	fs, log, tail := memTemplate(t, 19)
	data, toks := fs.ReadFile(log), fs.ReadFile(tail)
	for cut := range toks {
		fs.WriteFile(log, data)
		fs.WriteFile(tail, toks[:cut])
		s := openDisk(t, fs, quick)
		c := conversation(t, s, "a")
		verify(t, c, seq(0, 19), recompute(small))
		must(t, appendIDs(c, seq(19, 13)...))
		verify(t, c, seq(0, 32), mustNotRecompute)
		closeStore(t, s)
		checkDisk(t, fs)
	}
}

// A flipped bit in a log never changes what is read: it ends there, and the rest is kept aside.
func TestLogFlippedAnywhere(t *testing.T) {
	const n = 6
	fs, log, tail := memTemplate(t, n)
	good := map[string][]byte{log: fs.ReadFile(log), tail: fs.ReadFile(tail)}
	for _, name := range []string{log, tail} {
		for i := range good[name] {
			for other, data := range good {
				fs.WriteFile(other, data)
			}
			bad := append([]byte(nil), good[name]...)
			bad[i] ^= 0x10
			fs.WriteFile(name, bad)
			problems := 0
			for _, p := range cache.CheckDisk(fs) {
				problems++
				if !strings.HasPrefix(p.File, "conv/c-a/") || p.Offset > int64(i) {
					t.Fatalf("byte %d: problem %v", i, p)
				}
			}
			s := openDisk(t, fs, quick)
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
			checkDisk(t, fs)
			aside := fs.List("quarantine")
			if len(aside) != 1 || !strings.HasSuffix(string(bad), string(fs.ReadFile(aside[0]))) {
				t.Fatalf("byte %d: kept aside %v", i, aside)
			}
			must(t, fs.Remove(aside[0]))
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
	kills, acked := 20, 0
	switch {
	case slow():
		kills = 200
	case testing.Short():
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
				time.AfterFunc(time.Duration(5+7*(i%20))*time.Millisecond, func() { cmd.Process.Kill() })
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
