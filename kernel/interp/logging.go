package interp

import (
	"fmt"
	"log"
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
