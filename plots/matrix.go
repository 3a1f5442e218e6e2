package plots

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"
)

// A Matrix is a table of numbers as colours: an attention pattern, heads by layer, a sweep of layers by positions.
type Matrix struct {
	// Title and Caption frame the picture; the caption is wrapped.
	Title, Caption string
	// Rows and Columns name the sides. The first row is drawn at the top unless BottomUp.
	Rows, Columns []string
	// RowLabel and ColumnLabel say what the sides are.
	RowLabel, ColumnLabel string
	Values                [][]float64 // [row][column]; NaN leaves a cell empty
	BottomUp              bool
	// Diverging colours by sign, white at 0: for differences and contributions. Otherwise colours go from 0 to Max, and negative values are refused.
	Diverging bool
	// Max ends the scale (both ends of a diverging one); larger values are drawn as Max and the colour bar says so. 0 takes it from the data.
	Max float64
	// Label says what the values are, for the colour bar.
	Label string
	// Numbers writes each value into its cell, where the cells are large enough.
	Numbers bool
}

// diverging is the map for signed quantities: t from -1 (blue) over 0 (white) to 1 (orange-red), built in OKLCH with one fall of lightness on both sides.
func diverging(t float64) color.RGBA {
	t = min(max(t, -1), 1)
	a := math.Abs(t)
	hue := 45.0
	if t < 0 {
		hue = 255
	}
	return fromOKLCH(0.985-0.44*a, 0.15*math.Pow(a, 0.85), hue)
}

// The layout of a matrix, in CSS pixels.
const (
	matrixWide  = 360.0 // of the picture, at least
	matrixMost  = 44.0  // side of a cell
	matrixLeast = 5.0
	matrixTall  = 640.0 // the most height that cells take by choice
)

// Draw checks the matrix and lays it out. It copies what it keeps.
func (m Matrix) Draw() (*Figure, error) {
	l := &matrixLayout{Matrix: m}
	f, err := l.draw()
	if err != nil {
		return nil, fmt.Errorf("matrix: %w", err)
	}
	return f, nil
}

type matrixLayout struct {
	Matrix
	top, least     float64 // of the data
	labels, heads  float64 // room for the names of rows and columns
	w, h           float64 // of a cell
	tilted         bool    // column names do not fit beside each other and are written downwards
	figure         *Figure
	head           float64
	title, caption []string
}

func (l *matrixLayout) draw() (*Figure, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	var t typesetter
	for _, r := range l.Rows {
		l.labels = max(l.labels, min(130, t.width(t.prepare(r), smallPx+1, false)))
	}
	l.labels = max(l.labels+10, 30)
	widest := 0.0
	for _, c := range l.Columns {
		widest = max(widest, t.width(t.prepare(c), smallPx+1, false))
	}
	room := pageWidth - 2*margin - l.labels
	l.w = max(matrixLeast, min(matrixMost, room/float64(len(l.Columns))))
	l.h = max(matrixLeast, min(l.w, matrixTall/float64(len(l.Rows)), 26))
	if l.Numbers {
		l.h = max(l.h, min(22, l.w))
	}
	l.heads = 16
	if share := room / float64(len(l.Columns)); widest > min(share-4, matrixMost+26) {
		l.tilted, l.heads = true, min(90, widest)+6
	} else {
		l.w = max(l.w, min(widest+6, share))
	}
	width := max(matrixWide, 2*margin+l.labels+l.w*float64(len(l.Columns)))
	l.title = t.wrap(l.Title, width-2*margin, titlePx, true, 3)
	l.caption = t.wrap(l.Caption, width-2*margin, captionPx, false, 8)
	l.head = margin + titleHeight(l.title) + 18
	height := l.head + l.h*float64(len(l.Rows)) + l.heads + 18 + legendHeight + captionHeight(l.caption) + margin
	var ok bool
	if l.figure, ok = newFigure(width, height); !ok {
		return nil, tooLarge(fmt.Sprintf("%d rows by %d columns", len(l.Rows), len(l.Columns)), "draw fewer rows or columns")
	}
	l.figure.title, l.figure.text, l.figure.paint = l.Title, l.table(), l.paint
	return l.figure, nil
}

// check refuses what cannot be drawn and copies the rest.
func (l *matrixLayout) check() error {
	switch {
	case len(l.Rows) == 0 || len(l.Columns) == 0 || len(l.Rows) > 2048 || len(l.Columns) > 2048:
		return fmt.Errorf("%d rows and %d columns: want 1 to 2048 of each", len(l.Rows), len(l.Columns))
	case len(l.Values) != len(l.Rows):
		return fmt.Errorf("%d rows of values for %d row names: want as many", len(l.Values), len(l.Rows))
	case math.IsNaN(l.Max) || math.IsInf(l.Max, 0) || l.Max < 0:
		return fmt.Errorf("scale maximum %v is not usable: want 0 (from the data) or more", l.Max)
	}
	l.Rows, l.Columns, l.Values = slices.Clone(l.Rows), slices.Clone(l.Columns), slices.Clone(l.Values)
	for i, row := range l.Values {
		if len(row) != len(l.Columns) {
			return fmt.Errorf("row %q has %d values for %d columns: want as many", l.Rows[i], len(row), len(l.Columns))
		}
		l.Values[i] = slices.Clone(row)
		for j, v := range row {
			if math.IsInf(v, 0) || !l.Diverging && v < -slack {
				return fmt.Errorf("row %q, column %q: %v is not drawable: want a finite number, and none below 0 unless Diverging", l.Rows[i], l.Columns[j], v)
			}
			if !math.IsNaN(v) {
				l.top, l.least = max(l.top, v), min(l.least, v)
			}
		}
	}
	if l.Max == 0 {
		l.Max = 1
		if most := max(l.top, -l.least); most > 0 {
			l.Max = roundUp(most, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
		}
	}
	return nil
}

func (l *matrixLayout) color(v float64) color.RGBA {
	if l.Diverging {
		return diverging(v / l.Max)
	}
	return sequential(v / l.Max)
}

func (l *matrixLayout) paint(p *painter) {
	p.title(l.title)
	x0, bottom := margin+l.labels, l.head+l.h*float64(len(l.Rows))
	p.text(p.prepare(l.RowLabel), margin, l.head-7, smallPx, false, inkSoft, left)
	everyRow := max(1, int(math.Ceil(11/l.h)))
	for i, name := range l.Rows {
		y := l.head + l.h*float64(i)
		if l.BottomUp {
			y = bottom - l.h*float64(i+1)
		}
		if i%everyRow == 0 {
			p.fitText(name, x0-6, y+l.h/2, l.labels-6, smallPx+1, leastPx, false, inkDark, right)
		}
		gap := 1.0
		if l.w < 10 || l.h < 10 {
			gap = 0
		}
		for j, v := range l.Values[i] {
			x := x0 + l.w*float64(j)
			fill := trackFill
			if !math.IsNaN(v) {
				fill = l.color(v)
			}
			p.rect(x, y, l.w-gap, l.h-gap, fill)
			if text := l.number(v); l.Numbers && !math.IsNaN(v) && p.width(text, leastPx, false) <= l.w-4 && l.h >= 14 {
				p.fitText(text, x+l.w/2-0.5, y+l.h/2-0.5, l.w-3, smallPx+1, leastPx, false, inkOn(fill), center)
			}
		}
	}
	l.names(p, x0, bottom)
	y := bottom + l.heads + 18
	p.text(p.prepare(l.ColumnLabel), x0, y-4, smallPx, false, inkSoft, left)
	l.legend(p, y)
	p.caption(l.caption, y+legendHeight)
}

// names writes the column names below, letter after letter downwards where they are too long to stand side by side.
func (l *matrixLayout) names(p *painter, x0, bottom float64) {
	every := 1
	if l.tilted {
		every = max(1, int(math.Ceil(12/l.w)))
	} else {
		every = max(1, int(math.Ceil(14/l.w)))
	}
	for j, name := range l.Columns {
		if j%every != 0 {
			continue
		}
		x := x0 + l.w*(float64(j)+0.5)
		if l.tilted {
			p.turned(name, x, bottom+5, l.heads-6, smallPx+1, inkDark)
		} else {
			p.fitText(name, x, bottom+9, l.w*float64(every)-2, smallPx+1, leastPx, false, inkDark, center)
		}
	}
}

// legend paints the colour bar.
func (l *matrixLayout) legend(p *painter, y float64) {
	const bar, thick, steps = 220.0, 12.0, 110
	x := margin + 6
	y += 18
	p.fitText(l.Label, margin, y, l.figure.width-2*margin, labelPx, leastPx, true, inkDark, left)
	y += 12
	low := 0.0
	if l.Diverging {
		low = -l.Max
	}
	for i := range steps {
		width := bar / steps
		v := low + (l.Max-low)*float64(i)/(steps-1)
		p.rect(x+bar*float64(i)/steps, y, width+min(0.5, float64(steps-1-i)), thick, l.color(v))
	}
	lowText, highText := l.number(low), l.number(l.Max)
	if l.top > l.Max*(1+1e-9) {
		highText = "≥ " + highText
	}
	if l.least < low*(1+1e-9)-1e-12 {
		lowText = "≤ " + lowText
	}
	for i, text := range []string{lowText, l.number((low + l.Max) / 2), highText} {
		at := x + bar*float64(i)/2
		p.line(1, inkSoft, at, y+thick, at, y+thick+3)
		p.text(text, at, y+thick+14, smallPx, false, inkDark, center)
	}
}

// number writes a value in a cell or at the bar.
func (l *matrixLayout) number(v float64) string {
	if v == 0 {
		return "0"
	}
	s := strconv.FormatFloat(v, 'f', 2, 64)
	if a := math.Abs(v); a >= 100 {
		s = strconv.FormatFloat(v, 'f', 0, 64)
	} else if a < 0.01 && l.Max < 0.1 {
		s = strconv.FormatFloat(v, 'g', 2, 64)
	}
	if s == "-0.00" {
		s = "0.00"
	}
	return s
}

// table is the matrix as text, rows as drawn.
func (l *matrixLayout) table() string {
	var t textTable
	t.prose(l.Title)
	lines := [][]string{append([]string{l.RowLabel}, l.Columns...)}
	for j := range lines[0] {
		lines[0][j] = short(lines[0][j])
	}
	for k := range l.Rows {
		i := k
		if l.BottomUp {
			i = len(l.Rows) - 1 - k
		}
		line := []string{short(l.Rows[i])}
		for _, v := range l.Values[i] {
			text := "-"
			if !math.IsNaN(v) {
				text = strconv.FormatFloat(v, 'f', 2, 64)
			}
			line = append(line, text)
		}
		lines = append(lines, line)
	}
	t.aligned(lines)
	t.prose("values: " + l.Label)
	t.prose(l.Caption)
	return t.String()
}
