package interp

import (
	"slices"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/kernel"
)

func TestComplete(t *testing.T) {
	s := newSession(t)
	s.eval(t, `import ("strings"; "net/http")
type base struct{ Depth int }
func (b *base) Dig() {}
type Person struct { base; Name string; age int }
func (p Person) Greet(who string) string { return who }
people := []Person{{Name: "a"}}
p := &people[0]
func mk() *Person { return p }
type Stack[T any] struct{ Items []T }
func (s *Stack[T]) Push(x T) {}
var st Stack[int]
counter := 3`)
	for _, c := range []struct {
		src  string
		want []string
		not  []string
	}{
		{"strings.ToU", []string{"ToUpper", "ToUpperSpecial"}, []string{"ToLower"}},
		{"p.", []string{"Name", "age", "Greet", "Depth", "Dig"}, nil},
		{"people[0].", []string{"Name", "Greet"}, nil},
		{"x := mk().Na", []string{"Name"}, []string{"age"}},
		{"st.P", []string{"Push"}, nil},
		{"cou", []string{"counter"}, nil},
		{"local := 1\nloc", []string{"local"}, nil},
		{"ret", []string{"return"}, nil},
		{"app", []string{"append"}, nil},
		{"Mus", []string{"Must"}, nil},
		{`import "net/ht`, []string{"net/http", "net/http/httptest"}, nil},
		{`import "le`, []string{"lens"}, nil},
		{"import (\n\t\"fmt\"\n\t\"stri", []string{"strings"}, nil},
		{"fmt.Pri", nil, []string{"Println"}},
		{"import \"bytes\"\nbytes.ToUpp", []string{"ToUpper"}, nil}, // what the cell itself imports
		{"import (\n\tb \"bytes\"\n)\nx := 1\nb.NewRea", []string{"NewReader"}, nil},
		{"import \"no/such\"\nsuch.", nil, nil},
		{"http.StatusOK", []string{"StatusOK"}, nil},
		{"undefinedThing.", nil, nil},
		{"", []string{"counter"}, []string{"cell__1"}},
	} {
		got := s.Complete(c.src, len(c.src))
		var names []string
		for _, i := range got.Items {
			names = append(names, i.Text)
		}
		for _, w := range c.want {
			if !slices.Contains(names, w) {
				t.Errorf("%q offers %v, without %s", c.src, names, w)
			}
		}
		for _, w := range c.not {
			if slices.Contains(names, w) {
				t.Errorf("%q offers %s", c.src, w)
			}
		}
	}
	got := s.Complete("strings.ToU + 1", len("strings.ToU"))
	if got.Start != len("strings.") || got.End != len("strings.ToU") {
		t.Errorf("range %d-%d", got.Start, got.End)
	}
}

// Keys of struct literals: the fields that are not given yet.
func TestCompleteKeys(t *testing.T) {
	s := newSession(t)
	s.eval(t, `import ("net/http"; "lens")
type Base struct{ Depth int }
func (b *Base) Dig() {}
type Person struct { Base; Name string; age int }
type Pair[K comparable, V any] struct{ Key K; Val V }
func (p *Pair[K, V]) Swap(v V) V { return v }
type Deep struct{ Pair[string, Person]; *Base }
var deep Deep
pair := Pair[string, Person]{}
name := "a"`)
	for _, c := range []struct{ src, want string }{ // | is the cursor; only what ends in ": " counts
		{"Person{Na|", "Name: "},
		{"Person{na|", "Name: "},
		{"Person{|", "Base:  Name:  age: "},
		{"q := &Person{Name: name, |", "Base:  age: "},
		{"Person{Name: f(1, 2), Base: Base{D|", "Depth: "},
		{"Person{Name: |", ""},
		{"Person{name, |", ""},
		{"Person{|, Name: f(a, b), age: 3}", "Base: "},
		{"Person{\n\tName: name, // the name\n\t|\n}", "Base:  age: "},
		{"[]Person{{Name: name}, {a|", "age: "},
		{"[]*Person{{a|", "age: "},
		{"[...]Person{2: {a|", "age: "},
		{"[][]Person{{{Na|", "Name: "},
		{"map[string]Person{\"a\": {a|", "age: "},
		{"map[string]*Person{\"a\": {a|", "age: "},
		{"map[Person]int{{a|", "age: "},
		{"map[string]int{na|", ""},
		{"[]Person{na|", ""},
		{"f(Person{a|", "age: "},
		{"Pair[string, int]{V|", "Val: "},
		{"[]Pair[string, int]{{Key: name, |", "Val: "},
		{"Pair{V|", "Val: "},
		{"Deep{|", "Pair:  Base: "},
		{"http.Server{Addr: \":1\", TLSC|", "TLSConfig: "},
		{"http.Server{inShut|", ""},
		{"&http.Server{ErrorL|", "ErrorLog: "},
		{"lens.LensOptions{Va|", "Variant: "},
		{"[]struct{A, B int}{{A: 1, |", "B: "},
		{"type T struct{ First, Second int }\nx := T{Fi|", "First: "},
		{"type Person struct{ Other int }\nx := Person{|", "Other: "},
		{"func f() Person {na|", ""},
		{"func f() []Person {na|", ""},
		{"func f() *Person {na|", ""},
		{"if name == \"\" {na|", ""},
		{"type X struct {na|", ""},
		{"x := \"Person{Na|", ""},
		{"}{Na|", ""},
		{"{Na|", ""},
	} {
		cursor := strings.IndexByte(c.src, '|')
		got := s.Complete(strings.Replace(c.src, "|", "", 1), cursor)
		var keys []string
		for _, i := range got.Items {
			if strings.HasSuffix(i.Text, ": ") {
				keys = append(keys, i.Text)
			}
		}
		if got := strings.Join(keys, " "); got != c.want {
			t.Errorf("%q offers the keys %q, want %q", c.src, got, c.want)
		}
	}
	// A key that has its colon keeps it; where there is a key, names are no use.
	got := s.Complete("Person{Na: 1}", len("Person{Na"))
	if len(got.Items) != 1 || got.Items[0].Text != "Name" {
		t.Errorf("before a colon: %v", got.Items)
	}
	for _, c := range []struct{ src, want string }{
		{"pair.", "Key Swap Val"},
		{"pair.Val.", "Base Depth Dig Name age"},
		{"deep.", "Base Depth Dig Key Pair Swap Val"},
		{"deep.Pair.", "Key Swap Val"},
		{"(&deep).D", "Depth Dig"},
		{"deep.Val.N", "Name"},
		{"deep.Swap(Person{}).N", "Name"},
	} {
		var names []string
		for _, i := range s.Complete(c.src, len(c.src)).Items {
			names = append(names, i.Text)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%q offers %q, want %q", c.src, got, c.want)
		}
	}
}

func TestInspect(t *testing.T) {
	s := newSession(t)
	s.eval(t, `import "strings"
type P struct{ Name string }
func (p P) Greet(who string) string { return who }
func add(a, b int) int { return a + b }
p := P{"x"}
n := 42
func Map[T, U any](xs []T, f func(T) U) []U { return nil }`)
	for _, c := range []struct{ src, want string }{
		{"strings.Repeat", "func strings.Repeat"},
		{"add", "func add(a int, b int) int"},
		{"add(1, ", "func add(a int, b int) int"},
		{"n", "var n int\nvalue: 42"},
		{"p", "var p P\nvalue: "},
		{"p.Greet", "Greet(who string) string"},
		{"p.Name", "field Name string"},
		{"P", "func (*P) Greet(who string) string"},
		{"strings", `import "strings"`},
		{"Map", "func Map[T, U any](xs []T, f func(T) U) []U"},
		{"len", "built in"},
	} {
		b, found := s.Inspect(c.src, len(c.src), 0)
		if text, _ := b["text/plain"].(string); !found || !strings.Contains(text, c.want) {
			t.Errorf("%q: %q, want %q", c.src, text, c.want)
		}
	}
	if _, found := s.Inspect("nothingHere", 3, 0); found {
		t.Error("found an undefined name")
	}
	if _, found := s.Inspect("", 0, 0); found {
		t.Error("found nothing's documentation")
	}
}

// Members of what the unfinished cell itself declares.
func TestCompleteLocals(t *testing.T) {
	s := newSession(t)
	s.eval(t, `type Person struct { Name string; age int }
func people() ([]Person, error) { return nil, nil }
p := 3
ps := []Person{}`)
	for _, c := range []struct{ src, want string }{
		{"q := Person{}\nq.|", "Name age"},
		{"q := Person{}; q.N|", "Name"},
		{"p := Person{}\np.|\nx := 1", "Name age"},
		{"xs, err := people()\nxs[0].N|", "Name"},
		{"import \"strings\"\nvar b strings.Builder\nb.WriteR|", "WriteRune"},
		{"import \"lens\"\nvar o lens.LensOptions\no.Va|", "Variant"},
		{"for _, x := range ps {\n\tx.|", "Name age"},
		{"for _, x := range ps {\n\ty := x\n\tif true {\n\t\tprintln(y.|", "Name age"},
		{"for _, x := range ps {\n\ty := x.|\n}\nz := 1", "Name age"},
		{"func f(x Person) {\n\tx.|", "Name age"},
		{"func (x Person) F() {\n\tx.|\n}", "Name age"},
		{"func (x *Person) F(y Person) {\n\ty.|\n}", "Name age"},
		{"type Q struct{ A int }\nfunc (x Q) F() {\n\tx.|\n}", "A F"},
		{"func (Person) F(y Person) {\n\ty.|\n}", "Name age"},
		{"f(func(x Person) {\n\tx.|", "Name age"},
		{"var i any\nswitch y := i.(type) {\ncase Person:\n\ty.|", "Name age"},
		{"type T struct{ A, B int }\nfunc (T) M() {}\nt := &T{}\nt.|", "A B M"},
		{"func mk() Person { return Person{} }\nmk().|", "Name age"},
		{"q := Person{}\nr := Person{Name: q.|", "Name age"},
		{"{\n\tq := Person{}\n}\nq.|", ""},
		{"q := undefinedThing()\nq.|", ""},
		{"q := Person{}\nr := []Person{{Name: q.Name, |", "age: "},
	} {
		cursor := strings.IndexByte(c.src, '|')
		var names []string
		for _, i := range s.Complete(strings.Replace(c.src, "|", "", 1), cursor).Items {
			names = append(names, i.Text)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%q offers %q, want %q", c.src, got, c.want)
		}
	}
	for _, c := range []struct{ src, want string }{
		{"q := []int{1}\nq", "var q []int"},
		{"p := 4\np", "var p int\nvalue: 3"}, // what it is now
		{"p := \"a\"\np", "var p string"},
	} {
		b, _ := s.Inspect(c.src, len(c.src), 0)
		if text, _ := b["text/plain"].(string); text != c.want {
			t.Errorf("%q: %q, want %q", c.src, text, c.want)
		}
	}
}

// Inspect shows comments, from the cells and from the tables of compiled
// packages, and the names of parameters that those do not keep.
func TestInspectComments(t *testing.T) {
	s := newSession(t)
	s.eval(t, `import ("strings"; "net/http"; "io"; "lens"; "plots"; "cache"; "bufio"; "slices")
x := 1 // beside x
// Person is somebody.
//
// In two paragraphs.
type Person struct {
	// Name is what one is called.
	Name string
	Age  int // in years
	Mute bool
}

// Greet says hello.
func (p Person) Greet(who string) string { return who }

// far away

func bare() {}
type (
	// Shape has an area.
	Shape interface {
		// Area is in m².
		Area() float64
	}
	Plain int
)
type Child struct { Person; *http.Server }
// Limit is the most there may be.
const Limit = 3
// Pair holds two.
type Pair[T any] struct {
	First T // the one
}
// Both gives both.
func (p Pair[T]) Both() []T { return nil }
var p Person
var c Child
var sh Shape
var pair Pair[int]
var r io.Reader
var br *bufio.Reader`)
	s.eval(t, "p.Age = 2")
	for _, c := range []struct{ src, want string }{
		{"Person", "\n\nPerson is somebody.\n\nIn two paragraphs."},
		{"p.Name", "field Name string\n\nName is what one is called."},
		{"p.Age", "field Age int\n\nin years"},
		{"c.Age", "field Age int\n\nin years"},
		{"p.Greet", "(who string) string\n\nGreet says hello."},
		{"c.Greet", "\n\nGreet says hello."},
		{"Shape", "\n\nShape has an area."},
		{"sh.Area", "\n\nArea is in m²."},
		{"Limit", "\n\nLimit is the most there may be."},
		{"pair.First", "field First int\n\nthe one"},
		{"pair.Both", "\n\nBoth gives both."},
		{"strings", "import \"strings\"\n\nPackage strings implements"},
		{"strings.Repeat", "func strings.Repeat(s string, count int) string\n\nRepeat returns a new string"},
		{"strings.Repeat(", "func strings.Repeat(s string, count int) string\n\nRepeat returns a new string"},
		{"strings.Cut", "func strings.Cut(s string, sep string) (before string, after string, found bool)\n\n"},
		{"strings.NewReplacer", "(oldnew ...string) *strings.Replacer\n\n"},
		{"slices.SortFunc", "x S, cmp func(a E, b E) int)\n\nSortFunc sorts"},
		{"c.Addr", "field Addr string\n\nAddr optionally specifies"},
		{"c.ListenAndServe", "\n\nListenAndServe listens on"},
		{"http.StatusOK", "RFC 9110"},
		{"r.Read", "Read(p []byte) (n int, err error)"},
		{"br.Peek", "Peek(n int) ([]byte, error)\n\nPeek returns"},
		{"bufio.Reader", "func (*bufio.Reader) Peek(n int) ([]byte, error)"},
		{"len", "func len(v Type) int // built in\n\nThe len built-in function returns"},
		{"lens", "\n\nPackage lens"},
		{"lens.LensOptions", "\n\nLensOptions"},
		{"lens.LensOptions{}.Top", "candidates per cell"},
		{"cache", "\n\nPackage cache"},
		{"plots", "\n\nPackage plots"},
	} {
		b, found := s.Inspect(c.src, len(c.src), 0)
		if text, _ := b["text/plain"].(string); !found || !strings.Contains(text, c.want) {
			t.Errorf("%q: %q, want %q", c.src, text, c.want)
		}
	}
	for _, src := range []string{"bare", "Plain", "p.Mute", "x", "p"} {
		b, _ := s.Inspect(src, len(src), 0)
		if text, _ := b["text/plain"].(string); text == "" || strings.Contains(text, "\n\n") {
			t.Errorf("%q: %q has a comment", src, text)
		}
	}
	s.eval(t, "// Greet is rewritten.\nfunc (p Person) Greet(who string) string { return who }")
	if b, _ := s.Inspect("p.Greet", 7, 0); !strings.HasSuffix(b["text/plain"].(string), "Greet is rewritten.") {
		t.Errorf("a new comment: %q", b)
	}
	for _, i := range s.Complete("strings.Repea", 13).Items {
		if i.Text == "Repeat" && i.Signature != "(s string, count int) string" {
			t.Errorf("completion shows %q", i.Signature)
		}
	}
}

func TestCheck(t *testing.T) {
	s := newSession(t)
	for _, c := range []struct{ src, status, indent string }{
		{"x := 1", kernel.Complete, ""},
		{"", kernel.Complete, ""},
		{"func f() {", kernel.Incomplete, "\t"},
		{"for i := range 3 {\n\tif i > 1 {", kernel.Incomplete, "\t\t"},
		{"fmt.Println(", kernel.Incomplete, "\t"},
		{"x := 1 +", kernel.Incomplete, ""},
		{"s := `abc", kernel.Incomplete, ""},
		{"/* open", kernel.Incomplete, ""},
		{"import (", kernel.Incomplete, "\t"},
		{"type T struct {", kernel.Incomplete, "\t"},
		{"x := )", kernel.Invalid, ""},
		{"func f() { return 1 }}", kernel.Invalid, ""},
		{"x.", kernel.Incomplete, ""},
		{"if x {\n}", kernel.Complete, ""},
		{"if x {\n} else", kernel.Incomplete, ""},
		{"i++", kernel.Complete, ""},
		{"}", kernel.Invalid, ""},
		{"{}}{", kernel.Invalid, ""},
		{"case 1:", kernel.Invalid, ""},
		{"switch x {\ncase 1:", kernel.Incomplete, "\t"},
		{"L:", kernel.Incomplete, ""},
		{"type T struct", kernel.Incomplete, ""},
		{"func f() int", kernel.Invalid, ""}, // a brace on the next line would not be its body
		{"f(a,", kernel.Incomplete, "\t"},
		{"a,", kernel.Incomplete, ""},
		{"go f(func() {", kernel.Incomplete, "\t"},
		{"go f(\n\tfunc() {", kernel.Incomplete, "\t\t"},
		{"s := \"abc", kernel.Invalid, ""},
		{"// only a comment", kernel.Complete, ""},
	} {
		if got := s.Check(c.src); got.Status != c.status || got.Indent != c.indent {
			t.Errorf("%q: %+v, want %s %q", c.src, got, c.status, c.indent)
		}
	}
}

func TestSplitCell(t *testing.T) {
	for _, c := range []struct {
		src  string
		want []string
	}{
		{"a := 1; b := 2\nc()", []string{"a := 1", "b := 2", "c()"}},
		{"for i := 0; i < 3; i++ { x() }; y()", []string{"for i := 0; i < 3; i++ { x() }", "y()"}},
		{"if f := func() int { return 1 }; f() > 0 { a() }\nb()", []string{"if f := func() int { return 1 }; f() > 0 { a() }", "b()"}},
		{"switch x := 1; x {\ncase 1:\n}", []string{"switch x := 1; x {\ncase 1:\n}"}},
		{"L: for i := 0; i < 2; i++ { break L }", []string{"L: for i := 0; i < 2; i++ { break L }"}},
		{"func f() {}\nfunc (T) g() {}\nfunc() {}()", []string{"func f() {}", "func (T) g() {}", "func() {}()"}},
		{"import (\n\"a\"\n\"b\"\n)\nx", []string{"import (\n\"a\"\n\"b\"\n)", "x"}},
		{"s := `a;\nb`; t", []string{"s := `a;\nb`", "t"}},
		{"// c\nx // d\n/* e */ y", []string{"x // d\n/* e */ y"}},
		{"", nil},
	} {
		items, _ := splitCell(c.src)
		var got []string
		for _, it := range items {
			got = append(got, it.src)
		}
		if c.src == "// c\nx // d\n/* e */ y" {
			if len(got) != 2 || got[0] != "x" && got[0] != "x // d" {
				t.Errorf("%q", got)
			}
			continue
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.src, got, c.want)
		}
	}
}

// FuzzSplitCell: no panic, and every item is where it says it is, in order.
func FuzzSplitCell(f *testing.F) {
	addCells(f)
	f.Fuzz(func(t *testing.T, src string) {
		items, _ := splitCell(src)
		end := 0
		for _, it := range items {
			if it.offset < end || it.offset+len(it.src) > len(src) || src[it.offset:it.offset+len(it.src)] != it.src {
				t.Fatalf("item %q at %d of %q", it.src, it.offset, src)
			}
			end = it.offset + len(it.src)
			if it.line < 1 || it.col < 1 {
				t.Fatalf("item %q at %d:%d", it.src, it.line, it.col)
			}
		}
		planCell("In[1]", src, 1)
	})
}

// FuzzEditor: whatever stands in the cell, the editor's questions about it end without a panic.
func FuzzEditor(f *testing.F) {
	addCells(f)
	s, err := New()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	f.Fuzz(func(t *testing.T, src string) {
		s.Check(src)
		s.Complete(src, len(src))
		s.Inspect(src, len(src)/2, 0)
	})
}

// addCells adds some cells of the corpus, and what is no cell. Not all: with coverage measured one takes 40 ms.
func addCells(f *testing.F) {
	i := 0
	for _, c := range readCorpus(f) {
		for _, cell := range c.cells {
			if i++; i%20 == 0 {
				f.Add(cell.src)
			}
		}
	}
	f.Add("func (")
	f.Add("x := 1;;;\x00\xff}}}")
	f.Add("import \"")
}
