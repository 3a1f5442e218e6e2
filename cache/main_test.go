package cache_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gopherlens/gopherlens/cache"
	"github.com/x448/float16"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerEnv); dir != "" {
		writeForever(dir)
	}
	if name := os.Getenv(residentEnv); name != "" {
		beResident(name)
		os.Exit(0)
	}
	flag.Set("rapid.checks", "30") // -rapid.checks on the command line is read later and wins
	goleak.VerifyTestMain(m)
}

var (
	small = cache.Space{Numerics: "test", Model: "m", Tokenizer: "t", Rows: 3, DModel: 5}
	// quick leaves out what costs time and is tested elsewhere.
	quick = cache.Options{Sync: cache.SyncNever, MemoryPolicy: cache.PolicyLRU}
)

// model stands for a forward pass: rows are a function of all ids up to their position.
func model(sp cache.Space, ids []int) []float32 {
	out := make([]float32, 0, len(ids)*sp.Rows*sp.DModel)
	h := sha256.New()
	for _, id := range ids {
		binary.Write(h, binary.LittleEndian, int64(id))
		seed := binary.LittleEndian.Uint64(h.Sum(nil))
		for i := range sp.Rows * sp.DModel {
			seed = seed*6364136223846793005 + 1442695040888963407
			out = append(out, float32(int32(seed>>32))/(1<<26)+float32(i))
		}
	}
	return out
}

func recompute(sp cache.Space) cache.Recompute {
	return func(_ context.Context, ids []int) ([]float32, error) { return model(sp, ids), nil }
}

func mustNotRecompute(context.Context, []int) ([]float32, error) {
	return nil, errors.New("recomputed although the rows should be there")
}

// stored is what must come back for rows stored as float16.
func stored(sp cache.Space, rows []float32) []float32 { return storedAs(cache.CodecF16, sp, rows) }

// storedAs is what must come back for rows: rounded by the codec vector by vector, unless one does not fit.
func storedAs(codec cache.Codec, sp cache.Space, rows []float32) []float32 {
	out := slices.Clone(rows)
	limit := 65520.0
	if codec == cache.CodecCompact {
		limit = math.Inf(1)
	}
	for v := 0; v < len(out) && codec != cache.CodecF32; v += sp.DModel {
		vec := out[v : v+sp.DModel]
		if slices.ContainsFunc(vec, func(x float32) bool { return !(math.Abs(float64(x)) < limit) }) {
			continue
		}
		if codec == cache.CodecCompact {
			roundInt8(vec)
			continue
		}
		for i, x := range vec {
			vec[i] = float16.Fromfloat32(x).Float32()
		}
	}
	return out
}

// roundInt8 keeps the largest value of every 64, at most 8, and rounds the others to 127 steps of the largest of them.
func roundInt8(vec []float32) {
	order := seq(0, len(vec))
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Compare(math.Abs(float64(vec[j])), math.Abs(float64(vec[i])))
	})
	order = order[min(8, (len(vec)+63)/64):]
	if len(order) == 0 {
		return
	}
	step := float32(math.Abs(float64(vec[order[0]]))) / 127
	for _, i := range order {
		if step > 0 {
			vec[i] = float32(int8(math.RoundToEven(float64(vec[i])/float64(step)))) * step
		}
	}
}

func record(pos, id int) []byte { return fmt.Appendf(nil, "r%d:%d", pos, id) }

func tokens(at int, ids ...int) []cache.Token {
	out := make([]cache.Token, len(ids))
	for i, id := range ids {
		out[i] = cache.Token{ID: id, Record: record(at+i, id)}
	}
	return out
}

// appendIDs appends ids with the rows of the model.
func appendIDs(c *cache.Conversation, ids ...int) error {
	at := c.Len()
	rows := model(c.Space(), append(c.Tokens(), ids...))
	return c.Append(tokens(at, ids...), rows[at*c.Space().Rows*c.Space().DModel:])
}

// seq is from, from+1, ... of n ids.
func seq(from, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = from + i
	}
	return out
}

func open(t testing.TB, dir string, opt cache.Options) *cache.Store {
	t.Helper()
	s, err := cache.Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

// openDisk opens a store on a disk in memory; the test closes it.
func openDisk(t testing.TB, fs *cache.MemFS, opt cache.Options) *cache.Store {
	t.Helper()
	s, err := cache.OpenDisk(fs, opt)
	must(t, err)
	return s
}

// checkDisk runs the integrity checker on a disk in memory.
func checkDisk(t testing.TB, fs *cache.MemFS) {
	t.Helper()
	for _, p := range cache.CheckDisk(fs) {
		t.Errorf("check: %v", p)
	}
}

func closeStore(t testing.TB, s *cache.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func create(t testing.TB, s *cache.Store, id string) *cache.Conversation {
	t.Helper()
	c, err := s.Create(id, small)
	must(t, err)
	return c
}

func conversation(t testing.TB, s *cache.Store, id string) *cache.Conversation {
	t.Helper()
	c, err := s.Conversation(id)
	must(t, err)
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// sameBits compares floats by their bits.
func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// verify reads all of a conversation and compares it with what was appended.
func verify(t testing.TB, c *cache.Conversation, ids []int, r cache.Recompute) {
	t.Helper()
	if got := c.Tokens(); !slices.Equal(got, ids) {
		t.Fatalf("tokens are %v, want %v", got, ids)
	}
	for pos, id := range ids {
		if got, err := c.Record(pos); err != nil || string(got) != string(record(pos, id)) {
			t.Fatalf("record %d is %q, %v", pos, got, err)
		}
	}
	rows, err := c.Rows(t.Context(), 0, len(ids), r)
	must(t, err)
	if !sameBits(rows, storedAs(c.Info().Codec, c.Space(), model(c.Space(), ids))) {
		t.Fatalf("rows of %d tokens differ", len(ids))
	}
}

// checkDir runs the integrity checker.
func checkDir(t testing.TB, dir string) {
	t.Helper()
	for p := range cache.Check(dir) {
		t.Errorf("check: %v", p)
	}
}

// glob gives the files that match, relative patterns to dir.
func glob(t testing.TB, dir, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	must(t, err)
	return names
}

func blockFiles(t testing.TB, dir string) []string { return glob(t, dir, "blocks/*/*") }

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	must(t, err)
	return data
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	must(t, os.WriteFile(name, data, 0o600))
}
