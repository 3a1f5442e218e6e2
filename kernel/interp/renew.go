package interp

import (
	"fmt"
	"go/types"
	"maps"
	"reflect"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"unsafe"
)

// A variable that is carried along to a renewed type keeps its storage. The
// values that stand in interfaces, and the functions that were made for the
// earlier type, are found from the session's variables and renewed too: a type
// switch would pass them by otherwise, and no one would see why.

// maxRenewed bounds how many values are looked at, maxNested how deep they
// stand in each other without a pointer between them.
const (
	maxRenewed = 1 << 21
	maxNested  = 10000
)

// renewal turns values of earlier types into values of the types that a cell
// declared in their place.
type renewal struct {
	next  map[reflect.Type]reflect.Type // earlier -> new
	prev  map[reflect.Type]reflect.Type
	holds map[reflect.Type]bool // whether values of the type can hold something to renew
	seen  map[memory]bool
	queue []reflect.Value // what is reached through pointers: lists may be long
	depth int
	busy  bool // goroutines of cells run: maps may change at any time
	left  int
	names map[string]bool // types of which something was left as it was
}

type memory struct {
	at unsafe.Pointer
	n  int
	t  reflect.Type
}

// renew renews what the session's variables hold of types that u declared
// again with the same layout. It is called when u is committed, before it runs.
func (s *Session) renew(u *unit) {
	next := s.renewed(u)
	if len(next) == 0 {
		return
	}
	r := &renewal{next: next, prev: map[reflect.Type]reflect.Type{}, holds: map[reflect.Type]bool{}, seen: map[memory]bool{}, busy: s.busy() || cellsRun(), left: maxRenewed, names: map[string]bool{}}
	for from, to := range next {
		r.prev[to] = from
	}
	for _, o := range s.scope {
		if v, ok := o.(*types.Var); ok {
			if p := s.ld.address(v.Pkg().Path(), v.Name()); p != nil {
				r.queue = append(r.queue, reflect.ValueOf(p).Elem())
			}
		}
	}
	for len(r.queue) > 0 {
		v := r.queue[len(r.queue)-1]
		r.queue = r.queue[:len(r.queue)-1]
		r.value(v)
	}
	if len(r.names) > 0 {
		names := strings.Join(slices.Sorted(maps.Keys(r.names)), ", ")
		fmt.Fprintf(cellFile{s.output()}, "%s was declared again; values of it in maps that goroutines may be using, or that are too many or nested too deep, keep the earlier type\n", names)
	}
}

// cellsRun reports whether a goroutine that a cell started runs, not only
// waits.
func cellsRun() bool {
	var profile strings.Builder
	pprof.Lookup("goroutine").WriteTo(&profile, 1)
	for record := range strings.SplitSeq(profile.String(), "\n\n") {
		if !strings.Contains(record, cellLabel) {
			continue
		}
		_, pcs, _ := strings.Cut(record, " @ ")
		pc, _, _ := strings.Cut(pcs, " ")
		at, err := strconv.ParseUint(pc, 0, 64)
		if f := runtime.FuncForPC(uintptr(at)); err != nil || f == nil || f.Name() != "runtime.gopark" {
			return true
		}
	}
	return false
}

// renewed pairs the reflect types of earlier cells with those of u that have
// the same name and layout.
func (s *Session) renewed(u *unit) map[reflect.Type]reflect.Type {
	out := map[reflect.Type]reflect.Type{}
	declares := false
	for n := range redeclared(u) {
		_, ok := u.pkg.Scope().Lookup(n).(*types.TypeName)
		declares = declares || ok
	}
	if !declares {
		return out
	}
	for from, t := range s.ld.known() {
		n, ok := t.(*types.Named)
		if !ok || n.Obj().Pkg() == nil || n.Obj().Pkg().Name() != "main" || n.Obj().Pkg() == u.pkg {
			continue
		}
		to := u.counterpart(n)
		if to == nil || !u.sameLayout(n) {
			continue
		}
		if rt, ok := s.ld.LookupReflect(to); ok && rt != from && rt.Size() == from.Size() {
			out[from] = rt
		}
	}
	return out
}

// counterpart is the type that u declares under the name of n, instantiated as
// n is; nil for none.
func (u *unit) counterpart(n *types.Named) types.Type {
	o, ok := u.pkg.Scope().Lookup(n.Obj().Name()).(*types.TypeName)
	if !ok || o.Pkg() != u.pkg || o.IsAlias() {
		return nil
	}
	to, ok := o.Type().(*types.Named)
	if !ok || to.TypeParams().Len() != n.TypeArgs().Len() {
		return nil
	}
	if n.TypeArgs().Len() == 0 {
		return to
	}
	var args []types.Type
	for a := range n.TypeArgs().Types() {
		if m, ok := a.(*types.Named); ok {
			if c := u.counterpart(m); c != nil {
				a = c
			}
		}
		args = append(args, a)
	}
	inst, err := types.Instantiate(nil, to, args, true)
	if err != nil {
		return nil
	}
	return inst
}

// convertType is the renewed form of an earlier type, t itself if nothing changes.
func convertType(t reflect.Type, named map[reflect.Type]reflect.Type) reflect.Type {
	if to := named[t]; to != nil {
		return to
	}
	if t.Name() != "" {
		return t
	}
	switch t.Kind() {
	case reflect.Pointer:
		if e := convertType(t.Elem(), named); e != t.Elem() {
			return reflect.PointerTo(e)
		}
	case reflect.Slice:
		if e := convertType(t.Elem(), named); e != t.Elem() {
			return reflect.SliceOf(e)
		}
	case reflect.Array:
		if e := convertType(t.Elem(), named); e != t.Elem() {
			return reflect.ArrayOf(t.Len(), e)
		}
	case reflect.Chan:
		if e := convertType(t.Elem(), named); e != t.Elem() {
			return reflect.ChanOf(t.ChanDir(), e)
		}
	case reflect.Map:
		if k, e := convertType(t.Key(), named), convertType(t.Elem(), named); k != t.Key() || e != t.Elem() {
			return reflect.MapOf(k, e)
		}
	case reflect.Func:
		var in, out []reflect.Type
		changed := false
		for p := range t.Ins() {
			in = append(in, convertType(p, named))
			changed = changed || in[len(in)-1] != p
		}
		for p := range t.Outs() {
			out = append(out, convertType(p, named))
			changed = changed || out[len(out)-1] != p
		}
		if changed {
			return reflect.FuncOf(in, out, t.IsVariadic())
		}
	}
	return t
}

// canHold reports whether a value of type t can lead to an interface or a
// function. Types of compiled packages are not entered: their values may be
// guarded by locks.
func (r *renewal) canHold(t reflect.Type) bool {
	if known, ok := r.holds[t]; ok {
		return known
	}
	r.holds[t] = true // while a recursive type is looked at; corrected below
	hit := false
	switch t.Kind() {
	case reflect.Interface:
		hit = true
	case reflect.Func:
		hit = convertType(t, r.prev) != t
	case reflect.Pointer, reflect.Slice, reflect.Array:
		hit = r.canHold(t.Elem())
	case reflect.Map:
		hit = r.canHold(t.Key()) || r.canHold(t.Elem())
	case reflect.Struct:
		if t.PkgPath() == "" || t.PkgPath() == "main" {
			for i := range t.NumField() {
				hit = r.canHold(t.Field(i).Type) || hit
			}
		}
	}
	r.holds[t] = hit
	return hit
}

// value renews what v holds, and reports whether v itself changed. v is
// addressable and was reached without unexported fields.
func (r *renewal) value(v reflect.Value) (changed bool) {
	t := v.Type()
	if !r.canHold(t) {
		return false
	}
	if r.left--; r.left < 0 || r.depth > maxNested {
		r.leave()
		return false
	}
	r.depth++
	defer func() { r.depth-- }()
	switch t.Kind() {
	case reflect.Interface:
		return r.inInterface(v)
	case reflect.Func:
		return r.function(v)
	case reflect.Pointer:
		if !v.IsNil() && r.first(v.UnsafePointer(), 1, t) {
			r.queue = append(r.queue, v.Elem())
		}
	case reflect.Slice:
		if v.Len() > 0 && r.first(v.UnsafePointer(), v.Len(), t) {
			for i := range v.Len() {
				r.value(v.Index(i))
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			changed = r.value(v.Index(i)) || changed
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			changed = r.value(reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem()) || changed
		}
	case reflect.Map:
		r.inMap(v)
	}
	return changed
}

// first reports whether a place is met for the first time.
func (r *renewal) first(at unsafe.Pointer, n int, t reflect.Type) bool {
	p := memory{at, n, t}
	if r.seen[p] {
		return false
	}
	r.seen[p] = true
	return true
}

// leave notes that something was left as it was.
func (r *renewal) leave() {
	for t := range r.next {
		r.names[t.Name()] = true
	}
}

func (r *renewal) inInterface(v reflect.Value) bool {
	if v.IsNil() {
		return false
	}
	e := v.Elem()
	to := convertType(e.Type(), r.next)
	if !to.AssignableTo(v.Type()) {
		return false // it lost a method that the interface asks for
	}
	box := reflect.New(e.Type())
	box.Elem().Set(e)
	in := reflect.NewAt(to, box.UnsafePointer()).Elem()
	changed := r.value(in)
	if changed || to != e.Type() {
		v.Set(in)
		return true
	}
	return false
}

// function replaces a function made for earlier types by one for the new ones
// that calls it.
func (r *renewal) function(v reflect.Value) bool {
	at := v.Addr().UnsafePointer()
	from := convertType(v.Type(), r.prev)
	if v.IsNil() || from == v.Type() || !r.first(at, 0, v.Type()) {
		return false
	}
	word := reflect.New(from)
	*(*unsafe.Pointer)(word.UnsafePointer()) = *(*unsafe.Pointer)(at)
	old := word.Elem()
	to := v.Type()
	v.Set(reflect.MakeFunc(to, func(args []reflect.Value) []reflect.Value {
		for i, a := range args {
			args[i] = as(a, from.In(i))
		}
		call := old.Call
		if from.IsVariadic() {
			call = old.CallSlice
		}
		out := call(args)
		for i, o := range out {
			out[i] = as(o, to.Out(i))
		}
		return out
	}))
	return true
}

// as is v seen as a value of a type with the same layout.
func as(v reflect.Value, t reflect.Type) reflect.Value {
	if v.Type() == t {
		return v
	}
	box := reflect.New(v.Type())
	box.Elem().Set(v)
	return reflect.NewAt(t, box.UnsafePointer()).Elem()
}

func (r *renewal) inMap(m reflect.Value) {
	if m.Len() == 0 || !r.first(m.UnsafePointer(), 1, m.Type()) {
		return
	}
	if r.busy {
		r.leave()
		return
	}
	for _, k := range m.MapKeys() {
		key, val := reflect.New(m.Type().Key()).Elem(), reflect.New(m.Type().Elem()).Elem()
		key.Set(k)
		e := m.MapIndex(k)
		if !e.IsValid() { // NaN
			continue
		}
		val.Set(e)
		keyChanged, valChanged := r.value(key), r.value(val)
		if keyChanged {
			m.SetMapIndex(k, reflect.Value{})
		}
		if keyChanged || valChanged {
			m.SetMapIndex(key, val)
		}
	}
}
