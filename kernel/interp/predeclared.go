package interp

import (
	"context"
	"fmt"

	"github.com/gopherlens/gopherlens/kernel"
)

// prelude is evaluated once, so that its names can be redefined like any other.
const prelude = `import ("context"; "display")
var ctx context.Context = ` + runtimeName + `.Context()
func Display(v any) { ` + runtimeName + `.Display(v) }
func DisplayID(id string, v any) { ` + runtimeName + `.DisplayID(id, v) }
func UpdateDisplay(id string, v any) { ` + runtimeName + `.UpdateDisplay(id, v) }
func ClearOutput(wait bool) { ` + runtimeName + `.ClearOutput(wait) }
func Page(v any) { ` + runtimeName + `.Page(v) }
func Input(prompt string) (string, error) { return ` + runtimeName + `.Input(prompt, false) }
func Password(prompt string) (string, error) { return ` + runtimeName + `.Input(prompt, true) }
func OpenComm(target string, m display.Message) (display.Comm, error) { return ` + runtimeName + `.OpenComm(target, m) }
func RegisterComm(target string, open func(c display.Comm, m display.Message) error) { ` + runtimeName + `.RegisterComm(target, open) }
func Must[T any](v T, err error) T { if err != nil { panic(err) }; return v }`

// hosted are the functions that the prelude hands on to the kernel.Cell of the
// calling goroutine, by their names in the runtime package. A front end's
// refusal to show something is told on the cell's standard error; the cell goes
// on.
func (s *Session) hosted() map[string]any {
	shown := func(what string, err error) {
		if err != nil {
			fmt.Fprintf(cellWriter{s, true}, "%s: %v\n", what, err)
		}
	}
	return map[string]any{
		"Context": func() context.Context { return cellContext{s} },
		"Display": func(v any) {
			if h := s.host(); h.Display != nil {
				shown("display", h.Display(v))
			}
		},
		"DisplayID": func(id string, v any) {
			if h := s.host(); h.DisplayID != nil {
				shown("display", h.DisplayID(id, v))
			}
		},
		"UpdateDisplay": func(id string, v any) {
			if h := s.host(); h.UpdateDisplay != nil {
				shown("update of a display", h.UpdateDisplay(id, v))
			}
		},
		"ClearOutput": func(wait bool) {
			if h := s.host(); h.ClearOutput != nil {
				h.ClearOutput(wait)
			}
		},
		"Page": func(v any) {
			if h := s.host(); h.Payload != nil {
				bundle, err := kernel.Bundle(v)
				shown("page", err)
				h.Payload(map[string]any{"source": "page", "data": bundle, "start": 0})
			}
		},
		"Input": func(prompt string, password bool) (string, error) {
			if h := s.host(); h.Input != nil {
				return h.Input(prompt, password)
			}
			return "", kernel.ErrNoInput
		},
		"OpenComm":     s.openComm,
		"RegisterComm": s.registerComm,
	}
}

// host is the kernel.Cell of the calling goroutine, with what the cell has
// printed so far passed on.
func (s *Session) host() *kernel.Cell {
	s.flush()
	return &s.output().host
}
