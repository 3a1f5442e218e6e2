package magic

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/gopherlens/gopherlens/kernel"
)

// Command is what a name after % or %% does.
type Command struct {
	// Name is without percent signs.
	Name string
	// Args says what may follow the name, for %help; Help is one line.
	Args, Help string
	// Line runs %name, Cell runs %%name; nil where there is no such form. Their
	// value is displayed as a cell's is.
	Line, Cell func(context.Context, *Call) (any, error)
	// Code is set if what follows the name is code of the language: completion and
	// inspection then work in it.
	Code bool
}

// Call is one use of a Command.
type Call struct {
	// Cell is where output goes.
	Cell *kernel.Cell
	// Args is what follows the name on its line, without space around it.
	Args string
	// Body is what follows the first line of a %% command.
	Body string

	e    *Evaluator
	line int // of the command in the cell, from 0
	col  int // of Args in the line, from 0
}

// Evaluator adds commands to another one. It passes on what the other one can:
// completion, inspection, the check whether a cell is finished, closing.
type Evaluator struct {
	inner    kernel.Evaluator
	commands []Command // sorted by name

	mu       sync.Mutex // cells of subshells run beside each other
	previous string     // folder before the last %cd
}

var _ interface {
	kernel.Evaluator
	kernel.Completer
	kernel.Inspector
	kernel.Checker
	io.Closer
} = (*Evaluator)(nil)

// New wraps inner. The further commands replace built-in ones of the same name.
func New(inner kernel.Evaluator, further ...Command) *Evaluator {
	e := &Evaluator{inner: inner, commands: further}
	for _, c := range builtin() {
		if _, ok := e.find(c.Name); !ok {
			e.commands = append(e.commands, c)
		}
	}
	slices.SortFunc(e.commands, func(a, b Command) int { return strings.Compare(a.Name, b.Name) })
	return e
}

func (e *Evaluator) find(name string) (Command, bool) {
	i := slices.IndexFunc(e.commands, func(c Command) bool { return c.Name == name })
	if i < 0 {
		return Command{}, false
	}
	return e.commands[i], true
}

func fail(format string, args ...any) error {
	return &kernel.EvalError{Name: "CommandError", Message: fmt.Sprintf(format, args...)}
}

// Eval runs a cell; see kernel.Evaluator.
func (e *Evaluator) Eval(ctx context.Context, c *kernel.Cell) (any, error) {
	parts := e.split(c.Source)
	if len(parts) == 1 && !parts[0].command {
		return e.inner.Eval(ctx, c)
	}
	var value any
	for _, p := range parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if p.command {
			value, err = e.command(ctx, c, p)
		} else if value, err = e.code(ctx, c, p.line, 0, p.text); value == nil && err == nil && blank(p.text) {
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return value, nil
}

// code evaluates text that starts at a line and column (from 0) of the cell, so
// that errors name the place that the user sees.
func (e *Evaluator) code(ctx context.Context, c *kernel.Cell, line, col int, text string) (any, error) {
	part := *c
	part.Source = strings.Repeat("\n", line) + strings.Repeat(" ", col) + text
	return e.inner.Eval(ctx, &part)
}

// Eval runs code in the place of the command's arguments.
func (c *Call) Eval(ctx context.Context, code string) (any, error) {
	return c.e.code(ctx, c.Cell, c.line, c.col, code)
}

// EvalBody runs the body of a %% command.
func (c *Call) EvalBody(ctx context.Context) (any, error) {
	return c.e.code(ctx, c.Cell, c.line+1, 0, c.Body)
}

func (e *Evaluator) command(ctx context.Context, c *kernel.Cell, p part) (any, error) {
	call := &Call{Cell: c, Args: p.args, Body: p.body, e: e, line: p.line, col: p.argsAt}
	if p.shell {
		return nil, shell(ctx, call, p.args)
	}
	if p.ask != "" {
		return nil, call.explain(p.ask, p.detail)
	}
	signs := strings.Repeat("%", p.signs)
	cmd, ok := e.find(p.name)
	switch {
	case !ok:
		return nil, fail("there is no command %s%s (%%help lists those there are)", signs, p.name)
	case p.signs == 2 && !p.first:
		return nil, fail("%%%%%s must be the first line of its cell", p.name)
	case p.signs == 2 && cmd.Cell == nil:
		return nil, fail("there is no %%%%%s, only %%%s", p.name, p.name)
	case p.signs == 1 && cmd.Line == nil:
		return nil, fail("there is no %%%s, only %%%%%s at the head of a cell", p.name, p.name)
	case p.signs == 2:
		return cmd.Cell(ctx, call)
	}
	return cmd.Line(ctx, call)
}

// names are what the session knows.
func (e *Evaluator) names() []kernel.Name {
	if l, ok := e.inner.(kernel.Lister); ok {
		return l.Names()
	}
	return nil
}

// Close closes the wrapped Evaluator.
func (e *Evaluator) Close() error {
	if c, ok := e.inner.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
