package interp

import (
	"context"
	"errors"
	"fmt"
	"go/types"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
	"unsafe"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/goplus/ixgo"
	"golang.org/x/tools/go/ssa"
)

// abandonAfter is how long an interrupted cell may take to stop. It is much
// less than the kernel's own patience (Config.InterruptGrace), so that the message
// of this package, which knows more, is the one that is shown on a busy machine too.
const abandonAfter = time.Second

// run is one execution of a cell.
type run struct {
	io       *cellIO
	file     string
	shown    *[]any // apart, for the cell's interpreter may live long
	exited   chan int
	panicked chan *kernel.EvalError // of goroutines the cell's code started
}

func newRun(io *cellIO, file string) *run {
	return &run{io: io, file: file, shown: new([]any), exited: make(chan int, 1), panicked: make(chan *kernel.EvalError, 1)}
}

// errGoexit is what a cell ends with that called runtime.Goexit.
var errGoexit = errors.New("runtime.Goexit was called")

// execute runs a committed unit that has begun.
func (s *Session) execute(ctx context.Context, u *unit, r *run) (any, error) {
	if err := s.perform(ctx, r, func() error { return s.runCell(u) }); err != nil {
		return nil, err
	}
	return s.result(u, r)
}

// perform calls f in a goroutine of r's cell and ends r.
func (s *Session) perform(ctx context.Context, r *run, f func() error) error {
	defer s.end(r)
	done := make(chan error, 1)
	go func() {
		ended := false
		defer func() {
			if !ended { // only Goexit gets here without returning
				done <- errGoexit
			}
		}()
		r.io.enter()
		debug.SetPanicOnFault(true) // a wild pointer ends the cell
		err := f()
		ended = true
		done <- err
	}()
	err := s.wait(ctx, r, done)
	s.flush()
	r.io.flush()
	s.process.flush()
	return err
}

// runCell runs the initialisers of the packages that are interpreted, then the
// cell.
func (s *Session) runCell(u *unit) error {
	return s.caught(func() error {
		if err := u.interp.RunInit(); err != nil || u.folder {
			return err
		}
		_, err := u.interp.RunFunc(u.fn)
		return err
	})
}

// caught calls f. Whatever escapes the interpreter's own recovery is caught here.
func (s *Session) caught(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = crash{value: p}
		}
		if err != nil {
			c, ok := err.(crash)
			if !ok {
				c = crash{value: err}
			}
			c.site = s.takeSite(thisGoroutine())
			err = c
		}
	}()
	return f()
}

// crash is a panic value, or what the interpreter made of one, and where it
// came from.
type crash struct {
	value any
	site  panicSite
}

func (e crash) Error() string { return panicText(e.value) }

// wait returns when the cell has ended, was interrupted, exited, or lost a
// goroutine to a panic.
func (s *Session) wait(ctx context.Context, r *run, done chan error) error {
	select {
	case err := <-done:
		if ctx.Err() != nil { // the two cases below may be ready at once
			return stopped("")
		}
		select {
		case fail := <-r.panicked: // a goroutine may have failed just before
			if err == nil {
				return fail
			}
		default:
		}
		return s.failure(r, err)
	case code := <-r.exited:
		return exitStatus(code)
	case fail := <-r.panicked:
		s.stopAll(r, done)
		return fail
	case <-ctx.Done():
		if s.stopAll(r, done) {
			return stopped("")
		}
		return stopped("the cell was interrupted while it waited in compiled code or on a channel; that goroutine was left behind")
	}
}

// stopped is the error of an interrupted cell.
func stopped(msg string) *kernel.EvalError {
	if msg == "" {
		return &kernel.EvalError{Name: interrupted, Message: "the cell was interrupted", Traceback: []string{red + interrupted + plain}}
	}
	return &kernel.EvalError{Name: interrupted, Message: msg, Traceback: []string{red + interrupted + plain + ": " + msg}}
}

// stopAll stops the goroutines of r until the cell has ended or is given up.
func (s *Session) stopAll(r *run, done chan error) bool {
	defer s.stopFlag(r.io)()
	select {
	case <-done:
		return true
	case <-time.After(abandonAfter):
		return false
	}
}

func exitStatus(code int) error {
	msg := fmt.Sprintf("exit status %d", code)
	return &kernel.EvalError{Name: exitError, Message: msg, Traceback: []string{red + msg + plain + " (the session goes on)"}}
}

// failure words how the cell ended.
func (s *Session) failure(r *run, err error) error {
	if err == nil {
		return nil
	}
	var v any = err
	var site panicSite
	if c, ok := err.(crash); ok {
		v, site = c.value, c.site
	}
	v, stack := panicValue(v)
	if _, ok := v.(halt); ok {
		return stopped("")
	}
	frames, names := site.trace(stack)
	file := r.file
	if file == "" && len(frames) > 0 { // not of a cell's own code, but called by a front end
		file = frames[0].file
	}
	return runtimeFailure(file, v, frames, names, "")
}

// goroutinePanic words the panic of a goroutine; nil if it was only stopped.
func goroutinePanic(p ixgo.PanicError, at panicSite) *kernel.EvalError {
	v, stack := panicValue(p)
	if _, ok := v.(halt); ok {
		return nil
	}
	frames, names := at.trace(stack)
	file := ""
	if len(frames) > 0 {
		file = frames[0].file
	}
	return runtimeFailure(file, v, frames, names, "in a goroutine")
}

// trace is the way to the panic, as noted, else as the interpreter wrote it.
func (p panicSite) trace(stack []byte) ([]place, []string) {
	if len(p.frames) > 0 {
		return p.frames, p.names
	}
	return stackOf(stack)
}

// watch takes the panics of goroutines until the session is closed. One that
// belongs to the running cell fails it; one that outlived its cell is told on
// that cell's standard error.
func (s *Session) watch() {
	for {
		select {
		case p := <-s.panics:
			s.tell(p, s.panickedAt(p.Stack()))
		case <-s.done:
			return
		}
	}
}

func (s *Session) tell(p ixgo.PanicError, at panicSite) {
	fail := goroutinePanic(p, at)
	if fail == nil {
		return
	}
	c := at.io
	if c == nil {
		c = s.current()
	}
	if c == nil {
		return
	}
	if r := c.run.Load(); r != nil {
		select {
		case r.panicked <- fail:
		default:
		}
	} else {
		fmt.Fprintln(cellFile{c}, strings.Join(fail.Traceback, "\n"))
	}
}

// panicSite is where a goroutine last panicked, through which calls, and whose
// it is.
type panicSite struct {
	frames []place // innermost first
	names  []string
	io     *cellIO
	seq    int64
}

// onPanic notes where a goroutine panics. The interpreter calls it on that
// goroutine, for panics that are recovered later too.
func (s *Session) onPanic(info *ixgo.PanicInfo) {
	if _, again := info.Error.(ixgo.FatalError); !again && info.Frame != nil {
		s.notePanic((*frame)(unsafe.Pointer(info.Frame)), nil)
	}
}

// notePanic notes that fr panics at the instruction.
func (s *Session) notePanic(fr *frame, at ssa.Instruction) {
	frames, names := s.framesOf(fr, at)
	s.setSite(panicSite{frames, names, ofGoroutine(), s.noted.Add(1)})
}

func (s *Session) setSite(site panicSite) {
	id := thisGoroutine()
	s.posMu.Lock()
	defer s.posMu.Unlock()
	if len(s.positions) > 1000 {
		clear(s.positions)
	}
	s.positions[id] = site
}

// passPanic notes that a panic leaves compiled code that fr called, behind what
// was noted of the same panic since before.
func (s *Session) passPanic(fr *frame, at ssa.Instruction, before int64) {
	site := s.takeSite(thisGoroutine())
	if site.seq <= before {
		s.notePanic(fr, at)
		return
	}
	frames, names := s.framesOf(fr, at)
	site.frames, site.names = append(site.frames, frames...), append(site.names, names...)
	s.setSite(site)
}

// panickedAt is where the goroutine that wrote the stack panicked; the zero
// site when it is not known.
func (s *Session) panickedAt(stack []byte) panicSite { return s.takeSite(goroutineID(stack)) }

func (s *Session) takeSite(id string) panicSite {
	s.posMu.Lock()
	defer s.posMu.Unlock()
	p := s.positions[id]
	delete(s.positions, id)
	return p
}

func thisGoroutine() string {
	var buf [64]byte
	return goroutineID(buf[:runtime.Stack(buf[:], false)])
}

// goroutineID reads "goroutine 7" off the head of a stack.
func goroutineID(stack []byte) string {
	head, _, _ := strings.Cut(string(stack[:min(len(stack), 64)]), " [")
	if !strings.HasPrefix(head, "goroutine ") {
		return ""
	}
	return head
}

// Tuple is the result of a cell whose last expression has several values.
type Tuple []any

// String is the values as fmt prints them, separated by spaces.
func (t Tuple) String() string { return strings.TrimSuffix(fmt.Sprintln([]any(t)...), "\n") }

var errorType = types.Universe.Lookup("error").Type()

// result is what the last expression shows. A last value of type error is not
// shown: nil says nothing, and anything else is the cell's error.
func (s *Session) result(u *unit, r *run) (any, error) {
	vals := *r.shown
	*r.shown = nil
	if !u.shows {
		vals = nil
	}
	if n := len(vals); n > 0 && len(u.shownAt) == n && types.Identical(u.shownAt[n-1], errorType) {
		if err, ok := vals[n-1].(error); ok && err != nil {
			return nil, &kernel.EvalError{Name: typeName(err), Message: err.Error(), Traceback: []string{red + typeName(err) + ": " + err.Error() + plain}}
		}
		vals = vals[:n-1]
	}
	switch len(vals) {
	case 0:
		return nil, nil
	case 1:
		return vals[0], nil
	}
	for _, v := range vals {
		if _, ok := v.(interface{ MIMEBundle() map[string]any }); ok && r.io.host.Display != nil {
			for _, v := range vals[:len(vals)-1] {
				if err := r.io.host.Display(v); err != nil {
					return nil, fmt.Errorf("display: %w", err)
				}
			}
			return vals[len(vals)-1], nil
		}
	}
	return Tuple(vals), nil
}
