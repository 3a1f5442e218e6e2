package interp

import (
	"go/scanner"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gopherlens/gopherlens/kernel"
)

// Complete lists what may stand at cursor: members of a package, fields and
// methods of a value, keys of a struct literal, names in scope, import paths,
// keywords.
func (s *Session) Complete(src string, cursor int) kernel.Completions {
	cursor = min(max(cursor, 0), len(src))
	before := src[:cursor]
	if start, ok := importPrefix(before); ok {
		return completeImport(before, start, cursor)
	}
	start := len(before)
	for start > 0 {
		r, n := utf8.DecodeLastRuneInString(before[:start])
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			break
		}
		start -= n
	}
	out := kernel.Completions{Start: start, End: cursor}
	prefix := before[start:]
	toks := lexemes(before[:start])
	last := func(i int) token.Token {
		if i > len(toks) {
			return token.EOF
		}
		return toks[len(toks)-i].tok
	}
	switch tok := last(1); {
	case inText(src, cursor):
		return out
	case tok == token.BREAK || tok == token.CONTINUE || tok == token.GOTO:
		out.Items = labels(src, prefix)
		return out
	}
	v := s.snapshot(src).withLocals(src, start)
	if last(1) == token.PERIOD {
		out.Items = v.members(operand(before[:toks[len(toks)-1].pos]), prefix)
		return out
	}
	if last(1) == token.LPAREN && last(2) == token.PERIOD {
		out.Items = slices.DeleteFunc(v.names(src, prefix), func(c kernel.Completion) bool { return !beginsType(c) })
		return out
	}
	keys, only := v.keys(src, start, cursor)
	if out.Items = keys; !only {
		out.Items = append(out.Items, v.names(src, prefix)...)
	}
	return out
}

// names lists what an identifier may be: what the cell declares, what others
// did, packages, what is predeclared, keywords.
func (v *view) names(src, prefix string) []kernel.Completion {
	seen := map[string]bool{}
	var groups [5][]kernel.Completion
	add := func(group int, name, kind, sig string) {
		if !seen[name] && name != "_" && matches(name, prefix) {
			seen[name] = true
			groups[group] = append(groups[group], kernel.Completion{Text: name, Type: kind, Signature: sig})
		}
	}
	for n, o := range v.scope {
		group := 1
		switch {
		case v.locals[n]:
			group = 0
		case v.prelude[n] == o:
			group = 3
		}
		add(group, n, kindOf(o), signature(o))
	}
	for _, n := range definedIn(src) {
		if n != prefix {
			add(0, n, "instance", "")
		}
	}
	for n := range v.imports {
		add(2, n, "module", "")
	}
	for _, n := range types.Universe.Names() {
		add(3, n, kindOf(types.Universe.Lookup(n)), "")
	}
	for t := token.BREAK; t <= token.VAR; t++ {
		add(4, t.String(), "keyword", "")
	}
	var out []kernel.Completion
	for _, g := range groups {
		sortCompletions(g)
		out = append(out, g...)
	}
	return asTyped(out, prefix)
}

// asTyped puts those that begin as prefix is written before those that differ
// in case.
func asTyped(items []kernel.Completion, prefix string) []kernel.Completion {
	slices.SortStableFunc(items, func(a, b kernel.Completion) int {
		x, y := strings.HasPrefix(a.Text, prefix), strings.HasPrefix(b.Text, prefix)
		switch {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	return items
}

// beginsType reports whether a type may begin with c, or be it.
func beginsType(c kernel.Completion) bool {
	switch c.Type {
	case "class", "module":
		return true
	case "keyword":
		switch token.Lookup(c.Text) {
		case token.TYPE, token.STRUCT, token.INTERFACE, token.MAP, token.CHAN, token.FUNC:
			return true
		}
	}
	return false
}

// labels lists those of a cell.
func labels(src, prefix string) (out []kernel.Completion) {
	toks := lexemes(src)
	for i, t := range toks {
		starts := i == 0 || slices.Contains([]token.Token{token.SEMICOLON, token.LBRACE, token.RBRACE, token.COLON}, toks[i-1].tok)
		if starts && t.tok == token.IDENT && i+1 < len(toks) && toks[i+1].tok == token.COLON && matches(t.lit, prefix) {
			out = append(out, kernel.Completion{Text: t.lit, Type: "statement"})
		}
	}
	sortCompletions(out)
	return out
}

// inText reports whether the cursor is inside a literal of characters or a
// comment, or at the end of a number.
func inText(src string, cursor int) bool {
	tok, lit, start := tokenAt(src, cursor)
	end := start + len(lit)
	switch tok {
	case token.INT, token.FLOAT, token.IMAG:
		return true
	case token.STRING, token.CHAR:
		closed := len(lit) > 1 && lit[len(lit)-1] == lit[0] && !(lit[0] != '`' && len(lit) > 2 && lit[len(lit)-2] == '\\')
		return cursor < end || !closed
	case token.COMMENT:
		return cursor < end || !strings.HasPrefix(lit, "/*") || !strings.HasSuffix(lit, "*/")
	}
	return false
}

// tokenAt is the token or comment that begins before the cursor and does not
// end before it.
func tokenAt(src string, cursor int) (tok token.Token, lit string, start int) {
	var sc scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(src))
	sc.Init(file, []byte(src), func(token.Position, string) {}, scanner.ScanComments)
	for {
		pos, tok, lit := sc.Scan()
		start := file.Offset(pos)
		switch {
		case tok == token.EOF || start >= cursor:
			return token.EOF, "", cursor
		case tok == token.SEMICOLON && lit == "\n":
		case start+len(lit) >= cursor:
			return tok, lit, start
		}
	}
}

// definedIn lists the identifiers of an unfinished cell that := or a
// declaration seems to define.
func definedIn(src string) []string {
	fset := token.NewFileSet()
	var sc scanner.Scanner
	sc.Init(fset.AddFile("", -1, len(src)), []byte(src), func(token.Position, string) {}, 0)
	var out, pending []string
	prev := token.SEMICOLON
	for {
		_, tok, lit := sc.Scan()
		switch tok {
		case token.EOF:
			return out
		case token.IDENT:
			switch prev {
			case token.VAR, token.CONST, token.TYPE, token.FUNC:
				out = append(out, lit)
			case token.COMMA:
				pending = append(pending, lit)
			default:
				pending = []string{lit}
			}
		case token.COMMA:
		case token.DEFINE:
			out = append(out, pending...)
			pending = nil
		default:
			pending = nil
		}
		prev = tok
	}
}

// members lists what may follow "operand.".
func (v *view) members(operand, prefix string) []kernel.Completion {
	if operand == "" {
		return nil
	}
	var out []kernel.Completion
	add := func(o types.Object) {
		if matches(o.Name(), prefix) {
			out = append(out, kernel.Completion{Text: o.Name(), Type: kindOf(o), Signature: signature(o)})
		}
	}
	if p, ok := v.imports[operand]; ok && v.scope[operand] == nil {
		for _, n := range p.Scope().Names() {
			if token.IsExported(n) {
				add(p.Scope().Lookup(n))
			}
		}
		sortCompletions(out)
		return asTyped(out, prefix)
	}
	tv, ok := v.typeOf(operand)
	if !ok || tv.Type == nil {
		return nil
	}
	seen := map[string]bool{}
	visible := func(o types.Object) bool {
		if seen[o.Name()] || !o.Exported() && o.Pkg() != nil && o.Pkg().Name() != "main" {
			return false
		}
		seen[o.Name()] = true
		return true
	}
	if tv.IsValue() {
		for _, f := range fieldsOf(tv.Type) {
			if visible(f) {
				add(f)
			}
		}
	}
	t := tv.Type
	if _, ok := t.Underlying().(*types.Pointer); !ok && !types.IsInterface(t) {
		t = types.NewPointer(t)
	}
	for sel := range types.NewMethodSet(t).Methods() {
		if visible(sel.Obj()) {
			add(sel.Obj())
		}
	}
	sortCompletions(out)
	return asTyped(out, prefix)
}

// fieldsOf lists the fields of t, promoted ones included, shallow ones first.
func fieldsOf(t types.Type) []*types.Var {
	var out []*types.Var
	seen := map[types.Type]bool{}
	level := []types.Type{t}
	for len(level) > 0 {
		var next []types.Type
		for _, t := range level {
			if p, ok := t.Underlying().(*types.Pointer); ok {
				t = p.Elem()
			}
			st, ok := t.Underlying().(*types.Struct)
			if !ok || seen[t] {
				continue
			}
			seen[t] = true
			for f := range st.Fields() {
				out = append(out, f)
				if f.Embedded() {
					next = append(next, f.Type())
				}
			}
		}
		level = next
	}
	return out
}

// operand is the expression that ends src, as far as selectors, calls, indexes
// and literals reach: "f(x)[1].y" of "a + f(x)[1].y".
func operand(src string) string {
	toks := lexemes(src)
	first := len(toks)
	at := func(i int) token.Token {
		if i < 0 || i >= len(toks) {
			return token.EOF
		}
		return toks[i].tok
	}
	for i := len(toks) - 1; ; {
		switch at(i) {
		case token.IDENT:
			first = i
			if at(i-1) == token.PERIOD {
				i -= 2
				continue
			}
			if at(i-1) == token.RBRACK && at(i+1) == token.LPAREN { // []T(x)
				if t := typeStart(toks, i+1); t >= 0 {
					first = t
				}
			}
		case token.STRING:
			first = i
		case token.RPAREN, token.RBRACK:
			if i = opening(toks, i); i < 0 {
				return ""
			}
			first = i
			switch at(i - 1) {
			case token.PERIOD: // x.(T)
				i -= 2
				continue
			case token.IDENT, token.RPAREN, token.RBRACK, token.RBRACE:
				i--
				continue
			}
		case token.RBRACE:
			open := opening(toks, i)
			if t := typeStart(toks, open); open > 0 && t >= 0 {
				first = t
			}
		}
		break
	}
	if first >= len(toks) {
		return ""
	}
	return strings.TrimSpace(src[toks[first].pos:])
}

func matches(name, prefix string) bool {
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) && !strings.Contains(name, "__")
}

func sortCompletions(cs []kernel.Completion) {
	slices.SortFunc(cs, func(a, b kernel.Completion) int { return strings.Compare(a.Text, b.Text) })
}

// kindOf is the front ends' word for an object.
func kindOf(o types.Object) string {
	switch o := o.(type) {
	case *types.Func, *types.Builtin:
		return "function"
	case *types.TypeName:
		return "class"
	case *types.PkgName:
		return "module"
	case *types.Var:
		if o.IsField() {
			return "property"
		}
	}
	return "instance"
}

// signature is an object's type as shown beside it.
func signature(o types.Object) string {
	switch o := o.(type) {
	case *types.TypeName:
		return typeString(o.Type().Underlying())
	case *types.Func:
		return strings.TrimPrefix(typeString(named(o).Type()), "func")
	case *types.Builtin, *types.Nil:
		return ""
	}
	return typeString(o.Type())
}

func typeString(t types.Type) string {
	return types.TypeString(t, cellQualifier)
}

// cellQualifier leaves out the package of cells, which users do not write.
func cellQualifier(p *types.Package) string {
	if p.Name() == "main" {
		return ""
	}
	return p.Name()
}
