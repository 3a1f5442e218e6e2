package tokenizer

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Values of a template are nil (None), undefined, bool, int, float64, string, []any (lists and tuples), *dict, *namespace
// and *macro. Operations on them are Python's, and every one that makes a longer value pays for it first.

// undefined is the value of a name or item that is not there: false, empty, and printed as nothing.
type undefined struct{ name string }

// dict keeps the order of its keys, as Python's does. A key is a string, number, bool or nil.
type dict struct {
	keys []any
	m    map[any]any
}

// newDict makes a dict of alternating keys and values.
func newDict(kv ...any) *dict {
	d := &dict{m: make(map[any]any, len(kv)/2)}
	for i := 0; i+1 < len(kv); i += 2 {
		d.set(kv[i], kv[i+1])
	}
	return d
}

// hashKey is k as it counts in a dict: 1, 1.0 and True are one key.
func hashKey(k any) (any, bool) {
	switch k := k.(type) {
	case nil, string:
		return k, true
	}
	f, _, ok := asNumber(k)
	return f, ok
}

func (d *dict) set(k, v any) {
	h, ok := hashKey(k)
	if !ok {
		fail("a key of a dict is %s; strings and numbers are supported", kind(k))
	}
	if _, ok := d.m[h]; !ok {
		d.keys = append(d.keys, k)
	}
	d.m[h] = v
}

func (d *dict) get(k any) (any, bool) {
	h, ok := hashKey(k)
	v, has := d.m[h]
	return v, ok && has
}

// namespace is what namespace(...) returns: the only value whose attributes can be set.
type namespace struct{ dict }

// kind names the type of a value for a message.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "None"
	case undefined:
		return "an undefined value"
	case bool:
		return "a bool"
	case int, float64:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "a list"
	case *macro:
		return "a macro"
	}
	return "a dict"
}

func truth(v any) bool {
	switch v := v.(type) {
	case nil, undefined:
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
	case undefined:
		return ""
	case nil:
		return "None"
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
		return floatText(v)
	}
	fail("%s cannot be printed; the filter tojson can", kind(v))
	return ""
}

// floatText is repr(v) of Python.
func floatText(v float64) string {
	switch {
	case math.IsNaN(v):
		return "nan"
	case math.IsInf(v, 0):
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(v, 'f', -1, 64), "+"))
	case v != 0 && (math.Abs(v) < 1e-4 || math.Abs(v) >= 1e16):
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
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
		return slices.Clone(v.keys)
	case undefined:
		return nil
	}
	fail("%s cannot be looped over", kind(v))
	return nil
}

// item is v[key] and v.key; what is not there is undefined, but undefined has no items.
func (g *rendering) item(v, key any) any {
	none := undefined{"item " + str(key)}
	if k, ok := key.(string); ok {
		none.name = k
	}
	at := func(n int) int {
		i, ok := key.(int)
		if ok && i < 0 {
			i += n
		}
		if !ok || i < 0 || i >= n {
			return -1
		}
		return i
	}
	switch v := v.(type) {
	case *dict:
		if x, ok := v.get(key); ok {
			return x
		}
	case *namespace:
		if x, ok := v.get(key); ok {
			return x
		}
	case []any:
		if i := at(len(v)); i >= 0 {
			return v[i]
		}
	case string:
		if c := g.items(v); at(len(c)) >= 0 {
			return c[at(len(c))]
		}
	case undefined:
		fail("%s is undefined, so it has no %s", quote(v.name), quote(str(key)))
	}
	return none
}

// slice is v[from:to:step] as in Python.
func (g *rendering) slice(v, from, to, step any) any {
	integer := func(x any, def int) int {
		if x == nil {
			return def
		}
		i, ok := x.(int)
		if !ok {
			fail("a slice bound is %s; it must be an integer", kind(x))
		}
		return i
	}
	by := integer(step, 1)
	if by == 0 {
		fail("a slice has a step of zero")
	}
	text, isText := v.(string)
	if isText {
		v = g.items(text)
	}
	list, ok := v.([]any)
	if _, un := v.(undefined); un {
		fail("an undefined value cannot be sliced")
	} else if !ok {
		return undefined{"this slice"}
	}
	n := len(list)
	low, high := 0, n // where a slice may begin and end
	first, last := 0, n
	if by < 0 {
		low, high = -1, n-1
		first, last = n-1, -1
	}
	at := func(x any, def int) int {
		if x == nil {
			return def
		}
		i := integer(x, 0)
		if i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	g.spend(16 * n)
	var out []any
	for i, end := at(from, first), at(to, last); by > 0 && i < end || by < 0 && i > end; {
		out = append(out, list[i])
		if by > n || by < -n {
			break
		}
		i += by
	}
	if !isText {
		return out
	}
	return g.join(out, "")
}

func (g *rendering) concat(a, b string) string {
	g.spend(len(a) + len(b))
	return a + b
}

// operate applies a binary operator other than and, or.
func (g *rendering) operate(op string, a, b any) any {
	g.tick()
	switch op {
	case "==":
		return g.equal(a, b, 0)
	case "!=":
		return !g.equal(a, b, 0)
	case "in":
		return g.contains(b, a)
	case "not in":
		return !g.contains(b, a)
	case "~":
		return g.concat(str(a), str(b))
	}
	switch b.(type) {
	case string, []any:
		if _, isInt, _ := asNumber(a); isInt && op == "*" {
			a, b = b, a
		}
	}
	if _, ok := b.(bool); ok {
		b = toInt(b)
	}
	switch x := a.(type) {
	case string:
		switch y := b.(type) {
		case string:
			switch op {
			case "+":
				return g.concat(x, y)
			case "<", "<=", ">", ">=":
				return compare(op, strings.Compare(x, y))
			}
		case int:
			if op == "*" {
				g.spendProduct(len(x), y)
				return strings.Repeat(x, max(y, 0))
			}
		}
	case []any:
		switch y := b.(type) {
		case []any:
			if op == "+" {
				g.spend(64 * (len(x) + len(y)))
				return slices.Concat(x, y)
			}
		case int:
			if op == "*" {
				g.spendProduct(64*len(x), y)
				return slices.Repeat(x, max(y, 0))
			}
		}
	}
	x, isInt, ok := asNumber(a)
	y, isInt2, ok2 := asNumber(b)
	switch {
	case !ok || !ok2:
		fail("%s %s %s is not supported", kind(a), op, kind(b))
	case isInt && isInt2 && op != "/":
		return arithmetic(op, toInt(a), toInt(b))
	}
	return floatArithmetic(op, x, y)
}

// asNumber tells whether v counts as a number. True is 1 in Python.
func asNumber(v any) (f float64, isInt, ok bool) {
	switch v := v.(type) {
	case bool, int:
		return float64(toInt(v)), true, true
	case float64:
		return v, false, true
	}
	return 0, false, false
}

// maxInt is the largest integer of a template; Python's have no bound, and none of these comes near it.
const maxInt = 1 << 53

func arithmetic(op string, x, y int) any {
	whole := func(v float64) int {
		if math.Abs(v) > maxInt {
			fail("an integer beyond %d is not supported", maxInt)
		}
		return int(v)
	}
	switch op {
	case "+":
		return whole(float64(x) + float64(y))
	case "-":
		return whole(float64(x) - float64(y))
	case "*":
		return whole(float64(x) * float64(y))
	case "**":
		if y < 0 {
			return floatArithmetic(op, float64(x), float64(y))
		}
		return whole(math.Pow(float64(x), float64(y)))
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
	}
	return compare(op, x-y)
}

func floatArithmetic(op string, x, y float64) any {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "<":
		return x < y
	case "<=":
		return x <= y
	case ">":
		return x > y
	case ">=":
		return x >= y
	}
	if op == "**" {
		if p := math.Pow(x, y); !math.IsNaN(p) && !math.IsInf(p, 0) {
			return p
		}
		fail("%v ** %v is not supported", x, y)
	}
	if y == 0 {
		fail("a division by zero")
	}
	r := math.Mod(x, y)
	if r != 0 && (r < 0) != (y < 0) { // Python rounds down
		r += y
	}
	switch op {
	case "/":
		return x / y
	case "%":
		return r
	case "//":
		return math.Round((x - r) / y)
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

func (g *rendering) equal(a, b any, depth int) bool {
	g.iterate()
	if depth > maxNesting {
		fail("the comparison of values that nest deeper than %d is not supported", maxNesting)
	}
	if x, _, ok := asNumber(a); ok {
		y, _, ok := asNumber(b)
		return ok && x == y
	}
	switch x := a.(type) {
	case undefined:
		_, ok := b.(undefined)
		return ok
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, func(p, q any) bool { return g.equal(p, q, depth+1) })
	case *dict:
		y, ok := b.(*dict)
		if !ok || len(x.keys) != len(y.keys) {
			return false
		}
		for k, v := range x.m {
			if w, ok := y.m[k]; !ok || !g.equal(v, w, depth+1) {
				return false
			}
		}
		return true
	}
	switch b.(type) {
	case []any, *dict:
		return false
	}
	return a == b
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
			if g.equal(x, needle, 0) {
				return true
			}
		}
		return false
	case *dict:
		_, has := v.get(needle)
		return has
	case undefined:
		return false
	}
	fail("%s in %s is not supported", kind(needle), kind(v))
	return false
}
