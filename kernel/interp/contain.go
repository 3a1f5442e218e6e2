package interp

import (
	"bytes"
	"reflect"
	"runtime"
	"runtime/debug"

	"github.com/goplus/ixgo"
)

// contain makes f fit for a goroutine that compiled code will start: f runs as
// its caller's cell's, and its panic ends that cell instead of the process.
func (s *Session) contain(f func()) func() {
	c := ofGoroutine()
	return func() { s.runContained(c, f) }
}

func (s *Session) runContained(c *cellIO, f func()) {
	debug.SetPanicOnFault(true)
	if c != nil && ofGoroutine() != c { // a timer's goroutine has no parent
		c.enter()
	}
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		at := s.panickedAt([]byte(thisGoroutine()))
		at.io = c
		fail, ok := p.(ixgo.PanicError)
		if !ok {
			fail = ixgo.PanicError{Value: p}
		}
		s.tell(fail, at)
	}()
	f()
}

// contained reports whether a panic of the calling goroutine stays inside this
// package: whether the goroutine is the cell's own, was started by interpreted
// code, or runs what contain made. It costs a traceback.
func contained() bool { return onStack(containers) }

// stoppable reports whether a panic of the calling goroutine ends it at most.
func stoppable() bool { return onStack(containers) || onStack(guards) }

func onStack(frames [][]byte) bool {
	buf := make([]byte, 64<<10) // the runtime prints no more than 100 frames
	stack := buf[:runtime.Stack(buf, false)]
	for _, f := range frames {
		if bytes.Contains(stack, f) {
			return true
		}
	}
	return false
}

var containers = func() [][]byte {
	pkg := reflect.TypeFor[Session]().PkgPath()
	return [][]byte{
		[]byte("\ncreated by " + pkg + ".(*Session).perform"),
		[]byte("\ncreated by " + reflect.TypeFor[ixgo.Interp]().PkgPath() + "."),
		[]byte("\n" + pkg + ".(*Session).runContained("),
		[]byte("\nnet/http.(*conn).serve("), // recovers what handlers panic with
	}
}()

var guards = [][]byte{[]byte("\n" + reflect.TypeFor[Session]().PkgPath() + ".(*Session).guard(")}

// guard runs the rest of a function that compiled code has called, its checks
// at the entry done. If that code runs it on a goroutine of its own, as package
// testing does, a panic would end the process: it ends the cell, and the
// goroutine stays where it is.
func (s *Session) guard(fr *frame) {
	done := false
	defer func() {
		if done || contained() {
			return
		}
		p := recover()
		if p == nil {
			return // runtime.Goexit, as t.FailNow calls it
		}
		at := s.panickedAt([]byte(thisGoroutine()))
		at.io = ofGoroutine()
		fail, ok := p.(ixgo.PanicError)
		if !ok {
			fail = ixgo.PanicError{Value: p}
		}
		s.tell(fail, at)
		select {}
	}()
	if fn := fr.pfn; fn.Recover != nil { // its deferred calls run inside
		c := enter(fr, fn)
		n := fn.nres
		copy(c.stack[n:n+fn.narg+fn.nenv], fr.stack[n:])
		runFrame(c)
		copy(fr.stack[:n], c.stack)
		fr.callee, fr.ipc = nil, -1
	} else {
		execute(fr)
	}
	done = true
}
