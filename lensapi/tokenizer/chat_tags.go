package tokenizer

import (
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/parser"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// expression is a node of gonja's tree.
type expression = nodes.Expression

// tags are the statements a chat template may use. There is no include, import, extends, block or macro: those read files
// or recurse without a bound.
func (g *rendering) tags() *exec.ControlStructureSet {
	return exec.NewControlStructureSet(map[string]parser.ControlStructureParser{
		"if":         g.nested(g.parseIf),
		"for":        g.nested(g.parseFor),
		"set":        g.parseSet,
		"generation": g.nested(g.parseGeneration),
	})
}

func (g *rendering) nested(parse parser.ControlStructureParser) parser.ControlStructureParser {
	return func(p, args *parser.Parser) (nodes.ControlStructure, error) {
		if g.depth++; g.depth > maxNesting {
			fail("tags nest deeper than %d", maxNesting)
		}
		defer func() { g.depth-- }()
		return parse(p, args)
	}
}

// where is the position of a tag, which gonja wants of every node.
type where struct{ tok *tokens.Token }

func (w where) Position() *tokens.Token { return w.tok }
func (w where) String() string          { return "tag" }

// body runs the nodes of a tag in the scope of r.
func body(r *exec.Renderer, w *nodes.Wrapper) error { return nodes.Walk(r, w) }

type ifTag struct {
	where
	conditions []expression // one per body; nil for else
	bodies     []*nodes.Wrapper
}

func (g *rendering) parseIf(p, args *parser.Parser) (nodes.ControlStructure, error) {
	t := &ifTag{where: where{args.Current()}}
	for tag := "if"; tag != "endif"; {
		var cond expression
		if tag != "else" {
			e, err := args.ParseExpression()
			if err != nil {
				return nil, err
			}
			cond = g.fix(e)
		} else if len(t.conditions) > 0 && t.conditions[len(t.conditions)-1] == nil {
			fail("else occurs twice")
		}
		if !args.End() {
			fail("unexpected %s in the tag %s", quote(args.Current().Val), tag)
		}
		w, next, err := p.WrapUntil("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		t.conditions, t.bodies = append(t.conditions, cond), append(t.bodies, w)
		tag, args = w.EndTag, next
	}
	return t, nil
}

// Execute runs the first body whose condition holds. An if has no scope of its own in Jinja.
func (t *ifTag) Execute(r *exec.Renderer, _ *nodes.ControlStructureBlock) error {
	for i, c := range t.conditions {
		if c != nil {
			v := r.Eval(c)
			if v.IsError() {
				return v
			}
			if !truth(value(v)) {
				continue
			}
		}
		return body(r, t.bodies[i])
	}
	return nil
}

type forTag struct {
	where
	g         *rendering
	names     []string
	over      expression
	cond      expression
	body, els *nodes.Wrapper
}

func (g *rendering) parseFor(p, args *parser.Parser) (nodes.ControlStructure, error) {
	t := &forTag{where: where{args.Current()}, g: g}
	for {
		n := args.Match(tokens.Name)
		if n == nil {
			fail("for needs a variable name")
		}
		t.names = append(t.names, n.Val)
		if args.Match(tokens.Comma) == nil {
			break
		}
	}
	if args.Match(tokens.In) == nil {
		fail("for needs the word in")
	}
	e, err := args.ParseExpression()
	if err != nil {
		return nil, err
	}
	t.over = g.fix(e)
	if args.MatchName("if") != nil {
		if e, err = args.ParseExpression(); err != nil {
			return nil, err
		}
		t.cond = g.fix(e)
	}
	if !args.End() {
		fail("unexpected %s in the tag for", quote(args.Current().Val))
	}
	if t.body, args, err = p.WrapUntil("else", "endfor"); err != nil {
		return nil, err
	}
	if t.body.EndTag == "else" {
		if t.els, args, err = p.WrapUntil("endfor"); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// assign sets the loop variables of one iteration.
func (t *forTag) assign(ctx *exec.Context, item any) {
	if len(t.names) == 1 {
		ctx.Set(t.names[0], item)
		return
	}
	parts, ok := item.([]any)
	if !ok || len(parts) != len(t.names) {
		fail("a loop over %s cannot set %d variables", kind(item), len(t.names))
	}
	for i, n := range t.names {
		ctx.Set(n, parts[i])
	}
}

// Execute runs the body once per item, each time in a scope of its own.
func (t *forTag) Execute(r *exec.Renderer, _ *nodes.ControlStructureBlock) error {
	v := r.Eval(t.over)
	if v.IsError() {
		return v
	}
	items := t.g.items(value(v))
	if t.cond != nil {
		kept := make([]any, 0, len(items))
		for _, it := range items {
			t.g.iterate()
			sub := r.Inherit()
			t.assign(sub.Environment.Context, it)
			c := sub.Eval(t.cond)
			if c.IsError() {
				return c
			}
			if truth(value(c)) {
				kept = append(kept, it)
			}
		}
		items = kept
	}
	if len(items) == 0 && t.els != nil {
		return body(r.Inherit(), t.els)
	}
	for i, it := range items {
		t.g.iterate()
		sub := r.Inherit()
		ctx := sub.Environment.Context
		t.assign(ctx, it)
		loop := newDict("index", i+1, "index0", i, "first", i == 0, "last", i == len(items)-1, "length", len(items),
			"revindex", len(items)-i, "revindex0", len(items)-i-1)
		if i > 0 {
			loop.set("previtem", items[i-1])
		}
		if i+1 < len(items) {
			loop.set("nextitem", items[i+1])
		}
		ctx.Set("loop", loop)
		if err := body(sub, t.body); err != nil {
			return err
		}
	}
	return nil
}

// iterate accounts for one turn of a loop.
func (g *rendering) iterate() {
	g.tick()
	if g.iterations++; g.iterations > maxIterations {
		fail("its loops turn more than %d times", maxIterations)
	}
}

type setTag struct {
	where
	name  string     // the variable
	attr  string     // of a namespace, when not ""
	value expression // if cond holds, or there is none
	cond  expression
	other expression // nil: none
}

func (g *rendering) parseSet(_, args *parser.Parser) (nodes.ControlStructure, error) {
	t := &setTag{where: where{args.Current()}}
	n := args.Match(tokens.Name)
	if n == nil {
		fail("set needs a variable name")
	}
	t.name = n.Val
	if args.Match(tokens.Dot) != nil {
		a := args.Match(tokens.Name)
		if a == nil {
			fail("set needs a name after the dot")
		}
		t.attr = a.Val
	}
	if args.Match(tokens.Assign) == nil {
		fail("set needs = after one name; several names and set blocks are not supported")
	}
	e, err := args.ParseExpression()
	if err != nil {
		return nil, err
	}
	t.value = g.fix(e)
	c, o, err := args.ParseCondition()
	if err != nil {
		return nil, err
	}
	if c != nil {
		t.cond = g.fix(c)
	}
	if o != nil {
		t.other = g.fix(o)
	}
	if !args.End() {
		fail("unexpected %s in the tag set", quote(args.Current().Val))
	}
	return t, nil
}

func (t *setTag) Execute(r *exec.Renderer, _ *nodes.ControlStructureBlock) error {
	e := t.value
	if t.cond != nil {
		c := r.Eval(t.cond)
		if c.IsError() {
			return c
		}
		if !truth(value(c)) {
			e = t.other
		}
	}
	var v any
	if e != nil {
		got := r.Eval(e)
		if got.IsError() {
			return got
		}
		v = value(got)
	}
	if t.attr == "" {
		r.Environment.Context.Set(t.name, v)
		return nil
	}
	target, _ := r.Environment.Context.Get(t.name)
	ns, ok := target.(*namespace)
	if !ok {
		fail("%s is %s; only attributes of a namespace can be set", quote(t.name), kind(target))
	}
	ns.set(t.attr, v)
	return nil
}

// generationTag marks the assistant's tokens for training in some templates; it changes nothing in the text.
type generationTag struct {
	where
	body *nodes.Wrapper
}

func (g *rendering) parseGeneration(p, args *parser.Parser) (nodes.ControlStructure, error) {
	w, _, err := p.WrapUntil("endgeneration")
	if err != nil {
		return nil, err
	}
	return &generationTag{where{args.Current()}, w}, nil
}

func (t *generationTag) Execute(r *exec.Renderer, _ *nodes.ControlStructureBlock) error {
	return body(r, t.body)
}

// rewriteNodes puts our operations in place of gonja's in all output of a list of nodes, and in the bodies of its tags.
func (g *rendering) rewriteNodes(list []nodes.Node) {
	for _, n := range list {
		switch n := n.(type) {
		case nil, *nodes.Data:
		case *nodes.Output:
			n.Expression = g.call(n.Start, "$str", g.fix(n.Expression))
			if n.Condition != nil {
				n.Condition = g.call(n.Start, "$bool", g.fix(n.Condition))
			}
			if n.Alternative != nil {
				n.Alternative = g.call(n.Start, "$str", g.fix(n.Alternative))
			}
		case *nodes.ControlStructureBlock:
			for _, w := range bodies(n.ControlStructure) {
				if w != nil {
					g.rewriteNodes(w.Nodes)
				}
			}
		default:
			fail("%T is not supported", n)
		}
	}
}

func bodies(c nodes.ControlStructure) []*nodes.Wrapper {
	switch t := c.(type) {
	case *ifTag:
		return t.bodies
	case *forTag:
		return []*nodes.Wrapper{t.body, t.els}
	case *generationTag:
		return []*nodes.Wrapper{t.body}
	}
	return nil
}

// call is the node of a call of one of our functions; their names cannot be written in a template.
func (g *rendering) call(at *tokens.Token, name string, args ...expression) *nodes.Call {
	return &nodes.Call{
		Location: at,
		Func:     &nodes.Name{Name: &tokens.Token{Type: tokens.Name, Val: name, Line: at.Line}},
		Args:     args,
		Kwargs:   map[string]expression{},
	}
}

// fix returns an expression in which only literals, names and calls of our functions are left.
func (g *rendering) fix(e expression) expression {
	if e == nil {
		fail("an expression is missing")
	}
	switch n := e.(type) {
	case *nodes.None, *nodes.String, *nodes.Integer, *nodes.Float, *nodes.Bool, *nodes.Name:
		return n
	case *nodes.List:
		return g.call(n.Location, "$list", g.fixAll(n.Val)...)
	case *nodes.Tuple:
		return g.call(n.Location, "$list", g.fixAll(n.Val)...)
	case *nodes.Dict:
		var args []expression
		for _, p := range n.Pairs {
			args = append(args, g.fix(p.Key), g.fix(p.Value))
		}
		return g.call(n.Token, "$dict", args...)
	case *nodes.Negation:
		return g.call(n.Operator, "$not", g.fix(n.Term))
	case *nodes.UnaryExpression:
		zero := &nodes.Integer{Location: n.Operator}
		return g.call(n.Operator, "$op", text(n.Operator, n.Operator.Val), zero, g.fix(n.Term))
	case *nodes.BinaryExpression:
		op := n.Operator.Token
		if op.Type == tokens.And || op.Type == tokens.Or {
			// The right side is only evaluated when it is needed, so it travels as a number.
			g.lazy = append(g.lazy, g.fix(n.Right))
			right := &nodes.Integer{Location: op, Val: len(g.lazy) - 1}
			return g.call(op, "$"+op.Val, g.fix(n.Left), right)
		}
		return g.call(op, "$op", text(op, op.Val), g.fix(n.Left), g.fix(n.Right))
	case *nodes.FilteredExpression:
		in := g.fix(n.Expression)
		for _, f := range n.Filters {
			in = g.named("$filter", f.Token, f.Name, in, f.Args, f.Kwargs)
		}
		return in
	case *nodes.TestExpression:
		return g.named("$test", n.Test.Token, n.Test.Name, g.fix(n.Expression), n.Test.Args, n.Test.Kwargs)
	case *nodes.GetItem:
		return g.call(n.Location, "$item", g.fix(n.Node), g.fix(n.Arg))
	case *nodes.GetAttribute:
		if n.Attribute == "" {
			return g.call(n.Location, "$item", g.fix(n.Node), &nodes.Integer{Location: n.Location, Val: n.Index})
		}
		return g.call(n.Location, "$attr", g.fix(n.Node), text(n.Location, n.Attribute))
	case *nodes.GetSlice:
		args := []expression{g.fix(n.Node), &nodes.None{Location: n.Location}, &nodes.None{Location: n.Location}}
		if n.Start != nil {
			args[1] = g.fix(n.Start)
		}
		if n.End != nil {
			args[2] = g.fix(n.End)
		}
		return g.call(n.Location, "$slice", args...)
	case *nodes.Call:
		switch f := n.Func.(type) {
		case *nodes.Name:
			none := &nodes.None{Location: n.Location}
			return g.named("$call", n.Location, f.Name.Val, none, n.Args, n.Kwargs)
		case *nodes.GetAttribute:
			return g.named("$method", n.Location, f.Attribute, g.fix(f.Node), n.Args, n.Kwargs)
		}
	}
	fail("the expression %T is not supported", e)
	return nil
}

func (g *rendering) fixAll(list []expression) []expression {
	out := make([]expression, len(list))
	for i, e := range list {
		out[i] = g.fix(e)
	}
	return out
}

// named is a call of fn with a name, the value it is applied to, and the arguments of the template.
func (g *rendering) named(fn string, at *tokens.Token, name string, in expression, args []expression, kwargs map[string]expression) expression {
	c := g.call(at, fn, append([]expression{text(at, name), in}, g.fixAll(args)...)...)
	for k, e := range kwargs {
		c.Kwargs[k] = g.fix(e)
	}
	return c
}

func text(at *tokens.Token, s string) *nodes.String { return &nodes.String{Location: at, Val: s} }
