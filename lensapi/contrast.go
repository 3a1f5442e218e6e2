package lens

import (
	"fmt"
	"math"
	"slices"

	"github.com/gopherlens/gopherlens/plots"
)

// Contrast is one statistic of two grids, cell by cell: the second less the first. The grids may be two prompts, two lenses, two runs, or two models.
type Contrast struct {
	Statistic  Statistic   `json:"statistic"`
	A, B       *Grid       `json:"-"`
	Difference [][]float64 `json:"-"` // [row][position]: B - A; NaN where either has none
}

// NewContrast compares two grids. They must have the same rows and as many positions, the first the same. Positions are compared one to one: where two prompts
// differ in length, choose stretches that correspond; tokens are never aligned by their text. Two models must have one tokenizer for that to mean anything,
// which equal ids of the columns show; others are told in the caption.
func NewContrast(a, b *Grid, s Statistic) (*Contrast, error) {
	switch {
	case !slices.Equal(a.Rows, b.Rows):
		return nil, invalidf("the grids have rows %v and %v: both must have the same", a.Rows, b.Rows)
	case len(a.IDs) != len(b.IDs) || a.First != b.First:
		return nil, invalidf("the grids have positions %d to %d and %d to %d: both must have the same", a.First, a.First+len(a.IDs)-1, b.First, b.First+len(b.IDs)-1)
	}
	x, err := a.Values(s)
	if err != nil {
		return nil, err
	}
	y, err := b.Values(s)
	if err != nil {
		return nil, err
	}
	c := &Contrast{Statistic: s, A: a, B: b}
	for r := range x {
		row := make([]float64, len(x[r]))
		for p := range row {
			row[p] = y[r][p] - x[r][p]
		}
		c.Difference = append(c.Difference, row)
	}
	return c, nil
}

// Chart draws the differences, white at zero, rows bottom-up.
func (c *Contrast) Chart() (*plots.Figure, error) {
	m := plots.Matrix{Title: "Difference in " + string(c.Statistic), Caption: c.caption(), Rows: c.A.Rows, RowLabel: "row", ColumnLabel: "input token", Values: c.Difference,
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
	for r := len(c.A.Rows) - 1; r >= 0; r-- {
		line := []string{c.A.Rows[r]}
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
