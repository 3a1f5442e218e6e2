package interp

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
)

// writeFiles makes the working directory a new one with these files, given as
// name, text, name, text.
func writeFiles(t *testing.T, files ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	rewriteFiles(t, files...)
}

func rewriteFiles(t *testing.T, files ...string) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		if err := os.MkdirAll(filepath.Dir(files[i]), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(files[i], []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const counterFile = `package counter

import (
	"errors"
	"fmt"
	"strings"

	"./names"
)

var start = base() * 2 // initialised after base's own variable
var ten = 10

func base() int { return ten }

var n = start

var Last string

func init() { fmt.Println("counter starts at", n) }

type Counter struct {
	Name string
	hits int
}

type Namer interface{ Title() string }

var ErrNone = errors.New("none")

func New(name string) *Counter { return &Counter{Name: names.Clean(name)} }

func (c *Counter) Hit() int { c.add(1); n++; Last = c.Name; return n }
func (c *Counter) add(k int) { c.hits += k }
func (c Counter) Title() string { return strings.ToUpper(c.Name) }
func (c Counter) String() string { return fmt.Sprintf("%s:%d", c.Name, c.hits) }
`

const counterMore = `package counter

func Map[T, U any](list []T, f func(T) U) []U {
	var out []U
	for _, v := range list {
		out = append(out, f(v))
		n++
	}
	touched(len(list))
	return out
}

var touches int

func touched(k int) { touches += k }
func Touches() int { return touches }

type Stack[T any] struct{ items []T }

func (s *Stack[T]) Push(v T) { s.items = append(s.items, v) }
func (s *Stack[T]) Len() int { return len(s.items) }

func Fail(n int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = ErrNone
		}
	}()
	return inner(n)
}

func inner(n int) error { _ = 1 / n; return nil }

func Crash(n int) int {
	return 10 / n
}

func Spin() { for { n++ } }
func Deep(k int) int { return Deep(k+1) + 1 }
`

func counterFiles(t *testing.T) {
	writeFiles(t, "counter/a.go", counterFile, "counter/more.go", counterMore,
		"counter/a_test.go", "package wrong\nbroken", "counter/z_plan9.go", "package counter\nvar ten = 3\n",
		"counter/names/n.go", "package names\nimport \"strings\"\nfunc Clean(s string) string { return strings.TrimSpace(s) }\n")
}

func completions(s *Session, src string) (out []string) {
	for _, m := range s.Complete(src, len(src)).Items {
		out = append(out, m.Text)
	}
	return out
}

// expect runs cells given as source, what it prints and "=> value".
func expect(t *testing.T, s *testSession, cells ...string) {
	t.Helper()
	for i := 0; i < len(cells); i += 2 {
		out := s.eval(t, cells[i])
		got := out.stdout
		if out.value != nil {
			got += fmt.Sprintf("=> %v", out.value)
		}
		var e *kernel.EvalError
		if errors.As(out.err, &e) {
			got += "!! " + e.Message
		}
		if strings.TrimSpace(got) != cells[i+1] {
			t.Errorf("cell %q:\ngot  %q\nwant %q\nstderr %q", cells[i], got, cells[i+1], out.stderr)
		}
	}
}

func TestFolderIsAPackage(t *testing.T) {
	counterFiles(t)
	s := newSession(t)
	expect(t, s,
		`import "./counter"`, "counter starts at 20",
		`c := counter.New(" ada "); c.Hit()`, "=> 21",
		`c.Hit()`, "=> 22",
		`import "fmt"; fmt.Println(c, *c, c.Title(), counter.Last); fmt.Printf("%T\n", c)`, "ada:2 ada:2 ADA ada\n*counter.Counter",
		`var n counter.Namer = c; n.Title()`, "=> ADA",
		`counter.Map([]int{1, 2, 3}, func(i int) string { return fmt.Sprint(i * i) })`, "=> [1 4 9]",
		`counter.Touches()`, "=> 3",
		`var st counter.Stack[string]; st.Push("x"); st.Push("y"); st.Len()`, "=> 2",
		`type Own struct { *counter.Counter; more int }
o := Own{c, 1}
o.Hit()`, "=> 26",
		`f := counter.New; g := c.Hit; h := (*counter.Counter).Hit; fmt.Println(f("z"), g(), h(c))`, "z:0 27 28",
		`defer c.Hit(); done := make(chan int); go func() { done <- c.Hit() }(); <-done`, "=> 29",
		`counter.Hit()`, "!! In[12]:1:9: undefined: counter.Hit",
		`counter.Fail(0) == counter.ErrNone`, "=> true",
		`counter.Last = "set"; counter.Last`, "=> set",
		`import cc "./counter"; cc.Last`, "=> set", // the same package: its files are as they were
		`import . "./counter"; Last + New("q").Name`, "=> setq",
		`var _ struct{} = counter.Last`, "!! In[17]:1:18: cannot use counter.Last (variable of type string) as struct{} value in variable declaration",
		`c.hits`, "!! In[18]:1:3: c.hits undefined (cannot refer to unexported field hits)",
	)
	if got := completions(s.Session, "counter.Ma"); !slices.Equal(got, []string{"Map"}) {
		t.Errorf("completed with %v", got)
	}
	if got, _ := s.Inspect("counter", 7, 0); got["text/plain"] != "package counter // of the folder ./counter" {
		t.Errorf("inspected as %v", got)
	}
}

func TestFolderChanges(t *testing.T) {
	writeFiles(t, "h/h.go", "package h\n\nimport \"./in\"\n\nvar N = 1\n\ntype T struct{ A int }\n\nfunc (t T) Get() int { return t.A + in.K }\nfunc Make() T { return T{1} }\nfunc Old() int { return 1 }\n", "h/in/in.go", "package in\nconst K = 100\n")
	s := newSession(t)
	use := "import \"./h\"\nfunc get() int { return h.Make().Get() }\nfunc old() int { return h.Old() }"
	expect(t, s, use, "", `v := h.Make(); h.N = 7; get()`, "=> 101", use, "", `h.N`, "=> 7")

	rewriteFiles(t, "h/in/in.go", "package in\nconst K = \n")
	expect(t, s, `import "./h"`, "!! ./h/in/in.go:2:12: syntax error: expected operand, found 'EOF'", `h.N + get()`, "=> 108")
	rewriteFiles(t, "h/in/in.go", "package in\nconst K = 200\n")
	expect(t, s, `h.N + get()`, "=> 108") // not before the import runs again
	expect(t, s, "import \"./h\"\nundefined", "!! In[8]:2:1: undefined: undefined", `h.N + get()`, "=> 108")
	out := s.eval(t, use)
	if out.err != nil || !strings.Contains(out.stderr, "v keeps its value of the earlier type") {
		t.Errorf("%v %q", out.err, out.stderr)
	}
	expect(t, s, `h.N`, "=> 1", `get()`, "=> 201", `v.Get()`, "=> 101", // the old value has its old methods
		`v = h.Make()`, "!! In[14]:1:5: cannot use h.Make() (value of struct type h.T) as h.T value in assignment; a value made before the package was imported anew has the h.T of then",
		`v := h.Make(); v.Get()`, "=> 201")

	rewriteFiles(t, "h/h.go", "package h\n\ntype T struct{ A, B int }\n\nfunc (t T) Get() int { return t.B }\nfunc Make() T { return T{1, 5} }\n")
	out = s.eval(t, `import "./h"`)
	if out.err != nil || !strings.Contains(out.stderr, "old no longer compiles and was dropped: In[1]:3") {
		t.Errorf("%v %q", out.err, out.stderr)
	}
	expect(t, s, `get()`, "=> 5", `v.Get()`, "=> 201")
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	if out := s.eval(t, `h.N`); out.err == nil {
		t.Error("the name outlived a reset")
	}
	expect(t, s, `import "./h"; h.Make().B`, "=> 5")
}

func TestFolderErrors(t *testing.T) {
	outside := t.TempDir()
	writeFiles(t, "empty/readme.txt", "", "prog/main.go", "package main\nfunc main() {}\n", "c/c.go", "package c\nimport \"C\"\n",
		"two/a.go", "package a\n", "two/b.go", "package b\n", "bad/x.go", "package bad\n\nfunc F() int { return \"s\" }\nfunc G() { h() }\n",
		"syn/x.go", "package syn\n\nfunc (\n", "emb/x.go", "package emb\nimport _ \"embed\"\n//go:embed x.go\nvar s string\n", "asm/x.go", "package asm\nfunc F()\n",
		"cyc/x.go", "package cyc\nimport _ \"../cyc2\"\n", "cyc2/x.go", "package cyc2\nimport _ \"../cyc\"\n", "up/x.go", "package up\nimport _ \"../../up\"\n",
		"none/x.go", "package none\nimport _ \"example.com/nothing\"\n", "big/x.go", "package big\n//"+strings.Repeat("x", maxFolderBytes)+"\n",
		"boom/x.go", "package boom\n\nvar V = div(0)\n\nfunc div(n int) int {\n\treturn 1 / n\n}\n", "loop/x.go", "package loop\nvar A = B\nvar B = A\n")
	s := newSession(t)
	abs, _ := os.Getwd()
	cases := []string{
		"./missing", "no such file",
		"./empty", "no Go files in ./empty",
		"./prog", "package main cannot be imported",
		"./c", "./c/c.go:2:8: cgo cannot be interpreted",
		"./two/a.go", "not a folder",
		"./two", "./two/b.go:1:9: package b, where the files before it say package a",
		"./bad", "./bad/x.go:3:23: cannot use \"s\"",
		"./syn", "./syn/x.go:3:8: syntax error",
		"./emb", "./emb/x.go:3:1: //go:embed has no effect",
		"./asm", "./asm/x.go:2:1: missing function body",
		"./cyc", "./cyc2/x.go:2:8: import cycle",
		"./up", "./up/x.go:2:8: import \"../../up\": outside the working directory",
		"./none", "./none/x.go:2:10: could not import example.com/nothing (package example.com/nothing is not in this kernel",
		"./big", "more than 4 MiB of Go",
		"./loop", "./loop/x.go:2:5: initialization cycle",
		"../x", "outside the working directory",
		"./empty/../../x", "outside the working directory",
		"./a@b", "no @",
	}
	if runtime.GOOS != "windows" {
		if err := os.Symlink(outside, "link"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(outside, "x.go"), []byte("package x\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir("slink", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(outside, "x.go"), "slink/x.go"); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, abs+"/two", "absolute paths cannot be imported", "./link", "leads out of the working directory", "./slink", "leads out of the working directory")
	}
	for i := 0; i < len(cases); i += 2 {
		out := s.eval(t, fmt.Sprintf("import _ %q", cases[i]))
		if out.err == nil || !strings.Contains(out.err.Error(), cases[i+1]) || strings.Contains(out.err.Error(), "\n") {
			t.Errorf("import %q: %v, want %q", cases[i], out.err, cases[i+1])
		}
	}
	out := s.eval(t, `import "./boom"`)
	var e *kernel.EvalError
	if !errors.As(out.err, &e) || e.Message != "runtime error: integer divide by zero" || !strings.Contains(strings.Join(e.Traceback, "\n"), "./boom/x.go:6") {
		t.Errorf("%v %+v", out.err, e)
	}
	if out := s.eval(t, `boom.V`); out.err == nil {
		t.Error("a package whose initialisation failed is there")
	}
}

func TestFolderStops(t *testing.T) {
	counterFiles(t)
	s := newSession(t)
	expect(t, s, `import "./counter"`, "counter starts at 20")
	start := time.Now()
	out := s.evalFor(t, `counter.Spin()`, 50*time.Millisecond)
	var e *kernel.EvalError
	if !errors.As(out.err, &e) || e.Name != interrupted || e.Message != "the cell was interrupted" {
		t.Errorf("%v after %v", out.err, time.Since(start))
	}
	if out := s.eval(t, `counter.Deep(0)`); out.err == nil || !strings.Contains(out.err.Error(), "stack") {
		t.Errorf("%v", out.err)
	}
	out = s.eval(t, "x := 0\ncounter.Crash(x)")
	if !errors.As(out.err, &e) || e.Line != 2 || !strings.Contains(strings.Join(e.Traceback, "\n"), "./counter/more.go:35 in counter.Crash") {
		t.Errorf("%+v %q", e, e.Traceback)
	}
	if err := os.WriteFile("counter/more.go", []byte("package counter\nfunc init() { for { } }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out = s.evalFor(t, `import "./counter"`, 300*time.Millisecond)
	if !errors.As(out.err, &e) || e.Name != interrupted {
		t.Errorf("an endless init: %v", out.err)
	}
	expect(t, s, `counter.Touches()`, "=> 0") // the package of before
}

func TestFoldersShareTypes(t *testing.T) {
	writeFiles(t, "shape/shape.go", `package shape

type Kind int

const (
	Round Kind = iota + 1
	Flat
)

func (k Kind) String() string { return [...]string{"?", "round", "flat"}[k] }

type Shape interface {
	Area() float64
	hidden() Kind
}

type base struct{ kind Kind }

func (b base) hidden() Kind { return b.kind }
func (b *base) Set(k Kind)   { b.kind = k }

type Square struct {
	base
	Side float64
}

func (s Square) Area() float64 { return s.Side * s.Side }

type Error struct{ Shape }

func (e *Error) Error() string { return "bad " + e.hidden().String() }

func KindOf[T Shape](s T) Kind { return s.hidden() }

func All(n int) func(func(int, Square) bool) {
	return func(yield func(int, Square) bool) {
		for i := range n {
			if !yield(i, Square{base{Flat}, float64(i)}) {
				return
			}
		}
	}
}

var hooks = map[string]func() int{}

func On(name string, f func() int) { hooks[name] = f }
func Run(name string) int           { return hooks[name]() }
`, "list/list.go", `package list

import (
	"fmt"
	. "fmt"
	"sort"

	sh "../shape"
)

type ByArea []sh.Square

func (l ByArea) Len() int           { return len(l) }
func (l ByArea) Less(i, j int) bool { return l[i].Area() > l[j].Area() }
func (l ByArea) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }

func Sorted(n int) (out ByArea) {
	for _, s := range sh.All(n) {
		s.Set(sh.Round)
		out = append(out, s)
	}
	sort.Sort(out)
	return out
}

func Check(s sh.Shape) error {
	if sh.KindOf(s) == sh.Round {
		return fmt.Errorf("check: %w", &sh.Error{s})
	}
	return nil
}

func Panic() { go panic(Sprint("late")) }
`)
	s := newSession(t)
	expect(t, s, "import (\n\"./shape\"\n\"./list\"\n\"errors\"\n\"fmt\"\n)\nl := list.Sorted(3); fmt.Println(l, l[0].Area(), shape.KindOf(l[0]), shape.Flat)", "[{{1} 2} {{1} 1} {{1} 0}] 4 round flat",
		`err := list.Check(l[1]); var e *shape.Error; fmt.Println(err, errors.As(err, &e), e.Shape == shape.Shape(l[1]))`, "check: bad round true true",
		`var s shape.Shape = l[2]; switch s := s.(type) { case shape.Square: fmt.Println("square", s.Side) }`, "square 0",
		"for i, q := range shape.All(9) { if i == 2 { fmt.Println(q); break } }", "{{2} 2}",
		`type Mine struct { shape.Square; Name string }
func (m Mine) Area() float64 { return -m.Square.Area() }
m := Mine{l[0], "m"}; m.Set(shape.Flat); fmt.Println(shape.KindOf(m), m.Area(), list.Check(m) == nil)`, "flat -4 true",
		`n := 1; shape.On("n", func() int { n++; return n }); shape.Run("n")`, "=> 2",
		`shape.Run("n") + n`, "=> 6",
		`list.Panic(); <-make(chan int)`, "!! late",
		`shape.Run("none")`, "!! runtime error: invalid memory address or nil pointer dereference",
		`fmt.Printf("%T %+v %v\n", l, l[0], shape.Round)`, "list.ByArea {base:{kind:1} Side:2} round",
	)
}
