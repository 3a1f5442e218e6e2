package interp

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/types"
	"slices"
	"sort"
	"strings"
)

// runtimePkg is the import path of the package that compiled cells call for
// display and safety; runtimeName is the name they know it by. Identifiers
// with two trailing underscores are ours.
const (
	runtimePkg  = "gopherlens/cell"
	runtimeName = "cell__"
	oldSuffix   = "__old"
)

// source is a cell assembled as one file.
type source struct {
	text  []byte
	fn    string          // the function that holds the statements
	vars  map[string]bool // variables the cell defines
	used  map[string]bool // names that may be resolved outside
	old   map[string]bool // variables whose earlier meaning the cell still uses
	inits []string
	runs  [][2]int // runs of var declarations in the body, as [from, to) of its statements
	shown bool

	carried map[string]*types.Var
}

type assembly struct {
	file     string
	seq      int
	plan     *plan
	own      []*decl
	inherit  []*decl
	imports  map[string]string // every name -> path in force
	dots     []string
	showLast bool
	carry    []carried
	again    bool
	stay     map[string]bool   // variables that cannot be carried
	extra    map[string]string // imports for the types of carried variables
}

// assemble writes the file. Its order: imports, the declarations from which
// variables get their types, declarations compiled again, the cell's own, and
// the function with the statements.
func (s *Session) assemble(a *assembly) (*source, []syntaxError) {
	out := &source{fn: fmt.Sprintf("cell__%d", a.seq), vars: map[string]bool{}, used: map[string]bool{}, old: map[string]bool{}, carried: map[string]*types.Var{}}
	var infer, body bytes.Buffer
	if errs := s.assembleBody(a, out, &infer, &body); errs != nil {
		return nil, errs
	}
	var decls bytes.Buffer
	for _, list := range [][]*decl{a.inherit, a.own} {
		for _, d := range list {
			decls.WriteByte('\n')
			if d.tok.String() == "type" {
				decls.WriteString("type ")
			}
			decls.WriteString(d.where() + d.src)
			for n := range d.deps {
				out.used[n] = true
			}
		}
	}
	for _, c := range a.carry {
		if t, err := parser.ParseExpr(c.text); err == nil {
			ast.Inspect(t, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					out.used[id.Name] = true
				}
				return true
			})
		}
	}
	declared := declaredNames(a.own)
	var b bytes.Buffer
	fmt.Fprintf(&b, "package main\nimport %s %q\n", runtimeName, runtimePkg)
	var names []string
	for n := range a.imports {
		if out.used[n] && !out.vars[n] && !declared[n] {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	for _, n := range names {
		fmt.Fprintf(&b, "import %s %q\n", n, a.imports[n])
	}
	for n, p := range a.extra {
		fmt.Fprintf(&b, "import %s %q\n", n, p)
	}
	for _, c := range a.carry {
		if !out.vars[c.name] && !declared[c.name] {
			fmt.Fprintf(&b, "\n/*line generated:1:1*/var %s %s", c.name, c.text)
			out.carried[c.name] = c.old
		}
	}
	b.Write(infer.Bytes())
	b.Write(decls.Bytes())
	// what has no line of its own must not borrow one of the cell
	fmt.Fprintf(&b, "\n/*line generated:1:1*/func %s() {", out.fn)
	b.Write(body.Bytes())
	b.WriteString("\n/*line generated:1:1*/}\n")
	out.text = b.Bytes()
	return out, nil
}

func (s *Session) assembleBody(a *assembly, out *source, infer, body *bytes.Buffer) []syntaxError {
	firstDef := map[string]int{}
	for i, st := range a.plan.stmts {
		for _, n := range st.defs {
			if _, ok := firstDef[n]; !ok && n != "_" {
				firstDef[n] = i
			}
		}
	}
	mark := func(b *bytes.Buffer, line, col int) { fmt.Fprintf(b, "\n/*line %s:%d:%d*/", a.file, line, col) }
	count, runFrom := 0, -1
	emit := func(line, col int, text string) {
		mark(body, line, col)
		body.WriteString(text)
		count++
	}
	endRun := func() {
		if runFrom >= 0 && count-runFrom > 1 {
			out.runs = append(out.runs, [2]int{runFrom, count})
		}
		runFrom = -1
	}
	inits := slices.Clone(a.plan.inits)
	runInits := func() {
		for _, f := range inits {
			fmt.Fprintf(body, "\n%s()", f)
			count++
		}
		inits = nil
	}
	for i, st := range a.plan.stmts {
		src, rhs := s.renameOld(a, &st, i, firstDef, out)
		if !st.varSpec {
			endRun()
			runInits()
		}
		if st.defs == nil {
			if st.expr && i == len(a.plan.stmts)-1 && a.showLast {
				emit(st.line, st.col, "")
				// the directive follows the call so that columns stay true
				body.WriteString(runtimeName + ".Show(")
				mark(body, st.line, st.col)
				body.WriteString(src + ")")
				out.shown = true
				continue
			}
			emit(st.line, st.col, src)
			continue
		}
		if st.varSpec && runFrom < 0 {
			runFrom = count
		}
		lhs, err := defineVars(&st, out, infer, mark, rhs)
		if err != nil {
			return []syntaxError{*err}
		}
		if st.rhs != "" {
			mark(body, st.line, st.col)
			body.WriteString(strings.Join(lhs, ", ") + " = ")
			mark(body, st.rhsLine, st.rhsCol)
			body.WriteString(rhs)
			count++
		}
	}
	endRun()
	runInits()
	if a.plan.program && slices.ContainsFunc(a.plan.decls, func(d *decl) bool { return d.names[0] == "main" }) {
		body.WriteString("\nmain()")
		out.used["main"] = true
	}
	return nil
}

// defineVars writes the declaration that infers the types of the variables of
// st and returns the left side of the assignment in the body.
func defineVars(st *stmt, out *source, infer *bytes.Buffer, mark func(*bytes.Buffer, int, int), rhs string) ([]string, *syntaxError) {
	var lhs, names []string
	fresh := false
	for _, n := range st.defs {
		lhs = append(lhs, n)
		switch {
		case n == "_":
			names = append(names, "_")
		case out.vars[n] && !st.varSpec:
			names = append(names, "_")
		default:
			fresh = true
			names = append(names, n)
		}
	}
	if !fresh && !st.varSpec {
		return nil, &syntaxError{st.line, st.col, "no new variables on left side of :="}
	}
	for _, n := range st.defs {
		if n != "_" {
			out.vars[n] = true
		}
	}
	infer.WriteString("\nvar ")
	mark(infer, st.line, st.col)
	infer.WriteString(strings.Join(names, ", "))
	if st.typ != "" {
		infer.WriteString(" " + st.typ)
	}
	if st.rhs != "" {
		infer.WriteString(" = ")
		mark(infer, st.rhsLine, st.rhsCol)
		infer.WriteString(rhs)
	}
	return lhs, nil
}

// renameOld returns the source of the statement, and of its right side, in
// which variables that the cell redefines at this statement or later have the
// name of their earlier self: `x := x + 1` uses the x of an earlier cell.
func (s *Session) renameOld(a *assembly, st *stmt, i int, firstDef map[string]int, out *source) (src, rhs string) {
	var cuts []freeName
	for _, f := range st.free {
		out.used[f.name] = true
		def, ok := firstDef[f.name]
		if !ok || i > def || f.off < 0 || st.varSpec && i != def {
			continue
		}
		if _, isVar := s.scope[f.name].(*types.Var); !isVar {
			continue
		}
		out.old[f.name] = true
		cuts = append(cuts, f)
	}
	return rename(a.file, st.line, st.col, st.src, 0, cuts, oldSuffix, st.src), rename(a.file, st.line, st.col, st.src, st.rhsOff, cuts, oldSuffix, st.rhs)
}

// rename appends suffix to the names at cuts, which are offsets in src. src stands at line and col of file; text is the part of it from base on.
func rename(file string, line, col int, src string, base int, cuts []freeName, suffix, text string) string {
	sort.Slice(cuts, func(i, j int) bool { return cuts[i].off < cuts[j].off })
	var b strings.Builder
	at := 0
	for _, c := range cuts {
		o := c.off - base
		if o < at || o+len(c.name) > len(text) {
			continue
		}
		end := o + len(c.name)
		b.WriteString(text[at:end])
		b.WriteString(suffix)
		l, k := line, col
		before := src[:c.off+len(c.name)]
		if nl := strings.LastIndexByte(before, '\n'); nl >= 0 {
			l += strings.Count(before, "\n")
			k = len(before) - nl
		} else {
			k += len(before)
		}
		fmt.Fprintf(&b, "/*line %s:%d:%d*/", file, l, k)
		at = end
	}
	b.WriteString(text[at:])
	return b.String()
}
