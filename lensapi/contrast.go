package lens

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gopherlens/gopherlens/plots"
)

// Contrast is one statistic of two grids, cell by cell: the second less the first. The grids may be two prompts, two lenses, two runs, or two models.
type Contrast struct {
	Statistic  Statistic   `json:"statistic"`
	Alignment  Alignment   `json:"alignment"`
	Rows       []string    `json:"rows"` // what is compared: one name for both, or that of A, a stroke, and that of B
	A, B       *Grid       `json:"-"`
	Difference [][]float64 `json:"-"` // [row][position]: B - A; NaN where either has none

	rowA, rowB []int // by row
}

// Alignment says which rows of two grids are compared.
type Alignment string

// The alignments.
const (
	SameRows Alignment = "same"  // both have the same rows; the default
	ByName   Alignment = "name"  // rows of one name; those that one of them lacks are left out
	ByDepth  Alignment = "depth" // each row of the shallower one with the nearest of the other in relative depth: embed is 0, the last row 1
)

// NewContrast compares two grids of the same rows and as many positions, the first the same. Positions are compared one to one: where two prompts
// differ in length, choose stretches that correspond; tokens are never aligned by their text. Two models must have one tokenizer for that to mean anything,
// which equal ids of the columns show; others are told in the caption.
func NewContrast(a, b *Grid, s Statistic) (*Contrast, error) {
	return ContrastAligned(a, b, s, SameRows)
}

// ContrastAligned is NewContrast for grids of different rows, such as those of two models: by says which are compared, and the rows' names and the caption show it.
func ContrastAligned(a, b *Grid, s Statistic, by Alignment) (*Contrast, error) {
	if len(a.IDs) != len(b.IDs) || a.First != b.First {
		return nil, invalidf("the grids have positions %d to %d and %d to %d: both must have the same", a.First, a.First+len(a.IDs)-1, b.First, b.First+len(b.IDs)-1)
	}
	c := &Contrast{Statistic: s, Alignment: by, A: a, B: b}
	if err := c.align(); err != nil {
		return nil, err
	}
	x, err := a.Values(s)
	if err != nil {
		return nil, err
	}
	y, err := b.Values(s)
	if err != nil {
		return nil, err
	}
	for i, r := range c.rowA {
		row := make([]float64, len(a.IDs))
		for p := range row {
			row[p] = y[c.rowB[i]][p] - x[r][p]
		}
		c.Difference = append(c.Difference, row)
	}
	return c, nil
}

// align chooses the rows.
func (c *Contrast) align() error {
	pair := func(i, j int) {
		name := c.A.Rows[i]
		if other := c.B.Rows[j]; other != name {
			name += "/" + other
		}
		c.Rows, c.rowA, c.rowB = append(c.Rows, name), append(c.rowA, i), append(c.rowB, j)
	}
	switch c.Alignment {
	case SameRows, ByName:
		if c.Alignment == SameRows && !slices.Equal(c.A.Rows, c.B.Rows) {
			return invalidf("the grids have rows %v and %v: both must have the same, or be aligned %s or %s", c.A.Rows, c.B.Rows, ByName, ByDepth)
		}
		for i, name := range c.A.Rows {
			if j := slices.Index(c.B.Rows, name); j >= 0 {
				pair(i, j)
			}
		}
	case ByDepth:
		a, b := c.A.depths(), c.B.depths()
		if len(a) <= len(b) {
			for i, d := range a {
				pair(i, nearestDepth(b, d))
			}
		} else {
			for j, d := range b {
				pair(nearestDepth(a, d), j)
			}
		}
	default:
		return invalidf("alignment %q: use %s, %s or %s", c.Alignment, SameRows, ByName, ByDepth)
	}
	if len(c.Rows) == 0 {
		return invalidf("the grids have rows %v and %v: none in common", c.A.Rows, c.B.Rows)
	}
	return nil
}

// depths are the relative depths of a grid's rows: embed 0, i_mid (i+1/2)/n, i_post (i+1)/n of n layers.
func (g *Grid) depths() []float64 {
	out := make([]float64, len(g.Rows))
	for r, name := range g.Rows {
		layer, kind, ok := strings.Cut(name, "_")
		i, err := strconv.Atoi(layer)
		switch {
		case !ok || err != nil:
		case kind == "mid":
			out[r] = float64(i) + 0.5
		default:
			out[r] = float64(i) + 1
		}
	}
	last := max(1, out[len(out)-1])
	for r := range out {
		out[r] /= last
	}
	return out
}

// nearestDepth is the index of the depth nearest to d, the lower of two.
func nearestDepth(depths []float64, d float64) int {
	best := 0
	for i, x := range depths {
		if math.Abs(x-d) < math.Abs(depths[best]-d) {
			best = i
		}
	}
	return best
}

// Chart draws the differences, white at zero, rows bottom-up.
func (c *Contrast) Chart() (*plots.Figure, error) {
	m := plots.Matrix{Title: "Difference in " + string(c.Statistic), Caption: c.caption(), Rows: c.Rows, RowLabel: "row", ColumnLabel: "input token", Values: c.Difference,
		BottomUp: true, Diverging: true, Label: "second less first", Numbers: len(c.A.IDs) <= 20}
	for p, id := range c.A.IDs {
		name := c.A.show(id, c.A.Tokens[p])
		if other := c.B.IDs[p]; other != id {
			name += "/" + c.B.show(other, c.B.Tokens[p])
		}
		m.Columns = append(m.Columns, name)
	}
	fig, err := m.Draw()
	return fig, wrap(Invalid, err, "drawing the contrast")
}

func (c *Contrast) caption() string {
	text := fmt.Sprintf("first: %s · second: %s", c.A.caption(), c.B.caption())
	differ := 0
	for p := range c.A.IDs {
		if c.A.IDs[p] != c.B.IDs[p] {
			differ++
		}
	}
	switch c.Alignment {
	case ByName:
		text += fmt.Sprintf(" · rows of one name: %d of %d and %d", len(c.Rows), len(c.A.Rows), len(c.B.Rows))
	case ByDepth:
		text += fmt.Sprintf(" · rows of nearest relative depth: %d of %d and %d", len(c.Rows), len(c.A.Rows), len(c.B.Rows))
	}
	return text + fmt.Sprintf(" · positions compared one to one; %d of %d tokens differ", differ, len(c.A.IDs))
}

// String is the differences as a table, the model's own output on top.
func (c *Contrast) String() string {
	var t table
	head := []string{"row"}
	for p, id := range c.A.IDs {
		head = append(head, fmt.Sprintf("%d %s", c.A.First+p, c.A.show(id, c.A.Tokens[p])))
	}
	t.add(head...)
	for r := len(c.Rows) - 1; r >= 0; r-- {
		line := []string{c.Rows[r]}
		for _, v := range c.Difference[r] {
			text := "-"
			if !math.IsNaN(v) {
				text = fmt.Sprintf("%+.2f", v)
			}
			line = append(line, text)
		}
		t.add(line...)
	}
	return fmt.Sprintf("difference in %s\n%s\n%s", c.Statistic, c.caption(), &t)
}

// MIMEBundle shows the differences as a table and a picture.
func (c *Contrast) MIMEBundle() map[string]any { return figureBundle(c, c.Chart) }

// MIMEMetadata gives the picture's size.
func (c *Contrast) MIMEMetadata() map[string]any { return figureMetadata(c.Chart) }
