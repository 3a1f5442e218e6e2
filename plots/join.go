package plots

import "fmt"

// joinGap is the space between joined pictures, in CSS pixels.
const joinGap = 8.0

// Join puts pictures side by side where a notebook page has room for them, and below each other where not.
func Join(figures ...*Figure) (*Figure, error) {
	if len(figures) == 0 {
		return nil, fmt.Errorf("join: no pictures: want at least one")
	}
	type place struct{ x, y float64 }
	places := make([]place, len(figures))
	var x, y, width, line float64 // line: the height of the present line
	var text textTable
	joined := ""
	for i, f := range figures {
		if f == nil || f.paint == nil {
			return nil, fmt.Errorf("join: picture %d is empty: make it with Draw", i)
		}
		if x > 0 && x+joinGap+f.width > pageWidth {
			x, y, line = 0, y+line+joinGap, 0
		}
		if x > 0 {
			x += joinGap
		}
		places[i] = place{x, y}
		x += f.width
		width, line = max(width, x), max(line, f.height)
		if i > 0 {
			text.WriteString("\n")
			joined += "; "
		}
		text.WriteString(f.text)
		joined += f.title
	}
	out, ok := newFigure(width, y+line)
	if !ok {
		return nil, fmt.Errorf("join: %w", tooLarge(fmt.Sprintf("%d pictures", len(figures)), "join fewer or smaller ones"))
	}
	out.title, out.text = joined, text.String()
	out.paint = func(p *painter) {
		for i, f := range figures {
			q := *p
			q.dx, q.dy = p.dx+places[i].x, p.dy+places[i].y
			f.paint(&q)
		}
	}
	return out, nil
}
