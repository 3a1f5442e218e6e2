package kernel

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/gopherlens/gopherlens/kernel/display"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

const (
	maxRows    = 50 // of a table, and of a matrix
	maxColumns = 20
	maxCell    = 80 // characters of one value in a table
)

// own makes the types of a value that shows itself by one of the methods that
// Go notebooks have long used: HTML, Markdown, Latex, SVG, JavaScript, JSON,
// PNG, JPEG and PDF. ok is false if it has none.
func own(v any, errs []error) (data wire.Bundle, _ []error, ok bool) {
	calls := map[string]func() any{}
	if x, ok := v.(interface{ HTML() string }); ok {
		calls["text/html"] = func() any { return x.HTML() }
	}
	if x, ok := v.(interface{ Markdown() string }); ok {
		calls["text/markdown"] = func() any { return x.Markdown() }
	}
	if x, ok := v.(interface{ Latex() string }); ok {
		calls["text/latex"] = func() any { return x.Latex() }
	}
	if x, ok := v.(interface{ SVG() string }); ok {
		calls["image/svg+xml"] = func() any { return x.SVG() }
	}
	if x, ok := v.(interface{ JavaScript() string }); ok {
		calls["application/javascript"] = func() any { return x.JavaScript() }
	}
	if x, ok := v.(interface{ JSON() map[string]any }); ok {
		calls["application/json"] = func() any { return x.JSON() }
	}
	if x, ok := v.(interface{ PNG() []byte }); ok {
		calls["image/png"] = func() any { return x.PNG() }
	}
	if x, ok := v.(interface{ JPEG() []byte }); ok {
		calls["image/jpeg"] = func() any { return x.JPEG() }
	}
	if x, ok := v.(interface{ PDF() []byte }); ok {
		calls["application/pdf"] = func() any { return x.PDF() }
	}
	if x, ok := v.(display.SimpleRenderer); ok {
		data, errs = encodable(fmt.Sprintf("%T", v), x.SimpleRender, errs)
		return data, errs, true
	}
	if x, ok := v.(display.Renderer); ok {
		data, errs = encodable(fmt.Sprintf("%T", v), func() map[string]any { return x.Render().Data }, errs)
		return data, errs, true
	}
	if len(calls) == 0 {
		return nil, errs, false
	}
	data, errs = encodable(fmt.Sprintf("%T", v), func() map[string]any {
		got := map[string]any{}
		for mime, call := range calls {
			got[mime] = call()
		}
		return got
	}, errs)
	return data, errs, true
}

// plotted draws a value that can write itself as a picture of a given size, as
// gonum's plots do. ok is false for other values.
func plotted(v any, errs []error) (data wire.Bundle, _ []error, ok bool) {
	m := reflect.ValueOf(v)
	if !m.IsValid() || m.Kind() != reflect.Pointer || m.IsNil() {
		return nil, errs, false
	}
	m = m.MethodByName("WriterTo")
	if !m.IsValid() {
		return nil, errs, false
	}
	t := m.Type()
	if t.NumIn() != 3 || t.In(0).Kind() != reflect.Float64 || t.In(1) != t.In(0) || t.In(2).Kind() != reflect.String ||
		t.NumOut() != 2 || t.Out(0) != reflect.TypeFor[io.WriterTo]() || t.Out(1) != reflect.TypeFor[error]() {
		return nil, errs, false
	}
	var b bytes.Buffer
	var failed error
	err := protect(fmt.Sprintf("%T", v), func() {
		size := func(points float64) reflect.Value { return reflect.ValueOf(points).Convert(t.In(0)) }
		out := m.Call([]reflect.Value{size(432), size(288), reflect.ValueOf("png")})
		if failed, _ = out[1].Interface().(error); failed == nil {
			_, failed = out[0].Interface().(io.WriterTo).WriteTo(&b)
		}
	})
	if err == nil {
		err = failed
	}
	data = wire.Bundle{"text/plain": fmt.Sprintf("%T", v)}
	if err != nil {
		return data, append(errs, err), true
	}
	data["image/png"] = base64.StdEncoding.EncodeToString(b.Bytes())
	return data, errs, true
}

// shaped is a tensor as text, its shape and type first: anything with a method
// Shape whose result is a list of integers. ok is false for other values.
func shaped(v any) (text string, ok bool) {
	m := reflect.ValueOf(v)
	if !m.IsValid() || m.Kind() == reflect.Pointer && m.IsNil() {
		return "", false
	}
	shape := m.MethodByName("Shape")
	if !shape.IsValid() || shape.Type().NumIn() != 0 || shape.Type().NumOut() != 1 ||
		shape.Type().Out(0).Kind() != reflect.Slice || shape.Type().Out(0).Elem().Kind() != reflect.Int {
		return "", false
	}
	err := protect(fmt.Sprintf("%T", v), func() {
		var dims []string
		list := shape.Call(nil)[0]
		for i := range list.Len() {
			dims = append(dims, fmt.Sprint(list.Index(i).Int()))
		}
		text = fmt.Sprintf("%T, shape (%s)", v, strings.Join(dims, ", "))
		if of, is := v.(interface{ Dtype() reflect.Type }); is {
			text += " of " + of.Dtype().String()
		}
		text += "\n" + strings.TrimRight(fmt.Sprint(v), "\n")
	})
	return text, err == nil
}

// grid is a table to be shown.
type grid struct {
	caption string
	head    []string
	rows    [][]string
	more    int // rows that are not shown
	left    int // columns that are not shown
}

// tabular is v as a table: a list or map of structs or of pointers to them, a
// list of maps by name, or a matrix. ok is false for other values.
func tabular(v any) (g grid, ok bool) {
	err := protect(fmt.Sprintf("%T", v), func() {
		if m, is := v.(matrix); is {
			g, ok = ofMatrix(m), true
		} else {
			r := reflect.ValueOf(v)
			for _, of := range []func(reflect.Value) (grid, bool){ofStructs, ofMap, ofRecords} {
				if g, ok = of(r); ok {
					return
				}
			}
		}
	})
	return g, ok && err == nil
}

// matrix is what gonum's matrices are.
type matrix interface {
	Dims() (rows, columns int)
	At(i, j int) float64
}

func ofMatrix(m matrix) grid {
	r, c := m.Dims()
	g := grid{caption: fmt.Sprintf("%d x %d matrix", r, c), more: max(r-maxRows, 0), left: max(c-maxColumns, 0)}
	for i := range min(r, maxRows) {
		var row []string
		for j := range min(c, maxColumns) {
			row = append(row, fmt.Sprintf("%.6g", m.At(i, j)))
		}
		g.rows = append(g.rows, row)
	}
	return g
}

// worded reports whether values of t say themselves how they are shown.
func worded(t reflect.Type) bool {
	for _, i := range []reflect.Type{reflect.TypeFor[error](), reflect.TypeFor[fmt.Stringer](), reflect.TypeFor[fmt.Formatter]()} {
		if t.Implements(i) || reflect.PointerTo(t).Implements(i) {
			return true
		}
	}
	return false
}

// short is s on one line and not too long.
func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > maxCell {
		s = string([]rune(s)[:maxCell-3]) + "..."
	}
	return s
}

// rest says what of the table is not shown.
func (g grid) rest() string {
	switch {
	case g.more > 0 && g.left > 0:
		return fmt.Sprintf("%d more rows and %d more columns", g.more, g.left)
	case g.more > 0:
		return fmt.Sprintf("%d more rows", g.more)
	case g.left > 0:
		return fmt.Sprintf("%d more columns", g.left)
	}
	return ""
}

func (g grid) text() string {
	var width []int
	all := g.rows
	if g.head != nil {
		all = append([][]string{g.head}, g.rows...)
	}
	for _, row := range all {
		for j, s := range row {
			if j == len(width) {
				width = append(width, 0)
			}
			width[j] = max(width[j], utf8.RuneCountInString(s))
		}
	}
	var b strings.Builder
	if g.caption != "" {
		b.WriteString(g.caption + "\n")
	}
	for _, row := range all {
		var line strings.Builder
		for j, s := range row {
			if j > 0 {
				line.WriteString("  ")
			}
			line.WriteString(s + strings.Repeat(" ", width[j]-utf8.RuneCountInString(s)))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	if r := g.rest(); r != "" {
		b.WriteString("[" + r + "]\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (g grid) html() string {
	var b strings.Builder
	b.WriteString("<table>")
	line := func(tag string, row []string) {
		b.WriteString("<tr>")
		for _, s := range row {
			b.WriteString("<" + tag + ">" + html.EscapeString(strings.ToValidUTF8(s, "\uFFFD")) + "</" + tag + ">")
		}
		b.WriteString("</tr>")
	}
	if g.caption != "" {
		b.WriteString("<caption>" + g.caption + "</caption>")
	}
	if g.head != nil {
		b.WriteString("<thead>")
		line("th", g.head)
		b.WriteString("</thead>")
	}
	b.WriteString("<tbody>")
	for _, row := range g.rows {
		line("td", row)
	}
	b.WriteString("</tbody></table>")
	if r := g.rest(); r != "" {
		b.WriteString("<p>" + r + "</p>")
	}
	return b.String()
}
