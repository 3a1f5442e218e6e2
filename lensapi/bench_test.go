package lens

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/gopherlens/gopherlens/cache"
	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

func benchModel(b *testing.B) *Model {
	b.Helper()
	m, err := LoadWith(Embedded, LoadOptions{CacheDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := m.Close(); err != nil {
			b.Error(err)
		}
	})
	return m
}

// gpt2Small has GPT-2's smallest shape and random weights: the speed of the trained one.
func gpt2Small(b *testing.B) *Model {
	b.Helper()
	mod, err := model.Random([]byte(`{"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257, "n_positions": 1024}`), "F32", 1, model.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return &Model{name: "gpt2", cfg: mod.Config(), rowNames: mod.Rows(), run: forward.New(mod)}
}

// stored gives it a tokenizer and a cache in dir.
func (m *Model) stored(b *testing.B, dir string) {
	b.Helper()
	teacher, err := LoadWith(Embedded, LoadOptions{CacheDir: dir})
	if err != nil {
		b.Fatal(err)
	}
	m.tok, m.store, m.free = teacher.tok, teacher.store, teacher.free
	m.space = cache.Space{Numerics: "bench", Model: "bench", Tokenizer: "bench", Rows: len(m.rowNames), DModel: m.cfg.DModel}
}

// What is asked about 100 tokens of GPT-2's shape that the cache knows: five tokens through all rows, a click with its context, the attention of one layer.
func BenchmarkCachedGPT2(b *testing.B) {
	m, ctx, dir := gpt2Small(b), context.Background(), b.TempDir()
	m.stored(b, dir)
	defer func() { m.Close() }()
	ids := make([]int, 100)
	for i := range ids {
		ids[i] = i * 7 % 1000
	}
	kept, err := m.captured(ctx, ids, defaultTop)
	if err != nil {
		b.Fatal(err)
	}
	id := kept.ID()
	b.Run("track", func(b *testing.B) {
		for b.Loop() {
			if _, err := m.TrackIDs(ctx, ids, []int{1, 20, 300, 4000, 50000}, LensOptions{Rows: Stored}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("attention", func(b *testing.B) {
		for b.Loop() {
			if _, err := m.AttentionIDs(ctx, ids, AttentionOptions{Layers: []int{6}, Rows: Stored}); err != nil {
				b.Fatal(err)
			}
		}
	})
	click := func(b *testing.B, c *Conversation) {
		if v, err := c.Click(60); err != nil || len(v.ContextWindow) != ContextTokens {
			b.Fatal(v, err)
		}
	}
	b.Run("click warm", func(b *testing.B) {
		c, err := m.Reopen(id)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			click(b, c)
		}
	})
	b.Run("click cold", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			if err := m.Close(); err != nil {
				b.Fatal(err)
			}
			dropFiles(b, dir)
			m.stored(b, dir)
			b.StartTimer()
			c, err := m.Reopen(id)
			if err != nil {
				b.Fatal(err)
			}
			click(b, c)
		}
	})
}

// A residual sweep of 12 layers by 15 positions on a prompt of 15 tokens that differs at once, and as many whole runs with a hook.
func BenchmarkPatchSweepGPT2(b *testing.B) {
	m := gpt2Small(b)
	clean, other := make([]int, 15), make([]int, 15)
	for i := range clean {
		clean[i], other[i] = 1000+7*i, 2000+11*i
	}
	benchSweep(b, m, clean, other, 464)
}

// The same of the embedded model.
func BenchmarkPatchSweep(b *testing.B) {
	m := benchModel(b)
	clean, err := m.Encode("When Mary and John went to the shop, John gave a book to")
	if err != nil {
		b.Fatal(err)
	}
	other, err := m.Encode("When Peter and Anna went to the shop, Peter gave a book to")
	if err != nil {
		b.Fatal(err)
	}
	n := min(len(clean), len(other))
	clean, other = clean[:n], other[:n]
	mary, err := m.TokenID(" Mary")
	if err != nil {
		b.Fatal(err)
	}
	benchSweep(b, m, clean, other, mary)
}

func benchSweep(b *testing.B, m *Model, clean, other []int, mary int) {
	ctx := context.Background()
	b.Run("sweep", func(b *testing.B) {
		for b.Loop() {
			if _, err := m.PatchIDs(ctx, clean, other, LogitOf(mary), PatchOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gradient", func(b *testing.B) {
		for b.Loop() {
			if _, err := m.PatchIDs(ctx, clean, other, LogitOf(mary), PatchOptions{Gradient: true, Check: 1}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("whole runs", func(b *testing.B) {
		for b.Loop() {
			for l := range m.cfg.NLayers {
				for p := range clean {
					_, last, err := m.whole(ctx, other, []forward.Hook{{Site: SiteAt(l, "resid_pre"), Func: func(a model.Activation) error {
						a.Data[p*m.cfg.DModel]++
						return nil
					}}})
					if err != nil {
						b.Fatal(err)
					}
					m.value(last, LogitOf(mary))
				}
			}
		}
	})
}

// The exact scan for the rows nearest to one, over 100,000 of 768 as float16: in memory, and from files that the system does not hold either. MB/s are those of
// float16; "read" and "file" are how fast this machine reads as many bytes from memory and from the files.
func BenchmarkSearchNear(b *testing.B) {
	const conversations, length = 391, 256
	dir := b.TempDir()
	b.Setenv(cache.EnvLayers, "-1")
	open := func() *Model {
		teacher, err := LoadWith(Embedded, LoadOptions{CacheDir: dir})
		if err != nil {
			b.Fatal(err)
		}
		m := &Model{name: "gpt2", cfg: teacher.cfg, rowNames: []string{"embed", "0_post"}, tok: teacher.tok, run: teacher.run, store: teacher.store, free: teacher.free}
		m.cfg.DModel = 768
		m.space = cache.Space{Numerics: "bench", Model: "bench", Tokenizer: "bench", Rows: 2, DModel: 768}
		return m
	}
	m := open()
	defer func() { m.Close() }()
	rows, toks := make([]float32, length*2*768), make([]cache.Token, length)
	rng := rand.New(rand.NewPCG(1, 2))
	for c := range conversations {
		for i := range rows {
			rows[i] = float32(rng.NormFloat64())
		}
		for i := range toks {
			toks[i] = cache.Token{ID: (c*131 + i*7) % 1000, Record: []byte{0}}
		}
		conv, err := m.store.Create(fmt.Sprintf("bench-%d", c), m.space)
		if err != nil {
			b.Fatal(err)
		}
		if err := errors.Join(conv.AddEvent(event{Kind: eventPrompt}.encode()), conv.Append(toks, rows)); err != nil {
			b.Fatal(err)
		}
	}
	near, bytes := rows[:768], int64(conversations*length*2*768)
	find := func(b *testing.B) {
		hits, err := m.Search(context.Background(), Query{Near: near, Row: "0_post"})
		if err != nil || hits.Positions != conversations*length || len(hits.Hits) != 20 {
			b.Fatal(hits, err)
		}
	}
	find(b)
	b.Run("memory", func(b *testing.B) {
		b.SetBytes(bytes)
		for b.Loop() {
			find(b)
		}
	})
	b.Run("cold", func(b *testing.B) {
		b.SetBytes(bytes)
		for b.Loop() {
			b.StopTimer()
			if err := m.Close(); err != nil {
				b.Fatal(err)
			}
			dropFiles(b, dir)
			m = open()
			b.StartTimer()
			find(b)
		}
	})
	held := make([]uint64, bytes/8)
	b.Run("read", func(b *testing.B) {
		b.SetBytes(bytes)
		var sums [4]uint64
		for b.Loop() {
			for i := 0; i+4 <= len(held); i += 4 {
				sums[0], sums[1], sums[2], sums[3] = sums[0]+held[i], sums[1]+held[i+1], sums[2]+held[i+2], sums[3]+held[i+3]
			}
		}
	})
	b.Run("file", func(b *testing.B) {
		b.SetBytes(bytes)
		for b.Loop() {
			b.StopTimer()
			dropFiles(b, dir)
			b.StartTimer()
			eachFile(b, dir, func(f *os.File) {
				if _, err := io.Copy(io.Discard, f); err != nil {
					b.Fatal(err)
				}
			})
		}
	})
}

func dropFiles(b *testing.B, dir string) {
	b.Helper()
	eachFile(b, dir, func(f *os.File) {
		if err := drop(f); err != nil {
			b.Log(err)
		}
	})
}

func eachFile(b *testing.B, dir string, f func(*os.File)) {
	b.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		file, err := os.Open(path)
		if err == nil {
			f(file)
			err = file.Close()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

// Attention of one layer over 100 positions from stored rows.
func BenchmarkAttentionStored(b *testing.B) {
	m, ctx := benchModel(b), context.Background()
	ids := make([]int, 100)
	for i := range ids {
		ids[i] = i * 7 % 1000
	}
	opt := AttentionOptions{Layers: []int{3}, Rows: Stored}
	if _, err := m.AttentionIDs(ctx, ids, opt); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := m.AttentionIDs(ctx, ids, opt); err != nil {
			b.Fatal(err)
		}
	}
}

// The lens of 100 positions of the embedded model by a variant that is not recorded, and with further statistics.
func BenchmarkVariant(b *testing.B) {
	m := benchModel(b)
	ids := make([]int, 100)
	for i := range ids {
		ids[i] = (i * 37) % 1000
	}
	for _, stats := range []bool{false, true} {
		b.Run(fmt.Sprintf("stats=%v", stats), func(b *testing.B) {
			for b.Loop() {
				if _, err := m.LogitLensIDs(context.Background(), ids, LensOptions{Variant: Raw, Stats: stats}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
