package tokenizer

// stmt writes to the output or changes the scope. It tells what a loop around it does next.
type stmt func(s *scope) flow

type flow int

const (
	goesOn flow = iota
	continues
	breaks
)

// scope holds the variables of the template, of a macro's call or of one turn of a loop.
type scope struct {
	vars map[string]any
	up   *scope
}

func (s *scope) inner() *scope { return &scope{vars: map[string]any{}, up: s} }

func (s *scope) get(name string) any {
	for ; s != nil; s = s.up {
		if v, ok := s.vars[name]; ok {
			return v
		}
	}
	return undefined{name}
}

func sequence(list []stmt) stmt {
	return func(s *scope) flow {
		for _, do := range list {
			if f := do(s); f != goesOn {
				return f
			}
		}
		return goesOn
	}
}

// body reads up to one of the tags that end it, of which it takes the name.
func (p *templateParser) body(ends ...string) (stmt, string) {
	if p.depth++; p.depth > maxNesting {
		fail("tags nest deeper than %d", maxNesting)
	}
	defer func() { p.depth-- }()
	g := p.g
	var list []stmt
	for {
		t := p.peek()
		p.at++
		switch t.kind {
		case tokenData:
			list = append(list, func(*scope) flow { g.write(t.val); return goesOn })
		case tokenOutput:
			e := p.expression()
			p.end(tokenOutputEnd)
			list = append(list, func(s *scope) flow {
				g.line = t.line
				g.write(str(e(s)))
				return goesOn
			})
		case tokenBlock:
			if name, ok := p.take(ends...); ok {
				return sequence(list), name
			}
			tag := p.tag()
			list = append(list, func(s *scope) flow { g.line = t.line; return tag(s) })
		default:
			p.at--
			if len(ends) > 0 {
				p.unexpected("the tag " + ends[len(ends)-1] + " is wanted")
			}
			return sequence(list), ""
		}
	}
}

// tag reads one of the tags that a chat template may use. There is no include, import, extends or block: those read files.
func (p *templateParser) tag() stmt {
	switch t := p.peek(); t.val {
	case "if":
		return p.ifTag()
	case "for":
		return p.forTag()
	case "set":
		return p.setTag()
	case "macro":
		return p.macroTag()
	case "generation": // marks the assistant's tokens for training; it changes nothing in the text, but has a scope
		p.at++
		p.end(tokenBlockEnd)
		b, _ := p.body("endgeneration")
		p.end(tokenBlockEnd)
		return func(s *scope) flow { return b(s.inner()) }
	case "break", "continue":
		if p.loops == 0 {
			fail("line %d: %s stands outside of a loop", t.line, t.val)
		}
		p.at++
		p.end(tokenBlockEnd)
		f := breaks
		if t.val == "continue" {
			f = continues
		}
		return func(*scope) flow { return f }
	default:
		fail("line %d: the tag %s is not supported here; supported: if, for, set, macro, generation, break, continue", t.line, quote(cut(t.val)))
		return nil
	}
}

// ifTag has no scope of its own.
func (p *templateParser) ifTag() stmt {
	var conds []expr
	var bodies []stmt
	for tag := "if"; tag != "endif"; {
		cond, ends := constant(true), []string{"endif"}
		if tag != "else" {
			if tag == "if" {
				p.at++
			}
			cond, ends = p.expression(), []string{"elif", "else", "endif"}
		}
		p.end(tokenBlockEnd)
		b, next := p.body(ends...)
		conds, bodies, tag = append(conds, cond), append(bodies, b), next
	}
	p.end(tokenBlockEnd)
	return func(s *scope) flow {
		for i, cond := range conds {
			if truth(cond(s)) {
				return bodies[i](s)
			}
		}
		return goesOn
	}
}

// names reads the variables of a loop or of an assignment.
func (p *templateParser) names() []string {
	brackets := p.took("(")
	names := []string{p.name()}
	for p.took(",") {
		names = append(names, p.name())
	}
	if brackets {
		p.want(")")
	}
	return names
}

// assign sets one variable, or several to the elements of v.
func assign(s *scope, names []string, v any) {
	if len(names) == 1 {
		s.vars[names[0]] = v
		return
	}
	parts, ok := v.([]any)
	if !ok || len(parts) != len(names) {
		fail("%s cannot be taken apart for %d variables", kind(v), len(names))
	}
	for i, n := range names {
		s.vars[n] = parts[i]
	}
}

// forTag runs its body once per item, each time in a scope of its own.
func (p *templateParser) forTag() stmt {
	g := p.g
	p.at++
	names := p.names()
	p.want("in")
	over := p.or()
	cond := constant(true)
	if p.took("if") {
		cond = p.or()
	}
	p.end(tokenBlockEnd)
	p.loops++
	run, end := p.body("else", "endfor")
	p.loops--
	other := sequence(nil)
	if end == "else" {
		p.end(tokenBlockEnd)
		other, _ = p.body("endfor")
	}
	p.end(tokenBlockEnd)
	return func(s *scope) flow {
		var items []any
		for _, it := range g.items(over(s)) {
			g.iterate()
			sub := s.inner()
			if assign(sub, names, it); truth(cond(sub)) {
				items = append(items, it)
			}
		}
		if len(items) == 0 {
			return other(s.inner())
		}
		for i, it := range items {
			g.iterate()
			sub := s.inner()
			loop := newDict("index", i+1, "index0", i, "first", i == 0, "last", i == len(items)-1, "length", len(items),
				"revindex", len(items)-i, "revindex0", len(items)-i-1)
			if i > 0 {
				loop.set("previtem", items[i-1])
			}
			if i+1 < len(items) {
				loop.set("nextitem", items[i+1])
			}
			sub.vars["loop"] = loop
			assign(sub, names, it)
			if run(sub) == breaks {
				break
			}
		}
		return goesOn
	}
}

// iterate accounts for one turn of a loop.
func (g *rendering) iterate() {
	g.tick()
	if g.iterations++; g.iterations > maxIterations {
		fail("its loops turn more than %d times", maxIterations)
	}
}

// setTag assigns a value, or all that is written up to endset.
func (p *templateParser) setTag() stmt {
	g := p.g
	p.at++
	names := p.names()
	attr := ""
	if len(names) == 1 && p.took(".") {
		attr = p.name()
	}
	var value expr
	if p.took("=") {
		if value = p.expression(); p.took(",") {
			p.at--
			list := []expr{value}
			for p.took(",") {
				list = append(list, p.expression())
			}
			value = g.list(list)
		}
		p.end(tokenBlockEnd)
	} else {
		p.end(tokenBlockEnd)
		b, _ := p.body("endset")
		p.end(tokenBlockEnd)
		value = func(s *scope) any { return g.capture(func() { b(s.inner()) }) }
	}
	return func(s *scope) flow {
		v := value(s)
		if attr == "" {
			assign(s, names, v)
			return goesOn
		}
		ns, ok := s.get(names[0]).(*namespace)
		if !ok {
			fail("%s is %s; only attributes of a namespace can be set", quote(names[0]), kind(s.get(names[0])))
		}
		ns.set(attr, v)
		return goesOn
	}
}

// macro is a function that the template declares.
type macro struct {
	name     string
	params   []string
	defaults []expr // nil: none
	body     stmt
	in       *scope // where it was declared
}

func (p *templateParser) macroTag() stmt {
	p.at++
	m := macro{name: p.name()}
	p.want("(")
	for !p.took(")") {
		if len(m.params) > 0 {
			p.want(",")
		}
		m.params = append(m.params, p.name())
		var def expr
		if p.took("=") {
			def = p.expression()
		}
		m.defaults = append(m.defaults, def)
	}
	p.end(tokenBlockEnd)
	loops := p.loops
	p.loops = 0
	m.body, _ = p.body("endmacro")
	p.loops = loops
	p.end(tokenBlockEnd)
	return func(s *scope) flow {
		c := m
		c.in = s
		s.vars[m.name] = &c
		return goesOn
	}
}

// expand is what a call of m writes.
func (g *rendering) expand(m *macro, a []any, kw map[string]any) string {
	if g.calls++; g.calls > maxNesting {
		fail("calls of macros nest deeper than %d", maxNesting)
	}
	defer func() { g.calls-- }()
	g.iterate()
	s := m.in.inner()
	for i, name := range m.params {
		v, named := kw[name]
		switch {
		case i < len(a):
			v = a[i]
		case named:
			delete(kw, name)
		case m.defaults[i] != nil:
			v = m.defaults[i](s)
		default:
			v = undefined{name}
		}
		s.vars[name] = v
	}
	if len(a) > len(m.params) || len(kw) > 0 {
		fail("the macro %s does not take all that it is called with", quote(m.name))
	}
	return g.capture(func() { m.body(s) })
}
