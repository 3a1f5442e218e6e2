package interp

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// writer writes random programs that compile, end, and print all that they
// computed. They use what a compiler and an interpreter are likely to do
// differently: integers of every width that overflow, parallel assignments,
// closures over loop variables, slices that share memory, arrays and structs as
// values, maps, strings, deferred calls, run-time errors, and tight loops over
// numbers in memory.
type writer struct {
	*rand.Rand
	b     strings.Builder
	in    string   // indentation
	vars  []typed  // in scope
	loops int      // made so far, for names
	open  []string // labels of the loops around
	names int
	spent int // statements
}

type typed struct {
	name, typ string
	fixed     bool // not to be assigned to
}

var (
	intTypes = []string{"int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64"}
	allTypes = append([]string{"float64", "float32", "string", "[]int16", "map[int8]uint16", "[3]uint8", "pair", "bool"}, intTypes...)
)

// programTypes are declared once for all programs.
const programTypes = `
type celsius float64
type box[T any] struct { k uint8; v T; w [2]T; in struct { b bool; v T } }
type pair struct { a int8; b uint32; s string }
func (p pair) sum() int { return int(p.a) + int(p.b) }
func (p *pair) add(n int8) { p.a += n; p.b *= 3 }
type summer interface{ sum() int }
type list []int16
func (l list) sum() (n int) { for _, v := range l { n += int(v) }; return }
func sorted(m map[int8]uint16) (out []string) { for i := -128; i < 128; i++ { if v, ok := m[int8(i)]; ok { out = append(out, fmt.Sprint(i, ":", v)) } }; return }
func guard(name string) { if r := recover(); r != nil { fmt.Println(name, "panics:", r) } }
`

// program is a function with the given name.
func (w *writer) program(name string) string {
	w.b.Reset()
	w.vars, w.open, w.loops, w.names, w.spent = nil, nil, 0, 0, 0
	w.in = "\t"
	fmt.Fprintf(&w.b, "func %s() {\n\tdefer guard(%q)\n", name, name)
	for range 4 + w.IntN(4) {
		w.define(w.pick(allTypes))
	}
	w.block(3)
	w.show()
	w.b.WriteString("}\n")
	return w.b.String()
}

func (w *writer) pick(from []string) string { return from[w.IntN(len(from))] }

func (w *writer) line(format string, args ...any) {
	w.b.WriteString(w.in)
	fmt.Fprintf(&w.b, format, args...)
	w.b.WriteByte('\n')
}

func (w *writer) fresh() string {
	w.names++
	return fmt.Sprintf("v%d", w.names)
}

func (w *writer) define(typ string) {
	n := w.fresh()
	w.line("var %s %s = %s", n, typ, w.expr(typ, 2))
	w.line("_ = %s", n)
	w.vars = append(w.vars, typed{name: n, typ: typ})
}

// show prints every variable in scope.
func (w *writer) show() {
	var args []string
	for _, v := range w.vars {
		if v.typ == "map[int8]uint16" {
			args = append(args, "sorted("+v.name+")")
		} else {
			args = append(args, v.name)
		}
	}
	w.line("fmt.Println(%s)", strings.Join(args, ", "))
}

// of picks a variable of a type, "" if there is none.
func (w *writer) of(typ string, assigned bool) string {
	var found []string
	for _, v := range w.vars {
		if v.typ == typ && !(assigned && v.fixed) {
			found = append(found, v.name)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return w.pick(found)
}

func (w *writer) block(depth int) {
	mark := len(w.vars)
	for range 2 + w.IntN(4) {
		if w.spent++; w.spent > 60 {
			break
		}
		w.statement(depth)
	}
	w.vars = w.vars[:mark]
}

// nested writes a block between braces.
func (w *writer) nested(head string, depth int, vars ...typed) {
	w.line("%s {", head)
	mark := len(w.vars)
	w.vars = append(w.vars, vars...)
	w.in += "\t"
	for _, v := range vars {
		w.line("_ = %s", v.name)
	}
	w.block(depth)
	w.in = w.in[1:]
	w.vars = w.vars[:mark]
	w.line("}")
}

func (w *writer) statement(depth int) {
	if depth == 0 {
		w.assign()
		return
	}
	switch w.IntN(18) {
	case 0, 1, 2, 3:
		w.assign()
	case 4:
		w.parallel()
	case 5, 6:
		w.loop(depth)
	case 7:
		w.nested("if "+w.expr("bool", 2), depth-1)
	case 8:
		w.define(w.pick(allTypes))
	case 9:
		w.closures()
	case 10:
		w.slices()
	case 11:
		w.switches(depth)
	case 12:
		w.function()
	case 13:
		w.ranges(depth)
	case 14:
		w.jump()
	case 15:
		w.dispatch()
	case 16, 17:
		w.tight()
	}
}

// assign changes one variable or a part of one.
func (w *writer) assign() {
	v := w.vars[w.IntN(len(w.vars))]
	if v.fixed {
		w.show()
		return
	}
	switch {
	case v.typ == "[]int16":
		w.line("%s = append(%s, %s)", v.name, v.name, w.expr("int16", 2))
	case v.typ == "map[int8]uint16":
		w.line("%s[%s] %s %s", v.name, w.expr("int8", 1), w.pick([]string{"=", "+=", "-=", "|="}), w.expr("uint16", 2))
	case v.typ == "[3]uint8":
		w.line("%s[%s%%3] += %s", v.name, w.expr("uint", 1), w.expr("uint8", 1))
	case v.typ == "pair":
		w.line("%s", w.pick([]string{v.name + ".a -= " + w.expr("int8", 1), v.name + ".b ^= " + w.expr("uint32", 1), v.name + ".add(" + w.expr("int8", 1) + ")"}))
	case v.typ == "string":
		w.line("if len(%s) < 40 { %s += %s }", v.name, v.name, w.expr("string", 1))
	case v.typ == "bool", strings.HasPrefix(v.typ, "float"):
		w.line("%s = %s", v.name, w.expr(v.typ, 3))
	case w.IntN(4) == 0:
		w.line("%s%s", v.name, w.pick([]string{"++", "--"}))
	default:
		op := w.pick([]string{"=", "+=", "-=", "*=", "^=", "|=", "&=", "&^="})
		w.line("%s %s %s", v.name, op, w.expr(v.typ, 2))
	}
}

// parallel assigns to several variables of one type at once.
func (w *writer) parallel() {
	t := w.vars[w.IntN(len(w.vars))].typ
	var left, right []string
	for _, v := range w.vars {
		if v.typ == t && !v.fixed {
			left = append(left, v.name)
		}
	}
	w.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
	depth := 1
	if t == "string" {
		depth = 0 // a string that holds itself twice doubles in each turn of a loop
	}
	for range left {
		right = append(right, w.expr(t, depth))
	}
	if len(left) > 0 {
		w.line("%s = %s", strings.Join(left, ", "), strings.Join(right, ", "))
	}
}

func (w *writer) loop(depth int) {
	w.loops++
	i, label := fmt.Sprintf("i%d", w.loops), fmt.Sprintf("l%d", w.loops)
	n := 1 + w.IntN(4)
	head, t := fmt.Sprintf("for %s := range %d", i, n), "int"
	switch w.IntN(3) {
	case 0:
		t = w.pick(intTypes)
		head = fmt.Sprintf("for %s := %s(0); %s < %d; %s++", i, t, i, n, i)
	case 1:
		head = fmt.Sprintf("for %s := %d; %s > 0; %s--", i, n, i, i)
	}
	w.line("%s:", label)
	w.open = append(w.open, label)
	w.line("%s {", head)
	w.in += "\t"
	w.line("if %s < 0 { continue %s }", i, label)
	mark := len(w.vars)
	w.vars = append(w.vars, typed{i, t, true})
	w.block(depth - 1)
	w.vars = w.vars[:mark]
	w.in = w.in[1:]
	w.line("}")
	w.open = w.open[:len(w.open)-1]
}

func (w *writer) jump() {
	if len(w.open) > 0 {
		w.line("if %s { %s %s }", w.expr("bool", 2), w.pick([]string{"continue", "break"}), w.pick(w.open))
	}
}

func (w *writer) ranges(depth int) {
	k, v := w.fresh(), w.fresh()
	if s := w.of("string", false); s != "" && w.IntN(2) == 0 {
		w.nested(fmt.Sprintf("for %s, %s := range %s", k, v, s), min(depth-1, 1), typed{k, "int", true}, typed{v, "int32", true})
		return
	}
	if a := w.of("[3]uint8", false); a != "" {
		w.nested(fmt.Sprintf("for %s, %s := range %s", k, v, a), min(depth-1, 1), typed{k, "int", true}, typed{v, "uint8", true})
	}
}

// closures collects functions over loop variables and calls them later.
func (w *writer) closures() {
	fs, i, t := w.fresh(), w.fresh(), w.pick(intTypes)
	w.line("var %s []func() %s", fs, t)
	w.line("for %s := %s(0); %s < 3; %s++ {", i, t, i, i)
	w.in += "\t"
	w.vars = append(w.vars, typed{name: i, typ: t, fixed: true})
	w.line("%s = append(%s, func() %s { %s += 3; return %s })", fs, fs, t, i, w.expr(t, 2))
	w.vars = w.vars[:len(w.vars)-1]
	w.line("if %s > 100 { break }", i)
	w.in = w.in[1:]
	w.line("}")
	w.line("for _, f := range %s { fmt.Print(f(), f(), \" \") }", fs)
}

// slices share memory until one grows.
func (w *writer) slices() {
	s := w.of("[]int16", false)
	if s == "" {
		return
	}
	a, b := w.fresh(), w.fresh()
	w.line("%s := %s[len(%s)/2:]", a, s, s)
	w.line("%s := append(%s[:len(%s)/2], %s)", b, a, a, w.expr("int16", 1))
	w.line("for i := range %s { %s[i] ^= int16(i) + %s }", a, a, w.expr("int16", 1))
	w.line("fmt.Println(%s, %s, %s, copy(%s, %s), len(%s), cap(%s) >= len(%s))", s, a, b, b, s, b, b, b)
	if w.IntN(6) == 0 { // may be out of range
		w.line("fmt.Println(%s[%s&7])", s, w.expr("uint8", 1))
	}
}

func (w *writer) switches(depth int) {
	t, x := w.pick(intTypes), w.fresh()
	w.line("switch %s := %s; {", x, w.expr(t, 2))
	for range 2 {
		w.line("case %s > %s:", x, w.expr(t, 1))
		w.in += "\t"
		w.block(min(depth-1, 1))
		if w.IntN(3) == 0 {
			w.line("fallthrough")
		}
		w.in = w.in[1:]
	}
	w.line("default:")
	w.in += "\t"
	w.block(min(depth-1, 1))
	w.in = w.in[1:]
	w.line("}")
}

// function defers, recovers and returns a result that deferred code changes.
func (w *writer) function() {
	f, x, r, t := w.fresh(), w.fresh(), w.fresh(), w.pick(intTypes)
	w.line("%s := func(%s %s) (%s %s) {", f, x, t, r, t)
	outer, open := w.vars, w.open
	w.vars, w.open = append(append([]typed(nil), outer...), typed{name: x, typ: t}, typed{name: r, typ: t}), nil
	w.in += "\t"
	w.line("defer func() { if e := recover(); e != nil { fmt.Print(e, \"; \") }; %s += %s }()", r, w.expr(t, 1))
	w.line("for i := range 2 { defer fmt.Print(\"d\", i, %s, \" \") }", x)
	w.block(1)
	switch w.IntN(4) {
	case 0:
		w.line("%s = %s / (%s - %s)", r, w.expr(t, 1), x, x)
	case 1:
		w.line("var none map[string]int; none[\"a\"]++")
	case 2:
		w.line("if %s { panic(fmt.Sprint(\"p\", %s)) }", w.expr("bool", 1), x)
	}
	w.line("return %s", w.expr(t, 2))
	w.in = w.in[1:]
	w.vars, w.open = outer, open
	w.line("}")
	w.line("fmt.Println(%s(%s), %s(%s))", f, w.expr(t, 1), f, w.expr(t, 1))
}

func (w *writer) dispatch() {
	p, l := w.of("pair", false), w.of("[]int16", false)
	if p == "" || l == "" {
		return
	}
	s := w.fresh()
	w.line("for _, %s := range []summer{%s, &%s, list(%s)} {", s, p, p, l)
	w.line("\tswitch y := %s.(type) { case *pair: y.add(1); case list: if len(y) > 0 { y[0]++ }; case pair: y.add(2) }", s)
	w.line("\tfmt.Print(%s.sum(), \" \")", s)
	w.line("}")
}
