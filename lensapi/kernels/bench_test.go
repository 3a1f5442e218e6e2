package kernels_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// BenchmarkMatMul measures products of GPT-2 small. Beside each call it measures the machine, so that a share of the limit can be told
// on one that others use too: the best call against the best probe. Weights are rotated through more than the last-level cache.
func BenchmarkMatMul(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	probe := newMachine()
	for _, f := range append(formats, kernels.Int8) {
		for _, c := range []struct{ n, k int }{{768, 768}, {2304, 768}, {3072, 768}, {768, 3072}, {50257, 768}} {
			var ms []*kernels.Matrix
			for bytes := 0; bytes < 64<<20; {
				m := randomWeights(r, f, c.n*c.k).pack(c.n, c.k)
				ms = append(ms, m)
				bytes += m.Bytes()
			}
			for _, t := range []int{1, 12, 16, 128, 512} {
				x, y := random(r, t*c.k), make([]float32, t*c.n)
				b.Run(fmt.Sprintf("%v/%dx%d/%d", f, c.n, c.k, t), func(b *testing.B) {
					best := time.Hour
					peak, read := 0.0, 0.0
					for i := 0; b.Loop(); i++ {
						peak, read = max(peak, probe.fma()), max(read, probe.read())
						kernels.MatMul(y, x, ms[2*i%len(ms)], nil) // products follow one another: no thread is started for the next
						start := time.Now()
						kernels.MatMul(y, x, ms[(2*i+1)%len(ms)], nil)
						best = min(best, time.Since(start))
					}
					flops := 2 * float64(t*c.n*c.k) / best.Seconds()
					bytes := float64(ms[0].Bytes()) / best.Seconds()
					b.ReportMetric(flops/1e9, "GFLOPS")
					b.ReportMetric(100*flops/peak, "%peak")
					b.ReportMetric(bytes/1e9, "GB/s")
					b.ReportMetric(100*bytes/read, "%read")
				})
			}
		}
	}
}

// machine measures limits of all threads together, as products use them.
type machine struct {
	memory *kernels.ReadProbe
	part   int
}

func newMachine() *machine { return &machine{memory: kernels.NewReadProbe(256 << 20)} }

// fma returns floating-point operations per second, read bytes per second.
func (m *machine) fma() float64 { return together(func(int) int { return kernels.ProbeFMA(10_000) }) }

func (m *machine) read() float64 {
	const parts = 256
	m.part += probes
	return together(func(i int) int { return m.memory.Read((m.part+i)%parts, parts) })
}

// probes is how many probes are measured at a time: some milliseconds of them.
const probes = 64

func together(f func(i int) int) float64 {
	var sum atomic.Int64
	start := time.Now()
	kernels.Parallel(probes, 1<<30, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			sum.Add(int64(f(i)))
		}
	})
	return float64(sum.Load()) / time.Since(start).Seconds()
}

func TestProbes(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		if n := kernels.ProbeFMA(10); n < 80 {
			t.Errorf("%d operations", n)
		}
		p := kernels.NewReadProbe(100_000)
		if n := p.Read(1, 3); n != 32*1024 {
			t.Errorf("%d bytes read, want 32 KiB", n)
		}
		if n := p.Read(0, 200); n != 0 {
			t.Errorf("%d bytes read of a part less than a KiB", n)
		}
	})
}
