package interp

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/kernel"
)

// at completes or inspects src, in which | is the cursor.
func caretAt(src string) (string, int) {
	return strings.Replace(src, "|", "", 1), strings.IndexByte(src, '|')
}

const scaleFile = `// Package scale makes numbers larger.
package scale

import "fmt"

// Floats multiplies each of xs by k.
func Floats(xs []float64, k float64) []float64 {
	for i := range xs {
		xs[i] *= k
	}
	return xs
}

// Box holds a thing.
type Box[T any] struct {
	// Thing is what it holds.
	Thing T
}

// Get takes the thing out.
func (b *Box[T]) Get(times int) T { return b.Thing }

// What there is.
const (
	// Low is the least.
	Low  = iota
	High // as far as it goes
)

// Verbose says more.
var Verbose bool

type Namer interface {
	fmt.Stringer
	// Title is how it is called.
	Title(short bool) string
}
`

// The packages of folders are documented as cells are.
func TestInspectFolder(t *testing.T) {
	writeFiles(t, "scale/a.go", scaleFile, "scale/deep/x.go", "package deep\nconst X = 1\n", "scale/x_test.go", "package scale", "none/readme.md", "", ".hidden/h.go", "package h\n")
	s := newSession(t)
	s.eval(t, "import \"./scale\"\nb := scale.Box[int]{}\nvar n scale.Namer")
	for _, c := range []struct {
		src    string
		detail int
		want   string
	}{
		{"scale|", 0, "package scale // of the folder ./scale\n\nPackage scale makes numbers larger."},
		{`import "./sca|le"`, 0, "package scale // of the folder ./scale\n\nPackage scale makes numbers larger."},
		{"scale.Floats|", 0, "func scale.Floats(xs []float64, k float64) []float64\n\nFloats multiplies each of xs by k."},
		{"scale.Floats|", 1, "by k.\n\n// ./scale/a.go:7\nfunc Floats(xs []float64, k float64) []float64 {\n\tfor i"},
		{"scale.Box|", 0, "func (*scale.Box[T]) Get(times int) T\n\nBox holds a thing."},
		{"b.Get|", 0, "Get(times int) int\n\nGet takes the thing out."},
		{"b.Thing|", 0, "field Thing int\n\nThing is what it holds."},
		{"scale.Low|", 0, "= 0\n\nLow is the least."},
		{"scale.High|", 0, "= 1\n\nas far as it goes"},
		{"scale.Verbose|", 0, "var scale.Verbose bool\n\nVerbose says more."},
		{"n.Title|", 0, "Title(short bool) string\n\nTitle is how it is called."},
		{"n.String|", 0, "String() string"},
	} {
		src, cursor := caretAt(c.src)
		b, _ := s.Inspect(src, cursor, c.detail)
		if text, _ := b["text/plain"].(string); !strings.Contains(text, c.want) {
			t.Errorf("%q: %q, want %q", c.src, text, c.want)
		}
	}
	for src, want := range map[string]string{
		`import "./|`:                           "./scale ./scale/",
		`import "./s|`:                          "./scale ./scale/",
		`import "./scale/|`:                     "./scale/deep",
		"import (\n\t\"fmt\"\n\td \"./scale/d|": "./scale/deep",
		`import "./none/|`:                      "",
		`import "../|`:                          "",
		`import "./scale/../../|`:               "",
		`import "./nowhere/|`:                   "",
	} {
		src, cursor := caretAt(src)
		var got []string
		for _, i := range s.Complete(src, cursor).Items {
			got = append(got, i.Text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q offers %v, want %s", src, got, want)
		}
	}
	if err := os.WriteFile("scale/a.go", []byte("package scale\n\nfunc Floats() int {\n\treturn \"a\" * 2\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var e *kernel.EvalError
	if out := s.eval(t, `import "./scale"`); !errors.As(out.err, &e) || !strings.HasPrefix(e.Message, "./scale/a.go:4:9: ") ||
		len(e.Traceback) != 3 || e.Traceback[1] != "    \treturn \"a\" * 2" || e.Traceback[2] != "    \t       "+bold+"^"+plain {
		t.Errorf("%v %q", out.err, e.Traceback)
	}
}

// What the cursor is on, of names of every kind.
func TestInspectAt(t *testing.T) {
	s := newSession(t)
	s.eval(t, `import ("io"; "os"; "net/http"; "hash"; "time")
type Base struct {
	Depth int // how deep
}
// Dig digs.
func (b *Base) Dig(n int) {}
type Wrap struct { Base; *os.File; io.ReadWriter }
var w Wrap
var h hash.Hash
// Days of the week.
const (
	// Mon is the first.
	Mon = iota + 1
	Tue // the second
	Wed
)
type Tree[K comparable, V any] struct { Val V }
func (t *Tree[K, V]) Put(k K, v V) *Tree[K, V] { return t }
type Alias = map[string]Wrap
// sum adds.
func sum(xs ...int) (s int) {
	for _, x := range xs { s += x }
	return
}`)
	for _, c := range []struct {
		src, want string
	}{
		{"Mon|", "const Mon untyped int = 1\n\nMon is the first."},
		{"Tue|", "const Tue untyped int = 2\n\nthe second"},
		{"Wed|", "const Wed untyped int = 3\n\nDays of the week."},
		{"time.Second|", "const time.Second time.Duration = 1000000000"},
		{"w.ReadWriter.Read|", "Read(p []byte) (n int, err error)"},
		{"h.Write|", "Write(p []byte) (n int, err error)"},
		{"w.Di|g", "func (*Base).Dig(n int)\n\nDig digs."},
		{"Wrap{Ba|se: Base{}}", "field Base Base"},
		{"Wrap{Base: Base{De|pth: 1}}", "field Depth int\n\nhow deep"},
		{"[]Base{{De|pth: 1}}", "field Depth int\n\nhow deep"},
		{"x := Base{Depth: Mo|n}", "const Mon"},
		{"Tree|", "func (*Tree[K, V]) Put(k K, v V) *Tree[K, V]"},
		{"Alias|", "type Alias = map[string]Wrap"},
		{"func f(q int) { zz := q + 1; zz|", "var zz int"},
		{"func F[T any](x T) { var y T|", "type parameter T any"},
		{"int|", "type int // built in"},
		{"any|", "type any = interface{} // built in"},
		{"append|", "func append(slice []Type, elems ...Type) []Type // built in"},
		{"sum(1, |2)", "func sum("},
		{"sum(1, 2|)", "func sum("},
		{"sum(len(\"(\"), |", "func sum("},
		{"sum(len(\"(|\"), 2)", "func len("},
		{"os.Open(\"a|", "func os.Open("},
		{"[]int{sum(1).|", ""},
		{"sum.|", "func sum("},
		{`import "net/ht|tp"`, "package http // import \"net/http\"\n\nPackage http"},
		{"io.Reader|", "type io.Reader interface {\n\tRead(p []byte) (n int, err error)\n}"},
		{"http.Cookie|", "struct {\n\tName string\n"},
		{"// sum|", ""},
		{"\"sum|\"", ""},
		{"/* sum| */", ""},
	} {
		src, cursor := caretAt(c.src)
		b, found := s.Inspect(src, cursor, 0)
		text, _ := b["text/plain"].(string)
		if found != (c.want != "") || !strings.Contains(text, c.want) {
			t.Errorf("%q: %q, want %q", c.src, text, c.want)
		}
	}
	for src, want := range map[string]string{
		"sum":   "sum adds.\n\n// In[1]:21\nfunc sum(xs ...int) (s int) {\n\tfor",
		"Base":  "// In[1]:2\ntype Base struct {\n\tDepth int // how deep\n}",
		"w.Dig": "// In[1]:6\nfunc (b *Base) Dig(n int) {}",
		"Tue":   "// In[1]:11\nconst (",
	} {
		b, _ := s.Inspect(src, len(src), 1)
		if text, _ := b["text/plain"].(string); !strings.Contains(text, want) {
			t.Errorf("%q with source: %q, want %q", src, text, want)
		}
	}
}

// Values are shown as far as that follows no pointer and runs no code of cells.
func TestInspectValues(t *testing.T) {
	s := newSession(t)
	s.eval(t, `type P struct { Name string; age int; next *P; Tags []string; M map[string]int; in struct{ a *int }; any any }
func (p P) String() string { panic("not to be called") }
p := P{Name: "a", age: 3, Tags: []string{"x", "y"}, M: map[string]int{"k": 1}}
q := P{next: &p, any: 1}
ps := []P{p, q}
r := &p
var none *P
f := func() {}`)
	for src, want := range map[string]string{
		"p":    "var p P\nvalue: {Name:a age:3 next:nil Tags:[x y] M:1 entries in:... any:nil}",
		"q":    "var q P\nvalue: {Name: age:0 next:... Tags:[] M:0 entries in:... any:...}",
		"ps":   "var ps []P\nvalue: 2 elements",
		"r":    "var r *P",
		"none": "var none *P\nvalue: nil",
		"f":    "var f func()",
	} {
		b, _ := s.Inspect(src, len(src), 0)
		if text, _ := b["text/plain"].(string); text != want {
			t.Errorf("%q: %q, want %q", src, text, want)
		}
	}
}

// Where candidates are of use, which, and in what order.
func TestCompleteAt(t *testing.T) {
	s := newSession(t)
	s.eval(t, `import "strings"
type Wrap struct { Depth int; Next *Wrap }
func (w *Wrap) Down(n int) *Wrap { return w }
type Tree[K comparable, V any] struct { Val V }
func (t *Tree[K, V]) Put(k K, v V) *Tree[K, V] { return t }
var tr Tree[string, Wrap]
var w Wrap
m := map[string][]Wrap{}
var x any = w
lower, Low := 1, 2`)
	for _, c := range []struct{ src, want string }{
		{"w.Down(1).Down(len(\")\")).D|", "Depth Down"},
		{"tr.Put(\"a\", w).Put(\"b\", w).|", "Put Val"},
		{"tr.Put(\"a\", w).Val.N|", "Next"},
		{"m[\"a\"][0].Down(1).N|", "Next"},
		{"m[strings.ToUpper(\"]\")][1:][0].N|", "Next"},
		{"x.(*Wrap).N|", "Next"},
		{"[]Wrap{w, {Depth: 1}}[0].N|", "Next"},
		{"(&w).N|", "Next"},
		{"Wrap{Depth: w.N|", "Next"},
		{"func() *Wrap { return &w }().N|", ""},
		{"for _, y := range m[\"a\"] {\n\ty.N|", "Next"},
		{"w.\n\tDown(1).\n\tN|", "Next"},
		{"é := w\né.N|", "Next"},
		{"s := \"😀é\"; w.N|", "Next"},
		{"x.(Wr|", "Wrap"},
		{"x.(str|", "strings string struct"},
		{"x.(ret|", ""},
		{"outer:\nfor {\n\tbreak |", "outer"},
		{"outer: for { inner: for { continue i|", "inner"},
		{"lo|", "lower Low"},
		{"Lo|", "Low lower"},
		{"local := 1\nl|", "local lower len Low"},
		{"for i := range 3 {\n\ti|", "i imag int int16 int32 int64 int8 iota if import interface Input"},
		{"\"w.|", ""},
		{"\"w.|\"", ""},
		{"\"\\\"w.|", ""},
		{"`w.|\n`", ""},
		{"// w.|", ""},
		{"/* w.| */", ""},
		{"'w|", ""},
		{"1.|", ""},
		{"\"\" + w.N|", "Next"},
		{"/* c */ w.N|", "Next"},
		{"strings.NewReader(\"a\").Re|", "Read ReadAt ReadByte ReadRune Reset"},
	} {
		src, cursor := caretAt(c.src)
		var names []string
		for _, i := range s.Complete(src, cursor).Items {
			names = append(names, i.Text)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%q offers %q, want %q", c.src, got, c.want)
		}
	}
}

// Frames of a function that calls itself in one line are one.
func TestTraceOfRecursion(t *testing.T) {
	s := newSession(t)
	out := s.eval(t, "func down(n int) int {\n\tif n == 0 {\n\t\tpanic(\"bottom\")\n\t}\n\treturn down(n-1)\n}\ndown(9)")
	var e *kernel.EvalError
	if !errors.As(out.err, &e) || strings.Join(e.Traceback[1:], "\n") != "    In[1]:3 in down\n    In[1]:5 in down (9 times)\n    In[1]:7 in cell" {
		t.Errorf("%v %q", out.err, e.Traceback)
	}
}
