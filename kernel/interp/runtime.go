package interp

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopherlens/gopherlens/kernel/display"
	"github.com/goplus/ixgo"
)

// halt is the panic that stops interrupted code.
type halt struct{}

func (halt) Error() string { return "interrupted" }

// maxFrames bounds the native stack of interpreted code, of which every
// interpreted call takes some frames: the Go runtime ends the process at 1 GB.
const maxFrames = 100_000

// callsBetweenLooks is how many interpreted calls pass between two looks at
// the stop flag and the stack.
const callsBetweenLooks = 8192

var errStack = errors.New("stack overflow: the calls nest too deep (endless recursion?)")

func checkDepth() {
	var pc [1]uintptr
	if runtime.Callers(maxFrames, pc[:]) > 0 {
		panic(errStack)
	}
}

// halt is called while the stop flag is up. The flag is one for the session, so
// that looking at it costs nothing; whom it means is asked only here. What is
// not of a cell being stopped goes on.
func (s *Session) halt() {
	if s.mustStop(ofGoroutine()) && stoppable() {
		panic(halt{})
	}
}

func (s *Session) stopCheck() {
	if atomic.LoadInt32(&s.stop) != 0 {
		s.halt()
	}
}

// enterCall counts calls. Goroutines share the counter without synchronising; a
// lost count only moves the next look by a call or two.
//
//go:norace
func (s *Session) enterCall() {
	if s.calls--; s.calls < 0 {
		s.calls = callsBetweenLooks
		s.stopCheck()
		checkDepth()
	}
}

// registerRuntime makes the package that compiled cells call known to ixgo;
// what its names stand for is set per session and cell.
func registerRuntime() {
	none := func() {}
	ixgo.RegisterPackage(&ixgo.Package{
		Name: "cell", Path: runtimePkg, Deps: map[string]string{},
		Interfaces: map[string]reflect.Type{}, NamedTypes: map[string]reflect.Type{}, AliasTypes: map[string]reflect.Type{},
		Vars: map[string]reflect.Value{},
		Funcs: map[string]reflect.Value{
			"Show":    reflect.ValueOf(func(...any) {}),
			"Display": reflect.ValueOf(func(any) {}), "Page": reflect.ValueOf(func(any) {}), "ClearOutput": reflect.ValueOf(func(bool) {}),
			"DisplayID": reflect.ValueOf(func(string, any) {}), "UpdateDisplay": reflect.ValueOf(func(string, any) {}),
			"Input":        reflect.ValueOf(func(string, bool) (string, error) { return "", nil }),
			"OpenComm":     reflect.ValueOf(func(string, display.Message) (display.Comm, error) { return nil, nil }),
			"RegisterComm": reflect.ValueOf(func(string, func(display.Comm, display.Message) error) {}),
			"Print":        reflect.ValueOf(func(...any) {}), "Println": reflect.ValueOf(func(...any) {}),
			"Context": reflect.ValueOf(func() context.Context { return nil }),
			"Check":   reflect.ValueOf(none), "Enter": reflect.ValueOf(none), "Nothing": reflect.ValueOf(none),
		},
		TypedConsts: map[string]ixgo.TypedConst{}, UntypedConsts: map[string]ixgo.UntypedConst{},
	})
}

// overrides are the functions that mean something else in a cell than in a
// program of its own, by the name the interpreter looks them up with.
func (s *Session) overrides() map[string]any {
	m := map[string]any{
		runtimePkg + ".Check":   s.stopCheck,
		runtimePkg + ".Enter":   s.enterCall,
		runtimePkg + ".Print":   func(a ...any) { s.printErr(builtinPrint(false, a)) },
		runtimePkg + ".Println": func(a ...any) { s.printErr(builtinPrint(true, a)) },

		"fmt.Print":   func(a ...any) (int, error) { return s.toStdout(fmt.Append(nil, a...)) },
		"fmt.Printf":  func(f string, a ...any) (int, error) { return s.toStdout(fmt.Appendf(nil, f, a...)) },
		"fmt.Println": func(a ...any) (int, error) { return s.toStdout(fmt.Appendln(nil, a...)) },
		"fmt.Fprint": func(w io.Writer, a ...any) (int, error) {
			return fmt.Fprint(s.writer(w), a...)
		},
		"fmt.Fprintf": func(w io.Writer, f string, a ...any) (int, error) {
			return fmt.Fprintf(s.writer(w), f, a...)
		},
		"fmt.Fprintln": func(w io.Writer, a ...any) (int, error) {
			return fmt.Fprintln(s.writer(w), a...)
		},
		"(*os.File).Write": func(f *os.File, p []byte) (int, error) { return s.writer(f).Write(p) },
		"(*os.File).WriteString": func(f *os.File, p string) (int, error) {
			return io.WriteString(s.writer(f), p)
		},
		"io.WriteString": func(w io.Writer, p string) (int, error) { return io.WriteString(s.writer(w), p) },

		"os.Exit":        s.exit,
		"syscall.Exit":   s.exit,
		"runtime.Goexit": runtime.Goexit,
		"flag.Parse":     func() { flag.CommandLine.Parse(nil) },

		"(*flag.FlagSet).Parse": s.parseFlags,
		"time.Sleep":            s.sleep,

		"(*sync.WaitGroup).Go": func(wg *sync.WaitGroup, f func()) { wg.Go(s.contain(f)) },
		"time.AfterFunc":       func(d time.Duration, f func()) *time.Timer { return time.AfterFunc(d, s.contain(f)) },
		"context.AfterFunc":    func(ctx context.Context, f func()) func() bool { return context.AfterFunc(ctx, s.contain(f)) },
	}
	maps.Copy(m, mutexes())
	maps.Copy(m, s.testMains())
	for name, f := range s.hosted() {
		m[runtimePkg+"."+name] = f
	}
	maps.Copy(m, s.logOverrides())
	maps.Copy(m, s.slogOverrides())
	maps.Copy(m, s.registrations())
	maps.Copy(m, repeats())
	return m
}

// cellWriter writes to the output of the calling goroutine's cell.
type cellWriter struct {
	s   *Session
	err bool
}

func (w cellWriter) Write(p []byte) (int, error) {
	if w.err {
		return w.s.printErr(p)
	}
	return w.s.print(p)
}

// writer is w, or the direct way to the cell for the session's os.Stdout and
// os.Stderr.
func (s *Session) writer(w io.Writer) io.Writer {
	f, ok := w.(*os.File)
	if !ok {
		return w
	}
	switch f {
	case s.stdout.w:
		return cellWriter{s, false}
	case s.stderr.w:
		return cellWriter{s, true}
	}
	if c := ofGoroutine(); c != nil {
		if own, stderr := c.owns(f); own {
			return cellWriter{s, stderr}
		}
	}
	return w
}

// exit ends the cell as os.Exit ends a process: at once, no deferred call
// runs. The calling goroutine never continues; it stays parked, which is the
// price of not unwinding it.
func (s *Session) exit(code int) {
	if c := ofGoroutine(); c != nil {
		if r := c.run.Load(); r != nil {
			select {
			case r.exited <- code:
			default:
			}
		}
	}
	select {}
}

// parseFlags is FlagSet.Parse for sets that would end the process.
func (s *Session) parseFlags(f *flag.FlagSet, args []string) error {
	if f.ErrorHandling() != flag.ExitOnError {
		return f.Parse(args)
	}
	f.Init(f.Name(), flag.ContinueOnError)
	err := f.Parse(args)
	f.Init(f.Name(), flag.ExitOnError)
	switch {
	case errors.Is(err, flag.ErrHelp):
		s.exit(0)
	case err != nil:
		s.exit(2)
	}
	return nil
}

// sleep is time.Sleep, ended early by an interrupt.
func (s *Session) sleep(d time.Duration) {
	c := s.output()
	if c.ctx == nil || d <= 0 {
		time.Sleep(d)
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	done := c.ctx.Done()
	for {
		select {
		case <-t.C:
			return
		case <-done:
			done = nil
			if c.run.Load() != nil && stoppable() { // not of an earlier cell
				panic(halt{})
			}
		}
	}
}

// cellContext is the predeclared ctx: the context of the cell whose goroutine
// asks, so that a function declared in one cell and called in another sees the
// caller's, and a goroutine keeps its own.
type cellContext struct{ s *Session }

func (c cellContext) current() context.Context {
	if io := c.s.output(); io.ctx != nil {
		return io.ctx
	}
	return context.Background()
}

func (c cellContext) Deadline() (time.Time, bool) { return c.current().Deadline() }
func (c cellContext) Done() <-chan struct{}       { return c.current().Done() }
func (c cellContext) Err() error                  { return c.current().Err() }
func (c cellContext) Value(key any) any           { return c.current().Value(key) }
func (c cellContext) String() string              { return "the running cell's context" }

// builtinPrint formats like the built-in print and println.
func builtinPrint(ln bool, args []any) []byte {
	var b bytes.Buffer
	for i, a := range args {
		if i > 0 && ln {
			b.WriteByte(' ')
		}
		switch v := reflect.ValueOf(a); v.Kind() {
		case reflect.Invalid:
			b.WriteString("(0x0,0x0)") // a nil interface
		case reflect.Float32, reflect.Float64:
			bits := v.Type().Bits()
			b.WriteString(formatFloat(v.Float(), bits))
		case reflect.Complex64, reflect.Complex128:
			c := v.Complex()
			im := formatFloat(imag(c), v.Type().Bits()/2)
			if im[0] != '+' && im[0] != '-' {
				im = "+" + im
			}
			b.WriteString("(" + formatFloat(real(c), v.Type().Bits()/2) + im + "i)")
		case reflect.Bool, reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
			reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
			fmt.Fprint(&b, basic(v))
		case reflect.Slice:
			fmt.Fprintf(&b, "[%d/%d]%#x", v.Len(), v.Cap(), v.Pointer())
		case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer:
			fmt.Fprintf(&b, "%#x", v.Pointer())
		default:
			fmt.Fprintf(&b, "%v", a)
		}
	}
	if ln {
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// basic drops the methods of a value of basic kind.
func basic(v reflect.Value) any {
	switch {
	case v.Kind() == reflect.Bool:
		return v.Bool()
	case v.Kind() == reflect.String:
		return v.String()
	case v.CanInt():
		return v.Int()
	}
	return v.Uint()
}

func formatFloat(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "+Inf"
	case math.IsInf(f, -1):
		return "-Inf"
	}
	return strconv.FormatFloat(f, 'g', -1, bits)
}
