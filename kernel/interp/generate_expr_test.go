package interp

import (
	"fmt"
	"slices"
	"strings"
)

// expr is an expression of a type.
func (w *writer) expr(typ string, depth int) string {
	if v := w.of(typ, false); v != "" && (depth == 0 || w.IntN(3) == 0) {
		return v
	}
	switch typ {
	case "bool":
		return w.condition(depth)
	case "string":
		return w.text(depth)
	case "float64", "float32":
		return w.float(typ, depth)
	case "[]int16":
		return fmt.Sprintf("[]int16{%s, %s}", w.expr("int16", 0), w.expr("int16", 0))
	case "map[int8]uint16":
		return fmt.Sprintf("map[int8]uint16{%d: %s, %d: %s}", w.IntN(100), w.expr("uint16", 0), -1-w.IntN(100), w.expr("uint16", 0))
	case "[3]uint8":
		return fmt.Sprintf("[3]uint8{%s, 2: %s}", w.expr("uint8", 0), w.expr("uint8", 0))
	case "pair":
		return fmt.Sprintf("pair{%s, %s, %s}", w.expr("int8", 0), w.expr("uint32", 0), w.expr("string", 0))
	}
	return w.integer(typ, depth)
}

// integer is never a constant: the compiler refuses constants that overflow.
func (w *writer) integer(typ string, depth int) string {
	if depth <= 0 {
		return w.literal(typ)
	}
	x, y := w.expr(typ, depth-1), w.expr(typ, depth-1)
	switch w.IntN(12) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", x, w.pick([]string{"+", "-", "*"}), y)
	case 2:
		return fmt.Sprintf("(%s %s %s)", x, w.pick([]string{"&", "|", "^", "&^"}), y)
	case 3:
		return fmt.Sprintf("(%s %s (%s | one(%s)))", x, w.pick([]string{"/", "%"}), y, y)
	case 4:
		return fmt.Sprintf("(%s %s (%s & 63))", x, w.pick([]string{"<<", ">>"}), w.expr(w.pick([]string{"uint", "uint8", "uint16"}), depth-1))
	case 5, 6:
		return fmt.Sprintf("%s(%s)", typ, w.expr(w.pick(intTypes), depth-1))
	case 7:
		return fmt.Sprintf("%s%s", w.pick([]string{"-", "^"}), paren(x))
	case 8:
		return fmt.Sprintf("%s(%s, %s)", w.pick([]string{"min", "max"}), x, y)
	case 9:
		if m := w.of("map[int8]uint16", false); m != "" {
			return fmt.Sprintf("%s(%s[%s])", typ, m, w.expr("int8", 0))
		}
	case 10:
		if p := w.of("pair", false); p != "" {
			return fmt.Sprintf("%s(%s)", typ, w.pick([]string{p + ".a", p + ".b", p + ".sum()", "len(" + p + ".s)"}))
		}
	case 11:
		return fmt.Sprintf("func() %s { if %s { return %s }; return %s }()", typ, w.condition(depth-1), x, y)
	}
	return w.literal(typ)
}

// paren keeps - and the sign of a number apart.
func paren(x string) string { return "(" + x + ")" }

func (w *writer) literal(typ string) string {
	n := w.IntN(100)
	if !strings.HasPrefix(typ, "u") && w.IntN(3) == 0 {
		n = -n
	}
	if w.IntN(4) == 0 { // near the end of the range
		return fmt.Sprintf("(^%s(0) - id[%s](%d))", typ, typ, w.IntN(3))
	}
	return fmt.Sprintf("id[%s](%d)", typ, n)
}

func (w *writer) float(typ string, depth int) string {
	if depth <= 0 {
		return fmt.Sprintf("id[%s](%g)", typ, float64(w.IntN(2000)-1000)/8)
	}
	x, y := w.expr(typ, depth-1), w.expr(typ, depth-1)
	switch w.IntN(6) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", x, w.pick([]string{"+", "-", "*", "/"}), y)
	case 2:
		return fmt.Sprintf("%s(%s)", typ, w.expr(w.pick(intTypes), depth-1))
	case 3:
		return fmt.Sprintf("%s(%s)", typ, w.expr(w.pick([]string{"float64", "float32"}), depth-1))
	case 4:
		return fmt.Sprintf("-%s", paren(x))
	}
	return fmt.Sprintf("%s(%s, %s)", w.pick([]string{"min", "max"}), x, y)
}

func (w *writer) condition(depth int) string {
	if depth <= 0 {
		return fmt.Sprintf("id(%v)", w.IntN(2) == 0)
	}
	switch w.IntN(5) {
	case 0:
		return fmt.Sprintf("(%s %s %s)", w.condition(depth-1), w.pick([]string{"&&", "||"}), w.condition(depth-1))
	case 1:
		return "!" + paren(w.condition(depth-1))
	case 2:
		t := w.pick([]string{"pair", "[3]uint8"})
		if a, b := w.of(t, false), w.of(t, false); a != "" {
			return fmt.Sprintf("(%s %s %s)", a, w.pick([]string{"==", "!="}), b)
		}
	}
	t := w.pick(slices.Concat(intTypes, []string{"float64", "float32", "string"}))
	return fmt.Sprintf("(%s %s %s)", w.expr(t, depth-1), w.pick([]string{"<", "<=", "==", "!=", ">", ">="}), w.expr(t, depth-1))
}

func (w *writer) text(depth int) string {
	if depth <= 0 {
		return fmt.Sprintf("id(%q)", w.pick([]string{"", "a", "bc", "é", "世界", "\xff", "z\x00"}))
	}
	switch w.IntN(5) {
	case 0:
		return fmt.Sprintf("(%s + %s)", w.expr("string", depth-1), w.expr("string", depth-1))
	case 1:
		return fmt.Sprintf("string(rune(%s))", w.expr("uint16", depth-1))
	case 2:
		return fmt.Sprintf("fmt.Sprint(%s)", w.expr(w.pick(allTypes[:3]), depth-1))
	case 3:
		if s := w.of("string", false); s != "" {
			return fmt.Sprintf("%s[len(%s)/2:]", s, s)
		}
	}
	return fmt.Sprintf("string([]rune(%s))", w.expr("string", depth-1))
}
