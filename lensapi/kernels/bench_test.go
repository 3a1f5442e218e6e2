package kernels_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// BenchmarkMatMul measures products of GPT-2 small. Beside each call it measures the machine, so that a share of the limit can be told
// on one that others use too: the best call against the best probe. Weights are rotated through more than the last-level cache.
func BenchmarkMatMul(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	probe := newMachine()
	for _, f := range formats {
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
						start := time.Now()
						kernels.MatMul(y, x, ms[i%len(ms)], nil)
						best = min(best, time.Since(start))
						peak, read = max(peak, probe.fma()), max(read, probe.read())
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

// machine measures limits of all threads together.
type machine struct {
	memory *kernels.ReadProbe
	part   int
}

func newMachine() *machine { return &machine{memory: kernels.NewReadProbe(256 << 20)} }

// fma returns floating-point operations per second, read bytes per second.
func (m *machine) fma() float64 { return together(func(int) int { return kernels.ProbeFMA(20_000) }) }

func (m *machine) read() float64 {
	const parts = 128
	m.part += runtime.GOMAXPROCS(0)
	return together(func(i int) int { return m.memory.Read((m.part+i)%parts, parts) })
}

func together(f func(i int) int) float64 {
	var wg sync.WaitGroup
	threads := runtime.GOMAXPROCS(0)
	work := make([]int, threads)
	start := time.Now()
	for i := range threads {
		wg.Go(func() { work[i] = f(i) })
	}
	wg.Wait()
	sum := 0
	for _, w := range work {
		sum += w
	}
	return float64(sum) / time.Since(start).Seconds()
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
