package forward_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/lenstest"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

// wideModel is a random GPT-2 wide enough for kernels to use several threads.
func wideModel(t testing.TB) *model.Model {
	const v, d, ctx = 300, 64, 160
	config := map[string]any{"model_type": "gpt2", "n_embd": d, "n_layer": 2, "n_head": 4, "n_positions": ctx, "vocab_size": v}
	shapes := map[string][]int{"wte.weight": {v, d}, "wpe.weight": {ctx, d}, "ln_f.weight": {d}, "ln_f.bias": {d}}
	for _, l := range []string{"h.0.", "h.1."} {
		for name, s := range map[string][]int{
			"ln_1.weight": {d}, "ln_1.bias": {d}, "ln_2.weight": {d}, "ln_2.bias": {d},
			"attn.c_attn.weight": {d, 3 * d}, "attn.c_attn.bias": {3 * d}, "attn.c_proj.weight": {d, d}, "attn.c_proj.bias": {d},
			"mlp.c_fc.weight": {d, 4 * d}, "mlp.c_fc.bias": {4 * d}, "mlp.c_proj.weight": {4 * d, d}, "mlp.c_proj.bias": {d},
		} {
			shapes[l+name] = s
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	header, data := map[string]any{}, new(bytes.Buffer)
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		s := shapes[name]
		n, at := 1, data.Len()
		for _, k := range s {
			n *= k
		}
		for range n {
			data.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(rng.NormFloat64()*0.1))))
		}
		header[name] = map[string]any{"dtype": "F32", "shape": s, "data_offsets": []int{at, data.Len()}}
	}
	cfg, err := json.Marshal(config)
	head, err2 := json.Marshal(header)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)
	return lenstest.Load(t, fstest.MapFS{"config.json": {Data: cfg}, "model.safetensors": {Data: append(file, data.Bytes()...)}})
}

// BenchmarkCancel stops prompts of 1,000 tokens on GPT-2's small shape at moments all over the pass and reports how long they took to stop.
func BenchmarkCancel(b *testing.B) {
	m, err := model.Random([]byte(`{"model_type":"gpt2"}`), "F32", 1, model.Options{})
	if err != nil {
		b.Fatal(err)
	}
	r := forward.New(m)
	r.Keep(0)
	ids := make([]int, 1000)
	start := time.Now()
	if _, err := r.NewSession().Extend(context.Background(), ids); err != nil {
		b.Fatal(err)
	}
	whole := time.Since(start)
	var longest, sum time.Duration
	n := 0
	for b.Loop() {
		for i := range 10 {
			ctx, cancel := context.WithCancel(context.Background())
			var at time.Time
			time.AfterFunc(whole*time.Duration(i)/11+whole/50, func() { at = time.Now(); cancel() })
			s := r.NewSession()
			if _, err := s.Extend(ctx, ids); !errors.Is(err, context.Canceled) {
				b.Fatal(err)
			}
			took := time.Since(at)
			longest, sum, n = max(longest, took), sum+took, n+1
			if _, err := s.Extend(context.Background(), ids[:1]); err != nil { // it is usable
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(longest.Seconds()*1e3, "ms-longest")
	b.ReportMetric(sum.Seconds()*1e3/float64(n), "ms-mean")
}

// BenchmarkPass reports tokens per second on the embedded teaching model where it lies beside the repository.
func BenchmarkPass(b *testing.B) {
	r := forward.New(lenstest.Load(b, os.DirFS(sharedModel(b, "teach-draft"))))
	ctx := context.Background()
	ids := make([]int, 100)
	for i := range ids {
		ids[i] = (i * 37) % 1000
	}
	b.Run("prefill100", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.NewSession().Extend(ctx, ids); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(ids)*b.N)/b.Elapsed().Seconds(), "tokens/s")
	})
	b.Run("decode-at-100", func(b *testing.B) {
		s := r.NewSession()
		if _, err := s.Extend(ctx, ids); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := s.Extend(ctx, ids[:1]); err != nil {
				b.Fatal(err)
			}
			if err := s.Truncate(len(ids)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
	})
	b.Run("lens-of-one-token", func(b *testing.B) {
		tr, err := r.NewSession().Extend(ctx, ids)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := r.Logits(ctx, tr.Resid[:tr.Rows*tr.DModel]); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
	})
}
