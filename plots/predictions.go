package plots

import (
	"fmt"
	"image/color"
	"math"
	"strconv"
)

// Predictions is the lens at one position: for every row its most probable
// tokens. The answer, which is the top-1 token of the last row, has a hue of
// its own wherever it appears.
type Predictions struct {
	// Title and Caption frame the picture; the caption is wrapped.
	Title, Caption string
	// Rows are bottom-up: the embedding first, the model's own output last.
	Rows []PredictionRow
}

// A PredictionRow is one row's distribution.
type PredictionRow struct {
	Row     string       // "embed", "0_post", ...
	Top     []Prediction // most probable first, as many in every row
	Entropy float64      // of the whole distribution, nats
}

// A Prediction is one candidate token.
type Prediction struct {
	// ID tells tokens of the same text apart. Where all are 0 the texts do.
	ID   int
	Text string  // display text
	Prob float64 // 0 to 1
}

// The layout of a prediction chart, in CSS pixels.
const (
	predRow     = 36.0
	predHead    = 22.0
	predLeast   = 88.0
	predMost    = 150.0
	predGap     = 10.0
	entropyWide = 84.0
	probWide    = 37.0
)

// Draw checks the predictions and lays them out. It copies what it keeps. It
// returns an error when there is nothing to draw, when rows hold different
// numbers of candidates, when a number is out of range, or when the picture
// would exceed [MaxPixels].
func (d Predictions) Draw() (*Figure, error) {
	f, err := d.draw()
	if err != nil {
		return nil, fmt.Errorf("predictions: %w", err)
	}
	return f, nil
}

// predictionLayout is a checked copy of the predictions with their measures.
type predictionLayout struct {
	Predictions
	answer         Prediction
	since          int // the row from which on the answer is top-1
	labels, cell   float64
	top            float64
	entropy        float64 // the largest
	title, caption []string
}

func (d Predictions) draw() (*Figure, error) {
	l := &predictionLayout{Predictions: d}
	if err := l.check(); err != nil {
		return nil, err
	}
	k := len(l.Rows[0].Top)
	refused := tooLarge(fmt.Sprintf("%d rows of %d candidates", len(l.Rows), k), "draw fewer rows or candidates")
	if predRow*float64(len(l.Rows))*predLeast*float64(k) > MaxPixels/(density*density) {
		return nil, refused // before measuring every token
	}
	l.measure()
	width := max(leastWidth, 2*margin+l.labels+(l.cell+predGap)*float64(k)+entropyWide)
	var t typesetter
	l.title = t.wrap(d.Title, width-2*margin, titlePx, true, 3)
	l.caption = append(t.wrap(d.Caption, width-2*margin, captionPx, false, 6), t.wrap(l.note(), width-2*margin, captionPx, false, 3)...)
	l.top = margin + titleHeight(l.title)
	height := l.top + predHead + predRow*float64(len(l.Rows)) + 10 + captionHeight(l.caption) + margin
	f, ok := newFigure(width, height)
	if !ok {
		return nil, refused
	}
	f.title, f.text, f.paint = d.Title, l.table(), l.paint
	return f, nil
}

// check refuses what cannot be drawn and replaces the rows by a copy whose
// numbers are in range.
func (l *predictionLayout) check() error {
	if len(l.Rows) == 0 || len(l.Rows) > maxSide {
		return fmt.Errorf("%d rows: want 1 to %d", len(l.Rows), maxSide)
	}
	rows := make([]PredictionRow, len(l.Rows))
	for i, row := range l.Rows {
		k := len(l.Rows[0].Top)
		if len(row.Top) != k || k == 0 || k > maxSide {
			return fmt.Errorf("row %q has %d candidates: want the same number in every row, 1 to %d", row.Row, len(row.Top), maxSide)
		}
		var err error
		if row.Entropy, err = Entropy.admit(row.Entropy); err != nil {
			return fmt.Errorf("row %q: %w", row.Row, err)
		}
		row.Top = append([]Prediction(nil), row.Top...)
		for j := range row.Top {
			if row.Top[j].Prob, err = Probability.admit(row.Top[j].Prob); err != nil {
				return fmt.Errorf("row %q, candidate %d: %w", row.Row, j+1, err)
			}
		}
		l.entropy = max(l.entropy, row.Entropy)
		rows[i] = row
	}
	l.Rows = rows
	l.answer = rows[len(rows)-1].Top[0]
	for l.since = len(rows) - 1; l.since > 0 && l.isAnswer(rows[l.since-1].Top[0]); {
		l.since--
	}
	return nil
}

func (l *predictionLayout) isAnswer(c Prediction) bool {
	return c.ID == l.answer.ID && c.Text == l.answer.Text
}

func (l *predictionLayout) note() string {
	return "Orange: the answer, the last row's top-1. The line at the left marks the rows from " +
		l.Rows[l.since].Row + " up, where it is top-1 and stays so."
}

func (l *predictionLayout) measure() {
	var t typesetter
	l.labels = 40
	need := predLeast
	for _, row := range l.Rows {
		l.labels = max(l.labels, min(120, t.width(t.prepare(row.Row), labelPx, false)))
		for _, c := range row.Top {
			if need < predMost {
				need = max(need, t.width(t.prepare(c.Text), cellPx, l.isAnswer(c))+probWide+8)
			}
		}
	}
	l.labels += 22
	k := float64(len(l.Rows[0].Top))
	share := (pageWidth-2*margin-l.labels-entropyWide)/k - predGap
	l.cell = math.Floor(max(predLeast, min(need, predMost, share)))
}

func (l *predictionLayout) paint(p *painter) {
	p.title(l.title)
	x0 := margin + l.labels
	head := l.top + 11
	p.text("row", x0-16, head, smallPx, false, inkSoft, right)
	k := len(l.Rows[0].Top)
	for j := range k {
		name := "top " + strconv.Itoa(j+1)
		p.text(name, x0+(l.cell+predGap)*float64(j), head, smallPx, false, inkSoft, left)
	}
	ex := x0 + (l.cell+predGap)*float64(k) + 4
	p.text("entropy (nats)", ex, head, smallPx, false, inkSoft, left)
	grid := l.top + predHead
	for i, row := range l.Rows {
		y := grid + predRow*float64(len(l.Rows)-1-i)
		p.line(1, ruleColor, margin, y-0.5, ex+entropyWide-4, y-0.5)
		p.fitText(row.Row, x0-16, y+predRow/2, l.labels-18, labelPx, leastPx, false, inkDark, right)
		for j, c := range row.Top {
			l.candidate(p, c, x0+(l.cell+predGap)*float64(j), y)
		}
		p.text(strconv.FormatFloat(row.Entropy, 'f', 2, 64), ex, y+19, labelPx, false, inkDark, left)
		p.bar(ex, y+25, entropyWide-4, row.Entropy/max(l.entropy, 1), inkSoft)
	}
	p.line(3, accent, x0-7, grid+3, x0-7, grid+predRow*float64(len(l.Rows)-l.since)-4)
	p.caption(l.caption, grid+predRow*float64(len(l.Rows))+10)
}

// candidate paints one token with its probability over its bar.
func (l *predictionLayout) candidate(p *painter, c Prediction, x, y float64) {
	hit := l.isAnswer(c)
	ink, fill := inkDark, barFill
	if hit {
		ink, fill = accentInk, accent
	}
	p.fitText(c.Text, x, y+14.5, l.cell-probWide, cellPx, leastPx, hit, ink, left)
	p.text(percent(c.Prob), x+l.cell, y+18.5, smallPx+1, hit, ink, right)
	p.bar(x, y+25, l.cell, c.Prob, fill)
}

// bar paints a share of a track.
func (p *painter) bar(x, y, width, share float64, fill color.Color) {
	p.rect(x, y, width, 5, trackFill)
	if share > 0 {
		p.rect(x, y, max(1, width*share), 5, fill)
	}
}

// percent writes a probability so that what is not certain never reads as 100
// and what is not impossible never reads as 0.
func percent(v float64) string {
	switch {
	case v == 0 || v == 1:
		return strconv.Itoa(int(v)*100) + "%"
	case v < 0.001:
		return "<0.1%"
	case v > 0.999:
		return ">99.9%"
	}
	return strconv.FormatFloat(100*v, 'f', 1, 64) + "%"
}

// table is the chart as text, rows as drawn; the answer is starred.
func (l *predictionLayout) table() string {
	var t textTable
	t.prose(l.Title)
	head := []string{"row"}
	for j := range l.Rows[0].Top {
		head = append(head, "top "+strconv.Itoa(j+1))
	}
	lines := [][]string{append(head, "entropy")}
	for i := len(l.Rows) - 1; i >= 0; i-- {
		line := []string{l.Rows[i].Row}
		for _, c := range l.Rows[i].Top {
			s := short(c.Text) + " " + percent(c.Prob)
			if l.isAnswer(c) {
				s = "* " + s
			}
			line = append(line, s)
		}
		lines = append(lines, append(line, strconv.FormatFloat(l.Rows[i].Entropy, 'f', 2, 64)))
	}
	t.aligned(lines)
	t.prose("* the answer, top-1 from " + l.Rows[l.since].Row + " up; entropy in nats")
	t.prose(l.Caption)
	return t.String()
}
