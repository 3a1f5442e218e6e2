package interp

import (
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gopherlens/gopherlens/kernel"
)

// view is a snapshot of what names mean, for completion and inspection beside
// a running cell.
type view struct {
	scope   map[string]types.Object
	imports map[string]*types.Package
	values  map[string]any // addresses of variables
	decls   map[string]*decl
}

// publish takes a new snapshot; the caller holds mu.
func (s *Session) publish() {
	v := &view{scope: maps.Clone(s.scope), imports: map[string]*types.Package{}, values: map[string]any{}, decls: maps.Clone(s.decls)}
	for n, p := range s.imports {
		if pkg, err := s.importer().Import(p); err == nil {
			v.imports[n] = pkg
		}
	}
	for n, o := range s.scope {
		if _, ok := o.(*types.Var); ok {
			if p := s.ld.address(o.Pkg().Path(), n); p != nil {
				v.values[n] = p
			}
		}
	}
	s.view.Store(v)
}

// snapshot is the view together with the imports that src itself makes: a cell is completed before it has run. While another cell runs,
// packages that no cell has imported yet stay unknown.
func (s *Session) snapshot(src string) *view {
	v := s.view.Load()
	if v == nil {
		v = &view{}
	}
	// What follows the imports need not be whole; what the parser has read of the file up to there counts.
	f, _ := parser.ParseFile(token.NewFileSet(), "", "package main;"+src, parser.ImportsOnly)
	if f == nil || len(f.Imports) == 0 || !s.mu.TryLock() {
		return v
	}
	defer s.mu.Unlock()
	own := &view{scope: v.scope, imports: maps.Clone(v.imports), values: v.values, decls: v.decls}
	for _, im := range f.Imports {
		path, err := strconv.Unquote(im.Path.Value)
		if err != nil {
			continue
		}
		pkg, err := s.importer().Import(path)
		if err != nil {
			continue
		}
		name := pkg.Name()
		if im.Name != nil {
			name = im.Name.Name
		}
		own.imports[name] = pkg
	}
	return own
}

// typeOf is the type of an expression in the snapshot, nil if it has none.
// pkg is set instead when it names a package.
func (v *view) typeOf(expr string) (tv types.TypeAndValue, ok bool) {
	defer func() {
		if recover() != nil { // half-typed code may surprise the checker
			ok = false
		}
	}()
	pkg := types.NewPackage("main", "main")
	v.fill(pkg, nil)
	tv, err := types.Eval(token.NewFileSet(), pkg, token.NoPos, expr)
	return tv, err == nil
}

// fill declares in pkg what the names of v mean, but for those left out.
func (v *view) fill(pkg *types.Package, leaveOut map[string]bool) {
	for n, p := range v.imports {
		if !leaveOut[n] {
			pkg.Scope().Insert(types.NewPkgName(token.NoPos, pkg, n, p))
		}
	}
	for n, o := range v.scope {
		if !leaveOut[n] {
			pkg.Scope().Insert(o)
		}
	}
}

// Complete lists what may stand at cursor: members of a package, fields and
// methods of a value, keys of a struct literal, names in scope, import paths,
// keywords.
func (s *Session) Complete(src string, cursor int) kernel.Completions {
	cursor = min(max(cursor, 0), len(src))
	before := src[:cursor]
	if start, ok := importPrefix(before); ok {
		return s.completeImport(before, start, cursor)
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
	v := s.snapshot(src).withLocals(src, start)
	rest := strings.TrimRight(before[:start], " \t\n")
	if strings.HasSuffix(rest, ".") {
		out.Items = v.members(operand(rest[:len(rest)-1]), prefix)
		return out
	}
	keys, only := v.keys(src, start, cursor)
	if out.Items = keys; !only {
		out.Items = append(out.Items, v.names(src, prefix)...)
	}
	return out
}

// names lists what an identifier may be.
func (v *view) names(src, prefix string) []kernel.Completion {
	seen := map[string]bool{}
	var out []kernel.Completion
	add := func(name, kind, sig string) {
		if !seen[name] && name != "_" && matches(name, prefix) {
			seen[name] = true
			out = append(out, kernel.Completion{Text: name, Type: kind, Signature: sig})
		}
	}
	for n, o := range v.scope {
		add(n, kindOf(o), signature(o))
	}
	for _, n := range definedIn(src) {
		if n != prefix {
			add(n, "instance", "")
		}
	}
	for n := range v.imports {
		add(n, "module", "")
	}
	for _, n := range types.Universe.Names() {
		add(n, kindOf(types.Universe.Lookup(n)), "")
	}
	for t := token.BREAK; t <= token.VAR; t++ {
		add(t.String(), "keyword", "")
	}
	sortCompletions(out)
	return out
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
		return out
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
	return out
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

// importPrefix reports whether src ends inside the path of an import, and
// where the path starts.
func importPrefix(src string) (start int, ok bool) {
	quote := strings.LastIndexByte(src, '"')
	if quote < 0 || strings.ContainsAny(src[quote:], "\n") {
		return 0, false
	}
	lineStart := strings.LastIndexByte(src[:quote], '\n') + 1
	line := strings.TrimSpace(src[lineStart:quote])
	if strings.Count(src[lineStart:], `"`)%2 == 0 {
		return 0, false
	}
	if strings.HasPrefix(line, "import") {
		return quote + 1, true
	}
	open := strings.LastIndex(src[:lineStart], "import (")
	if open < 0 || strings.Contains(src[open:quote], ")") {
		return 0, false
	}
	return quote + 1, true
}

func (s *Session) completeImport(before string, start, cursor int) kernel.Completions {
	out := kernel.Completions{Start: start, End: cursor}
	for _, p := range importPaths() {
		if strings.HasPrefix(p, before[start:]) {
			out.Items = append(out.Items, kernel.Completion{Text: p, Type: "module"})
		}
	}
	return out
}

// operand is the expression that ends src, as far as selectors, calls and
// indexes reach: "f(x)[1].y" of "a + f(x)[1].y".
func operand(src string) string {
	end := len(src)
	i := end
	for i > 0 {
		r, n := utf8.DecodeLastRuneInString(src[:i])
		switch {
		case r == '_' || r == '.' || unicode.IsLetter(r) || unicode.IsDigit(r):
			i -= n
		case r == ')' || r == ']' || r == '}':
			j := openingOf(src[:i])
			if j < 0 {
				return ""
			}
			if r == '}' && (j == 0 || src[j-1] == ' ' || src[j-1] == '\n' || src[j-1] == ')') {
				return strings.TrimSpace(src[i:end]) // a block, not a literal
			}
			i = j
		default:
			return strings.TrimSpace(src[i:end])
		}
	}
	return strings.TrimSpace(src[i:end])
}

// openingOf is where the bracket that ends src opens; -1 if nowhere.
func openingOf(src string) int {
	depth := 0
	for i := len(src) - 1; i >= 0; i-- {
		switch src[i] {
		case ')', ']', '}':
			depth++
		case '(', '[', '{':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
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
	return types.TypeString(t, func(p *types.Package) string {
		if p.Name() == "main" {
			return ""
		}
		return p.Name()
	})
}
