package interp

import (
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"strconv"
)

// view is a snapshot of what names mean, for completion and inspection beside
// a running cell.
type view struct {
	scope   map[string]types.Object
	imports map[string]*types.Package
	values  map[string]any // addresses of variables
	decls   map[string]*decl
	folders map[string]map[string]*decl // of loaded folders, by the package's path
	prelude map[string]types.Object     // what was there before the first cell
	locals  map[string]bool             // what the unfinished cell declares
}

// publish takes a new snapshot; the caller holds mu.
func (s *Session) publish() {
	v := &view{scope: maps.Clone(s.scope), imports: map[string]*types.Package{}, values: map[string]any{}, decls: maps.Clone(s.decls),
		folders: map[string]map[string]*decl{}, prelude: s.first.scope}
	for _, f := range s.folders {
		v.folders[f.pkg.Path()] = f.decls
	}
	for n, p := range s.imports {
		if pkg, err := s.importer().Import(p); err == nil {
			v.imports[n] = pkg
		}
	}
	for n, o := range s.scope {
		if _, ok := o.(*types.Var); ok {
			if p := s.ld.address(o.Pkg().Path(), n); p != nil {
				v.values[n] = p
			}
		}
	}
	s.view.Store(v)
}

// snapshot is the view together with the imports that src itself makes: a cell is completed before it has run. While another cell runs,
// packages that no cell has imported yet stay unknown.
func (s *Session) snapshot(src string) *view {
	v := s.view.Load()
	if v == nil {
		v = &view{}
	}
	// What follows the imports need not be whole; what the parser has read of the file up to there counts.
	f, _ := parser.ParseFile(token.NewFileSet(), "", "package main;"+src, parser.ImportsOnly)
	if f == nil || len(f.Imports) == 0 || !s.mu.TryLock() {
		return v
	}
	defer s.mu.Unlock()
	own := v.clone()
	own.imports = maps.Clone(v.imports)
	for _, im := range f.Imports {
		path, err := strconv.Unquote(im.Path.Value)
		if err != nil {
			continue
		}
		pkg, err := s.importer().Import(path)
		if err != nil {
			continue
		}
		name := pkg.Name()
		if im.Name != nil {
			name = im.Name.Name
		}
		own.imports[name] = pkg
	}
	return own
}

// clone is v, to be changed map by map.
func (v *view) clone() *view {
	own := *v
	return &own
}

// typeOf is the type of an expression in the snapshot; ok is false if it has none, as a package's name has not.
func (v *view) typeOf(expr string) (tv types.TypeAndValue, ok bool) {
	defer func() {
		if recover() != nil { // half-typed code may surprise the checker
			ok = false
		}
	}()
	pkg := types.NewPackage("main", "main")
	v.fill(pkg, nil)
	tv, err := types.Eval(token.NewFileSet(), pkg, token.NoPos, expr)
	return tv, err == nil
}

// fill declares in pkg what the names of v mean, but for those left out.
func (v *view) fill(pkg *types.Package, leaveOut map[string]bool) {
	for n, p := range v.imports {
		if !leaveOut[n] {
			pkg.Scope().Insert(types.NewPkgName(token.NoPos, pkg, n, p))
		}
	}
	for n, o := range v.scope {
		if !leaveOut[n] {
			pkg.Scope().Insert(o)
		}
	}
}
