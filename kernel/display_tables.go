package kernel

import (
	"cmp"
	"fmt"
	"image"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/gopherlens/gopherlens/kernel/display"
)

// maxElements is how many elements of a list or a map are shown as text.
const maxElements = 500

// byPointer is a pointer to v, a struct, if only that has the methods by which it
// shows itself: a mat.Dense or a strings.Builder in a variable. Of types of
// cells that is not done for Error and String, which fmt does not call either.
func byPointer(v any) any {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Struct {
		return v
	}
	list := showing
	if t.PkgPath() != "main" {
		list = append(list[:len(list):len(list)], reflect.TypeFor[error](), reflect.TypeFor[fmt.Stringer]())
	}
	for _, i := range list {
		if reflect.PointerTo(t).Implements(i) && !t.Implements(i) {
			p := reflect.New(t)
			p.Elem().Set(reflect.ValueOf(v))
			return p.Interface()
		}
	}
	return v
}

// showing are the methods by which values show themselves.
var showing = []reflect.Type{
	reflect.TypeFor[interface{ MIMEBundle() map[string]any }](), reflect.TypeFor[interface{ HTML() string }](),
	reflect.TypeFor[interface{ Markdown() string }](), reflect.TypeFor[interface{ Latex() string }](), reflect.TypeFor[interface{ SVG() string }](),
	reflect.TypeFor[interface{ JavaScript() string }](), reflect.TypeFor[interface{ JSON() map[string]any }](), reflect.TypeFor[interface{ PNG() []byte }](),
	reflect.TypeFor[interface{ JPEG() []byte }](), reflect.TypeFor[interface{ PDF() []byte }](), reflect.TypeFor[display.SimpleRenderer](),
	reflect.TypeFor[display.Renderer](), reflect.TypeFor[matrix](), reflect.TypeFor[image.Image](),
}

// ofStructs is a table of a slice or array of structs or of pointers to them.
func ofStructs(v reflect.Value) (g grid, ok bool) {
	if v.Kind() != reflect.Slice && v.Kind() != reflect.Array || v.Len() == 0 {
		return grid{}, false
	}
	fields, ok := columns(v)
	if !ok {
		return grid{}, false
	}
	g = grid{more: max(v.Len()-maxRows, 0), left: max(len(fields)-maxColumns, 0)}
	fields = fields[:min(len(fields), maxColumns)]
	g.head = names(v, fields)
	for i := range min(v.Len(), maxRows) {
		row, ok := rowOf(v.Index(i), fields)
		if !ok {
			return grid{}, false
		}
		g.rows = append(g.rows, row)
	}
	return g, true
}

// ofMap is a table of a map whose values are structs or pointers to them.
func ofMap(v reflect.Value) (g grid, ok bool) {
	if v.Kind() != reflect.Map || v.Len() == 0 {
		return grid{}, false
	}
	fields, ok := columns(v)
	keys := sortedKeys(v)
	if !ok || keys == nil {
		return grid{}, false
	}
	g = grid{more: max(v.Len()-maxRows, 0), left: max(len(fields)-maxColumns+1, 0)}
	fields = fields[:min(len(fields), maxColumns-1)]
	g.head = append([]string{""}, names(v, fields)...)
	for _, k := range keys[:min(len(keys), maxRows)] {
		row, ok := rowOf(v.MapIndex(k), fields)
		if !ok {
			return grid{}, false
		}
		g.rows = append(g.rows, append([]string{short(fmt.Sprint(k))}, row...))
	}
	return g, true
}

// ofRecords is a table of a slice of maps by name, as JSON is read into.
func ofRecords(v reflect.Value) (g grid, ok bool) {
	if v.Kind() != reflect.Slice || v.Len() == 0 || v.Type().Elem().Kind() != reflect.Map ||
		v.Type().Elem().Key().Kind() != reflect.String || worded(v.Type().Elem()) || worded(v.Type()) || nests(v) {
		return grid{}, false
	}
	seen := map[string]bool{}
	for i := range min(v.Len(), maxRows) {
		for it := v.Index(i).MapRange(); it.Next(); {
			seen[it.Key().String()] = true
		}
	}
	if len(seen) == 0 {
		return grid{}, false
	}
	head := slices.Sorted(maps.Keys(seen))
	g = grid{more: max(v.Len()-maxRows, 0), left: max(len(head)-maxColumns, 0), head: head[:min(len(head), maxColumns)]}
	for i := range min(v.Len(), maxRows) {
		var row []string
		for _, name := range g.head {
			text := ""
			if x := v.Index(i).MapIndex(reflect.ValueOf(name).Convert(v.Type().Elem().Key())); x.IsValid() {
				text = short(fmt.Sprintf("%v", x))
			}
			row = append(row, text)
		}
		g.rows = append(g.rows, row)
	}
	return g, true
}

// structOf is the struct type of the elements of a list or map, or of what they
// point at; nil if they are something else.
func structOf(t reflect.Type) reflect.Type {
	t = t.Elem()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	return t
}

// columns are the fields to be shown of the structs in v: of a library's type,
// the exported ones. ok is false if they are no table.
func columns(v reflect.Value) (fields []int, ok bool) {
	t := structOf(v.Type())
	if t == nil || worded(t) || worded(v.Type()) || nests(v) {
		return nil, false
	}
	for _, i := range showing {
		if t.Implements(i) || reflect.PointerTo(t).Implements(i) {
			return nil, false
		}
	}
	for j := range t.NumField() {
		if f := t.Field(j); f.IsExported() || t.PkgPath() == "" || t.PkgPath() == "main" {
			fields = append(fields, j)
		}
	}
	return fields, len(fields) > 0
}

func names(v reflect.Value, fields []int) (out []string) {
	for _, j := range fields {
		out = append(out, structOf(v.Type()).Field(j).Name)
	}
	return out
}

// rowOf shows the fields of a struct; a nil pointer to one has none.
func rowOf(v reflect.Value, fields []int) (row []string, ok bool) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return append([]string{"<nil>"}, make([]string, len(fields)-1)...), true
		}
		if v = v.Elem(); nests(v) {
			return nil, false
		}
	}
	for _, j := range fields {
		row = append(row, short(fmt.Sprintf("%v", v.Field(j))))
	}
	return row, true
}

// sortedKeys are the keys of a map in order, nil if they are of a kind that has
// none.
func sortedKeys(v reflect.Value) []reflect.Value {
	var compare func(a, b reflect.Value) int
	switch k := v.Type().Key(); {
	case worded(k):
		return nil
	case k.Kind() == reflect.String:
		compare = func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) }
	case reflect.Int <= k.Kind() && k.Kind() <= reflect.Int64:
		compare = func(a, b reflect.Value) int { return cmp.Compare(a.Int(), b.Int()) }
	case reflect.Uint <= k.Kind() && k.Kind() <= reflect.Uintptr:
		compare = func(a, b reflect.Value) int { return cmp.Compare(a.Uint(), b.Uint()) }
	case k.Kind() == reflect.Float32 || k.Kind() == reflect.Float64:
		compare = func(a, b reflect.Value) int { return cmp.Compare(a.Float(), b.Float()) }
	default:
		return nil
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, compare)
	return keys
}

// formatted is the text of a value that has no words of its own. Structs have
// the names of their fields, functions their type, and of long lists and maps
// the beginning is shown.
func formatted(v any) string {
	r := reflect.ValueOf(v)
	if _, ok := v.(fmt.Formatter); ok || !r.IsValid() {
		return fmt.Sprintf("%v", v)
	}
	more := 0
	switch r.Kind() {
	case reflect.Struct:
		return fmt.Sprintf("%+v", v)
	case reflect.Pointer:
		if r.Type().Elem().Kind() == reflect.Struct {
			return fmt.Sprintf("%+v", v)
		}
	case reflect.Func:
		if !r.IsNil() {
			return r.Type().String()
		}
	case reflect.Slice:
		if more = r.Len() - maxElements; more > 0 {
			v = r.Slice(0, maxElements).Interface()
		}
	case reflect.Map:
		if more = r.Len() - maxElements; more <= 0 {
			break
		}
		keys := sortedKeys(r)
		if keys == nil {
			more = 0
			break
		}
		few := reflect.MakeMap(r.Type())
		for _, k := range keys[:maxElements] {
			few.SetMapIndex(k, r.MapIndex(k))
		}
		v = few.Interface()
	}
	if more > 0 {
		return fmt.Sprintf("%v\n[%d more elements]", v, more)
	}
	return fmt.Sprintf("%v", v)
}
