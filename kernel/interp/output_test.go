package interp

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

func cellsKnown() int {
	n := 0
	byLabels.Range(func(any, any) bool { n++; return true })
	return n
}

// TestCellsAreForgotten: a cell's output, context and labels live as long as
// the goroutines that may need them, not as long as the process.
func TestCellsAreForgotten(t *testing.T) {
	s := newSession(t)
	first := s.eval(t, `import ("fmt"; "time")
asked, answered := make(chan int), make(chan bool)
go func() {
	for n := range asked {
		go func() { fmt.Print(n, " "); answered <- true }()
	}
}()
func ask(n int) { asked <- n; <-answered }`)
	if first.err != nil {
		t.Fatal(first.err)
	}
	var want strings.Builder
	ask := func(n string) {
		want.WriteString(n + " ")
		if out := s.eval(t, "ask("+n+")"); out.err != nil || out.stdout != "" {
			t.Fatal(out.err, out.stdout)
		}
		if first.late.String() != want.String() {
			t.Fatalf("the first cell has %q, want %q", first.late.String(), want.String())
		}
	}
	ask("1")
	cells := 2000
	if testing.Short() {
		cells = 200
	}
	before := cellsKnown()
	for i := range cells {
		if out := s.eval(t, "1"); out.value != 1 {
			t.Fatal(i, out.err)
		}
	}
	ask("2")
	left := 0
	for range 100 { // the collector decides, and cleanups come after it
		runtime.GC()
		if left = cellsKnown(); left < before+20 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if left >= before+20 {
		t.Errorf("%d cells are known after %d, %d before", left, cells, before)
	}
	ask("3")
}

// TestLabelsOfOthers: a goroutine under labels that are no cell's has no cell.
func TestLabelsOfOthers(t *testing.T) {
	if c := ofGoroutine(); c != nil {
		t.Fatal("the test runs in a cell")
	}
	c := &cellIO{}
	done := make(chan bool)
	go func() {
		defer close(done)
		c.enter()
		if ofGoroutine() != c {
			t.Error("a goroutine that entered is not the cell's")
		}
		inner := make(chan *cellIO)
		go func() { inner <- ofGoroutine() }()
		if <-inner != c {
			t.Error("its child is not the cell's")
		}
		first := goroutineLabels()
		c.enter()
		if ofGoroutine() != c || goroutineLabels() == first {
			t.Error("a second entry fails")
		}
	}()
	<-done
}

func BenchmarkOfGoroutine(b *testing.B) {
	c := &cellIO{}
	done := make(chan bool)
	go func() {
		defer close(done)
		c.enter()
		for b.Loop() {
			if ofGoroutine() != c {
				b.Error("lost")
			}
		}
	}()
	<-done
}

// TestProcessOutput: what compiled code and child processes print belongs to the
// running cell.
func TestProcessOutput(t *testing.T) {
	out, errs := os.Stdout, os.Stderr
	s := newSession(t)
	if err := s.CatchProcess(); err != nil {
		t.Fatal(err)
	}
	got := s.eval(t, `import "flag"
fs := flag.NewFlagSet("f", flag.ContinueOnError)
fs.Int("compiled", 1, "")
fs.PrintDefaults()`)
	if got.err != nil || !strings.Contains(got.stderr, "-compiled") {
		t.Errorf("compiled code: %q, %v", got.stderr, got.err)
	}
	if exe, err := exec.LookPath("echo"); err == nil {
		got := s.eval(t, `import ("fmt"; "os"; "os/exec")
fmt.Println("before")
cmd := exec.Command("`+exe+`", "from a child")
cmd.Stdout = os.Stdout
Must(0, cmd.Run())
fmt.Println("after")`)
		if got.err != nil || got.stdout != "before\nfrom a child\nafter\n" {
			t.Errorf("child: %q, %v", got.stdout, got.err)
		}
	}
	s.Close()
	if os.Stdout != out || os.Stderr != errs {
		t.Error("the process did not get its output back")
	}
}

// A handler that panics is told by net/http, without the interpreter's stack.
func TestHandlerPanic(t *testing.T) {
	s := newSession(t)
	out := s.eval(t, `import ("net/http"; "net/http/httptest")
srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no answer") }))
_, err := http.Get(srv.URL)
srv.Close()
err != nil`)
	if out.err != nil || out.value != true || !strings.HasSuffix(out.stderr, ": no answer\n") || strings.Count(out.stderr, "\n") != 1 {
		t.Errorf("%v %v %q", out.value, out.err, out.stderr)
	}
}
