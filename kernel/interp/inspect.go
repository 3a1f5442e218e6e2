package interp

import (
	"fmt"
	"go/types"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gopherlens/gopherlens/kernel/interp/symbols"
)

// maxValue bounds the text of a variable's value.
const maxValue = 400

// Inspect describes the expression around cursor: its declaration, its
// methods if it is a type, its value if it is a variable, its comment.
func (s *Session) Inspect(src string, cursor, detail int) (map[string]any, bool) {
	cursor = min(max(cursor, 0), len(src))
	expr := exprAt(src, cursor)
	if expr == "" {
		return nil, false
	}
	v := s.snapshot(src).withLocals(src, cursor)
	if s.mu.TryLock() { // no cell runs: variables hold still
		defer s.mu.Unlock()
	} else {
		v = &view{scope: v.scope, imports: v.imports, decls: v.decls}
	}
	text := v.describe(expr, detail)
	if text == "" {
		return nil, false
	}
	return map[string]any{"text/plain": text}, true
}

// exprAt is the selector expression whose last name is at the cursor; inside
// the arguments of a call, with nothing under the cursor, the function.
func exprAt(src string, cursor int) string {
	end := cursor
	for end < len(src) {
		r, n := utf8.DecodeRuneInString(src[end:])
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			break
		}
		end += n
	}
	if e := operand(src[:end]); e != "" && !strings.HasSuffix(e, ")") {
		return strings.TrimPrefix(e, ".")
	}
	depth := 0
	for i := cursor - 1; i >= 0; i-- {
		switch src[i] {
		case ')':
			depth++
		case '(':
			if depth == 0 {
				return operand(src[:i])
			}
			depth--
		}
	}
	return ""
}

func (v *view) describe(expr string, detail int) string {
	if p, ok := v.imports[expr]; ok && v.scope[expr] == nil {
		if ofFolder(p.Path()) {
			return fmt.Sprintf("package %s // of a folder beside the notebook", p.Name())
		}
		return withComment(fmt.Sprintf("package %s // import %q", p.Name(), p.Path()), symbols.Docs(p.Path())[""].Text)
	}
	if o, owner := v.object(expr); o != nil {
		return withComment(v.describeObject(o, expr, detail), v.docOf(o, owner).Text)
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
		return "func " + o.Name() + " (built in)"
	case *types.Nil:
		return "nil"
	case *types.Var:
		text := fmt.Sprintf("var %s %s", expr, typeString(o.Type()))
		if o.IsField() {
			return fmt.Sprintf("field %s %s", o.Name(), typeString(o.Type()))
		}
		if p, ok := v.values[expr]; ok {
			text += "\nvalue: " + valueText(p, detail)
		}
		return text
	}
	if f, ok := o.(*types.Func); ok {
		o = named(f)
	}
	return types.ObjectString(o, func(p *types.Package) string {
		if p.Name() == "main" {
			return ""
		}
		return p.Name()
	})
}

func (v *view) describeType(name string, t types.Type) string {
	var b strings.Builder
	fmt.Fprintf(&b, "type %s %s", name, typeString(t.Underlying()))
	if types.IsInterface(t) {
		return b.String()
	}
	for sel := range types.NewMethodSet(types.NewPointer(t)).Methods() {
		if o := sel.Obj(); o.Exported() || o.Pkg() != nil && o.Pkg().Name() == "main" {
			fmt.Fprintf(&b, "\nfunc (%s) %s%s", typeString(sel.Recv()), o.Name(), signature(o))
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
		return "a " + v.Kind().String()
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
