package gen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// source is a package whose generic code is wanted, as the compiler read it.
type source struct {
	path, name string
	goVersion  string // of its module, such as 1.21; "" of the newest
	native     bool   // it has a table: what is not generic is there, compiled
	fset       *token.FileSet
	files      []*ast.File
	texts      [][]byte
	info       *types.Info
	pkg        *types.Package
	units      map[string]*unit
	roots      []*unit        // what runs when the package is initialised
	compiled   map[*unit]bool // what compiled code uses
}

// unit is a declaration that is taken over as a whole: a function, a type with
// its methods, a constant with all of its group.
type unit struct {
	src   *source
	name  string
	obj   types.Object
	spans []span
	refs  map[*unit]bool     // what else of the package it uses
	deps  map[[2]string]bool // path and name of what it uses of others

	wanted bool
	bad    string // why it cannot be taken over
	forced bool   // it is not generic, but its signature names what is
}

// span is the text of a part of a unit: a declaration, or the specification of
// one whose keyword is prefix.
type span struct {
	file   int
	node   ast.Node
	prefix string
}

// listed is what the go command says of a package.
type listed struct {
	ImportPath, Name, Dir string
	GoFiles               []string
	Module                *struct{ GoVersion string }
}

// listAll asks for the packages and all that they import.
func listAll(run Go, paths []string) (map[string]*listed, error) {
	data, err := run(append([]string{"list", "-buildvcs=false", "-deps", "-json=ImportPath,Name,Dir,GoFiles,Module"}, paths...)...)
	if err != nil {
		return nil, err
	}
	out := map[string]*listed{}
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		l := new(listed)
		if err := d.Decode(l); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		out[l.ImportPath] = l
	}
}

// readSource parses and checks a package and finds its units.
func readSource(l *listed, native bool, imp types.Importer) (*source, error) {
	s := &source{path: l.ImportPath, name: l.Name, native: native, fset: token.NewFileSet(), units: map[string]*unit{},
		info: &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}}
	if l.Module != nil {
		s.goVersion = l.Module.GoVersion
	}
	for _, n := range l.GoFiles {
		text, err := os.ReadFile(filepath.Join(l.Dir, n))
		if err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(s.fset, n, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		s.files, s.texts = append(s.files, f), append(s.texts, text)
	}
	conf := types.Config{Importer: imp}
	if s.goVersion != "" {
		conf.GoVersion = "go" + s.goVersion
	}
	var err error
	if s.pkg, err = conf.Check(s.path, s.fset, s.files, s.info); err != nil {
		return nil, err
	}
	s.findUnits()
	return s, nil
}

func (s *source) findUnits() {
	for i, f := range s.files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					s.addFunc(i, d)
				}
			case *ast.GenDecl:
				s.addGroup(i, d)
			}
		}
	}
	for i, f := range s.files { // when all types are there
		for _, d := range f.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && d.Recv != nil {
				if u := s.units[receiver(d)]; u != nil {
					u.spans = append(u.spans, span{i, d, ""})
					if d.Body == nil {
						u.bad = d.Name.Name + " has no body in Go"
					}
				}
			}
		}
	}
	for _, u := range s.units {
		s.findRefs(u)
	}
	for _, u := range s.roots {
		s.findRefs(u)
	}
	for _, u := range s.units {
		u.forced = s.native && token.IsExported(u.name) && !u.open() && u.namesOpen()
	}
	s.compiled = map[*unit]bool{}
	for _, u := range s.roots {
		s.reach(u)
	}
	for _, u := range s.units {
		if _, ok := u.obj.(*types.Var); ok || u.native() {
			s.reach(u)
		}
	}
}

func (s *source) addFunc(file int, d *ast.FuncDecl) {
	u := &unit{src: s, name: d.Name.Name, obj: s.info.Defs[d.Name], spans: []span{{file, d, ""}}}
	switch {
	case u.name == "init" || u.name == "_":
		s.roots = append(s.roots, u)
		return
	case d.Body == nil:
		u.bad = u.name + " has no body in Go"
	}
	s.units[u.name] = u
}

func (s *source) addGroup(file int, d *ast.GenDecl) {
	switch d.Tok {
	case token.TYPE:
		for _, sp := range d.Specs {
			sp := sp.(*ast.TypeSpec)
			s.units[sp.Name.Name] = &unit{src: s, name: sp.Name.Name, obj: s.info.Defs[sp.Name], spans: []span{{file, sp, "type "}}}
		}
	case token.CONST:
		for _, sp := range d.Specs {
			for _, id := range sp.(*ast.ValueSpec).Names {
				if id.Name != "_" {
					s.units[id.Name] = &unit{src: s, name: id.Name, obj: s.info.Defs[id], spans: []span{{file, d, ""}}}
				}
			}
		}
	case token.VAR:
		for _, sp := range d.Specs {
			for _, id := range sp.(*ast.ValueSpec).Names {
				u := &unit{src: s, name: id.Name, obj: s.info.Defs[id], spans: []span{{file, sp, "var "}}, bad: "there is one variable " + id.Name + ", of the compiled code"}
				if id.Name == "_" {
					s.roots = append(s.roots, u)
					continue
				}
				s.units[id.Name] = u
			}
		}
	}
}

// receiver is the name of a method's type.
func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.ParenExpr:
			t = x.X
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

func (s *source) findRefs(u *unit) {
	u.refs, u.deps = map[*unit]bool{}, map[[2]string]bool{}
	for _, sp := range u.spans {
		ast.Inspect(sp.node, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if id, ok := n.X.(*ast.Ident); ok {
					if p, ok := s.info.Uses[id].(*types.PkgName); ok {
						u.deps[[2]string{p.Imported().Path(), n.Sel.Name}] = true
						return false
					}
				}
			case *ast.Ident:
				o := s.info.Uses[n]
				switch {
				case o == nil || o.Pkg() == nil || o.Parent() != o.Pkg().Scope():
				case o.Pkg() != s.pkg:
					u.bad = "it is written with a dot import"
				case s.units[o.Name()] != nil:
					u.refs[s.units[o.Name()]] = true
				}
			}
			return true
		})
	}
	delete(u.refs, u)
}

// open reports whether no table can hold the unit: it is generic, or an
// interface that no value can have.
func (u *unit) open() bool {
	switch o := u.obj.(type) {
	case *types.Func:
		return o.Signature().TypeParams().Len() > 0
	case *types.TypeName:
		if t, ok := o.Type().(interface{ TypeParams() *types.TypeParamList }); ok && t.TypeParams().Len() > 0 {
			return true
		}
		return constraint(o.Type())
	}
	return false
}

// native reports whether the table has the unit.
func (u *unit) native() bool {
	return u.src.native && token.IsExported(u.name) && !u.open() && !u.forced
}

// namesOpen reports whether the signature of a function, or what an alias
// stands for, is made of an instance of a generic type of the package. Cells
// have that type from the source, so they must have the function from there.
func (u *unit) namesOpen() bool {
	switch o := u.obj.(type) {
	case *types.Func:
		return instance(o.Type(), u.src.pkg)
	case *types.TypeName:
		return o.IsAlias() && instance(types.Unalias(o.Type()), u.src.pkg)
	}
	return false
}

func instance(t types.Type, pkg *types.Package) bool {
	switch t := t.(type) {
	case *types.Named:
		return t.TypeArgs().Len() > 0 && (t.Obj().Pkg() == pkg || slices.ContainsFunc(slices.Collect(t.TypeArgs().Types()), func(a types.Type) bool { return instance(a, pkg) }))
	case *types.Alias:
		return instance(types.Unalias(t), pkg)
	case *types.Map:
		return instance(t.Key(), pkg) || instance(t.Elem(), pkg)
	case interface{ Elem() types.Type }: // pointer, slice, array, channel
		return instance(t.Elem(), pkg)
	case *types.Signature:
		return instance(t.Params(), pkg) || instance(t.Results(), pkg)
	case *types.Tuple:
		for v := range t.Variables() {
			if instance(v.Type(), pkg) {
				return true
			}
		}
	}
	return false
}

// reach marks what compiled code uses, as far as it is not generic.
func (s *source) reach(u *unit) {
	if s.compiled[u] {
		return
	}
	s.compiled[u] = true
	for r := range u.refs {
		if !r.open() {
			s.reach(r)
		}
	}
}

// text is the source of a span, with what the table has qualified by self.
func (s *source) text(sp span) string {
	from, to := s.offset(sp.node.Pos()), s.offset(sp.node.End())
	var b strings.Builder
	b.WriteString(sp.prefix)
	at := from
	ast.Inspect(sp.node, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		o := s.info.Uses[id]
		if o == nil || o.Pkg() != s.pkg || o.Parent() != s.pkg.Scope() {
			return true
		}
		if u := s.units[o.Name()]; u != nil && u.native() {
			i := s.offset(id.Pos())
			b.Write(s.texts[sp.file][at:i])
			b.WriteString(self + ".")
			at = i
		}
		return true
	})
	b.Write(s.texts[sp.file][at:to])
	return b.String()
}

func (s *source) offset(p token.Pos) int { return s.fset.Position(p).Offset }
