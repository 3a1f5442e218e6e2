package tokenizer

import (
	"slices"
	"strconv"
)

// expr computes the value of an expression.
type expr func(s *scope) any

// templateParser turns the tokens of a template into functions, by the grammar of Jinja 3 (its parser.py, whose order of
// precedence the methods follow). It fails by fail.
type templateParser struct {
	g     *rendering
	toks  []token
	at    int
	depth int // of tags in tags
	loops int // around the tag
}

func (p *templateParser) peek() token { return p.toks[p.at] }

// take moves on if the next token is one of these operators or words, and says which.
func (p *templateParser) take(words ...string) (string, bool) {
	if t := p.peek(); (t.kind == tokenOp || t.kind == tokenWord) && slices.Contains(words, t.val) {
		p.at++
		return t.val, true
	}
	return "", false
}

func (p *templateParser) took(word string) bool {
	_, ok := p.take(word)
	return ok
}

func (p *templateParser) want(word string) {
	if !p.took(word) {
		p.unexpected(quote(word) + " is wanted")
	}
}

// end wants the end of a tag.
func (p *templateParser) end(kind tokenKind) {
	if p.peek().kind != kind {
		p.unexpected("the end of the tag is wanted")
	}
	p.at++
}

func (p *templateParser) unexpected(instead string) {
	t := p.peek()
	what := quote(cut(t.val))
	switch t.kind {
	case tokenEnd:
		what = "the end of the template"
	case tokenBlockEnd, tokenOutputEnd:
		what = "the end of the tag"
	}
	fail("line %d: unexpected %s; %s", t.line, what, instead)
}

// name takes the name of a variable.
func (p *templateParser) name() string {
	t := p.peek()
	if t.kind != tokenWord || slices.Contains(reserved, t.val) {
		p.unexpected("a name is wanted")
	}
	p.at++
	return t.val
}

var reserved = []string{"and", "else", "if", "in", "is", "not", "or", "true", "false", "none", "True", "False", "None"}

func constant(v any) expr { return func(*scope) any { return v } }

func (p *templateParser) expression() expr {
	value := p.or()
	for p.took("if") {
		cond, then, other := p.or(), value, constant(undefined{})
		if p.took("else") {
			other = p.expression()
		}
		value = func(s *scope) any {
			if truth(cond(s)) {
				return then(s)
			}
			return other(s)
		}
	}
	return value
}

func (p *templateParser) or() expr {
	left := p.and()
	for p.took("or") {
		a, b := left, p.and()
		left = func(s *scope) any {
			if v := a(s); truth(v) {
				return v
			}
			return b(s)
		}
	}
	return left
}

func (p *templateParser) and() expr {
	left := p.not()
	for p.took("and") {
		a, b := left, p.not()
		left = func(s *scope) any {
			if v := a(s); !truth(v) {
				return v
			}
			return b(s)
		}
	}
	return left
}

func (p *templateParser) not() expr {
	if !p.took("not") {
		return p.comparison()
	}
	e := p.not()
	return func(s *scope) any { return !truth(e(s)) }
}

// comparison is a chain: a < b < c is a < b and b < c.
func (p *templateParser) comparison() expr {
	first := p.binary(0)
	var ops []string
	var rest []expr
	for {
		op, ok := p.take("==", "!=", "<", "<=", ">", ">=", "in")
		if !ok && p.peek().val == "not" && p.toks[p.at+1].val == "in" && p.peek().kind == tokenWord {
			p.at += 2
			op, ok = "not in", true
		}
		if !ok {
			break
		}
		ops, rest = append(ops, op), append(rest, p.binary(0))
	}
	if len(ops) == 0 {
		return first
	}
	g := p.g
	return func(s *scope) any {
		a := first(s)
		for i, op := range ops {
			b := rest[i](s)
			if !truth(g.operate(op, a, b)) {
				return false
			}
			a = b
		}
		return true
	}
}

// levels are the operators that bind to the left, the loosest first.
var levels = [][]string{{"+", "-"}, {"~"}, {"*", "/", "//", "%"}, {"**"}}

func (p *templateParser) binary(level int) expr {
	if level == len(levels) {
		return p.unary(true)
	}
	left := p.binary(level + 1)
	for {
		op, ok := p.take(levels[level]...)
		if !ok {
			return left
		}
		a, b, g := left, p.binary(level+1), p.g
		left = func(s *scope) any { x := a(s); return g.operate(op, x, b(s)) }
	}
}

func (p *templateParser) unary(filters bool) expr {
	var e expr
	if op, ok := p.take("-", "+"); ok {
		x, g := p.unary(false), p.g
		e = func(s *scope) any { return g.operate(op, 0, x(s)) }
	} else {
		e = p.primary()
	}
	if e = p.postfix(e); !filters {
		return e
	}
	g := p.g
	for {
		switch {
		case p.took("|"):
			in, name := e, p.name()
			args := p.arguments()
			e = func(s *scope) any {
				v := in(s)
				a, kw := args(s)
				return g.filter(name, v, a, kw)
			}
		case p.took("is"):
			in, not := e, p.took("not")
			name := p.peek().val
			if p.peek().kind != tokenWord {
				p.unexpected("the name of a test is wanted")
			}
			p.at++
			args := p.testArguments()
			e = func(s *scope) any {
				v := in(s)
				a, _ := args(s)
				return truth(g.test(name, v, a)) != not
			}
		default:
			return e
		}
	}
}

// testArguments are in parentheses, or one value.
func (p *templateParser) testArguments() arguments {
	switch t := p.peek(); {
	case t.kind == tokenOp && t.val == "(":
		return p.arguments()
	case t.kind == tokenString, t.kind == tokenNumber, t.kind == tokenOp && (t.val == "[" || t.val == "{"),
		t.kind == tokenWord && !slices.Contains([]string{"else", "or", "and", "is", "if", "in", "not"}, t.val):
		e := p.postfix(p.primary())
		return func(s *scope) ([]any, map[string]any) { return []any{e(s)}, nil }
	}
	return func(*scope) ([]any, map[string]any) { return nil, nil }
}

// arguments of a call, a filter or a test.
type arguments func(s *scope) ([]any, map[string]any)

// arguments reads what stands in parentheses, if anything does.
func (p *templateParser) arguments() arguments {
	var list []expr
	var names []string
	var named []expr
	if p.took("(") {
		for !p.took(")") {
			if len(list)+len(named) > 0 {
				p.want(",")
				if p.took(")") {
					break
				}
			}
			if p.peek().kind == tokenWord && p.toks[p.at+1].val == "=" && p.toks[p.at+1].kind == tokenOp {
				names = append(names, p.name())
				p.at++
				named = append(named, p.expression())
				continue
			}
			if len(named) > 0 {
				p.unexpected("a named argument is wanted")
			}
			list = append(list, p.expression())
		}
	}
	return func(s *scope) ([]any, map[string]any) {
		a := make([]any, len(list))
		for i, e := range list {
			a[i] = e(s)
		}
		kw := make(map[string]any, len(named))
		for i, e := range named {
			kw[names[i]] = e(s)
		}
		return a, kw
	}
}

func (p *templateParser) primary() expr {
	t, g := p.peek(), p.g
	p.at++
	switch t.kind {
	case tokenString:
		text := t.val
		for p.peek().kind == tokenString {
			text += p.peek().val
			p.at++
		}
		return constant(text)
	case tokenNumber:
		if i, err := strconv.Atoi(t.val); err == nil {
			return constant(i)
		}
		f, err := strconv.ParseFloat(t.val, 64)
		if err != nil || !isFloat(t.val) {
			fail("line %d: the number %s is too large", t.line, cut(t.val))
		}
		return constant(f)
	case tokenWord:
		switch t.val {
		case "true", "True":
			return constant(true)
		case "false", "False":
			return constant(false)
		case "none", "None":
			return constant(nil)
		}
		p.at--
		name := p.name()
		if p.took("(") {
			p.at--
			args := p.arguments()
			return func(s *scope) any {
				a, kw := args(s)
				return g.function(s, name, a, kw)
			}
		}
		return func(s *scope) any { return s.get(name) }
	case tokenOp:
		switch t.val {
		case "(":
			if p.took(")") {
				return g.list(nil)
			}
			e := p.expression()
			if p.took(")") {
				return e
			}
			p.want(",")
			return g.list(append([]expr{e}, p.list(")")...))
		case "[":
			return g.list(p.list("]"))
		case "{":
			return p.dict()
		}
	}
	p.at--
	p.unexpected("a value is wanted")
	return nil
}

// list reads expressions up to the closing bracket.
func (p *templateParser) list(end string) []expr {
	var out []expr
	for !p.took(end) {
		out = append(out, p.expression())
		if !p.took(",") {
			p.want(end)
			break
		}
	}
	return out
}

func (g *rendering) list(of []expr) expr {
	return func(s *scope) any {
		g.spend(16 * len(of))
		out := make([]any, len(of))
		for i, e := range of {
			out[i] = e(s)
		}
		return out
	}
}

func (p *templateParser) dict() expr {
	var keys, values []expr
	for !p.took("}") {
		keys = append(keys, p.expression())
		p.want(":")
		values = append(values, p.expression())
		if !p.took(",") {
			p.want("}")
			break
		}
	}
	g := p.g
	return func(s *scope) any {
		g.spend(64 * len(keys))
		d := newDict()
		for i, e := range keys {
			d.set(e(s), values[i](s))
		}
		return d
	}
}

// postfix reads what follows a value: attributes, items, slices and calls of methods.
func (p *templateParser) postfix(e expr) expr {
	g := p.g
	for {
		in := e
		switch {
		case p.took("."):
			t := p.peek()
			p.at++
			switch {
			case t.kind == tokenWord && p.took("("):
				p.at--
				args := p.arguments()
				e = func(s *scope) any {
					v := in(s)
					a, kw := args(s)
					return g.method(t.val, v, a, kw)
				}
			case t.kind == tokenWord:
				e = func(s *scope) any { v := in(s); return g.item(v, t.val) }
			case t.kind == tokenNumber && !isFloat(t.val):
				i, _ := strconv.Atoi(t.val)
				e = func(s *scope) any { v := in(s); return g.item(v, i) }
			default:
				p.at--
				p.unexpected("a name is wanted")
			}
		case p.took("["):
			var at [3]expr
			colons := 0
			for !p.took("]") {
				if p.took(":") {
					if colons++; colons > 2 {
						p.unexpected("] is wanted")
					}
					continue
				}
				if at[colons] != nil {
					p.unexpected("] is wanted")
				}
				at[colons] = p.expression()
			}
			switch {
			case colons > 0:
				e = func(s *scope) any {
					v := in(s)
					var bound [3]any
					for i, b := range at {
						if b != nil {
							bound[i] = b(s)
						}
					}
					return g.slice(v, bound[0], bound[1], bound[2])
				}
			case at[0] == nil:
				p.unexpected("an index is wanted")
			default:
				e = func(s *scope) any {
					v := in(s)
					i := at[0](s)
					return g.item(v, i)
				}
			}
		case p.peek().kind == tokenOp && p.peek().val == "(":
			p.unexpected("only functions and methods can be called")
		default:
			return e
		}
	}
}
