package kernel

import (
	"context"
	"fmt"
	"io"
)

// Evaluator runs cells. It is all the kernel knows of a language.
//
// Every method may be called while others run. Eval runs once at a time for the
// main shell and once for each subshell (JEP 91), whose cells run beside each
// other and share the state; and a cell that was interrupted and did not return
// within Config.InterruptGrace is abandoned, so that its shell's next cell starts
// while the old call still runs. An Evaluator that cannot have this lets calls
// wait for each other. They are not in the order of Cell.Count then.
//
// A panic inside any method is recovered and reported as an error of the cell;
// a panic in a goroutine that user code started cannot be recovered here.
//
// An Evaluator may also implement Completer, Inspector, Checker, Formatter, Lister,
// Resetter and io.Closer; they are found by type assertion.
type Evaluator interface {
	// Eval runs one cell. ctx is cancelled by an interrupt and by shutdown. The
	// returned value is displayed as the cell's result; nil displays nothing. An
	// error of the user's code should be (or wrap) an *EvalError.
	Eval(ctx context.Context, c *Cell) (any, error)
}

// Cell is one execution: what to run and where its output goes.
//
// Every function and writer stays valid after the cell has ended and may be
// used from any goroutine: what a late goroutine prints still belongs to the
// cell that started it. None of the function fields is nil in a cell that the
// kernel made.
type Cell struct {
	// Count is the execution count that the reply will carry, from 1 (0 for a
	// silent execution before the first counted one).
	Count int
	// Source is the code of the cell as the front end sent it.
	Source string
	// Subshell is the id of the subshell that runs the cell, "" for the main shell.
	Subshell string
	// Stdout and Stderr are coalesced into stream messages; they never block on
	// a slow front end and never return an error.
	Stdout, Stderr io.Writer

	// Display shows v at this point of the cell's output; see the package
	// documentation for how values become MIME bundles. The error says why v
	// could not be shown as it wanted (its text/plain form is shown regardless).
	Display func(v any) error
	// DisplayID is Display with an identifier that UpdateDisplay can name later.
	DisplayID func(id string, v any) error
	// UpdateDisplay replaces every display shown under id.
	UpdateDisplay func(id string, v any) error
	// ClearOutput clears the cell's output, at once or (wait) when the next
	// output arrives.
	ClearOutput func(wait bool)
	// Input asks the user for a line (hidden while typed: password) and waits for
	// it. It fails with ErrNoInput when the front end takes no questions, and when
	// the cell is interrupted or has ended.
	Input func(prompt string, password bool) (string, error)
	// Payload adds an entry to the payload of the execute reply, such as
	// {"source": "page", "data": {...}, "start": 0} or {"source":
	// "set_next_input", "text": ..., "replace": false}. It has no effect after
	// the cell has ended.
	Payload func(p map[string]any)
	// OpenComm opens a comm to a target that the front end knows.
	OpenComm func(target string, m CommMessage) (*Comm, error)
	// RegisterComm is the kernel's.
	RegisterComm func(target string, open CommTarget)
}

// EvalError is an error of user code, shown in the notebook as an error output.
type EvalError struct {
	// Name is the kind of error ("TypeError", "panic"); Message says what.
	Name, Message string
	// Traceback is what the front end prints, one entry per line or frame, and
	// may hold ANSI colours. Empty: "Name: Message".
	Traceback []string
	// Line is the line in the cell, from 1; 0 when it is not known.
	Line int
}

// Error returns "Name: Message", with the line when it is known.
func (e *EvalError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s: %s (line %d)", e.Name, e.Message, e.Line)
	}
	return e.Name + ": " + e.Message
}

// Completer is an Evaluator that completes code.
type Completer interface {
	// Complete lists completions of src at cursor, a byte offset in
	// [0, len(src)] that never lies inside a character.
	Complete(src string, cursor int) Completions
}

// Completions replace the bytes [Start, End) of the source with one Item's Text.
type Completions struct {
	Start, End int
	Items      []Completion
}

// Completion is one candidate.
type Completion struct {
	// Text replaces the whole range of its Completions.
	Text string
	// Type is "function", "instance", "class", "module", "keyword", "statement",
	// ... (the words front ends have icons for); "" if unknown.
	Type string
	// Signature is shown beside the candidate; "" for none.
	Signature string
}

// Inspector is an Evaluator that documents code.
type Inspector interface {
	// Inspect describes what stands at cursor, a byte offset as in Complete.
	// detail is 0 (a question mark, a tooltip) or 1 (source too). bundle maps
	// MIME types to data and should hold text/plain; found is false when there
	// is nothing to say.
	Inspect(src string, cursor, detail int) (bundle map[string]any, found bool)
}

// Lister is an Evaluator that can list what cells have defined.
type Lister interface {
	// Names are the names in force, sorted.
	Names() []Name
}

// Name is a name that cells can use.
type Name struct {
	Name string
	// Kind is "var", "const", "type", "func" or "package" (for Go), Type what the
	// language calls it.
	Kind, Type string
	// Predeclared names were there before the first cell.
	Predeclared bool
}

// Resetter is an Evaluator that can forget.
type Resetter interface {
	// Reset brings back the state before the first cell.
	Reset() error
}

// Formatter is an Evaluator that can lay out code.
type Formatter interface {
	// Format is src in the usual form of the language.
	Format(src string) (string, error)
}

// Checker is an Evaluator that can tell whether a cell is finished, for console
// front ends.
type Checker interface {
	Check(src string) Completeness
}

// Completeness is a Checker's answer.
type Completeness struct {
	// Status is one of the four constants below.
	Status string
	// Indent is the white space to start the next line with when Status is
	// Incomplete.
	Indent string
}

// The values of Completeness.Status.
const (
	Complete   = "complete"
	Incomplete = "incomplete"
	Invalid    = "invalid"
	Unknown    = "unknown"
)
