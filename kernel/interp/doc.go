// Package interp runs Go cells inside the process: it implements
// kernel.Evaluator, and with it completion, inspection and the check whether a
// cell is finished.
//
// # How a cell becomes a program
//
// A cell is split at its top-level semicolons (split.go) and sorted into
// imports, declarations and statements (plan.go). They are put together as one
// file of package main: declarations stay, statements become the body of one
// function, and every variable a statement defines also appears as a package
// variable so that go/types infers its type (assemble.go). The checker sees
// the live objects of earlier cells as if they had been declared in the same
// package (check.go). Variables then move to a package of their own, whose
// storage outlives the cell; the rest becomes SSA in a program made for this
// cell alone, in which earlier cells appear as packages without bodies
// (build.go, stub.go), and ixgo interprets it. Nothing of the session changes
// before the whole cell is compiled (commit in session.go).
//
// A redefinition recompiles every live declaration that depends on the name,
// so old callers see the new function; what no longer compiles is dropped with
// a notice. A declaration repeated word for word, with its comment, is
// kept as it is, so that running a cell of declarations again changes nothing. A variable
// or constant that is defined by its own name means the one of an earlier cell:
// x := x + 1, const X = X + 1. Values of a type that
// is declared again with the same layout become values of the new type, in
// variables (migrate.go) and in the interfaces and functions that variables
// lead to (renew.go).
//
// # Completion and inspection
//
// They see a snapshot of the session, also while a cell runs, and what the
// unfinished cell declares up to the cursor: it goes through the checker with
// its open brackets closed, whatever is wrong with it (local.go). Comments and
// the names of parameters, which compiled packages do not keep, come from
// generated tables (docs.go, symbols/docs.go); those of folders from their
// files as they were loaded.
//
// # Packages beside the notebook
//
// A path that starts with ./ imports a folder of the working directory, which
// front ends and gopherlens run set to the notebook's (%cd changes it). Its .go
// files, tests and those that build constraints exclude left out, are one
// package, interpreted with the same checks as cells. They may import what cells
// may, and further folders by paths relative to their own, ./ or ../, inside the
// working directory. Errors name ./helpers/file.go:3:5.
//
// The package is initialised once and keeps its variables from cell to cell. Its
// files are read again when an import of it is run again. If they, or those of
// folders that it imports, differ from what is loaded, a new package takes its
// name: initialised anew, with variables of its own. Declarations of cells that
// use the name are compiled again. Values that exist keep their types and
// methods of before, which are other types than those of the same name now; the
// cell says which variables hold some. If the cell fails to compile or the new
// package does not initialise, the name keeps the package of before. Packages
// that import a changed folder follow when they are themselves imported again.
//
// Refused are absolute paths, paths and symbolic links that leave the working
// directory, package main, cgo, //go:embed, functions without bodies, more than
// 4 MiB of Go or 1000 files in a folder, and more than 64 folders in one cell.
//
// # Predeclared names
//
// Each can be redefined like any other name:
//
//	ctx                                          ends with an interrupt of the calling goroutine's cell
//	Display(v any)                               shows v at this point of the output
//	DisplayID(id string, v any)                  the same, under a name
//	UpdateDisplay(id string, v any)              replaces what is shown under that name
//	ClearOutput(wait bool)                       clears the cell's output, at once or when the next output comes
//	Page(v any)                                  shows v in the front end's pager when the cell has succeeded
//	Input(prompt string) (string, error)         asks for a line
//	Password(prompt string) (string, error)      the same, hidden while it is typed
//	Must[T any](v T, err error) T                v, or a panic with err
//	OpenComm(target string, m display.Message) (display.Comm, error)
//	                                             opens a comm to a front end that knows the target
//	RegisterComm(target string, open func(display.Comm, display.Message) error)
//	                                             takes the comms that front ends open to a target; nil ends that
//
// A comm joins a cell and what runs in the page, such as a widget or a script. This
// one answers each message, with buffers, until either side closes it:
//
//	RegisterComm("square", func(c display.Comm, open display.Message) error {
//		c.Handle(func(m display.Message) {
//			n, _ := m.Data["n"].(float64)
//			c.Send(display.Message{Data: map[string]any{"n": n * n}, Buffers: m.Buffers})
//		}, func(display.Message) { fmt.Println("closed") })
//		return nil // an error closes the comm
//	})
//
// A comm to a target that nobody has registered is closed by whichever side was
// asked.
//
// # Output
//
// What a cell prints with package fmt, the built-in print, package log or
// os.Stdout and os.Stderr goes to the writers of the cell whose goroutine, or
// whose goroutine's ancestor, prints it (output.go). What compiled code, such as
// an encoder, and child processes write to a cell's os.Stdout goes to the cell
// that runs; a cell of a subshell has files of its own there. What compiled code
// writes to the process's own os.Stdout and os.Stderr goes, after CatchProcess,
// to the cell that runs, in the main shell if one does. The built-in print of
// compiled code, and the last words of the Go runtime, still go to the terminal.
//
// # Concurrency
//
// All methods may be called at any time. Cells are compiled one after the other;
// what they define is the session's before they run, and they run beside each
// other if Eval is called for one while another runs, as it is for subshells
// (running.go). Variables are shared as between goroutines. While the package of
// a folder is initialised, other cells wait. Goroutines that cells start keep running.
//
// # Errors
//
// Eval returns *kernel.EvalError for everything user code can do wrong. What
// cannot be contained: a fatal error of the Go runtime in compiled code (a map
// that encoding/json reads while a goroutine writes to it, memory exhaustion), a
// compiled library that panics in a goroutine of its own, and one other than
// those of the standard library that calls os.Exit. Those that interpreted code
// can cause end the cell (fatal.go), also what it panics with on a goroutine of
// compiled code (contain.go), which then stays where it is.
//
// # What Go programs cannot do in a cell
//
//   - Import what is not in this binary: cgo, plugin, runtime/cgo, runtime/race
//     and modules that were not compiled in. Nothing is built or downloaded here;
//     gopherlens build compiles a kernel with more (package extend). Nor
//     testing/synctest, whose clock stands still while a goroutine waits for
//     something outside, as all here do that an interrupt can end.
//   - Use what a build does: //go:embed is refused; //go:linkname, build tags and
//     assembly have no effect.
//   - Recurse without end: calls that nest deeper than 100,000 frames of the
//     interpreter, which is some tens of thousands of calls, are an error, where
//     compiled code has a stack of 1 GB.
//   - Rely on finalizers, cleanups and weak pointers being prompt: a frame keeps
//     what its last statements used until its function returns.
//   - Find files in a stack: positions are In[3]:2, also in what log and log/slog
//     write. The function of a frame that runtime.Caller reports may be one of the
//     interpreter's. A record of slog that is made by defer, or through a variable
//     that holds slog.Info, has no source; slog's default handler, if log's flags
//     ask for a file, names one of the interpreter's.
//   - Tell all types apart by name: an unnamed struct prints the name of an
//     embedded field before its type, types that generic functions declare
//     inside print without the function's type arguments, and unnamed types made
//     of generic ones of the library print the interpreter's name for these
//     ([]iter@patch.Seq[int]).
//   - Declare a type at the top level for the rest of a block only: what a cell
//     declares is the session's.
//   - Register a name again with compiled code that takes it once, as expvar does,
//     when the cell runs again; flags and handlers of package http are replaced.
//
// # Known limits of the interpreter (ixgo v1.1.1)
//
// Heavy numbers belong into calls of lens or gonum: interpreted loops are tens to
// hundreds of times slower than compiled ones (go test -bench Speed compares).
// In November 2026, on two cores of an AMD EPYC (Zen 3), the shortest of several
// runs took, in times of compiled Go:
//
//	                          cells   ixgo 1.1.1   gomacro   yaegi 0.16.1
//	a loop that adds floats      49           89        82             95
//	product of matrices          67          366        68             96
//	recursive calls (fib)        42           39        27            532
//
// Loops are faster than ixgo's because numbers do not live in its registers
// there (unbox.go). Some of its instructions are replaced by ours
// (engine.go, ops.go, calls.go, defers.go), as are the entry points of promoted
// methods (methods.go) and the order of phis (phi.go); that reaches into its
// types, whose layout is checked when a session starts. os.Exit parks its
// goroutine for good.
//
// A slow test (TestSplit) runs programs, a part of the tests of Go's own tree
// among them, as one cell, with a declaration in each cell and with a statement
// of main in each; testdata/split.txt names those that cannot, and why.
//
// What it leaves to others: the protocol, rendering of values (package
// kernel), and what lens, plots and cache do.
package interp

//go:generate go run ./internal/gen/cmd
