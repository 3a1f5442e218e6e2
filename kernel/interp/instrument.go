package interp

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strconv"
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
				enterFunction(n.Body)
			}
		case *ast.FuncLit:
			enterFunction(n.Body)
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

// loopCheck is `cell__.Check()`, for which the engine has one instruction.
func loopCheck() ast.Stmt { return runtimeCall("Check") }

// enterFunction puts the checks at the head of a function. Where a loop's body
// defers, it also adds a defer statement that does nothing: if the loop ranges
// over a function, that is the only one of the function itself, and without it
// go/ssa does not run any when the function returns.
func enterFunction(body *ast.BlockStmt) {
	list := entryChecks()
	if defersInRange(body) {
		list = append(list, &ast.DeferStmt{Call: runtimeCall("Nothing").(*ast.ExprStmt).X.(*ast.CallExpr)})
	}
	body.List = append(list, body.List...)
}

func defersInRange(body *ast.BlockStmt) bool {
	found := false
	loops := 0
	var visit func(n ast.Node) bool
	visit = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.RangeStmt:
			loops++
			ast.Inspect(n.Body, visit)
			loops--
			return false
		case *ast.DeferStmt:
			found = found || loops > 0
		}
		return true
	}
	ast.Inspect(body, visit)
	return found
}

// entryChecks is `cell__.Enter()`.
func entryChecks() []ast.Stmt { return []ast.Stmt{runtimeCall("Enter")} }

// checkGotos puts a check in front of every goto: a loop may be made of them.
func checkGotos(list []ast.Stmt, done map[*ast.BranchStmt]bool) []ast.Stmt {
	for i := range list {
		at := &list[i]
		for l, ok := (*at).(*ast.LabeledStmt); ok; l, ok = (*at).(*ast.LabeledStmt) {
			at = &l.Stmt
		}
		if br, ok := (*at).(*ast.BranchStmt); ok && br.Tok == token.GOTO && !done[br] {
			done[br] = true
			*at = &ast.BlockStmt{List: []ast.Stmt{loopCheck(), br}}
		}
	}
	return list
}

// constantRanges makes of `for i := range x`, where x is an array or points to
// one, a loop over the array's length: Go does not evaluate x there, and x may
// be *p with p nil.
func constantRanges(f *ast.File, info *types.Info) {
	ast.Inspect(f, func(n ast.Node) bool {
		r, ok := n.(*ast.RangeStmt)
		if !ok || r.Value != nil { // with a blank value too, the compiler evaluates x
			return true
		}
		t := info.TypeOf(r.X)
		if p, ok := t.Underlying().(*types.Pointer); ok {
			t = p.Elem()
		}
		a, ok := t.Underlying().(*types.Array)
		if !ok || calls(r.X, info) {
			return true
		}
		length := &ast.BasicLit{ValuePos: r.X.Pos(), Kind: token.INT, Value: strconv.FormatInt(a.Len(), 10)}
		info.Types[length] = types.TypeAndValue{Type: types.Typ[types.Int], Value: constant.MakeInt64(a.Len())}
		r.X = length
		return true
	})
}

// calls reports whether evaluating x calls a function or receives from a
// channel, so that len(x) is not constant.
func calls(x ast.Expr, info *types.Info) bool {
	found := false
	ast.Inspect(x, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.UnaryExpr:
			found = found || n.Op == token.ARROW
		case *ast.CallExpr:
			found = found || !info.Types[n.Fun].IsType() && info.Types[n].Value == nil
		}
		return true
	})
	return found
}
