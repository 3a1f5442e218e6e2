package display

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"os"
	"strings"
)

// MIMEMap is a value in several forms, by MIME type: text as string, the rest
// as []byte or anything that JSON encodes.
type MIMEMap = map[string]any

// Data is something to show.
type Data struct {
	Data      MIMEMap
	Metadata  MIMEMap
	Transient MIMEMap // accepted, and not used
}

// MIMEBundle is what a notebook keeps of d.
func (d Data) MIMEBundle() map[string]any { return d.Data }

// MIMEMetadata is the metadata of MIMEBundle.
func (d Data) MIMEMetadata() map[string]any { return d.Metadata }

// Interfaces by which values show themselves.
type (
	Renderer       = interface{ Render() Data }
	SimpleRenderer = interface{ SimpleRender() MIMEMap }
	HTMLer         = interface{ HTML() string }
	JavaScripter   = interface{ JavaScript() string }
	JPEGer         = interface{ JPEG() []byte }
	JSONer         = interface{ JSON() map[string]any }
	Latexer        = interface{ Latex() string }
	Markdowner     = interface{ Markdown() string }
	PNGer          = interface{ PNG() []byte }
	PDFer          = interface{ PDF() []byte }
	SVGer          = interface{ SVG() string }
)

// MIME types of the functions below.
const (
	MIMETypeHTML       = "text/html"
	MIMETypeJavaScript = "application/javascript"
	MIMETypeJPEG       = "image/jpeg"
	MIMETypeJSON       = "application/json"
	MIMETypeLatex      = "text/latex"
	MIMETypeMarkdown   = "text/markdown"
	MIMETypePNG        = "image/png"
	MIMETypePDF        = "application/pdf"
	MIMETypeSVG        = "image/svg+xml"
	MIMETypeText       = "text/plain"
)

// MakeData is data of one type, with its plain text beside it.
func MakeData(mimeType string, data any) Data {
	d := MIMEMap{mimeType: data}
	if mimeType != MIMETypeText {
		d[MIMETypeText] = plain(mimeType, data)
	}
	return Data{Data: d}
}

// MakeData3 is data of one type with the given plain text.
func MakeData3(mimeType, plaintext string, data any) Data {
	return Data{Data: MIMEMap{MIMETypeText: plaintext, mimeType: data}}
}

// plain is what a front end without the type shows.
func plain(mimeType string, data any) string {
	if s, ok := data.(string); ok {
		return s
	}
	if b, ok := data.([]byte); ok {
		return fmt.Sprintf("%s, %d bytes", mimeType, len(b))
	}
	return fmt.Sprint(data)
}

// MIME is a value in the given forms.
func MIME(data, metadata MIMEMap) Data { return Data{Data: data, Metadata: metadata} }

// Any is data of the given type; with "" the type is found from the data.
func Any(mimeType string, data any) Data {
	if mimeType != "" {
		return MakeData(mimeType, data)
	}
	switch x := data.(type) {
	case Data:
		return x
	case image.Image:
		return Image(x)
	case string:
		return MakeData(MIMETypeText, x)
	case []byte:
		return MakeData(sniff(x), x)
	}
	return MakeData(MIMETypeText, fmt.Sprint(data))
}

// Auto is Any with the type found from the data.
func Auto(data any) Data { return Any("", data) }

func sniff(b []byte) string {
	t, _, _ := strings.Cut(http.DetectContentType(b), ";")
	return t
}

// HTML is a piece of a page.
func HTML(html string) Data { return MakeData(MIMETypeHTML, html) }

// JavaScript is run by front ends that allow it.
func JavaScript(javascript string) Data { return MakeData(MIMETypeJavaScript, javascript) }

// JPEG is a picture.
func JPEG(jpeg []byte) Data { return MakeData(MIMETypeJPEG, jpeg) }

// JSON is shown as a tree.
func JSON(json map[string]any) Data { return MakeData(MIMETypeJSON, json) }

// Latex is mathematics with its dollar signs, or text with some in it.
func Latex(latex string) Data {
	return MakeData3(MIMETypeLatex, latex, "$"+strings.Trim(latex, "$")+"$")
}

// Math is a formula on a line of its own.
func Math(latex string) Data {
	return MakeData3(MIMETypeLatex, latex, "$$"+strings.Trim(latex, "$")+"$$")
}

// Markdown is text with markup.
func Markdown(markdown string) Data { return MakeData(MIMETypeMarkdown, markdown) }

// PDF is a document.
func PDF(pdf []byte) Data { return MakeData(MIMETypePDF, pdf) }

// PNG is a picture.
func PNG(png []byte) Data { return MakeData(MIMETypePNG, png) }

// SVG is a drawing.
func SVG(svg string) Data { return MakeData(MIMETypeSVG, svg) }

// Image is a picture, as PNG. What cannot be encoded is shown as the error.
func Image(img image.Image) Data {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return MakeData(MIMETypeText, fmt.Sprintf("image: %v", err))
	}
	size := img.Bounds().Size()
	return Data{
		Data:     MIMEMap{MIMETypePNG: b.Bytes(), MIMETypeText: fmt.Sprintf("image, %d x %d", size.X, size.Y)},
		Metadata: MIMEMap{MIMETypePNG: MIMEMap{"width": size.X, "height": size.Y}},
	}
}

// maxFile bounds what File reads: a notebook keeps it all.
const maxFile = 64 << 20

// File is the content of a file of at most 64 MiB; with "" its type is found
// from the content. What cannot be read is shown as the error.
func File(mimeType, path string) Data {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxFile {
		err = fmt.Errorf("%s has %d bytes, %d are allowed", path, info.Size(), maxFile)
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return MakeData(MIMETypeText, err.Error())
	}
	return Any(mimeType, b)
}
