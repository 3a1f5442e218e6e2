package plots

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"
)

// Lines is a chart of a few series over named places, such as the probability of some tokens over the rows of a model.
type Lines struct {
	// Title and Caption frame the picture; the caption is wrapped.
	Title, Caption string
	// X are the names of the places, left to right: rows from the embedding on.
	X []string
	// XLabel and YLabel say what the axes are.
	XLabel, YLabel string
	Series         []Series // drawn in this order, at most MaxSeries
	Axis           Axis
}

// A Series is one line of a [Lines].
type Series struct {
	Name   string    // display text, written at the line's end
	Values []float64 // one for each place; NaN leaves a gap
}

// MaxSeries is how many lines can be told apart.
const MaxSeries = 8

// An Axis says how values become heights.
type Axis int

const (
	// LinearAxis goes from the least to the largest value, and always shows 0 when they are on both sides of it.
	LinearAxis Axis = iota
	// ProbabilityAxis goes from 0 to 1.
	ProbabilityAxis
	// RankAxis is logarithmic, with rank 1 at the top.
	RankAxis
)

// hues are the colours of series: those of Okabe and Ito (2008), apart for colour-blind readers too, without their yellow, which is too light on white.
var hues = []color.RGBA{
	{0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff},
	{0x1b, 0x1f, 0x24, 0xff}, {0x56, 0xb4, 0xe9, 0xff}, {0xe6, 0x9f, 0x00, 0xff}, {0x8c, 0x6d, 0x31, 0xff},
}

// The layout of a line chart, in CSS pixels.
const (
	linesHeight = 270.0
	linesStep   = 66.0 // between places, at most
	linesLeast  = 14.0
	linesLabel  = 150.0 // room for a series' name, at most
)

// Draw checks the chart and lays it out. It copies what it keeps.
func (d Lines) Draw() (*Figure, error) {
	l := &linesLayout{Lines: d}
	f, err := l.draw()
	if err != nil {
		return nil, fmt.Errorf("lines: %w", err)
	}
	return f, nil
}

type linesLayout struct {
	Lines
	low, high      float64
	ticks          []float64
	left, right    float64 // beside the plot area
	width          float64 // of the plot area
	top            float64
	title, caption []string
}

func (l *linesLayout) draw() (*Figure, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	l.scale()
	var t typesetter
	l.left = 14
	for _, v := range l.ticks {
		l.left = max(l.left, t.width(l.format(v), smallPx, false)+12)
	}
	for _, s := range l.Series {
		l.right = max(l.right, min(linesLabel, t.width(t.prepare(s.Name), labelPx, true)+29))
	}
	n := float64(max(1, len(l.X)-1))
	l.width = max(300, min(linesStep*n, pageWidth-2*margin-l.left-l.right))
	width := 2*margin + l.left + l.width + l.right
	l.title = t.wrap(l.Title, width-2*margin, titlePx, true, 3)
	l.caption = t.wrap(l.Caption, width-2*margin, captionPx, false, 6)
	l.top = margin + titleHeight(l.title) + 22
	f, ok := newFigure(width, l.top+linesHeight+54+captionHeight(l.caption)+margin)
	if !ok {
		return nil, tooLarge("lines", "draw fewer places")
	}
	f.title, f.text, f.paint = l.Title, l.table(), l.paint
	return f, nil
}

// check refuses what cannot be drawn and copies the rest.
func (l *linesLayout) check() error {
	switch {
	case len(l.X) == 0 || len(l.X) > maxSide:
		return fmt.Errorf("%d places: want 1 to %d", len(l.X), maxSide)
	case len(l.Series) == 0 || len(l.Series) > MaxSeries:
		return fmt.Errorf("%d series: want 1 to %d, or they cannot be told apart", len(l.Series), MaxSeries)
	case l.Axis < LinearAxis || l.Axis > RankAxis:
		return fmt.Errorf("unknown axis %d: want LinearAxis, ProbabilityAxis or RankAxis", int(l.Axis))
	}
	l.X = slices.Clone(l.X)
	l.Series = slices.Clone(l.Series)
	for i := range l.Series {
		s := &l.Series[i]
		s.Values = slices.Clone(s.Values)
		if len(s.Values) != len(l.X) {
			return fmt.Errorf("series %d has %d values for %d places: want as many", i, len(s.Values), len(l.X))
		}
		for j, v := range s.Values {
			bad := math.IsInf(v, 0) || l.Axis == ProbabilityAxis && (v < -slack || v > 1+slack) || l.Axis == RankAxis && v < 1-slack
			if bad {
				return fmt.Errorf("series %d, place %q: %v is not drawable on this axis: want %s", i, l.X[j], v, [...]string{"a finite number", "0 to 1", "1 or more"}[l.Axis])
			}
		}
	}
	return nil
}

// scale fixes the ends of the axis and its ticks.
func (l *linesLayout) scale() {
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range l.Series {
		for _, v := range s.Values {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if low > high {
		low, high = 0, 1
	}
	switch l.Axis {
	case ProbabilityAxis:
		l.low, l.high, l.ticks = 0, 1, []float64{0, 0.25, 0.5, 0.75, 1}
	case RankAxis:
		l.low, l.high = 1, math.Pow(10, max(1, math.Ceil(math.Log10(high)-1e-9)))
		for v := 1.0; v <= l.high; v *= 10 {
			l.ticks = append(l.ticks, v)
		}
	default:
		l.low, l.high, l.ticks = niceTicks(low, high)
	}
}

// niceTicks widens low..high to round numbers and gives the round numbers between.
func niceTicks(low, high float64) (float64, float64, []float64) {
	if low > 0 && low < high/2 {
		low = 0
	}
	if high < 0 && high > low/2 {
		high = 0
	}
	if high-low <= 1e-12*max(math.Abs(high), math.Abs(low)) {
		low, high = low-1, high+1
	}
	step := roundUp((high-low)/5, 1, 2, 5)
	first, last := math.Floor(low/step+1e-9), math.Ceil(high/step-1e-9)
	var ticks []float64
	for i := first; i <= last; i++ {
		ticks = append(ticks, i*step)
	}
	return first * step, last * step, ticks
}

func (l *linesLayout) format(v float64) string { return number(math.Round(v*1e9) / 1e9) }

func (l *linesLayout) x(i int) float64 {
	if len(l.X) == 1 {
		return margin + l.left + l.width/2
	}
	return margin + l.left + l.width*float64(i)/float64(len(l.X)-1)
}

func (l *linesLayout) y(v float64) float64 {
	t := (v - l.low) / (l.high - l.low)
	if l.Axis == RankAxis {
		t = 1 - math.Log(max(v, 1))/math.Log(l.high)
	}
	return l.top + linesHeight*(1-min(max(t, 0), 1))
}

func (l *linesLayout) paint(p *painter) {
	p.title(l.title)
	p.text(p.prepare(l.YLabel), margin, l.top-10, smallPx, false, inkSoft, left)
	right0 := margin + l.left + l.width
	for _, v := range l.ticks {
		y := l.y(v)
		ink := ruleColor
		if v == 0 && l.low < 0 {
			ink = inkSoft
		}
		p.line(1, ink, margin+l.left-4, y, right0+4, y)
		p.text(l.format(v), margin+l.left-8, y+3.5, smallPx, false, inkDark, right)
	}
	every := 1
	for _, s := range l.X {
		for n := max(1, len(l.X)-1); every < n && p.width(p.prepare(s), smallPx, false)+8 > l.width/float64(n)*float64(every); {
			every++
		}
	}
	base := l.top + linesHeight
	for i, s := range l.X {
		p.line(1, inkSoft, l.x(i), base, l.x(i), base+4)
		if i%every == 0 {
			p.text(p.prepare(s), l.x(i), base+17, smallPx, false, inkDark, center)
		}
	}
	p.text(p.prepare(l.XLabel), margin+l.left+l.width/2, base+35, smallPx, false, inkSoft, center)
	for i, s := range l.Series {
		l.series(p, s.Values, hues[i])
	}
	l.names(p, right0+12)
	p.caption(l.caption, base+48)
}

// series paints one line with a dot at each place.
func (l *linesLayout) series(p *painter, values []float64, c color.Color) {
	var run []float64
	for i, v := range values {
		if math.IsNaN(v) {
			l.stroke(p, run, c)
			run = nil
			continue
		}
		x, y := l.x(i), l.y(v)
		run = append(run, x, y)
		if len(l.X) <= 64 {
			p.rect(x-2.5, y-2.5, 5, 5, c)
		}
	}
	l.stroke(p, run, c)
}

func (l *linesLayout) stroke(p *painter, xy []float64, c color.Color) {
	if len(xy) >= 4 {
		p.line(2, c, xy...)
	}
}

// names writes each series' name at the height of its last value, moved apart where they would touch.
func (l *linesLayout) names(p *painter, x float64) {
	type label struct {
		i int
		y float64
	}
	var ls []label
	for i, s := range l.Series {
		y := l.top + linesHeight
		for _, v := range s.Values {
			if !math.IsNaN(v) {
				y = l.y(v)
			}
		}
		ls = append(ls, label{i, y})
	}
	slices.SortStableFunc(ls, func(a, b label) int { return compareFloats(a.y, b.y) })
	for i := 1; i < len(ls); i++ {
		ls[i].y = max(ls[i].y, ls[i-1].y+linesLeast)
	}
	floor := l.top + linesHeight + 4
	for i := len(ls) - 1; i >= 0 && ls[i].y > floor; i-- {
		ls[i].y = floor
		floor -= linesLeast
	}
	for _, s := range ls {
		p.rect(x, s.y-4, 8, 8, hues[s.i]) // the lighter hues are hard to read as letters
		p.fitText(l.Series[s.i].Name, x+13, s.y, l.right-25, labelPx, leastPx, true, inkDark, left)
	}
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// table is the chart as text: a line for each place, from the last up.
func (l *linesLayout) table() string {
	var t textTable
	t.prose(l.Title)
	head := []string{l.XLabel}
	for _, s := range l.Series {
		head = append(head, short(s.Name))
	}
	lines := [][]string{head}
	for i := len(l.X) - 1; i >= 0; i-- {
		line := []string{l.X[i]}
		for _, s := range l.Series {
			text := "-"
			if v := s.Values[i]; !math.IsNaN(v) {
				text = strconv.FormatFloat(v, 'g', 4, 64)
			}
			line = append(line, text)
		}
		lines = append(lines, line)
	}
	t.aligned(lines)
	t.prose("values: " + l.YLabel)
	t.prose(l.Caption)
	return t.String()
}
