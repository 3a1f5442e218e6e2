package forward

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/gopherlens/gopherlens/lensapi/model"
)

// Numerics names everything besides model and ids that decides the bits of an activation and of the lens: the order and width of
// accumulation. It is the same on every architecture, and belongs into the key of anything stored. The number changes with the
// arithmetic.
const Numerics = "fma-f32-3"

const (
	// maxChunk is the most positions of one run of a program; it bounds the memory of a program and does not
	// change any result.
	maxChunk = 128
	// maxHeadChunk is the most rows unembedded between two looks at the context.
	maxHeadChunk = 32
	// patience is the multiply-adds between two looks at the context: some ten milliseconds.
	patience = 1 << 29
)

// Runner runs one model. It is safe for concurrent use.
type Runner struct {
	m                *model.Model
	programs         pool[*model.Program]
	heads            pool[*model.Head]
	turns            *semaphore.Weighted // first come, first served
	chunk, headChunk int                 // of this model
	sites            int                 // how many there are
	resid            []int               // by residual row: index of the site it is read at
	prefixes         prefixes
	layers           []pool[*model.Program] // by layer: the blocks from there on
	passes, tokens   atomic.Int64
	partial          atomic.Int64
}

// Stats counts work since New.
type Stats struct {
	Passes int64 `json:"passes"` // forward passes: calls of Extend that ran the blocks, whether or not they succeeded
	Tokens int64 `json:"tokens"` // tokens that passed through all blocks
	// Partial counts calls of ExtendFrom, which begin above the embedding.
	Partial int64 `json:"partial"`
}

// New returns a Runner of m. As many runs go on at once as there are processors, two at least; others wait their turn, which
// comes with every few positions of a long prompt. Programs are compiled when first needed.
func New(m *model.Model) *Runner {
	c, n := m.Config(), max(2, runtime.GOMAXPROCS(0))
	r := &Runner{m: m, turns: semaphore.NewWeighted(int64(n))}
	r.programs.build, r.programs.keep = m.NewProgram, n
	r.heads.build, r.heads.keep = m.NewHead, n
	widest := c.DModel * max(c.DMLP, c.NHeads*c.DHead)
	r.chunk = min(max(patience/widest, 16), maxChunk)
	r.headChunk = min(max(patience/(c.DModel*c.DVocab), 1), maxHeadChunk)
	r.prefixes.limit = defaultKeep
	for i, s := range m.Sites() {
		if s.Name == "blocks.0.hook_resid_pre" || strings.HasSuffix(s.Name, ".hook_resid_post") {
			r.resid = append(r.resid, i)
		}
		r.sites++
	}
	r.layers = make([]pool[*model.Program], m.Config().NLayers)
	for l := range r.layers {
		r.layers[l].build = func() (*model.Program, error) { return m.NewLayers(l, m.Config().NLayers) }
		r.layers[l].keep = 1
	}
	return r
}

// Model returns the model.
func (r *Runner) Model() *model.Model { return r.m }

// Stats returns the counts so far. Logits and the lens count for nothing: they run no block.
func (r *Runner) Stats() Stats { return Stats{r.passes.Load(), r.tokens.Load(), r.partial.Load()} }

// Logits applies the final norm and the unembedding to rows [n, d_model] and returns [n, d_vocab], the caller's. All
// logits have these bits, the model's own and those of every lens row (see Lens). A row's logits do not depend on the
// rows beside it. Hooks may be attached to sites of the head (ln_final.hook_normalized); their Start counts rows of
// this call. ctx is looked at before each operation and every few rows.
func (r *Runner) Logits(ctx context.Context, rows []float32, hooks ...Hook) ([]float32, error) {
	d, v := r.m.Config().DModel, r.m.Config().DVocab
	if len(rows)%d != 0 {
		return nil, fmt.Errorf("%d values are not rows of d_model %d", len(rows), d)
	}
	var at int
	taps, err := r.taps(hooks, true, &at)
	if err != nil {
		return nil, err
	}
	n := len(rows) / d
	out := make([]float32, n*v)
	for ; at < n; at += r.headChunk {
		end := min(at+r.headChunk, n)
		err := turn(ctx, r, &r.heads, func(h *model.Head) error { return h.Run(ctx, rows[at*d:end*d], out[at*v:end*v], taps) })
		if err != nil {
			return nil, fmt.Errorf("logits: %w", err)
		}
	}
	return out, nil
}

// turn waits for a turn and gives f a program of the pool for it. One that failed is not put back.
func turn[T any](ctx context.Context, r *Runner, p *pool[T], f func(x T) error) error {
	if err := r.turns.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("stopped while waiting for a turn: %w", err)
	}
	defer r.turns.Release(1)
	x, err := p.get()
	if err != nil {
		return err
	}
	if err := f(x); err != nil {
		return err
	}
	p.put(x)
	return nil
}

// pool keeps idle programs.
type pool[T any] struct {
	mu    sync.Mutex
	free  []T
	keep  int
	build func() (T, error)
}

func (p *pool[T]) get() (T, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		x := p.free[n-1]
		p.free = p.free[:n-1]
		return x, nil
	}
	return p.build()
}

func (p *pool[T]) put(x T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < p.keep {
		p.free = append(p.free, x)
	}
}
