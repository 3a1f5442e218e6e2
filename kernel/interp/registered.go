package interp

import (
	"flag"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/goplus/ixgo"
)

// registered is what cells have registered with the process, which takes a name once: a cell that runs again replaces what it
// registered before. By name, the cell that did last.
var registered = struct {
	mu       sync.Mutex
	flags    map[string]string
	handlers map[string]*handler
}{flags: map[string]string{}, handlers: map[string]*handler{}}

// handler is what a pattern of http.DefaultServeMux stands for.
type handler struct {
	cell string
	now  atomic.Pointer[http.Handler]
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*h.now.Load()).ServeHTTP(w, r) }

func (s *Session) registrations() map[string]any {
	m := map[string]any{
		"net/http.Handle": s.handlePattern,
		"net/http.HandleFunc": func(pattern string, f func(http.ResponseWriter, *http.Request)) {
			if f == nil {
				http.HandleFunc(pattern, f) // panics
			}
			s.handlePattern(pattern, http.HandlerFunc(f))
		},
	}
	p, ok := ixgo.LookupPackage("flag")
	if !ok {
		return m
	}
	for name, f := range p.Funcs {
		t := f.Type()
		if t.NumIn() < 3 { // those that make a flag take its name, its usage and one thing more
			continue
		}
		for at := range t.NumIn() {
			if t.In(at).Kind() == reflect.String { // the name comes before the usage
				m["flag."+name] = reflect.MakeFunc(t, func(args []reflect.Value) []reflect.Value {
					s.renewFlag(args[at].String())
					return f.Call(args)
				}).Interface()
				break
			}
		}
	}
	return m
}

// renewFlag makes room for a flag that another cell, or an earlier run of this one, has made.
func (s *Session) renewFlag(name string) {
	registered.mu.Lock()
	defer registered.mu.Unlock()
	cell, all := s.output().id, flag.CommandLine
	if all.Lookup(name) != nil && registered.flags[name] != cell {
		rest := flag.NewFlagSet(all.Name(), all.ErrorHandling())
		rest.Usage = all.Usage
		rest.SetOutput(all.Output())
		all.VisitAll(func(f *flag.Flag) {
			if f.Name != name {
				rest.Var(f.Value, f.Name, f.Usage)
				rest.Lookup(f.Name).DefValue = f.DefValue
			}
		})
		if all.Parsed() {
			rest.Parse(append([]string{"--"}, all.Args()...))
		}
		*all = *rest
	}
	registered.flags[name] = cell
}

// handlePattern is http.Handle.
func (s *Session) handlePattern(pattern string, h http.Handler) {
	registered.mu.Lock()
	defer registered.mu.Unlock()
	cell := s.output().id
	if old := registered.handlers[pattern]; old != nil && old.cell != cell && h != nil {
		old.cell = cell
		old.now.Store(&h)
		return
	}
	if h == nil {
		http.Handle(pattern, h) // panics
	}
	first := &handler{cell: cell}
	first.now.Store(&h)
	http.Handle(pattern, first)
	registered.handlers[pattern] = first
}
