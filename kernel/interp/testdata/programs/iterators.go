package main

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
)

type Ordered interface{ ~int | ~string | ~float64 }
type Opt[T any] struct {
	v  T
	ok bool
}

func Some[T any](v T) Opt[T] { return Opt[T]{v, true} }
func (o Opt[T]) OrElse(d T) T {
	if o.ok {
		return o.v
	}
	return d
}
func Bind[T, U any](o Opt[T], f func(T) Opt[U]) Opt[U] {
	if !o.ok {
		return Opt[U]{}
	}
	return f(o.v)
}

type Cache[K comparable, V any] struct {
	data    map[K]V
	order   []K
	cap     int
	onEvict func(K, V)
}

func NewCache[K comparable, V any](n int, f func(K, V)) *Cache[K, V] {
	return &Cache[K, V]{data: make(map[K]V), cap: n, onEvict: f}
}
func (c *Cache[K, V]) Put(k K, v V) {
	if _, ok := c.data[k]; !ok {
		if len(c.order) == c.cap {
			o := c.order[0]
			c.order = c.order[1:]
			if c.onEvict != nil {
				c.onEvict(o, c.data[o])
			}
			delete(c.data, o)
		}
		c.order = append(c.order, k)
	}
	c.data[k] = v
}
func (c *Cache[K, V]) Get(k K) (V, bool) { v, ok := c.data[k]; return v, ok }

type Heap[T any] struct {
	xs   []T
	less func(a, b T) bool
}

func (h *Heap[T]) Push(x T) {
	h.xs = append(h.xs, x)
	for i := len(h.xs) - 1; i > 0; {
		p := (i - 1) / 2
		if !h.less(h.xs[i], h.xs[p]) {
			break
		}
		h.xs[i], h.xs[p] = h.xs[p], h.xs[i]
		i = p
	}
}
func (h *Heap[T]) Pop() T {
	x := h.xs[0]
	n := len(h.xs) - 1
	h.xs[0] = h.xs[n]
	h.xs = h.xs[:n]
	for i := 0; ; {
		l := 2*i + 1
		if l >= n {
			break
		}
		if r := l + 1; r < n && h.less(h.xs[r], h.xs[l]) {
			l = r
		}
		if !h.less(h.xs[l], h.xs[i]) {
			break
		}
		h.xs[i], h.xs[l] = h.xs[l], h.xs[i]
		i = l
	}
	return x
}

type Num interface {
	~int | ~int8 | ~uint8 | ~float32 | ~float64
}
type Vec[T Num] []T

func (v Vec[T]) Dot(w Vec[T]) (s T) {
	for i := range v {
		s += v[i] * w[i]
	}
	return
}
func (v Vec[T]) Map(f func(T) T) Vec[T] {
	r := make(Vec[T], len(v))
	for i, x := range v {
		r[i] = f(x)
	}
	return r
}
func Conv[A, B Num](a A) B { return B(a) }
func Ptr[T any](v T) *T    { return &v }
func Zero[T any]() (z T)   { return }
func Keys[M ~map[K]V, K cmp.Ordered, V any](m M) []K {
	r := make([]K, 0, len(m))
	for k := range m {
		r = append(r, k)
	}
	slices.Sort(r)
	return r
}
func GroupBy[T any, K comparable](xs []T, f func(T) K) map[K][]T {
	m := map[K][]T{}
	for _, x := range xs {
		k := f(x)
		m[k] = append(m[k], x)
	}
	return m
}
func Reduce[T, A any](xs []T, a A, f func(A, T) A) A {
	for _, x := range xs {
		a = f(a, x)
	}
	return a
}
func Zip[A, B any](a iter.Seq[A], b iter.Seq[B]) iter.Seq2[A, B] {
	return func(y func(A, B) bool) {
		n, stop := iter.Pull(b)
		defer stop()
		for x := range a {
			v, ok := n()
			if !ok || !y(x, v) {
				return
			}
		}
	}
}
func Fibs() iter.Seq[int] {
	return func(y func(int) bool) {
		a, b := 0, 1
		for y(a) {
			a, b = b, a+b
		}
	}
}
func Take[T any](s iter.Seq[T], n int) iter.Seq[T] {
	return func(y func(T) bool) {
		if n <= 0 {
			return
		}
		i := 0
		for v := range s {
			if !y(v) {
				return
			}
			if i++; i >= n {
				return
			}
		}
	}
}

type Stringish interface {
	~string
	Len() int
}
type Str string

func (s Str) Len() int { return len(s) }
func TotalLen[S Stringish](xs ...S) (n int) {
	for _, x := range xs {
		n += x.Len() + len(string(x))
	}
	return
}

type Setter[T any] interface {
	*T
	Set(string)
}
type Cfg struct{ s string }

func (c *Cfg) Set(s string) { c.s = s }
func Build[T any, P Setter[T]](ss []string) []T {
	r := make([]T, len(ss))
	for i, s := range ss {
		P(&r[i]).Set(s)
	}
	return r
}

type Node[T any] struct {
	v    T
	l, r *Node[T]
}

func (n *Node[T]) All() iter.Seq[T]         { return func(y func(T) bool) { n.push(y) } }
func (n *Node[T]) push(y func(T) bool) bool { return n == nil || n.l.push(y) && y(n.v) && n.r.push(y) }
func Insert[T cmp.Ordered](n *Node[T], v T) *Node[T] {
	if n == nil {
		return &Node[T]{v: v}
	}
	if v < n.v {
		n.l = Insert(n.l, v)
	} else {
		n.r = Insert(n.r, v)
	}
	return n
}

type Emb[T any] struct {
	Opt[T]
	name string
}
type Mat[T Num, R interface{ [2]T | [3]T }] struct{ r R }
type Pairs[A, B any] []struct {
	a A
	b B
}

func SwapN[T any](a, b T, n int) (T, T) {
	for range n {
		a, b = b, a
	}
	return a, b
}
func typeName[T any]() string { var z T; return fmt.Sprintf("%T", z) }
func sw[T Num](v T) string {
	switch any(v).(type) {
	case int:
		return "int"
	case float64:
		return "f64"
	case uint8:
		return "u8"
	}
	return "?"
}

type Event[T any] struct{ hs []func(T) }

func (e *Event[T]) On(f func(T)) { e.hs = append(e.hs, f) }
func (e *Event[T]) Emit(v T) {
	for _, h := range e.hs {
		h(v)
	}
}
func early(n int) string {
	for i := range Fibs() {
		for j := range Take(Fibs(), 5) {
			if i+j > n {
				return fmt.Sprint(i, j)
			}
		}
	}
	return ""
}
func main() {
	fmt.Println(Some(3).OrElse(4), Opt[string]{}.OrElse("d"), Bind(Some(4), func(i int) Opt[string] { return Some(strings.Repeat("x", i)) }))
	c := NewCache(2, func(k string, v int) { fmt.Print("evict ", k, v, " ") })
	c.Put("a", 1)
	c.Put("b", 2)
	c.Put("c", 3)
	c.Put("b", 5)
	fmt.Println(c.Get("b"))
	fmt.Println(c.Get("a"))
	h := &Heap[string]{less: func(a, b string) bool { return len(a) < len(b) || len(a) == len(b) && a < b }}
	for _, s := range strings.Fields("ccc a bb dddd e ff") {
		h.Push(s)
	}
	for len(h.xs) > 0 {
		fmt.Print(h.Pop(), " ")
	}
	fmt.Println()
	v := Vec[float64]{1, 2, 3}
	fmt.Println(v.Dot(v), v.Map(func(x float64) float64 { return x * x }), Vec[uint8]{200, 100}.Dot(Vec[uint8]{2, 1}), Conv[float64, int](3.9), Conv[int, uint8](300), Conv[int, int8](200))
	fmt.Println(*Ptr(5), Zero[int](), Zero[*int]() == nil, Zero[[2]string](), Keys(map[string]int{"b": 1, "a": 2}))
	g := GroupBy([]int{1, 2, 3, 4, 5}, func(i int) string {
		if i%2 == 0 {
			return "even"
		}
		return "odd"
	})
	fmt.Println(g, Reduce([]int{1, 2, 3}, "", func(a string, i int) string { return a + fmt.Sprint(i) }))
	for a, b := range Zip(Fibs(), slices.Values([]string{"x", "y", "z"})) {
		fmt.Print(a, b, " ")
	}
	fmt.Println(slices.Collect(Take(Fibs(), 10)), early(20), TotalLen(Str("ab"), Str("c")), Build[Cfg]([]string{"p", "q"}))
	var n *Node[int]
	for _, x := range []int{5, 2, 8, 1, 9} {
		n = Insert(n, x)
	}
	for x := range n.All() {
		if x > 8 {
			break
		}
		fmt.Print(x, " ")
	}
	fmt.Println()
	e := Emb[int]{Some(1), "n"}
	fmt.Println(e.OrElse(5), e.v, e)
	fmt.Printf("%T %T %v %+v\n", e, Mat[int, [2]int]{}, Pairs[int, string]{{1, "a"}}, e)
	fmt.Println(SwapN(1, 2, 3))
	fmt.Println(SwapN("a", "b", 2))
	fmt.Println(typeName[int](), typeName[Opt[map[string]int]](), typeName[*Node[string]](), typeName[error](), typeName[Vec[int]](), sw(1), sw(uint8(1)), sw(float32(1)))
	ev := &Event[int]{}
	tot := 0
	ev.On(func(i int) { tot += i })
	ev.On(func(i int) { tot *= i })
	ev.Emit(3)
	ev.Emit(4)
	fmt.Println(tot)
	fn := Reduce[int, float64]
	fmt.Println(fn([]int{1, 2}, 0.5, func(a float64, i int) float64 { return a + float64(i) }))
	type kv struct {
		k string
		v int
	}
	kvs := []kv{{"a", 2}, {"b", 1}, {"c", 2}}
	sort.Slice(kvs, func(i, j int) bool {
		if kvs[i].v != kvs[j].v {
			return kvs[i].v > kvs[j].v
		}
		return kvs[i].k > kvs[j].k
	})
	fmt.Println(kvs)
	i, ok := slices.BinarySearchFunc(kvs, 1, func(e kv, t int) int { return t - e.v })
	fmt.Println(i, ok, slices.IndexFunc(kvs, func(k kv) bool { return k.k == "a" }), slices.MinFunc(kvs, func(a, b kv) int { return cmp.Compare(a.k, b.k) }))
	func() {
		defer func() { fmt.Println("rec", recover()) }()
		for x := range Fibs() {
			if x > 3 {
				panic(fmt.Sprint("at ", x))
			}
		}
	}()
	func() {
		defer func() { fmt.Println(recover()) }()
		bad := func(y func(int) bool) { y(1); y(2) }
		for x := range bad {
			fmt.Println(x)
			break
		}
	}()
	s := 0
	for i := range 3 {
		for x := range Take(Fibs(), 6) {
			if x == 2 {
				continue
			}
			s = s*3 + x + i
		}
	}
	fmt.Println(s)
	next, stop := iter.Pull2(Zip(Fibs(), slices.Values([]int{7, 8})))
	fmt.Println(next())
	fmt.Println(next())
	fmt.Println(next())
	stop()
	ff := make([]func() int, 0)
	for x := range Take(Fibs(), 4) {
		ff = append(ff, func() int { x++; return x })
	}
	for _, f := range ff {
		fmt.Print(f(), f(), " ")
	}
	fmt.Println()
}
