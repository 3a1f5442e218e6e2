package tokenizer

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// function calls a macro or one of the global functions.
func (g *rendering) function(s *scope, name string, a []any, kw map[string]any) any {
	if m, ok := s.get(name).(*macro); ok {
		return g.expand(m, a, kw)
	}
	switch name {
	case "raise_exception":
		msg := "no reason given"
		if len(a) == 1 {
			msg = str(a[0])
		}
		panic(&TemplateError{Raised: true, Message: strings.Join(strings.Fields(cut(msg)), " ")})
	case "namespace":
		if len(a) > 0 {
			fail("namespace takes name=value only")
		}
		ns := &namespace{*newDict()}
		for k, v := range kw {
			ns.set(k, v)
		}
		return ns
	case "dict":
		d := newDict()
		for _, k := range slices.Sorted(maps.Keys(kw)) {
			d.set(k, kw[k])
		}
		return d
	case "strftime_now":
		f, ok := stringArg(name, a, 0, "")
		if !ok {
			fail("strftime_now needs a format")
		}
		return strftime(time.Now(), f)
	case "range":
		n := make([]int, len(a))
		for i, x := range a {
			v, ok := x.(int)
			if !ok {
				fail("range takes integers")
			}
			n[i] = v
		}
		switch len(n) {
		case 1:
			n = []int{0, n[0], 1}
		case 2:
			n = append(n, 1)
		}
		if len(n) != 3 || n[2] == 0 || len(kw) > 0 {
			fail("range takes one to three integers, the third not zero")
		}
		var out []any
		for i := n[0]; n[2] > 0 && i < n[1] || n[2] < 0 && i > n[1]; i += n[2] {
			if len(out) == maxIterations {
				fail("range has more than %d elements", maxIterations)
			}
			out = append(out, i)
		}
		return out
	}
	fail("the function %s is not supported; supported: namespace, raise_exception, range, dict, strftime_now", quote(name))
	return nil
}

// comparisons are tests that are operators.
var comparisons = map[string]string{
	"==": "==", "eq": "==", "equalto": "==", "!=": "!=", "ne": "!=", "<": "<", "lt": "<", "lessthan": "<",
	"<=": "<=", "le": "<=", ">": ">", "gt": ">", "greaterthan": ">", ">=": ">=", "ge": ">=",
}

// test is v is name(a...).
func (g *rendering) test(name string, v any, a []any) any {
	switch name {
	case "defined", "undefined":
		_, un := v.(undefined)
		return un == (name == "undefined")
	case "none", "None":
		return v == nil
	case "string":
		_, ok := v.(string)
		return ok
	case "boolean":
		_, ok := v.(bool)
		return ok
	case "true", "false":
		return v == (name == "true")
	case "integer":
		_, ok := v.(int)
		return ok
	case "float":
		_, ok := v.(float64)
		return ok
	case "number":
		_, _, ok := asNumber(v)
		return ok
	case "callable":
		_, ok := v.(*macro)
		return ok
	case "mapping":
		_, ok := v.(*dict)
		return ok
	case "iterable", "sequence":
		switch v.(type) {
		case string, []any, *dict, undefined:
			return true
		}
		return false
	case "even", "odd":
		return g.equal(g.operate("%", v, 2), map[string]int{"odd": 1}[name], 0)
	case "in":
		if len(a) == 1 {
			return g.contains(a[0], v)
		}
	case "divisibleby":
		if len(a) == 1 {
			return g.equal(g.operate("%", v, a[0]), 0, 0)
		}
	default:
		if op := comparisons[name]; op != "" && len(a) == 1 {
			return g.operate(op, v, a[0])
		}
	}
	fail("the test %s is not supported here; supported: defined, undefined, none, string, boolean, true, false, integer, float, number, mapping, iterable, sequence, callable, even, odd, divisibleby, in, equalto, ne, lt, le, gt, ge", quote(name))
	return nil
}

// strftime writes a time as Python's strftime does.
func strftime(t time.Time, format string) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		layout, ok := strftimeLayouts[format[i]]
		switch {
		case ok:
			b.WriteString(t.Format(layout))
		case format[i] == '%':
			b.WriteByte('%')
		case format[i] == 'j':
			b.WriteString(t.Format("002"))
		case format[i] == 'f':
			b.WriteString(strconv.Itoa(1_000_000 + t.Nanosecond()/1000)[1:])
		default:
			fail("the format %%%c of strftime_now is not supported", format[i])
		}
	}
	return b.String()
}

var strftimeLayouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'd': "02", 'H': "15", 'I': "03", 'm': "01", 'M': "04",
	'p': "PM", 'S': "05", 'y': "06", 'Y': "2006", 'Z': "MST", 'z': "-0700",
}
