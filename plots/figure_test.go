package plots_test

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gopherlens/gopherlens/plots"
)

func decode(t *testing.T, f *plots.Figure) image.Image {
	t.Helper()
	data, err := f.PNG()
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// area counts the pixels of exactly one colour.
func area(t *testing.T, img image.Image, c color.RGBA) int {
	t.Helper()
	rgba, ok := img.(*image.RGBA)
	if !ok {
		t.Fatalf("png decodes to %T: want an opaque picture", img)
	}
	n := 0
	for i := 0; i < len(rgba.Pix); i += 4 {
		if rgba.Pix[i] == c.R && rgba.Pix[i+1] == c.G && rgba.Pix[i+2] == c.B {
			n++
		}
	}
	return n
}

// An svgText is a <text> element as a reader's program sees it.
type svgText struct {
	Text   string  `xml:",chardata"`
	X      float64 `xml:"x,attr"`
	Y      float64 `xml:"y,attr"` // grows downwards from above the picture: y - height
	Length float64 `xml:"textLength,attr"`
}

// parseSVG reads a whole SVG strictly and returns its title and texts.
func parseSVG(t *testing.T, f *plots.Figure) (title string, texts []svgText) {
	t.Helper()
	data, err := f.SVG()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(data, []byte("<svg ")) {
		t.Errorf("svg starts with %.20q: want the element itself", data)
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return title, texts
		}
		if err != nil {
			t.Fatalf("svg is not well-formed: %v", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "title":
			err = d.DecodeElement(&title, &start)
		case "text":
			var x svgText
			err = d.DecodeElement(&x, &start)
			texts = append(texts, x)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func has(texts []svgText, want string) bool {
	for _, x := range texts {
		if x.Text == want {
			return true
		}
	}
	return false
}

func TestSVGHoldsEveryTextOfTheHeatmap(t *testing.T) {
	h := franceHeatmap()
	title, texts := parseSVG(t, mustDraw(t, h))
	if title != h.Title {
		t.Errorf("title %q, want %q", title, h.Title)
	}
	want := append([]string{h.Title, h.Caption, "probability", "0.25", "next token", "* ␣is"}, h.Rows...)
	for j, c := range h.Columns {
		want = append(want, c.Below, strconv.Itoa(c.Position))
		for i := range h.Rows {
			want = append(want, h.Cells[i][j].Text)
		}
	}
	for _, s := range want {
		if !has(texts, s) {
			t.Errorf("svg has no text %q", s)
		}
	}
}

// Rows are given bottom-up and must be seen bottom-up; inputs stand below the
// cells and next tokens above.
func TestHeatmapOrder(t *testing.T) {
	_, texts := parseSVG(t, mustDraw(t, franceHeatmap()))
	at := map[string]svgText{}
	for _, x := range texts {
		at[x.Text] = x
	}
	down := []string{"next token", "5_post", "4_post", "0_post", "embed", "input", "position", "probability"}
	for i := 1; i < len(down); i++ {
		if at[down[i-1]].Y >= at[down[i]].Y {
			t.Errorf("%q is not above %q", down[i-1], down[i])
		}
	}
	if top, paris := at["5_post"], at["␣Paris"]; paris.Y >= at["1_post"].Y || paris.X < top.X {
		t.Errorf("␣Paris is at %v, %v: want in the upper right", paris.X, paris.Y)
	}
	for pos := 3; pos < 5; pos++ { // 0 and 1 are numbers of the colour bar too
		if a, b := at[strconv.Itoa(pos-1)], at[strconv.Itoa(pos)]; a.X >= b.X || a.Y != b.Y {
			t.Errorf("positions %d and %d are not side by side in order", pos-1, pos)
		}
	}
}

// No text may run into its neighbour or out of the picture, in either format:
// both lay out with the same widths.
func TestTextsDoNotOverlap(t *testing.T) {
	for name, d := range pictures() {
		f := mustDraw(t, d)
		width, _ := f.Size()
		_, texts := parseSVG(t, f)
		for i, a := range texts {
			if right := a.X + a.Length; a.X < 0 || right > float64(width)*0.75 {
				t.Errorf("%s: %q spans %.1f to %.1f of %.1f points", name, a.Text, a.X, right, float64(width)*0.75)
			}
			for _, b := range texts[i+1:] {
				if math.Abs(a.Y-b.Y) < 5 && a.X < b.X+b.Length-0.01 && b.X < a.X+a.Length-0.01 {
					t.Errorf("%s: %q and %q overlap", name, a.Text, b.Text)
				}
			}
		}
	}
}

// The colours of known values, as areas of the PNG: a cell is at least 45 by
// 27 CSS pixels, text and the bar's steps take some.
func TestCellColours(t *testing.T) {
	orange := color.RGBA{0xf2, 0x8e, 0x2b, 0xff}
	pale, dark := color.RGBA{0xfb, 0xf8, 0xdd, 0xff}, color.RGBA{0x20, 0x28, 0x6d, 0xff}
	for _, c := range []struct {
		name  string
		scale plots.Scale
		value float64
		want  color.RGBA
	}{
		{"impossible", plots.Probability, 0, pale},
		{"certain", plots.Probability, 1, dark},
		{"no entropy", plots.Entropy, 0, dark},
		{"most entropy", plots.Entropy, 7, pale},
		{"clipped entropy", plots.Entropy, 9, pale},
		{"agrees with the last row", plots.KL, 0, dark},
		{"clipped divergence", plots.KL, 40, pale},
		{"rank 1", plots.Rank, 1, orange},
		{"rank 2", plots.Rank, 2, dark},
		{"last rank", plots.Rank, 7, pale},
	} {
		h := sumHeatmap()
		h.Scale, h.Max = c.scale, 7
		h.Rows, h.Cells = h.Rows[:1], [][]plots.Cell{{{Text: "i", Value: c.value}}}
		img := decode(t, mustDraw(t, h))
		// The colour that fills the cell is the one beside its text.
		got := color.RGBAModel.Convert(img.At(190, 96)).(color.RGBA)
		if near := abs(got.R, c.want.R) + abs(got.G, c.want.G) + abs(got.B, c.want.B); near > 24 {
			t.Errorf("%s: colour %v, want about %v", c.name, got, c.want)
		}
		if n := area(t, img, got); n < 2*45*2*27*8/10 {
			t.Errorf("%s: %d pixels of %v, want a whole cell", c.name, n, got)
		}
	}
}

func abs(a, b uint8) int {
	if a > b {
		return int(a - b)
	}
	return int(b - a)
}

func TestLegendStatesTheScale(t *testing.T) {
	for _, c := range []struct {
		scale plots.Scale
		value float64
		max   float64
		want  []string
	}{
		{plots.Probability, 0.5, 0, []string{"probability", "0", "0.25", "0.5", "0.75", "1"}},
		{plots.Entropy, 6.3, 0, []string{"entropy (nats)", "0", "2", "4", "7"}},
		{plots.Entropy, 9, 6, []string{"≥ 6"}},
		{plots.KL, 12, 8, []string{"KL divergence to the last row (nats, log(1+x) scale)", "1", "2", "5", "≥ 8"}},
		{plots.Rank, 812, 0, []string{"rank (log scale)", "1", "2", "10", "100", "1000"}},
		{plots.Rank, 5000, 2000, []string{"≥ 2000"}},
	} {
		h := sumHeatmap()
		h.Scale, h.Max = c.scale, c.max
		h.Cells[1][0].Value = c.value
		h.Cells[0][0].Value = 1
		_, texts := parseSVG(t, mustDraw(t, h))
		for _, want := range c.want {
			if !has(texts, want) {
				t.Errorf("%s with %v of %v: no %q at the colour bar", c.scale, c.value, c.max, want)
			}
		}
	}
	h := sumHeatmap()
	h.Label = "entropy of ␣+ (nats)"
	if _, texts := parseSVG(t, mustDraw(t, h)); !has(texts, h.Label) || has(texts, "entropy (nats)") {
		t.Error("a label of the caller's does not replace the scale's own")
	}
}

// The answer has its own hue wherever it appears, and nothing else has it.
func TestPredictionsMarkTheAnswer(t *testing.T) {
	orange := color.RGBA{0xf2, 0x8e, 0x2b, 0xff}
	row := func(name string, texts ...string) plots.PredictionRow {
		r := plots.PredictionRow{Row: name, Entropy: 1}
		for _, s := range texts {
			r.Top = append(r.Top, plots.Prediction{Text: s, Prob: 0.5})
		}
		return r
	}
	areaOf := func(rows ...plots.PredictionRow) int {
		return area(t, decode(t, mustDraw(t, plots.Predictions{Rows: rows})), orange)
	}
	absent := areaOf(row("embed", "a", "b"), row("0_post", "x", "y"))
	second := areaOf(row("embed", "a", "x"), row("0_post", "x", "y"))
	first := areaOf(row("embed", "x", "b"), row("0_post", "x", "y"))
	if !(absent > 0 && second > absent && first > second) {
		t.Errorf("orange covers %d, %d, %d pixels: want more when the answer is there, most when it is first", absent, second, first)
	}
	// Same text, other token: not the answer.
	other := row("embed", "x", "b")
	other.Top[0].ID = 7
	if n := areaOf(other, row("0_post", "x", "y")); n != absent {
		t.Errorf("another token of the same text is marked: %d pixels, want %d", n, absent)
	}
	f := mustDraw(t, francePredictions())
	if !strings.Contains(f.Text(), "top-1 from 2_post up") {
		t.Errorf("text does not say since when the answer is first:\n%s", f.Text())
	}
	if _, texts := parseSVG(t, f); !has(texts, "98.9%") || !has(texts, "6.23") || !has(texts, "⟨F2⟩") {
		t.Error("svg lacks a probability, an entropy or a candidate")
	}
}

func TestBadInputIsNamed(t *testing.T) {
	heat := func(change func(*plots.Heatmap)) drawer {
		h := franceHeatmap()
		change(&h)
		return h
	}
	pred := func(change func(*plots.Predictions)) drawer {
		d := francePredictions()
		change(&d)
		return d
	}
	for want, d := range map[string]drawer{
		"heatmap: 0 rows and 0 columns: want at least one of each":             plots.Heatmap{},
		"heatmap: 7 rows and 0 columns: want at least one of each":             heat(func(h *plots.Heatmap) { h.Columns = nil }),
		"heatmap: 6 rows of cells for 7 row names":                             heat(func(h *plots.Heatmap) { h.Cells = h.Cells[:6] }),
		`heatmap: row "1_post" has 3 cells: want 5`:                            heat(func(h *plots.Heatmap) { h.Cells[2] = h.Cells[2][:3] }),
		`row "0_post", column 4: probability NaN is not drawable: want 0 to 1`: heat(func(h *plots.Heatmap) { h.Cells[1][4].Value = math.NaN() }),
		"probability +Inf is not drawable":                                     heat(func(h *plots.Heatmap) { h.Cells[0][0].Value = math.Inf(1) }),
		"probability 1.2 is not drawable":                                      heat(func(h *plots.Heatmap) { h.Cells[0][0].Value = 1.2 }),
		"entropy -0.5 is not drawable: want 0 or more nats":                    heat(func(h *plots.Heatmap) { h.Scale = plots.Entropy; h.Cells[0][0].Value = -0.5 }),
		"rank 0.": heat(func(h *plots.Heatmap) { h.Scale = plots.Rank }),
		"unknown scale 9: want Probability, Entropy, KL or Rank": heat(func(h *plots.Heatmap) { h.Scale = 9 }),
		"scale maximum NaN is not usable":                        heat(func(h *plots.Heatmap) { h.Max = math.NaN() }),
		"scale maximum -1 is not usable":                         heat(func(h *plots.Heatmap) { h.Max = -1 }),
		"scale maximum 1 is too small for rank: want more than 2": heat(func(h *plots.Heatmap) {
			h.Scale, h.Max = plots.Rank, 1
			for i := range h.Cells {
				for j := range h.Cells[i] {
					h.Cells[i][j].Value = 3
				}
			}
		}),
		"predictions: 0 rows: want 1 to":                                plots.Predictions{},
		`row "embed" has 0 candidates: want the same number`:            plots.Predictions{Rows: []plots.PredictionRow{{Row: "embed"}}},
		`row "0_post" has 2 candidates: want the same number`:           pred(func(d *plots.Predictions) { d.Rows[1].Top = d.Rows[1].Top[:2] }),
		`predictions: row "embed", candidate 2: probability NaN is not`: pred(func(d *plots.Predictions) { d.Rows[0].Top[1].Prob = math.NaN() }),
		`predictions: row "5_post": entropy +Inf is not drawable`:       pred(func(d *plots.Predictions) { d.Rows[6].Entropy = math.Inf(1) }),
	} {
		f, err := d.Draw()
		if err == nil || f != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want one line with %q", err, want)
		}
	}
	if _, err := (&plots.Figure{}).PNG(); err == nil {
		t.Error("an empty figure has a PNG")
	}
	if b := (&plots.Figure{}).MIMEBundle(); len(b) != 1 || !strings.Contains(b["text/plain"].(string), "Draw") {
		t.Errorf("an empty figure shows %v", b)
	}
}

// wide is a heatmap of n columns and rows rows, each token its position.
func wide(rows, n int) plots.Heatmap {
	h := plots.Heatmap{Title: strings.Repeat("title ", 200), Caption: strings.Repeat("caption ", 400)}
	for j := range n {
		h.Columns = append(h.Columns, plots.Column{Position: j, Below: fmt.Sprintf("long token %d", j)})
	}
	for i := range rows {
		h.Rows = append(h.Rows, rowName(i))
		cells := make([]plots.Cell, n)
		for j := range cells {
			cells[j] = plots.Cell{Text: fmt.Sprintf("t%d", j), Value: float64(i) / float64(rows)}
		}
		h.Cells = append(h.Cells, cells)
	}
	return h
}

// A wide prompt is folded; nothing of it is lost, and the picture stays as
// wide as a notebook page.
func TestWideHeatmapsAreFolded(t *testing.T) {
	f := mustDraw(t, wide(13, 40))
	if w, h := f.Size(); w > 824 || h < 2*13*28 {
		t.Errorf("size %dx%d: want at most 824 wide, in bands", w, h)
	}
	_, texts := parseSVG(t, f)
	for j := range 40 {
		if !has(texts, strconv.Itoa(j)) || !has(texts, fmt.Sprintf("t%d", j)) || !strings.Contains(f.Text(), fmt.Sprintf("t%d ", j)) {
			t.Errorf("column %d is missing", j)
		}
	}
}

// The error of a picture that is too large must give advice that works.
func TestTooLargeSaysWhatFits(t *testing.T) {
	for _, rows := range []int{1, 13, 49} {
		_, err := wide(rows, 9000).Draw()
		if err == nil {
			t.Fatalf("%d rows by 9000 columns were drawn", rows)
		}
		_, advice, ok := strings.Cut(err.Error(), "draw at most ")
		number, _, _ := strings.Cut(advice, " columns")
		n, convErr := strconv.Atoi(number)
		if !ok || convErr != nil || n < 1 {
			t.Fatalf("%v: want the number of columns that fit", err)
		}
		f, err := wide(rows, n).Draw()
		if err != nil {
			t.Errorf("advice of %d columns: %v", n, err)
			continue
		}
		if w, h := f.Size(); 4*w*h > plots.MaxPixels {
			t.Errorf("%dx%d CSS pixels are more than MaxPixels", w, h)
		}
	}
	if _, err := wide(9000, 1).Draw(); err == nil || !strings.Contains(err.Error(), "fewer than 9000 rows") {
		t.Errorf("9000 rows: %v", err)
	}
	many := plots.Predictions{Rows: []plots.PredictionRow{{Row: "embed", Top: make([]plots.Prediction, 9000)}}}
	for len(many.Rows) < 500 {
		many.Rows = append(many.Rows, many.Rows[0])
	}
	if _, err := many.Draw(); err == nil || !strings.Contains(err.Error(), "500 rows of 9000 candidates need more than") {
		t.Errorf("500 rows of 9000 candidates: %v", err)
	}
	if _, err := wide(1, 10_001).Draw(); err == nil || !strings.Contains(err.Error(), "at most 10000") {
		t.Errorf("10001 columns: %v", err)
	}
}

func TestMIMEBundle(t *testing.T) {
	f := mustDraw(t, sumHeatmap())
	b := f.MIMEBundle()
	if len(b) != 3 || b["text/plain"] != f.Text() {
		t.Errorf("bundle of %d types with text %v", len(b), b["text/plain"])
	}
	data, err := base64.StdEncoding.DecodeString(b["image/png"].(string))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := png.DecodeConfig(bytes.NewReader(data))
	width, height := f.Size()
	if err != nil || cfg.Width != 2*width || cfg.Height != 2*height {
		t.Errorf("png of %dx%d for %dx%d CSS pixels: %v", cfg.Width, cfg.Height, width, height, err)
	}
	if svg := b["image/svg+xml"].(string); !strings.HasSuffix(svg, "</svg>\n") {
		t.Error("svg is not whole")
	}
	meta := f.MIMEMetadata()["image/png"].(map[string]any)
	if meta["width"] != width || meta["height"] != height {
		t.Errorf("metadata %v, want %d and %d", meta, width, height)
	}
}

// Equal input gives equal bytes, from any goroutine, and whatever the caller
// does to its slices afterwards.
func TestFiguresAreDeterministicAndTheirOwn(t *testing.T) {
	h := awkward(plots.KL)
	f := mustDraw(t, h)
	wantPNG, err := f.PNG()
	if err != nil {
		t.Fatal(err)
	}
	wantSVG, err := f.SVG()
	if err != nil {
		t.Fatal(err)
	}
	h.Cells[0][0], h.Columns[0], h.Rows[0] = plots.Cell{Text: "changed", Value: math.NaN()}, plots.Column{Below: "changed"}, "changed"
	again := mustDraw(t, awkward(plots.KL))
	var group sync.WaitGroup
	for _, g := range []*plots.Figure{f, again, f} {
		group.Go(func() {
			png, err := g.PNG()
			if err != nil || !bytes.Equal(png, wantPNG) {
				t.Errorf("png differs (%v)", err)
			}
			svg, err := g.SVG()
			if err != nil || !bytes.Equal(svg, wantSVG) {
				t.Errorf("svg differs (%v)", err)
			}
		})
	}
	group.Wait()
}

// Whatever a caller puts into a string, the SVG stays well-formed.
func TestHostileStrings(t *testing.T) {
	bad := "</text><script>\"'&\x00\x1b\xff\ufffe\u202e\n]]>"
	h := sumHeatmap()
	h.Title, h.Caption, h.Label, h.Rows[0] = bad, bad, bad, bad
	h.Columns[0] = plots.Column{Position: -1, Below: bad, Above: bad}
	h.Cells[0][0].Text = bad
	f := mustDraw(t, h)
	if _, err := f.PNG(); err != nil {
		t.Error(err)
	}
	title, _ := parseSVG(t, f)
	if !strings.HasPrefix(title, "</text><script>") || strings.ContainsAny(f.Text(), "\x00\x1b\u202e") {
		t.Errorf("title %q, text %q", title, f.Text())
	}
}
