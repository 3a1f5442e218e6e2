package lens

import (
	"cmp"
	"container/heap"
	"context"
	"math"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/gopherlens/gopherlens/cache"
)

// scan is a conversation whose rows are to be compared.
type scan struct {
	c     *Conversation
	kept  *cache.Conversation
	fresh []bool // by position
	keys  []prefixKey
}

// scanned is how many positions' rows are read at once.
const scanned = 1024

// near compares the rows of all conversations, several of them at once, and keeps the best as hits.
func (s *searcher) near(ctx context.Context) error {
	s.query = float64s(s.q.Near)
	all := make([][]float64, len(s.scans)) // similarities by position
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, sc := range s.scans {
		g.Go(func() (err error) {
			all[i], err = s.similarities(ctx, sc)
			return wrap(Unavailable, err, "searching %s", sc.c.ID())
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var best nearest
	for i, sc := range s.scans {
		if codec := storedAs(sc.kept); codec != "" {
			s.found.Codec = codec
		}
		for p, fresh := range sc.fresh {
			if !fresh {
				continue
			}
			s.total++
			if len(best) < s.q.Limit || all[i][p] > best[0].score {
				best.keep(candidate{sc.c, p, s.row, all[i][p], sc.keys[p]}, s.total, s.q.Limit)
			}
		}
	}
	slices.SortFunc(best, func(a, b ranked) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.order, b.order)) })
	for _, r := range best {
		s.hits = append(s.hits, r.candidate)
	}
	return nil
}

// similarities are those of one conversation's fresh positions.
func (s *searcher) similarities(ctx context.Context, sc scan) ([]float64, error) {
	d, out := s.m.cfg.DModel, make([]float64, len(sc.fresh))
	for from := 0; from < len(out); from += scanned {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		to := min(from+scanned, len(out))
		if !slices.Contains(sc.fresh[from:to], true) {
			continue
		}
		rows, err := sc.kept.Layers(ctx, from, to, []int{s.row}, s.m.residuals)
		if err != nil {
			return nil, err
		}
		for p := from; p < to; p++ {
			out[p] = s.similarity(rows[(p-from)*d : (p-from+1)*d])
		}
	}
	return out, nil
}

// ranked is a candidate with its place among all, which decides between equal scores.
type ranked struct {
	candidate
	order int
}

// nearest is a heap of the best candidates, the worst of them first.
type nearest []ranked

func (h nearest) Len() int      { return len(h) }
func (h nearest) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h nearest) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].score, h[j].score), cmp.Compare(h[j].order, h[i].order)) < 0
}
func (h *nearest) Push(x any) { *h = append(*h, x.(ranked)) }
func (h *nearest) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// keep adds a candidate, and drops the worst where there would be more than limit.
func (h *nearest) keep(c candidate, order, limit int) {
	heap.Push(h, ranked{c, order})
	if len(*h) > limit {
		heap.Pop(h)
	}
}

// similarity is the cosine, or the dot product, with the vector looked for; 0 for a row that is zero. The sums are four, for a processor to take them side by side,
// and their products are rounded, for all processors to get the same.
func (s *searcher) similarity(x []float32) float64 {
	var dot, sq [4]float64
	query := s.query[:len(x)]
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a, b, c, d := float64(x[i]), float64(x[i+1]), float64(x[i+2]), float64(x[i+3])
		dot[0], sq[0] = dot[0]+float64(a*query[i]), sq[0]+float64(a*a)
		dot[1], sq[1] = dot[1]+float64(b*query[i+1]), sq[1]+float64(b*b)
		dot[2], sq[2] = dot[2]+float64(c*query[i+2]), sq[2]+float64(c*c)
		dot[3], sq[3] = dot[3]+float64(d*query[i+3]), sq[3]+float64(d*d)
	}
	for ; i < len(x); i++ {
		a := float64(x[i])
		dot[0], sq[0] = dot[0]+float64(a*query[i]), sq[0]+float64(a*a)
	}
	along, length := dot[0]+dot[1]+dot[2]+dot[3], sq[0]+sq[1]+sq[2]+sq[3]
	if s.q.Dot {
		return along
	}
	if length == 0 {
		return 0
	}
	return along / (math.Sqrt(length) * s.norm)
}
