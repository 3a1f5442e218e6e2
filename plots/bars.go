package plots

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Bars are signed numbers with names, as bars from a common zero: the terms of a sum.
type Bars struct {
	// Title and Caption frame the picture; the caption is wrapped.
	Title, Caption string
	Bars           []Bar
	BottomUp       bool   // the first bar is drawn at the bottom
	Label          string // what the values are
}

// A Bar is one number.
type Bar struct {
	Name  string // display text
	Value float64
}

// The layout of bars, in CSS pixels.
const (
	barHeight = 18.0
	barsWide  = 220.0 // of the longest bar with its opposite side
)

// Draw checks the bars and lays them out. It copies what it keeps.
func (d Bars) Draw() (*Figure, error) {
	l := &barsLayout{Bars: d}
	f, err := l.draw()
	if err != nil {
		return nil, fmt.Errorf("bars: %w", err)
	}
	return f, nil
}

type barsLayout struct {
	Bars
	low, high      float64
	labels, top    float64
	title, caption []string
}

func (l *barsLayout) draw() (*Figure, error) {
	if n := len(l.Bars.Bars); n == 0 || n > maxSide {
		return nil, fmt.Errorf("%d bars: want 1 to %d", n, maxSide)
	}
	l.Bars.Bars = slices.Clone(l.Bars.Bars)
	var t typesetter
	for _, b := range l.Bars.Bars {
		if math.IsNaN(b.Value) || math.IsInf(b.Value, 0) {
			return nil, fmt.Errorf("bar %q: %v is not drawable: want a finite number", b.Name, b.Value)
		}
		l.low, l.high = min(l.low, b.Value), max(l.high, b.Value)
		l.labels = max(l.labels, min(150, t.width(t.prepare(b.Name), labelPx, false)))
	}
	if l.high == l.low {
		l.high = 1
	}
	l.labels += 12
	width := max(leastWidth, 2*margin+l.labels+barsWide+2*52)
	l.title = t.wrap(l.Title, width-2*margin, titlePx, true, 3)
	l.caption = t.wrap(l.Caption, width-2*margin, captionPx, false, 8)
	l.top = margin + titleHeight(l.title) + 20
	f, ok := newFigure(width, l.top+barHeight*float64(len(l.Bars.Bars))+12+captionHeight(l.caption)+margin)
	if !ok {
		return nil, tooLarge(fmt.Sprintf("%d bars", len(l.Bars.Bars)), "draw fewer")
	}
	f.title, f.text, f.paint = l.Title, l.table(), l.paint
	return f, nil
}

func (l *barsLayout) paint(p *painter) {
	p.title(l.title)
	x0 := margin + l.labels + 52 // room for the numbers of negative bars
	at := func(v float64) float64 { return x0 + barsWide*(v-l.low)/(l.high-l.low) }
	zero := at(0)
	p.text(p.prepare(l.Label), zero, l.top-8, smallPx, false, inkSoft, center)
	n := len(l.Bars.Bars)
	for i, b := range l.Bars.Bars {
		y := l.top + barHeight*float64(i)
		if l.BottomUp {
			y = l.top + barHeight*float64(n-1-i)
		}
		p.fitText(b.Name, margin+l.labels-8, y+barHeight/2, l.labels-8, labelPx, leastPx, false, inkDark, right)
		x, to, fill, side := zero, at(b.Value), diverging(0.8), left
		tx := to + 5
		if b.Value < 0 {
			x, to, fill, side = to, zero, diverging(-0.8), right
			tx = x - 5
		}
		if to > x {
			p.rect(x, y+3, to-x, barHeight-6, fill)
		}
		p.text(signed(b.Value), tx, y+barHeight/2+4, smallPx+1, false, inkDark, side)
	}
	p.line(1, inkSoft, zero, l.top-2, zero, l.top+barHeight*float64(n)+2)
	p.caption(l.caption, l.top+barHeight*float64(n)+8)
}

// signed writes a term of a sum.
func signed(v float64) string {
	if math.Abs(v) < 0.005 {
		return "0.00"
	}
	return fmt.Sprintf("%+.2f", v)
}

// table is the bars as text, as drawn.
func (l *barsLayout) table() string {
	var t textTable
	t.prose(l.Title)
	var lines [][]string
	for k := range l.Bars.Bars {
		i := k
		if l.BottomUp {
			i = len(l.Bars.Bars) - 1 - k
		}
		b := l.Bars.Bars[i]
		lines = append(lines, []string{short(b.Name), strconv.FormatFloat(b.Value, 'f', 4, 64)})
	}
	t.aligned(lines)
	t.prose("values: " + l.Label)
	t.prose(l.Caption)
	return t.String()
}
