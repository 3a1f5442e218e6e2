package interp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/interp/internal/gen"
)

func TestLateOutputBelongsToItsCell(t *testing.T) {
	s := newSession(t)
	first := s.eval(t, `import ("fmt"; "sync"; "log")
log.SetFlags(0)
gate := make(chan bool)
done := make(chan bool)
func say(x any) { fmt.Println("say", x) }
go func() {
	<-gate
	fmt.Println("late")
	say("late")
	var wg sync.WaitGroup
	wg.Go(func() { fmt.Println("later") })
	wg.Wait()
	Display("late")
	close(done)
}()`)
	if first.err != nil {
		t.Fatal(first.err)
	}
	second := s.eval(t, `say("now")
close(gate)
<-done`)
	if second.err != nil {
		t.Fatal(second.err)
	}
	if want := "late\nsay late\nlater\n[display late]\n"; first.late.String() != want {
		t.Errorf("first cell has %q, want %q", first.late.String(), want)
	}
	if want := "say now\n"; second.stdout != want {
		t.Errorf("second cell has %q, want %q", second.stdout, want)
	}
}

func TestLatePanicIsTold(t *testing.T) {
	s := newSession(t)
	s.count++
	var errs lockedBuffer
	if _, err := s.Eval(context.Background(), &kernel.Cell{Count: s.count, Source: `gate := make(chan bool)
go func() { <-gate; panic("late trouble") }()`, Stderr: &errs}); err != nil {
		t.Fatal(err)
	}
	if out := s.eval(t, `close(gate)`); out.err != nil {
		t.Fatal(out.err)
	}
	for range 200 {
		if strings.Contains(errs.String(), "late trouble") {
			if !strings.Contains(errs.String(), "In[1]:2") {
				t.Errorf("no place in %q", errs.String())
			}
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("the panic was not told: %q", errs.String())
}

func TestContextIsTheRunningCells(t *testing.T) {
	s := newSession(t)
	s.eval(t, `func cancelled() bool { return ctx.Err() != nil }`)
	ctx, cancel := context.WithCancel(context.Background())
	if out := s.eval(t, `cancelled()`); out.value != false {
		t.Errorf("got %v (%v)", out.value, out.err)
	}
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	_, err := s.Eval(ctx, &kernel.Cell{Count: 9, Source: `<-ctx.Done(); cancelled()`})
	var e *kernel.EvalError
	if time.Since(start) > 900*time.Millisecond || err != nil && !errors.As(err, &e) {
		t.Errorf("took %v: %v", time.Since(start), err)
	}
}

func TestInterruptKeepsState(t *testing.T) {
	s := newSession(t)
	start := time.Now()
	out := s.evalFor(t, "n := 0\nfor { n++ }", 100*time.Millisecond)
	var e *kernel.EvalError
	if !errors.As(out.err, &e) || e.Name != "interrupted" {
		t.Fatal(out.err)
	}
	if d := time.Since(start); d > 600*time.Millisecond {
		t.Errorf("stopped after %v", d)
	}
	if out := s.eval(t, "n > 0"); out.value != true {
		t.Errorf("n is lost: %v %v", out.value, out.err)
	}
}

func TestTracebackShowsTheLine(t *testing.T) {
	s := newSession(t)
	out := s.eval(t, "x := 1\n\ty := x + undefinedName")
	var e *kernel.EvalError
	if !errors.As(out.err, &e) {
		t.Fatal(out.err)
	}
	text := strings.Join(e.Traceback, "\n")
	if e.Line != 2 || !strings.Contains(text, "In[1]:2:11: undefined: undefinedName") ||
		!strings.Contains(text, "    \ty := x + undefinedName\n    \t         \x1b[1m^") {
		t.Errorf("line %d:\n%s", e.Line, text)
	}
	s.eval(t, "func inner(n int) int {\n\treturn 10 / n\n}\nfunc outer(n int) int {\n\treturn inner(n)\n}")
	out = s.eval(t, "a := 1\nb := outer(a - 1)\n_ = b")
	if !errors.As(out.err, &e) {
		t.Fatal(out.err)
	}
	if text := strings.Join(e.Traceback, "\n"); !strings.Contains(text, "In[2]:2: panic: runtime error: integer divide by zero") ||
		!strings.HasSuffix(text, "    In[2]:2 in inner\n    In[2]:5 in outer\n    In[3]:2 in cell") {
		t.Errorf("\n%s", text)
	}
	var many strings.Builder
	for i := range 15 {
		fmt.Fprintf(&many, "v%d := u%d\n", i, i)
	}
	out = s.eval(t, many.String())
	if !errors.As(out.err, &e) {
		t.Fatal(out.err)
	}
	if text := strings.Join(e.Traceback, "\n"); !strings.Contains(text, "too many errors (5 more)") {
		t.Errorf("\n%s", text)
	}
}

// TestGoroutinesWhileCellsCompile is the soak for the defect that ended the
// process when cells shared one interpreter context.
func TestGoroutinesWhileCellsCompile(t *testing.T) {
	s := newSession(t)
	out := s.eval(t, `import ("fmt"; "sort"; "strings"; "sync/atomic")
type shape interface{ area() int }
type sq struct{ a int }
func (s sq) area() int { return s.a * s.a }
func (s sq) String() string { return fmt.Sprint("sq", s.a) }
func work(n int) string {
	xs := []shape{}
	for i := range n { xs = append(xs, sq{n - i}) }
	sort.Slice(xs, func(i, j int) bool { return xs[i].area() < xs[j].area() })
	m := map[string]any{}
	for _, x := range xs { m[fmt.Sprint(x)] = x }
	return strings.Repeat("x", len(m))
}
var rounds, quit atomic.Int64
for range 4 { go func() { for quit.Load() == 0 { if len(work(8)) != 8 { panic("wrong") }; rounds.Add(1) } }() }`)
	if out.err != nil {
		t.Fatal(out.err)
	}
	cells := 100
	if testing.Short() {
		cells = 15
	}
	for i := range cells {
		out := s.eval(t, fmt.Sprintf(`type T%d struct{ n int }
func (t T%d) Get() int { return t.n + %d }
func f%d(n int) int { return T%d{n}.Get() }
fmt.Sprint(f%d(1), work(3))`, i, i, i, i, i, i))
		if out.err != nil || out.value != fmt.Sprint(i+1, "xxx") {
			t.Fatalf("cell %d: %v %v", i, out.value, out.err)
		}
	}
	out = s.eval(t, "quit.Store(1); rounds.Load() > 0")
	if out.value != true {
		t.Errorf("the goroutines did not run: %v %v", out.value, out.err)
	}
}

// TestManyCells holds the cost of a session: 300 cells with 100 types and 100
// functions.
func TestManyCells(t *testing.T) {
	if testing.Short() {
		t.Skip("300 cells")
	}
	s := newSession(t)
	s.eval(t, `import "fmt"; total := 0`)
	before := heap()
	var early, late time.Duration
	for i := range 100 {
		for k, src := range []string{
			fmt.Sprintf("type T%d struct{ n int; next *T%d }\nfunc (t T%d) Get() int { return t.n }\nfunc (t *T%d) Set(n int) { t.n = n }\nfunc (t T%d) String() string { return fmt.Sprint(t.n) }", i, i, i, i, i),
			fmt.Sprintf("func f%d(n int) int { var t T%d; t.Set(n); s := 0; for i := range 10 { s += t.Get() + i }; return s }", i, i),
			fmt.Sprintf("x%d := T%d{n: f%d(%d)}\ntotal += x%d.Get()\nfmt.Println(x%d)", i, i, i, i, i, i),
		} {
			start := time.Now()
			out := s.eval(t, src)
			d := time.Since(start)
			if out.err != nil {
				t.Fatalf("cell %d.%d: %v", i, k, out.err)
			}
			if i < 10 {
				early += d
			}
			if i >= 90 {
				late += d
			}
		}
	}
	grown := float64(heap()-before) / (1 << 20)
	t.Logf("cells 1-30: %v each, cells 271-300: %v each, heap +%.0f MB", early/30, late/30, grown)
	if late/30 > 60*time.Millisecond {
		t.Errorf("a cell takes %v after 270 cells", late/30)
	}
	if grown > 200 {
		t.Errorf("300 cells keep %.0f MB", grown)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestReusedNames: cells that reuse their names do not pile up.
func TestReusedNames(t *testing.T) {
	if testing.Short() {
		t.Skip("200 cells")
	}
	s := newSession(t)
	s.eval(t, `import "fmt"`)
	var at100 uint64
	for i := range 200 {
		if out := s.eval(t, fmt.Sprintf("x := %d\nfunc f(n int) int { return n + %d }\ny := fmt.Sprint(f(x))\ny", i, i)); out.value != fmt.Sprint(2*i) {
			t.Fatal(out.value, out.err)
		}
		if i == 99 {
			at100 = heap()
		}
	}
	if grown := int64(heap()) - int64(at100); grown > 2<<20 {
		t.Errorf("100 cells of the same names keep %d KB", grown>>10)
	}
}

func TestTablesAreCurrent(t *testing.T) {
	if testing.Short() {
		t.Skip("asks the go command for export data")
	}
	var targets []gen.Target
	for _, x := range gen.Targets {
		if strings.Contains(x.Path, ".") || strings.HasPrefix(runtime.Version(), "go1.26") {
			targets = append(targets, x)
		}
	}
	tables, err := gen.Generate(gen.Here(), targets, nil)
	if err != nil {
		t.Skipf("no go command, or the tree does not build: %v", err)
	}
	for name, want := range tables.Files {
		got, err := os.ReadFile(filepath.Join("symbols", name))
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("symbols/%s is stale: run go generate ./kernel/interp/...", name)
		}
	}
}

// The comments of the standard library are those of one version of Go.
func TestDocsAreCurrent(t *testing.T) {
	if testing.Short() {
		t.Skip("reads the source of every package")
	}
	want, err := gen.Docs()
	if err != nil {
		t.Skipf("no go command, or no source: %v", err)
	}
	for name, packages := range want {
		archive, err := os.ReadFile(filepath.Join("symbols", name))
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := gen.Unpack(archive)
		if err != nil {
			t.Errorf("symbols/%s: %v", name, err)
			continue
		}
		if string(got[gen.Version]) != string(packages[gen.Version]) {
			t.Logf("symbols/%s is of %s", name, got[gen.Version])
			continue
		}
		if !maps.EqualFunc(got, packages, bytes.Equal) {
			t.Errorf("symbols/%s is stale: run go generate ./kernel/interp/...", name)
		}
	}
}

func TestRoomForMethods(t *testing.T) {
	s := newSession(t)
	var src strings.Builder
	src.WriteString("type T struct{}\n")
	for i := range 9000 {
		fmt.Fprintf(&src, "func (T) M%d() {}\n", i)
	}
	if testing.Short() {
		t.Skip("9000 methods")
	}
	out := s.eval(t, src.String())
	if out.err == nil || !strings.Contains(out.err.Error(), "no room for") {
		t.Errorf("got %v", out.err)
	}
	if out := s.eval(t, "1 + 1"); out.value != 2 {
		t.Error(out.value, out.err)
	}
}

func BenchmarkSmallCell(b *testing.B) {
	s := newSession(b)
	s.eval(b, `import "fmt"; x := 1`)
	b.ResetTimer()
	for range b.N {
		if out := s.eval(b, `x++; fmt.Sprint(x);`); out.err != nil {
			b.Fatal(out.err)
		}
	}
}

func BenchmarkFirstCell(b *testing.B) {
	for range b.N {
		s, err := New()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Eval(context.Background(), &kernel.Cell{Count: 1, Source: "import (\"fmt\"; \"strings\")\nfmt.Sprint(strings.ToUpper(\"a\"))"}); err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
