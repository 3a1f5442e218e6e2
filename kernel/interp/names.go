package interp

import (
	"go/types"
	"maps"
	"slices"
	"strings"

	"github.com/gopherlens/gopherlens/kernel"
)

// state is what cells build up by name.
type state struct {
	scope   map[string]types.Object
	imports map[string]string
	dots    []string
	decls   map[string]*decl
	funcs   map[string]any
}

func (s *Session) state() state {
	return state{maps.Clone(s.scope), maps.Clone(s.imports), slices.Clone(s.dots), maps.Clone(s.decls), maps.Clone(s.funcs)}
}

// Reset forgets every name that cells have defined or imported. Goroutines of
// cells go on.
func (s *Session) Reset() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.first
	s.scope, s.imports, s.dots = maps.Clone(f.scope), maps.Clone(f.imports), slices.Clone(f.dots)
	s.decls, s.funcs = maps.Clone(f.decls), maps.Clone(f.funcs)
	clear(s.folders) // the next import starts them anew
	s.prune()
	s.publish()
	return nil
}

// Names lists what cells can use, imported packages included. It may be called
// while a cell runs.
func (s *Session) Names() []kernel.Name {
	v := s.view.Load()
	if v == nil {
		return nil
	}
	var names []kernel.Name
	for n, o := range v.scope {
		if strings.Contains(n, "__") {
			continue
		}
		name := kernel.Name{Name: n, Type: typeString(o.Type()), Predeclared: s.first.scope[n] == o}
		switch o.(type) {
		case *types.Var:
			name.Kind = "var"
		case *types.Const:
			name.Kind = "const"
		case *types.TypeName:
			name.Kind, name.Type = "type", typeString(o.Type().Underlying())
		case *types.Func:
			name.Kind = "func"
		default:
			continue
		}
		names = append(names, name)
	}
	for n, p := range v.imports {
		names = append(names, kernel.Name{Name: n, Kind: "package", Type: p.Path()})
	}
	slices.SortFunc(names, func(a, b kernel.Name) int { return strings.Compare(a.Name, b.Name) })
	return names
}
