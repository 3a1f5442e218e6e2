package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/kernels"
	"github.com/gopherlens/gopherlens/lensapi/model"
	"github.com/gopherlens/gopherlens/lensapi/teach"
	"github.com/gopherlens/gopherlens/lensapi/weights"
)

type benchCmd struct {
	Model   path          `help:"Measure a model: a folder in Hugging Face layout." placeholder:"DIR"`
	Shape   string        `enum:"gpt2-small,pythia-1b,tinyllama-1.1b,llama-7b,teach," default:"" help:"Measure a shape with random weights: gpt2-small (default), pythia-1b, tinyllama-1.1b, llama-7b; or teach, the embedded model."`
	Weights string        `enum:"f32,f16,bf16,int8," default:"" help:"Width of the weights: f32, f16, bf16 or int8 (default: f32 for a shape, as stored for a model)."`
	Time    time.Duration `default:"3s" help:"How long each row is repeated for; slow ones run once."`
	JSON    bool          `name:"json" help:"Print one JSON object in place of the table."`
	Serve   bool          `hidden:"" help:"For each line read, run one round beside a peer and print its milliseconds."`
}

// shapes are config.json files.
var shapes = map[string]string{
	"gpt2-small": `{"model_type":"gpt2"}`,
	"pythia-1b": `{"model_type":"gpt_neox","hidden_size":2048,"num_hidden_layers":16,"num_attention_heads":8,"intermediate_size":8192,"vocab_size":50304,
		"max_position_embeddings":2048,"rotary_pct":0.25}`,
	"tinyllama-1.1b": `{"model_type":"llama","hidden_size":2048,"num_hidden_layers":22,"num_attention_heads":32,"num_key_value_heads":4,"intermediate_size":5632,
		"vocab_size":32000,"max_position_embeddings":2048}`,
	"llama-7b": `{"model_type":"llama","hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,"intermediate_size":11008,"vocab_size":32000,
		"max_position_embeddings":2048}`,
}

// benchResult is what --json prints.
type benchResult struct {
	Machine machine    `json:"machine"`
	Model   string     `json:"model"`
	Weights string     `json:"weights"`
	Kernels string     `json:"kernels"`
	LoadS   float64    `json:"load_seconds"`
	Rows    []benchRow `json:"rows"`
}

type machine struct {
	CPU          string  `json:"cpu"`
	Cores        int     `json:"cores"`
	FMAGflops    float64 `json:"fma_gflops"`           // the best of some milliseconds, of which limits are made
	FMASustained float64 `json:"fma_gflops_sustained"` // what is left of it over a long time, in turns with the rows
	ReadGBps     float64 `json:"read_gbps"`
}

// benchRow is one kind of work. Its limit is the time that the FLOPs take at the machine's peak, or the bytes at its bandwidth, whichever is more.
type benchRow struct {
	Name    string  `json:"name"`
	Min     float64 `json:"seconds_min"`
	Median  float64 `json:"seconds_median"`
	Mean    float64 `json:"seconds_mean"`
	Share   float64 `json:"share_of_limit"` // of seconds_min
	Flops   float64 `json:"flops"`
	Bytes   float64 `json:"bytes"`
	Repeats int     `json:"repeats"`
}

func (c *benchCmd) Run(e *env) error {
	switch {
	case c.Model != "" && c.Shape != "":
		return usageError{errors.New("--model and --shape cannot be used together")}
	case c.Model == "" && c.Shape == "":
		c.Shape = "gpt2-small"
	}
	level, err := kernels.Level()
	if err != nil {
		return usageError{err}
	}
	b := &bench{ctx: e.ctx, progress: e.stderr, budget: c.Time}
	b.Kernels = level
	start := time.Now()
	m, err := c.load(b)
	if err != nil {
		return err
	}
	b.LoadS = time.Since(start).Seconds()
	if c.Serve {
		return b.serve(m, os.Stdin, e.stdout)
	}
	fmt.Fprintf(e.stderr, "measuring the machine\n")
	b.Machine = measureMachine(c.Time)
	if err := b.measure(m); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(b.benchResult)
	}
	b.print(e.stdout)
	return nil
}

// load makes or reads the model.
func (c *benchCmd) load(b *bench) (*model.Model, error) {
	if c.Model == "" && c.Shape != "teach" {
		if c.Weights == "" {
			c.Weights = "f32"
		}
		b.Model, b.Weights = c.Shape, c.Weights
		fmt.Fprintf(b.progress, "making %s weights of %s\n", c.Weights, c.Shape)
		dtype, o := strings.ToUpper(c.Weights), model.Options{}
		if c.Weights == "int8" {
			dtype, o.Weights = "F16", c.Weights
		}
		return model.Random([]byte(shapes[c.Shape]), dtype, 1, o)
	}
	var fsys fs.FS = teach.FS()
	b.Model = "teach"
	if c.Model != "" {
		fsys, b.Model = os.DirFS(string(c.Model)), string(c.Model)
	}
	b.Weights = "as stored"
	if c.Weights != "" {
		b.Weights = c.Weights + ", an approximation unless stored so"
	}
	config, err := fs.ReadFile(fsys, "config.json")
	if err != nil {
		return nil, usageError{fmt.Errorf("model %s: %w", b.Model, err)}
	}
	w, err := weights.Open(fsys)
	if err != nil {
		return nil, usageError{fmt.Errorf("model %s: %w", b.Model, err)}
	}
	defer w.Close()
	fmt.Fprintf(b.progress, "loading %s\n", b.Model)
	return model.LoadWith(config, w, model.Options{Weights: strings.TrimPrefix(c.Weights, "f32")})
}

// measureMachine finds the most that the machine does: fused multiply-adds, and bytes read from memory, on all processors at once.
func measureMachine(budget time.Duration) machine {
	m := machine{CPU: cpuName(), Cores: runtime.GOMAXPROCS(0)}
	all := func(f func(i int) int) float64 { // what f returns, by all processors, per second
		best := 0.0
		for end := time.Now().Add(min(budget, time.Second)); ; {
			var wg sync.WaitGroup
			parts := make([]int, m.Cores)
			start := time.Now()
			for i := range parts {
				wg.Go(func() { parts[i] = f(i) })
			}
			wg.Wait()
			took := time.Since(start).Seconds()
			sum := 0
			for _, p := range parts {
				sum += p
			}
			best = max(best, float64(sum)/took)
			if time.Now().After(end) {
				return best
			}
		}
	}
	m.FMAGflops = all(func(int) int { return kernels.ProbeFMA(1 << 20) }) / 1e9
	size := 512 << 20 // more than any cache
	if budget < 100*time.Millisecond {
		size = 32 << 20
	}
	probe := kernels.NewReadProbe(size)
	m.ReadGBps = all(func(i int) int { return probe.Read(i, m.Cores) }) / 1e9
	return m
}

// cpuName is what the system calls the processor.
func cpuName() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(data)) {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
			}
		}
	}
	return runtime.GOARCH
}

// bench runs the rows one after the other.
type bench struct {
	benchResult
	ctx      context.Context
	progress io.Writer
	budget   time.Duration
	fma      struct{ operations, seconds float64 } // of sustain
}

// row repeats f, which returns how long its own work took, until the budget is used up.
func (b *bench) row(name string, flops, bytes float64, f func() (time.Duration, error)) error {
	fmt.Fprintf(b.progress, "%s\n", name)
	var times []float64
	start := time.Now()
	for warm := false; ; {
		t, err := f()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !warm && t < b.budget { // the first one has cold caches and programs to compile
			warm, start = true, time.Now()
			continue
		}
		times = append(times, t.Seconds())
		if t >= b.budget || len(times) > 1 && time.Since(start) >= b.budget {
			break
		}
	}
	slices.Sort(times)
	r := benchRow{Name: name, Min: times[0], Median: times[len(times)/2], Flops: flops, Bytes: bytes, Repeats: len(times)}
	for _, t := range times {
		r.Mean += t / float64(len(times))
	}
	r.Share = max(flops/(b.Machine.FMAGflops*1e9), bytes/(b.Machine.ReadGBps*1e9)) / r.Min
	b.Rows = append(b.Rows, r)
	b.sustain(min(b.budget, 200*time.Millisecond))
	return nil
}

// sustain runs fused multiply-adds on all processors for a while: no row of a second can have the peak of a few milliseconds all the time.
func (b *bench) sustain(d time.Duration) {
	var wg sync.WaitGroup
	var operations atomic.Int64
	start := time.Now()
	for range b.Machine.Cores {
		wg.Go(func() {
			for time.Since(start) < d {
				operations.Add(int64(kernels.ProbeFMA(1 << 16)))
			}
		})
	}
	wg.Wait()
	b.fma.operations += float64(operations.Load())
	b.fma.seconds += time.Since(start).Seconds()
	b.Machine.FMASustained = b.fma.operations / b.fma.seconds / 1e9
}

func (b *bench) print(w io.Writer) {
	m := b.Machine
	fmt.Fprintf(w, "%s, %d cores, %s kernels: %.0f GFLOPS of fused multiply-adds at best, %.0f over the run, %.1f GB/s read\n", m.CPU, m.Cores, b.Kernels, m.FMAGflops, m.FMASustained, m.ReadGBps)
	fmt.Fprintf(w, "%s, weights %s, loaded in %.2f s\n\n", b.Model, b.Weights, b.LoadS)
	fmt.Fprintf(w, "%-22s %10s %10s %10s %8s %10s %10s\n", "", "min ms", "median ms", "mean ms", "of limit", "GFLOP", "GB")
	for _, r := range b.Rows {
		fmt.Fprintf(w, "%-22s %10.3f %10.3f %10.3f %7.0f%% %10.3f %10.3f\n", r.Name, r.Min*1e3, r.Median*1e3, r.Mean*1e3, r.Share*100, r.Flops/1e9, r.Bytes/1e9)
	}
	fmt.Fprintf(w, "\nlimit: GFLOP at the peak or GB at the bandwidth, whichever takes longer; the share is that of the fastest repeat\n")
}

// measure runs all rows.
func (b *bench) measure(m *model.Model) error {
	c := m.Config()
	for _, s := range [][2]int{{c.DModel, c.DModel}, {c.DMLP, c.DModel}, {c.DModel, c.DMLP}} {
		if err := b.gemm(s[0], s[1], 128); err != nil {
			return err
		}
	}
	r := forward.New(m)
	r.Keep(0)
	for _, n := range []int{100, 1000} {
		if n <= c.NCtx {
			if err := b.prefill(r, n); err != nil {
				return err
			}
		}
	}
	for _, n := range []int{100, 1000} {
		if n < c.NCtx {
			if err := b.decode(r, n); err != nil {
				return err
			}
		}
	}
	if err := b.lens(r, "lens-token", 1); err != nil {
		return err
	}
	return b.lens(r, fmt.Sprintf("lens-%dx100", c.NLayers), 100)
}

// gemm multiplies 128 rows with matrices that together are larger than the last-level cache, as those of a model are.
func (b *bench) gemm(n, k, rows int) error {
	var ws []*kernels.Matrix
	data := make([]float32, n*k)
	for i := range data {
		data[i] = float32(i%61) / 61
	}
	for range max(1, (64<<20)/(4*n*k)) {
		ws = append(ws, kernels.Pack(data, n, k))
	}
	x, y := make([]float32, rows*k), make([]float32, rows*n)
	for i := range x {
		x[i] = float32(i%53) / 53
	}
	i := 0
	return b.row(fmt.Sprintf("gemm-%dx%d-m%d", n, k, rows), 2*float64(rows)*float64(n)*float64(k), 4*float64(n)*float64(k), func() (time.Duration, error) {
		i++
		start := time.Now()
		kernels.MatMul(y, x, ws[i%len(ws)], nil)
		return time.Since(start), b.ctx.Err()
	})
}

// ids are n tokens of no meaning.
func (b *bench) ids(c model.Config, n int) []int {
	ids := make([]int, n)
	for i := range ids {
		ids[i] = (i*7919 + 13) % c.DVocab
	}
	return ids
}

// cost of n positions after start: their floating-point operations, and the bytes of all matrices of the blocks and of the keys and values.
func (b *bench) cost(m *model.Model, start, n int) (flops, bytes float64) {
	c := m.Config()
	size := m.Size()
	pairs := float64(n)*float64(start) + float64(n)*float64(n+1)/2
	flops = 2*float64(n)*float64(size.Blocks) + 4*pairs*float64(c.NHeads*c.DHead*c.NLayers)
	return flops, float64(size.BlockBytes) + float64(c.CacheBytes())*float64(start+n)
}

func (b *bench) prefill(r *forward.Runner, n int) error {
	ids := b.ids(r.Model().Config(), n)
	flops, bytes := b.cost(r.Model(), 0, n)
	return b.row(fmt.Sprintf("prefill-%d", n), flops, bytes, func() (time.Duration, error) {
		s := r.NewSession()
		start := time.Now()
		_, err := s.Extend(b.ctx, ids)
		return time.Since(start), err
	})
}

// decode feeds one token at a position and makes its logits, as a chat does for each token.
func (b *bench) decode(r *forward.Runner, at int) error {
	m := r.Model()
	c := m.Config()
	s := r.NewSession()
	if _, err := s.Extend(b.ctx, b.ids(c, at)); err != nil {
		return err
	}
	flops, bytes := b.cost(m, at, 1)
	size := m.Size()
	return b.row(fmt.Sprintf("decode-%d", at), flops+2*float64(size.Head), bytes+float64(size.HeadBytes), func() (time.Duration, error) {
		start := time.Now()
		t, err := s.Extend(b.ctx, []int{c.DVocab / 2})
		if err != nil {
			return 0, err
		}
		_, err = r.Logits(b.ctx, t.Last())
		took := time.Since(start)
		return took, errors.Join(err, s.Truncate(at))
	})
}

// lens makes the ten likeliest tokens of what every block leaves at some positions.
func (b *bench) lens(r *forward.Runner, name string, positions int) error {
	m := r.Model()
	c := m.Config()
	positions = min(positions, c.NCtx)
	t, err := r.NewSession().Extend(b.ctx, b.ids(c, positions))
	if err != nil {
		return err
	}
	var rows []float32
	for row := 1; row < t.Rows; row++ {
		for p := range t.Tokens {
			rows = append(rows, t.Row(p, row)...)
		}
	}
	n := float64(len(rows) / c.DModel)
	size := m.Size()
	return b.row(name, 2*n*float64(size.Head), float64(size.HeadBytes), func() (time.Duration, error) {
		start := time.Now()
		_, err := r.Read(b.ctx, rows, 10)
		return time.Since(start), err
	})
}
