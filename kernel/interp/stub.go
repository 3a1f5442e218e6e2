package interp

import (
	"go/ast"
	"go/token"
	"go/types"
)

// stub is an earlier cell as later programs see it: functions without bodies,
// which the interpreter finds compiled, and generic code in full, which it has
// to instantiate.
type stub struct {
	files []*ast.File
	info  *types.Info
	deps  []*types.Package // what generic bodies and types refer to
	funcs map[string]any   // of a folder, compiled
}

// newStub keeps of a compiled cell what later cells need.
func newStub(u *unit) *stub {
	f := &ast.File{Name: u.syntax.Name, Package: u.syntax.Package}
	full := false
	for _, d := range u.syntax.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			switch d.Tok {
			case token.TYPE:
				f.Decls = append(f.Decls, d)
			case token.VAR: // of a folder; those of cells have moved
				f.Decls = append(f.Decls, withoutValues(d))
			}
		case *ast.FuncDecl:
			if d.Name.Name == u.fn || d.Recv == nil && d.Name.Name == "init" {
				continue
			}
			fn, ok := u.info.Defs[d.Name].(*types.Func)
			if !ok {
				continue
			}
			if generic(fn) {
				full = true
				f.Decls = append(f.Decls, d)
				continue
			}
			f.Decls = append(f.Decls, &ast.FuncDecl{Recv: d.Recv, Name: d.Name, Type: d.Type})
		}
	}
	st := &stub{files: []*ast.File{f}}
	if full {
		st.info = u.info
		st.info.FileVersions[f] = goVersion
		st.deps = packagesOf(u.info, u.pkg)
		return st
	}
	st.info = newInfo()
	st.info.FileVersions[f] = goVersion
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			st.info.Defs[d.Name] = u.info.Defs[d.Name]
		case *ast.GenDecl:
			for _, sp := range d.Specs {
				if vs, ok := sp.(*ast.ValueSpec); ok {
					for _, id := range vs.Names {
						st.info.Defs[id] = u.info.Defs[id]
					}
					continue
				}
				ts := sp.(*ast.TypeSpec)
				o := u.info.Defs[ts.Name]
				st.info.Defs[ts.Name] = o
				if ts.TypeParams != nil { // its instances may promote methods
					st.deps = append(st.deps, typePackages(o.Type().Underlying())...)
				}
			}
		}
	}
	return st
}

// withoutValues only names the variables that d declares.
func withoutValues(d *ast.GenDecl) *ast.GenDecl {
	out := &ast.GenDecl{Tok: d.Tok, TokPos: d.TokPos}
	for _, sp := range d.Specs {
		out.Specs = append(out.Specs, &ast.ValueSpec{Names: sp.(*ast.ValueSpec).Names})
	}
	return out
}

// generic reports whether fn has type parameters, its receiver's included.
func generic(fn *types.Func) bool {
	sig := fn.Signature()
	return sig.TypeParams().Len() > 0 || sig.RecvTypeParams().Len() > 0
}

// packagesOf lists the packages, other than own, of all objects that code with
// this info refers to, methods called through any type included.
func packagesOf(info *types.Info, own *types.Package) []*types.Package {
	seen := map[*types.Package]bool{own: true, nil: true}
	var out []*types.Package
	add := func(o types.Object) {
		if p := o.Pkg(); !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	for _, o := range info.Uses {
		add(o)
	}
	for _, sel := range info.Selections {
		add(sel.Obj())
	}
	return out
}

// typePackages lists the packages of the named types t is made of.
func typePackages(t types.Type) []*types.Package {
	var out []*types.Package
	walkType(t, map[types.Type]bool{}, func(t types.Type) {
		if n, ok := t.(*types.Named); ok && n.Obj().Pkg() != nil {
			out = append(out, n.Obj().Pkg())
		}
	})
	return out
}

// walkType calls f for t and everything it is built from, each once.
func walkType(t types.Type, seen map[types.Type]bool, f func(types.Type)) {
	if t == nil || seen[t] {
		return
	}
	seen[t] = true
	f(t)
	each := func(t types.Type) { walkType(t, seen, f) }
	switch t := t.(type) {
	case *types.Named:
		for a := range t.TypeArgs().Types() {
			each(a)
		}
		if t.TypeParams().Len() == 0 || t.TypeArgs().Len() > 0 {
			each(t.Underlying())
		}
		for m := range t.Methods() {
			if fromCells(t.Obj().Pkg()) {
				each(m.Type())
			}
		}
	case *types.Alias:
		each(types.Unalias(t))
	case *types.Pointer:
		each(t.Elem())
	case *types.Slice:
		each(t.Elem())
	case *types.Array:
		each(t.Elem())
	case *types.Chan:
		each(t.Elem())
	case *types.Map:
		each(t.Key())
		each(t.Elem())
	case *types.Struct:
		for v := range t.Fields() {
			each(v.Type())
		}
	case *types.Signature:
		each(t.Params())
		each(t.Results())
	case *types.Tuple:
		for v := range t.Variables() {
			each(v.Type())
		}
	case *types.Interface:
		for m := range t.Methods() {
			each(m.Type())
		}
	}
}

// openType reports whether t mentions type parameters, so that it is no type
// of a value.
func openType(t types.Type) bool {
	open := false
	seen := map[types.Type]bool{}
	var visit func(t types.Type)
	visit = func(t types.Type) {
		walkType(t, seen, func(t types.Type) {
			switch t := t.(type) {
			case *types.TypeParam:
				open = true
			case *types.Named:
				if t.TypeParams().Len() > 0 && t.TypeArgs().Len() == 0 {
					open = true
				}
			case *types.Signature:
				// not RecvTypeParams: methods of instances keep those of their
				// origin, though nothing in them is open any more
				if t.TypeParams().Len() > 0 {
					open = true
				}
			}
		})
	}
	visit(t)
	return open
}
