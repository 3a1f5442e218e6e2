package lens

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

// Edit names what an intervention does to the values at its site.
type Edit string

// The edits.
const (
	Zero     Edit = "zero"     // sets them to 0
	Mean     Edit = "mean"     // their mean over all positions of other texts
	Resample Edit = "resample" // those of a position of other texts, drawn for each position (and once for all heads) with Seed
	Add      Edit = "add"      // adds Scale times Vector
	Replace  Edit = "replace"  // those of another text at the same position
)

// Intervention changes a run at one site. Everything computed after it sees the change.
type Intervention struct {
	Site      string    // as SITES.md names it; SiteAt makes it from a short name
	Edit      Edit      // what is done
	Positions []int     // -1 is the last; nil: all
	Heads     []int     // nil: all; for sites that have heads
	Texts     []string  // of Mean, Resample and Replace (one, with as many tokens as the prompt); fed as the prompt is
	IDs       [][]int   // the same as ids, fed as they are; either or
	Vector    []float32 // of Add: as many values as the site has at a position, or at a head when Heads are given
	Scale     float64   // of Add; 0 is 1
	Seed      uint64    // of Resample
}

// Intervene shows the lens of a prompt whose run is changed. The change is named in the grid and its caption. Nothing is kept in the cache.
func (m *Model) Intervene(ctx context.Context, prompt string, edits []Intervention, opt LensOptions) (*Grid, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	ids, err := m.PromptIDs(prompt, opt.BOS)
	if err != nil {
		return nil, err
	}
	edits = slices.Clone(edits)
	for i := range edits {
		for _, text := range edits[i].Texts {
			other, err := m.PromptIDs(text, opt.BOS)
			if err != nil {
				return nil, wrap(Invalid, err, "intervention %d", i)
			}
			edits[i].IDs = append(slices.Clip(edits[i].IDs), other)
		}
		edits[i].Texts = nil
	}
	return m.InterveneIDs(ctx, ids, edits, opt)
}

// InterveneIDs is Intervene for token ids, which are fed as they are; the interventions must give ids too.
func (m *Model) InterveneIDs(ctx context.Context, ids []int, edits []Intervention, opt LensOptions) (*Grid, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	if opt.Rows == Stored {
		return nil, invalidf("a changed run has no stored rows: use rows %s", Fresh)
	}
	ids, err := m.WithBOS(ids, BOSNo)
	if err != nil {
		return nil, err
	}
	var hooks []forward.Hook
	var names []string
	for i, iv := range edits {
		h, err := m.edit(ctx, iv, ids)
		if err != nil {
			return nil, wrap(Invalid, err, "intervention %d", i)
		}
		hooks, names = append(hooks, h), append(names, iv.String())
	}
	s, err := m.freshStream(ctx, ids, 0, len(ids), opt.Mid, hooks)
	if err != nil {
		return nil, err
	}
	g, err := m.gridOf(ctx, s, ids, opt)
	if err != nil {
		return nil, err
	}
	g.Interventions = names
	return g, nil
}

// String says what is done, in a few words.
func (iv Intervention) String() string {
	text := fmt.Sprintf("%s %s", iv.Edit, iv.Site)
	if iv.Edit == Add && iv.Scale != 0 && iv.Scale != 1 {
		text += fmt.Sprintf(" × %g", iv.Scale)
	}
	if iv.Heads != nil {
		text += fmt.Sprintf(" heads %v", iv.Heads)
	}
	if iv.Positions != nil {
		text += fmt.Sprintf(" positions %v", iv.Positions)
	}
	return text
}

// edit is the hook of an intervention on a run of ids.
func (m *Model) edit(ctx context.Context, iv Intervention, ids []int) (forward.Hook, error) {
	pl, err := m.place(iv.Site)
	if err != nil {
		return forward.Hook{}, err
	}
	at := map[int]bool{}
	for _, p := range iv.Positions {
		p, err := atPosition(p, len(ids))
		if err != nil {
			return forward.Hook{}, err
		}
		at[p] = true
	}
	where := func(p int) bool { return iv.Positions == nil || at[p] }
	for _, h := range iv.Heads {
		if h < 0 || h >= pl.heads {
			return forward.Hook{}, invalidf("head %d at %s: it has %d heads", h, iv.Site, pl.heads)
		}
	}
	change, err := m.change(ctx, iv, pl, len(ids))
	if err != nil {
		return forward.Hook{}, err
	}
	return forward.Hook{Site: iv.Site, Func: func(a model.Activation) error {
		n, heads := len(a.Data)/a.Shape[0], max(1, pl.heads)
		for i := range a.Shape[0] {
			if !where(a.Start + i) {
				continue
			}
			for h := range heads {
				if iv.Heads == nil || slices.Contains(iv.Heads, h) {
					change(a.Start+i, h, a.Data[i*n+h*n/heads:i*n+(h+1)*n/heads])
				}
			}
		}
		return nil
	}}, nil
}

// change is what an intervention does to the values x of one position and head.
func (m *Model) change(ctx context.Context, iv Intervention, pl place, n int) (func(p, h int, x []float32), error) {
	if len(iv.Texts) > 0 {
		return nil, invalidf("texts are for Intervene: give IDs here")
	}
	needs := iv.Edit == Mean || iv.Edit == Resample || iv.Edit == Replace
	switch {
	case needs && len(iv.IDs) == 0:
		return nil, invalidf("%s takes its values from other texts: give some", iv.Edit)
	case !needs && len(iv.IDs) > 0:
		return nil, invalidf("%s takes no other texts", iv.Edit)
	case iv.Edit != Add && iv.Vector != nil:
		return nil, invalidf("%s takes no vector: add does", iv.Edit)
	}
	switch iv.Edit {
	case Zero:
		return func(_, _ int, x []float32) { clear(x) }, nil
	case Add:
		return m.adding(iv, pl)
	case Replace:
		if len(iv.IDs) != 1 || len(iv.IDs[0]) != n {
			return nil, invalidf("replace takes one text of %d tokens, as many as the prompt has; there are %d texts, the first with %d", n, len(iv.IDs), len(iv.IDs[0]))
		}
		vs, err := m.valuesAt(ctx, pl, iv.IDs[0])
		if err != nil {
			return nil, err
		}
		return func(p, h int, x []float32) {
			part := headPart(vs[p], h, pl)
			clear(x[copy(x, part):])
		}, nil
	case Mean, Resample:
		return m.averaging(ctx, iv, pl, n)
	}
	return nil, invalidf("edit %q is not known: use %s, %s, %s, %s or %s", iv.Edit, Zero, Mean, Resample, Add, Replace)
}

// headPart is one head's share of a position's values.
func headPart(v []float32, h int, pl place) []float32 {
	w := len(v) / max(1, pl.heads)
	return v[h*w : (h+1)*w]
}

// adding checks the vector of Add.
func (m *Model) adding(iv Intervention, pl place) (func(p, h int, x []float32), error) {
	scale := iv.Scale
	if scale == 0 {
		scale = 1
	}
	if pl.width == 0 {
		return nil, invalidf("%s is as wide as the text is long: nothing can be added there", iv.Site)
	}
	want := pl.width * max(1, pl.heads)
	if iv.Heads != nil {
		want = pl.width
	}
	if len(iv.Vector) != want {
		return nil, invalidf("the vector has %d values; %s wants %d", len(iv.Vector), iv.Site, want)
	}
	for _, v := range iv.Vector {
		if x := float64(v) * scale; math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, invalidf("the vector times its scale is not finite")
		}
	}
	return func(_, h int, x []float32) {
		part := iv.Vector
		if iv.Heads == nil {
			part = headPart(part, h, pl)
		}
		for i := range x {
			x[i] = float32(float64(x[i]) + float64(scale*float64(part[i])))
		}
	}, nil
}

// averaging gathers the values of other texts, for their mean or to draw from.
func (m *Model) averaging(ctx context.Context, iv Intervention, pl place, n int) (func(p, h int, x []float32), error) {
	if pl.width == 0 {
		return nil, invalidf("%s is as wide as the text is long: %s has no meaning there", iv.Site, iv.Edit)
	}
	var all values
	for _, ids := range iv.IDs {
		vs, err := m.valuesAt(ctx, pl, ids)
		if err != nil {
			return nil, err
		}
		all = append(all, vs...)
	}
	if iv.Edit == Resample {
		rng := rand.New(rand.NewPCG(iv.Seed, 0x6c656e73))
		drawn := make(values, n)
		for p := range drawn {
			drawn[p] = all[rng.IntN(len(all))]
		}
		return func(p, h int, x []float32) { copy(x, headPart(drawn[p], h, pl)) }, nil
	}
	mean := make([]float32, len(all[0]))
	for i := range mean {
		var sum float64
		for _, v := range all {
			sum += float64(v[i])
		}
		mean[i] = float32(sum / float64(len(all)))
	}
	return func(_, h int, x []float32) { copy(x, headPart(mean, h, pl)) }, nil
}

// valuesAt runs ids and keeps what a site holds.
func (m *Model) valuesAt(ctx context.Context, pl place, ids []int) (values, error) {
	if err := m.check(ids); err != nil {
		return nil, err
	}
	vs := make(values, len(ids))
	_, _, err := m.whole(ctx, ids, []forward.Hook{{Site: pl.name, Func: func(a model.Activation) error { pl.keep(vs, a); return nil }}})
	return vs, err
}
