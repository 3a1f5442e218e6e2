package interp

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
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
	if pkg == nil {
		return symbols.Docs("builtin")[name]
	}
	if pkg.Name() != "main" {
		return symbols.Docs(pkg.Path())[name]
	}
	if d := v.decls[name]; d != nil {
		return symbols.Doc{Text: d.doc}
	}
	if owner != nil && v.decls[owner.Name()] != nil {
		return symbols.Doc{Text: memberComment(v.decls[owner.Name()].src, o.Name())}
	}
	return symbols.Doc{}
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
	name, pkg := f.Name(), f.Pkg()
	if owner := receiverOf(f); owner != nil {
		name, pkg = owner.Name()+"."+name, owner.Pkg()
	}
	if pkg == nil || pkg.Name() == "main" {
		return f
	}
	return withNames(f, symbols.Docs(pkg.Path())[name].Decl)
}
