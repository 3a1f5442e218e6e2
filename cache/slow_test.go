package cache_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/cache"
)

// slow reports whether the long versions of tests are asked for.
func slow() bool { return os.Getenv("GOPHERLENS_SLOW") != "" }

const residentEnv = "GOPHERLENS_CACHE_TEST_RESIDENT"

// residents are the shapes for which the memory of a process is measured, ten conversations of tokens each.
var residents = map[string]struct {
	sp     cache.Space
	tokens int
	rounds int // of clicks through everything
}{
	"gpt2": {cache.Space{Model: "gpt2", Rows: 13, DModel: 768}, 300, 3},
	"7b":   {cache.Space{Model: "7b", Rows: 33, DModel: 4096}, 300, 1},
}

// beResident is the child: it chats and clicks, and says the largest resident set it ever had, in kB.
func beResident(name string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	r := residents[name]
	dir, err := os.MkdirTemp("", "resident")
	fail(err)
	defer os.RemoveAll(dir)
	// 450 MB of blocks, and what the command line sets with them.
	s, err := cache.Open(dir, cache.Options{Sync: cache.SyncNever, MaxMemory: 450 << 20, ProcessMemory: 900 << 20, MaxConversationDisk: -1})
	fail(err)
	convs := make([]*cache.Conversation, 10)
	one := noise(r.sp, 1, 16)
	n := r.sp.Rows * r.sp.DModel
	for i := range convs {
		convs[i], err = s.Create("", r.sp)
		fail(err)
		for at := 0; at < r.tokens; at++ {
			fail(convs[i].Append([]cache.Token{{ID: 1000*i + at, Record: make([]byte, 800)}}, one[at%16*n:(at%16+1)*n]))
		}
	}
	for range r.rounds {
		for _, c := range convs {
			for at := 0; at+15 <= r.tokens; at += 15 {
				_, err := c.Rows(context.Background(), at, at+15, nil)
				fail(err)
			}
		}
	}
	st := s.Status()
	fail(s.Close())
	status, err := os.ReadFile("/proc/self/status")
	fail(err)
	peak := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	fmt.Printf("%s %d %d\n", peak[1], st.Memory.Bytes, st.Memory.Hits)
}

// The resident set of a process with ten conversations stays below a gigabyte, for a large model by eviction.
func TestResidentSet(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the peak is read from /proc")
	}
	if testing.Short() {
		t.Skip("left out with -short")
	}
	exe, err := os.Executable()
	must(t, err)
	for name := range residents {
		if name != "gpt2" && !slow() {
			t.Logf("%s: left out without GOPHERLENS_SLOW", name)
			continue
		}
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), residentEnv+"="+name)
		out, err := cmd.Output()
		var peak, held, hits int64
		if _, scanErr := fmt.Sscan(string(out), &peak, &held, &hits); err != nil || scanErr != nil {
			t.Fatalf("%s: %q, %v", name, out, err)
		}
		t.Logf("%s: peak resident set %d MB, %d MB of blocks in memory at the end", name, peak>>10, held>>20)
		if peak >= 1000<<10 || held > 450<<20 || hits == 0 {
			t.Errorf("%s: peak %d kB, %d bytes of blocks, %d hits", name, peak, held, hits)
		}
	}
}

// Every byte of a sealed block flipped in turn: the store finds it, moves it to quarantine and computes the rows again,
// with the same bits and into the same file.
func TestBlockFlippedAnywhere(t *testing.T) {
	fs := cache.NewMemFS()
	opt := quick
	opt.Block = 4
	s := openDisk(t, fs, opt)
	must(t, appendIDs(create(t, s, "a"), seq(0, 5)...))
	closeStore(t, s)
	name := fs.List("blocks")[0]
	good := fs.ReadFile(name)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		fs.WriteFile(name, bad)
		s := openDisk(t, fs, opt)
		c := conversation(t, s, "a")
		verify(t, c, seq(0, 5), recompute(small))
		st := s.Status()
		aside := fs.List("quarantine")
		if st.Disk.Corrupt != 1 || st.RecomputedTokens == 0 || len(aside) != 1 || !bytes.Equal(fs.ReadFile(aside[0]), bad) || !bytes.Equal(fs.ReadFile(name), good) {
			t.Fatalf("byte %d: %v, quarantine %v", i, st, aside)
		}
		must(t, fs.Remove(aside[0]))
		closeStore(t, s)
	}
	t.Logf("%d flips found", len(good))
}

// What a damaged cache needs is done by one repair: damage goes to quarantine and what can be computed is.
func TestRepair(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, quick)
	for i := range 3 {
		must(t, appendIDs(create(t, s, fmt.Sprint("c", i)), seq(100*i, 40)...))
	}
	other := small
	other.Model = "another"
	c, err := s.Create("other", other)
	must(t, err)
	must(t, appendIDs(c, seq(0, 16)...))
	closeStore(t, s)
	files := blockFiles(t, dir)
	for i, name := range files {
		data := read(t, name)
		data[len(data)-1-i] ^= 1
		write(t, name, data)
	}
	write(t, filepath.Join(dir, "conv/c-c1/metadata.json"), []byte("{"))
	log := filepath.Join(dir, "conv/c-c2/tokens.log")
	data := read(t, log)
	data[len(data)-1] ^= 1
	write(t, log, data)
	s = open(t, dir, quick)
	steps := 0
	res, err := s.Repair(t.Context(), func(sp cache.Space) cache.Recompute {
		if sp == small {
			return recompute(sp)
		}
		return nil
	}, func(done, total int) {
		if steps++; done != steps || total != 4 {
			t.Errorf("progress %d of %d", done, total)
		}
	})
	must(t, err)
	// Seven blocks and one conversation's metadata; the log was cut when the conversation was read.
	if len(res.Damaged) != 8 || res.Missing != 1 || res.Recomputed != 64 || res.Conversations != 3 {
		t.Errorf("%+v", res)
	}
	verify(t, conversation(t, s, "c0"), seq(0, 40), mustNotRecompute)
	verify(t, conversation(t, s, "c2"), seq(200, 39), mustNotRecompute)
	closeStore(t, s)
	checkDir(t, dir)
}

// Nothing of a purged conversation is left, and nothing of others is taken.
func TestPurge(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, quick)
	a, b := create(t, s, "a"), create(t, s, "b")
	must(t, appendIDs(a, append(seq(0, 32), 7777)...))
	must(t, b.AppendFrom(a, 0, 16))
	s.Settle()
	bad := blockFiles(t, dir)
	write(t, bad[0], []byte("damaged"))
	write(t, bad[1], []byte("damaged"))
	closeStore(t, s)
	s = open(t, dir, quick)
	a, b = conversation(t, s, "a"), conversation(t, s, "b")
	verify(t, a, append(seq(0, 32), 7777), recompute(small))
	res, err := s.Purge("a")
	must(t, err)
	if res.Blocks != 1 || len(blockFiles(t, dir)) != 1 || len(glob(t, dir, "quarantine/*")) != 1 {
		t.Errorf("%+v, %v, %v", res, blockFiles(t, dir), glob(t, dir, "quarantine/*"))
	}
	verify(t, b, seq(0, 16), mustNotRecompute)
	_, err = s.Purge("a")
	wantErr(t, err, cache.ErrNotFound)
	_, err = s.Purge("../a")
	wantErr(t, err, cache.ErrID)
	closeStore(t, s)
	checkDir(t, dir)
}

func TestMetrics(t *testing.T) {
	s := open(t, t.TempDir(), quick)
	c := create(t, s, "a")
	must(t, appendIDs(c, seq(0, 20)...))
	s.Settle()
	must(t, second(c.Rows(t.Context(), 0, 20, nil)))
	var b strings.Builder
	must(t, s.Status().Metrics(&b))
	line := regexp.MustCompile(`^(# (HELP|TYPE) gopherlens_cache_[a-z_]+ .+|gopherlens_cache_[a-z_]+ \d+)$`)
	for _, l := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") {
		if !line.MatchString(l) {
			t.Errorf("line %q", l)
		}
	}
	for _, want := range []string{"gopherlens_cache_degraded 0\n", "gopherlens_cache_memory_hits_total 1\n", "gopherlens_cache_disk_writes_total 1\n", "# TYPE gopherlens_cache_disk_writes_total counter\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing", want)
		}
	}
	if r := s.Status().Memory.HitRatio(); r != 1 {
		t.Errorf("hit ratio %v", r)
	}
}

// exported is a conversation whose rows fit float16 or not, written as zarr, with what its array must hold.
func exported(t *testing.T, opt cache.Options) (dir string, res cache.ExportResult, want []float32) {
	t.Helper()
	opt.Sync, opt.MemoryPolicy = quick.Sync, quick.MemoryPolicy
	s := open(t, t.TempDir(), opt)
	c := create(t, s, "a")
	must(t, c.AddEvent([]byte(`{"turn":0}`)))
	must(t, c.Append(tokens(0, seq(0, goldenTokens)...), goldenRows()))
	dir = filepath.Join(t.TempDir(), "out")
	res, err := c.Export(t.Context(), dir, nil, nil)
	must(t, err)
	if _, err := c.Export(t.Context(), dir, nil, nil); err == nil {
		t.Error("an export was written over another")
	}
	want, err = c.Layers(t.Context(), 0, goldenTokens, res.Layers, nil)
	must(t, err)
	return dir, res, want
}

func asFloats(t *testing.T, data []byte) []float32 {
	t.Helper()
	out := make([]float32, len(data)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return out
}

// Another implementation of zarr, of another language, reads what is exported to the bit. It is fetched with npm, so
// this is for the slow suite.
func TestExportInJavaScript(t *testing.T) {
	if !slow() {
		t.Skip("left out without GOPHERLENS_SLOW")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node here")
	}
	home := t.TempDir()
	npm := exec.Command("npm", "install", "--no-audit", "--no-fund", "zarrita@0.7.5", "@zarrita/storage@0.2.0")
	npm.Dir = home
	if out, err := npm.CombinedOutput(); err != nil {
		t.Skipf("npm cannot install zarrita: %v %s", err, out)
	}
	write(t, filepath.Join(home, "read.mjs"), []byte(`
import * as zarr from "zarrita";
import { FileSystemStore } from "@zarrita/storage";
const root = zarr.root(new FileSystemStore(process.argv[2]));
const group = await zarr.open(root, { kind: "group" });
const ids = await zarr.get(await zarr.open(group.resolve("tokens"), { kind: "array" }));
const array = await zarr.open(group.resolve("rows"), { kind: "array" });
const slice = await zarr.get(array, [zarr.slice(5, 20), null, null]);
const all = await zarr.get(array);
const floats = (d) => Buffer.from(Float32Array.from(d.data).buffer);
process.stderr.write(JSON.stringify({ ids: Array.from(ids.data), shape: all.shape, dtype: array.dtype, attrs: group.attrs }));
process.stdout.write(Buffer.concat([floats(all), floats(slice)]));
`))
	for name, opt := range map[string]cache.Options{"f16": {}, "f32": {Codec: cache.CodecF32, Block: 5}, "compact": {Codec: cache.CodecCompact}, "layers": {Layers: []int{0, -1}}} {
		dir, res, want := exported(t, opt)
		cmd := exec.Command(node, "--harmony-float16array", "read.mjs", dir)
		if exec.Command(node, "--harmony-float16array", "-e", "new Float16Array(1)").Run() != nil {
			cmd = exec.Command(node, "read.mjs", dir)
			if res.Type == "float16" {
				relabel(t, dir)
			}
		}
		cmd.Dir = home
		var notes bytes.Buffer
		cmd.Stderr = &notes
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v %s", name, err, notes.String())
		}
		n, per := len(want), len(res.Layers)*small.DModel
		got := asFloats(t, out)
		if len(got) != n+15*per {
			t.Fatalf("%s: %d values, %s", name, len(got), notes.String())
		}
		if strings.Contains(notes.String(), "uint16") {
			for i, v := range got {
				got[i] = cache.HalfToFloat(uint16(v))
			}
		}
		if !sameBits(got[:n], want) || !sameBits(got[n:], want[5*per:20*per]) {
			t.Errorf("%s: values differ", name)
		}
		if !strings.Contains(notes.String(), fmt.Sprintf(`"shape":[%d,%d,%d]`, goldenTokens, len(res.Layers), small.DModel)) || !strings.Contains(notes.String(), `"ids":[0,1,2,`) {
			t.Errorf("%s: %s", name, notes.String())
		}
		t.Logf("%s: %d values of %s read by zarrita", name, len(got), res.Type)
	}
}

// relabel lets a JavaScript without 16-bit floats read their bits.
func relabel(t *testing.T, dir string) {
	t.Helper()
	name := filepath.Join(dir, "rows/zarr.json")
	text := strings.Replace(string(read(t, name)), `"float16"`, `"uint16"`, 1)
	write(t, name, []byte(strings.Replace(text, `"NaN"`, `0`, 1)))
}

// What is exported has the form that a reader expects, and all that a conversation holds.
func TestExport(t *testing.T) {
	for name, opt := range map[string]cache.Options{"f16": {}, "f32": {Codec: cache.CodecF32}, "compact": {Codec: cache.CodecCompact}, "layers": {Layers: []int{0, 2}}} {
		dir, res, _ := exported(t, opt)
		// Row 1 of the golden rows has a value that does not fit; without it the array is float16.
		if want := map[bool]string{true: "float16", false: "float32"}[name == "layers"]; res.Type != want || res.Missing != 0 || res.Tokens != goldenTokens {
			t.Errorf("%s: %+v", name, res)
		}
		for _, file := range []string{"zarr.json", "rows/zarr.json", "rows/c/0/0/0", "rows/c/2/0/0", "tokens/zarr.json", "tokens/c/0"} {
			read(t, filepath.Join(dir, file))
		}
		if text := string(read(t, filepath.Join(dir, "conversation.json"))); !strings.Contains(text, `"turn": 0`) || !strings.Contains(text, `"record": "cjM2OjM2"`) {
			t.Errorf("%s: %s", name, text)
		}
	}
	s := open(t, t.TempDir(), quick)
	c := create(t, s, "gaps")
	must(t, appendIDs(c, seq(0, 16)...))
	must(t, c.Append(tokens(16, seq(16, 16)...), nil))
	res, err := c.Export(t.Context(), filepath.Join(t.TempDir(), "out"), nil, nil)
	must(t, err)
	if res.Missing != 16 {
		t.Errorf("%+v", res)
	}
	must(t, second(create(t, s, "empty").Export(t.Context(), filepath.Join(t.TempDir(), "out"), nil, nil)))
}
