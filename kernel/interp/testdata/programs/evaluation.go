package main

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"unsafe"
)

var trace []string

func t(s string, v int) int    { trace = append(trace, s); return v }
func tp(s string, p *int) *int { trace = append(trace, s); return p }
func flush()                   { fmt.Println(strings.Join(trace, " ")); trace = nil }
func two() (int, string)       { t("two", 0); return 1, "x" }

type S struct {
	a int
	_ int
	b string
}
type N struct {
	S
	*T2
	I
}
type T2 struct{ v int }

func (t T2) Val() int   { return t.v }
func (t *T2) PVal() int { return t.v * 10 }

type I interface{ M() string }
type Im string

func (i Im) M() string { return "M" + string(i) }
func named() (x int, err error) {
	defer func() {
		x++
		if x > 5 {
			err = fmt.Errorf("big %d", x)
		}
	}()
	x = 3
	return x * 2, nil
}
func closNamed() (f func() int, x int) { x = 1; f = func() int { x *= 2; return x }; f(); return }
func variadic(p ...int) []int {
	if len(p) > 0 {
		p[0] = 99
	}
	return p
}
func multi() (a, b, c int) { return 1, 2, 3 }
func sum3(a, b, c int) int { return a + b*10 + c*100 }
func deferLoop() (s string) {
	for i := 0; i < 3; i++ {
		defer func(n int) { s += fmt.Sprint(n, i, ";") }(i * 10)
	}
	return "r:"
}
func recRet() (n int) { defer func() { recover(); n += 100 }(); n = 5; var a []int; n = a[3]; return 7 }
func nestPanic() (r string) {
	defer func() { r += fmt.Sprint("A", recover()) }()
	defer func() { defer func() { r += fmt.Sprint("B", recover()) }(); defer panic("p3"); panic("p2") }()
	panic("p1")
}
func goexit() string {
	ch := make(chan string, 3)
	go func() {
		defer close(ch)
		defer func() { ch <- fmt.Sprint("rec ", recover()) }()
		runtime.Goexit()
		ch <- "no"
	}()
	s := ""
	for x := range ch {
		s += x
	}
	return s
}
func shadow() string {
	len := func(s string) int { return 42 }
	type int string
	var x int = "str"
	true := false
	nil := 5
	_ = nil
	return fmt.Sprint(len("a"), x, true)
}
func consts() {
	const big = 1 << 100
	const f = big >> 98
	const h = 5 / 2
	const k = 5 / 2.0
	const c = 'a' + 1.0
	var i8 int8 = f
	var fl float32 = h
	fmt.Println(f, h, k, c, i8, fl, math.MaxUint64/1e3, uint64(math.MaxUint64), big/(1<<90), len("héllo"), 07, 0b11, 0x_ff, 1_000, 0x1p-2)
}
func main() {
	arr := []int{0, 0, 0}
	i := 0
	arr[t("idx", 1)] = t("val", 5)
	flush()
	arr[t("a", 0)], arr[t("b", 2)] = t("c", 7), t("d", 8)
	flush()
	_ = t("x", 1) + t("y", 2)*t("z", 3)
	flush()
	fmt.Println(arr)
	_ = t("l", 0) == 1 && t("r", 1) == 1 || t("o", 1) == 1
	flush()
	x := 1
	*tp("p", &x) += t("v", 4)
	flush()
	fmt.Println(x)
	m := map[int]int{t("k1", 1): t("v1", 1), t("k2", 2): t("v2", 2)}
	flush()
	m[t("mk", 1)] += t("mv", 5)
	flush()
	fmt.Println(m)
	i, arr[i] = 2, 50
	fmt.Println(i, arr)
	arr[i], i = i, 1
	fmt.Println(arr, i)
	func() { defer func() { recover(); fmt.Println("after", i, x) }(); i, arr[10+i] = 77, 1 }()
	n, s := two()
	fmt.Println(n, s)
	flush()
	p := &arr[0]
	arr = append(arr, 1, 2, 3, 4)
	*p = -1
	fmt.Println(arr[0], *p)
	a := [3]int{1, 2, 3}
	pa := &a
	for i, v := range pa {
		pa[2] = 10
		fmt.Print(i, v, " ")
	}
	for i, v := range a {
		a[2] = 20
		fmt.Print(i, v, " ")
	}
	fmt.Println()
	for i := range a {
		a[i]++
		i += 5
	}
	fmt.Println(a)
	sl := []int{1, 2, 3}
	for i, v := range sl {
		sl = append(sl, v*10)
		sl[i] = -v
	}
	fmt.Println(sl)
	q := variadic(sl...)
	fmt.Println(sl[0], q[0], variadic(), variadic(nil...) == nil)
	fmt.Println(named())
	f, y := closNamed()
	fmt.Println(f(), y, f())
	fmt.Println(sum3(multi()), deferLoop(), recRet(), nestPanic(), goexit(), shadow())
	consts()
	nn := N{S{1, 0, "b"}, &T2{4}, Im("z")}
	fmt.Println(nn.Val(), nn.PVal(), nn.M(), nn.a, nn.S.b, nn.v)
	nn.v = 9
	g := nn.Val
	h := nn.PVal
	nn.v = 11
	fmt.Println(g(), h(), nn.T2.v)
	mf := nn.M
	nn.I = Im("q")
	fmt.Println(mf(), nn.M(), I.M(nn), N.Val(nn), (*N).PVal(&nn))
	fmt.Println(S{1, 2, "x"} == S{1, 3, "x"}, S{a: 1} == S{a: 2}, [2]S{} == [2]S{}, struct{ a int }{1} == struct{ a int }{1})
	var e1, e2 I = Im("a"), Im("a")
	fmt.Println(e1 == e2, e1 == I(Im("b")), e1 == nil, e1 == Im("a"))
	funcs := map[string]func(...int) int{"len": func(a ...int) int { return len(a) }}
	fmt.Println(funcs["len"](1, 2, 3), funcs["no"] == nil)
	cc := make(chan chan int, 1)
	c := make(chan int, 1)
	cc <- c
	c <- 5
	fmt.Println(<-<-cc)
	var ro <-chan int = c
	go func() { c <- 6; close(c) }()
	for v := range ro {
		fmt.Println(v)
	}
	c2 := make(chan int, 1)
	c2 <- 3
	select {
	case arr[t("si", 0)] = <-c2:
		flush()
	}
	fmt.Println(arr[0])
	c2 <- 4
	var ok bool
	select {
	case m[9], ok = <-c2:
	default:
	}
	fmt.Println(m[9], ok)
	switch z := t("sw", 3); {
	case z > 5:
		fmt.Println("no")
	case z == t("c3", 3), z == t("no", 4):
		fmt.Println("yes")
	}
	flush()
	switch x := any(a).(type) {
	case [2]int:
		fmt.Println(2, x)
	case [3]int:
		x[0] = 5
		fmt.Println(x, a)
	}
	switch {
	default:
		fmt.Println("def")
		fallthrough
	case false:
		fmt.Println("ft")
	}
	var fs [3]func() int
	for i := 0; i < 3; i++ {
		fs[i] = func() int { i++; return i }
		i := i * 10
		_ = i
	}
	fmt.Println(fs[0](), fs[0](), fs[1](), fs[2]())
	var k int
	var gs []func() int
	for k = 0; k < 3; k++ {
		gs = append(gs, func() int { return k })
	}
	fmt.Println(gs[0](), gs[2]())
	var hs []func() int
	for i := 0; i < 6; i++ {
		if i%2 == 0 {
			i++
		}
		hs = append(hs, func() int { i += 10; return i })
		if i == 3 {
			continue
		}
	}
	for _, h := range hs {
		fmt.Print(h(), " ")
	}
	fmt.Println()
	for i := range uint8(3) {
		fmt.Printf("%T%d ", i, i)
	}
	type MyI int16
	for i := range MyI(2) {
		fmt.Printf("%T ", i)
	}
	for range 2 {
		fmt.Print(".")
	}
	for i := range 0 {
		fmt.Print(i)
	}
	const cn = 3
	for i := range cn {
		fmt.Print(i)
	}
	fmt.Println()
	for i, r := range "aé\xffz" {
		fmt.Print(i, " ", r, ";")
	}
	st := "abc"
	for i := range st {
		st = st[:1]
		fmt.Print(i)
	}
	fmt.Println(st)
	fmt.Println(min(1.5, math.NaN()), max(-1, 2, 0), min("b", "a"))
	cl := []int{1, 2}
	clear(cl)
	fmt.Println(cl, unsafe.Sizeof(S{}), unsafe.Sizeof(x), len([...]int{5: 1, 2}), [...]string{2: "c", 0: "a"})
	b1 := []byte("abc")
	s1 := string(b1)
	b1[0] = 'X'
	fmt.Println(s1, string(b1))
	r1 := []rune("xyz")
	r1[1] = 'é'
	fmt.Println(string(r1))
	b1 = append(b1, "def"...)
	fmt.Println(string(b1), string(b1[1:3:4]), cap(b1[1:3:4]))
	type node struct {
		v    int
		kids []*node
	}
	var walk func(*node, int) int
	walk = func(n *node, d int) int {
		s := n.v * d
		for _, k := range n.kids {
			s += walk(k, d+1)
		}
		return s
	}
	fmt.Println(walk(&node{1, []*node{{2, nil}, {3, []*node{{4, nil}}}}}, 1))
	ms := map[string]struct{ a, b int }{"x": {1, 2}}
	v := ms["x"]
	v.a = 9
	ms["y"] = v
	fmt.Println(ms, len(ms))
	mp := map[[2]int][]string{{1, 2}: {"a"}}
	mp[[2]int{1, 2}] = append(mp[[2]int{1, 2}], "b")
	fmt.Println(mp)
	mf2 := map[float64]int{math.NaN(): 1, math.NaN(): 2}
	fmt.Println(len(mf2), mf2[math.NaN()])
	delete(mp, [2]int{3, 4})
	var nm map[string]int
	fmt.Println(nm["q"], len(nm))
	delete(nm, "x")
	for k := range ms {
		if k == "x" {
			delete(ms, "y")
		} else {
			delete(ms, "x")
		}
	}
	fmt.Println(len(ms))
	var iface any = ms
	mm2, ok2 := iface.(map[string]struct{ a, b int })
	fmt.Println(len(mm2), ok2)
	type A = []int
	var al A = []int{1}
	type B struct{ A }
	bb := B{al}
	bb.A[0] = 5
	fmt.Println(al, bb)
	type C struct {
		X int `j:"1"`
	}
	type D struct{ X int }
	fmt.Println(D(C{5}), struct{ X int }(C{6}))
	var up *uint8
	fmt.Println(up == nil)
	goto end
end:
	fmt.Println("end")
}
