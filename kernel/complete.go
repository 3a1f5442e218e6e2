package kernel

import (
	"context"
	"unicode/utf8"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// complete and its neighbours run the Evaluator under guard: a completer that
// hangs can be interrupted as a cell can.

func (k *Kernel) complete(r *request) any {
	var c wire.CompleteContent
	if err := r.msg.Decode(&c); err != nil {
		return badContent(err)
	}
	cursor := byteOffset(c.Code, c.CursorPos)
	got := Completions{Start: cursor, End: cursor}
	if e, ok := k.cfg.Evaluator.(Completer); ok {
		done := make(chan Completions, 1)
		if out := k.guard(r, func(context.Context) outcome {
			done <- e.Complete(c.Code, cursor)
			return outcome{}
		}); out.err != nil {
			return describe(out.err)
		}
		got = <-done
	}
	reply := wire.CompleteReplyContent{
		Failure:     wire.Failure{Status: wire.StatusOK},
		Matches:     []string{},
		CursorStart: codePoints(c.Code, got.Start),
		CursorEnd:   codePoints(c.Code, got.End),
		Metadata:    map[string]any{},
	}
	types := []map[string]any{}
	for _, it := range got.Items {
		reply.Matches = append(reply.Matches, it.Text)
		t := map[string]any{"start": reply.CursorStart, "end": reply.CursorEnd, "text": it.Text, "type": it.Type}
		if it.Signature != "" {
			t["signature"] = it.Signature
		}
		types = append(types, t)
	}
	if len(types) > 0 {
		reply.Metadata["_jupyter_types_experimental"] = types
	}
	return reply
}

func (k *Kernel) inspect(r *request) any {
	var c wire.InspectContent
	if err := r.msg.Decode(&c); err != nil {
		return badContent(err)
	}
	reply := wire.InspectReplyContent{Failure: wire.Failure{Status: wire.StatusOK}, Data: wire.Bundle{}, Metadata: wire.Bundle{}}
	e, ok := k.cfg.Evaluator.(Inspector)
	if !ok {
		return reply
	}
	type answer struct {
		data  wire.Bundle
		found bool
	}
	done := make(chan answer, 1)
	out := k.guard(r, func(context.Context) outcome {
		bundle, found := e.Inspect(c.Code, byteOffset(c.Code, c.CursorPos), c.DetailLevel)
		data, errs := encodable("Inspect", func() map[string]any { return bundle }, nil)
		if len(errs) > 0 {
			return outcome{err: errs[0]}
		}
		done <- answer{data, found && len(data) > 0}
		return outcome{}
	})
	if out.err != nil {
		return describe(out.err)
	}
	if a := <-done; a.found {
		reply.Found, reply.Data = true, a.data
	}
	return reply
}

func (k *Kernel) isComplete(r *request) any {
	var c wire.IsCompleteContent
	if err := r.msg.Decode(&c); err != nil {
		return badContent(err)
	}
	reply := wire.IsCompleteReplyContent{Status: Unknown}
	e, ok := k.cfg.Evaluator.(Checker)
	if !ok {
		return reply
	}
	done := make(chan Completeness, 1)
	if out := k.guard(r, func(context.Context) outcome {
		done <- e.Check(c.Code)
		return outcome{}
	}); out.err != nil {
		return reply // the status of this reply knows no error
	}
	got := <-done
	switch got.Status {
	case Incomplete:
		reply.Status, reply.Indent = got.Status, got.Indent
	case Complete, Invalid:
		reply.Status = got.Status
	}
	return reply
}

// byteOffset turns a cursor in code points, clamped, into a byte offset; nil is
// the end.
func byteOffset(s string, cursor *int) int {
	if cursor == nil {
		return len(s)
	}
	n := *cursor
	for i := range s {
		if n <= 0 {
			return i
		}
		n--
	}
	if *cursor <= 0 {
		return 0
	}
	return len(s)
}

// codePoints is the inverse of byteOffset, for offsets that may be out of range.
func codePoints(s string, offset int) int {
	return utf8.RuneCountInString(s[:max(0, min(offset, len(s)))])
}
