package kernels

import (
	"context"
	"fmt"
	"runtime"
)

// Unembedding turns rows of the residual stream, normalized, into logits over the vocabulary, or into what the lens keeps of
// them.
type Unembedding struct {
	W   *Matrix
	Cap float64 // soft cap on logits; 0: none
}

// Hit is a token and its logit.
type Hit struct {
	ID    int
	Logit float32
}

// Score is how a row scored one token.
type Score struct {
	Logit   float32
	Logprob float64 // nats
	Rank    int     // 1 + number of tokens with a strictly greater logit
}

// Readout is what the lens keeps of one row of logits z, p = softmax(z), in nats.
type Readout struct {
	Top          []Hit   // by descending logit, ties by lower id
	LogPartition float64 // ln sum exp z
	Entropy      float64 // -sum p ln p
	KL           float64 // sum p_last (ln p_last - ln p) against the last row of the position; exactly 0 there
	Scores       []Score // of the tokens asked for
}

// NotFiniteError says that a logit of a row is NaN or infinite.
type NotFiniteError struct {
	Position, Row int // of the call
}

func (e *NotFiniteError) Error() string {
	return fmt.Sprintf("position %d: row %d: the logits are not finite: the weights or an edited activation hold NaN or Inf", e.Position, e.Row)
}

// Logits computes the logits dst [n, N] of x [n, K].
func (u Unembedding) Logits(dst, x []float32) {
	MatMul(dst, x, u.W, nil)
	if u.Cap > 0 {
		SoftCap(dst, dst, u.Cap)
	}
}

// Tokens computes the logits dst [n, len(ids)] of some tokens of x [n, K], with the bits of Logits.
func (u Unembedding) Tokens(dst, x []float32, ids []int) {
	m, free := productOf(nil, x, u.W, nil)
	defer free()
	const cols = 2 * panel
	byPanels := map[int][]int{} // the tokens, as indices, of each pair of panels
	for j, id := range ids {
		byPanels[id/cols] = append(byPanels[id/cols], j)
	}
	rows := len(x) / u.W.k
	c := make([]float32, rows*cols)
	for pair, js := range byPanels {
		m.columns(c, 0, rows, 2*pair, 2*pair+2)
		if u.Cap > 0 {
			SoftCap(c, c, u.Cap)
		}
		for _, j := range js {
			for i := range rows {
				dst[i*len(ids)+j] = c[i*cols+ids[j]%cols]
			}
		}
	}
	runtime.KeepAlive(u.W)
}

const (
	// tilePanels is the panels of W whose logits, of a block of rows, are reduced before others are computed. Sums over the
	// vocabulary are taken by tile, so it is part of the numerics.
	tilePanels = 16
	tileCols   = tilePanels * panel

	// lanes64 is how many partial sums of float64 a sum over a tile keeps: element i is added to sum i%8.
	lanes64 = 8

	// lensRows is the most rows of a block: they stay in a second-level cache with their logits.
	lensRows = 120
)

// Lens reads out all rows of some positions: x [positions, rows, K], normalized, the last row of each position the model's own
// output. top is the candidates to keep, at least 1. Scores are of the first choice of the last row of the position and, where next, which may be
// nil, has one for it, of another token; -1 is none. It returns [positions*rows] readouts, and writes the logits of the rows of the last position to last,
// [rows, N], unless that is nil.
//
// Logits are those of Logits. Of other positions they are reduced tile by tile while they are in a cache, and never all in
// memory; only the last rows' are, for the first choice must be known before other rows can rank it. Sums over the vocabulary
// are float64: 8 partial sums within each 256 tokens, relative to the greatest logit there, and these in ascending order. Nothing
// depends on the other positions or the number of threads. ReadLogits gives the same bits.
//
// The error is that of ctx, which is looked at every few milliseconds, or a *NotFiniteError.
func (u Unembedding) Lens(ctx context.Context, x []float32, rows, top int, next []int, last []float32) ([]Readout, error) {
	k, n := u.W.k, u.W.n
	positions := len(x) / (rows * k)
	if positions == 0 || n == 0 {
		return nil, nil
	}
	// The rows whose logits are kept: of the last position all, of the others the last.
	var keep, others []int
	for i := range positions * rows {
		if i%rows == rows-1 || i/rows == positions-1 {
			keep = append(keep, i)
		} else {
			others = append(others, i)
		}
	}
	r := newReduction(positions*rows, rows, n, top)
	defer r.free()
	z := resize(&r.z, len(keep)*n)
	for i, row := range keep {
		r.kept[row] = z[i*n : (i+1)*n]
		if at := row - (positions-1)*rows; at >= 0 && last != nil {
			r.kept[row] = last[at*n : (at+1)*n]
		}
	}
	if err := u.pass(ctx, r, x, keep); err != nil {
		return nil, err
	}
	r.answer(next)
	if len(others) > 0 {
		for p := range positions - 1 {
			from := p * rows
			u.limits(r, x[from*k:(from+rows-1)*k], from, r.asked[p])
		}
		if err := u.pass(ctx, r, x, others); err != nil {
			return nil, err
		}
	}
	r.compareKept(keep)
	return r.readouts(), nil
}

// Read is the readout of any rows x [T, K], normalized: like Lens, with the same bits, but no row is compared with another and no
// logits are kept at all. Scores are of the tokens.
func (u Unembedding) Read(ctx context.Context, x []float32, top int, tokens []int) ([]Readout, error) {
	rows := len(x) / u.W.k
	if rows == 0 || u.W.n == 0 {
		return nil, nil
	}
	r := newReduction(rows, 1, u.W.n, top)
	defer r.free()
	all := make([]int, rows)
	for i := range all {
		all[i] = i
		r.asked[i] = tokens
	}
	u.limits(r, x, 0, tokens)
	if err := u.pass(ctx, r, x, all); err != nil {
		return nil, err
	}
	return r.readouts(), nil
}

// ReadLogits is Lens of logits that are there already, [positions, rows, n].
func ReadLogits(z []float32, rows, n, top int, next []int) ([]Readout, error) {
	all := make([]int, len(z)/n)
	r := newReduction(len(all), rows, n, top)
	defer r.free()
	for i := range all {
		all[i] = i
		r.kept[i] = z[i*n : (i+1)*n]
	}
	Parallel(len(all)*r.tiles, r.work(len(all)), func(lo, hi int) {
		p := r.part()
		for i := lo; i < hi; i++ {
			row, tile := i/r.tiles, i%r.tiles
			at := tile * tileCols
			p.reduce(row, tile, r.kept[row][at:min(at+tileCols, n)])
		}
		r.merge(p)
	})
	if err := r.finish(all); err != nil {
		return nil, err
	}
	r.answer(next)
	r.compareKept(all)
	return r.readouts(), nil
}

// Rank is 1 + the number of logits strictly greater than that of id.
func Rank(z []float32, id int) int { return 1 + countAbove(z, z[id]) }

// pass computes the logits of some rows, tile by tile, and reduces them. It keeps those of rows to be kept, and compares others.
func (u Unembedding) pass(ctx context.Context, r *reduction, x []float32, rows []int) error {
	k := u.W.k
	in := resize(&r.in, len(rows)*k)
	for i, row := range rows {
		copy(in[i*k:(i+1)*k], x[row*k:])
	}
	m, free := productOf(nil, in, u.W, nil)
	defer free()
	blocks := (len(rows) + lensRows - 1) / lensRows
	work := len(rows) * u.W.n * k
	if active != portable {
		work /= 64
	}
	// Neighbouring jobs share a tile of W, so that it is read from memory once.
	Parallel(r.tiles*blocks, work, func(lo, hi int) {
		p := r.part()
		c := resize(&p.logits, min(lensRows, len(rows))*tileCols)
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			tile, from := i/blocks, i%blocks*len(rows)/blocks
			to := (i%blocks + 1) * len(rows) / blocks
			panels := min(tilePanels, u.W.panels()-tile*tilePanels)
			m.columns(c, from, to, tile*tilePanels, tile*tilePanels+panels)
			at := tile * tileCols
			for j, row := range rows[from:to] {
				z := c[j*panels*panel:][:min(tileCols, u.W.n-at)]
				if u.Cap > 0 {
					SoftCap(z, z, u.Cap)
				}
				p.reduce(row, tile, z)
				if r.kept[row] != nil {
					copy(r.kept[row][at:], z)
				} else {
					p.compare(row, tile, z)
				}
			}
		}
		r.merge(p)
	})
	runtime.KeepAlive(u.W)
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.finish(rows)
}

// limits finds the logits of tokens asked for, of rows x from row from on that are not kept.
func (u Unembedding) limits(r *reduction, x []float32, from int, tokens []int) {
	z := make([]float32, len(x)/u.W.k*len(tokens))
	u.Tokens(z, x, tokens)
	for i := range len(x) / u.W.k {
		r.rows[from+i].limit = z[i*len(tokens) : (i+1)*len(tokens)]
	}
}
