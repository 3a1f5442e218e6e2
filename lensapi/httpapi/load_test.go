package httpapi_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/lensapi/httpapi"
)

// 64 readers click through conversations while 4 chat: no error, and memory that stays. GOPHERLENS_SLOW runs it for a minute.
func TestLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds of load")
	}
	lasts := 2 * time.Second
	if os.Getenv("GOPHERLENS_SLOW") != "" {
		lasts = time.Minute
	}
	r := serve(t, httpapi.Options{})
	client := &httpapi.Client{Base: r.URL, HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}}
	var lengths []int
	for i := range 8 {
		conv := r.chat(t, obj{"text": question, "conversation_id": fmt.Sprintf("c%d", i), "seed": i, "temperature": 0.1})
		lengths = append(lengths, conv.TotalTokens)
	}
	ctx, stop := context.WithTimeout(context.Background(), lasts)
	defer stop()
	var clicks, chats atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	failed := func(err error) {
		if ctx.Err() == nil {
			t.Error(err)
			stop()
		}
	}
	for i := range 64 {
		rng := rand.New(rand.NewPCG(uint64(i), 0))
		wg.Go(func() {
			var own []time.Duration
			for ctx.Err() == nil {
				c := rng.IntN(8)
				start := time.Now()
				if _, err := client.Click(ctx, fmt.Sprintf("c%d", c), rng.IntN(lengths[c]), httpapi.LensQuery{}); err != nil {
					failed(err)
					break
				}
				own = append(own, time.Since(start))
				clicks.Add(1)
				time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond) // a hand that moves
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, own...)
		})
	}
	for i := range 4 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				_, err := client.ChatEach(ctx, httpapi.ChatRequest{Text: "Tell me about it.", Temperature: 1, Seed: uint64(i*1000 + n), MaxTokens: 64}, nil)
				if err != nil {
					failed(err)
					break
				}
				chats.Add(1)
			}
		})
	}
	wg.Wait()
	var mem runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&mem)
	slices.Sort(took)
	at := func(q float64) time.Duration { return took[int(q*float64(len(took)-1))].Round(10 * time.Microsecond) }
	t.Logf("%v: %d clicks, p50 %v, p95 %v, p99 %v, max %v; %d answers; live heap %d MiB, from the system %d MiB, goroutines %d",
		lasts, clicks.Load(), at(0.5), at(0.95), at(0.99), at(1), chats.Load(), mem.HeapAlloc>>20, mem.Sys>>20, runtime.NumGoroutine())
	if mem.HeapAlloc > 700<<20 { // the cache's own limit is 450 MiB
		t.Errorf("%d MiB are live", mem.HeapAlloc>>20)
	}
}
