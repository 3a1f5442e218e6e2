package interp

import (
	"go/types"
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
	_ "unsafe" // for linkname
	"weak"

	"github.com/goplus/ixgo"
	"github.com/goplus/reflectx"
	"golang.org/x/tools/go/ssa"
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

	methods map[reflect.Type]bool      // all types with methods that cells made
	tables  []weak.Pointer[methodSets] // where the interpreters find methods; each is part of one
	fence   atomic.Int64

	repaired map[reflect.Type]bool // types whose method tables were made right
	code     map[reflect.Type]map[string]*function
}

// methodSets are the methods that an interpreter has code for. A type that is
// there without its method is one that another interpreter made.
type methodSets = map[reflect.Type]map[string]*ssa.Function

// newLoader knows error from the start. ixgo v1.1.1 tells it from other types
// by its name, to which it first appends the type arguments of the instance it
// compiles: an error first met in an instance (the second parameter of Must)
// became interface{ Error() string }, and so it stayed for the whole cell,
// whose functions compiled code then refused.
func newLoader(base ixgo.Loader) *loader {
	l := &loader{base: base, rev: map[reflect.Type]types.Type{}, pkgs: map[string]*ixgo.Package{}, methods: map[reflect.Type]bool{}, repaired: map[reflect.Type]bool{}, code: map[reflect.Type]map[string]*function{}}
	l.fwd.Set(types.Universe.Lookup("error").Type(), reflect.TypeFor[error]())
	return l
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
	p, err := l.base.Import(path)
	if err == nil && !p.Complete() {
		return p, l.complete(p)
	}
	return p, err
}

// complete gives a package its declarations that ixgo v1.1.1 has met only in the
// types of another one: it would leave it without, and then look for its source
// on disk.
func (l *loader) complete(p *types.Package) error {
	r, ok := l.base.(*ixgo.TypesLoader)
	table, registered := ixgo.LookupPackage(p.Path())
	if !ok || !registered || table.Source != "" {
		return nil
	}
	var deps []*types.Package
	for path := range table.Deps {
		if d, err := l.base.Import(path); err == nil {
			deps = append(deps, d)
		}
	}
	if err := installPackage(r, table); err != nil {
		return err
	}
	p.SetImports(deps)
	p.MarkComplete()
	return nil
}

//go:linkname installPackage github.com/goplus/ixgo.(*TypesLoader).installPackage
func installPackage(r *ixgo.TypesLoader, table *ixgo.Package) error

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

// known is a copy of what learn recorded.
func (l *loader) known() map[reflect.Type]types.Type {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.rev)
}

// share makes the types with methods of every cell known to every interpreter;
// own is the table of a new one. An interpreter that meets a value of a type
// that is not in its table takes the type for compiled and jumps to its method,
// which ends the process: a function of an earlier cell may be given a value of
// a later cell's type, and types declared in functions, which no other cell
// can name, travel in interfaces all the same.
func (l *loader) share(own *methodSets) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for t := range l.methods {
		if _, ok := (*own)[t]; !ok {
			(*own)[t] = nil
		}
	}
	var fresh []reflect.Type
	for t := range *own {
		if t.Kind() != reflect.Pointer {
			fresh = l.note(fresh, t)
			fresh = l.note(fresh, reflect.PointerTo(t))
		} else {
			fresh = l.note(fresh, t)
			fresh = l.note(fresh, t.Elem())
		}
	}
	for _, t := range fresh {
		if _, ok := (*own)[t]; !ok {
			(*own)[t] = nil
		}
	}
	if len(fresh) > 0 {
		live := l.tables[:0]
		for _, t := range l.tables {
			table := t.Value()
			if table == nil { // no function of that cell is left
				continue
			}
			live = append(live, t)
			next := maps.Clone(*table)
			for _, t := range fresh {
				next[t] = nil
			}
			// Goroutines of that cell read the table without a lock. They find
			// this one or the last; neither is written to any more. The second
			// copy is for the race detector, which does not follow Clone.
			next = maps.Clone(next)
			l.fence.Add(1)
			publish(table, next)
		}
		l.tables = live
	}
	l.tables = append(l.tables, weak.Make(own))
}

// readSets is the table as it is now; share may replace it meanwhile.
//
//go:norace
func readSets(table *methodSets) methodSets { return *table }

// addCode records the interpreted methods of an interpreter's types.
func (l *loader) addCode(sets methodSets, funcs map[*ssa.Function]*function) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for t, set := range sets {
		for name, f := range set {
			if fn := funcs[f]; fn != nil {
				if l.code[t] == nil {
					l.code[t] = map[string]*function{}
				}
				l.code[t][name] = fn
			}
		}
	}
}

// methodCode is the interpreted method name of t, nil if there is none.
func (l *loader) methodCode(t reflect.Type, name string) *function {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.code[t][name]
}

//go:norace
func publish(table *methodSets, next methodSets) { *table = next }

// note adds t to list and to the types with methods, once.
func (l *loader) note(list []reflect.Type, t reflect.Type) []reflect.Type {
	if l.methods[t] || t.Kind() == reflect.Interface || reflectx.NumMethodX(t) == 0 {
		return list
	}
	l.methods[t] = true
	return append(list, t)
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
