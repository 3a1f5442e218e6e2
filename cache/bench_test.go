package cache_test

import (
	"fmt"
	"testing"

	"github.com/gopherlens/gopherlens/cache"
)

// Shapes of GPT-2 small and of a 7B Llama.
var shapes = map[string]cache.Space{
	"gpt2": {Model: "gpt2", Rows: 13, DModel: 768},
	"7b":   {Model: "7b", Rows: 33, DModel: 4096},
}

// BenchmarkAppend appends one token at a time, as generation does. MB/s counts float32 rows.
func BenchmarkAppend(b *testing.B) {
	for _, name := range []string{"gpt2", "7b"} {
		sp := shapes[name]
		rows := model(sp, seq(0, 16))
		n := sp.Rows * sp.DModel
		for _, sync := range []cache.SyncPolicy{cache.SyncBlock, cache.SyncNever} {
			b.Run(fmt.Sprintf("%s/sync=%v", name, sync == cache.SyncBlock), func(b *testing.B) {
				s := open(b, b.TempDir(), cache.Options{Sync: sync})
				c, err := s.Create("", sp)
				must(b, err)
				record := make([]byte, 800)
				b.SetBytes(int64(4 * n))
				i := 0
				for b.Loop() {
					at := i % 16
					must(b, c.Append([]cache.Token{{ID: i, Record: record}}, rows[at*n:(at+1)*n]))
					i++
				}
				b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "tokens/s")
			})
		}
	}
}

// BenchmarkClick reads a window of 15 tokens, which touches two blocks: warm from memory, cold in a store that was just
// opened (the operating system still has the files). A click on what the lens showed needs only records.
func BenchmarkClick(b *testing.B) {
	for _, name := range []string{"gpt2", "7b"} {
		sp := shapes[name]
		dir := b.TempDir()
		s := open(b, dir, quick)
		c, err := s.Create("a", sp)
		must(b, err)
		toks := make([]cache.Token, 48)
		for i := range toks {
			toks[i] = cache.Token{ID: i, Record: make([]byte, 800)}
		}
		must(b, c.Append(toks, model(sp, seq(0, 48))))
		click := func(b *testing.B, c *cache.Conversation) {
			if _, err := c.Rows(b.Context(), 10, 25, mustNotRecompute); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(name+"/warm", func(b *testing.B) {
			for b.Loop() {
				click(b, c)
			}
		})
		b.Run(name+"/record", func(b *testing.B) {
			for b.Loop() {
				if _, err := c.Record(17); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/cold", func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := open(b, dir, quick)
				c := conversation(b, s, "a")
				b.StartTimer()
				click(b, c)
				b.StopTimer()
				closeStore(b, s)
				b.StartTimer()
			}
		})
	}
}
