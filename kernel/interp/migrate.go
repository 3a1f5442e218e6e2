package interp

import (
	"fmt"
	"go/token"
	"go/types"
	"reflect"

	"github.com/goplus/ixgo"
	"github.com/goplus/ixgo/load"
)

// migrate gives variables of a type that was compiled again with the same
// layout (a method was added or changed) the new type. The storage stays.
func (s *Session) migrate(u *unit) {
	renewed := map[*types.TypeName]*types.Named{}
	for _, list := range [][]*decl{u.inherit, u.own} {
		for _, d := range list {
			if d.tok != token.TYPE {
				continue
			}
			o, ok := u.pkg.Scope().Lookup(d.names[0]).(*types.TypeName)
			if !ok || o.IsAlias() {
				continue
			}
			n, ok := o.Type().(*types.Named)
			if !ok || n.TypeParams().Len() > 0 {
				continue
			}
			for p := range s.cells {
				old, ok := p.Scope().Lookup(d.names[0]).(*types.TypeName)
				if ok && old != o && old.Pkg() == p && sameLayout(old.Type().Underlying(), n.Underlying()) {
					renewed[old] = n
				}
			}
		}
	}
	if len(renewed) == 0 {
		return
	}
	for name, o := range s.scope {
		v, ok := o.(*types.Var)
		if !ok {
			continue
		}
		nt := renew(v.Type(), renewed)
		if nt == v.Type() {
			continue
		}
		rt := s.reflectType(nt)
		addr := s.ld.address(v.Pkg().Path(), name)
		if rt == nil || addr == nil || rt.Size() != reflect.TypeOf(addr).Elem().Size() {
			continue
		}
		p := types.NewPackage(fmt.Sprintf("moved%d_%s", u.seq, name), "moved")
		nv := types.NewVar(v.Pos(), p, name, nt)
		p.Scope().Insert(nv)
		p.MarkComplete()
		s.ld.install(p.Path(), map[string]reflect.Value{name: reflect.NewAt(rt, reflect.ValueOf(addr).UnsafePointer())})
		s.scope[name] = nv
	}
}

// sameLayout reports whether values of one type can be read as the other.
// Fields of the renewed type itself, as in a list, make the two differ in
// name only.
func sameLayout(a, b types.Type) bool {
	return types.TypeString(a, nil) == types.TypeString(b, nil)
}

// renew replaces old types in t by the new ones; it returns t itself if there
// is nothing to replace.
func renew(t types.Type, renewed map[*types.TypeName]*types.Named) types.Type {
	switch t := t.(type) {
	case *types.Named:
		if n, ok := renewed[t.Obj()]; ok {
			return n
		}
	case *types.Pointer:
		if e := renew(t.Elem(), renewed); e != t.Elem() {
			return types.NewPointer(e)
		}
	case *types.Slice:
		if e := renew(t.Elem(), renewed); e != t.Elem() {
			return types.NewSlice(e)
		}
	case *types.Array:
		if e := renew(t.Elem(), renewed); e != t.Elem() {
			return types.NewArray(e, t.Len())
		}
	case *types.Map:
		k, e := renew(t.Key(), renewed), renew(t.Elem(), renewed)
		if k != t.Key() || e != t.Elem() {
			return types.NewMap(k, e)
		}
	}
	return t
}

// reflectType is the reflect type of t, nil if it is not known.
func (s *Session) reflectType(t types.Type) reflect.Type {
	if rt, ok := s.ld.LookupReflect(t); ok {
		return rt
	}
	switch t := types.Unalias(t).(type) {
	case *types.Pointer:
		if e := s.reflectType(t.Elem()); e != nil {
			return reflect.PointerTo(e)
		}
	case *types.Slice:
		if e := s.reflectType(t.Elem()); e != nil {
			return reflect.SliceOf(e)
		}
	case *types.Array:
		if e := s.reflectType(t.Elem()); e != nil {
			return reflect.ArrayOf(int(t.Len()), e)
		}
	case *types.Map:
		if k, e := s.reflectType(t.Key()), s.reflectType(t.Elem()); k != nil && e != nil && k.Comparable() {
			return reflect.MapOf(k, e)
		}
	case *types.Basic:
		return basicTypes[t.Kind()]
	case *types.Interface:
		if t.Empty() {
			return reflect.TypeFor[any]()
		}
	}
	return nil
}

var basicTypes = map[types.BasicKind]reflect.Type{
	types.Bool: reflect.TypeFor[bool](), types.String: reflect.TypeFor[string](),
	types.Int: reflect.TypeFor[int](), types.Int8: reflect.TypeFor[int8](), types.Int16: reflect.TypeFor[int16](),
	types.Int32: reflect.TypeFor[int32](), types.Int64: reflect.TypeFor[int64](),
	types.Uint: reflect.TypeFor[uint](), types.Uint8: reflect.TypeFor[uint8](), types.Uint16: reflect.TypeFor[uint16](),
	types.Uint32: reflect.TypeFor[uint32](), types.Uint64: reflect.TypeFor[uint64](), types.Uintptr: reflect.TypeFor[uintptr](),
	types.Float32: reflect.TypeFor[float32](), types.Float64: reflect.TypeFor[float64](),
	types.Complex64: reflect.TypeFor[complex64](), types.Complex128: reflect.TypeFor[complex128](),
}

// patch is a package whose interpreted additions bind to compiled functions.
type patch struct {
	path  string
	links []*load.LinkSym
}

// patched lists the packages in use whose additions have such links.
func (s *Session) patched() []patch {
	var out []patch
	for _, p := range ixgo.PackageList() {
		if sp := s.base.SourcePackage(p + "@patch"); sp != nil && len(sp.Links) > 0 {
			out = append(out, patch{p, sp.Links})
		}
	}
	return out
}
