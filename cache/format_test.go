package cache_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"hash/crc32"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/gopherlens/gopherlens/cache"
)

var update = flag.Bool("update", false, "write testdata/v1.2 anew")

const goldenTokens = 37

// goldenOptions are the ways to store rows that came with version 1.1, by conversation.
var goldenOptions = map[string]cache.Options{
	"exact":   {Codec: cache.CodecF32},
	"compact": {Codec: cache.CodecCompact, Block: 8},
	"layers":  {Layers: []int{0, 2}},
}

// goldenRows are the rows in testdata/v1, one of which does not fit float16.
func goldenRows() []float32 {
	rows := model(small, seq(0, goldenTokens))
	rows[20*small.Rows*small.DModel+small.DModel+3] = 1e6 // token 20, row 1: in the second block
	return rows
}

// noFiles is a disk on which no file can be made while full is set.
type noFiles struct {
	cache.Filesystem
	full *atomic.Bool
}

func (d noFiles) OpenWrite(name string, excl bool) (cache.File, error) {
	if d.full.Load() {
		return nil, syscall.ENOSPC
	}
	return d.Filesystem.OpenWrite(name, excl)
}

// writeUnsealed adds to a folder what a process leaves that dies before it has sealed two blocks.
func writeUnsealed(t *testing.T, dir, id string) {
	work := t.TempDir()
	var full atomic.Bool
	s, err := cache.OpenOn(work, quick, func(d cache.Filesystem) cache.Filesystem { return noFiles{d, &full} })
	must(t, err)
	s.SetWaits(time.Minute, time.Hour)
	sp := small
	sp.Model = "another, so that no other conversation has these blocks"
	c, err := s.Create(id, sp)
	must(t, err)
	rows := goldenRows()
	n := small.Rows * small.DModel
	for i := range goldenTokens {
		must(t, c.Append(tokens(i, i), rows[i*n:(i+1)*n]))
		full.Store(true)
	}
	must(t, os.CopyFS(filepath.Join(dir, "conv"), os.DirFS(filepath.Join(work, "conv"))))
	full.Store(false)
	closeStore(t, s)
}

// The folders that all versions so far wrote are read as they were meant.
func TestGoldenFolders(t *testing.T) {
	if *update {
		const dir = "testdata/v1.2" // what older versions wrote cannot be written anew
		must(t, os.RemoveAll(dir))
		s := open(t, dir, quick)
		c := create(t, s, "Golden.1")
		must(t, c.AddEvent([]byte(`{"turn":0}`)))
		must(t, c.Append(tokens(0, seq(0, goldenTokens)...), goldenRows()))
		closeStore(t, s)
		for id, opt := range goldenOptions {
			opt.Sync, opt.MemoryPolicy = quick.Sync, quick.MemoryPolicy
			s := open(t, dir, opt)
			must(t, create(t, s, id).Append(tokens(0, seq(0, goldenTokens)...), goldenRows()))
			closeStore(t, s)
		}
		writeUnsealed(t, dir, "unsealed")
	}
	for _, v := range []string{"v1", "v1.1", "v1.2"} {
		t.Run(v, func(t *testing.T) { goldenFolder(t, "testdata/"+v) })
	}
}

func goldenFolder(t *testing.T, dir string) {
	checkDir(t, dir)
	copied := t.TempDir() // opening writes
	must(t, os.CopyFS(copied, os.DirFS(dir)))
	s := open(t, copied, quick)
	c := conversation(t, s, "Golden.1")
	if !slices.Equal(c.Tokens(), seq(0, goldenTokens)) || c.Space() != small {
		t.Errorf("tokens %v, space %+v", c.Tokens(), c.Space())
	}
	if e := c.Events(); len(e) != 1 || e[0].At != 0 || string(e[0].Data) != `{"turn":0}` {
		t.Errorf("events %v", e)
	}
	for pos := range goldenTokens {
		if r, err := c.Record(pos); err != nil || !bytes.Equal(r, record(pos, pos)) {
			t.Errorf("record %d is %q, %v", pos, r, err)
		}
	}
	rows, err := c.Rows(t.Context(), 0, goldenTokens, mustNotRecompute)
	must(t, err)
	if !sameBits(rows, stored(small, goldenRows())) {
		t.Error("rows differ")
	}
	if dir == "testdata/v1" {
		return
	}
	for id := range goldenOptions {
		c := conversation(t, s, id)
		codec := c.Info().Codec
		rows, err := c.Rows(t.Context(), 0, goldenTokens, nil)
		if id == "layers" {
			wantErr(t, err, cache.ErrMissing)
			rows, err = c.Rows(t.Context(), 0, goldenTokens, func(context.Context, []int) ([]float32, error) { return goldenRows(), nil })
		}
		must(t, err)
		if !sameBits(rows, storedAs(codec, small, goldenRows())) {
			t.Errorf("rows of %s differ", id)
		}
	}
	if dir == "testdata/v1.1" {
		return
	}
	rows, err = conversation(t, s, "unsealed").Rows(t.Context(), 0, goldenTokens, nil)
	must(t, err)
	if !sameBits(rows, stored(small, goldenRows())) {
		t.Error("rows that are only in a tail differ")
	}
}

// goldenBlock gives the two block files in their order.
func goldenBlocks(t *testing.T) []string {
	files := blockFiles(t, "testdata/v1")
	if len(files) != 2 {
		t.Fatalf("%d blocks", len(files))
	}
	if read(t, files[0])[57] == 2 { // the second block has row 1 in float32
		slices.Reverse(files)
	}
	return files
}

// A reader made from FORMAT.md alone agrees.
func TestFormatByHand(t *testing.T) {
	dec, err := zstd.NewReader(nil)
	must(t, err)
	defer dec.Close()
	le := binary.LittleEndian
	sum := func(p []byte) uint32 { return crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)) }
	want := stored(small, goldenRows())
	per := 16 * small.Rows * small.DModel
	for n, name := range goldenBlocks(t) {
		data := read(t, name)
		rows, d := int(le.Uint32(data[16:])), int(le.Uint32(data[20:]))
		head, index := 60+5*rows, data[len(data)-16*rows-4:]
		if string(data[:8]) != "GLBLOCK1" || int(le.Uint32(data[8:])) != head || le.Uint32(data[12:]) != 16 ||
			le.Uint32(data[head-4:]) != sum(data[:head-4]) || le.Uint32(index[16*rows:]) != sum(index[:16*rows]) {
			t.Fatalf("%s: header or index not as described", name)
		}
		got := make([]float32, 16*rows*d)
		at := uint64(head)
		for r := range rows {
			size := uint64(le.Uint32(data[56+rows+4*r:]))
			entry := [2]uint64{le.Uint64(index[16*r:]), le.Uint64(index[16*r+8:])}
			want := [2]uint64{at, size}
			if data[56+r] == 2 {
				want = [2]uint64{math.MaxUint64, math.MaxUint64}
			}
			if entry != want {
				t.Errorf("%s: index entry %d is %v, want %v", name, r, entry, want)
			}
			chunk := data[at : at+size-4]
			if le.Uint32(data[at+size-4:]) != sum(chunk) {
				t.Fatalf("%s: checksum of chunk %d", name, r)
			}
			at += size
			raw, err := dec.DecodeAll(chunk, nil)
			must(t, err)
			for i := range 16 * d {
				v := &got[i/d*rows*d+r*d+i%d]
				if data[56+r] == 2 {
					*v = math.Float32frombits(le.Uint32(raw[4*i:]))
					continue
				}
				h := le.Uint16(raw[2*i:])
				exp, frac := int(h>>10&31), float64(h&1023)
				x := math.Ldexp(1024+frac, exp-25)
				if exp == 0 {
					x = math.Ldexp(frac, -24)
				}
				*v = float32(math.Copysign(x, -float64(int(h>>15)*2-1)))
			}
		}
		if !sameBits(got, want[n*per:(n+1)*per]) {
			t.Errorf("%s: values differ", name)
		}
	}
}

// The Python reader printed in FORMAT.md works.
func TestFormatInPython(t *testing.T) {
	python := "/usr/bin/python3"
	if exec.Command(python, "-c", "import numpy").Run() != nil {
		t.Skip("no Python with NumPy here")
	}
	if _, err := exec.LookPath("zstd"); err != nil {
		t.Skip("no zstd command here")
	}
	code := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(read(t, "FORMAT.md"))
	if code == nil {
		t.Fatal("no Python in FORMAT.md")
	}
	script := string(code[1]) + "\nimport sys\nfor p in sys.argv[1:]: sys.stdout.buffer.write(read_block(p).tobytes())\n"
	out, err := exec.Command(python, append([]string{"-c", script}, goldenBlocks(t)...)...).Output()
	must(t, err)
	got := make([]float32, len(out)/4)
	for i := range got {
		got[i] = math.Float32frombits(binary.LittleEndian.Uint32(out[4*i:]))
	}
	if !sameBits(got, stored(small, goldenRows())[:32*small.Rows*small.DModel]) {
		t.Error("values differ")
	}

	// Of the newer folder every block must be one of those that its conversations have.
	files := blockFiles(t, "testdata/v1.1")
	out, err = exec.Command(python, append([]string{"-c", script}, files...)...).Output()
	must(t, err)
	got = asFloats(t, out)
	var want [][]float32
	add := func(codec cache.Codec, size int, layers ...int) {
		rows := storedAs(codec, small, goldenRows())
		for at := 0; at+size <= goldenTokens; at += size {
			var block []float32
			for pos := at; pos < at+size; pos++ {
				for _, r := range layers {
					block = append(block, rows[(pos*small.Rows+r)*small.DModel:][:small.DModel]...)
				}
			}
			want = append(want, block)
		}
	}
	add(cache.CodecF16, 16, 0, 1, 2)
	add(cache.CodecF32, 16, 0, 1, 2)
	add(cache.CodecCompact, 8, 0, 1, 2)
	add(cache.CodecF16, 16, 0, 2)
	if len(files) != len(want) {
		t.Fatalf("%d blocks, want %d", len(files), len(want))
	}
	for i := range files {
		found := slices.IndexFunc(want, func(w []float32) bool { return len(w) <= len(got) && sameBits(w, got[:len(w)]) })
		if found < 0 {
			t.Fatalf("the values of %s are those of no block", files[i])
		}
		got = got[len(want[found]):]
		want = slices.Delete(want, found, found+1)
	}
}

// A conversation of the golden folder can be continued by this version.
func TestGoldenFolderGrows(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "v1")
	must(t, os.CopyFS(dir, os.DirFS("testdata/v1")))
	s := open(t, dir, quick)
	c := conversation(t, s, "Golden.1")
	ids := seq(0, goldenTokens+20)
	must(t, appendIDs(c, ids[goldenTokens:]...))
	rows, err := c.Rows(t.Context(), goldenTokens, len(ids), mustNotRecompute)
	must(t, err)
	if !sameBits(rows, stored(small, model(small, ids))[goldenTokens*small.Rows*small.DModel:]) {
		t.Error("rows differ")
	}
	closeStore(t, s)
	checkDir(t, dir)
}
