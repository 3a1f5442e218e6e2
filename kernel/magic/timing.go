package magic

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"slices"
	"strings"
	"time"
)

const (
	// timeitRuns is how many times %timeit measures, and timeitSpan how long each
	// time should be: far above what compiling a cell takes, which is subtracted.
	timeitRuns = 7
	timeitSpan = 100 * time.Millisecond
	timeitMost = 1_000_000_000
)

func timeLine(ctx context.Context, c *Call) (any, error) {
	if c.Args == "" {
		return nil, fail("%%time: give it code, or take the whole cell with %%%%time")
	}
	return timed(c, func() (any, error) { return c.Eval(ctx, c.Args) })
}

func timeCell(ctx context.Context, c *Call) (any, error) {
	return timed(c, func() (any, error) { return c.EvalBody(ctx) })
}

func timed(c *Call, run func() (any, error)) (any, error) {
	start := time.Now()
	v, err := run()
	fmt.Fprintf(c.Cell.Stdout, "Wall time: %s\n", short(time.Since(start)))
	return v, err
}

func timeitLine(ctx context.Context, c *Call) (any, error) {
	if c.Args == "" {
		return nil, fail("%%timeit: give it code, or take the whole cell with %%%%timeit")
	}
	code := c.Args
	if x, err := parser.ParseExpr(code); err == nil && !statement(x) {
		code = "_ = " + code
	}
	return nil, timeit(c, func(n int) error {
		_, err := c.Eval(ctx, fmt.Sprintf("for range %d { %s }", n, code))
		return err
	})
}

func timeitCell(ctx context.Context, c *Call) (any, error) {
	return nil, timeit(c, func(n int) error {
		// The loop stands in the line of the command, so that the lines of the body
		// keep their numbers.
		_, err := c.Eval(ctx, fmt.Sprintf("for range %d {\n%s\n}", n, c.Body))
		return err
	})
}

// statement reports whether an expression may stand alone: calls may, but not
// those of most built-in functions.
func statement(x ast.Expr) bool {
	switch x := ast.Unparen(x).(type) {
	case *ast.CallExpr:
		id, ok := x.Fun.(*ast.Ident)
		return !ok || !slices.Contains(strings.Fields("append cap complex imag len make max min new real"), id.Name)
	case *ast.UnaryExpr:
		return x.Op.String() == "<-"
	}
	return false
}

// timeit measures what n runs take less what none take.
func timeit(c *Call, run func(n int) error) error {
	took := func(n int) (time.Duration, error) {
		start := time.Now()
		err := run(n)
		return time.Since(start), err
	}
	var none []time.Duration
	for range 3 {
		d, err := took(0)
		if err != nil {
			return err
		}
		none = append(none, d)
	}
	base := slices.Min(none)
	n := 1
	for {
		d, err := took(n)
		if err != nil {
			return err
		}
		if d-base >= timeitSpan/2 || n >= timeitMost {
			break
		}
		n *= 2
		if d-base < timeitSpan/20 {
			n *= 5
		}
	}
	var each []time.Duration
	for range timeitRuns {
		d, err := took(n)
		if err != nil {
			return err
		}
		each = append(each, max(0, d-base))
	}
	slices.Sort(each)
	per := func(d time.Duration) string { return short(time.Duration(float64(d) / float64(n))) }
	if n > 1000 {
		per = func(d time.Duration) string { return fmt.Sprintf("%.3g ns", float64(d)/float64(n)) }
		if float64(each[0])/float64(n) >= 1000 {
			per = func(d time.Duration) string { return short(time.Duration(float64(d) / float64(n))) }
		}
	}
	fmt.Fprintf(c.Cell.Stdout, "%s per loop (median of %d runs of %d loops; %s to %s)\n",
		per(each[len(each)/2]), timeitRuns, n, per(each[0]), per(each[len(each)-1]))
	return nil
}

// short is d with three digits that count.
func short(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return fmt.Sprintf("%.3g s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.3g ms", float64(d)/1e6)
	case d >= time.Microsecond:
		return fmt.Sprintf("%.3g µs", float64(d)/1e3)
	}
	return fmt.Sprintf("%d ns", d.Nanoseconds())
}
