package interp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
)

// beside evaluates a cell as a subshell does.
func (s *testSession) beside(ctx context.Context, count int, src string) outcome {
	var out, errs lockedBuffer
	v, err := s.Eval(ctx, &kernel.Cell{Count: count, Source: src, Stdout: &out, Stderr: &errs, Subshell: "sub"})
	return outcome{out.String(), errs.String(), v, err, &out}
}

// running starts a cell that ends with cancel, and returns when it has printed.
func (s *testSession) running(t *testing.T, src string) (out *lockedBuffer, cancel func() error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	began, ended := make(chan struct{}), make(chan error, 1)
	out = &lockedBuffer{written: sync.OnceFunc(func() { close(began) })}
	go func() {
		_, err := s.Eval(ctx, &kernel.Cell{Count: 1000, Source: src, Stdout: out, Stderr: out})
		ended <- err
	}()
	select {
	case <-began:
	case err := <-ended:
		t.Fatal(err)
	}
	cancel = func() error {
		stop()
		err := <-ended
		ended <- err
		return err
	}
	t.Cleanup(func() { cancel() })
	return out, cancel
}

func isInterrupt(err error) bool {
	var e *kernel.EvalError
	return errors.As(err, &e) && e.Name == interrupted
}

// TestCellsBesideACell: cells of subshells are compiled and run while a cell of
// the main shell does, share its state, and print to their own place by every way
// that Go has.
func TestCellsBesideACell(t *testing.T) {
	s := newSession(t)
	if out := s.eval(t, `import ("encoding/json"; "fmt"; "os"; "os/exec"; "sync/atomic"; "time")
var n atomic.Int64
type T struct{ A int }
func (t T) Get() int { return t.A }
func get(g interface{ Get() int }) int { return g.Get() }`); out.err != nil {
		t.Fatal(out.err)
	}
	main, cancel := s.running(t, `fmt.Println("began")
for { n.Add(1) }`)
	ctx, stop := context.WithTimeout(context.Background(), 60*time.Second)
	defer stop()
	for src, want := range map[string]string{
		`fmt.Println("printed")`:                                            "printed\n",
		`fmt.Fprint(os.Stdout, "file")`:                                     "file",
		`json.NewEncoder(os.Stdout).Encode(1)`:                              "1\n",
		`c := exec.Command("echo", "child"); c.Stdout = os.Stdout; c.Run()`: "child\n",
		`fmt.Print("a"); os.Stdout.WriteString("b"); json.NewEncoder(os.Stdout).Encode(2); fmt.Print("c")`:    "ab2\nc",
		`done := make(chan bool); go func() { json.NewEncoder(os.Stdout).Encode(3); done <- true }(); <-done`: "3\n",
	} {
		if out := s.beside(ctx, 1, src); out.err != nil || out.stdout != want || out.stderr != "" {
			t.Errorf("%s printed %q and %q, %v", src, out.stdout, out.stderr, out.err)
		}
	}
	if out := s.beside(ctx, 2, `fmt.Fprint(os.Stderr, "e"); json.NewEncoder(os.Stderr).Encode(4)`); out.stderr != "e4\n" {
		t.Errorf("standard error is %q", out.stderr)
	}
	a, b := s.beside(ctx, 2, `n.Load()`), s.beside(ctx, 3, `time.Sleep(10*time.Millisecond); n.Load()`)
	if x, y := a.value.(int64), b.value.(int64); x <= 0 || y <= x {
		t.Errorf("the main shell's cell counted from %d to %d", x, y)
	}
	// A type that a subshell declares again is the session's.
	if out := s.beside(ctx, 4, "type T struct{ A int }\nfunc (t T) Get() int { return 2 * t.A }\nget(T{21})"); out.value != 42 {
		t.Errorf("%v, %v", out.value, out.err)
	}
	if got := main.String(); got != "began\n" {
		t.Errorf("the main shell's cell printed %q", got)
	}
	if err := cancel(); !isInterrupt(err) {
		t.Error(err)
	}
	if out := s.eval(t, `get(T{4})`); out.value != 8 {
		t.Errorf("%v, %v", out.value, out.err)
	}
}

// TestStopOneOfTwo: an interrupt, a panic, a panic of a goroutine and an exit end
// their own cell, not the one that runs beside it.
func TestStopOneOfTwo(t *testing.T) {
	s := newSession(t)
	if out := s.eval(t, `import ("fmt"; "os"; "time"; "sync/atomic")
var loops atomic.Int64
func step() { loops.Add(1) }`); out.err != nil {
		t.Fatal(out.err)
	}
	_, cancel := s.running(t, `fmt.Println("began")
go func() { for { step(); time.Sleep(time.Millisecond) } }()
for { step() }`)
	for name, c := range map[string]struct{ src, want string }{
		"interrupt": {`for {}`, interrupted},
		"sleep":     {`time.Sleep(time.Hour)`, interrupted},
		"panic":     {`panic("p")`, "panic"},
		"goroutine": {`go func() { panic("p") }(); select {}`, "panic"},
		"exit":      {`os.Exit(3)`, exitError},
	} {
		ctx, stop := context.WithCancel(context.Background())
		if c.want == interrupted {
			time.AfterFunc(30*time.Millisecond, stop)
		}
		var e *kernel.EvalError
		if out := s.beside(ctx, 1, c.src); !errors.As(out.err, &e) || e.Name != c.want {
			t.Errorf("%s: %v", name, out.err)
		}
		stop()
	}
	// The other way round, with a cell of a subshell that goes on.
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan outcome)
	go func() {
		ended <- s.beside(ctx, 2, `before := loops.Load(); for { time.Sleep(time.Millisecond); step() }`)
	}()
	other := context.Background()
	a := s.beside(other, 3, `loops.Load()`).value.(int64)
	if b := s.beside(other, 4, `time.Sleep(20*time.Millisecond); loops.Load()`).value.(int64); b <= a {
		t.Errorf("the main shell's cell was stopped: %d, %d", a, b)
	}
	if err := cancel(); !isInterrupt(err) {
		t.Error(err)
	}
	a = s.beside(other, 3, `loops.Load()`).value.(int64)
	for end := time.Now().Add(10 * time.Second); s.beside(other, 4, `loops.Load()`).value.(int64) <= a; {
		if time.Now().After(end) {
			t.Fatal("the subshell's cell was stopped with the main shell's")
		}
	}
	stop()
	if out := <-ended; !isInterrupt(out.err) {
		t.Error(out.err)
	}
}

// TestCompileBesideCells is for the race detector: cells that declare, declare
// again and call run in four shells at a time.
func TestCompileBesideCells(t *testing.T) {
	s := newSession(t)
	if out := s.eval(t, `import ("encoding/json"; "fmt"; "os"; "sync")
var mu sync.Mutex
total := 0
type Shape interface{ Area() int }
func add(s Shape) { mu.Lock(); defer mu.Unlock(); total += s.Area() }`); out.err != nil {
		t.Fatal(out.err)
	}
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	defer stop()
	var wg sync.WaitGroup
	for shell := range 4 {
		wg.Go(func() {
			for i := range rounds {
				src := fmt.Sprintf(`type S%[1]d struct{ n int }
func (s S%[1]d) Area() int { return s.n }
func f%[1]d(k int) Shape { if k == 0 { return S%[1]d{1} }; return f%[1]d(k-1) }
for range 50 { add(f%[1]d(20)) }
json.NewEncoder(os.Stdout).Encode(map[string]int{"s": %[1]d})
fmt.Sprint(f%[1]d(3), %[2]d)`, shell, i)
				out := s.beside(ctx, 100*shell+i, src)
				if want := fmt.Sprintf("{1} %d", i); out.err != nil || out.value != want || out.stdout != fmt.Sprintf("{\"s\":%d}\n", shell) {
					t.Errorf("%v %q, %v", out.value, out.stdout, out.err)
				}
			}
		})
	}
	wg.Wait()
	if out := s.eval(t, `total`); out.value != 4*rounds*50 {
		t.Errorf("%v, %v", out.value, out.err)
	}
}

// TestStdoutSetByACell: what a cell puts in the place of os.Stdout gets what fmt
// prints.
func TestStdoutSetByACell(t *testing.T) {
	s := newSession(t)
	out := s.eval(t, `import ("fmt"; "io"; "os")
r, w, _ := os.Pipe()
before := os.Stdout
os.Stdout = w
fmt.Println("caught")
fmt.Fprintln(os.Stdout, "too")
os.Stdout = before
w.Close()
b, _ := io.ReadAll(r)
fmt.Println("back")
string(b)`)
	if out.err != nil || out.value != "caught\ntoo\n" || !strings.HasPrefix(out.stdout, "back") {
		t.Errorf("%q printed, %q, %v", out.value, out.stdout, out.err)
	}
}
