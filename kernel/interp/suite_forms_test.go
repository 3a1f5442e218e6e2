package interp

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// splitInto cuts a program into cells.
func splitInto(form, src string) ([]string, error) {
	switch form {
	case "declarations":
		return splitDeclarations(src)
	case "statements":
		return splitStatements(src)
	}
	return []string{src}, nil
}

// piece is what goes into one cell.
type piece struct {
	src   string
	names []string
	deps  map[string]bool
	after []int // pieces that must come before
}

// splitDeclarations gives each declaration a cell of its own, what it depends on
// first; those that depend on each other share one, as do the methods of a type.
// Imports come first; init functions, then main, last. What uses a type comes
// after its methods.
func splitDeclarations(src string) ([]string, error) {
	p, errs := planCell("program", withoutPackage(src), 0)
	if errs != nil {
		return nil, errors.New(errs[0].msg)
	}
	var imports strings.Builder
	for _, im := range p.imports {
		imports.WriteString("import " + im.name + " \"" + im.path + "\"\n")
	}
	var pieces, last []piece
	methods := map[string]int{} // by type
	for _, d := range p.decls {
		text := d.src
		if d.tok == token.TYPE {
			text = "type " + text
		}
		pc := piece{src: text, names: d.names, deps: d.deps}
		if name := d.names[0]; strings.HasPrefix(name, "init__") {
			at := strings.Index(text, name)
			pc.src = text[:at] + "init" + text[at+len(name):]
			last = append(last, pc)
			continue
		}
		if base, _, ok := strings.Cut(d.names[0], "."); ok {
			if i, ok := methods[base]; ok {
				pieces[i].src += "\n" + text
				maps.Copy(pieces[i].deps, d.deps)
				continue
			}
			methods[base] = len(pieces)
		}
		pieces = append(pieces, pc)
	}
	for _, st := range p.stmts {
		if !st.varSpec {
			return nil, errors.New("a statement outside of a function")
		}
		pc := piece{src: "var " + st.src, names: st.defs, deps: map[string]bool{}}
		// not st.free, which leaves out what the same group declares
		if f, err := parser.ParseFile(token.NewFileSet(), "", "package p;var "+st.src, 0); err == nil {
			ast.Inspect(f, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					pc.deps[id.Name] = true
				}
				return true
			})
		}
		pieces = append(pieces, pc)
	}
	at := map[string]int{}
	for i, pc := range pieces {
		for _, n := range pc.names {
			if n != "_" {
				at[n] = i
			}
		}
	}
	for i := range pieces {
		own, _, _ := strings.Cut(pieces[i].names[0], ".")
		for n := range pieces[i].deps {
			j, ok := at[n]
			if !ok || j == i {
				continue
			}
			pieces[i].after = append(pieces[i].after, j)
			if m, ok := methods[n]; ok && n != own {
				pieces[i].after = append(pieces[i].after, m)
			}
		}
		slices.Sort(pieces[i].after)
	}
	cells := []string{}
	if imports.Len() > 0 {
		cells = append(cells, imports.String())
	}
	for _, group := range components(pieces) {
		var b strings.Builder
		for _, i := range group {
			b.WriteString(pieces[i].src + "\n")
		}
		cells = append(cells, b.String())
	}
	for _, pc := range last {
		cells = append(cells, pc.src)
	}
	return append(cells, "main()"), nil
}

// components are the strongly connected pieces, what others depend on first
// (Tarjan's algorithm).
func components(ps []piece) (out [][]int) {
	index, low, on := make([]int, len(ps)), make([]int, len(ps)), make([]bool, len(ps))
	next := 0
	var stack []int
	var visit func(i int)
	visit = func(i int) {
		next++
		index[i], low[i], on[i] = next, next, true
		stack = append(stack, i)
		for _, j := range ps[i].after {
			if index[j] == 0 {
				visit(j)
				low[i] = min(low[i], low[j])
			} else if on[j] {
				low[i] = min(low[i], index[j])
			}
		}
		if low[i] != index[i] {
			return
		}
		at := slices.Index(stack, i)
		group := slices.Sorted(slices.Values(stack[at:]))
		for _, j := range group {
			on[j] = false
		}
		stack = stack[:at]
		out = append(out, group)
	}
	for i := range ps {
		if index[i] == 0 {
			visit(i)
		}
	}
	return out
}

// withoutPackage blanks the package clause.
func withoutPackage(src string) string {
	f, err := parser.ParseFile(token.NewFileSet(), "", src, parser.PackageClauseOnly)
	if err != nil {
		return src
	}
	from, to := int(f.Package)-1, int(f.Name.End())-1
	return src[:from] + strings.Repeat(" ", to-from) + src[to:]
}

// splitStatements leaves the declarations in one cell and gives each statement
// of main one of its own.
func splitStatements(src string) ([]string, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", src, 0)
	if err != nil {
		return nil, err
	}
	var body *ast.BlockStmt
	var from, to int
	global := map[string]bool{}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == "main" {
				body, from, to = d.Body, fset.Position(d.Pos()).Offset, fset.Position(d.End()).Offset
			} else if d.Recv == nil {
				global[d.Name.Name] = true
			}
		case *ast.GenDecl:
			for _, sp := range d.Specs {
				switch sp := sp.(type) {
				case *ast.ValueSpec:
					for _, id := range sp.Names {
						global[id.Name] = true
					}
				case *ast.TypeSpec:
					global[sp.Name.Name] = true
				}
			}
		}
	}
	if body == nil {
		return nil, errors.New("no main")
	}
	for _, id := range f.Unresolved { // that main uses or not: predeclared names and imports
		global[id.Name] = true
	}
	if err := statementsAlone(body, global); err != nil {
		return nil, err
	}
	cells := []string{withoutPackage(src[:from] + src[to:])}
	for _, st := range body.List {
		text := src[fset.Position(st.Pos()).Offset:fset.Position(st.End()).Offset]
		cells = append(cells, text)
	}
	return cells, nil
}

// statementsAlone refuses a main whose statements mean something else when they
// stand alone: it leaves early, jumps, defers, or defines what the program has
// another meaning for.
func statementsAlone(body *ast.BlockStmt, global map[string]bool) (err error) {
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt, *ast.DeferStmt:
			err = errors.New("main returns or defers")
		case *ast.BranchStmt:
			if n.Tok == token.GOTO {
				err = errors.New("main jumps")
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "recover" {
				err = errors.New("main recovers")
			}
		}
		return true
	})
	shadows := func(ids ...*ast.Ident) {
		for _, id := range ids {
			if global[id.Name] {
				err = errors.New("main has a meaning of its own for " + id.Name)
			}
		}
	}
	for _, st := range body.List {
		switch st := st.(type) {
		case *ast.AssignStmt:
			if st.Tok == token.DEFINE {
				for _, e := range st.Lhs {
					if id, ok := e.(*ast.Ident); ok {
						shadows(id)
					}
				}
			}
		case *ast.DeclStmt:
			for _, sp := range st.Decl.(*ast.GenDecl).Specs {
				switch sp := sp.(type) {
				case *ast.ValueSpec:
					shadows(sp.Names...)
				case *ast.TypeSpec:
					shadows(sp.Name)
				}
			}
		}
	}
	return err
}
