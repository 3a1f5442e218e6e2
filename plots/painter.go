package plots

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// points converts CSS pixels (96 to the inch) to vg lengths; pixels is its
// inverse.
func points(px float64) vg.Length { return vg.Length(px) * vg.Inch / 96 }
func pixels(l vg.Length) float64  { return float64(l / vg.Inch * 96) }

// A painter draws in CSS pixels with the origin at the top left, which is how
// the layouts think, on a canvas that counts points from the bottom left.
type painter struct {
	typesetter
	canvas vg.Canvas
	height float64
	dx, dy float64 // where the picture's origin lies on the canvas
}

type align float64

const (
	left   align = 0
	center align = 0.5
	right  align = 1
)

func (p *painter) at(x, y float64) vg.Point {
	return vg.Point{X: points(x + p.dx), Y: points(p.height - y - p.dy)}
}

func (p *painter) rect(x, y, w, h float64, c color.Color) {
	var path vg.Path
	path.Move(p.at(x, y))
	path.Line(p.at(x+w, y))
	path.Line(p.at(x+w, y+h))
	path.Line(p.at(x, y+h))
	path.Close()
	p.canvas.SetColor(c)
	p.canvas.Fill(path)
}

// line strokes a polyline; xy holds x and y in turn.
func (p *painter) line(width float64, c color.Color, xy ...float64) {
	var path vg.Path
	path.Move(p.at(xy[0], xy[1]))
	for i := 2; i+1 < len(xy); i += 2 {
		path.Line(p.at(xy[i], xy[i+1]))
	}
	p.canvas.SetColor(c)
	p.canvas.SetLineWidth(points(width))
	p.canvas.Stroke(path)
}

// text draws a prepared string with its baseline at y.
func (p *painter) text(s string, x, y, px float64, bold bool, c color.Color, a align) {
	if s == "" {
		return
	}
	width := p.width(s, px, bold)
	x -= width * float64(a)
	f := face(px, bold)
	p.canvas.SetColor(c)
	if svg, ok := p.canvas.(*svgCanvas); ok {
		svg.widths = append(svg.widths, points(width))
		svg.FillString(f, p.at(x, y), s)
		return
	}
	runs(s, func(run string) {
		p.canvas.FillString(f, p.at(x, y), run)
		x += pixels(f.Width(run))
	}, func(r rune) {
		o := outlines[r]
		weight := 0.075
		if bold {
			weight = 0.11
		}
		for _, stroke := range o.strokes {
			xy := make([]float64, len(stroke))
			for i := 0; i+1 < len(stroke); i += 2 {
				xy[i], xy[i+1] = x+stroke[i]*px, y-stroke[i+1]*px
			}
			p.line(weight*px, c, xy...)
		}
		x += o.advance * px
	})
}

// fitText fits s into a box and draws it; middle is the line half-way up the
// capitals, so that shrunk text stays in the row's axis.
func (p *painter) fitText(s string, x, middle, box, px, least float64, bold bool, c color.Color, a align) {
	s, px = p.fit(s, box, px, least, bold)
	p.text(s, x, middle+0.35*px, px, bold, c, a)
}

// turned fits s into a height and draws it from x, y downwards, its letters lying on their side.
func (p *painter) turned(s string, x, y, box, px float64, c color.Color) {
	s, px = p.fit(s, box, px, leastPx, false)
	q := *p
	at := p.at(x-0.35*px, y)
	p.canvas.Push()
	p.canvas.Translate(at)
	p.canvas.Rotate(-math.Pi / 2)
	q.height, q.dx, q.dy = 0, 0, 0
	q.text(s, 0, 0, px, false, c, left)
	p.canvas.Pop()
}

// An outline is a mark that the fonts lack, as polylines in units of the font
// size: x to the right, y up from the baseline, in turn.
type outline struct {
	advance float64
	strokes [][]float64
}

var outlines = map[rune]outline{
	markSpace:   {0.56, [][]float64{{0.09, 0.13, 0.09, -0.06, 0.47, -0.06, 0.47, 0.13}}},
	markNewline: {0.84, [][]float64{{0.72, 0.64, 0.72, 0.26, 0.12, 0.26}, {0.33, 0.47, 0.12, 0.26, 0.33, 0.05}}},
	markTab:     {0.92, [][]float64{{0.08, 0.34, 0.74, 0.34}, {0.54, 0.54, 0.74, 0.34, 0.54, 0.14}, {0.82, 0.1, 0.82, 0.58}}},
	markEmpty:   {0.72, [][]float64{circle(0.36, 0.36, 0.27), {0.1, 0.04, 0.62, 0.68}}},
	markOpen:    {0.34, [][]float64{{0.27, 0.78, 0.1, 0.31, 0.27, -0.16}}},
	markClose:   {0.34, [][]float64{{0.07, 0.78, 0.24, 0.31, 0.07, -0.16}}},
}

func circle(x, y, r float64) []float64 {
	const corners = 32
	var xy []float64
	for i := 0; i <= corners; i++ {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / corners)
		xy = append(xy, x+r*cos, y+r*sin)
	}
	return xy
}

// svgCanvas remembers how wide each string was laid out. Viewers without our
// fonts are then told that width, so that no text can run into its neighbour.
type svgCanvas struct {
	*vgsvg.Canvas
	widths []vg.Length
}
