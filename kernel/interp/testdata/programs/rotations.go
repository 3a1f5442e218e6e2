package main

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
)

type G[T any] struct{ a, b T }

func (g G[T]) Rot(n int) (T, T) {
	a, b := g.a, g.b
	for i := 0; i < n; i++ {
		a, b = b, a
	}
	return a, b
}
func (g *G[T]) RotP(n int) string {
	c, d := g.b, g.a
	for range n {
		d, c = c, d
	}
	return fmt.Sprint(c, d)
}

type R interface{ Rot(int) (int, int) }
type Em struct {
	G[int]
	x int
}
type srt [][2]int

func (s srt) Len() int      { return len(s) }
func (s srt) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s srt) Less(i, j int) bool {
	a, b := s[i][0], s[j][0]
	for a != 0 && b != 0 {
		b, a = a%b, b
		if a == b {
			break
		}
	}
	return a*7+s[i][1] < b*3+s[j][1]
}

type str struct{ n int }

func (s str) String() string {
	a, b, c := 1, 2, 3
	for range s.n {
		b, c, a = a, b, c
	}
	return fmt.Sprint(a, b, c)
}

type fib int

func (f fib) MarshalText() ([]byte, error) {
	a, b := 0, 1
	for range int(f) {
		b, a = a+b, b
	}
	return []byte(fmt.Sprint(a, b)), nil
}
func gen(n int) func(func(int, int) bool) {
	return func(y func(int, int) bool) {
		p, q := 0, 1
		for range n {
			if !y(p, q) {
				return
			}
			q, p = p+q, q
		}
	}
}
func rec(n, a, b int) (int, int) {
	if n == 0 {
		return a, b
	}
	x, y := a, b
	for range 3 {
		y, x = x, y+1
	}
	return rec(n-1, y, x)
}

var pkgv = func() int {
	a, b := 1, 5
	for range 3 {
		b, a = a, b
	}
	return a*10 + b
}()

func dfr() (r string) {
	defer func() {
		a, b := 1, 2
		for range 3 {
			b, a = a, b
		}
		r += fmt.Sprint(a, b)
	}()
	a, b := 3, 4
	for i := range 5 {
		defer func() { r += fmt.Sprint(a, b, i, " ") }()
		b, a = a, b
	}
	return
}
func sel(n int) string {
	c := make(chan int, 10)
	for i := range 10 {
		c <- i
	}
	a, b := 0, 1
	for range n {
		select {
		case v := <-c:
			b, a = a+v, b
		case <-make(chan int):
			a = 99
		}
	}
	return fmt.Sprint(a, b)
}
func sw(n int) string {
	a, b, c := 1, 2, 3
	for i := 0; i < n; i++ {
		switch {
		case i%3 == 0:
			b, a = a, b
			continue
		case i%3 == 1:
			c, b = b, c
		default:
			a, b, c = c, a, b
			if i > 5 {
				c, a = a, c
				break
			}
		}
		b, c = c, b
	}
	return fmt.Sprint(a, b, c)
}
func lab(n int) string {
	a, b := 1, 2
L:
	for i := 0; i < n; i++ {
		for j := 0; j < n; j++ {
			b, a = a, b+j
			if j == i {
				continue L
			}
			if a > 50 {
				break L
			}
		}
	}
	return fmt.Sprint(a, b)
}
func got(n int) string {
	i, a, b := 0, 1, 2
top:
	if i < n {
		b, a = a, b
		i++
		if i%4 == 3 {
			a, b = b+1, a
		}
		goto top
	}
	return fmt.Sprint(a, b, i)
}
func types(v []any) string {
	var p, q any = 0, "q"
	for _, x := range v {
		switch t := x.(type) {
		case int:
			q, p = p, t
		case string:
			p, q = q, t
		default:
			p, q = q, p
		}
	}
	return fmt.Sprint(p, q)
}
func strs(s string) string {
	a, b := "", "x"
	for _, r := range s {
		b, a = a+string(r), b
	}
	return a + "|" + b
}
func floats(n int) (x, y float64) {
	x, y = 1, 0
	for range n {
		y, x = x*0.5+y, y*0.25-x
	}
	return
}
func ptrs() string {
	type n struct {
		v    int
		next *n
	}
	var h *n
	for i := range 6 {
		h = &n{i, h}
	}
	var prev, cur *n = nil, h
	for cur != nil {
		cur.next, cur, prev = prev, cur.next, cur
	}
	s := ""
	for e := prev; e != nil; e = e.next {
		s += fmt.Sprint(e.v)
	}
	return s
}
func slic() string {
	a, b := []int{1, 2}, []int{3}
	for i := range 5 {
		b, a = a, append(b, i)
	}
	return fmt.Sprint(a, b)
}
func fns() int {
	f, g := func(x int) int { return x + 1 }, func(x int) int { return x * 2 }
	r := 1
	for range 5 {
		g, f = f, g
		r = f(g(r))
	}
	return r
}
func structs() string {
	type p struct{ x, y int }
	a, b := p{1, 2}, p{3, 4}
	for range 3 {
		b, a = a, b
		a.x, b.y = b.y, a.x
	}
	return fmt.Sprint(a, b)
}
func arrs() string {
	a, b := [2]int{1, 2}, [2]int{3, 4}
	for i := range 3 {
		b, a = a, b
		a[i%2], b[0] = b[0], a[1]
	}
	return fmt.Sprint(a, b)
}
func conds(n int) string {
	a, b, c := true, false, 0
	for i := range n {
		b, a = a && i%2 == 0 || !b, b
		if a != b {
			c++
		}
	}
	return fmt.Sprint(a, b, c)
}
func nest(n int) string {
	a, b, c := 0, 1, 2
	for i := 0; i < n; i++ {
		for j := i; j < n; j++ {
			for k := range 2 {
				c, a = a+k, c
				b, c = c, b
			}
			a, b = b, a
		}
		c, b, a = a, c, b
	}
	return fmt.Sprint(a, b, c)
}
func main() {
	for n := range 7 {
		fmt.Println(G[string]{"p", "q"}.Rot(n))
		fmt.Println((&G[float64]{1, 2}).RotP(n), str{n}, []any{str{n}})
		var r R = Em{G[int]{7, 8}, 1}
		fmt.Println(r.Rot(n))
		fmt.Println(Em{}.Rot(1))
		f := Em{G[int]{3, 4}, 1}.Rot
		fmt.Println(f(n))
		fmt.Println(G[int].Rot(G[int]{1, 2}, n))
		fmt.Println(rec(n, 1, 2))
		fmt.Println(sel(n), sw(n*2), lab(n), got(n), conds(n), nest(n))
		fmt.Println(floats(n))
	}
	s := srt{{6, 1}, {4, 2}, {9, 3}, {15, 0}, {10, 5}}
	sort.Sort(s)
	fmt.Println(s)
	for p, q := range gen(8) {
		if p == 5 {
			break
		}
		fmt.Print(p, q, " ")
	}
	a, b := 1, 2
	for p, q := range gen(6) {
		b, a = a+p, b-q
		if p == 1 {
			continue
		}
		a, b = b, a
	}
	fmt.Println(a, b, pkgv, dfr(), types([]any{1, "a", 2, nil, "b", 3, 3}), strs("hello"), ptrs(), slic(), fns(), structs(), arrs())
	t, _ := fib(10).MarshalText()
	fmt.Println(string(t))
	var wg sync.WaitGroup
	out := make([]string, 4)
	for i := range 4 {
		wg.Go(func() {
			x, y := i, i+1
			for range i + 3 {
				y, x = x, y
				x, y = y+1, x
			}
			out[i] = fmt.Sprint(x, y)
		})
	}
	wg.Wait()
	fmt.Println(out)
	xs := []int{5, 2, 9}
	slices.SortFunc(xs, func(a, b int) int {
		x, y := a, b
		for y != 0 {
			x, y = y, x%y
		}
		return x * (b - a)
	})
	fmt.Println(xs, strings.Map(func(r rune) rune {
		a, b := r, r+1
		for range 3 {
			b, a = a, b
		}
		return a
	}, "abc"))
	memo := map[int]int{}
	var f func(int) int
	f = func(n int) int {
		if v, ok := memo[n]; ok {
			return v
		}
		a, b := 0, 1
		for range n {
			b, a = a+b, b
		}
		memo[n] = a
		return a
	}
	fmt.Println(f(10), f(11), f(10))
}
