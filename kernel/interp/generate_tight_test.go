package interp

import (
	"fmt"
	"slices"
	"strings"
)

// tight is a function whose loops work on numbers in slices, slices of slices,
// arrays and structs, some of which share memory. It defers nothing, so that its
// numbers are unboxed; what panics out of it is seen in what it leaves behind.
func (w *writer) tight() {
	t := w.pick(slices.Concat(intTypes, []string{"float64", "float32", "float64", "int", "celsius"}))
	f, n := w.fresh(), 3+w.IntN(3)
	k := &tightLoop{writer: w, t: t, real: strings.HasPrefix(t, "float") || t == "celsius"}
	w.line("%sa := make([]%s, %d)", f, t, n)
	w.line("%sg := [][]%s{%sa, make([]%s, 3), %sa[1:3]}", f, t, f, t, f)
	w.line("%sq, %sh := new([4]%s), [2][3]%s{}", f, f, t, t)
	w.line("%sb := make([]box[%s], 4)", f, t)
	w.line("%sf := func(a []%s, g [][]%s, q *[4]%s, b []box[%s], p *box[%s], s string, x %s) (y %s, n int) {", f, t, t, t, t, t, t, t)
	w.in += "\t"
	w.line("h := &%sh", f)
	w.line("y, n = x, 1")
	w.line("_ = h")
	k.loop(2)
	w.line("return y, n")
	w.in = w.in[1:]
	w.line("}")
	w.line("func() { defer guard(%q); fmt.Println(%sf(%sa, %sg, %sq, %sb, &%sb[2], \"h\\xffé7\", %s)) }()", f, f, f, f, f, f, f, k.number(2))
	w.line("fmt.Println(%sa, %sg, *%sq, %sh, %sb)", f, f, f, f, f)
}

type tightLoop struct {
	*writer
	t    string
	real bool
	i    []typed // loop variables

	risky bool // indexes may be out of range
}

func (k *tightLoop) loop(depth int) {
	k.loops++
	it, i := k.pick(intTypes), fmt.Sprintf("i%d", k.loops)
	n, e := 2+k.IntN(5), ""
	switch k.IntN(4) {
	case 0:
		k.line("for %s := range %s(%d) {", i, it, n)
	case 1:
		k.line("for %s := %s(%d); %s > 0; %s-- {", i, it, n, i, i)
	case 2:
		it, e = "int", "e"
		k.line("for %s, e := range a {", i)
	default:
		k.line("for %s := %s(0); %s < %d; %s++ {", i, it, i, n, i)
	}
	k.in += "\t"
	k.line("_ = %s", i)
	if e != "" {
		k.line("y += e")
	}
	k.i = append(k.i, typed{name: i, typ: it})
	for range 2 + k.IntN(4) {
		k.step(depth)
	}
	k.i = k.i[:len(k.i)-1]
	k.in = k.in[1:]
	k.line("}")
}

func (k *tightLoop) step(depth int) {
	switch k.IntN(20) {
	case 0, 1:
		k.line("x = %s", k.number(2))
	case 2:
		k.line("y, x = x, %s", k.number(1))
	case 3, 4, 5:
		k.line("%s %s %s", k.element(), k.pick([]string{"=", "+=", "-=", "*="}), k.number(1))
	case 6:
		k.line("n += int(s[%s])", k.index(4))
	case 7:
		k.line("if %s %s %s { %s = %s; continue }", k.number(1), k.pick([]string{"<", "<=", "==", "!=", ">", ">="}), k.number(1), k.element(), k.number(1))
	case 8:
		if depth > 0 {
			k.loop(depth - 1)
		}
	case 9:
		k.line("if n&7 == %d { fmt.Print(x, \" \", n, \" \") }", k.IntN(8))
	case 10:
		k.line("n = n*31 + len(g[%s]) + len(s) - len(a)", k.index(3))
	case 11:
		k.line("if ok := %s < y; ok || !(x != x) && n > 9 { n ^= %d; break }", k.number(1), k.IntN(50))
	case 12:
		i := k.i[k.IntN(len(k.i))]
		k.line("n += int(%s(n) << (%s & 31) >> (uint8(n) & 7))", k.pick(intTypes), "uint16("+i.name+")")
	case 13:
		k.line("{ fn := func() %s { y += x; return y }; x = fn() }", k.t)
	case 14: // the statements that may panic do so for one reason only: Go leaves open which comes first
		k.risky = true
		k.line("x = %s", k.element())
		k.line("%s = y", k.element())
		k.risky = false
	case 15:
		if !k.real {
			k.line("y = x %s y", k.pick([]string{"/", "%"}))
		}
	case 16:
		k.line("if n&15 == 3 { q = nil }; x = q[%d]", k.IntN(4))
	case 17:
		k.line("g[%s], g[%s] = g[%s], g[%s]", k.index(3), k.index(3), k.index(3), k.index(3))
	case 18:
		k.line("g[%s] = append([]%s{%s}, g[%s]...)", k.index(3), k.t, k.number(1), k.index(3))
	case 19:
		k.line("p = &b[%s]", k.index(4))
	}
}

// index is in a range of n, or perhaps.
func (k *tightLoop) index(n int) string {
	i := k.i[k.IntN(len(k.i))]
	if k.risky && k.IntN(4) == 0 {
		return k.pick([]string{i.name + "+1", i.name + "-2", "uint8(n)"})
	}
	if k.IntN(6) == 0 {
		return fmt.Sprint(k.IntN(n))
	}
	return fmt.Sprintf("uint(%s)%%%d", i.name, n)
}

func (k *tightLoop) element() string {
	switch k.IntN(8) {
	case 0, 1:
		return fmt.Sprintf("a[%s]", k.index(3))
	case 2, 3:
		return fmt.Sprintf("g[%s][%s]", k.index(3), k.index(2))
	case 4:
		return fmt.Sprintf("q[%s]", k.index(4))
	case 5:
		return fmt.Sprintf("h[%s][%s]", k.index(2), k.index(3))
	case 6:
		return fmt.Sprintf("b[%s].%s", k.index(4), k.pick([]string{"v", "w[" + k.index(2) + "]", "in.v"}))
	}
	return k.pick([]string{"p.v", "p.w[1]", "p.in.v"})
}

func (k *tightLoop) number(depth int) string {
	if depth == 0 || k.IntN(4) == 0 {
		switch {
		case k.IntN(3) == 0 && len(k.i) > 0:
			return k.element()
		case k.IntN(4) == 0:
			return fmt.Sprintf("id[%s](%d)", k.t, k.IntN(120))
		case k.IntN(4) == 0 && len(k.i) > 0:
			return fmt.Sprintf("%s(%s)", k.t, k.i[k.IntN(len(k.i))].name)
		case len(k.i) == 0:
			return fmt.Sprintf("id[%s](%d)", k.t, 1+k.IntN(9))
		}
		return k.pick([]string{"x", "y"})
	}
	x, y := k.number(depth-1), k.number(depth-1)
	switch k.IntN(6) {
	case 0:
		if k.real {
			return fmt.Sprintf("(%s / %s)", x, y)
		}
		return fmt.Sprintf("(%s %s (%s | 1))", x, k.pick([]string{"/", "%"}), y)
	case 1:
		if !k.real {
			return fmt.Sprintf("(%s %s %s)", x, k.pick([]string{"&", "|", "^", "&^"}), y)
		}
	case 2:
		if !k.real {
			return fmt.Sprintf("%s(%s(%s))", k.t, k.pick(intTypes), x)
		}
		return fmt.Sprintf("%s(%s(%s))", k.t, k.pick([]string{"float32", "float64"}), x)
	case 3:
		return fmt.Sprintf("-(%s)", x)
	case 4:
		if !k.real {
			return fmt.Sprintf("(^%s >> %d)", x, k.IntN(9))
		}
	}
	return fmt.Sprintf("(%s %s %s)", x, k.pick([]string{"+", "-", "*"}), y)
}
