package interp

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"reflect"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/goplus/ixgo"
)

// Names of errors that are not Go values.
const (
	compileError = "compile error"
	panicError   = "panic"
	interrupted  = "interrupted"
	exitError    = "exit"
)

const (
	red   = "\x1b[31m"
	bold  = "\x1b[1m"
	plain = "\x1b[0m"
)

// maxErrors is how many compile errors are told at once, as the compiler does.
const maxErrors = 10

// compileErrors words errors found before anything ran, in the cell called file
// or in files beside the notebook. sources are the texts of both.
func compileErrors(file string, sources map[string]string, list []diagnostic) *kernel.EvalError {
	e := &kernel.EvalError{Name: compileError}
	for i, d := range list {
		if i == maxErrors {
			e.Traceback = append(e.Traceback, fmt.Sprintf("too many errors (%d more)", len(list)-i))
			break
		}
		text := d.msg
		if d.pos.IsValid() {
			text = fmt.Sprintf("%s:%d:%d: %s", d.pos.Filename, d.pos.Line, d.pos.Column, d.msg)
		}
		if i == 0 {
			e.Message = text
		}
		e.Traceback = append(e.Traceback, red+text+plain)
		lines := strings.Split(sources[d.pos.Filename], "\n")
		if sources[d.pos.Filename] == "" || d.pos.Line < 1 || d.pos.Line > len(lines) {
			continue
		}
		if e.Line == 0 && d.pos.Filename == file {
			e.Line = d.pos.Line
		}
		line := strings.TrimRight(lines[d.pos.Line-1], "\r")
		col := min(max(d.pos.Column-1, 0), len(line))
		pad := strings.Map(func(r rune) rune {
			if r == '\t' {
				return r
			}
			return ' '
		}, line[:col])
		e.Traceback = append(e.Traceback, "    "+line, "    "+pad+bold+"^"+plain)
	}
	return e
}

// diagnostic is one compile error.
type diagnostic struct {
	pos token.Position
	msg string
}

func syntaxDiagnostics(file string, errs []syntaxError) []diagnostic {
	var out []diagnostic
	for _, e := range errs {
		out = append(out, diagnostic{token.Position{Filename: file, Line: e.line, Column: e.col}, "syntax error: " + e.msg})
	}
	return out
}

// tidy words a message of the checker as a user of cells expects it.
func tidy(msg string) string {
	for _, w := range wordings {
		msg = w.theirs.ReplaceAllString(msg, w.compiler)
	}
	msg = earlierSelf.ReplaceAllString(msg, "")
	msg = strings.ReplaceAll(msg, runtimeName+".Println", "println")
	msg = strings.ReplaceAll(msg, runtimeName+".Print", "print")
	msg = strings.ReplaceAll(msg, " in argument to "+runtimeName+".Show", "")
	msg = patchPlace.ReplaceAllString(msg, "")
	return mainPrefix.ReplaceAllString(msg, "")
}

var multipleValue = regexp.MustCompile(`^multiple-value (.+) \(value of type (\(.+\))\) in single-value context$`)

// definitionMismatch words what the checker says of `x := f()`, for a function of several results, where it has a variable's
// declaration instead.
func definitionMismatch(msg string) string {
	m := multipleValue.FindStringSubmatch(msg)
	if m == nil {
		return msg
	}
	call, _ := parser.ParseExpr(m[1])
	results, _ := parser.ParseExpr("func" + m[2])
	c, isCall := ast.Unparen(call).(*ast.CallExpr)
	f, isFunc := results.(*ast.FuncType)
	if !isCall || !isFunc {
		return msg
	}
	return fmt.Sprintf("assignment mismatch: 1 variable but %s returns %d values", types.ExprString(c.Fun), f.Params.NumFields())
}

// wordings are where the compiler has other words than the checker of the library.
var wordings = []struct {
	theirs   *regexp.Regexp
	compiler string
}{
	{regexp.MustCompile(`^label (\S+) not declared$`), "label $1 not defined"},
	{regexp.MustCompile(`^label (\S+) declared and not used$`), "label $1 defined and not used"},
	{regexp.MustCompile(`^invalid (break|continue) label (\S+)$`), "$1 label not defined: $2"},
	{regexp.MustCompile(`^break not in for, switch, or select statement$`), "break is not in a loop, switch, or select"},
	{regexp.MustCompile(`^continue not in for statement$`), "continue is not in a loop"},
}

// earlierSelf is what names of earlier selves end in.
var earlierSelf = regexp.MustCompile(oldSuffix + `\d*`)

// patchPlace is where a function of a package's generic code is declared: in no
// file that a user has.
var patchPlace = regexp.MustCompile(` \(declared at [^()]*_patch\.go:\d+:\d+\)`)

// mainPrefix is the package of all cells, which users do not write.
var mainPrefix = regexp.MustCompile(`\bmain\.`)

// harmless reports whether a complaint of the checker is none in a cell.
func harmless(e types.Error) bool {
	return e.Soft && (strings.HasPrefix(e.Msg, "declared and not used") || strings.Contains(e.Msg, "imported and not used")) ||
		strings.HasSuffix(e.Msg, " declared and not used") && !strings.HasPrefix(e.Msg, "label ") || // of a type switch
		strings.HasPrefix(e.Msg, "\t") ||
		// go/types compares packages there, and every cell is one
		strings.HasPrefix(e.Msg, "implicit assignment to unexported field") && ofCell.MatchString(e.Msg)
}

// ofCell matches the type of a struct literal that no other package declares.
var ofCell = regexp.MustCompile(`of type (main\.|struct\{|\pL[\pL\d_]*(\[|$))`)

// place is a line of a cell or of a file beside the notebook.
type place struct {
	file string
	line int
}

var framePattern = regexp.MustCompile(`(?m)^(\S+)\(\)\n\t(In\[\d+\]|\./\S+\.go):(\d+)`)

// stackOf reads the user's lines from a stack the interpreter wrote.
func stackOf(stack []byte) (frames []place, names []string) {
	for _, m := range framePattern.FindAllSubmatch(stack, -1) {
		line, _ := strconv.Atoi(string(m[3]))
		if line <= 0 {
			continue
		}
		frames = append(frames, place{string(m[2]), line})
		name := strings.TrimPrefix(string(m[1]), "main.")
		if strings.HasPrefix(name, "cell__") {
			_, rest, _ := strings.Cut(name, ".")
			name = "cell"
			if rest != "" {
				name = "cell." + rest
			}
		}
		names = append(names, name)
	}
	return frames, names
}

// panicValue unwraps what the interpreter makes of a panic.
func panicValue(err any) (v any, stack []byte) {
	for {
		switch p := err.(type) {
		case ixgo.PanicError:
			if len(stack) == 0 {
				stack = p.Stack()
			}
			err = p.Value
			if err == nil {
				return nil, stack
			}
		case ixgo.FatalError:
			if len(stack) == 0 {
				stack = p.Stack()
			}
			err = p.Value
		default:
			return err, stack
		}
	}
}

// runtimeErrors of the interpreter itself carry a prefix twice or not at all.
func panicText(v any) string {
	switch v := v.(type) {
	case nil:
		return "panic called with nil argument (use errors.New)"
	case ixgo.RuntimeError:
		return "runtime error: " + strings.TrimPrefix(string(v), "runtime error: ")
	case ixgo.PlainError:
		return string(v)
	case *reflect.ValueError: // the interpreter followed a nil pointer
		return "runtime error: invalid memory address or nil pointer dereference"
	case error:
		return v.Error()
	case string:
		return strings.TrimPrefix(v, "reflect: ")
	case fmt.Stringer:
		return v.String()
	}
	if t := reflect.TypeOf(v); t.PkgPath() != "" {
		switch t.Kind() {
		case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array: // which %#v names
			return fmt.Sprintf("%#v", v)
		}
		return fmt.Sprintf("%s(%#v)", t, v)
	}
	return fmt.Sprintf("%v", v)
}

// errorName is the kind of a panic: an error's own type when the program
// raised one, "panic" otherwise.
func errorName(v any) string {
	err, ok := v.(error)
	if !ok {
		return panicError
	}
	var re runtime.Error
	if errors.As(err, &re) {
		return panicError
	}
	if errors.Is(err, errStack) {
		return panicError
	}
	switch v.(type) {
	case ixgo.RuntimeError, ixgo.PlainError, *reflect.ValueError:
		return panicError
	}
	return typeName(err)
}

// typeName is the name of an error's type; the anonymous ones are "error".
func typeName(err error) string {
	t := reflect.TypeOf(err).String()
	switch t {
	case "*errors.errorString", "*fmt.wrapError", "*fmt.wrapErrors", "*errors.joinError":
		return "error"
	}
	return strings.TrimPrefix(strings.Replace(t, "*main.", "*", 1), "main.")
}

// runtimeFailure words a panic of user code in the cell called file.
func runtimeFailure(file string, v any, frames []place, names []string, where string) *kernel.EvalError {
	e := &kernel.EvalError{Name: errorName(v), Message: panicText(v)}
	for _, f := range frames {
		if f.file == file {
			e.Line = f.line
			break
		}
	}
	head := e.Name + ": " + e.Message
	if len(frames) > 0 {
		head = fmt.Sprintf("%s:%d: %s", frames[0].file, frames[0].line, head)
	}
	if where != "" {
		head += " (" + where + ")"
	}
	e.Traceback = append(e.Traceback, red+head+plain)
	shown := 0
	for i := 0; i < len(frames); shown++ {
		if shown == 20 {
			e.Traceback = append(e.Traceback, fmt.Sprintf("    ... %d more frames", len(frames)-i))
			break
		}
		n := 1 // calls of the same line by itself
		for i+n < len(frames) && frames[i+n] == frames[i] && names[i+n] == names[i] {
			n++
		}
		text := fmt.Sprintf("    %s:%d in %s", frames[i].file, frames[i].line, names[i])
		if n > 1 {
			text += fmt.Sprintf(" (%d times)", n)
		}
		e.Traceback = append(e.Traceback, text)
		i += n
	}
	return e
}
