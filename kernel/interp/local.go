package interp

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"strings"
)

// withLocals is v with what src, a cell that has not run, declares before
// offset at: its types and functions, its variables, and those of the blocks
// that are open there.
func (v *view) withLocals(src string, at int) (out *view) {
	defer func() {
		if recover() != nil { // half-typed code may surprise the checker
			out = v
		}
	}()
	text, end := v.sketch(src, at)
	if text == "" {
		return v
	}
	fset := token.NewFileSet()
	f, _ := parser.ParseFile(fset, "", text, parser.SkipObjectResolution) // what is right of it counts
	if f == nil {
		return v
	}
	pkg := types.NewPackage("main", "main")
	declared := declaredBy(f)
	v.fill(pkg, declared)
	for _, d := range f.Decls {
		if d, ok := d.(*ast.FuncDecl); ok && d.Recv != nil && !declared[receiverName(d)] {
			asFunction(d)
		}
	}
	conf := types.Config{Error: func(error) {}}
	types.NewChecker(&conf, fset, pkg, nil).Files([]*ast.File{f})
	own := v.clone()
	own.scope, own.values, own.locals = maps.Clone(v.scope), maps.Clone(v.values), map[string]bool{}
	if own.scope == nil {
		own.scope = map[string]types.Object{}
	}
	pos := fset.File(f.Pos()).Pos(end)
	seen := map[string]bool{}
	for sc := pkg.Scope().Innermost(pos); sc != nil && sc != pkg.Scope(); sc = sc.Parent() {
		for _, n := range sc.Names() {
			if o := sc.Lookup(n); o.Pos() < pos && !seen[n] {
				seen[n] = true
				own.declare(o)
			}
		}
	}
	for n := range declared {
		if o := pkg.Scope().Lookup(n); o != nil && !seen[n] {
			own.declare(o)
		}
	}
	return own
}

// asFunction makes a method of another cell's type, on which the checker
// panics, a function of its receiver.
func asFunction(d *ast.FuncDecl) {
	if len(d.Recv.List) == 1 && len(d.Recv.List[0].Names) == 1 {
		d.Type.Params.List = append(d.Recv.List, d.Type.Params.List...)
	}
	d.Recv, d.Name.Name = nil, "_"
}

// declare gives o its name. A variable that an earlier run of the cell made
// keeps its value in sight.
func (v *view) declare(o types.Object) {
	n := o.Name()
	if old := v.scope[n]; old == nil || typeString(old.Type()) != typeString(o.Type()) {
		delete(v.values, n)
	}
	v.scope[n] = o
	v.locals[n] = true
}

// declaredBy lists the types and functions of f.
func declaredBy(f *ast.File) map[string]bool {
	out := map[string]bool{}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name != "_" {
				out[d.Name.Name] = true
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					out[s.Name.Name] = true
				case *ast.ValueSpec:
					for _, id := range s.Names {
						out[id.Name] = true
					}
				}
			}
		}
	}
	return out
}

// sketch is a file of what src declares before offset at, and the offset in
// the file of the place that corresponds. It leaves out the statement there
// and closes the brackets that are open. It is empty if nothing is declared.
func (v *view) sketch(src string, at int) (text string, end int) {
	items, _ := splitCell(src[:at])
	var decls, stmts, last string
	lastIsDecl, marker := false, 0
	for i, it := range items {
		part := it.src
		if i == len(items)-1 && !(strings.ContainsAny(src[it.offset+len(part):at], ";\n") && len(openBrackets(lexemes(part))) == 0) {
			last, marker = v.closed(part)
			it.src = last
			lastIsDecl = isDecl(it)
			break
		}
		switch {
		case it.tok == token.IMPORT || it.tok == token.PACKAGE:
		case isDecl(it):
			decls += part + "\n"
		default:
			stmts += part + "\n"
		}
	}
	if decls+stmts+last == "" {
		return "", 0
	}
	text = "package main\n" + decls + "func _() {\n" + stmts
	if lastIsDecl {
		text += "}\n"
		return text + last, len(text) + marker
	}
	return text + last + "\n}", len(text) + marker
}

// isDecl reports whether it stands at top level in a file; a variable of a
// cell, whose type may need the statements before it, does not.
func isDecl(it item) bool {
	switch it.tok {
	case token.TYPE, token.CONST:
		return true
	case token.FUNC:
		if !it.method {
			return true
		}
		_, err := parser.ParseFile(token.NewFileSet(), "", "package p;"+it.src, parser.SkipObjectResolution)
		return err == nil
	}
	return false
}

// closed is the unfinished item src without its last statement and with its
// brackets closed; marker is the offset of where the statement was.
func (v *view) closed(src string) (text string, marker int) {
	toks := lexemes(src)
	n := len(toks)
	for n > 0 {
		if t := toks[n-1].tok; t == token.SEMICOLON || t == token.LBRACE || t == token.RBRACE || t == token.COLON {
			break
		}
		n--
	}
	if n == 0 {
		return "", 0
	}
	toks = toks[:n]
	text = src[:toks[n-1].pos+1]
	marker = len(text)
	open := openBrackets(toks)
	if len(open) > 0 && toks[open[len(open)-1].open].tok == token.LBRACE && v.literalType(src, toks, open) == nil {
		text, marker = text+"\n_ = 0\n", len(text)+1
	}
	for i := len(open) - 1; i >= 0; i-- {
		text += map[token.Token]string{token.LBRACE: "}", token.LPAREN: ")", token.LBRACK: "]"}[toks[open[i].open].tok]
	}
	return text, marker
}
