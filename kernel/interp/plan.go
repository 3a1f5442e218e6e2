package interp

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"slices"
	"strings"
)

// decl is a type, function, method or constant declaration that stays live
// across cells: its source, so that it can be compiled again when something it
// depends on changes.
type decl struct {
	names []string // what it declares; a method as "T.m"
	tok   token.Token
	src   string
	doc   string // the comment above
	file  string // "In[3]"
	line  int
	col   int
	deps  map[string]bool // names it uses and does not declare itself
	seq   int             // order of declaration in the session
	self  []freeName      // of a constant's own name in its value, by offset in src
}

// where is the line directive that gives the parser the decl's true position.
func (d *decl) where() string { return fmt.Sprintf("/*line %s:%d:%d*/", d.file, d.line, d.col) }

// stmt is one statement of a cell, or one specification of a var declaration.
type stmt struct {
	src       string
	line, col int
	free      []freeName // identifiers to be resolved outside, by offset in src
	defs      []string   // names it defines at top level, "_" included
	varSpec   bool       // from a var declaration
	typ       string     // type text of a var specification
	rhs       string     // initialisers, "" for none
	rhsOff    int        // offset of rhs in src
	rhsLine   int
	rhsCol    int
	expr      bool // an expression statement
	semi      bool
}

type freeName struct {
	name string
	off  int
}

// importSpec is one import of a cell.
type importSpec struct {
	name, path string // name "" if not given
	line, col  int
}

// plan is a cell, sorted.
type plan struct {
	file    string
	imports []importSpec
	decls   []*decl
	stmts   []stmt
	inits   []string // names given to init functions
	program bool     // has a package clause: func main runs
}

// planCell sorts the items of a cell. seq makes the names of init functions
// unique in the session.
func planCell(file string, src string, seq int) (*plan, []syntaxError) {
	items, errs := splitCell(src)
	p := &plan{file: file}
	if len(errs) == 0 {
		errs = embeds(src)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	for i, it := range items {
		err := p.add(it, seq)
		if err != nil && i == len(items)-1 && p.addList(it) {
			err = nil
		}
		errs = append(errs, err...)
	}
	return p, errs
}

// embeds finds directives that would need a build: without one the variable
// under it would stay empty, silently.
func embeds(src string) (errs []syntaxError) {
	if !strings.Contains(src, "//go:embed") {
		return nil
	}
	fset := token.NewFileSet()
	var sc scanner.Scanner
	sc.Init(fset.AddFile("", -1, len(src)), []byte(src), func(token.Position, string) {}, scanner.ScanComments)
	for {
		pos, tok, lit := sc.Scan()
		if tok == token.EOF {
			return errs
		}
		if tok == token.COMMENT && strings.HasPrefix(lit, "//go:embed ") {
			p := fset.PositionFor(pos, false)
			errs = append(errs, syntaxError{p.Line, p.Column, "//go:embed has no effect in a cell, which is not built from files; read the file with os.ReadFile"})
		}
	}
}

func (p *plan) add(it item, seq int) []syntaxError {
	switch it.tok {
	case token.PACKAGE:
		p.program = true
		return nil
	case token.IMPORT, token.TYPE, token.CONST, token.VAR:
		return p.addDecl(it, seq)
	case token.FUNC:
		if !it.method {
			return p.addDecl(it, seq)
		}
		if _, err := parser.ParseFile(token.NewFileSet(), "", "package p;"+it.src, parser.SkipObjectResolution); err == nil {
			return p.addDecl(it, seq)
		}
		if stmtErrs := p.addStmt(it); stmtErrs == nil {
			return nil
		}
		return p.addDecl(it, seq)
	}
	return p.addStmt(it)
}

func (p *plan) addDecl(it item, seq int) []syntaxError {
	q, errs := parseItem(p.file, it, "package p;", "\n", parser.ParseComments)
	if errs != nil {
		return errs
	}
	free, keys := freeNames(q.file)
	for _, d := range q.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if err := p.addFunc(q, d, free, keys, seq); err != nil {
				return err
			}
		case *ast.GenDecl:
			p.addGen(q, d, free, keys)
		}
	}
	return nil
}

func (p *plan) newDecl(q *parsed, n ast.Node, src string, tok token.Token, free, keys []*ast.Ident, names ...string) *decl {
	line, col := q.at(n.Pos())
	d := &decl{names: names, tok: tok, src: src, doc: leadComment(q.origin.lead), file: p.file, line: line, col: col, deps: map[string]bool{}}
	for _, ids := range [][]*ast.Ident{free, keys} {
		for _, id := range ids {
			if id.Pos() >= n.Pos() && id.Pos() < n.End() {
				d.deps[id.Name] = true
			}
		}
	}
	// a group's specifications see each other without being unresolved
	ast.Inspect(n, func(x ast.Node) bool {
		if id, ok := x.(*ast.Ident); ok && id.Obj != nil && q.file.Scope.Lookup(id.Name) == id.Obj && !slices.Contains(names, id.Name) {
			d.deps[id.Name] = true
		}
		return true
	})
	return d
}

func (p *plan) addFunc(q *parsed, d *ast.FuncDecl, free, keys []*ast.Ident, seq int) []syntaxError {
	line, col := q.at(d.Pos())
	if d.Body == nil {
		return []syntaxError{{line, col, "missing function body: func " + d.Name.Name + " needs one in a cell"}}
	}
	src, name := q.text(d), d.Name.Name
	switch {
	case d.Recv != nil:
		base := receiverName(d)
		if base == "" {
			return []syntaxError{{line, col, "invalid receiver of method " + name}}
		}
		name = base + "." + name
	case name == "init":
		if d.Type.Params.NumFields() > 0 || d.Type.Results.NumFields() > 0 {
			return []syntaxError{{line, col, "func init must have no arguments and no return values"}}
		}
		name = fmt.Sprintf("init__%d_%d", seq, len(p.inits))
		p.inits = append(p.inits, name)
		at := q.off(d.Name.Pos()) - q.off(d.Pos())
		nl, nc := q.at(d.Name.End())
		src = src[:at] + name + fmt.Sprintf("/*line %s:%d:%d*/", p.file, nl, nc) + src[at+len("init"):]
	}
	nd := p.newDecl(q, d, src, token.FUNC, free, keys, name)
	if d.Recv != nil {
		nd.deps[receiverName(d)] = true
	}
	p.decls = append(p.decls, nd)
	return nil
}

// receiverName is the name of the type a method belongs to.
func receiverName(d *ast.FuncDecl) string {
	if len(d.Recv.List) == 0 {
		return ""
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.ParenExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

func (p *plan) addGen(q *parsed, d *ast.GenDecl, free, keys []*ast.Ident) {
	switch d.Tok {
	case token.IMPORT:
		for _, sp := range d.Specs {
			im := sp.(*ast.ImportSpec)
			line, col := q.at(im.Pos())
			s := importSpec{path: strings.Trim(im.Path.Value, "\"`"), line: line, col: col}
			if im.Name != nil {
				s.name = im.Name.Name
			}
			p.imports = append(p.imports, s)
		}
	case token.TYPE:
		for _, sp := range d.Specs {
			ts := sp.(*ast.TypeSpec)
			nd := p.newDecl(q, ts, q.text(ts), token.TYPE, free, keys, ts.Name.Name)
			if text := specComment(ts.Doc, ts.Comment); text != "" || d.Lparen.IsValid() {
				nd.doc = text
			}
			p.decls = append(p.decls, nd)
		}
	case token.CONST:
		var names []string
		for _, sp := range d.Specs {
			for _, id := range sp.(*ast.ValueSpec).Names {
				if id.Name != "_" {
					names = append(names, id.Name)
				}
			}
		}
		if len(names) == 0 {
			names = []string{"_"}
		}
		nd := p.newDecl(q, d, q.text(d), token.CONST, free, keys, names...)
		nd.self = q.selfReferences(d)
		p.decls = append(p.decls, nd)
	case token.VAR:
		for _, sp := range d.Specs {
			p.addVar(q, sp.(*ast.ValueSpec), free, keys)
		}
	}
}

// selfReferences are the uses of the constants of d in their own values.
func (q *parsed) selfReferences(d *ast.GenDecl) (out []freeName) {
	start := q.off(d.Pos())
	for _, sp := range d.Specs {
		vs := sp.(*ast.ValueSpec)
		for _, value := range vs.Values {
			ast.Inspect(value, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					_, nested := n.X.(*ast.SelectorExpr)
					return nested
				case *ast.Ident:
					if slices.ContainsFunc(vs.Names, func(id *ast.Ident) bool { return id.Name == n.Name }) {
						out = append(out, freeName{n.Name, q.off(n.Pos()) - start})
					}
				}
				return true
			})
		}
	}
	return out
}

func (p *plan) addVar(q *parsed, vs *ast.ValueSpec, free, keys []*ast.Ident) {
	s := p.newStmt(q, vs, free, keys)
	s.varSpec = true
	for _, id := range vs.Names {
		s.defs = append(s.defs, id.Name)
	}
	if vs.Type != nil {
		s.typ = q.text(vs.Type)
	}
	if len(vs.Values) > 0 {
		p.setRHS(q, &s, vs, vs.Values)
	}
	p.stmts = append(p.stmts, s)
}

func (p *plan) setRHS(q *parsed, s *stmt, n ast.Node, rhs []ast.Expr) {
	first, last := rhs[0], rhs[len(rhs)-1]
	s.rhs = q.src[q.off(first.Pos()):q.off(last.End())]
	s.rhsOff = q.off(first.Pos()) - q.off(n.Pos())
	s.rhsLine, s.rhsCol = q.at(first.Pos())
}

func (p *plan) newStmt(q *parsed, n ast.Node, free, keys []*ast.Ident) stmt {
	line, col := q.at(n.Pos())
	s := stmt{src: q.text(n), line: line, col: col, semi: q.origin.semi}
	start := q.off(n.Pos())
	for _, id := range free {
		if id.Pos() >= n.Pos() && id.Pos() < n.End() {
			s.free = append(s.free, freeName{id.Name, q.off(id.Pos()) - start})
		}
	}
	for _, id := range keys { // used, but perhaps as a field name: never renamed
		if id.Pos() >= n.Pos() && id.Pos() < n.End() {
			s.free = append(s.free, freeName{id.Name, -1})
		}
	}
	return s
}

func (p *plan) addStmt(it item) []syntaxError {
	q, errs := parseItem(p.file, it, "package p;func _(){", "\n}", 0)
	if errs != nil {
		return errs
	}
	if len(q.file.Decls) != 1 {
		return []syntaxError{{it.line, it.col, "unbalanced braces"}}
	}
	free, keys := freeNames(q.file)
	for _, st := range q.file.Decls[0].(*ast.FuncDecl).Body.List {
		if _, ok := st.(*ast.EmptyStmt); ok {
			continue
		}
		s := p.newStmt(q, st, free, keys)
		switch st := st.(type) {
		case *ast.ExprStmt:
			s.expr = true
		case *ast.AssignStmt:
			if st.Tok != token.DEFINE {
				break
			}
			s.free = s.free[:0]
			for _, e := range st.Lhs {
				id, ok := e.(*ast.Ident)
				if !ok {
					line, col := q.at(e.Pos())
					return []syntaxError{{line, col, "non-name " + q.text(e) + " on left side of :="}}
				}
				s.defs = append(s.defs, id.Name)
			}
			p.setRHS(q, &s, st, st.Rhs)
			// the parser resolves the right side against the left, which :=
			// at top level does not: take every identifier of it that no
			// inner scope declares
			rit := item{src: s.rhs, line: s.rhsLine, col: s.rhsCol}
			if rq, errs := parseItem(p.file, rit, "package p;var _ =", "\n", 0); errs == nil {
				rf, rk := freeNames(rq.file)
				for _, id := range rf {
					s.free = append(s.free, freeName{id.Name, s.rhsOff + rq.off(id.Pos())})
				}
				for _, id := range rk {
					s.free = append(s.free, freeName{id.Name, -1})
				}
			}
		}
		p.stmts = append(p.stmts, s)
	}
	return nil
}

// addList takes an item that is a list of expressions, which is no statement
// of Go: at the end of a cell it shows them all.
func (p *plan) addList(it item) bool {
	it.src = withoutTrailer(it.src)
	q, errs := parseItem(p.file, it, "package p;var _ = list(", ")", 0)
	if errs != nil {
		return false
	}
	call, ok := q.file.Decls[0].(*ast.GenDecl).Specs[0].(*ast.ValueSpec).Values[0].(*ast.CallExpr)
	if !ok || len(call.Args) < 2 || call.Ellipsis.IsValid() || q.off(call.Rparen) < len(it.src) {
		return false
	}
	s := stmt{src: it.src, line: it.line, col: it.col, semi: it.semi, expr: true}
	free, keys := freeNames(q.file)
	for _, id := range free {
		if id != call.Fun {
			s.free = append(s.free, freeName{id.Name, q.off(id.Pos())})
		}
	}
	for _, id := range keys {
		s.free = append(s.free, freeName{id.Name, -1})
	}
	p.stmts = append(p.stmts, s)
	return true
}

// withoutTrailer cuts off what follows the last token: space and comments.
func withoutTrailer(src string) string {
	fset := token.NewFileSet()
	f := fset.AddFile("", -1, len(src))
	var sc scanner.Scanner
	sc.Init(f, []byte(src), func(token.Position, string) {}, 0)
	end := 0
	for {
		pos, tok, lit := sc.Scan()
		switch {
		case tok == token.EOF:
			return src[:end]
		case tok == token.SEMICOLON && lit == "\n": // put there by the scanner
		default:
			end = f.Offset(pos) + len(cmp.Or(lit, tok.String()))
		}
	}
}

// displays reports whether the last statement is an expression.
func (p *plan) displays() bool {
	n := len(p.stmts)
	return n > 0 && p.stmts[n-1].expr
}

// quiet reports whether a semicolon after the last expression suppresses it.
func (p *plan) quiet() bool {
	n := len(p.stmts)
	return n > 0 && p.stmts[n-1].semi
}
