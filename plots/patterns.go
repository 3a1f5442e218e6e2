package plots

import (
	"fmt"
	"math"
	"strconv"
)

// Patterns shows many square attention patterns at once, small: all heads of a model, layers bottom-up. For one pattern with its tokens there is [Matrix].
type Patterns struct {
	// Title and Caption frame the picture; the caption is wrapped.
	Title, Caption string
	Layers         []int           // numbers of the layers, bottom-up
	Values         [][][][]float64 // [layer][head][query][key]; 0 to Max; as many heads in each layer and positions in each head. NaN is left empty
	Max            float64         // end of the scale; 0: 1
	Label          string          // what the values are
}

// maxDots bounds the values of Patterns.
const maxDots = 400_000

// Draw checks the patterns and lays them out. It copies what it keeps.
func (d Patterns) Draw() (*Figure, error) {
	f, err := d.draw()
	if err != nil {
		return nil, fmt.Errorf("patterns: %w", err)
	}
	return f, nil
}

func (d Patterns) draw() (*Figure, error) {
	heads, n, err := d.check()
	if err != nil {
		return nil, err
	}
	if d.Max == 0 {
		d.Max = 1
	}
	const labels, gap = 28.0, 8.0
	side := min(120, (pageWidth-2*margin-labels)/float64(heads)-gap)
	side = max(float64(n), math.Floor(side/float64(n))*float64(n)) // whole pixels
	var t typesetter
	width := max(matrixWide, 2*margin+labels+(side+gap)*float64(heads))
	title := t.wrap(d.Title, width-2*margin, titlePx, true, 3)
	caption := t.wrap(d.Caption, width-2*margin, captionPx, false, 8)
	top := margin + titleHeight(title) + 22
	bottom := top + (side+gap)*float64(len(d.Layers))
	f, ok := newFigure(width, bottom+legendHeight+captionHeight(caption)+margin)
	if !ok {
		return nil, tooLarge(fmt.Sprintf("%d layers of %d heads over %d positions", len(d.Layers), heads, n), "draw fewer layers or positions")
	}
	values := make([][][][]float64, len(d.Values))
	for i := range d.Values {
		values[i] = make([][][]float64, heads)
		for h := range values[i] {
			for _, row := range d.Values[i][h] {
				values[i][h] = append(values[i][h], append([]float64(nil), row...))
			}
		}
	}
	layers := append([]int(nil), d.Layers...)
	f.title, f.text = d.Title, d.table(layers, heads)
	f.paint = func(p *painter) {
		p.title(title)
		p.text("layer", margin, top-8, smallPx, false, inkSoft, left)
		for h := range heads {
			p.text("head "+strconv.Itoa(h), margin+labels+(side+gap)*float64(h)+side/2, top-8, smallPx, false, inkSoft, center)
		}
		for i, l := range layers {
			y0 := bottom - (side+gap)*float64(i+1)
			p.text(strconv.Itoa(l), margin+labels-8, y0+side/2+4, labelPx, false, inkDark, right)
			for h := range heads {
				d.pattern(p, margin+labels+(side+gap)*float64(h), y0, side/float64(n), values[i][h])
			}
		}
		bar := Matrix{Label: d.Label, Max: d.Max}
		(&matrixLayout{Matrix: bar, figure: f}).legend(p, bottom-6)
		p.caption(caption, bottom+legendHeight)
	}
	return f, nil
}

// pattern paints one: neighbouring cells of one colour as one rectangle.
func (d Patterns) pattern(p *painter, x0, y0, cell float64, rows [][]float64) {
	n := len(rows)
	p.rect(x0, y0, cell*float64(n), cell*float64(n), trackFill)
	for q, row := range rows {
		for k := 0; k < n; {
			if math.IsNaN(row[k]) {
				k++
				continue
			}
			end, fill := k+1, sequential(row[k]/d.Max)
			for end < n && !math.IsNaN(row[end]) && sequential(row[end]/d.Max) == fill {
				end++
			}
			p.rect(x0+cell*float64(k), y0+cell*float64(q), cell*float64(end-k), cell, fill)
			k = end
		}
	}
}

// check refuses what cannot be drawn; it returns the number of heads and positions.
func (d Patterns) check() (heads, n int, err error) {
	if len(d.Layers) == 0 || len(d.Values) != len(d.Layers) || len(d.Values[0]) == 0 || len(d.Values[0][0]) == 0 {
		return 0, 0, fmt.Errorf("%d layers of values for %d layers: want as many, and a head with a position in each", len(d.Values), len(d.Layers))
	}
	if math.IsNaN(d.Max) || math.IsInf(d.Max, 0) || d.Max < 0 {
		return 0, 0, fmt.Errorf("scale maximum %v is not usable: want 0 (which is 1) or more", d.Max)
	}
	heads, n = len(d.Values[0]), len(d.Values[0][0])
	if dots := len(d.Layers) * heads * n * n; dots > maxDots {
		return 0, 0, fmt.Errorf("%d values: want at most %d; draw fewer layers or positions", dots, maxDots)
	}
	for i, layer := range d.Values {
		if len(layer) != heads {
			return 0, 0, fmt.Errorf("layer %d has %d heads and the first %d: want as many", d.Layers[i], len(layer), heads)
		}
		for h, rows := range layer {
			if len(rows) != n {
				return 0, 0, fmt.Errorf("layer %d, head %d has %d rows: want %d", d.Layers[i], h, len(rows), n)
			}
			for _, row := range rows {
				if len(row) != n {
					return 0, 0, fmt.Errorf("layer %d, head %d has a row of %d: want %d", d.Layers[i], h, len(row), n)
				}
				for _, v := range row {
					if math.IsInf(v, 0) || v < -slack {
						return 0, 0, fmt.Errorf("layer %d, head %d: %v is not drawable: want 0 or more", d.Layers[i], h, v)
					}
				}
			}
		}
	}
	return heads, n, nil
}

// table says of each head where its last position looks most.
func (d Patterns) table(layers []int, heads int) string {
	var t textTable
	t.prose(d.Title)
	lines := [][]string{{"head", "last position looks most at", "value"}}
	for i, l := range layers {
		for h := range heads {
			row := d.Values[i][h][len(d.Values[i][h])-1]
			best := -1
			for k, v := range row {
				if !math.IsNaN(v) && (best < 0 || v > row[best]) {
					best = k
				}
			}
			if best >= 0 {
				lines = append(lines, []string{fmt.Sprintf("L%dH%d", l, h), strconv.Itoa(best), strconv.FormatFloat(row[best], 'f', 2, 64)})
			}
		}
	}
	t.aligned(lines)
	t.prose("values: " + d.Label)
	t.prose(d.Caption)
	return t.String()
}
