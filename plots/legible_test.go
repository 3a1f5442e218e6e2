package plots_test

import (
	"image/color"
	"maps"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/plots"
)

// scales are pictures that hold every colour of a scale with text on it.
func scales() map[string]drawer {
	all := map[string]drawer{}
	for _, s := range []plots.Scale{plots.Probability, plots.Entropy, plots.KL, plots.Rank} {
		h := plots.Heatmap{Scale: s, Rows: []string{"embed"}, Cells: [][]plots.Cell{nil}, Max: 200}
		for i := range 200 {
			v := float64(i) / 199
			if s != plots.Probability {
				v *= 200
			}
			if s == plots.Rank {
				v = max(1, v)
			}
			h.Columns = append(h.Columns, plots.Column{Position: i})
			h.Cells[0] = append(h.Cells[0], plots.Cell{Text: "of", Value: v})
		}
		all["every "+s.String()] = h
	}
	for name, signed := range map[string]bool{"every size": false, "every difference": true} {
		m := plots.Matrix{Diverging: signed, Max: 1, Numbers: true}
		for i := range 20 {
			m.Rows, m.Columns = append(m.Rows, strconv.Itoa(i)), append(m.Columns, strconv.Itoa(i))
			var row []float64
			for j := range 20 {
				v := float64(20*i+j) / 399
				if signed {
					v = 2*v - 1
				}
				row = append(row, v)
			}
			m.Values = append(m.Values, row)
		}
		all[name] = m
	}
	return all
}

var (
	mark      = regexp.MustCompile(`<path d="(M[^"]*Z)"\s+style="[^"]*fill:(#[0-9A-Fa-f]{6})|<text [^>]*x="([-\d.]+)"\s+y="([-\d.]+)"[^>]*>`)
	fillStyle = regexp.MustCompile(`fill:(#[0-9A-Fa-f]{6})`)
	sizeStyle = regexp.MustCompile(`font-size:([\d.]+)px`)
	corner    = regexp.MustCompile(`(-?[\d.]+),(-?[\d.]+)`)
)

func hex(s string) color.RGBA {
	v, _ := strconv.ParseUint(s[1:], 16, 32)
	return color.RGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255}
}

// ratio is the contrast of WCAG 2, written anew here.
func ratio(a, b color.RGBA) float64 {
	light := func(c color.RGBA) float64 {
		sum := 0.0
		for i, v := range []uint8{c.R, c.G, c.B} {
			x := float64(v) / 255
			if x <= 0.04045 {
				x /= 12.92
			} else {
				x = math.Pow((x+0.055)/1.055, 2.4)
			}
			sum += x * []float64{0.2126, 0.7152, 0.0722}[i]
		}
		return sum
	}
	x, y := light(a), light(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestTextIsLegibleWhereItIsDrawn reads every text and what was painted beneath it out of the pictures, as a viewer does: 4.5 to 1 at least, and no letter below 10 pixels
// on a notebook page. Pictures bring their own white, so that they are the same on a dark page.
func TestTextIsLegibleWhereItIsDrawn(t *testing.T) {
	all := pictures()
	maps.Copy(all, scales())
	for name, d := range all {
		f := mustDraw(t, d)
		if w, _ := f.Size(); w > 824 {
			t.Errorf("%s is %d wide: a notebook page shows 824", name, w)
		}
		svg, err := f.SVG()
		if err != nil {
			t.Fatal(err)
		}
		type box struct {
			x0, y0, x1, y1 float64
			c              color.RGBA
		}
		var boxes []box
		colours := map[color.RGBA]bool{}
		doc := strings.ReplaceAll(string(svg), "\n", " ")
		for _, m := range mark.FindAllStringSubmatch(doc, -1) {
			if m[1] != "" {
				b := box{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1), hex(m[2])}
				for _, c := range corner.FindAllStringSubmatch(m[1], -1) {
					x, _ := strconv.ParseFloat(c[1], 64)
					y, _ := strconv.ParseFloat(c[2], 64)
					b.x0, b.y0, b.x1, b.y1 = min(b.x0, x), min(b.y0, y), max(b.x1, x), max(b.y1, y)
				}
				boxes = append(boxes, b)
				continue
			}
			ink := color.RGBA{A: 255}
			if c := fillStyle.FindStringSubmatch(m[0]); c != nil {
				ink = hex(c[1])
			}
			size, err := strconv.ParseFloat(sizeStyle.FindStringSubmatch(m[0])[1], 64)
			if err != nil || size < 7.4 { // points; 10 pixels are 7.5
				t.Errorf("%s: letters of %.2f pt: want 7.5 at least: %s", name, size, m[0])
			}
			x, _ := strconv.ParseFloat(m[3], 64)
			y, _ := strconv.ParseFloat(m[4], 64)
			if x == 0 && y == 0 {
				continue // turned, and never in a cell
			}
			x, y = x+1, 2-y // within the first letter; y is turned over for texts
			for i := len(boxes) - 1; i >= 0; i-- {
				b := boxes[i]
				if x < b.x0 || x > b.x1 || y < b.y0 || y > b.y1 {
					continue
				}
				colours[b.c] = true
				if r := ratio(ink, b.c); r < 4.5 {
					t.Errorf("%s: contrast %.2f of %v on %v: want at least 4.5: %s", name, r, ink, b.c, m[0])
				}
				break
			}
		}
		if want := 100; strings.HasPrefix(name, "every") && len(colours) < want {
			t.Errorf("%s: text stands on %d colours: want %d at least", name, len(colours), want)
		}
	}
}
