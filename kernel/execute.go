package kernel

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// abortWindow is how long a failed cell waits for requests that its client sent
// together with it and that are still on their way. They are aborted with those
// already here; what the client sends after it saw the reply is not.
const abortWindow = 15 * time.Millisecond

// interrupted is the ename of a cell that an interrupt or shutdown ended; the
// evaluator uses the same.
const interrupted = "interrupted"

var errInterrupted = errors.New(interrupted)

// outcome is what a call into the Evaluator gives.
type outcome struct {
	result      *shown // nil: nothing to display
	expressions map[string]wire.ExpressionData
	err         error
	abandoned   bool
}

// guard runs fn, which may call user code, in a goroutine of its own. A panic
// becomes an error; an interrupt cancels the context, and when fn has not
// returned InterruptGrace later it is left to itself.
func (k *Kernel) guard(r *request, fn func(context.Context) outcome) outcome {
	ctx := r.ctx
	done := make(chan outcome, 1)
	go func() {
		// Without a value the goroutine was ended from inside (runtime.Goexit).
		out := outcome{err: &EvalError{Name: "Goexit", Message: "the cell ended its own goroutine"}}
		defer func() {
			if p := recover(); p != nil {
				out = outcome{err: panicError(p, debug.Stack())}
			}
			done <- out
		}()
		out = fn(ctx)
	}()

	select {
	case out := <-done:
		return k.named(ctx, out)
	case <-ctx.Done():
	}
	grace := time.NewTimer(k.cfg.InterruptGrace)
	defer grace.Stop()
	select {
	case out := <-done:
		return k.named(ctx, out)
	case <-grace.C:
		return outcome{abandoned: true, err: &EvalError{Name: interrupted, Message: fmt.Sprintf(
			"the cell did not stop within %s; its goroutine was abandoned and may still be running, the kernel goes on", k.cfg.InterruptGrace)}}
	}
}

// named gives the error of an interrupted cell its name.
func (k *Kernel) named(ctx context.Context, out outcome) outcome {
	if out.err == nil {
		return out
	}
	var short outOfMemory
	if errors.As(context.Cause(ctx), &short) {
		out.err = &EvalError{Name: "OutOfMemory", Message: short.Error()}
		return out
	}
	if errors.Is(out.err, context.Canceled) && ctx.Err() != nil {
		msg := "the cell was interrupted"
		if k.ctx.Err() != nil {
			msg = "the kernel is shutting down"
		}
		out.err = &EvalError{Name: interrupted, Message: msg}
	}
	return out
}

func panicError(p any, stack []byte) *EvalError {
	return &EvalError{Name: "panic", Message: fmt.Sprint(p),
		Traceback: append([]string{"panic: " + fmt.Sprint(p)}, strings.Split(strings.TrimSpace(string(stack)), "\n")...)}
}

// execute runs a cell. Its messages, in order: execute_input, the cell's output,
// execute_result or error; the reply follows.
func (k *Kernel) execute(r *request) any {
	c := wire.NewExecuteContent("")
	if err := r.msg.Decode(&c); err != nil {
		return badContent(err)
	}
	c.StoreHistory = c.StoreHistory && !c.Silent
	count := int(k.count.Load())
	if c.StoreHistory {
		count = int(k.count.Add(1))
	}
	parent := r.msg.HeaderJSON()
	if !c.Silent {
		k.publish(wire.ExecuteInput, parent, wire.ExecuteInputContent{Code: c.Code, ExecutionCount: count})
	}
	out := newOutput(k, parent, c.Silent)
	cell := out.cell(count, c.Code)
	cell.Subshell = r.msg.Header.SubshellID
	cell.Input = func(prompt string, password bool) (string, error) {
		return k.input(r, c.AllowStdin, out, prompt, password)
	}
	defer k.watchMemory(r.cancel)()
	res := k.guard(r, func(ctx context.Context) outcome { return k.evaluate(ctx, cell, c.UserExpressions) })

	out.flush(true)
	k.flushUnsent()
	reply := wire.ExecuteReplyContent{
		Failure:         wire.Failure{Status: wire.StatusOK},
		ExecutionCount:  count,
		Payload:         out.takePayload(),
		UserExpressions: res.expressions,
	}
	if reply.UserExpressions == nil {
		reply.UserExpressions = map[string]wire.ExpressionData{}
	}
	var text string
	switch {
	case res.err != nil:
		reply.Failure = describe(res.err)
		reply.Payload = []map[string]any{}
		if !c.Silent {
			k.publish(wire.Error, parent, wire.ErrorContent{EName: reply.EName, EValue: reply.EValue, Traceback: reply.Traceback})
		}
	case res.result != nil && !c.Silent:
		text, _ = res.result.data["text/plain"].(string)
		k.publish(wire.ExecuteResult, parent, wire.ExecuteResultContent{ExecutionCount: count, Data: res.result.data, Metadata: res.result.metadata})
	}
	if c.StoreHistory {
		if err := k.history.add(entry{line: count, input: c.Code, output: text}); err != nil {
			k.cfg.Log.Warn("the history is kept in memory from here on", "err", err)
		}
	}
	if res.err != nil && c.StopOnError && !c.Silent {
		select {
		case <-time.After(abortWindow):
		case <-k.ctx.Done():
		}
		r.lane.abort()
	}
	return reply
}

// evaluate runs in the cell's goroutine: making a bundle and evaluating
// expressions call user code too.
func (k *Kernel) evaluate(ctx context.Context, cell *Cell, expressions map[string]string) outcome {
	v, err := k.cfg.Evaluator.Eval(ctx, cell)
	if err != nil {
		return outcome{err: err}
	}
	out := outcome{expressions: make(map[string]wire.ExpressionData, len(expressions))}
	if v != nil {
		s, _ := show(v) // what is wrong with v shows in its text
		out.result = &s
	}
	for name, src := range expressions {
		out.expressions[name] = k.expression(ctx, cell, src)
	}
	return out
}

// expression evaluates one user expression; its failure is its own.
func (k *Kernel) expression(ctx context.Context, cell *Cell, src string) (data wire.ExpressionData) {
	defer func() {
		if p := recover(); p != nil {
			data = wire.ExpressionData{Failure: describe(panicError(p, debug.Stack()))}
		}
	}()
	c := *cell
	c.Source = src
	v, err := k.cfg.Evaluator.Eval(ctx, &c)
	if err != nil {
		return wire.ExpressionData{Failure: describe(err)}
	}
	s := shown{data: wire.Bundle{"text/plain": "<nil>"}}
	if v != nil {
		s, _ = show(v)
	}
	return wire.ExpressionData{Failure: wire.Failure{Status: wire.StatusOK}, Data: s.data, Metadata: s.metadata}
}

// describe turns the error of a cell into the members of an error message. None
// of them is empty: clients require all three.
func describe(err error) wire.Failure {
	var e *EvalError
	if !errors.As(err, &e) {
		e = &EvalError{Name: "Error", Message: err.Error()}
	}
	f := wire.Failure{Status: wire.StatusError, EName: e.Name, EValue: e.Message, Traceback: e.Traceback}
	if f.EName == "" {
		f.EName = "Error"
	}
	if f.EValue == "" {
		f.EValue = f.EName
	}
	if len(f.Traceback) == 0 {
		line := f.EName + ": " + f.EValue
		if e.Line > 0 {
			line += fmt.Sprintf(" (line %d)", e.Line)
		}
		f.Traceback = []string{line}
	}
	return f
}
