package main

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

type Num interface{ ~int | ~int64 | ~float64 }
type Stack[T any] struct{ items []T }

func (s *Stack[T]) Push(v T) { s.items = append(s.items, v) }
func (s *Stack[T]) Pop() (v T, ok bool) {
	if len(s.items) == 0 {
		return
	}
	v = s.items[len(s.items)-1]
	s.items = s.items[:len(s.items)-1]
	return v, true
}
func (s *Stack[T]) All() iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		for i, v := range s.items {
			if !yield(i, v) {
				return
			}
		}
	}
}

type Pair[K comparable, V any] struct {
	Key K
	Val V
}

func (p Pair[K, V]) String() string { return fmt.Sprintf("<%v=%v>", p.Key, p.Val) }

type Tree[T cmp.Ordered] struct {
	L, R *Tree[T]
	V    T
}

func (t *Tree[T]) Insert(v T) *Tree[T] {
	if t == nil {
		return &Tree[T]{V: v}
	}
	switch c := cmp.Compare(v, t.V); {
	case c < 0:
		t.L = t.L.Insert(v)
	case c > 0:
		t.R = t.R.Insert(v)
	}
	return t
}
func (t *Tree[T]) Walk(yield func(T) bool) bool {
	return t == nil || t.L.Walk(yield) && yield(t.V) && t.R.Walk(yield)
}
func Map[T, U any](xs []T, f func(T) U) []U {
	r := make([]U, 0, len(xs))
	for _, x := range xs {
		r = append(r, f(x))
	}
	return r
}
func Fold[T, A any](s iter.Seq[T], a A, f func(A, T) A) A {
	for v := range s {
		a = f(a, v)
	}
	return a
}
func Sum[T Num](xs ...T) (s T) {
	for _, x := range xs {
		s += x
	}
	return
}
func Filter[T any](s iter.Seq[T], p func(T) bool) iter.Seq[T] {
	return func(y func(T) bool) {
		for v := range s {
			if p(v) && !y(v) {
				return
			}
		}
	}
}
func Count(n int) iter.Seq[int] {
	return func(y func(int) bool) {
		defer fmt.Print("[end]")
		for i := 0; i < n; i++ {
			if !y(i) {
				return
			}
		}
	}
}

type Set[T comparable] map[T]struct{}

func (s Set[T]) Add(v ...T) Set[T] {
	for _, x := range v {
		s[x] = struct{}{}
	}
	return s
}

type MyInt int
type List[T any] struct {
	head *node[T]
	n    int
}
type node[T any] struct {
	v    T
	next *node[T]
}

func (l *List[T]) Add(v T) { l.head = &node[T]{v, l.head}; l.n++ }
func (l *List[T]) Rev() {
	var p *node[T]
	for c := l.head; c != nil; {
		n := c.next
		c.next = p
		p, c = c, n
	}
	l.head = p
}
func (l *List[T]) Each(f func(T)) {
	for n := l.head; n != nil; n = n.next {
		f(n.v)
	}
}

type Number interface {
	Num
	fmt.Stringer
}

func (m MyInt) String() string  { return fmt.Sprintf("MyInt(%d)", int(m)) }
func Show[T Number](v T) string { return v.String() + fmt.Sprint(v+1) }
func kind[T any](v T) string {
	switch any(v).(type) {
	case int:
		return "int"
	case string:
		return "string"
	case []T:
		return "slice"
	case fmt.Stringer:
		return "stringer"
	}
	return fmt.Sprintf("%T", v)
}
func find(s iter.Seq[int], want int) (idx int) {
	for v := range s {
		if v == want {
			return idx
		}
		idx++
	}
	return -1
}
func main() {
	s := &Stack[string]{}
	s.Push("a")
	s.Push("b")
	v, ok := s.Pop()
	fmt.Println(v, ok, s.items)
	for i, v := range s.All() {
		fmt.Println(i, v)
	}
	p := Pair[string, int]{"k", 1}
	fmt.Printf("%v %+v %#v %T %s\n", p, p, p, p, p)
	var t *Tree[int]
	for _, v := range []int{5, 2, 8, 1, 9, 3, 5} {
		t = t.Insert(v)
	}
	t.Walk(func(v int) bool { fmt.Print(v, " "); return v < 8 })
	fmt.Println()
	fmt.Println(Map([]int{1, 2, 3}, func(i int) string { return strings.Repeat("x", i) }))
	fmt.Println(Fold(Filter(Count(10), func(i int) bool { return i%2 == 1 }), "", func(a string, i int) string { return a + fmt.Sprint(i) }))
	fmt.Println(Sum(1, 2, 3), Sum(1.5, 2.5), Sum[MyInt](1, 2), Sum[int]())
	fmt.Println(find(Count(10), 3))
outer:
	for i := range Count(5) {
		for j := range Count(5) {
			if j == 2 {
				continue outer
			}
			if i == 2 {
				break outer
			}
			fmt.Print(i, j, ";")
		}
	}
	fmt.Println()
	set := Set[int]{}.Add(3, 1, 2)
	fmt.Println(slices.Sorted(maps.Keys(set)), len(set))
	l := List[float64]{}
	for i := range 5 {
		l.Add(float64(i) / 2)
	}
	l.Rev()
	l.Each(func(f float64) { fmt.Print(f, " ") })
	fmt.Println(l.n)
	fmt.Println(Show(MyInt(4)), kind(1), kind("s"), kind(MyInt(1)), kind([]int{}), kind(p), kind(1.5))
	xs := []int{3, 1, 2}
	slices.SortFunc(xs, func(a, b int) int { return b - a })
	fmt.Println(xs, slices.Max(xs), slices.Index(xs, 1), slices.Contains(xs, 9))
	m := map[string]int{"a": 1, "b": 2, "c": 3}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Print(k, m[k], " ")
	}
	fmt.Println()
	next, stop := iter.Pull(Count(3))
	a, ok1 := next()
	b, ok2 := next()
	stop()
	c, ok3 := next()
	fmt.Println(a, ok1, b, ok2, c, ok3)
	fmt.Println(slices.Collect(maps.Values(map[int]int{1: 2})), slices.Repeat([]int{1, 2}, 2))
	for c := range slices.Chunk([]int{1, 2, 3, 4, 5}, 2) {
		fmt.Print(c)
	}
	fmt.Println()
	ps := []Pair[string, int]{{"b", 2}, {"a", 2}, {"c", 1}}
	slices.SortStableFunc(ps, func(a, b Pair[string, int]) int {
		return cmp.Or(cmp.Compare(a.Val, b.Val), strings.Compare(a.Key, b.Key))
	})
	fmt.Println(ps)
	f := Sum[float64]
	fmt.Println(f(1, 2))
	g := (*Stack[int]).Push
	si := &Stack[int]{}
	g(si, 5)
	h := si.Push
	h(6)
	fmt.Println(si.items)
	for i, w := range strings.Fields("a b c") {
		_ = i
		_ = w
	}
	for s := range strings.SplitSeq("x,y,z", ",") {
		fmt.Print(s, ".")
	}
	fmt.Println()
	fmt.Println(slices.BinarySearch([]int{1, 3, 5}, 3))
	fmt.Println(slices.Insert([]int{1, 4}, 1, 2, 3), slices.Compact([]int{1, 1, 2, 2, 1}))
}
