package interp

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

// TestInterruptSparesOtherCells: stopping one cell, by an interrupt or because
// one of its goroutines panicked, leaves the goroutines of others alone, even
// while it waits for a cell that does not look at the stop flag.
func TestInterruptSparesOtherCells(t *testing.T) {
	for _, c := range []struct {
		name, src, want string
		after           time.Duration
	}{
		{"interrupt", `<-make(chan int)`, "interrupted", 50 * time.Millisecond},
		{"panic", `go func() { panic("trouble") }()
<-make(chan int)`, "panic", 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t)
			if out := s.eval(t, `import ("sync/atomic"; "time"; "fmt")
var loops, calls, sleeps atomic.Int64
func step() { calls.Add(1) }
gate := make(chan bool)
go func() { for { loops.Add(1); <-time.After(time.Millisecond) } }()
go func() { for { for range 100 { step() }; <-time.After(time.Millisecond) } }()
go func() { for { sleeps.Add(1); time.Sleep(time.Millisecond) } }()
go func() { <-gate; fmt.Print("alive") }()`); out.err != nil {
				t.Fatal(out.err)
			}
			out := s.evalFor(t, c.src, c.after)
			var e *kernel.EvalError
			if !errors.As(out.err, &e) || e.Name != c.want {
				t.Fatalf("the cell ended with %v", out.err)
			}
			out = s.eval(t, `a, b, c := loops.Load(), calls.Load(), sleeps.Load()
time.Sleep(100 * time.Millisecond)
[]bool{loops.Load() > a, calls.Load() > b, sleeps.Load() > c}`)
			alive, _ := out.value.([]bool)
			if out.err != nil || len(alive) != 3 || !alive[0] || !alive[1] || !alive[2] {
				t.Errorf("of an earlier cell's goroutines these go on: %v (%v)", alive, out.err)
			}
		})
	}
}

// TestInterruptStopsOwnGoroutines: also those that compiled code started, and
// their deferred calls run.
func TestInterruptStopsOwnGoroutines(t *testing.T) {
	for name, start := range map[string]string{
		"go":        `go spin()`,
		"WaitGroup": `wg.Go(spin)`,
		"AfterFunc": `time.AfterFunc(time.Millisecond, spin)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t)
			out := s.evalUntil(t, `import ("fmt"; "sync"; "sync/atomic"; "time")
var wg sync.WaitGroup
var began, ended, n atomic.Int64
func spin() {
	defer ended.Add(1)
	began.Add(1)
	for { n.Add(1); <-time.After(time.Millisecond) }
}
`+start+`
for began.Load() == 0 { time.Sleep(time.Millisecond) }
fmt.Println("began")
<-make(chan int)`)
			var e *kernel.EvalError
			if !errors.As(out.err, &e) || e.Name != "interrupted" || !strings.Contains(e.Message, "left behind") {
				t.Fatal(out.err)
			}
			out = s.eval(t, `before := n.Load()
time.Sleep(30 * time.Millisecond)
[]any{n.Load() == before, ended.Load(), began.Load()}`)
			if v, _ := out.value.([]any); len(v) != 3 || v[0] != true || v[1] != int64(1) || v[2] != int64(1) {
				t.Errorf("stopped, deferred calls, starts: %v (%v)", out.value, out.err)
			}
		})
	}
}

// TestPanicInCompiledGoroutine: a panic in a goroutine that the standard
// library started fails the cell, or is told on the cell that started it; it
// does not end the process.
func TestPanicInCompiledGoroutine(t *testing.T) {
	s := newSession(t)
	for _, src := range []string{
		`import "sync"
var wg sync.WaitGroup
wg.Go(func() { panic("trouble") })
wg.Wait()`,
		`import "time"
time.AfterFunc(0, func() { panic("trouble") })
<-make(chan int)`,
		`import "context"
ctx2, cancel := context.WithCancel(ctx)
context.AfterFunc(ctx2, func() { panic("trouble") })
cancel()
<-make(chan int)`,
		`import "sync"
var wg sync.WaitGroup
wg.Go(nil)
wg.Wait()`,
	} {
		out := s.eval(t, src)
		var e *kernel.EvalError
		if !errors.As(out.err, &e) || e.Name != "panic" || !strings.Contains(e.Traceback[0], "in a goroutine") {
			t.Errorf("%s\nended with %v", src, out.err)
		}
	}
	late := s.eval(t, `gate := make(chan bool)
done := make(chan bool)
import ("fmt"; "time")
time.AfterFunc(20*time.Millisecond, func() { <-gate; fmt.Print("mine"); close(done) });`)
	if out := s.eval(t, `close(gate); <-done`); out.err != nil || late.late.String() != "mine" || out.stdout != "" {
		t.Errorf("a timer's output went to %q and %q (%v)", late.late.String(), out.stdout, out.err)
	}
}

// TestInterruptThroughKernel: the session gives a stuck cell up before the
// kernel gives the session up, so the error says why the cell did not stop.
func TestInterruptThroughKernel(t *testing.T) {
	var all sync.WaitGroup
	for range 4 { // at once, so that timers come late
		ev, err := New()
		if err != nil {
			t.Fatal(err)
		}
		s := kerneltest.Start(t, ev)
		all.Go(func() {
			for _, c := range []struct{ src, want string }{
				{`<-make(chan int)`, "left behind"},
				{`for {}`, "the cell was interrupted"},
				{`<-ctx.Done(); panic(ctx.Err())`, "the cell was interrupted"},
			} {
				reply, err := s.Client.Execute(context.Background(), c.src, func(m *wire.Message) {
					if m.Header.MsgType == wire.ExecuteInput {
						time.Sleep(100 * time.Millisecond)
						if err := s.Client.Interrupt(context.Background()); err != nil {
							t.Error(err)
						}
					}
				})
				if err != nil || reply.EName != "interrupted" || !strings.Contains(reply.EValue, c.want) {
					t.Errorf("%s: %+v, %v", c.src, reply.Failure, err)
				}
			}
		})
	}
	all.Wait()
}
