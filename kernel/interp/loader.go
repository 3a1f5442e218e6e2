package interp

import (
	"go/types"
	"reflect"
	"sync"

	"github.com/goplus/ixgo"
	"golang.org/x/tools/go/types/typeutil"
)

// loader gives every interpreter of a session the same reflect type for the
// same types.Type, and the session's variables as variables of installed
// packages. Interpreters of earlier cells ask it from running goroutines while
// a new cell compiles, so everything is behind one lock.
type loader struct {
	mu    sync.Mutex
	base  ixgo.Loader
	depth int // nested Imports of the compiling goroutine, which holds mu
	fwd   typeutil.Map
	rev   map[reflect.Type]types.Type
	pkgs  map[string]*ixgo.Package // session packages by path
}

func newLoader(base ixgo.Loader) *loader {
	return &loader{base: base, rev: map[reflect.Type]types.Type{}, pkgs: map[string]*ixgo.Package{}}
}

// Import loads a registered package. Only the compiling goroutine calls it; it
// calls itself through the checker when a package has source.
func (l *loader) Import(path string) (*types.Package, error) {
	if l.depth == 0 {
		l.mu.Lock()
		defer l.mu.Unlock()
	}
	l.depth++
	defer func() { l.depth-- }()
	return l.base.Import(path)
}

func (l *loader) Installed(path string) (*ixgo.Package, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p, ok := l.pkgs[path]; ok {
		return p, true
	}
	return l.base.Installed(path)
}

func (l *loader) Packages() []*types.Package {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.base.Packages()
}

func (l *loader) SetImport(path string, pkg *types.Package, load func() error) error {
	return l.base.SetImport(path, pkg, load)
}

func (l *loader) Iterate(f func(types.Type, any)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.base.Iterate(f)
}

func (l *loader) LookupReflect(t types.Type) (reflect.Type, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if rt := l.fwd.At(t); rt != nil {
		return rt.(reflect.Type), true
	}
	if p, ok := t.(*types.Pointer); ok {
		if rt := l.fwd.At(p.Elem()); rt != nil {
			return reflect.PointerTo(rt.(reflect.Type)), true
		}
	}
	return l.base.LookupReflect(t)
}

func (l *loader) LookupTypes(rt reflect.Type) (types.Type, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t, ok := l.rev[rt]; ok {
		return t, true
	}
	return l.base.LookupTypes(rt)
}

// learn records that t is rt from now on.
func (l *loader) learn(t types.Type, rt reflect.Type) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fwd.Set(t, rt)
	l.rev[rt] = t
}

// known lists the reflect types of all types that cells declared.
func (l *loader) known() []reflect.Type {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]reflect.Type, 0, len(l.rev))
	for rt := range l.rev {
		out = append(out, rt)
	}
	return out
}

// install makes vars the variables of the package path.
func (l *loader) install(path string, vars map[string]reflect.Value) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &ixgo.Package{Path: path, Name: path}
	if old, ok := l.base.Installed(path); ok {
		c := *old
		p = &c
		merged := make(map[string]reflect.Value, len(old.Vars)+len(vars))
		for k, v := range old.Vars {
			merged[k] = v
		}
		for k, v := range vars {
			merged[k] = v
		}
		vars = merged
	}
	p.Vars = vars
	l.pkgs[path] = p
}

// address is where the variable name of package path is stored.
func (l *loader) address(path, name string) any {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.pkgs[path]; p != nil {
		if v, ok := p.Vars[name]; ok {
			return v.Interface()
		}
	}
	return nil
}
