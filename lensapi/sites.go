package lens

import (
	"fmt"
	"slices"

	"github.com/gopherlens/gopherlens/lensapi/model"
)

// place is a site of this model, looked up.
type place struct {
	name  string
	width int // values of one head, or of a position that has no heads; 0: S, for scores and patterns
	heads int // 0: the site has none
}

// place looks up a site by its name, as SITES.md lists it.
func (m *Model) place(name string) (place, error) {
	_, s, err := m.run.Model().Site(name)
	if err != nil {
		return place{}, wrap(Invalid, err, "site")
	}
	if s.Head {
		return place{}, invalidf("site %s is in the unembedding: name one of the blocks", name)
	}
	p := place{name: name, width: s.Shape[len(s.Shape)-1]}
	if len(s.Shape) == 2 {
		p.heads = s.Shape[0]
	}
	if p.width == model.Positions {
		p.width = 0
	}
	return p, nil
}

// SiteAt is the whole name of a site in a layer, from its short one as in TransformerLens: SiteAt(3, "z") is blocks.3.attn.hook_z.
func SiteAt(layer int, short string) string {
	switch short {
	case "q", "k", "v", "z", "pattern", "attn_scores", "result", "rot_q", "rot_k":
		return fmt.Sprintf("blocks.%d.attn.hook_%s", layer, short)
	case "pre", "post", "pre_linear":
		return fmt.Sprintf("blocks.%d.mlp.hook_%s", layer, short)
	}
	return fmt.Sprintf("blocks.%d.hook_%s", layer, short)
}

// values are what a run had at one site, by position: [heads x width], or for a pattern [heads][keys up to the query].
type values [][]float32

// keep copies what an activation holds into vs.
func (p place) keep(vs values, a model.Activation) {
	n := len(a.Data) / a.Shape[0]
	for i := range a.Shape[0] {
		vs[a.Start+i] = slices.Clone(a.Data[i*n : (i+1)*n])
	}
}

// put writes vs into an activation, for positions that where chooses (nil: all) and one head (-1: all). The width of a pattern follows the sequence: only keys
// that both have are written, the rest is cleared.
func (p place) put(vs values, a model.Activation, where func(position int) bool, head int) {
	n := len(a.Data) / a.Shape[0]
	for i := range a.Shape[0] {
		if where != nil && !where(a.Start+i) {
			continue
		}
		src, dst := vs[a.Start+i], a.Data[i*n:(i+1)*n]
		heads := max(1, p.heads)
		from, to := len(src)/heads, n/heads
		for h := range heads {
			if head < 0 || h == head {
				clear(dst[h*to+copy(dst[h*to:(h+1)*to], src[h*from:(h+1)*from]) : (h+1)*to])
			}
		}
	}
}
