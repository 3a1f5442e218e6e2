package interp

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A node of a random program over integer variables: it prints itself as Go
// and runs itself, assigning in parallel as the language says.
type node interface {
	source(b *strings.Builder, indent string)
	run(env []int) flow
}

type flow int

const (
	next flow = iota
	doContinue
	doBreak
)

type expr struct {
	op   string // "" a variable, "#" a constant, else a binary operator
	x, y int    // variables, or x the constant
}

func (e expr) String() string {
	switch e.op {
	case "":
		return name(e.x)
	case "#":
		return fmt.Sprint(e.x)
	}
	return name(e.x) + " " + e.op + " " + name(e.y)
}

func (e expr) eval(env []int) int {
	switch e.op {
	case "":
		return env[e.x]
	case "#":
		return e.x
	case "+":
		return env[e.x] + env[e.y]
	case "-":
		return env[e.x] - env[e.y]
	case "*":
		return env[e.x] * env[e.y]
	case "^":
		return env[e.x] ^ env[e.y]
	case "&":
		return env[e.x] & env[e.y]
	}
	panic("operator " + e.op)
}

func name(v int) string { return string(rune('a' + v)) }

type assign struct {
	lhs []int
	rhs []expr
}

func (a assign) source(b *strings.Builder, in string) {
	var l, r []string
	for i := range a.lhs {
		l = append(l, name(a.lhs[i]))
		r = append(r, a.rhs[i].String())
	}
	fmt.Fprintf(b, "%s%s = %s\n", in, strings.Join(l, ", "), strings.Join(r, ", "))
}

func (a assign) run(env []int) flow {
	vals := make([]int, len(a.rhs))
	for i, e := range a.rhs {
		vals[i] = e.eval(env)
	}
	for i, v := range a.lhs {
		env[v] = vals[i]
	}
	return next
}

// swap exchanges two variables through a temporary.
type swap struct{ x, y int }

func (s swap) source(b *strings.Builder, in string) {
	fmt.Fprintf(b, "%st := %s\n%s%s = %s\n%s%s = t\n", in, name(s.x), in, name(s.x), name(s.y), in, name(s.y))
}

func (s swap) run(env []int) flow { env[s.x], env[s.y] = env[s.y], env[s.x]; return next }

type jump struct {
	x, y int
	kind flow
}

func (j jump) source(b *strings.Builder, in string) {
	fmt.Fprintf(b, "%sif %s < %s {\n%s\t%s\n%s}\n", in, name(j.x), name(j.y), in, map[flow]string{doContinue: "continue", doBreak: "break"}[j.kind], in)
}

func (j jump) run(env []int) flow {
	if env[j.x] < env[j.y] {
		return j.kind
	}
	return next
}

type cond struct {
	x, y     int
	yes, not []node
}

func (c cond) source(b *strings.Builder, in string) {
	fmt.Fprintf(b, "%sif %s&3 == %s&3 {\n", in, name(c.x), name(c.y))
	block(c.yes).source(b, in+"\t")
	fmt.Fprintf(b, "%s} else {\n", in)
	block(c.not).source(b, in+"\t")
	fmt.Fprintf(b, "%s}\n", in)
}

func (c cond) run(env []int) flow {
	if env[c.x]&3 == env[c.y]&3 {
		return block(c.yes).run(env)
	}
	return block(c.not).run(env)
}

type loop struct {
	n    int
	id   int
	rng  bool
	body []node
}

func (l loop) source(b *strings.Builder, in string) {
	if l.rng {
		fmt.Fprintf(b, "%sfor range %d {\n", in, l.n)
	} else {
		fmt.Fprintf(b, "%sfor i%d := 0; i%d < %d; i%d++ {\n", in, l.id, l.id, l.n, l.id)
	}
	block(l.body).source(b, in+"\t")
	fmt.Fprintf(b, "%s}\n", in)
}

func (l loop) run(env []int) flow {
	for range l.n {
		if block(l.body).run(env) == doBreak {
			break
		}
	}
	return next
}

type block []node

func (bl block) source(b *strings.Builder, in string) {
	for _, n := range bl {
		n.source(b, in)
	}
}

func (bl block) run(env []int) flow {
	for _, n := range bl {
		if f := n.run(env); f != next {
			return f
		}
	}
	return next
}

type generator struct {
	*rand.Rand
	vars, loops int
}

func (g *generator) variable() int { return g.IntN(g.vars) }

func (g *generator) expr() expr {
	switch g.IntN(5) {
	case 0:
		return expr{op: "#", x: g.IntN(9)}
	case 1, 2:
		return expr{op: []string{"+", "-", "*", "^", "&"}[g.IntN(5)], x: g.variable(), y: g.variable()}
	}
	return expr{x: g.variable()}
}

func (g *generator) block(depth int, inLoop bool) []node {
	var out []node
	swapped := false
	for range 1 + g.IntN(3) {
		switch k := g.IntN(10); {
		case k < 5:
			perm := g.Perm(g.vars)[:1+g.IntN(g.vars)]
			a := assign{lhs: perm}
			for range perm {
				a.rhs = append(a.rhs, g.expr())
			}
			out = append(out, a)
		case k == 5 && !swapped && g.vars > 1:
			p := g.Perm(g.vars)
			out = append(out, swap{p[0], p[1]})
			swapped = true
		case k == 6 && inLoop:
			out = append(out, jump{g.variable(), g.variable(), flow(1 + g.IntN(2))})
		case k == 7 && depth > 0:
			out = append(out, cond{g.variable(), g.variable(), g.block(depth-1, inLoop), g.block(depth-1, inLoop)})
		case depth > 0:
			g.loops++
			out = append(out, loop{n: 1 + g.IntN(6), id: g.loops, rng: g.IntN(3) == 0, body: g.block(depth-1, true)})
		}
	}
	return out
}

// program is a function of a random body and what it must return.
func (g *generator) program(i int) (src string, want string) {
	g.vars = 2 + g.IntN(4)
	g.loops = 0
	g.loops++
	body := block{loop{n: 2 + g.IntN(5), id: g.loops, body: g.block(3, true)}}
	env := make([]int, g.vars)
	var b strings.Builder
	fmt.Fprintf(&b, "func p%d() []int {\n", i)
	order := g.Perm(g.vars) // the order of declaration decides the order of phis
	for _, v := range order {
		env[v] = g.IntN(10)
		fmt.Fprintf(&b, "\t%s := %d\n", name(v), env[v])
	}
	body.source(&b, "\t")
	var all []string
	for v := range g.vars {
		all = append(all, name(v))
	}
	fmt.Fprintf(&b, "\treturn []int{%s}\n}\n", strings.Join(all, ", "))
	body.run(env)
	return b.String(), fmt.Sprint(env)
}

// TestPhiDifferential runs thousands of random loops of parallel assignments
// as cells and compares them with an evaluator that assigns in parallel by
// construction; in the slow mode, with the real compiler too.
func TestPhiDifferential(t *testing.T) {
	cells, perCell := 30, 75
	if testing.Short() {
		cells = 6
	}
	slow := os.Getenv("GOPHERLENS_SLOW") != ""
	if slow {
		cells = 200
	}
	s := newSession(t)
	g := &generator{Rand: rand.New(rand.NewPCG(1, 2))}
	var all, calls strings.Builder
	var wants []string
	for c := range cells {
		var src, call strings.Builder
		var want []string
		for i := range perCell {
			n := c*perCell + i
			p, w := g.program(n)
			src.WriteString(p)
			fmt.Fprintf(&call, "\tfmt.Println(p%d())\n", n)
			want = append(want, w)
		}
		all.WriteString(src.String())
		calls.WriteString(call.String())
		wants = append(wants, want...)
		out := s.eval(t, "import \"fmt\"\n"+src.String()+call.String())
		for i, got := range strings.Split(strings.TrimSuffix(out.stdout, "\n"), "\n") {
			if i < len(want) && got != want[i] || out.err != nil {
				t.Fatalf("program %d: got %s, want %s (%v)\n%s", c*perCell+i, got, want[i], out.err, src.String())
			}
		}
	}
	if !slow {
		return
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	prog := "package main\nimport \"fmt\"\n" + all.String() + "func main() {\n" + calls.String() + "}\n"
	if err := os.WriteFile(file, []byte(prog), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "run", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSuffix(string(out), "\n"); got != strings.Join(wants, "\n") {
		t.Fatal("the compiler disagrees with the reference evaluator of this test")
	}
}

// TestPhiTable are the cases by which the defect was found.
func TestPhiTable(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"z := 1.0\nn := 0.0\nfor math.Abs(n-z) > 1e-11 { n, z = z, z-(z*z-2)/(2*z) }\nreturn z", "1.4142135623730951"},
		{"a, b := 1, 2\n_ = a\na, b = b, a\nfor range 3 { a, b = b, a }\nreturn []int{a, b}", "[1 2]"},
		{"a, b, c := 1, 2, 3\nfor range 4 { a, b, c = c, a, b }\nreturn []int{a, b, c}", "[3 1 2]"},
		{"a, b := 0, 1\nfor range 10 { b, a = a+b, b }\nreturn a", "55"},
		{"b, a := 1, 0\nfor range 10 { a, b = b, a+b }\nreturn a", "55"},
		{"b, a := 48, 36\nfor b != 0 { a, b = b, a%b }\nreturn a", "12"},
		{"a, b := 48, 36\nfor b != 0 { b, a = a%b, b }\nreturn a", "12"},
		{"type n struct { v int; p *n }\nvar h, r *n\nfor i := range 4 { h = &n{i, h} }\nfor h != nil { h, r, h.p = h.p, h, r }\ns := \"\"\nfor ; r != nil; r = r.p { s += fmt.Sprint(r.v) }\nreturn s", "0123"},
	} {
		s := newSession(t)
		out := s.eval(t, "import (\"fmt\"; \"math\")\nf := func() any {\n"+c.src+"\n}\nfmt.Println(f())")
		if out.err != nil || out.stdout != c.want+"\n" {
			t.Errorf("%s\ngot %q (%v), want %s", c.src, out.stdout, out.err, c.want)
		}
	}
}
