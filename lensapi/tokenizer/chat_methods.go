package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// stringArg is argument i as a string, or def when it is missing or None.
func stringArg(what string, a []any, i int, def string) (s string, given bool) {
	if i >= len(a) || a[i] == nil {
		return def, false
	}
	s, ok := a[i].(string)
	if !ok {
		fail("%s needs a string, not %s", what, kind(a[i]))
	}
	return s, true
}

// strip removes the given characters, or whitespace, from the ends that are asked for.
func strip(s string, a []any, what string, left, right bool) string {
	set, given := stringArg(what, a, 0, "")
	f := unicode.IsSpace
	if given {
		f = func(r rune) bool { return strings.ContainsRune(set, r) }
	}
	if left {
		s = strings.TrimLeftFunc(s, f)
	}
	if right {
		s = strings.TrimRightFunc(s, f)
	}
	return s
}

// method calls a method of a value.
func (g *rendering) method(name string, v any, a []any, kw map[string]any) any {
	if len(kw) > 0 {
		fail("named arguments of the method %s are not supported", quote(name))
	}
	switch v := v.(type) {
	case string:
		return g.stringMethod(name, v, a)
	case *dict:
		switch name {
		case "keys":
			return g.items(v)
		case "values", "items":
			out := make([]any, len(v.keys))
			for i, k := range v.keys {
				if out[i], _ = v.get(k); name == "items" {
					out[i] = []any{k, out[i]}
				}
			}
			return out
		case "get":
			if len(a) == 0 {
				fail("get needs a key")
			}
			if x, ok := v.get(a[0]); ok || len(a) < 2 {
				return x
			}
			return a[1]
		}
		fail("the method %s of a dict is not supported; supported: keys, values, items, get", quote(name))
	}
	fail("the method %s of %s is not supported", quote(name), kind(v))
	return nil
}

func (g *rendering) stringMethod(name, s string, a []any) any {
	g.spend(len(s))
	switch name {
	case "strip":
		return strip(s, a, name, true, true)
	case "lstrip":
		return strip(s, a, name, true, false)
	case "rstrip":
		return strip(s, a, name, false, true)
	case "upper":
		return strings.ToUpper(s)
	case "lower":
		return strings.ToLower(s)
	case "title":
		return title(s, func(r rune) bool { return !unicode.IsLetter(r) })
	case "capitalize":
		return capitalize(s)
	case "startswith", "endswith":
		return affix(name, s, a)
	case "removeprefix":
		p, _ := stringArg(name, a, 0, "")
		return strings.TrimPrefix(s, p)
	case "removesuffix":
		p, _ := stringArg(name, a, 0, "")
		return strings.TrimSuffix(s, p)
	case "replace":
		return g.replace(s, a)
	case "split":
		return g.split(s, a)
	case "splitlines":
		g.spend(16 * (strings.Count(s, "\n") + 1))
		var out []any
		for line := range strings.Lines(s) {
			out = append(out, strings.TrimRight(line, "\r\n"))
		}
		return out
	case "count":
		p, _ := stringArg(name, a, 0, "")
		return strings.Count(s, p)
	case "isdigit":
		return s != "" && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsDigit(r) }) < 0
	case "find":
		p, _ := stringArg(name, a, 0, "")
		i := strings.Index(s, p)
		if i > 0 {
			i = utf8.RuneCountInString(s[:i])
		}
		return i
	case "join":
		if len(a) == 1 {
			return g.join(g.items(a[0]), s)
		}
	}
	fail("the method %s of a string is not supported here; supported: strip, lstrip, rstrip, upper, lower, title, capitalize, startswith, endswith, removeprefix, removesuffix, replace, split, splitlines, count, isdigit, find, join", quote(name))
	return nil
}

func affix(name, s string, a []any) bool {
	test := strings.HasPrefix
	if name == "endswith" {
		test = strings.HasSuffix
	}
	if len(a) == 1 {
		if list, ok := a[0].([]any); ok {
			for i := range list {
				p, _ := stringArg(name, list, i, "")
				if test(s, p) {
					return true
				}
			}
			return false
		}
	}
	p, given := stringArg(name, a, 0, "")
	if !given {
		fail("%s needs a string", name)
	}
	return test(s, p)
}

func (g *rendering) replace(s string, a []any) string {
	old, ok := stringArg("replace", a, 0, "")
	new, ok2 := stringArg("replace", a, 1, "")
	if !ok || !ok2 {
		fail("replace needs two strings")
	}
	n := -1
	if len(a) > 2 {
		if i, ok := a[2].(int); ok {
			n = i
		}
	}
	count := strings.Count(s, old)
	if n >= 0 {
		count = min(count, n)
	}
	// Each factor is at most maxRendered, so the product fits an int64 but not an int of 32 bits.
	if size := int64(len(s)) + int64(count)*int64(max(len(new)-len(old), 0)); size > maxRendered {
		fail("it makes a value of more than %d bytes", maxRendered)
	} else {
		g.spend(int(size))
	}
	return strings.Replace(s, old, new, n)
}

// split is Python's: without a separator by runs of whitespace, with an optional largest number of cuts.
func (g *rendering) split(s string, a []any) []any {
	sep, given := stringArg("split", a, 0, "")
	n := -1
	if len(a) > 1 {
		if i, ok := a[1].(int); ok && i >= 0 {
			n = i + 1
		}
	}
	var parts []string
	switch {
	case given && sep == "":
		fail("split needs a separator that is not empty")
	case given:
		g.spend(16 * (strings.Count(s, sep) + 1))
		parts = strings.SplitN(s, sep, n)
	case n < 0:
		g.spend(16 * len(s))
		parts = strings.Fields(s)
	default:
		fail("split by whitespace with a limit is not supported")
	}
	out := make([]any, len(parts))
	for i, p := range parts {
		out[i] = p
	}
	return out
}

func (g *rendering) join(list []any, sep string) string {
	parts := make([]string, len(list))
	size := int64(len(sep)) * int64(max(len(list)-1, 0))
	for i, x := range list {
		parts[i] = str(x)
		if size += int64(len(parts[i])); size > maxRendered {
			fail("it makes a value of more than %d bytes", maxRendered)
		}
	}
	g.spend(int(size))
	return strings.Join(parts, sep)
}

// cut bounds a message.
func cut(s string) string {
	if len(s) > 400 {
		return strings.ToValidUTF8(s[:400], "") + "..."
	}
	return s
}

// title makes the first letter of each word upper case and the others lower; between says what is between words.
func title(s string, between func(rune) bool) string {
	var b strings.Builder
	start := true
	for _, r := range s {
		if start {
			r = unicode.ToUpper(r)
		} else {
			r = unicode.ToLower(r)
		}
		start = between(r)
		b.WriteRune(r)
	}
	return b.String()
}

func capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + strings.ToLower(s[n:])
}
