package tokenizer

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/nikolalohinski/gonja/v2/exec"
)

// Values of a template are nil (None and undefined), bool, int, float64, string, []any, *dict and *namespace. Operations
// on them are Python's, and every one that makes a longer value pays for it first.

// dict keeps the order of its keys, as Python's does.
type dict struct {
	keys []string
	m    map[string]any
}

// newDict makes a dict of alternating keys and values.
func newDict(kv ...any) *dict {
	d := &dict{m: make(map[string]any, len(kv)/2)}
	for i := 0; i+1 < len(kv); i += 2 {
		d.set(kv[i].(string), kv[i+1])
	}
	return d
}

func (d *dict) set(k string, v any) {
	if _, ok := d.m[k]; !ok {
		d.keys = append(d.keys, k)
	}
	d.m[k] = v
}

// namespace is what namespace(...) returns: the only value whose attributes can be set.
type namespace struct{ dict }

// value takes a Go value out of gonja's.
func value(v *exec.Value) any {
	switch x := v.Interface().(type) {
	case nil, bool, int, float64, string, []any, *dict, *namespace:
		return x
	case *exec.Value:
		return value(x)
	default:
		fail("a value of the type %T is not supported", x)
		return nil
	}
}

// kind names the type of a value for a message.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "undefined or None"
	case bool:
		return "a bool"
	case int, float64:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "a list"
	}
	return "a dict"
}

func truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case *dict:
		return len(v.keys) > 0
	}
	return true
}

// str is what is printed; undefined prints nothing. Lists and dicts have a form in Python that no template should rely on.
func str(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int:
		return strconv.Itoa(v)
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".eIN") {
			s += ".0"
		}
		return s
	}
	fail("%s cannot be printed; the filter tojson can", kind(v))
	return ""
}

// items is what a loop goes over.
func (g *rendering) items(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case string:
		g.spend(len(v))
		out := make([]any, 0, len(v))
		for _, r := range v {
			out = append(out, string(r))
		}
		return out
	case *dict:
		out := make([]any, len(v.keys))
		for i, k := range v.keys {
			out[i] = k
		}
		return out
	}
	fail("%s cannot be looped over", kind(v))
	return nil
}

// functions are the calls that fix writes into the tree.
func (g *rendering) functions() map[string]any {
	type args = *exec.VarArgs
	wrap := func(f func(a []any, kw map[string]any) any) func(args) *exec.Value {
		return func(va args) *exec.Value {
			g.tick()
			a := make([]any, len(va.Args))
			for i, v := range va.Args {
				a[i] = value(v)
			}
			kw := make(map[string]any, len(va.KwArgs))
			for k, v := range va.KwArgs {
				kw[k] = value(v)
			}
			return exec.AsValue(f(a, kw))
		}
	}
	lazy := func(stop bool) func(*exec.Evaluator, args) *exec.Value {
		return func(e *exec.Evaluator, va args) *exec.Value {
			g.tick()
			if truth(value(va.Args[0])) == stop {
				return va.Args[0]
			}
			return e.Eval(g.lazy[va.Args[1].Integer()])
		}
	}
	return map[string]any{
		"$and":  lazy(false),
		"$or":   lazy(true),
		"$str":  wrap(func(a []any, _ map[string]any) any { return str(a[0]) }),
		"$bool": wrap(func(a []any, _ map[string]any) any { return truth(a[0]) }),
		"$not":  wrap(func(a []any, _ map[string]any) any { return !truth(a[0]) }),
		"$list": wrap(func(a []any, _ map[string]any) any { return a }),
		"$dict": wrap(func(a []any, _ map[string]any) any {
			for i := 0; i < len(a); i += 2 {
				if _, ok := a[i].(string); !ok {
					fail("a key of a dict is %s; only strings are supported", kind(a[i]))
				}
			}
			return newDict(a...)
		}),
		"$op":     wrap(func(a []any, _ map[string]any) any { return g.operate(a[0].(string), a[1], a[2]) }),
		"$item":   wrap(func(a []any, _ map[string]any) any { return g.item(a[0], a[1]) }),
		"$attr":   wrap(func(a []any, _ map[string]any) any { return g.item(a[0], a[1]) }),
		"$slice":  wrap(func(a []any, _ map[string]any) any { return g.slice(a[0], a[1], a[2]) }),
		"$call":   wrap(func(a []any, kw map[string]any) any { return g.function(a[0].(string), a[2:], kw) }),
		"$method": wrap(func(a []any, kw map[string]any) any { return g.method(a[0].(string), a[1], a[2:], kw) }),
		"$filter": wrap(func(a []any, kw map[string]any) any { return g.filter(a[0].(string), a[1], a[2:], kw) }),
		"$test":   wrap(func(a []any, _ map[string]any) any { return g.test(a[0].(string), a[1], a[2:]) }),
	}
}

// item is v[key] and v.key; what is not there is undefined, but undefined has no items.
func (g *rendering) item(v, key any) any {
	switch v := v.(type) {
	case *dict:
		if k, ok := key.(string); ok {
			return v.m[k]
		}
		return nil
	case *namespace:
		if k, ok := key.(string); ok {
			return v.m[k]
		}
		return nil
	case []any:
		if i, ok := key.(int); ok {
			if i < 0 {
				i += len(v)
			}
			if i >= 0 && i < len(v) {
				return v[i]
			}
		}
		return nil
	case string:
		if i, ok := key.(int); ok {
			c := g.items(v)
			return g.item(c, i)
		}
		return nil
	case nil:
		fail("%v of an undefined value is asked for", key)
	}
	return nil
}

// slice is v[from:to], clamped as in Python.
func (g *rendering) slice(v, from, to any) any {
	bounds := func(n int) (int, int) {
		at := func(x any, def int) int {
			i, ok := x.(int)
			switch {
			case x == nil:
				return def
			case !ok:
				fail("a slice bound is %s; it must be an integer", kind(x))
			case i < 0:
				i += n
			}
			return min(max(i, 0), n)
		}
		a, b := at(from, 0), at(to, n)
		return a, max(a, b)
	}
	switch v := v.(type) {
	case []any:
		a, b := bounds(len(v))
		return v[a:b:b]
	case string:
		g.spend(4 * len(v))
		r := []rune(v)
		a, b := bounds(len(r))
		return string(r[a:b])
	}
	fail("%s cannot be sliced", kind(v))
	return nil
}

func (g *rendering) concat(a, b string) string {
	g.spend(len(a) + len(b))
	return a + b
}

// operate applies a binary operator other than and, or.
func (g *rendering) operate(op string, a, b any) any {
	switch op {
	case "==":
		return g.equal(a, b)
	case "!=":
		return !g.equal(a, b)
	case "~":
		return g.concat(str(a), str(b))
	}
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			switch op {
			case "+":
				return g.concat(x, y)
			case "<", "<=", ">", ">=":
				return compare(op, strings.Compare(x, y))
			}
		}
	case []any:
		if y, ok := b.([]any); ok && op == "+" {
			g.spend(64 * (len(x) + len(y)))
			return append(append(make([]any, 0, len(x)+len(y)), x...), y...)
		}
	case int:
		if y, ok := b.(int); ok {
			return arithmetic(op, x, y)
		}
	}
	fail("%s %s %s is not supported", kind(a), op, kind(b))
	return nil
}

func arithmetic(op string, x, y int) any {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "//", "%":
		if y == 0 {
			fail("a division by zero")
		}
		q, r := x/y, x%y
		if r != 0 && (r < 0) != (y < 0) { // Python rounds down
			q, r = q-1, r+y
		}
		if op == "%" {
			return r
		}
		return q
	case "<", "<=", ">", ">=":
		switch {
		case x < y:
			return compare(op, -1)
		case x > y:
			return compare(op, 1)
		}
		return compare(op, 0)
	}
	fail("the operator %s is not supported for numbers", op)
	return nil
}

func compare(op string, c int) bool {
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func (g *rendering) equal(a, b any) bool {
	switch x := a.(type) {
	case nil, bool, int, float64, string:
		switch b.(type) {
		case nil, bool, int, float64, string:
			return x == b
		}
		return false
	}
	if reflect.TypeOf(a) != reflect.TypeOf(b) {
		return false
	}
	fail("the comparison of %s with %s is not supported", kind(a), kind(b))
	return false
}

// contains is needle in v.
func (g *rendering) contains(v, needle any) bool {
	switch v := v.(type) {
	case string:
		if s, ok := needle.(string); ok {
			return strings.Contains(v, s)
		}
	case []any:
		for _, x := range v {
			if g.equal(x, needle) {
				return true
			}
		}
		return false
	case *dict:
		s, ok := needle.(string)
		_, has := v.m[s]
		return ok && has
	}
	fail("%s in %s is not supported", kind(needle), kind(v))
	return false
}

// function calls one of the global functions.
func (g *rendering) function(name string, a []any, kw map[string]any) any {
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
	fail("the function %s is not supported; supported: namespace, raise_exception, range", quote(name))
	return nil
}

// test is v is name(a...), and v in a[0].
func (g *rendering) test(name string, v any, a []any) any {
	switch name {
	case "defined":
		return v != nil
	case "undefined", "none", "None":
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
	case "number":
		switch v.(type) {
		case int, float64:
			return true
		}
		return false
	case "mapping":
		_, ok := v.(*dict)
		return ok
	case "iterable", "sequence":
		switch v.(type) {
		case string, []any, *dict:
			return true
		}
		return false
	case "even", "odd":
		if i, ok := v.(int); ok {
			return (i%2 == 0) == (name == "even")
		}
	case "in":
		if len(a) == 1 {
			return g.contains(a[0], v)
		}
	case "equalto", "eq":
		if len(a) == 1 {
			return g.equal(v, a[0])
		}
	}
	fail("the test %s is not supported here; supported: defined, undefined, none, string, boolean, true, false, integer, number, mapping, iterable, sequence, even, odd, in, equalto", quote(name))
	return nil
}
