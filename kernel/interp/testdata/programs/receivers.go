package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

type T struct {
	n int
	a [3]int
	s []int
	m map[string]int
}

func (t T) Val() int       { return t.n + t.a[0] }
func (t *T) Ptr() int      { t.n++; return t.n }
func (t T) Log(s string)   { fmt.Print(s, t.n, " ") }
func (t *T) PLog(s string) { fmt.Print(s, t.n, " ") }

type L interface{ Log(string) }

func mk(s string, t *T) *T { fmt.Print("mk", s, " "); return t }
func arg(s string) string  { fmt.Print("arg", s, " "); return s }
func defers() {
	t := T{n: 1}
	var l L = t
	p := &t
	defer t.Log("a")
	defer p.PLog("b")
	defer l.Log("c")
	defer mk("x", p).PLog(arg("d"))
	f := t.Log
	defer f("e")
	t.n = 50
	l = T{n: 9}
	p = &T{n: 77}
	m := map[string]int{"k": 1}
	c := make(chan int)
	defer func() { _, ok := <-c; fmt.Println(len(m), ok) }()
	defer close(c)
	defer delete(m, "k")
	defer func(x int) { fmt.Print("x", x, " ") }(t.n)
	t.n = 60
}
func norec() (s string) {
	defer func() { s = fmt.Sprint("outer ", recover()) }()
	defer recover()
	defer func() { func() { recover() }() }()
	panic("P")
}
func helper() any { return recover() }
func rec2() (s string) {
	defer func() {
		if r := recover(); r != nil {
			s = fmt.Sprint("no ", r)
		}
	}()
	defer func() { s = fmt.Sprint(helper()) }()
	panic("Q")
}
func rec3() (s any) { defer func() { s = []any{s, recover(), recover()} }(); panic(3) }
func multiDef() (n int) {
	for i := range 3 {
		defer func() {
			n = n*10 + i
			if r := recover(); r != nil {
				n += 5
				if i > 0 {
					panic(fmt.Sprint(r, i))
				}
			}
		}()
	}
	panic("z")
}
func three() (int, string, error) { return 1, "b", nil }
func take(a any, b ...any) string { return fmt.Sprint(a, len(b), b) }
func vf(xs ...int) (n int) {
	for _, x := range xs {
		n = n*10 + x
	}
	return
}
func g2() (int, int) { return 4, 5 }

type Err string

func (e Err) Error() string { return string(e) }
func retNil(p bool) error {
	var e *MyE
	if p {
		return e
	}
	return nil
}

type MyE struct{}

func (e *MyE) Error() string { return "mye" }

type Shape interface{ Area() float64 }
type Named interface {
	Shape
	fmt.Stringer
}
type Sq struct{ s float64 }

func (s Sq) Area() float64  { return s.s * s.s }
func (s Sq) String() string { return fmt.Sprintf("Sq(%g)", s.s) }

type Tree struct {
	L, R *Tree
	V    int
}

func (t *Tree) Ins(v int) *Tree {
	if t == nil {
		return &Tree{V: v}
	}
	p := &t.L
	if v > t.V {
		p = &t.R
	}
	*p = (*p).Ins(v)
	return t
}
func (t *Tree) Walk(f func(int) bool) bool { return t == nil || (t.L.Walk(f) && f(t.V) && t.R.Walk(f)) }
func bigsw(s string) int {
	switch s {
	case "a", "b":
		return 1
	case "c":
		return 2
	case "":
		return 3
	case "dd":
		return 4
	}
	return 0
}
func fl(x float64) string {
	switch {
	case x != x:
		return "nan"
	case x > 0 && math.IsInf(x, 0):
		return "inf"
	case x == 0 && math.Signbit(x):
		return "-0"
	}
	return "n"
}
func main() {
	defers()
	fmt.Println(norec(), rec2(), rec3())
	func() { defer func() { fmt.Println(recover()) }(); fmt.Println(multiDef()) }()
	fmt.Println(three())
	fmt.Println(take(three()))
	fmt.Println(vf(g2()), vf([]int{1, 2}...), vf())
	a, b, _ := three()
	fmt.Println(a, b, retNil(true) == nil, retNil(false) == nil)
	t := T{n: 1, s: []int{1}, m: map[string]int{}}
	u := t
	u.a[1] = 5
	u.s[0] = 9
	u.m["x"] = 1
	pn := &t.n
	*pn = 8
	pa := &t.a[2]
	*pa = 7
	fmt.Println(t, u, pn == &t.n, &t.a[2] == pa, &t.a == &u.a)
	tp := &t
	tt := *tp
	tp.a[0] = 100
	fmt.Println(tt.a, t.a, tp.Val(), tp.Ptr(), (*tp).Ptr(), t.n)
	arr := [2]T{t, u}
	brr := arr
	brr[0].a[0] = -1
	pp := &arr[1]
	pp.n = 33
	fmt.Println(arr[0].a, brr[0].a, arr[1].n, brr[1].n)
	sl := arr[:]
	sl[0].n = 44
	fmt.Println(arr[0].n)
	ms := map[string]T{"k": t}
	x := ms["k"]
	x.a[0] = 55
	fmt.Println(ms["k"].a[0], ms["none"].a, len(ms["none"].s))
	ch := make(chan [2]int, 1)
	ar := [2]int{1, 2}
	ch <- ar
	ar[0] = 9
	fmt.Println(<-ch, ar)
	fa := func(a [2]int) [2]int { a[0] *= 2; return a }
	fmt.Println(fa(ar), ar)
	var ia any = ar
	ar[1] = 0
	fmt.Println(ia, ia.([2]int)[1])
	st := struct{ in struct{ v [2]int } }{}
	s2 := st
	s2.in.v[0] = 1
	fmt.Println(st, s2, st == s2)
	pst := &st.in.v
	pst[1] = 6
	fmt.Println(st)
	fmt.Println([2]float64{math.NaN()} == [2]float64{math.NaN()}, struct{ f float64 }{0} == struct{ f float64 }{math.Copysign(0, -1)}, any(1) == any(1.0), any("a") == any("a"), any([1]any{1}) == any([1]any{1}))
	mf := map[any]int{1: 1, int8(1): 2, "1": 3, [1]int{1}: 4, struct{ a int }{1}: 5, 1.0: 6, true: 7, 'a': 8}
	fmt.Println(len(mf), mf[1], mf[int8(1)], mf[[1]int{1}], mf[struct{ a int }{1}], mf['a'], mf[uint(1)])
	var n Named = Sq{2}
	var sh Shape = n
	nn, ok := sh.(Named)
	fmt.Println(nn, ok, n == sh, sh == Sq{2})
	var e error = Err("q")
	switch v := e.(type) {
	case fmt.Stringer:
		fmt.Println("str", v)
	case Err:
		fmt.Println("Err", len(v))
	}
	if x, ok := any(n).(interface{ Nope() }); !ok {
		fmt.Println(x == nil)
	}
	var tr *Tree
	for _, v := range []int{5, 3, 8, 1, 4, 9} {
		tr = tr.Ins(v)
	}
	tr.Walk(func(v int) bool { fmt.Print(v, " "); return v < 8 })
	fmt.Println(bigsw("b"), bigsw(""), bigsw("dd"), bigsw("zz"), fl(math.NaN()), fl(math.Inf(1)), fl(math.Copysign(0, -1)), fl(1))
	m := map[int]int{}
	for i := range 10 {
		m[i] = i
	}
	for k := range m {
		if k%2 == 0 {
			delete(m, k)
		}
	}
	fmt.Println(len(m), m)
	cnt := 0
	for k, v := range m {
		m[k] = v * 2
		cnt++
	}
	fmt.Println(cnt, m)
	s := 0
	for k := range m {
		delete(m, k)
		s += k
		if len(m) == 0 {
			m[100] = 1
			break
		}
	}
	fmt.Println(s, m)
	nested := map[string]map[string][]int{}
	for _, k := range []string{"a", "b", "a"} {
		if nested[k] == nil {
			nested[k] = map[string][]int{}
		}
		nested[k]["x"] = append(nested[k]["x"], len(nested))
	}
	fmt.Println(nested)
	var wg sync.WaitGroup
	res := make([]int, 5)
	for i, v := range []int{3, 1, 4, 1, 5} {
		wg.Add(1)
		go func(k int) { defer wg.Done(); res[i] = v * k }(i)
	}
	wg.Wait()
	fmt.Println(res)
	tq := &T{n: 3}
	wg.Add(2)
	go func() { defer wg.Done(); tq.Ptr() }()
	wg.Done()
	wg.Wait()
	fmt.Println(tq.n)
	done := make(chan bool)
	go func(c chan<- bool) { runtime.Gosched(); c <- true }(done)
	select {
	case v, ok := <-done:
		fmt.Println(v, ok)
	case <-time.After(time.Second):
		fmt.Println("late")
	}
	var once sync.Once
	func() { defer func() { recover() }(); once.Do(func() { panic(1) }) }()
	once.Do(func() { fmt.Println("never") })
	bb := make([]byte, 0, 8)
	b1 := append(bb, 'a')
	b2 := append(bb, 'b')
	fmt.Println(string(b1), string(b2))
	s3 := []int{1, 2, 3, 4, 5}
	s4 := s3[1:3:3]
	s4 = append(s4, 99)
	s5 := s3[1:3]
	s5 = append(s5, 77)
	fmt.Println(s3, s4, s5, len(s5), cap(s5))
	s3 = append(s3[:1], s3[2:]...)
	fmt.Println(s3, s5)
	copy(s3, s3[1:])
	fmt.Println(s3)
	var ns []int
	ns = append(ns, ns...)
	fmt.Println(ns == nil, len(append([]int{}, 1, 2)), append([]byte("x"), "yz"...))
	mat := make([][]string, 2)
	for i := range mat {
		mat[i] = strings.Split("a,b", ",")
		mat[i][0] += fmt.Sprint(i)
	}
	row := mat[0]
	row[1] = "Z"
	mat[0], mat[1] = mat[1], mat[0]
	fmt.Println(mat, row)
	fmt.Fprint(os.Stdout, "x", 1, 2, "\n")
	var i8 = int8(-128)
	i8 = -i8
	fmt.Println(i8, -i8, i8/-1)
	x1, y1 := 10, 3
	x1, y1 = x1/y1, x1%y1
	fmt.Println(x1, y1)
	x1 ^= y1
	y1 ^= x1
	x1 ^= y1
	fmt.Println(x1, y1)
	z := []int{0, 1, 2}
	zi := 0
	zi, z[zi], z[z[2]] = 1, 5, 7
	fmt.Println(zi, z)
	f := func() (r []int) { defer func() { r = append(r, 2) }(); return append(r, 1) }
	fmt.Println(f())
	type pair struct{ a, b *int }
	q := 3
	pr := pair{&q, &q}
	*pr.a++
	fmt.Println(*pr.b, pr.a == pr.b, pr == pair{&q, &q})
	var np *T
	func() { defer func() { fmt.Println(recover()) }(); h := np.Val; _ = h }()
	h := np.PLog
	_ = h
	for i := 0; i < 3; i++ {
		defer func() { fmt.Print("m", i, " ") }()
	}
lbl:
	for i := 0; ; i++ {
		switch {
		case i == 2:
			continue
		case i > 4:
			break lbl
		}
		fmt.Print(i, " ")
	}
	fmt.Println()
	goto e
e:
	if true {
		fmt.Println("E")
	}
}
