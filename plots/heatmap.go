package plots

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// A Heatmap is the logit lens over a stretch of text: one column per position,
// one row per place in the model. The input token stands below its column, the
// token that really came next above it.
type Heatmap struct {
	// Title and Caption frame the picture. The caption should name the model,
	// the lens variant and whether a BOS token was fed; it is wrapped.
	Title, Caption string
	// Rows are the row names, bottom-up: "embed", "0_post", ...
	Rows    []string
	Columns []Column
	// Cells holds one cell per row and column, indexed [row][column].
	Cells [][]Cell
	Scale Scale
	// Max is the end of the scale for Entropy, KL and Rank; larger values are
	// drawn as Max and the colour bar says so. 0 takes it from the data.
	Max float64
	// Label says what the values are, for the colour bar; "" names the scale.
	Label string
}

// A Column is one position of the input.
type Column struct {
	Position int    // counted from 0 over all tokens fed, BOS included
	Below    string // display text of the input token at Position
	Above    string // display text of the token at Position+1, "" when unknown
	Hit      bool   // the last row's top-1 is that next token
}

// A Cell is what one row predicts after one position.
type Cell struct {
	Text  string  // display text of the top-1 token
	Value float64 // in the unit of the heatmap's scale
}

// The layout of a heatmap, in CSS pixels.
const (
	margin     = 16.0
	pageWidth  = 824.0 // what JupyterLab shows without shrinking in a window of 1280
	leastWidth = 408.0 // room for the colour bar and a caption; two stand side by side
	cellHeight = 28.0
	cellLeast  = 46.0 // narrower cells would cut most words
	cellMost   = 84.0
	cellPx     = 13.0
	aboveBand  = 24.0
	belowBand  = 38.0
	bandGap    = 18.0
)

// footnote is true of every heatmap, and a reader needs it to read one.
const footnote = "A column shows what each row predicts after its input token (below). " +
	"Above: the token that really came next; * where the last row's top-1 is that token."

// maxSide bounds rows and columns before any work is done on them.
const maxSide = 10_000

// Draw checks the heatmap and lays it out. It copies what it keeps.
//
// Columns that do not fit on a notebook page continue in a further band below,
// as lines of text do. Draw returns an error when there is nothing to draw,
// when the sides of Cells, Rows and Columns disagree, when a value is outside
// the scale, or when the picture would exceed [MaxPixels]; the last names how
// many columns fit.
func (h Heatmap) Draw() (*Figure, error) {
	l, err := h.layout()
	if err != nil {
		return nil, fmt.Errorf("heatmap: %w", err)
	}
	return l.figure, nil
}

// heatmapLayout is a checked copy of a heatmap with its measures.
type heatmapLayout struct {
	Heatmap
	ramp            ramp
	figure          *Figure
	labels, cell    float64 // widths of the row names and of a cell
	perBand, bands  int
	title, caption  []string
	top, bandHeight float64
}

func (h Heatmap) layout() (*heatmapLayout, error) {
	values, err := h.check()
	if err != nil {
		return nil, err
	}
	l := &heatmapLayout{Heatmap: h}
	l.Rows = append([]string(nil), h.Rows...)
	l.Columns = append([]Column(nil), h.Columns...)
	l.Cells = make([][]Cell, len(h.Cells))
	for i, row := range h.Cells {
		l.Cells[i] = append([]Cell(nil), row...)
		for j := range row {
			l.Cells[i][j].Value = values[i][j]
		}
	}
	if l.ramp, err = newRamp(h.Scale, h.Max, values); err != nil {
		return nil, err
	}
	if l.Label == "" {
		l.Label = h.Scale.legend()
	}
	kind := fmt.Sprintf("%d rows by %d columns", len(l.Rows), len(l.Columns))
	l.measureLabels()
	if cellLeast*float64(len(l.Columns))*l.bandHeight > MaxPixels/(density*density) {
		return nil, tooLarge(kind, l.fits()) // before measuring every token
	}
	l.measureCells()
	width := max(leastWidth, 2*margin+l.labels+l.cell*float64(l.perBand))
	inner := width - 2*margin
	var t typesetter
	l.title = t.wrap(h.Title, inner, titlePx, true, 3)
	l.caption = append(t.wrap(h.Caption, inner, captionPx, false, 6), t.wrap(footnote, inner, captionPx, false, 3)...)
	l.top = margin + titleHeight(l.title)
	head := l.top + legendHeight + captionHeight(l.caption) + margin
	height := head + l.bandHeight*float64(l.bands) + bandGap*float64(l.bands-1)
	var ok bool
	if l.figure, ok = newFigure(width, height); !ok {
		return nil, tooLarge(kind, l.fits())
	}
	l.figure.title, l.figure.text, l.figure.paint = h.Title, l.table(), l.paint
	return l, nil
}

// fits says what a caller can draw instead of a picture that is too large. It
// assumes the widest cells and the longest title and caption, so that any such
// stretch of the columns does fit.
func (l *heatmapLayout) fits() string {
	const head = 2*margin + 3*20 + 6 + legendHeight + 9*captionLead
	bands := int((MaxPixels/(density*density)/pageWidth - head + bandGap) / (l.bandHeight + bandGap))
	if bands < 1 {
		return fmt.Sprintf("draw fewer than %d rows at a time", len(l.Rows))
	}
	return fmt.Sprintf("draw at most %d columns at a time", bands*int((pageWidth-2*margin-l.labels)/cellMost))
}

// check refuses what cannot be drawn and returns the values within their
// range, [row][column].
func (h Heatmap) check() ([][]float64, error) {
	switch {
	case h.Scale < Probability || h.Scale > Rank:
		return nil, fmt.Errorf("unknown scale %d: want Probability, Entropy, KL or Rank", int(h.Scale))
	case len(h.Rows) == 0 || len(h.Columns) == 0:
		return nil, fmt.Errorf("%d rows and %d columns: want at least one of each", len(h.Rows), len(h.Columns))
	case len(h.Rows) > maxSide || len(h.Columns) > maxSide:
		return nil, fmt.Errorf("%d rows and %d columns: want at most %d of each", len(h.Rows), len(h.Columns), maxSide)
	case len(h.Cells) != len(h.Rows):
		return nil, fmt.Errorf("%d rows of cells for %d row names: want as many", len(h.Cells), len(h.Rows))
	}
	values := make([][]float64, len(h.Cells))
	for i, row := range h.Cells {
		if len(row) != len(h.Columns) {
			return nil, fmt.Errorf("row %q has %d cells: want %d, one for each column", h.Rows[i], len(row), len(h.Columns))
		}
		values[i] = make([]float64, len(row))
		for j, c := range row {
			v, err := h.Scale.admit(c.Value)
			if err != nil {
				return nil, fmt.Errorf("row %q, column %d: %w", h.Rows[i], j, err)
			}
			values[i][j] = v
		}
	}
	return values, nil
}

// measureLabels sizes what depends on the rows alone.
func (l *heatmapLayout) measureLabels() {
	var t typesetter
	l.labels = t.width("next token", smallPx, false)
	for _, r := range l.Rows {
		l.labels = max(l.labels, min(120, t.width(t.prepare(r), labelPx, false)))
	}
	l.labels += 10
	l.bandHeight = aboveBand + cellHeight*float64(len(l.Rows)) + belowBand
}

// measureCells chooses the width of a cell, so that nine tokens in ten show at
// full size, and from it how many columns a band holds. Bands are of equal
// length, give or take one column.
func (l *heatmapLayout) measureCells() {
	var t typesetter
	var needs []float64
	need := func(s string, px float64, bold bool) { needs = append(needs, t.width(t.prepare(s), px, bold)) }
	for _, row := range l.Cells {
		for _, c := range row {
			need(c.Text, cellPx, false)
		}
	}
	for _, c := range l.Columns {
		need(c.Below, labelPx, false)
		need(above(c), labelPx, c.Hit)
	}
	slices.Sort(needs)
	l.cell = min(cellMost, max(cellLeast, math.Ceil(needs[len(needs)*9/10]+10)))
	most := max(1, int((pageWidth-2*margin-l.labels)/l.cell))
	l.bands = (len(l.Columns) + most - 1) / most
	l.perBand = (len(l.Columns) + l.bands - 1) / l.bands
}

// above is the label over a column.
func above(c Column) string {
	if c.Hit {
		return "* " + c.Above
	}
	return c.Above
}

func (l *heatmapLayout) paint(p *painter) {
	p.title(l.title)
	y := l.top
	for from := 0; from < len(l.Columns); from += l.perBand {
		l.band(p, y, from, min(from+l.perBand, len(l.Columns)))
		y += l.bandHeight + bandGap
	}
	y -= bandGap
	l.legend(p, y)
	p.caption(l.caption, y+legendHeight)
}

// band paints the columns from..to-1 with its upper edge at y.
func (l *heatmapLayout) band(p *painter, y float64, from, to int) {
	x0 := margin + l.labels
	grid := y + aboveBand
	bottom := grid + cellHeight*float64(len(l.Rows))
	p.text("next token", x0-8, grid-8, smallPx, false, inkSoft, right)
	p.text("input", x0-8, bottom+16, smallPx, false, inkSoft, right)
	p.text("position", x0-8, bottom+31, smallPx, false, inkSoft, right)
	for i, name := range l.Rows {
		middle := bottom - cellHeight*(float64(i)+0.5)
		p.fitText(name, x0-8, middle, l.labels-8, labelPx, leastPx, false, inkDark, right)
	}
	for j := from; j < to; j++ {
		c := l.Columns[j]
		x := x0 + l.cell*float64(j-from)
		ink := inkSoft
		if c.Hit {
			ink = inkDark
		}
		// Bold is an extra; it must not cost letters.
		bold := c.Hit && p.width(p.prepare(above(c)), leastPx, true) <= l.cell-4
		p.fitText(above(c), x+l.cell/2, grid-12, l.cell-4, labelPx, leastPx, bold, ink, center)
		p.fitText(c.Below, x+l.cell/2, bottom+12, l.cell-4, labelPx, leastPx, false, inkDark, center)
		p.fitText(strconv.Itoa(c.Position), x+l.cell/2, bottom+28, l.cell-4, smallPx, leastPx, false, inkSoft, center)
		for i := range l.Rows {
			cell := l.Cells[i][j]
			top := bottom - cellHeight*float64(i+1)
			fill := l.ramp.color(cell.Value)
			p.rect(x, top, l.cell-1, cellHeight-1, fill)
			p.fitText(cell.Text, x+l.cell/2-0.5, top+cellHeight/2-0.5, l.cell-7, cellPx, leastPx,
				false, inkOn(fill), center)
		}
	}
}

// legend paints the colour bar with its ticks and label.
func (l *heatmapLayout) legend(p *painter, y float64) {
	const bar, thick, steps = 260.0, 12.0, 131
	x := margin + 6
	y += 18
	p.fitText(l.Label, margin, y, l.figure.width-2*margin, labelPx, leastPx, true, inkDark, left)
	y += 12
	if l.Scale == Rank {
		p.rect(x, y, thick*2, thick, accent)
		p.text("1", x+thick, y+thick+13, smallPx, false, inkDark, center)
		x += thick*2 + 14
	}
	for i := range steps {
		// Each step reaches a little under the next, or renderers show seams.
		width := bar / steps
		p.rect(x+bar*float64(i)/steps, y, width+min(0.5, float64(steps-1-i)), thick, l.ramp.at(float64(i)/(steps-1)))
	}
	for _, t := range l.ramp.ticks() {
		p.line(1, inkSoft, x+bar*t.along, y+thick, x+bar*t.along, y+thick+3)
		p.text(t.label, x+bar*t.along, y+thick+13, smallPx, false, inkDark, center)
	}
}

// table is the heatmap as text: one block per band, rows as drawn.
func (l *heatmapLayout) table() string {
	var t textTable
	t.prose(l.Title)
	for from := 0; from < len(l.Columns); from += l.perBand {
		to := min(from+l.perBand, len(l.Columns))
		lines := make([][]string, len(l.Rows)+3)
		for i, name := range l.Rows {
			lines[len(l.Rows)-i] = []string{name}
		}
		lines[0] = []string{"next token"}
		lines[len(lines)-2] = []string{"input"}
		lines[len(lines)-1] = []string{"position"}
		for j := from; j < to; j++ {
			c := l.Columns[j]
			next := c.Above
			if c.Hit {
				next = "* " + next
			}
			lines[0] = append(lines[0], next)
			for i := range l.Rows {
				cell := l.Cells[i][j]
				lines[len(l.Rows)-i] = append(lines[len(l.Rows)-i], short(cell.Text)+" "+l.Scale.format(cell.Value))
			}
			lines[len(lines)-2] = append(lines[len(lines)-2], c.Below)
			lines[len(lines)-1] = append(lines[len(lines)-1], strconv.Itoa(c.Position))
		}
		t.aligned(lines)
	}
	t.prose("values: " + l.Label)
	t.prose(l.Caption)
	return t.String()
}
