package lens

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/gopherlens/gopherlens/plots"
)

// Comparison is one prompt under several lenses, side by side.
type Comparison struct {
	Grids []*Grid `json:"grids"` // in the order asked for
}

// CompareLenses shows a prompt under several lenses. Without options: Raw, Normed and Scaled. The options must agree on BOS, for the columns to be the same.
func (m *Model) CompareLenses(ctx context.Context, prompt string, opts ...LensOptions) (*Comparison, error) {
	if len(opts) == 0 {
		opts = []LensOptions{{Variant: Raw}, {Variant: Normed}, {Variant: Scaled}}
	}
	c := &Comparison{}
	for i, opt := range opts {
		if opt.BOS != opts[0].BOS {
			return nil, invalidf("lens %d has bos %q and the first %q: side by side they must agree", i, opt.BOS, opts[0].BOS)
		}
		g, err := m.LogitLens(ctx, prompt, opt)
		if err != nil {
			return nil, wrap(Unavailable, err, "lens %d", i)
		}
		c.Grids = append(c.Grids, g)
	}
	return c, nil
}

// Heatmap draws the grids in one picture, with one scale of colours.
func (c *Comparison) Heatmap(scale plots.Scale) (*plots.Figure, error) {
	most := 1.0
	for _, g := range c.Grids {
		for _, row := range g.Cells {
			for _, cell := range row {
				most = max(most, math.Ceil(cell.KL))
			}
		}
	}
	var figs []*plots.Figure
	for _, g := range c.Grids {
		f, err := g.heatmap(scale, most)
		if err != nil {
			return nil, err
		}
		figs = append(figs, f)
	}
	f, err := plots.Join(figs...)
	return f, wrap(Invalid, err, "drawing the comparison")
}

// String is the grids as tables, and how they differ at the last position.
func (c *Comparison) String() string {
	if len(c.Grids) == 0 {
		return ""
	}
	var b strings.Builder
	for _, g := range c.Grids {
		b.WriteString(g.String() + "\n")
	}
	last := len(c.Grids[0].IDs) - 1
	fmt.Fprintf(&b, "mean KL to the model's own output, nats, by row (over positions 0 to %d)\n", last)
	var t table
	head := []string{"lens"}
	t.add(append(head, c.Grids[0].Rows...)...)
	for _, g := range c.Grids {
		line := []string{string(g.Variant)}
		for r := range g.Rows {
			line = append(line, fmt.Sprintf("%.3f", g.meanKL(r)))
		}
		t.add(line...)
	}
	return b.String() + t.String()
}

// MIMEBundle shows the grids coloured by KL to the model's own output: where a lens can be trusted, and where not.
func (c *Comparison) MIMEBundle() map[string]any {
	return figureBundle(c, func() (*plots.Figure, error) { return c.Heatmap(plots.KL) })
}

// figureBundle shows a value as its text and its picture, or says why there is none.
func figureBundle(v fmt.Stringer, draw func() (*plots.Figure, error)) map[string]any {
	fig, err := draw()
	if err != nil {
		return map[string]any{"text/plain": v.String() + "\n" + err.Error() + "\n"}
	}
	b := fig.MIMEBundle()
	b["text/plain"] = v.String()
	return b
}

// figureMetadata gives the picture's size, so that a front end shows its double density sharp rather than large.
func figureMetadata(draw func() (*plots.Figure, error)) map[string]any {
	fig, err := draw()
	if err != nil {
		return nil
	}
	return fig.MIMEMetadata()
}

// MIMEMetadata gives the picture's size.
func (c *Comparison) MIMEMetadata() map[string]any {
	return figureMetadata(func() (*plots.Figure, error) { return c.Heatmap(plots.KL) })
}
