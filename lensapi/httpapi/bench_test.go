package httpapi_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	lens "github.com/gopherlens/gopherlens/lensapi"
	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/httpapi"
)

// An answer of 100 tokens with all its layers kept: from the library, over HTTP in one piece, and streamed, each with the time to its first token.
// Hot sampling with a seed of its own each time, so that nothing is answered from the cache.
func BenchmarkAnswer(b *testing.B) {
	const tokens = 100
	ctx := context.Background()
	hot := func(seed int) forward.Sampling { return forward.Sampling{Temperature: 20, Seed: uint64(seed)} }
	report := func(b *testing.B, n int, first time.Duration) {
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/token")
		b.ReportMetric(float64(first.Microseconds())/float64(b.N), "µs/first")
	}
	b.Run("library", func(b *testing.B) {
		m, err := lens.LoadWith(lens.Embedded, lens.LoadOptions{CacheDir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		defer m.Close()
		n, seed := 0, 0
		var first time.Duration
		for b.Loop() {
			seed++
			c, err := m.NewChat(lens.ChatOptions{})
			if err != nil {
				b.Fatal(err)
			}
			start, told := time.Now(), false
			r, err := c.Respond(ctx, []lens.Message{{Role: "user", Content: question}}, lens.Answering{Sampling: hot(seed), MaxTokens: tokens, Each: func(lens.Token) error {
				if !told {
					first, told = first+time.Since(start), true
				}
				return nil
			}})
			if err != nil {
				b.Fatal(err)
			}
			n += r.End - r.Start
		}
		report(b, n, first)
	})
	for _, streamed := range []bool{false, true} {
		name := "whole"
		if streamed {
			name = "streamed"
		}
		b.Run(name, func(b *testing.B) {
			r := serve(b, httpapi.Options{})
			client := &httpapi.Client{Base: r.URL}
			if _, err := client.Model(ctx, "teach"); err != nil {
				b.Fatal(err)
			}
			n, seed := 0, 0
			var first time.Duration
			for b.Loop() {
				seed++
				req := httpapi.ChatRequest{Text: question, Temperature: 20, Seed: uint64(seed), MaxTokens: tokens, ConversationID: fmt.Sprintf("c%d", seed)}
				if !streamed {
					reply, err := client.Chat(ctx, req)
					if err != nil {
						b.Fatal(err)
					}
					n += reply.End - reply.Start
					continue
				}
				start, told := time.Now(), false
				done, err := client.ChatEach(ctx, req, func(e httpapi.Event) error {
					if e.Event == "layer" && !told {
						first, told = first+time.Since(start), true
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
				n += done.End - done.Start
			}
			report(b, n, first)
		})
	}
}
