package notebook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Executor runs the code of one cell, usually by asking a kernel.
type Executor interface {
	// Execute runs code and hands every output to output, in order and one at a time, from any goroutine, before it returns; what goroutines of
	// the code print later may come until Run has returned, beside the outputs of other cells. When ctx ends it
	// interrupts the code and returns soon. Its error says that the code could not be run (no kernel, connection lost, ctx ended); code that
	// failed is a Result.
	Execute(ctx context.Context, code string, output func(Output)) (Result, error)
}

// Result is how the code of a cell ended.
type Result struct {
	ExecutionCount int
	Failed         bool   // the code ended with an error, or was aborted
	Name, Message  string // of the error
	Line           int    // in the cell from 1, 0 if unknown
	Traceback      []string
}

// RunOptions says how to run a notebook. The zero value stops at the first error and sets no time limit.
type RunOptions struct {
	Progress    func(CellEvent) // called before and after every code cell, by the goroutine that called Run
	AllowErrors bool            // go on after a cell that failed
	Timeout     time.Duration   // for each cell; 0: none. A cell that takes longer ends the run even with AllowErrors
}

// CellEvent reports progress: once when a code cell starts and once when it is done.
type CellEvent struct {
	Cell    int // from 1 among the code cells
	Cells   int // how many code cells there are
	Index   int // among all cells, from 0
	Done    bool
	Skipped bool          // not run: no code in it, or tagged skip-execution
	Elapsed time.Duration // when Done
	Err     *CellError    // when Done: what went wrong, also if it was allowed to
}

// CellError is a cell that failed.
type CellError struct {
	Cell    int // from 1 among the code cells
	Index   int // among all cells, from 0
	Line    int // in the cell from 1, 0 if unknown
	Name    string
	Message string
	Err     error // set if the code could not be run or ran out of time: ctx's error, or the Executor's
}

// Error gives cell, line, name and the first line of the message.
func (e *CellError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cell %d", e.Cell)
	if e.Line > 0 {
		fmt.Fprintf(&b, ", line %d", e.Line)
	}
	if e.Name != "" {
		b.WriteString(": " + e.Name)
	}
	if first, _, _ := strings.Cut(strings.TrimSpace(e.Message), "\n"); first != "" && first != e.Name {
		b.WriteString(": " + first)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *CellError) Unwrap() error { return e.Err }

// ErrOutputTooLarge says that the outputs of one run would make a file that Read might not accept.
var ErrOutputTooLarge = fmt.Errorf("outputs are larger than the %d MiB that one run may keep", maxOutput>>20)

// maxOutput leaves room for sources, indentation and escapes in a file of MaxSize.
const maxOutput = MaxSize / 2

// Run executes the code cells in order and puts their outputs in place of the old ones, which are removed from all code cells first, so that
// what is in the notebook afterwards came from this run; cells tagged skip-execution keep theirs. Time stamps that other tools left in the
// cells are removed and none are written. Stream outputs that follow each other are merged; clear_output and update_display_data are applied.
//
// It stops at the first cell that fails, unless errors are allowed for the run or by the cell's tag raises-exception, and returns a
// *CellError for it. A cancelled ctx or a lost kernel ends the run always; outputs up to then are kept.
func (nb *Notebook) Run(ctx context.Context, ex Executor, opt RunOptions) error {
	return nb.run(ctx, ex, opt, maxOutput)
}

func (nb *Notebook) run(ctx context.Context, ex Executor, opt RunOptions, limit int) error {
	r := &run{opt: opt, limit: limit}
	defer r.close()
	var todo []int
	for i, c := range nb.Cells {
		if c.Type != Code {
			continue
		}
		todo = append(todo, i)
		if !c.HasTag(TagSkipExecution) {
			c.Outputs, c.ExecutionCount = nil, 0
			c.Metadata.Delete("execution")
		}
	}
	for n, i := range todo {
		c := nb.Cells[i]
		ev := CellEvent{Cell: n + 1, Cells: len(todo), Index: i}
		r.report(ev)
		ev.Done = true
		if strings.TrimSpace(c.Source) == "" || c.HasTag(TagSkipExecution) {
			ev.Skipped = true
			r.report(ev)
			continue
		}
		start := time.Now()
		ev.Err = r.cell(ctx, ex, c)
		ev.Elapsed = time.Since(start)
		if ev.Err != nil {
			ev.Err.Cell, ev.Err.Index = ev.Cell, i
		}
		r.report(ev)
		if e := ev.Err; e != nil && (e.Err != nil || !opt.AllowErrors && !c.HasTag(TagRaisesException)) {
			return e
		}
	}
	return nil
}

// run is the state of one Run.
type run struct {
	opt RunOptions

	mu     sync.Mutex // of what follows, and of the cells' outputs
	limit  int        // bytes of output to keep
	size   int        // bytes of output kept so far
	past   []*Cell    // cells that have run, whose displays may be updated
	closed bool
}

// close ends the taking of outputs: the notebook is its owner's again.
func (r *run) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

func (r *run) report(ev CellEvent) {
	if r.opt.Progress != nil {
		r.opt.Progress(ev)
	}
}

func (r *run) cell(ctx context.Context, ex Executor, c *Cell) *CellError {
	cctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if r.opt.Timeout > 0 {
		var stop context.CancelFunc
		cctx, stop = context.WithTimeout(cctx, r.opt.Timeout)
		defer stop()
	}
	rec := &recorder{run: r, cell: c, tooLarge: func() { cancel(ErrOutputTooLarge) }}
	res, err := ex.Execute(cctx, c.Source, rec.add)
	rec.end()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.past = append(r.past, c)
	c.ExecutionCount = res.ExecutionCount

	switch {
	case rec.full:
		return &CellError{Name: "OutputError", Message: ErrOutputTooLarge.Error(), Err: ErrOutputTooLarge}
	case err == nil && !res.Failed:
		return nil
	case ctx.Err() != nil:
		return &CellError{Name: "Interrupted", Message: ctx.Err().Error(), Line: res.Line, Err: ctx.Err()}
	case errors.Is(cctx.Err(), context.DeadlineExceeded):
		return &CellError{Name: "Timeout", Message: fmt.Sprintf("the cell took longer than the %v allowed", r.opt.Timeout), Line: res.Line, Err: cctx.Err()}
	case err != nil:
		return &CellError{Name: "KernelError", Message: err.Error(), Err: err}
	}
	if !slices.ContainsFunc(c.Outputs, func(o Output) bool { return o.Type == Error }) {
		// The reply knows of an error that was not published: the file must show it.
		c.Outputs = append(c.Outputs, Output{Type: Error, ErrName: res.Name, ErrValue: res.Message, Traceback: res.Traceback})
	}
	return &CellError{Line: res.Line, Name: res.Name, Message: res.Message}
}

// recorder collects the outputs of one cell.
type recorder struct {
	run      *run
	cell     *Cell
	tooLarge func()

	stream  []byte // text of the last output if that is a stream that may still grow
	pending bool   // clear when the next output comes
	ended   bool   // the cell has; its goroutines may go on
	full    bool
}

func (rec *recorder) add(o Output) {
	rec.run.mu.Lock()
	defer rec.run.mu.Unlock()
	if rec.run.closed || rec.full {
		return
	}
	rec.put(o)
	if rec.ended {
		rec.flush()
	}
}

func (rec *recorder) put(o Output) {
	switch o.Type {
	case ClearOutput:
		if rec.pending = o.Wait; !o.Wait {
			rec.clear()
		}
		return
	case UpdateDisplayData:
		rec.update(o)
		return
	}
	if rec.pending {
		rec.clear()
		rec.pending = false
	}
	last := len(rec.cell.Outputs) - 1
	merge := o.Type == Stream && last >= 0 && rec.cell.Outputs[last].Type == Stream && rec.cell.Outputs[last].Name == o.Name
	grow := o.size()
	if merge {
		grow = len(o.Text)
	}
	if !rec.grow(grow) {
		return
	}
	if merge {
		rec.stream = append(rec.stream, o.Text...)
		return
	}
	rec.flush()
	if o.Type == Stream {
		rec.stream = append(rec.stream, o.Text...)
		o.Text = ""
	}
	rec.cell.Outputs = append(rec.cell.Outputs, o)
}

// flush gives the stream output at the end its text: adding every piece to a string would take quadratic time.
func (rec *recorder) flush() {
	if n := len(rec.cell.Outputs) - 1; n >= 0 && rec.cell.Outputs[n].Type == Stream && len(rec.stream) > 0 {
		rec.cell.Outputs[n].Text += string(rec.stream)
	}
	rec.stream = rec.stream[:0]
}

func (rec *recorder) clear() {
	rec.flush()
	for i := range rec.cell.Outputs {
		rec.run.size -= rec.cell.Outputs[i].size()
	}
	rec.cell.Outputs = nil
}

// update replaces the data of every display of that id, in this cell and in those before it.
func (rec *recorder) update(o Output) {
	if o.DisplayID == "" {
		return
	}
	cells := rec.run.past
	if !rec.ended {
		cells = append(slices.Clip(cells), rec.cell)
	}
	for _, c := range cells {
		for i := range c.Outputs {
			if out := &c.Outputs[i]; out.DisplayID == o.DisplayID {
				if !rec.grow(o.size() - out.size()) {
					return
				}
				out.Data, out.Metadata = o.Data, o.Metadata
			}
		}
	}
}

// grow counts n more bytes and reports whether they are allowed; if not it ends the cell.
func (rec *recorder) grow(n int) bool {
	if rec.run.size+n > rec.run.limit {
		rec.full = true
		rec.tooLarge()
		return false
	}
	rec.run.size += n
	return true
}

func (rec *recorder) end() {
	rec.run.mu.Lock()
	defer rec.run.mu.Unlock()
	rec.flush()
	rec.ended = true
}

// size is roughly what the output takes in the file.
func (out *Output) size() int {
	n := 64 + len(out.Text) + len(out.ErrName) + len(out.ErrValue)
	for k, v := range out.Data.vals {
		n += len(k) + len(v)
	}
	for k, v := range out.Metadata.vals {
		n += len(k) + len(v)
	}
	for _, line := range out.Traceback {
		n += len(line)
	}
	return n
}
