package plots

import "strings"

// What all pictures share: a title above, a caption below, and the same
// content as text. Sizes are CSS pixels.
const (
	titlePx      = 16.0
	labelPx      = 12.0
	smallPx      = 10.0
	leastPx      = 10.0 // text is cut rather than shrunk further
	captionPx    = 11.0
	legendHeight = 68.0
	captionLead  = 15.0
)

func titleHeight(lines []string) float64 {
	if len(lines) == 0 {
		return 0
	}
	return 20*float64(len(lines)) + 6
}

func captionHeight(lines []string) float64 { return captionLead * float64(len(lines)) }

func (p *painter) title(lines []string) {
	for i, line := range lines {
		p.text(line, margin, margin+14+20*float64(i), titlePx, true, inkDark, left)
	}
}

// caption paints lines below y.
func (p *painter) caption(lines []string, y float64) {
	for i, line := range lines {
		p.text(line, margin, y+11+captionLead*float64(i), captionPx, false, inkSoft, left)
	}
}

// A textTable collects the plain text of a picture.
type textTable struct{ strings.Builder }

// prose adds a line of running text; empty text adds nothing.
func (t *textTable) prose(s string) {
	if s = strings.Join(strings.Fields(clean(s)), " "); s != "" {
		t.WriteString(s + "\n")
	}
}

// aligned adds rows of cells, padded so that columns line up in a terminal,
// with an empty line after them.
func (t *textTable) aligned(lines [][]string) {
	var widths []int
	for _, line := range lines {
		for j, s := range line {
			s = clean(s)
			line[j] = s
			if j == len(widths) {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], columns.StringWidth(s))
		}
	}
	for _, line := range lines {
		var row strings.Builder
		for j, s := range line {
			if j > 0 {
				row.WriteString("  ")
			}
			row.WriteString(columns.FillRight(s, widths[j]))
		}
		t.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	t.WriteString("\n")
}

// short cuts a token for a table, where a value follows it.
func short(token string) string { return columns.Truncate(clean(token), 18, "…") }
