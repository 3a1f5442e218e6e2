package interp

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strings"

	"github.com/gopherlens/gopherlens/kernel/interp/symbols"
)

// docOf is the documentation of o, which owner declares if it is a method or a
// field.
func (v *view) docOf(o types.Object, owner *types.TypeName) symbols.Doc {
	name, pkg := o.Name(), o.Pkg()
	if owner != nil {
		name, pkg = owner.Name()+"."+name, owner.Pkg()
	}
	switch {
	case pkg == nil:
		return symbols.Docs("builtin")[name]
	case !fromCells(pkg) && owner != nil:
		return memberDoc(documented(pkg), owner.Name(), o.Name(), maxEmbedded)
	case !fromCells(pkg):
		return symbols.Docs(documented(pkg))[name]
	}
	d := v.declOf(o, owner)
	switch {
	case d == nil:
		return symbols.Doc{}
	case slices.Contains(d.names, name) && d.tok == token.CONST:
		return symbols.Doc{Text: cmp.Or(constComment(d.src, name), d.doc)}
	case slices.Contains(d.names, name):
		return symbols.Doc{Text: d.doc}
	}
	return symbols.Doc{Text: memberComment(d.src, o.Name())}
}

// declOf is the declaration of o in a cell or in a folder: that of the type if o
// is a field, or a method of an interface. It is nil of other packages' names.
func (v *view) declOf(o types.Object, owner *types.TypeName) *decl {
	name, pkg := o.Name(), o.Pkg()
	if owner != nil {
		name, pkg = owner.Name()+"."+name, owner.Pkg()
	}
	if !fromCells(pkg) || v.locals[name] {
		return nil
	}
	decls := v.decls
	if ofFolder(pkg.Path()) {
		decls = v.folders[pkg.Path()]
	}
	if d := decls[name]; d != nil || owner == nil || v.locals[owner.Name()] {
		return d
	}
	return decls[owner.Name()]
}

// maxEmbedded is how deep interfaces are followed into those that they embed.
const maxEmbedded = 8

// memberDoc is the documentation of a field or method of a compiled package's
// type, or of the interface that the type has the method from.
func memberDoc(path, owner, name string, depth int) symbols.Doc {
	docs := symbols.Docs(path)
	d, ok := docs[owner+"."+name]
	for _, e := range strings.Fields(docs[owner+"."].Decl) {
		if i := strings.LastIndexByte(e, '.'); i >= 0 && !ok && depth > 0 {
			d = memberDoc(e[:i], e[i+1:], name, depth-1)
			ok = d != symbols.Doc{}
		}
	}
	return d
}

// addDecls adds what a file of a folder declares to decls. The package's own
// comment is that of the entry "", whose file is the folder.
func addDecls(decls map[string]*decl, fset *token.FileSet, f *ast.File, name, text string) {
	if d := decls[""]; d == nil {
		dir := path.Dir(name)
		if dir != "." {
			dir = "./" + dir
		}
		decls[""] = &decl{tok: token.PACKAGE, file: dir, doc: strings.TrimSpace(f.Doc.Text())}
	} else {
		d.doc = cmp.Or(d.doc, strings.TrimSpace(f.Doc.Text()))
	}
	add := func(n ast.Node, tok token.Token, doc string, names ...string) {
		from, to := fset.PositionFor(n.Pos(), false), fset.PositionFor(n.End(), false)
		d := &decl{names: names, tok: tok, src: text[from.Offset:to.Offset], doc: doc, file: name, line: from.Line}
		for _, n := range names {
			decls[n] = d
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if n := d.Name.Name; d.Recv == nil {
				add(d, token.FUNC, strings.TrimSpace(d.Doc.Text()), n)
			} else {
				add(d, token.FUNC, strings.TrimSpace(d.Doc.Text()), receiverName(d)+"."+n)
			}
		case *ast.GenDecl:
			var names []string
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					add(s, token.TYPE, cmp.Or(specComment(s.Doc, s.Comment), ungrouped(d)), s.Name.Name)
				case *ast.ValueSpec:
					for _, id := range s.Names {
						names = append(names, id.Name)
					}
					if d.Tok == token.VAR {
						add(s, token.VAR, cmp.Or(specComment(s.Doc, s.Comment), strings.TrimSpace(d.Doc.Text())), names...)
						names = nil
					}
				}
			}
			if d.Tok == token.CONST {
				add(d, token.CONST, strings.TrimSpace(d.Doc.Text()), names...)
			}
		}
	}
}

// ungrouped is the comment of a declaration without brackets, which is that of
// its only specification.
func ungrouped(d *ast.GenDecl) string {
	if d.Lparen.IsValid() {
		return ""
	}
	return strings.TrimSpace(d.Doc.Text())
}

// constComment is the comment of one constant of the declaration src.
func constComment(src, name string) string {
	f, _ := parser.ParseFile(token.NewFileSet(), "", "package p;"+src, parser.ParseComments|parser.SkipObjectResolution)
	if f == nil {
		return ""
	}
	for _, d := range f.Decls {
		if d, ok := d.(*ast.GenDecl); ok {
			for _, s := range d.Specs {
				if s, ok := s.(*ast.ValueSpec); ok && slices.ContainsFunc(s.Names, func(id *ast.Ident) bool { return id.Name == name }) {
					return specComment(s.Doc, s.Comment)
				}
			}
		}
	}
	return ""
}

// documented is the path under which the tables have the comments of p: that
// of the package which p, its generic code, belongs to.
func documented(p *types.Package) string {
	path, _, _ := strings.Cut(p.Path(), symbols.PatchMark)
	return path
}

// leadComment is the comment right above what follows lead.
func leadComment(lead string) string {
	if !strings.Contains(lead, "/") {
		return ""
	}
	f, _ := parser.ParseFile(token.NewFileSet(), "", "package p;"+strings.TrimLeft(lead, "; \t")+"func _()", parser.ParseComments)
	if f == nil || len(f.Decls) == 0 {
		return ""
	}
	if d, ok := f.Decls[0].(*ast.FuncDecl); ok {
		return strings.TrimSpace(d.Doc.Text())
	}
	return ""
}

// memberComment is the comment of a field or of a method of the struct or
// interface that spec, a type specification, declares.
func memberComment(spec, name string) string {
	f, _ := parser.ParseFile(token.NewFileSet(), "", "package p;type "+spec, parser.ParseComments|parser.SkipObjectResolution)
	if f == nil {
		return ""
	}
	text := ""
	ast.Inspect(f, func(n ast.Node) bool {
		if field, ok := n.(*ast.Field); ok {
			for _, id := range field.Names {
				if id.Name == name && text == "" {
					text = specComment(field.Doc, field.Comment)
				}
			}
		}
		return text == ""
	})
	return text
}

// specComment is the comment above, or else the one beside.
func specComment(above, beside *ast.CommentGroup) string {
	if text := strings.TrimSpace(above.Text()); text != "" {
		return text
	}
	return strings.TrimSpace(beside.Text())
}

// ownerOf is the type that declares the field or method that a selection from
// t reaches by index; nil if that has no name.
func ownerOf(o types.Object, t types.Type, index []int) *types.TypeName {
	if f, ok := o.(*types.Func); ok {
		if owner := receiverOf(f); owner != nil {
			return owner
		}
	}
	for _, i := range index[:max(len(index)-1, 0)] {
		st, ok := pointed(t).Underlying().(*types.Struct)
		if !ok || i >= st.NumFields() {
			return nil
		}
		t = st.Field(i).Type()
	}
	return typeNameOf(pointed(t))
}

// receiverOf is the type of a method's receiver; nil of a function.
func receiverOf(f *types.Func) *types.TypeName {
	if recv := f.Signature().Recv(); recv != nil {
		return typeNameOf(pointed(recv.Type()))
	}
	return nil
}

func pointed(t types.Type) types.Type {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}

func typeNameOf(t types.Type) *types.TypeName {
	if n, ok := types.Unalias(t).(*types.Named); ok {
		return n.Obj()
	}
	return nil
}

// withNames is f with the names of its parameters, which compiled functions do
// not have, from its declaration.
func withNames(f *types.Func, decl string) *types.Func {
	sig := f.Signature()
	if decl == "" || sig.TypeParams().Len() > 0 {
		return f
	}
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p;"+decl, parser.SkipObjectResolution)
	if err != nil || len(file.Decls) == 0 {
		return f
	}
	d, ok := file.Decls[0].(*ast.FuncDecl)
	if !ok {
		return f
	}
	params, results := nameTuple(sig.Params(), d.Type.Params), nameTuple(sig.Results(), d.Type.Results)
	return types.NewFunc(f.Pos(), f.Pkg(), f.Name(), types.NewSignatureType(sig.Recv(), nil, nil, params, results, sig.Variadic()))
}

// nameTuple gives the variables of t the names that list, of the same length,
// has for them.
func nameTuple(t *types.Tuple, list *ast.FieldList) *types.Tuple {
	if list.NumFields() != t.Len() {
		return t
	}
	var vars []*types.Var
	add := func(name string, typ ast.Expr) {
		old := t.At(len(vars))
		vars = append(vars, types.NewParam(old.Pos(), old.Pkg(), name, asWritten(old.Type(), typ)))
	}
	if list != nil {
		for _, field := range list.List {
			for _, id := range field.Names {
				add(id.Name, field.Type)
			}
			if len(field.Names) == 0 {
				add("", field.Type)
			}
		}
	}
	return types.NewTuple(vars...)
}

// asWritten is t with the names byte, rune and any where expr has them:
// reflection does not keep these.
func asWritten(t types.Type, expr ast.Expr) types.Type {
	switch e := expr.(type) {
	case *ast.Ident:
		o := types.Universe.Lookup(e.Name)
		if o, ok := o.(*types.TypeName); ok && types.Identical(o.Type(), t) {
			return o.Type()
		}
	case *ast.ArrayType:
		if s, ok := t.(*types.Slice); ok {
			return types.NewSlice(asWritten(s.Elem(), e.Elt))
		}
	case *ast.Ellipsis:
		if s, ok := t.(*types.Slice); ok {
			return types.NewSlice(asWritten(s.Elem(), e.Elt))
		}
	}
	return t
}

// named is f as its declaration has it.
func named(f *types.Func) *types.Func {
	owner, pkg := receiverOf(f), f.Pkg()
	if owner != nil {
		pkg = owner.Pkg()
	}
	switch {
	case pkg == nil || fromCells(pkg):
		return f
	case owner != nil:
		return withNames(f, memberDoc(documented(pkg), owner.Name(), f.Name(), maxEmbedded).Decl)
	}
	return withNames(f, symbols.Docs(documented(pkg))[f.Name()].Decl)
}
