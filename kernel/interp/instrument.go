package interp

import (
	"go/ast"
	"go/token"
)

// instrument adds the checks that make a cell stoppable: every loop head, and
// every goto, looks at the stop flag; every function entry counts down to a
// look at the flag and at the depth of the stack. It also sends the built-in
// print and println to the cell. shadowed says whether the session gives a
// name another meaning.
func instrument(f *ast.File, shadowed func(string) bool) {
	prints := map[*ast.Ident]bool{}
	gotos := map[*ast.BranchStmt]bool{}
	for _, id := range f.Unresolved {
		if (id.Name == "print" || id.Name == "println") && !shadowed(id.Name) {
			prints[id] = true
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && prints[id] {
				sel := runtimeSel("Print")
				if id.Name == "println" {
					sel = runtimeSel("Println")
				}
				sel.X.(*ast.Ident).NamePos = id.Pos()
				sel.Sel.NamePos = id.Pos()
				n.Fun = sel
			}
		case *ast.ForStmt:
			n.Body.List = append([]ast.Stmt{loopCheck()}, n.Body.List...)
		case *ast.RangeStmt:
			n.Body.List = append([]ast.Stmt{loopCheck()}, n.Body.List...)
		case *ast.FuncDecl:
			if n.Body != nil {
				n.Body.List = append(entryChecks(), n.Body.List...)
			}
		case *ast.FuncLit:
			n.Body.List = append(entryChecks(), n.Body.List...)
		case *ast.BlockStmt:
			n.List = checkGotos(n.List, gotos)
		case *ast.CaseClause:
			n.Body = checkGotos(n.Body, gotos)
		case *ast.CommClause:
			n.Body = checkGotos(n.Body, gotos)
		}
		return true
	})
}

func runtimeSel(name string) *ast.SelectorExpr {
	return &ast.SelectorExpr{X: ast.NewIdent(runtimeName), Sel: ast.NewIdent(name)}
}

func runtimeCall(name string) ast.Stmt {
	return &ast.ExprStmt{X: &ast.CallExpr{Fun: runtimeSel(name)}}
}

func intLit(v string) ast.Expr { return &ast.BasicLit{Kind: token.INT, Value: v} }

// loopCheck is `if cell__.Stop != 0 { cell__.Halt() }`.
func loopCheck() ast.Stmt {
	if raceEnabled {
		return runtimeCall("Check")
	}
	return &ast.IfStmt{
		Cond: &ast.BinaryExpr{X: runtimeSel("Stop"), Op: token.NEQ, Y: intLit("0")},
		Body: &ast.BlockStmt{List: []ast.Stmt{runtimeCall("Halt")}},
	}
}

// entryChecks is `cell__.Calls--; if cell__.Calls < 0 { cell__.Enter() }`.
// Goroutines share the counter without synchronising; a lost count only moves
// the next look by a call or two.
func entryChecks() []ast.Stmt {
	if raceEnabled {
		return []ast.Stmt{runtimeCall("Count")}
	}
	return []ast.Stmt{
		&ast.IncDecStmt{X: runtimeSel("Calls"), Tok: token.DEC},
		&ast.IfStmt{
			Cond: &ast.BinaryExpr{X: runtimeSel("Calls"), Op: token.LSS, Y: intLit("0")},
			Body: &ast.BlockStmt{List: []ast.Stmt{runtimeCall("Enter")}},
		},
	}
}

// checkGotos puts a check in front of every goto: a loop may be made of them.
func checkGotos(list []ast.Stmt, done map[*ast.BranchStmt]bool) []ast.Stmt {
	for i, st := range list {
		if br, ok := st.(*ast.BranchStmt); ok && br.Tok == token.GOTO && !done[br] {
			done[br] = true
			list[i] = &ast.BlockStmt{List: []ast.Stmt{loopCheck(), br}}
		}
	}
	return list
}
