package interp

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// The programs of BenchmarkSpeed, once compiled and once as text for a cell.
// TestSpeedPrograms compares what they compute.
var speedPrograms = []struct {
	name, source, call string
	compiled           func() any
}{
	{"fib", `func fib(n int) int { if n < 2 { return n }; return fib(n-1) + fib(n-2) }`, "fib(22)", func() any { return fib(22) }},
	{"loop", `func loop(n int) float32 { var s float32; for i := 0; i < n; i++ { s += float32(i) }; return s }`, "loop(300000)", func() any { return sumLoop(300000) }},
	{"swap", `func swap(n int) (int, int) { a, b := 0, 1; for range n { a, b = b, a+b }; return a, b }`, "fmt.Sprint(swap(100000))", func() any { return fmt.Sprint(swapLoop(100000)) }},
	{"matmul", `func matmul(n int) float32 {
	mk := func() [][]float32 { m := make([][]float32, n); for i := range m { m[i] = make([]float32, n); for j := range m[i] { m[i][j] = float32(i*j%7) } }; return m }
	a, b, c := mk(), mk(), mk()
	for i := range n { for j := range n { var s float32; for k := range n { s += a[i][k] * b[k][j] }; c[i][j] = s } }
	return c[n/2][n/3]
}`, "matmul(48)", func() any { return matmul(48) }},
	{"sieve", `func sieve(n int) int { not := make([]bool, n); c := 0; for i := 2; i < n; i++ { if !not[i] { c++; for j := 2 * i; j < n; j += i { not[j] = true } } }; return c }`, "sieve(50000)", func() any { return sieve(50000) }},
	{"text", `func text(n int) int { var b strings.Builder; for i := range n { b.WriteString(strconv.Itoa(i)); b.WriteByte(' ') }; s := b.String(); c := 0; for i := 0; i < len(s); i++ { if s[i] == '7' { c++ } }; return c }`, "text(5000)", func() any { return text(5000) }},
	{"counts", `func counts(n int) int { m := map[int]int{}; for i := range n { m[i*i%1009]++ }; return len(m) + m[4] }`, "counts(20000)", func() any { return counts(20000) }},
	{"methods", `type vec struct{ x, y float64 }
func (v *vec) add(o vec) { v.x += o.x; v.y -= o.y }
func (v vec) dot(o vec) float64 { return v.x*o.x + v.y*o.y }
func methods(n int) float64 { v, s := vec{}, 0.0; for i := range n { v.add(vec{float64(i), 1}); s += v.dot(vec{1, 2}) }; return s }`, "methods(10000)", func() any { return methods(10000) }},
}

func newSpeedSession(tb testing.TB, source string) *testSession {
	s := newSession(tb)
	if out := s.eval(tb, "import (\"fmt\"; \"strings\"; \"strconv\")\n"+source); out.err != nil {
		tb.Fatal(out.err)
	}
	return s
}

func TestSpeedPrograms(t *testing.T) {
	for _, p := range speedPrograms {
		out := newSpeedSession(t, p.source).eval(t, p.call)
		if out.err != nil || out.value != p.compiled() {
			t.Errorf("%s: got %v, %v, want %v", p.name, out.value, out.err, p.compiled())
		}
	}
}

// BenchmarkSpeed tells how much slower a cell is than compiled code:
// go test -bench Speed ./kernel/interp.
func BenchmarkSpeed(b *testing.B) {
	for _, p := range speedPrograms {
		b.Run(p.name+"/compiled", func(b *testing.B) {
			for range b.N {
				p.compiled()
			}
		})
		b.Run(p.name+"/cell", func(b *testing.B) {
			s := newSpeedSession(b, p.source)
			b.ResetTimer()
			for range b.N {
				if out := s.eval(b, p.call); out.err != nil {
					b.Fatal(out.err)
				}
			}
		})
	}
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

func sumLoop(n int) float32 {
	var s float32
	for i := 0; i < n; i++ {
		s += float32(i)
	}
	return s
}

func swapLoop(n int) (int, int) {
	a, b := 0, 1
	for range n {
		a, b = b, a+b
	}
	return a, b
}

func matmul(n int) float32 {
	mk := func() [][]float32 {
		m := make([][]float32, n)
		for i := range m {
			m[i] = make([]float32, n)
			for j := range m[i] {
				m[i][j] = float32(i * j % 7)
			}
		}
		return m
	}
	a, b, c := mk(), mk(), mk()
	for i := range n {
		for j := range n {
			var s float32
			for k := range n {
				s += a[i][k] * b[k][j]
			}
			c[i][j] = s
		}
	}
	return c[n/2][n/3]
}

func sieve(n int) int {
	not := make([]bool, n)
	c := 0
	for i := 2; i < n; i++ {
		if !not[i] {
			c++
			for j := 2 * i; j < n; j += i {
				not[j] = true
			}
		}
	}
	return c
}

func text(n int) int {
	var b strings.Builder
	for i := range n {
		b.WriteString(strconv.Itoa(i))
		b.WriteByte(' ')
	}
	s := b.String()
	c := 0
	for i := 0; i < len(s); i++ {
		if s[i] == '7' {
			c++
		}
	}
	return c
}

func counts(n int) int {
	m := map[int]int{}
	for i := range n {
		m[i*i%1009]++
	}
	return len(m) + m[4]
}

type vec struct{ x, y float64 }

func (v *vec) add(o vec)        { v.x += o.x; v.y -= o.y }
func (v vec) dot(o vec) float64 { return v.x*o.x + v.y*o.y }
func methods(n int) float64 {
	v, s := vec{}, 0.0
	for i := range n {
		v.add(vec{float64(i), 1})
		s += v.dot(vec{1, 2})
	}
	return s
}
