package interp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"unsafe"
	"weak"

	"golang.org/x/tools/go/ssa"

	"github.com/gopherlens/gopherlens/kernel"
)

// cellIO is where one cell's output goes. It outlives the cell: goroutines the
// cell started keep it.
type cellIO struct {
	mu             sync.Mutex
	stdout, stderr io.Writer
	host           kernel.Cell
	ctx            context.Context
	id             string              // value of the label
	run            atomic.Pointer[run] // nil when the cell does not run
	stopping       atomic.Bool
	apart          bool  // of a subshell: its os.Stdout and os.Stderr are its own
	out, err       *pipe // made when first asked for
}

func (c *cellIO) write(w io.Writer, p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w == nil {
		return len(p), nil
	}
	return w.Write(p)
}

// Goroutine labels are what tells whose output it is: the runtime hands them
// from parent to child, whoever starts the child, at no cost to us. The
// profiler's view of them is a welcome by-product.
//
//go:linkname goroutineLabels runtime/pprof.runtime_getProfLabel
func goroutineLabels() unsafe.Pointer

var (
	cellCount atomic.Int64
	byLabels  sync.Map // address of a label set -> *owner
)

// owner is the cell that a label set stands for. Only goroutines keep the set:
// with the last of them the garbage collector takes the set, and the set's
// cleanup takes the owner.
type owner struct {
	labels weak.Pointer[byte]
	io     *cellIO
}

// cellLabel is the key of the goroutine label that names the cell.
const cellLabel = "gopherlens-cell"

// enter marks the calling goroutine, and all that it will start, as c's. Only
// the first call may be beside no other.
func (c *cellIO) enter() {
	if c.id == "" {
		c.id = strconv.FormatInt(cellCount.Add(1), 10)
	}
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(cellLabel, c.id)))
	set := (*byte)(goroutineLabels())
	o := &owner{weak.Make(set), c}
	at := uintptr(unsafe.Pointer(set))
	byLabels.Store(at, o)
	// by then the address may be another set's, whose owner stays
	runtime.AddCleanup(set, func(o *owner) { byLabels.CompareAndDelete(at, o) }, o)
}

// ofGoroutine is the cell of the calling goroutine, nil if no cell started it.
func ofGoroutine() *cellIO {
	set := (*byte)(goroutineLabels())
	if set == nil {
		return nil
	}
	v, ok := byLabels.Load(uintptr(unsafe.Pointer(set)))
	if !ok {
		return nil
	}
	o := v.(*owner)
	if o.labels.Value() != set { // a set that is gone was here before
		return nil
	}
	return o.io
}

// output is the calling goroutine's cell, else the session's current one.
func (s *Session) output() *cellIO {
	if c := ofGoroutine(); c != nil {
		return c
	}
	if c := s.current(); c != nil {
		return c
	}
	return &cellIO{}
}

// print writes text to the cell's standard output, after what the cell wrote
// to os.Stdout before.
func (s *Session) print(p []byte) (int, error) {
	s.flush()
	c := s.output()
	return c.write(c.stdout, p)
}

// toStdout writes to os.Stdout, which a cell may have set to something else.
func (s *Session) toStdout(p []byte) (int, error) {
	if f := s.osOut; f != s.stdout.w && f != nil {
		return s.writer(f).Write(p)
	}
	return s.print(p)
}

func (s *Session) printErr(p []byte) (int, error) {
	s.flush()
	c := s.output()
	return c.write(c.stderr, p)
}

// logOutput is the default logger's writer in a process with sessions: a line
// logged by a cell, or by compiled code it calls, goes to that cell.
type logOutput struct{ rest io.Writer }

func (l logOutput) Write(p []byte) (int, error) {
	c := ofGoroutine()
	if c == nil {
		return l.rest.Write(p)
	}
	n := len(p)
	if bytes.Contains(p, []byte(": panic serving ")) { // of net/http, with a stack of the interpreter's frames
		if head, _, ok := bytes.Cut(p, []byte("\ngoroutine ")); ok {
			p = append(head, '\n')
		}
	}
	if _, err := c.write(c.stderr, p); err != nil {
		return 0, err
	}
	return n, nil
}

var logOnce sync.Once

// catchLog routes the default logger. The standard library keeps one per
// process, so this is per process too; whoever has set another writer keeps it.
func catchLog() {
	logOnce.Do(func() {
		if w := log.Writer(); w == io.Writer(os.Stderr) {
			log.SetOutput(logOutput{w})
		}
	})
}

// pipe is an *os.File for cells, such as their os.Stdout. What is written to
// it comes out at the writer of the session's current cell, or of the cell whose
// own it is.
type pipe struct {
	*outlet
	w     *os.File
	used  atomic.Bool
	mu    sync.Mutex // one flush at a time
	marks atomic.Int64
}

// outlet is the other end of a pipe. It does not keep w, so that a pipe ends when
// nobody has its file any more.
type outlet struct {
	r       *os.File
	arrived chan int64
	closed  chan struct{}
}

// A mark in the stream tells that everything before it has been passed on.
const (
	markHead = "\x00\x01gopherlens:"
	markTail = "\x01\x00"
)

func newPipe(deliver func([]byte)) (*pipe, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cannot make a pipe for the output of cells: %w", err)
	}
	p := &pipe{outlet: &outlet{r: r, arrived: make(chan int64, 1), closed: make(chan struct{})}, w: w}
	go p.outlet.pump(deliver)
	return p, nil
}

func (p *outlet) pump(deliver func([]byte)) {
	defer close(p.closed)
	var pending []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := p.r.Read(buf)
		pending = append(pending, buf[:n]...)
		pending = p.pass(pending, deliver)
		if err != nil {
			if len(pending) > 0 {
				deliver(pending)
			}
			return
		}
	}
}

// pass delivers what is known to be text and reports the marks between it.
func (p *outlet) pass(b []byte, deliver func([]byte)) []byte {
	for {
		i := bytes.Index(b, []byte(markHead))
		if i < 0 {
			keep := 0 // the start of a mark may still be on its way
			for k := min(len(markHead)-1, len(b)); k > 0; k-- {
				if bytes.HasSuffix(b, []byte(markHead[:k])) {
					keep = k
					break
				}
			}
			if len(b) > keep {
				deliver(b[:len(b)-keep])
			}
			return append([]byte(nil), b[len(b)-keep:]...)
		}
		if i > 0 {
			deliver(b[:i])
			b = b[i:]
		}
		rest := b[len(markHead):]
		end := bytes.Index(rest, []byte(markTail))
		if end < 0 {
			if len(rest) < 32 {
				return append([]byte(nil), b...)
			}
			// not a mark after all
			deliver(b[:len(markHead)])
			b = rest
			continue
		}
		if id, err := strconv.ParseInt(string(rest[:end]), 10, 64); err == nil {
			select {
			case p.arrived <- id:
			default:
			}
		}
		b = rest[end+len(markTail):]
	}
}

// flush returns when everything written to the pipe so far has been delivered.
func (p *pipe) flush() {
	if !p.used.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	id := p.marks.Add(1)
	if _, err := io.WriteString(p.w, markHead+strconv.FormatInt(id, 10)+markTail); err != nil {
		return
	}
	for {
		select {
		case got := <-p.arrived:
			if got >= id {
				return
			}
		case <-p.closed:
			return
		}
	}
}

func (p *pipe) close() {
	p.w.Close()
	<-p.closed
	p.r.Close()
}

// processOutput stands for the process's own os.Stdout and os.Stderr.
type processOutput struct {
	out, err   *pipe
	out0, err0 *os.File
}

// CatchProcess makes what compiled code writes to the process's os.Stdout and
// os.Stderr output of the cell that runs, or ran last, until the session is
// closed. A process may have one such session. Its order beside what the cell
// itself prints is not kept; it is all there when the cell ends.
func (s *Session) CatchProcess() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := newPipe(func(p []byte) { s.deliver(p, false) })
	if err != nil {
		return err
	}
	errs, err := newPipe(func(p []byte) { s.deliver(p, true) })
	if err != nil {
		out.close()
		return err
	}
	out.used.Store(true)
	errs.used.Store(true)
	s.process = &processOutput{out, errs, os.Stdout, os.Stderr}
	os.Stdout, os.Stderr = out.w, errs.w
	return nil
}

func (p *processOutput) flush() {
	if p != nil {
		p.out.flush()
		p.err.flush()
	}
}

func (p *processOutput) release() {
	if p != nil {
		os.Stdout, os.Stderr = p.out0, p.err0
		p.out.close()
		p.err.close()
	}
}

// flush passes on what cells wrote to os.Stdout and os.Stderr.
func (s *Session) flush() {
	s.stdout.flush()
	s.stderr.flush()
	if c := ofGoroutine(); c != nil {
		c.flush()
	}
}

// file is os.Stdout or os.Stderr for the goroutines of a cell of a subshell. The
// session's are the main shell's: what compiled code and child processes write
// there does not tell whose it is. nil means that the system has no more pipes.
func (c *cellIO) file(stderr bool) *os.File {
	at, w := &c.out, c.stdout
	if stderr {
		at, w = &c.err, c.stderr
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if *at == nil {
		p, err := newPipe(func(b []byte) { // must not keep c, which keeps the file
			if w != nil {
				w.Write(b)
			}
		})
		if err != nil {
			return nil
		}
		p.used.Store(true)
		*at = p
	}
	return (*at).w
}

// owns reports whether f is one of the files that file gave.
func (c *cellIO) owns(f *os.File) (own, stderr bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.out != nil && c.out.w == f:
		return true, false
	case c.err != nil && c.err.w == f:
		return true, true
	}
	return false, false
}

func (c *cellIO) flush() {
	c.mu.Lock()
	pipes := []*pipe{c.out, c.err}
	c.mu.Unlock()
	for _, p := range pipes {
		if p != nil {
			p.flush()
		}
	}
}

// ownFile is the load of os.Stdout or os.Stderr, which in cells of subshells give
// files of their own.
func (e *engine) ownFile(g *ssa.Global, r int, load func(*frame)) func(*frame) {
	if g.Pkg == nil || g.Pkg.Pkg.Path() != "os" || g.Name() != "Stdout" && g.Name() != "Stderr" {
		return load
	}
	stderr, shared := g.Name() == "Stderr", e.s.stdout.w
	if stderr {
		shared = e.s.stderr.w
	}
	return func(fr *frame) {
		load(fr)
		if f, ok := fr.stack[r].(*os.File); !ok || f != shared {
			return // a cell has set the variable
		}
		if c := ofGoroutine(); c != nil && c.apart {
			if f := c.file(stderr); f != nil {
				fr.stack[r] = f
			}
		}
	}
}
