package interp

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"path"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/tools/go/ssa"
)

// logs are the functions and methods of package log that write a line. Compiled, those of a logger with log.Lshortfile or
// log.Llongfile would look for their caller's line on the stack, and find the interpreter's.
//
// args are without the logger; at is the calls that lead here, the innermost first.
var logs = map[string]func(s *Session, at []place, l *log.Logger, args []any) error{
	"Output": func(s *Session, at []place, l *log.Logger, args []any) error {
		depth := args[0].(int)
		return s.log(at[min(max(depth-1, 0), len(at)):], l, args[1].(string))
	},
}

func init() {
	for suffix, text := range map[string]func(args []any) string{
		"":   func(args []any) string { return fmt.Sprint(args[0].([]any)...) },
		"ln": func(args []any) string { return fmt.Sprintln(args[0].([]any)...) },
		"f":  func(args []any) string { return fmt.Sprintf(args[0].(string), args[1].([]any)...) },
	} {
		logs["Print"+suffix] = func(s *Session, at []place, l *log.Logger, args []any) error {
			return s.log(at, l, text(args))
		}
		logs["Fatal"+suffix] = func(s *Session, at []place, l *log.Logger, args []any) error {
			s.log(at, l, text(args))
			s.exit(1)
			return nil
		}
		logs["Panic"+suffix] = func(s *Session, at []place, l *log.Logger, args []any) error {
			line := text(args)
			s.log(at, l, line)
			panic(line)
		}
	}
}

// log writes a line as l does, where at[0] is the line of the cell that it names.
func (s *Session) log(at []place, l *log.Logger, line string) error {
	flags := l.Flags()
	if flags&(log.Lshortfile|log.Llongfile) == 0 {
		defer s.noteSource(func() *slog.Source { // for a logger that writes to a handler of log/slog
			if len(at) == 0 {
				return nil
			}
			return &slog.Source{File: at[0].file, Line: at[0].line}
		})()
		return l.Output(0, line)
	}
	where := place{"???", 0} // as log has it
	if len(at) > 0 {
		where = at[0]
	}
	if flags&log.Lshortfile != 0 {
		where.file = path.Base(where.file)
	}
	prefix := l.Prefix()
	if flags&log.Lmsgprefix != 0 {
		prefix, line = "", prefix+line
	}
	mu, _ := s.logging.LoadOrStore(uintptr(unsafe.Pointer(l)), new(sync.Mutex)) // the logger's own is out of reach
	mu.(*sync.Mutex).Lock()
	defer mu.(*sync.Mutex).Unlock()
	return log.New(l.Writer(), prefix, flags&^(log.Lshortfile|log.Llongfile|log.Lmsgprefix)).Output(0, fmt.Sprintf("%s:%d: %s", where.file, where.line, line))
}

// logged is a call of f with its arguments, from the instruction at of fr; nil if f is none of logs.
func (e *engine) logged(f *ssa.Function) func(fr *frame, at ssa.Instruction, args []any) error {
	if f.Pkg == nil || f.Pkg.Pkg.Path() != "log" || logs[f.Name()] == nil {
		return nil
	}
	write, method := logs[f.Name()], f.Signature.Recv() != nil
	return func(fr *frame, at ssa.Instruction, args []any) error {
		l := log.Default()
		if method {
			l, args = args[0].(*log.Logger), args[1:]
		}
		places, _ := e.s.framesOf(fr, at)
		return write(e.s, places, l, args)
	}
}

// logOverrides are the same for calls through a value or on a goroutine of their own: without a line.
func (s *Session) logOverrides() map[string]any {
	m := map[string]any{}
	for name, write := range logs {
		switch {
		case name == "Output":
		case strings.HasSuffix(name, "f"):
			m["log."+name] = func(f string, v ...any) { write(s, nil, log.Default(), []any{f, v}) }
			m["(*log.Logger)."+name] = func(l *log.Logger, f string, v ...any) { write(s, nil, l, []any{f, v}) }
		default:
			m["log."+name] = func(v ...any) { write(s, nil, log.Default(), []any{v}) }
			m["(*log.Logger)."+name] = func(l *log.Logger, v ...any) { write(s, nil, l, []any{v}) }
		}
	}
	return m
}

// slogs tells the functions and methods that make a record of log/slog. Compiled, they take the source of the record from
// the stack, which is the interpreter's.
func slogs(f *ssa.Function) bool {
	if f.Pkg == nil || f.Pkg.Pkg.Path() != "log/slog" {
		return false
	}
	switch strings.TrimSuffix(f.Name(), "Context") {
	case "Debug", "Info", "Warn", "Error", "Log", "LogAttrs":
		return true
	}
	return false
}

// logsFrom notes that the goroutine makes a record at an instruction; done forgets it.
func (s *Session) logsFrom(fr *frame, at ssa.Instruction) (done func()) {
	return s.noteSource(func() *slog.Source {
		places, names := s.framesOf(fr, at)
		if len(places) == 0 {
			return nil
		}
		return &slog.Source{Function: names[0], File: places[0].file, Line: places[0].line}
	})
}

// noteSource notes where the goroutine makes a record, nil if that is not known; done forgets it.
func (s *Session) noteSource(source func() *slog.Source) (done func()) {
	id := thisGoroutine()
	before, nested := s.sources.Swap(id, source)
	return func() {
		if nested {
			s.sources.Store(id, before)
		} else {
			s.sources.Delete(id)
		}
	}
}

// recordSource is where the record that the goroutine handles was made: in a cell, or in compiled code, where its stack is right.
// It is nil for a call that nothing is known of, as by defer or through a variable.
func (s *Session) recordSource(compiled *slog.Source) *slog.Source {
	if source, ok := s.sources.Load(thisGoroutine()); ok {
		return source.(func() *slog.Source)()
	}
	if compiled == nil || strings.HasPrefix(compiled.Function, "reflect.") || strings.Contains(compiled.Function, "/ixgo") {
		return nil
	}
	return compiled
}

// slogOverrides give records the source that they have in a cell.
func (s *Session) slogOverrides() map[string]any {
	options := func(o *slog.HandlerOptions) *slog.HandlerOptions {
		if o == nil || !o.AddSource {
			return o
		}
		own := *o
		own.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.SourceKey {
				if src, ok := a.Value.Any().(*slog.Source); ok {
					if src = s.recordSource(src); src == nil {
						return slog.Attr{}
					}
					a.Value = slog.AnyValue(src)
				}
			}
			if o.ReplaceAttr != nil {
				return o.ReplaceAttr(groups, a)
			}
			return a
		}
		return &own
	}
	return map[string]any{
		"log/slog.NewTextHandler":   func(w io.Writer, o *slog.HandlerOptions) *slog.TextHandler { return slog.NewTextHandler(w, options(o)) },
		"log/slog.NewJSONHandler":   func(w io.Writer, o *slog.HandlerOptions) *slog.JSONHandler { return slog.NewJSONHandler(w, options(o)) },
		"(log/slog.Record).Source":  func(r slog.Record) *slog.Source { return s.recordSource(r.Source()) },
		"(*log/slog.Record).Source": func(r *slog.Record) *slog.Source { return s.recordSource(r.Source()) },
	}
}
