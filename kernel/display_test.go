package kernel_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

type stringer struct{ A int }

func (s stringer) String() string { return fmt.Sprint("S", s.A) }

type badStringer struct{}

func (badStringer) String() string { panic("no string") }

type bundle map[string]any

func (b bundle) MIMEBundle() map[string]any { return b }

type pointerBundle struct{ text string }

func (p *pointerBundle) MIMEBundle() map[string]any { return map[string]any{"text/plain": p.text} }

type node struct {
	Name string
	Next *node
}

type square [2][2]float64

func (m square) Dims() (int, int)    { return 2, 2 }
func (m square) At(i, j int) float64 { return m[i][j] }

type grown struct{ x float64 }

func (m *grown) Dims() (int, int)    { return 1, 1 }
func (m *grown) At(i, j int) float64 { return m.x }

type large struct{}

func (large) Dims() (int, int)    { return 1000, 2000 }
func (large) At(i, j int) float64 { return float64(i * j) }

type page string

func (p page) HTML() string { return string(p) + "!" }

type points float64

type drawing struct{ err error }

func (d *drawing) WriterTo(w, h points, format string) (io.WriterTo, error) {
	return bytes.NewBufferString(fmt.Sprint(w, h, " ", format)), d.err
}

func TestDisplay(t *testing.T) {
	loop := []any{1, nil}
	loop[1] = loop
	list := &node{Name: "a"}
	list.Next = list
	cyclic := map[string]any{}
	cyclic["me"] = cyclic
	deep := any(1)
	for range 5000 {
		deep = []any{deep}
	}
	img := image.NewRGBA(image.Rect(0, 0, 3, 2))
	img.Set(1, 1, color.White)
	jpeg := []byte("\xff\xd8\xff\xe0rest")
	var nilStringer *stringer
	builder := new(bytes.Buffer)
	builder.WriteString("built")
	longMap := map[int]int{}
	for i := range 700 {
		longMap[i] = i
	}

	table := map[string]struct {
		v    any
		text string            // text/plain, or what it contains after a "~"
		data map[string]string // other types
		fail bool              // Display returns an error
	}{
		"int":             {v: 42, text: "42"},
		"string":          {v: "two\nlines", text: "two\nlines"},
		"invalid string":  {v: "a\xffb", text: "a\uFFFDb"},
		"struct":          {v: struct{ A, B int }{1, 2}, text: "{A:1 B:2}"},
		"slice":           {v: []float64{1, 2.5}, text: "[1 2.5]"},
		"error":           {v: errors.New("went wrong"), text: "went wrong"},
		"stringer":        {v: stringer{3}, text: "S3"},
		"nil stringer":    {v: nilStringer, text: "<nil>"},
		"nil bundler":     {v: (*pointerBundle)(nil), text: "<nil>"},
		"nil image":       {v: (*image.RGBA)(nil), text: "<nil>"},
		"panicking":       {v: badStringer{}, text: "~no string"},
		"list":            {v: list, text: "~&{Name:a Next:0x"},
		"contains itself": {v: loop, text: "~contains itself"},
		"map of itself":   {v: cyclic, text: "~contains itself"},
		"deep":            {v: deep, text: "~nests more than"},
		"bytes":           {v: []byte("hi"), text: "[104 105]"},
		"jpeg":            {v: jpeg, text: "image/jpeg, 8 bytes", data: map[string]string{"image/jpeg": base64.StdEncoding.EncodeToString(jpeg)}},
		"image":           {v: img, text: "*image.RGBA, 3 x 2 pixels", data: map[string]string{"image/png": "~iVBORw0KGgo"}},
		"empty image":     {v: image.NewRGBA(image.Rectangle{}), text: "~*image.RGBA", fail: true},
		"bundle": {v: bundle{"text/plain": "p", "image/svg+xml": []byte("<svg/>"), "image/png": []byte{0xff}, "application/json": map[string]any{"a": 1}},
			text: "p", data: map[string]string{"image/svg+xml": "<svg/>", "image/png": "/w==", "application/json": "map[a:1]"}},
		"bundle without text": {v: bundle{"text/html": "<b>"}, text: "map[text/html:<b>]", data: map[string]string{"text/html": "<b>"}},
		"bundle not JSON":     {v: bundle{"text/plain": "p", "application/json": math.Inf(1), "text/html": "h"}, text: "~application/json", data: map[string]string{"text/html": "h"}, fail: true},
		"cyclic bundle":       {v: bundle{"text/plain": "p", "application/json": cyclic}, text: "~application/json", fail: true},
		"nil bundle":          {v: bundle(nil), text: "map[]"},
		"long":                {v: strings.Repeat("é", 1<<20), text: "~more bytes]"},
		"structs": {v: []struct {
			Name string
			n    any
		}{{"a<b", 1}, {"long\nname", []int{2, 3}}}, text: "Name       n\na<b        1\nlong name  [2 3]",
			data: map[string]string{"text/html": "<table><thead><tr><th>Name</th><th>n</th></tr></thead><tbody><tr><td>a&lt;b</td><td>1</td></tr><tr><td>long name</td><td>[2 3]</td></tr></tbody></table>"}},
		"many structs": {v: make([]struct{ A int }, 1000), text: "~[950 more rows]", data: map[string]string{"text/html": "~<p>950 more rows</p>"}},
		"pointers": {v: []*struct {
			A int
			B *int
		}{{1, nil}, nil, {A: 2}}, text: "A      B\n1      <nil>\n<nil>\n2      <nil>", data: map[string]string{"text/html": "~<td>&lt;nil&gt;</td><td></td>"}},
		"map of structs": {v: map[int]struct{ A string }{10: {"x"}, 9: {"y"}}, text: "    A\n9   y\n10  x", data: map[string]string{"text/html": "~<th></th><th>A</th>"}},
		"records": {v: []map[string]any{{"b": 1, "a": "x"}, {"c": nil}, nil}, text: "a  b  c\nx  1\n      <nil>\n",
			data: map[string]string{"text/html": "~<th>a</th><th>b</th><th>c</th>"}},
		"records in themselves": {v: []map[string]any{cyclic}, text: "~contains itself"},
		"long list":             {v: make([]int, 1200), text: "~0 0]\n[700 more elements]"},
		"long map":              {v: longMap, text: "~499:499]\n[200 more elements]"},
		"function":              {v: strings.ToUpper, text: "func(string) string"},
		"raw JSON":              {v: json.RawMessage(`{"a": 1}`), text: `{"a": 1}`},
		"builder":               {v: *builder, text: "built"},
		"matrix in a variable":  {v: grown{1}, text: "1 x 1 matrix\n1", data: map[string]string{"text/html": "~<td>1</td>"}},
		"stringers":             {v: []stringer{{1}, {2}}, text: "[S1 S2]"},
		"no structs":            {v: []struct{ A int }{}, text: "[]"},
		"matrix":                {v: square{{1, 2.5}, {-3, 4}}, text: "2 x 2 matrix\n1   2.5\n-3  4", data: map[string]string{"text/html": "~<caption>2 x 2 matrix</caption>"}},
		"nil matrix":            {v: (*square)(nil), text: "<nil>"},
		"large matrix":          {v: large{}, text: "~[950 more rows and 1980 more columns]", data: map[string]string{"text/html": "~</table>"}},
		"HTML":                  {v: page("<b>"), text: "<b>", data: map[string]string{"text/html": "<b>!"}},
		"plot":                  {v: &drawing{}, text: "*kernel_test.drawing", data: map[string]string{"image/png": base64.StdEncoding.EncodeToString([]byte("432 288 png"))}},
		"broken plot":           {v: &drawing{errors.New("no ink")}, text: "~no ink", fail: true},
	}
	derr := make(chan error, 1)
	all := cells{}
	for name, tc := range table {
		all[name] = func(_ context.Context, c *kernel.Cell) (any, error) {
			derr <- c.Display(tc.v)
			return tc.v, nil
		}
	}
	s := kerneltest.Start(t, all)
	for name, tc := range table {
		t.Run(name, func(t *testing.T) {
			reply, out := run(t, s.Client, wire.NewExecuteContent(name))
			if reply.Status != "ok" || types(out) != "execute_input display_data execute_result" {
				t.Fatalf("%+v: %s", reply.Failure, types(out))
			}
			if err := <-derr; (err != nil) != tc.fail {
				t.Errorf("Display returned %v", err)
			}
			got := content[wire.ExecuteResultContent](t, out[2]).Data
			check(t, "text/plain", got["text/plain"], tc.text)
			for mime, want := range tc.data {
				check(t, mime, got[mime], want)
			}
			if len(got) != len(tc.data)+1 {
				t.Errorf("bundle has %d types, want %d", len(got), len(tc.data)+1)
			}
			if name == "image" {
				raw, _ := base64.StdEncoding.DecodeString(got["image/png"].(string))
				back, err := png.Decode(bytes.NewReader(raw))
				if err != nil || back.Bounds() != img.Bounds() {
					t.Errorf("the PNG does not decode: %v", err)
				}
			}
			if shown := content[wire.DisplayContent](t, out[1]).Data; fmt.Sprint(shown) != fmt.Sprint(got) && name != "list" {
				t.Errorf("display_data and execute_result differ")
			}
		})
	}
}

func check(t *testing.T, mime string, got any, want string) {
	t.Helper()
	g := fmt.Sprint(got)
	if part, ok := strings.CutPrefix(want, "~"); ok && !strings.Contains(g, part) || !ok && g != want {
		t.Errorf("%s is %.200q, want %q", mime, g, want)
	}
}

func TestPayload(t *testing.T) {
	s := kerneltest.Start(t, cells{"page": func(_ context.Context, c *kernel.Cell) (any, error) {
		c.Payload(map[string]any{"source": "page", "start": 0})
		c.Payload(map[string]any{"source": "bad", "f": func() {}}) // no JSON: left out
		if err := c.UpdateDisplay("", 1); err == nil {
			t.Error("an update without an id was accepted")
		}
		return nil, nil
	}})
	reply, _ := run(t, s.Client, wire.NewExecuteContent("page"))
	if len(reply.Payload) != 1 || reply.Payload[0]["source"] != "page" {
		t.Errorf("payload is %v", reply.Payload)
	}
}
