package plots

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"image/color"
	"image/png"
	"math"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// MaxPixels bounds a picture: the PNG of any [Figure] has at most this many.
const MaxPixels = 24_000_000

// density is how many PNG pixels stand for one CSS pixel, each way.
const density = 2

// A Figure is a drawn picture that encodes and displays itself. It never
// changes, and its methods are safe for concurrent use. The zero value has
// nothing to draw: PNG and SVG say so.
type Figure struct {
	title, text   string
	width, height float64 // CSS pixels, whole numbers
	paint         func(*painter)
}

// newFigure makes a figure of a size in CSS pixels, or reports that it would
// exceed MaxPixels, before anything is allocated for it.
func newFigure(width, height float64) (*Figure, bool) {
	width, height = math.Ceil(width), math.Ceil(height)
	ok := width > 0 && height > 0 && width*height*density*density <= MaxPixels
	return &Figure{width: width, height: height}, ok
}

// tooLarge says what does not fit and what the caller can ask for instead.
func tooLarge(what, fits string) error {
	return fmt.Errorf("%s need more than %d pixels: %s", what, MaxPixels, fits)
}

// Size is the size at which the picture is meant to be shown, in CSS pixels.
// The PNG holds twice as many pixels each way.
func (f *Figure) Size() (width, height int) { return int(f.width), int(f.height) }

// PNG encodes the picture at twice its CSS size, on white.
func (f *Figure) PNG() (data []byte, err error) {
	defer recovered("png", &err)
	if f.paint == nil {
		return nil, fmt.Errorf("figure is empty: make one with Draw")
	}
	c := vgimg.NewWith(vgimg.UseWH(points(f.width), points(f.height)),
		vgimg.UseDPI(96*density), vgimg.UseBackgroundColor(color.White))
	f.paint(&painter{canvas: c, height: f.height})
	var b bytes.Buffer
	if err := png.Encode(&b, c.Image()); err != nil {
		return nil, fmt.Errorf("png: %w", err)
	}
	return b.Bytes(), nil
}

// SVG encodes the picture as one <svg> element, without an XML prolog so that
// it can stand inside HTML too. Text is text; the title is the picture's
// accessible name. It has no ids, scripts, or links.
func (f *Figure) SVG() (data []byte, err error) {
	defer recovered("svg", &err)
	if f.paint == nil {
		return nil, fmt.Errorf("figure is empty: make one with Draw")
	}
	c := &svgCanvas{Canvas: vgsvg.New(points(f.width), points(f.height))}
	p := &painter{typesetter: typesetter{web: true}, canvas: c, height: f.height}
	p.rect(0, 0, f.width, f.height, color.White)
	f.paint(p)
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("svg: %w", err)
	}
	return f.finishSVG(b.String(), c.widths)
}

// finishSVG adds what vgsvg cannot express: the title, fonts to fall back on,
// and the width of each text. Strings are escaped in the document, so a
// "<text " in it is always a tag.
func (f *Figure) finishSVG(doc string, widths []vg.Length) ([]byte, error) {
	start := strings.Index(doc, "<svg ")
	texts := strings.Split(doc[max(start, 0):], "<text ")
	end := strings.Index(texts[0], ">")
	if start < 0 || end < 0 || len(texts) != len(widths)+1 {
		return nil, fmt.Errorf("svg: unexpected document of %d texts, want %d", len(texts)-1, len(widths))
	}
	var b bytes.Buffer
	b.WriteString(texts[0][:end])
	// Arial and Helvetica share Liberation's widths.
	// A page narrower than the picture shrinks it as a whole, rather than cut it.
	fmt.Fprintf(&b, " role=\"img\" style=\"max-width:100%%;height:auto\" font-family=\"Liberation Sans,Arimo,Arial,Helvetica,sans-serif\">\n<title>%s</title>",
		html.EscapeString(clean(f.title)))
	b.WriteString(texts[0][end+1:])
	for i, t := range texts[1:] {
		fmt.Fprintf(&b, `<text textLength="%.5g" lengthAdjust="spacingAndGlyphs" `, widths[i].Points())
		b.WriteString(inherited.Replace(t))
	}
	return b.Bytes(), nil
}

// inherited drops from each text what it has from the <svg> element or by
// default; vgsvg repeats it, which doubles the file.
var inherited = strings.NewReplacer(
	"font-family:Liberation Sans;font-variant:normal;font-weight:normal;font-style:normal;", "",
	"font-family:Liberation Sans;font-variant:normal;font-weight:bold;font-style:normal;", "font-weight:bold;",
)

// recovered turns a panic of the drawing library into an error: its canvases
// have no other way to fail.
func recovered(kind string, err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%s: drawing failed: %v", kind, r)
	}
}

// Text is the picture as an aligned table of plain text.
func (f *Figure) Text() string { return f.text }

// MIMEBundle is what a notebook shows: text/plain and image/svg+xml as strings,
// image/png as the base64 string that Jupyter's messages hold. A format that
// could not be encoded is left out and named in text/plain, which is always
// there.
func (f *Figure) MIMEBundle() map[string]any {
	text := f.text
	bundle := map[string]any{}
	if data, err := f.PNG(); err != nil {
		text += "\n" + err.Error() + "\n"
	} else {
		bundle["image/png"] = base64.StdEncoding.EncodeToString(data)
	}
	if data, err := f.SVG(); err != nil {
		text += "\n" + err.Error() + "\n"
	} else {
		bundle["image/svg+xml"] = string(data)
	}
	bundle["text/plain"] = text
	return bundle
}

// MIMEMetadata tells the front end to show the PNG at its CSS size, so that
// its doubled pixels make it sharp and not large.
func (f *Figure) MIMEMetadata() map[string]any {
	width, height := f.Size()
	return map[string]any{"image/png": map[string]any{"width": width, "height": height}}
}
