package model

import (
	"fmt"
	"slices"
	"strings"
)

// Positions stands in a Site's shape for the number of positions attended to, S.
const Positions = -1

// Site is a named place in the forward pass where values can be read and edited.
type Site struct {
	Name  string // TransformerLens's: blocks.3.hook_resid_post
	Shape []int  // of one position: [d_model], [n_heads, d_head], [n_heads, Positions], ...
	Head  bool   // in the program of the final norm and unembedding, not in that of the blocks
}

// Activation is what passes a site in one run: the rows of the positions Start, Start+1, ....
type Activation struct {
	Site  string
	Start int       // position of the first row
	Shape []int     // [T, ...], the rest as in Site with Positions replaced by S
	Data  []float32 // row-major; the program's own buffer: edits take effect, and it is overwritten later
}

// Tap sees an activation and may edit its Data in place; everything downstream reads the edited values. It must
// not keep Data. An error ends the run.
type Tap func(a Activation) error

// Sites lists every place of the model in the order of execution; those of the head come last.
func (m *Model) Sites() []Site { return slices.Clone(m.sites) }

// Site finds a place by name; the error of an unknown one says which names there are.
func (m *Model) Site(name string) (index int, site Site, err error) {
	if i := slices.IndexFunc(m.sites, func(s Site) bool { return s.Name == name }); i >= 0 {
		return i, m.sites[i], nil
	}
	var names []string
	for _, s := range m.sites {
		n := s.Name
		if rest, ok := strings.CutPrefix(n, "blocks."); ok {
			if !strings.HasPrefix(rest, "0.") {
				continue
			}
			n = "blocks.{l}." + rest[2:]
		}
		names = append(names, n)
	}
	return 0, Site{}, fmt.Errorf("unknown site %q (there are, for l from 0 to %d: %s)", name, m.cfg.NLayers-1, strings.Join(names, ", "))
}
