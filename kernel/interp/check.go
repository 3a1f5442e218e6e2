package interp

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/goplus/ixgo"
)

// unit is a checked cell, ready to be built.
type unit struct {
	file        string
	seq         int
	fn          string // the function of its statements, "" for a folder
	pkg         *types.Package
	info        *types.Info
	syntax      *ast.File
	own         []*decl
	inherit     []*decl
	dropped     map[*decl]string
	stays       []string // variables of a type that changed its layout
	imports     map[string]string
	importNames map[string]bool // names this cell imports anew
	dots        []string

	varPkg  *types.Package
	vars    []*types.Var // variables the cell defines, those that keep their storage included
	fresh   []*types.Var // those without storage yet
	reset   []*types.Var // kept storage that starts as zero again
	aliases []*types.Var // earlier selves of redefined variables, under another name
	moved   []moved
	earlier map[string]types.Object // constants that the cell's replace and use
	hidden  []*types.Var            // one variable per new type, by which its reflect type is learned
	folder  bool                    // a package of a folder, whose variables stay in it

	quiet   bool // a semicolon suppresses the last expression
	shows   bool // ends in an expression to display
	shownAt []types.Type

	interp *ixgo.Interp
	funcs  map[string]any
}

func newInfo() *types.Info {
	return &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Implicits: map[ast.Node]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{},
		Scopes: map[ast.Node]*types.Scope{}, Instances: map[*ast.Ident]types.Instance{}, FileVersions: map[*ast.File]string{},
	}
}

const goVersion = "go1.26"

// check assembles and type-checks one attempt. next asks for another attempt,
// with what it noted in a, changed or dropped.
func (s *Session) check(a *assembly, changed map[string]bool, dropped map[*decl]string) (u *unit, next bool, fail []diagnostic) {
	src, serrs := s.assemble(a)
	if serrs != nil {
		return nil, false, syntaxDiagnostics(a.file, serrs)
	}
	if len(a.own) == 0 && len(a.inherit) == 0 && len(a.plan.stmts) == 0 && len(a.plan.imports) == 0 && len(a.plan.decls) == 0 {
		return nil, false, nil
	}
	f, err := parser.ParseFile(s.base.FileSet, a.file, src.text, 0)
	if err != nil {
		return nil, false, s.parseFailure(a.file, err)
	}
	declared := declaredNames(slices.Concat(a.own, a.inherit))
	instrument(f, func(n string) bool { return src.vars[n] || declared[n] || s.scope[n] != nil })
	shieldTypes(f, declared)
	u = &unit{file: a.file, seq: a.seq, fn: src.fn, syntax: f, own: a.own, inherit: a.inherit, imports: maps.Clone(a.imports), dots: a.dots,
		importNames: map[string]bool{}, shows: src.shown, quiet: a.plan.quiet(), pkg: types.NewPackage("main", "main"), info: newInfo()}
	for n, p := range a.imports {
		if s.imports[n] != p {
			u.importNames[n] = true
		}
	}
	s.fillScope(u, a, src, declared, dropped)
	errs := s.typeCheck(u, a)
	if len(errs) > 0 {
		return s.recheck(u, a, src, errs, dropped)
	}
	constantRanges(f, u.info)
	s.noteOffsets(f, u.info)
	if u.keepLayout(s, a) {
		return nil, true, nil
	}
	for n := range src.vars {
		delete(u.imports, n)
	}
	for n := range declaredNames(a.own) {
		delete(u.imports, n)
	}
	if s.relocate(u, src, changed) {
		before := len(a.inherit)
		if n := len(s.inherited(a.own, changed)); n != before {
			return nil, true, nil
		}
	}
	return u, false, nil
}

// shieldTypes puts the right side of `type B A` in parentheses where A is not declared here: the checker's search for cycles takes a bare name that it
// finds in the package's scope for one that the file declares, and fails on it.
func shieldTypes(f *ast.File, declared map[string]bool) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.TYPE {
			continue
		}
		for _, sp := range g.Specs {
			ts := sp.(*ast.TypeSpec)
			if id, ok := ts.Type.(*ast.Ident); ok && !declared[id.Name] {
				ts.Type = &ast.ParenExpr{Lparen: id.Pos(), X: id, Rparen: id.End()}
			}
		}
	}
}

func (s *Session) parseFailure(file string, err error) []diagnostic {
	var out []diagnostic
	if list, ok := err.(scanner.ErrorList); ok {
		for _, e := range list {
			out = append(out, diagnostic{e.Pos, "syntax error: " + e.Msg})
		}
		return out
	}
	return []diagnostic{{token.Position{Filename: file}, err.Error()}}
}

// fillScope gives the cell's package the live objects it may use.
func (s *Session) fillScope(u *unit, a *assembly, src *source, declared map[string]bool, dropped map[*decl]string) {
	gone := map[string]bool{}
	for d := range dropped {
		for _, n := range d.names {
			gone[n] = true
		}
	}
	for n := range src.used {
		o := s.earlier(n)
		if o != nil && strings.Contains(n, oldSuffix) {
			if u.earlier == nil {
				u.earlier = map[string]types.Object{}
			}
			u.earlier[n] = o
		}
		if o == nil && a.imports[n] == "" && !src.vars[n] && !declared[n] {
			s.fillDot(u, a, n)
		}
		if o == nil || src.vars[n] || declared[n] || gone[n] || u.importNames[n] || src.carried[n] != nil {
			continue
		}
		if o.Name() == n {
			u.pkg.Scope().Insert(o)
		}
	}
	for n := range src.old {
		o := s.scope[n].(*types.Var)
		p := types.NewPackage(fmt.Sprintf("old%d_%s", u.seq, n), "old")
		v := types.NewVar(o.Pos(), p, n+oldSuffix, o.Type())
		p.Scope().Insert(v)
		p.MarkComplete()
		u.pkg.Scope().Insert(v)
		u.aliases = append(u.aliases, v)
	}
}

// fillDot looks a name up in the packages imported with a dot. They are not
// imported into the file: the cell may declare what they export too.
func (s *Session) fillDot(u *unit, a *assembly, name string) {
	for _, path := range slices.Backward(a.dots) {
		if p, err := s.importer().Import(path); err == nil && token.IsExported(name) {
			if o := p.Scope().Lookup(name); o != nil {
				u.pkg.Scope().Insert(o)
				return
			}
		}
	}
}

func (s *Session) typeCheck(u *unit, a *assembly) []types.Error {
	var errs []types.Error
	seen := map[string]bool{}
	var cycles cycles
	conf := &types.Config{
		Importer: s.importer(), Sizes: sizes, GoVersion: goVersion, DisableUnusedImportCheck: true,
		Error: func(e error) {
			te, ok := e.(types.Error)
			if !ok || cycles.take(te) || harmless(te) {
				return
			}
			// a definition is checked twice, for its type and as a statement
			key := s.base.FileSet.Position(te.Pos).String() + te.Msg
			if seen[key] {
				return
			}
			seen[key] = true
			errs = append(errs, te)
		},
	}
	types.NewChecker(conf, s.base.FileSet, u.pkg, u.info).Files([]*ast.File{u.syntax})
	return append(errs, s.badCycles(u, a, cycles)...)
}

// recheck decides what errors mean: an expression without a value is not
// displayed, an inherited declaration that no longer compiles is dropped, and
// anything else is the user's.
func (s *Session) recheck(u *unit, a *assembly, src *source, errs []types.Error, dropped map[*decl]string) (*unit, bool, []diagnostic) {
	if src.shown {
		for _, e := range errs {
			if strings.Contains(e.Msg, "used as value") || strings.Contains(e.Msg, "(no value)") {
				a.showLast = false
				return nil, true, nil
			}
		}
	}
	var own []diagnostic
	hit := false
	for _, e := range errs {
		pos := s.base.FileSet.Position(e.Pos)
		if d := declAt(a.inherit, pos); d != nil && pos.Filename != a.file {
			if _, ok := dropped[d]; !ok {
				dropped[d] = fmt.Sprintf("%s:%d:%d: %s", pos.Filename, pos.Line, pos.Column, tidy(e.Msg))
				hit = true
			}
			continue
		}
		if pos.Filename == "generated" && len(a.carry) > 0 { // a type with no name any more
			for _, c := range a.carry {
				hit = hit || !a.stay[c.name]
				a.stay[c.name] = true
			}
			continue
		}
		msg := tidy(e.Msg)
		for _, st := range a.plan.stmts {
			if len(st.defs) == 1 && !st.varSpec && pos.Line == st.rhsLine && pos.Column == st.rhsCol {
				msg = definitionMismatch(msg)
			}
		}
		own = append(own, diagnostic{pos, s.suggest(u, a, msg)})
	}
	if len(own) == 0 && hit {
		return nil, true, nil
	}
	sort.SliceStable(own, func(i, j int) bool {
		p, q := own[i].pos, own[j].pos
		return p.Line < q.Line || p.Line == q.Line && p.Column < q.Column
	})
	// the same place or message again is the same mistake: definitions are
	// checked twice
	own = slices.CompactFunc(own, func(a, b diagnostic) bool {
		return a.pos.Line == b.pos.Line && (a.msg == b.msg || a.pos.Column == b.pos.Column)
	})
	if len(own) == 0 {
		own = []diagnostic{{msg: tidy(errs[0].Msg)}}
	}
	return nil, false, own
}

// declAt finds the declaration whose source holds pos.
func declAt(ds []*decl, pos token.Position) *decl {
	for _, d := range ds {
		if d.file == pos.Filename && pos.Line >= d.line && pos.Line <= d.line+strings.Count(d.src, "\n") {
			return d
		}
	}
	return nil
}

// relocate moves the cell's variables out of its package: to the variable of
// the same name and type that is there already, else to a package of their
// own. It removes the declarations that were only there for inference, puts
// runs of var declarations in order of dependence, and reports whether a live
// name now means something else.
func (s *Session) relocate(u *unit, src *source, changed map[string]bool) bool {
	u.varPkg = types.NewPackage(fmt.Sprintf("vars%d", u.seq), "vars")
	repl := map[types.Object]*types.Var{}
	explicit := map[string]bool{}
	differs := false
	decls := u.syntax.Decls[:0]
	for _, d := range u.syntax.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			decls = append(decls, d)
			continue
		}
		for _, sp := range g.Specs {
			vs := sp.(*ast.ValueSpec)
			for _, id := range vs.Names {
				v, ok := u.info.Defs[id].(*types.Var)
				if !ok || id.Name == "_" {
					continue
				}
				if old := src.carried[id.Name]; old != nil {
					nv := types.NewVar(old.Pos(), u.varPkg, v.Name(), v.Type())
					repl[v] = nv
					u.fresh = append(u.fresh, nv)
					u.moved = append(u.moved, moved{old, nv})
					continue
				}
				explicit[id.Name] = len(vs.Values) > 0
				old := s.scope[id.Name]
				if ov, ok := old.(*types.Var); ok && types.Identical(ov.Type(), v.Type()) {
					repl[v] = ov
					u.vars = append(u.vars, ov)
					if !explicit[id.Name] {
						u.reset = append(u.reset, ov)
					}
					continue
				}
				if old != nil && !changed[id.Name] {
					changed[id.Name] = true
					differs = true
				}
				nv := types.NewVar(v.Pos(), u.varPkg, v.Name(), v.Type())
				repl[v] = nv
				u.vars = append(u.vars, nv)
				u.fresh = append(u.fresh, nv)
			}
		}
	}
	u.syntax.Decls = decls
	s.orderRuns(u, src)
	u.info.InitOrder = nil
	for id, o := range u.info.Uses {
		if nv := repl[o]; nv != nil {
			u.info.Uses[id] = nv
		}
	}
	if u.shows {
		u.shows, u.shownAt = shownTypes(u)
		u.shows = u.shows && !u.quiet
	}
	return differs
}

// orderRuns sorts each run of var declarations as a package would initialise
// them.
func (s *Session) orderRuns(u *unit, src *source) {
	if len(src.runs) == 0 {
		return
	}
	// by the place of the value: a blank variable has no other name
	rank := map[[2]int]int{}
	place := func(e ast.Expr) [2]int {
		p := s.base.FileSet.Position(e.Pos())
		return [2]int{p.Line, p.Column}
	}
	for i, in := range u.info.InitOrder {
		rank[place(in.Rhs)] = i
	}
	body := cellFunc(u).Body.List
	skip := 0
	for skip < len(body) && !body[skip].Pos().IsValid() { // the checks
		skip++
	}
	for _, r := range src.runs {
		part := body[skip+r[0] : skip+r[1]]
		sort.SliceStable(part, func(i, j int) bool {
			return rank[place(part[i].(*ast.AssignStmt).Rhs[0])] < rank[place(part[j].(*ast.AssignStmt).Rhs[0])]
		})
	}
}

func cellFunc(u *unit) *ast.FuncDecl {
	for _, d := range u.syntax.Decls {
		if fd, ok := d.(*ast.FuncDecl); ok && fd.Name.Name == u.fn {
			return fd
		}
	}
	return nil
}

// shownTypes are the static types of the values the cell displays. Nothing is
// displayed for fmt's print functions: nobody asks for a count of bytes.
func shownTypes(u *unit) (shows bool, out []types.Type) {
	list := cellFunc(u).Body.List
	for i := len(list) - 1; i >= 0; i-- {
		es, ok := list[i].(*ast.ExprStmt)
		if !ok {
			continue
		}
		call, ok := es.X.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			continue
		}
		if len(call.Args) > 1 {
			for _, a := range call.Args {
				out = append(out, u.info.TypeOf(a))
			}
			return true, out
		}
		if c, ok := call.Args[0].(*ast.CallExpr); ok {
			if sel, ok := c.Fun.(*ast.SelectorExpr); ok {
				o := u.info.Uses[sel.Sel]
				if o != nil && o.Pkg() != nil && o.Pkg().Path() == "fmt" && strings.Contains(strings.ToLower(o.Name()), "print") && o.Name()[0] != 'S' {
					return false, nil
				}
			}
		}
		t := u.info.TypeOf(call.Args[0])
		if tup, ok := t.(*types.Tuple); ok {
			for v := range tup.Variables() {
				out = append(out, v.Type())
			}
			return true, out
		}
		return true, []types.Type{t}
	}
	return false, nil
}
