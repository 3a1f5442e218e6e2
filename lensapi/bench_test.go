package lens

import (
	"context"
	"testing"

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

// The exact scan for nearest rows, in bytes of float32 rows.
func BenchmarkSearchNear(b *testing.B) {
	m, ctx := benchModel(b), context.Background()
	ids := make([]int, 256)
	for i := range 40 {
		for j := range ids {
			ids[j] = (i*131 + j*7) % 1000
		}
		if _, err := m.LogitLensIDs(ctx, ids, LensOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	near := make([]float32, m.cfg.DModel)
	near[3] = 1
	b.SetBytes(40 * 256 * 4 * int64(m.cfg.DModel))
	for b.Loop() {
		if _, err := m.Search(ctx, Query{Near: near, Row: "3_post"}); err != nil {
			b.Fatal(err)
		}
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
