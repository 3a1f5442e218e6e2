package interp

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"
)

// A variable or constant that is defined by its own name means the one of an earlier cell: x := x + 1, const X = X + 1. For variables see renameOld.

// bindEarlier makes the constants of ds that use their own names use those of earlier cells. These live on under names that no cell can write.
func (s *Session) bindEarlier(ds []*decl) (fail []diagnostic) {
	for _, d := range ds {
		var cuts []freeName
		suffix := fmt.Sprintf("%s%d", oldSuffix, s.seq)
		for _, f := range d.self {
			switch o := s.scope[f.name].(type) {
			case *types.Const:
				cuts = append(cuts, f)
				d.deps[f.name+suffix] = true
			case *types.Var:
				at := token.Position{Filename: d.file, Line: d.line, Column: d.col + f.off}
				if nl := strings.LastIndexByte(d.src[:f.off], '\n'); nl >= 0 {
					at.Line, at.Column = d.line+strings.Count(d.src[:f.off], "\n"), f.off-nl
				}
				fail = append(fail, diagnostic{at, tidy(fmt.Sprintf("%s (variable of type %s) is not constant", f.name, typeString(o.Type())))})
			}
		}
		if len(cuts) > 0 {
			d.src = rename(d.file, d.line, d.col, d.src, 0, cuts, suffix, d.src)
		}
	}
	return fail
}

// earlier is the constant that a name of bindEarlier's stands for.
func (s *Session) earlier(name string) types.Object {
	if o := s.scope[name]; o != nil {
		return o
	}
	base, n, ok := strings.Cut(name, oldSuffix)
	if !ok || n != fmt.Sprint(s.seq) {
		return nil
	}
	if c, ok := s.scope[base].(*types.Const); ok {
		return types.NewConst(c.Pos(), c.Pkg(), name, c.Type(), c.Val())
	}
	return nil
}

// keepEarlier keeps, of the constants that bindEarlier renamed, those that live declarations use.
func (s *Session) keepEarlier(u *unit) {
	used := map[string]types.Object{}
	for _, d := range s.decls {
		if len(d.self) == 0 {
			continue
		}
		for n := range d.deps {
			if strings.Contains(n, oldSuffix) {
				used[n] = cmp.Or(u.earlier[n], s.scope[n])
			}
		}
	}
	maps.DeleteFunc(s.scope, func(n string, _ types.Object) bool { return strings.Contains(n, oldSuffix) })
	maps.Copy(s.scope, used)
}

// cycles are the initialization cycles that the checker found.
type cycles []cycle

type cycle struct {
	at    types.Error
	edges [][2]string // who refers to whom
}

// take takes what the checker says about cycles: the first line, then one for each reference.
func (c *cycles) take(e types.Error) bool {
	if strings.HasPrefix(e.Msg, "initialization cycle") {
		*c = append(*c, cycle{at: e})
		if name, ok := strings.CutSuffix(e.Msg, " refers to itself"); ok {
			name = name[strings.LastIndexByte(name, ' ')+1:]
			(*c)[len(*c)-1].edges = [][2]string{{name, name}}
		}
		return true
	}
	from, to, ok := strings.Cut(e.Msg, " refers to ")
	if !ok || len(*c) == 0 || !strings.HasPrefix(e.Msg, "\t") {
		return false
	}
	last := &(*c)[len(*c)-1]
	last.edges = append(last.edges, [2]string{strings.TrimPrefix(from, "\t"), to})
	return true
}

// badCycles are the cycles that are mistakes in a cell too. Statements run one after another, so that a function may use a variable that is set by calling it, as
// long as the variable was there before; and a function literal may use the variable that it is assigned to.
func (s *Session) badCycles(u *unit, a *assembly, list cycles) (errs []types.Error) {
	defined := map[string]*stmt{}
	for i, st := range a.plan.stmts {
		for _, n := range st.defs {
			if defined[n] == nil {
				defined[n] = &a.plan.stmts[i]
			}
		}
	}
	for _, c := range list {
		bad, local := false, ""
		reads := true
		for _, edge := range c.edges {
			switch o := u.pkg.Scope().Lookup(edge[0]).(type) {
			case *types.Const:
				bad = true
			case *types.Var:
				invalid := o.Type() == types.Typ[types.Invalid]
				bad = bad || invalid
				if st := defined[o.Name()]; st == nil || s.scope[o.Name()] != nil {
					reads = false
				} else if !st.varSpec && edge[0] == edge[1] {
					local = o.Name()
				}
				reads = reads && u.evaluates(edge[0], edge[1])
			case *types.Func:
				reads = reads && u.evaluates(edge[0], edge[1])
			default:
				reads = false
			}
		}
		if !bad && !reads {
			continue
		}
		e := c.at
		if local != "" { // x := x
			e.Msg = "undefined: " + local
			if at := u.valueUse(local); at.IsValid() {
				e.Pos = at
			}
		} else if len(c.edges) > 1 {
			var parts []string
			for _, edge := range c.edges {
				parts = append(parts, edge[0]+" refers to "+edge[1])
			}
			e.Msg += " (" + strings.Join(parts, ", ") + ")"
		}
		errs = append(errs, e)
	}
	return errs
}

// initializer is what gives the package's variable or function name its value.
func (u *unit) initializer(name string) (nodes []ast.Node) {
	for _, d := range u.syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == name {
				return []ast.Node{d.Body}
			}
		case *ast.GenDecl:
			for _, sp := range d.Specs {
				vs, ok := sp.(*ast.ValueSpec)
				if !ok {
					continue
				}
				i := slices.IndexFunc(vs.Names, func(id *ast.Ident) bool { return id.Name == name })
				switch {
				case i < 0:
				case len(vs.Values) == len(vs.Names):
					return []ast.Node{vs.Values[i]}
				default:
					for _, v := range vs.Values {
						nodes = append(nodes, v)
					}
					return nodes
				}
			}
		}
	}
	return nil
}

// evaluates reports whether computing the variable name, or calling the function name, reads the variable or calls the function to, as far as one sees without running it.
func (u *unit) evaluates(name, to string) bool {
	target := u.pkg.Scope().Lookup(to)
	found := false
	for _, n := range u.initializer(name) {
		ast.Inspect(n, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit:
				return false
			case *ast.CallExpr:
				if id, ok := ast.Unparen(n.Fun).(*ast.Ident); ok && u.info.Uses[id] == target {
					found = true
				}
			case *ast.UnaryExpr:
				return n.Op != token.AND // an address is not a value
			case *ast.Ident:
				if _, ok := target.(*types.Var); ok && u.info.Uses[n] == target {
					found = true
				}
			}
			return true
		})
	}
	return found
}

// valueUse is where the value of the variable name uses the variable.
func (u *unit) valueUse(name string) (at token.Pos) {
	for _, n := range u.initializer(name) {
		ast.Inspect(n, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && !at.IsValid() && id.Name == name {
				at = id.Pos()
			}
			return true
		})
	}
	return at
}
