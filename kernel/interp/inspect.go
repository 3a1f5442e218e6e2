package interp

import (
	"cmp"
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gopherlens/gopherlens/kernel/interp/symbols"
)

// maxValue bounds the text of a variable's value.
const maxValue = 400

// Inspect describes the expression around cursor: its declaration, its
// methods if it is a type, its value if it is a variable, its comment; with
// detail also the source of what cells and folders declare.
func (s *Session) Inspect(src string, cursor, detail int) (map[string]any, bool) {
	cursor = min(max(cursor, 0), len(src))
	expr, start := exprAt(src, cursor)
	path, ok := importAt(src, cursor)
	if expr == "" && !ok {
		return nil, false
	}
	v := s.snapshot(src).withLocals(src, cursor)
	still := s.mu.TryLock() // no cell begins
	if still {
		defer s.mu.Unlock()
	}
	if !still || s.busy() { // variables do not hold still
		v = v.clone()
		v.values = nil
	}
	var text string
	if ok {
		text = v.describeImport(path)
	} else if f, owner := v.keyAt(src, expr, start); f != nil {
		text = v.describeWhole(f, owner, expr, detail)
	} else {
		text = v.describe(expr, detail)
	}
	if text == "" {
		return nil, false
	}
	return map[string]any{"text/plain": text}, true
}

// exprAt is the selector expression whose last name is at the cursor, and where
// that name starts; inside the arguments of a call, with no name under the
// cursor, the function.
func exprAt(src string, cursor int) (expr string, name int) {
	tok, _, start := tokenAt(src, cursor)
	switch text := inText(src, cursor); {
	case text && tok == token.COMMENT:
		return "", 0
	case text:
		return calledAt(src[:start])
	}
	end := cursor
	for end < len(src) {
		r, n := utf8.DecodeRuneInString(src[end:])
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			break
		}
		end += n
	}
	if e := operand(strings.TrimSuffix(src[:end], ".")); e != "" && !strings.HasSuffix(e, ")") && !strings.HasSuffix(e, `"`) {
		start := len(src[:end])
		for start > 0 {
			r, n := utf8.DecodeLastRuneInString(src[:start])
			if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
				break
			}
			start -= n
		}
		return e, start
	}
	return calledAt(src[:cursor])
}

// calledAt is the function among whose arguments src ends.
func calledAt(src string) (expr string, name int) {
	toks := lexemes(src)
	for _, b := range slices.Backward(openBrackets(toks)) {
		if toks[b.open].tok == token.LPAREN {
			return operand(src[:toks[b.open].pos]), 0
		}
	}
	return "", 0
}

// importAt is the path of the import that the cursor is in.
func importAt(src string, cursor int) (path string, ok bool) {
	start, ok := importPrefix(src[:cursor])
	if !ok {
		return "", false
	}
	path, _, ok = strings.Cut(src[start:], `"`)
	return path, ok
}

// keyAt is the field that name, at start, is the key of in a literal of a
// struct, and the struct's type.
func (v *view) keyAt(src, name string, start int) (*types.Var, *types.TypeName) {
	if start == 0 || !strings.HasPrefix(src[start:], name) || !strings.HasPrefix(strings.TrimLeft(src[start+len(name):], " \t"), ":") {
		return nil, nil
	}
	toks := lexemes(src[:start])
	open := openBrackets(toks)
	if len(open) == 0 || open[len(open)-1].element != len(toks) {
		return nil, nil
	}
	t := v.literalType(src, toks, open)
	if t == nil {
		return nil, nil
	}
	if st, ok := t.Underlying().(*types.Struct); ok {
		for f := range st.Fields() {
			if f.Name() == name {
				return f, typeNameOf(t)
			}
		}
	}
	return nil, nil
}

func (v *view) describe(expr string, detail int) string {
	if p, ok := v.imports[expr]; ok && v.scope[expr] == nil {
		return v.describePackage(p)
	}
	if o, owner := v.object(expr); o != nil {
		return v.describeWhole(o, owner, expr, detail)
	}
	tv, ok := v.typeOf(expr)
	if !ok || tv.Type == nil {
		return ""
	}
	if tv.IsType() {
		return v.describeType(expr, tv.Type)
	}
	text := expr + " " + typeString(tv.Type)
	if tv.Value != nil {
		text += " = " + tv.Value.String()
	}
	return text
}

// describeImport describes the package that a path in an import means.
func (v *view) describeImport(path string) string {
	for _, p := range v.imports {
		if p.Path() == path || isFolder(path) && v.importedAs(p, path) {
			return v.describePackage(p)
		}
	}
	return ""
}

// importedAs reports whether p is of the folder with that path.
func (v *view) importedAs(p *types.Package, path string) bool {
	d := v.folders[p.Path()][""]
	return d != nil && filepath.ToSlash(filepath.Clean(d.file)) == filepath.ToSlash(filepath.Clean(path))
}

func (v *view) describePackage(p *types.Package) string {
	if d := v.folders[p.Path()][""]; d != nil {
		return withComment(fmt.Sprintf("package %s // of the folder %s", p.Name(), d.file), d.doc)
	}
	return withComment(fmt.Sprintf("package %s // import %q", p.Name(), p.Path()), symbols.Docs(p.Path())[""].Text)
}

// describeWhole describes o with its comment and, if detail asks for it, its
// source.
func (v *view) describeWhole(o types.Object, owner *types.TypeName, expr string, detail int) string {
	text := withComment(v.describeObject(o, expr, detail), v.docOf(o, owner).Text)
	if d := v.declOf(o, owner); d != nil && detail > 0 {
		src := d.src
		if d.tok == token.TYPE {
			src = "type " + src
		}
		text = withComment(text, fmt.Sprintf("// %s:%d\n%s", d.file, d.line, src))
	}
	return text
}

func withComment(text, comment string) string {
	if comment == "" {
		return text
	}
	return text + "\n\n" + comment
}

// object is what a plain or package-qualified name, or a selector of a value,
// names; owner is the type that declares it, if that is a field or method.
func (v *view) object(expr string) (o types.Object, owner *types.TypeName) {
	if o := v.scope[expr]; o != nil {
		return o, nil
	}
	i := strings.LastIndexByte(expr, '.')
	if i < 0 {
		return types.Universe.Lookup(expr), nil
	}
	base, name := expr[:i], expr[i+1:]
	if p, ok := v.imports[base]; ok && v.scope[base] == nil {
		return p.Scope().Lookup(name), nil
	}
	tv, ok := v.typeOf(base)
	if !ok || tv.Type == nil {
		return nil, nil
	}
	o, index, _ := types.LookupFieldOrMethod(tv.Type, true, types.NewPackage("main", "main"), name)
	if o == nil {
		return nil, nil
	}
	return o, ownerOf(o, tv.Type, index)
}

func (v *view) describeObject(o types.Object, expr string, detail int) string {
	switch o := o.(type) {
	case *types.TypeName:
		return v.describeType(typeString(o.Type()), o.Type())
	case *types.Builtin:
		if decl := symbols.Docs("builtin")[o.Name()].Decl; decl != "" && o.Pkg() == nil {
			return decl + " // built in"
		}
		return "func " + o.Name() + " // built in"
	case *types.Nil:
		return "nil"
	case *types.Var:
		text := fmt.Sprintf("var %s %s", expr, typeString(o.Type()))
		if o.IsField() {
			return fmt.Sprintf("field %s %s", o.Name(), typeString(o.Type()))
		}
		if p, ok := v.values[expr]; ok {
			if value := valueText(p, detail); value != "" {
				text += "\nvalue: " + value
			}
		}
		return text
	}
	if f, ok := o.(*types.Func); ok {
		o = named(f)
	}
	text := types.ObjectString(o, cellQualifier)
	if c, ok := o.(*types.Const); ok && c.Val().Kind() != constant.Unknown && c != types.Universe.Lookup("iota") {
		text += " = " + c.Val().String()
	}
	return text
}

// structure is the type that t is made of, its fields or methods on lines of
// their own if there are many.
func structure(t types.Type) string {
	var lines []string
	switch u := t.Underlying().(type) {
	case *types.Struct:
		for f := range u.Fields() {
			line := typeString(f.Type())
			if !f.Embedded() {
				line = f.Name() + " " + line
			}
			if f.Exported() || fromCells(f.Pkg()) {
				lines = append(lines, line)
			}
		}
		if hidden := u.NumFields() - len(lines); hidden > 0 {
			lines = append(lines, fmt.Sprintf("// %d unexported", hidden))
		}
		if len(lines) > maxFields {
			return "struct {\n\t" + strings.Join(lines, "\n\t") + "\n}"
		}
	case *types.Interface:
		for m := range u.Methods() {
			lines = append(lines, m.Name()+signature(m))
		}
		if len(lines) > 0 && u.IsMethodSet() && !fromCells(u.Method(0).Pkg()) { // whose parameters have names only here
			return "interface {\n\t" + strings.Join(lines, "\n\t") + "\n}"
		}
	}
	return typeString(t.Underlying())
}

// maxFields is how many fields are shown on one line.
const maxFields = 4

func (v *view) describeType(name string, t types.Type) string {
	switch t {
	case types.Universe.Lookup("comparable").Type():
		return "type comparable // built in"
	case types.Universe.Lookup("any").Type():
		return "type any = interface{} // built in"
	}
	switch t := t.(type) {
	case *types.Basic:
		return fmt.Sprintf("type %s // built in", name)
	case *types.TypeParam:
		return fmt.Sprintf("type parameter %s %s", name, typeString(t.Constraint()))
	case *types.Alias:
		return fmt.Sprintf("type %s = %s", name, typeString(t.Rhs()))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "type %s %s", name, structure(t))
	if types.IsInterface(t) {
		return b.String()
	}
	recv := typeString(t)
	if n, ok := t.(*types.Named); ok && n.TypeParams().Len() > 0 && n.TypeArgs().Len() == 0 {
		recv, _, _ = strings.Cut(recv, "[")
		for i := range n.TypeParams().Len() {
			recv += []string{"[", ", "}[min(i, 1)] + n.TypeParams().At(i).Obj().Name()
		}
		recv += "]"
	}
	for sel := range types.NewMethodSet(types.NewPointer(t)).Methods() {
		if o := sel.Obj(); o.Exported() || o.Pkg() != nil && o.Pkg().Name() == "main" {
			fmt.Fprintf(&b, "\nfunc (*%s) %s%s", recv, o.Name(), signature(o))
		}
	}
	return b.String()
}

// valueText formats what addr points at. Only values whose formatting follows
// no pointer and runs no code of a cell are shown.
func valueText(addr any, detail int) string {
	v := reflect.ValueOf(addr).Elem()
	limit := maxValue
	if detail > 0 {
		limit *= 10
	}
	switch {
	case v.Kind() == reflect.Map:
		return fmt.Sprintf("%d entries", v.Len())
	case !inert(v.Type()):
		return outline(v, limit)
	case v.Kind() == reflect.Slice && v.Len() > limit:
		return fmt.Sprintf("%d elements", v.Len())
	}
	text := fmt.Sprintf("%v", v.Interface())
	if len(text) > limit {
		cut := limit
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "..."
	}
	return text
}

// outline is what can be said of a value that is not to be formatted: of a
// struct the fields that can be, that a reference is nil, a length.
func outline(v reflect.Value, limit int) string {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		if v.IsNil() {
			return "nil"
		}
	case reflect.Slice, reflect.Array:
		return fmt.Sprintf("%d elements", v.Len())
	case reflect.Map:
		return fmt.Sprintf("%d entries", v.Len())
	case reflect.Struct:
		var parts []string
		for i := range v.NumField() {
			text := "..."
			if f := v.Field(i); inert(f.Type()) && !(f.Kind() == reflect.Slice && f.Len() > limit) {
				text = fmt.Sprintf("%v", f)
			} else if f.Kind() != reflect.Struct {
				text = cmp.Or(outline(f, limit), text)
			}
			parts = append(parts, v.Type().Field(i).Name+":"+text)
		}
		text := "{" + strings.Join(parts, " ") + "}"
		if len(text) > limit {
			text = strings.ToValidUTF8(text[:limit], "") + "..."
		}
		return text
	}
	return ""
}

// inert reports whether values of t are made of basic values only and have no
// methods of a cell.
func inert(t reflect.Type) bool {
	if t.PkgPath() == "main" && t.NumMethod() > 0 {
		return false
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		return inert(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !inert(t.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return false
	}
	return true
}
