package tokenizer

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const supportedFilters = "abs, capitalize, count, default, d, dictsort, first, float, indent, int, items, join, last, length, list, lower, map, max, min, reject, rejectattr, replace, reverse, round, safe, select, selectattr, sort, string, sum, title, tojson, trim, unique, upper"

// named are the arguments that filters take by name.
var named = map[string][]string{"default": {"boolean"}, "d": {"boolean"}, "join": {"attribute"}, "map": {"attribute", "default"}, "tojson": {"indent"}, "indent": {"width", "first"}, "sort": {"reverse", "attribute"}}

// filter applies v | name(a...).
func (g *rendering) filter(name string, v any, a []any, kw map[string]any) any {
	g.tick()
	for k := range kw {
		if !slices.Contains(named[name], k) {
			fail("the argument %s of the filter %s is not supported", quote(k), quote(name))
		}
	}
	switch name {
	case "default", "d":
		def := any("")
		if len(a) > 0 {
			def = a[0]
		}
		_, un := v.(undefined)
		if un || (truth(kw["boolean"]) || len(a) > 1 && truth(a[1])) && !truth(v) {
			return def
		}
		return v
	case "trim":
		return strip(str(v), a, name, true, true)
	case "upper", "lower", "capitalize":
		return g.stringMethod(name, str(v), nil)
	case "title":
		return title(str(v), func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("-({[<", r) })
	case "replace":
		return g.replace(str(v), a)
	case "string", "safe":
		return str(v)
	case "int":
		if u, un := v.(undefined); un {
			fail("%s is undefined, so it is no integer", quote(u.name))
		}
		if text, isText := v.(string); isText && len(a) > 0 {
			if _, err := strconv.Atoi(strings.TrimSpace(text)); err != nil {
				return a[0]
			}
		}
		return toInt(v)
	case "float":
		f, _, ok := asNumber(v)
		if s, isText := v.(string); isText && !ok {
			f, _ = strconv.ParseFloat(strings.TrimSpace(s), 64)
		}
		return f
	case "abs":
		if f, isInt, ok := asNumber(v); ok && !isInt {
			return math.Abs(f)
		}
		if _, _, ok := asNumber(v); ok {
			return max(toInt(v), -toInt(v))
		}
	case "round":
		if f, isInt, ok := asNumber(v); ok && !isInt && len(a) == 0 {
			return math.RoundToEven(f)
		} else if ok && len(a) == 0 {
			return toInt(v)
		}
	case "length", "count":
		switch x := v.(type) {
		case string:
			return utf8.RuneCountInString(x)
		case []any:
			return len(x)
		case *dict:
			return len(x.keys)
		case undefined:
			return 0
		}
		fail("%s has no length", kind(v))
	case "items":
		if _, un := v.(undefined); un {
			return []any(nil)
		}
		return g.method("items", v, nil, nil)
	case "tojson":
		indent := 0
		if n, ok := kw["indent"].(int); ok {
			indent = min(max(n, 0), maxNesting)
		} else if len(a) > 0 || kw["indent"] != nil {
			fail("arguments of tojson other than indent are not supported")
		}
		var b strings.Builder
		g.toJSON(&b, v, indent, 0)
		return b.String()
	case "indent":
		return g.indent(str(v), a, kw)
	case "reverse":
		if s, ok := v.(string); ok {
			return g.slice(s, nil, nil, -1)
		}
		return g.slice(g.items(v), nil, nil, -1)
	case "dictsort":
		items, _ := g.method("items", v, nil, nil).([]any)
		return g.sorted(items, nil, false)
	case "list", "first", "last", "join", "sort", "unique", "sum", "min", "max", "select", "reject", "selectattr", "rejectattr", "map":
		if v == nil && (strings.HasPrefix(name, "select") || strings.HasPrefix(name, "reject") || name == "map") {
			return []any(nil) // Jinja passes over these
		}
		return g.listFilter(name, g.items(v), a, kw)
	default:
		fail("the filter %s is not supported; supported: %s", quote(name), supportedFilters)
	}
	fail("the arguments of the filter %s are not supported", quote(name))
	return nil
}

// listFilter applies a filter of lists.
func (g *rendering) listFilter(name string, list []any, a []any, kw map[string]any) any {
	g.spend(16 * len(list))
	switch name {
	case "list":
		return slices.Clone(list)
	case "first", "last":
		if len(list) == 0 {
			return undefined{name + " of an empty list"}
		}
		if name == "first" {
			return list[0]
		}
		return list[len(list)-1]
	case "join":
		sep := ""
		if len(a) > 0 {
			sep = str(a[0])
		}
		if attr := kw["attribute"]; attr != nil {
			list = g.mapped(list, nil, map[string]any{"attribute": attr})
		}
		return g.join(list, sep)
	case "select", "reject", "selectattr", "rejectattr":
		return g.selected(name, list, a)
	case "map":
		return g.mapped(list, a, kw)
	case "sort":
		if len(a) == 0 {
			return g.sorted(list, kw["attribute"], truth(kw["reverse"]))
		}
	case "unique":
		var out []any
		for _, x := range list {
			if _, ok := hashKey(x); !ok {
				fail("unique of %s is not supported", kind(x))
			}
			if !g.contains(out, x) {
				out = append(out, x)
			}
		}
		return out
	case "sum":
		sum := any(0)
		for _, x := range list {
			sum = g.operate("+", sum, x)
		}
		return sum
	case "min", "max":
		if len(list) == 0 {
			return undefined{name + " of an empty list"}
		}
		op := map[string]string{"min": "<", "max": ">"}[name]
		best := list[0]
		for _, x := range list[1:] {
			if truth(g.operate(op, x, best)) {
				best = x
			}
		}
		return best
	}
	fail("the arguments of the filter %s are not supported", quote(name))
	return nil
}

// selected are the elements, of which perhaps an attribute, that pass a test or are true.
func (g *rendering) selected(name string, list, a []any) []any {
	attr := strings.HasSuffix(name, "attr")
	var key any
	if attr {
		if len(a) == 0 {
			fail("the filter %s needs the name of an attribute", name)
		}
		key, a = a[0], a[1:]
	}
	test := ""
	if len(a) > 0 {
		t, ok := a[0].(string)
		if !ok {
			fail("the filter %s needs the name of a test", name)
		}
		test, a = t, a[1:]
	}
	var out []any
	for _, x := range list {
		v := x
		if attr {
			v = g.path(x, key)
		}
		pass := truth(v)
		if test != "" {
			pass = truth(g.test(test, v, a))
		}
		if pass == strings.HasPrefix(name, "select") {
			out = append(out, x)
		}
	}
	return out
}

// path is the attribute a.b of v.
func (g *rendering) path(v, key any) any {
	name, ok := key.(string)
	if !ok {
		return g.item(v, key)
	}
	for _, part := range strings.Split(name, ".") {
		if i, err := strconv.Atoi(part); err == nil {
			v = g.item(v, i)
		} else {
			v = g.item(v, part)
		}
	}
	return v
}

func (g *rendering) mapped(list, a []any, kw map[string]any) []any {
	out := make([]any, len(list))
	for i, x := range list {
		if attr, ok := kw["attribute"]; ok {
			v := g.path(x, attr)
			if _, un := v.(undefined); un && kw["default"] != nil {
				v = kw["default"]
			}
			out[i] = v
			continue
		}
		name, ok := "", len(a) > 0
		if ok {
			name, ok = a[0].(string)
		}
		if !ok {
			fail("the filter map needs an attribute or the name of a filter")
		}
		out[i] = g.filter(name, x, a[1:], nil)
	}
	return out
}

// sorted is in rising order, upper case as lower case.
func (g *rendering) sorted(list []any, attr any, reverse bool) []any {
	key := func(v any) any {
		if attr != nil {
			v = g.path(v, attr)
		}
		if pair, ok := v.([]any); ok && len(pair) > 0 {
			v = pair[0]
		}
		if s, ok := v.(string); ok {
			v = strings.ToLower(s)
		}
		return v
	}
	out := slices.Clone(list)
	slices.SortStableFunc(out, func(x, y any) int {
		p, q := key(x), key(y)
		if reverse {
			p, q = q, p
		}
		switch {
		case truth(g.operate("<", p, q)):
			return -1
		case truth(g.operate("<", q, p)):
			return 1
		}
		return 0
	})
	return out
}

// indent puts spaces before the lines of s that are not empty, the first line aside.
func (g *rendering) indent(s string, a []any, kw map[string]any) string {
	width := any(4)
	if len(a) > 0 {
		width = a[0]
	} else if kw["width"] != nil {
		width = kw["width"]
	}
	n, ok := width.(int)
	if !ok || n < 0 || n > 1000 {
		fail("the filter indent needs a width from 0 to 1000")
	}
	g.spendProduct(n, strings.Count(s, "\n")+1)
	lines := strings.Split(s, "\n")
	for i := range lines {
		if lines[i] != "" && i > 0 || i == 0 && truth(kw["first"]) {
			lines[i] = strings.Repeat(" ", n) + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}

func toInt(v any) int {
	switch x := v.(type) {
	case int:
		return x
	case float64:
		return int(x)
	case bool:
		if x {
			return 1
		}
	case string:
		if i, err := strconv.Atoi(strings.TrimSpace(x)); err == nil {
			return i
		}
	}
	return 0
}

// toJSON writes v as Python's json.dumps(ensure_ascii=False) does, which is what Hugging Face makes of tojson.
func (g *rendering) toJSON(b *strings.Builder, v any, indent, depth int) {
	g.spend(512)
	if depth > maxNesting || b.Len() > maxRendered {
		fail("tojson of a value that is too deep or too long")
	}
	line := func(depth int) {
		if indent > 0 {
			b.WriteString("\n" + strings.Repeat(" ", indent*depth))
		}
	}
	comma := func(i int) {
		switch {
		case i > 0 && indent > 0:
			b.WriteString(",")
		case i > 0:
			b.WriteString(", ")
		}
		line(depth + 1)
	}
	switch x := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(x))
	case int, float64:
		b.WriteString(str(x))
	case string:
		g.spend(len(x))
		jsonString(b, x)
	case []any:
		b.WriteByte('[')
		for i, e := range x {
			comma(i)
			g.toJSON(b, e, indent, depth+1)
		}
		if len(x) > 0 {
			line(depth)
		}
		b.WriteByte(']')
	case *dict:
		b.WriteByte('{')
		for i, k := range x.keys {
			comma(i)
			text, ok := k.(string)
			if !ok {
				var key strings.Builder
				g.toJSON(&key, k, 0, 0)
				text = key.String()
			}
			jsonString(b, text)
			b.WriteString(": ")
			v, _ := x.get(k)
			g.toJSON(b, v, indent, depth+1)
		}
		if len(x.keys) > 0 {
			line(depth)
		}
		b.WriteByte('}')
	default:
		fail("%s has no JSON form", kind(v))
	}
}

func jsonString(b *strings.Builder, s string) {
	const hex = "0123456789abcdef"
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < 0x20:
			b.WriteString(`\u00`)
			b.WriteByte(hex[r>>4])
			b.WriteByte(hex[r&15])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
