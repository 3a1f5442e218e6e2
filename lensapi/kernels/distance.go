package kernels

import (
	"context"
	"math"
	"runtime"
)

// Distances compare the distribution p of a row with that of the last row of its position, m; in nats.
type Distances struct {
	KLReverse float64 // sum p (ln p - ln m)
	JS        float64 // Jensen-Shannon: (KL(p || a) + KL(m || a)) / 2 with a = (p + m) / 2
	TV        float64 // total variation: sum |p - m| / 2
}

// Distances compares all rows of some positions, x and rows as Lens takes them, whose log-partitions are known: [positions*rows]. Like there, logits are
// reduced while they are in a cache and never all in memory. Sums are float64 in ascending id, each step rounded on its own; nothing depends
// on the other rows or the number of threads. The logits have been found to be finite. The error is that of ctx.
func (u Unembedding) Distances(ctx context.Context, x []float32, rows int, logPartitions []float64) ([]Distances, error) {
	n := len(logPartitions)
	if n == 0 {
		return nil, nil
	}
	sums := make([]Distances, n)
	jobs := min(n, max(runtime.GOMAXPROCS(0), (n+lensRows-1)/lensRows))
	Parallel(jobs, n*u.W.n*u.W.k, func(lo, hi int) {
		for j := lo; j < hi; j++ {
			d := distances{u: u, x: x, rows: rows, lse: logPartitions, sums: sums}
			d.run(ctx, j*n/jobs, (j+1)*n/jobs)
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, s := range sums {
		sums[i] = Distances{max(0, s.KLReverse), max(0, s.JS/2), min(1, s.TV/2)} // rounding
	}
	return sums, nil
}

// distances is the work of one thread on some neighbouring rows.
type distances struct {
	u    Unembedding
	x    []float32
	rows int
	lse  []float64
	sums []Distances
	p, m [tileCols]float64
}

// run takes the sums of the rows lo to hi-1.
func (d *distances) run(ctx context.Context, lo, hi int) {
	k, n := d.u.W.k, d.u.W.n
	// The rows in the order of the logits: those of a position, and its last one even if it is not among them.
	var order []int
	for i := lo; i < hi; i++ {
		order = append(order, i)
		if last := d.last(i); i == hi-1 && i != last {
			order = append(order, last)
		}
	}
	in := make([]float32, len(order)*k)
	for i, row := range order {
		copy(in[i*k:(i+1)*k], d.x[row*k:])
	}
	product, free := productOf(nil, in, d.u.W, nil)
	defer free()
	c := make([]float32, len(order)*tileCols)
	for panels := 0; panels < d.u.W.panels() && ctx.Err() == nil; panels += tilePanels {
		end := min(panels+tilePanels, d.u.W.panels())
		product.columns(c, 0, len(order), panels, end)
		width, cols := (end-panels)*panel, min(tileCols, n-panels*panel)
		logits := func(i int) []float32 {
			z := c[i*width:][:cols]
			if d.u.Cap > 0 {
				SoftCap(z, z, d.u.Cap)
			}
			return z
		}
		for i := 0; i < len(order); {
			last := i // the index of the last row of i's position
			for order[last] != d.last(order[i]) {
				last++
			}
			model := logits(last)
			expMoments(d.m[:cols], model, d.lse[order[last]])
			for ; i <= last; i++ {
				z := model
				if i < last {
					z = logits(i)
				}
				if order[i] < hi {
					d.add(order[i], z, model)
				}
			}
		}
	}
	runtime.KeepAlive(d.u.W)
}

// last is the last row of the position of a row.
func (d *distances) last(row int) int { return row/d.rows*d.rows + d.rows - 1 }

// add takes a tile of a row's logits in, and of its position's last row, whose probabilities are in d.m.
func (d *distances) add(row int, z, model []float32) {
	lse, lseModel := d.lse[row], d.lse[d.last(row)]
	expMoments(d.p[:len(z)], z, lse)
	s := d.sums[row]
	for j, p := range d.p[:len(z)] {
		q := d.m[j]
		lp, lm := float64(z[j])-lse, float64(model[j])-lseModel
		s.KLReverse += float64(p * (lp - lm))
		s.TV += math.Abs(p - q)
		la := Log(p+q) - math.Ln2
		s.JS += float64(p*(lp-la)) + float64(q*(lm-la))
	}
	d.sums[row] = s
}
