package main

import (
	"fmt"
	"strconv"
	"strings"
)

type Animal interface {
	Sound() string
	Name() string
}
type Base struct {
	name string
	tags []string
}

func (b Base) Name() string     { return b.name }
func (b *Base) Rename(n string) { b.name = n }
func (b Base) Sound() string    { return "..." }

type Dog struct {
	Base
	age int
}

func (d Dog) Sound() string { return "woof " + d.Base.Sound() }

type Puppy struct {
	*Dog
	cute bool
}
type Logger interface{ Log(string) }
type L1 struct {
	pre string
	buf *strings.Builder
}

func (l L1) Log(s string) { l.buf.WriteString(l.pre + s + ";") }

type Svc struct {
	Logger
	Animal
	n int
}
type Shape interface{ Area() float64 }
type Sq float64

func (s Sq) Area() float64 { return float64(s * s) }

type Ci struct{ R float64 }

func (c *Ci) Area() float64 { return 3 * c.R * c.R }

type Fn func(int) int

func (f Fn) Twice(x int) int { return f(f(x)) }

type Celsius float64

func (c Celsius) String() string { return strconv.FormatFloat(float64(c), 'f', 1, 64) + "C" }

type Ints []int

func (s Ints) Len() int   { return len(s) }
func (s *Ints) Add(x int) { *s = append(*s, x) }

type Weekday int

const (
	Sun Weekday = iota
	Mon
	Tue
)

var names = [...]string{Sun: "Sun", Mon: "Mon", Tue: "Tue"}

func (d Weekday) String() string { return names[d] }

type V struct{ X int }

func (v V) Get() int { return v.X }
func (v *V) Inc()    { v.X++ }
func classify(v any) string {
	switch x := v.(type) {
	case nil:
		return "nil"
	case int, int64:
		return fmt.Sprintf("integer %v", x)
	case string:
		return "string " + x
	case []int:
		return fmt.Sprint("ints ", len(x))
	case error:
		return "error " + x.Error()
	case fmt.Stringer:
		return "stringer " + x.String()
	case func() int:
		return fmt.Sprint("func ", x())
	case map[string]int:
		return fmt.Sprint("map ", x["a"])
	case *V:
		x.Inc()
		return fmt.Sprint("*V ", x.X)
	case V:
		x.Inc()
		return fmt.Sprint("V ", x.X)
	case struct{ A int }:
		return fmt.Sprint("anon ", x.A)
	case [2]int:
		x[0] = 5
		return fmt.Sprint("arr", x)
	default:
		return fmt.Sprintf("other %T", x)
	}
}
func main() {
	d := Dog{Base{"rex", nil}, 3}
	d.Rename("max")
	fmt.Println(d.Name(), d.Sound())
	var a Animal = d
	d.Rename("zed")
	fmt.Println(a.Name(), d.Name())
	p := Puppy{&d, true}
	p.Rename("pip")
	fmt.Println(d.name, p.Name(), p.Sound())
	a = p
	d.name = "q"
	fmt.Println(a.Name())
	sb := &strings.Builder{}
	s := Svc{L1{"> ", sb}, d, 1}
	s.Log("hi")
	s.Log("ho")
	fmt.Println(sb.String(), s.Name(), s.Sound())
	total := 0.0
	for _, sh := range []Shape{Sq(2), &Ci{1}} {
		total += sh.Area()
	}
	fmt.Println(total)
	fmt.Println(Fn(func(i int) int { return i * 3 }).Twice(2), Celsius(36.6), []Celsius{1, 2}, map[string]Celsius{"a": 3}, struct{ C Celsius }{4})
	var is Ints
	is.Add(1)
	is.Add(2)
	fmt.Println(is.Len(), is)
	fmt.Printf("%v %d %s %q %x|%v\n", Mon, Mon, Tue, Tue, Tue, []Weekday{0, 2})
	v := V{1}
	get := v.Get
	inc := v.Inc
	v.X = 10
	inc()
	fmt.Println(get(), v.X)
	ge := V.Get
	pi := (*V).Inc
	pg := (*V).Get
	pi(&v)
	fmt.Println(ge(v), pg(&v))
	vs := []V{{1}, {2}}
	for _, x := range vs {
		x.Inc()
	}
	for i := range vs {
		vs[i].Inc()
	}
	fmt.Println(vs)
	mv := map[string]*V{"a": {5}}
	mv["a"].Inc()
	fmt.Println(mv["a"].X)
	fs := []func(){}
	for _, x := range []*V{{1}, {2}} {
		fs = append(fs, x.Inc)
		_ = x
	}
	for _, f := range fs {
		f()
	}
	vp := &V{3}
	fmt.Println(classify(vp), vp.X, classify(*vp), vp.X)
	for _, x := range []any{nil, 1, int64(2), "s", []int{1}, fmt.Errorf("e"), Celsius(1), func() int { return 9 }, map[string]int{"a": 4}, struct{ A int }{3}, [2]int{1, 2}, 1.5, Mon, struct{ B int }{1}, &d, int32(1)} {
		fmt.Println(classify(x))
	}
	if st, ok := a.(fmt.Stringer); !ok {
		fmt.Println(st == nil, ok)
	}
	_, isDog := a.(Dog)
	pp, isP := a.(Puppy)
	fmt.Println(isDog, isP, pp.cute)
	var sh Shape = Sq(3)
	sq := sh.(Sq)
	sq = 100
	fmt.Println(sh, sq)
	ar := sh.Area
	sh = &Ci{2}
	fmt.Println(ar(), sh.Area())
	mm := map[any]string{1: "int", "1": "str", V{1}: "V", [2]int{1, 2}: "arr", 1.0: "f", nil: "nil", true: "b"}
	fmt.Println(mm[1], mm["1"], mm[V{1}], mm[[2]int{1, 2}], mm[1.0], mm[nil], mm[int8(1)] == "", len(mm))
	func() { defer func() { fmt.Println(recover()) }(); mm[[]int{1}] = "x" }()
	func() {
		defer func() { fmt.Println(recover()) }()
		var x, y any = []int{1}, []int{1}
		fmt.Println(x == y)
	}()
	func() {
		defer func() { fmt.Println(recover()) }()
		var x any = struct{ f func() }{}
		fmt.Println(x == x)
	}()
	func() { defer func() { fmt.Println(recover()) }(); var x any = 5; _ = x.(string) }()
	func() { defer func() { fmt.Println(recover()) }(); var x any = Sq(5); _ = x.(fmt.Stringer) }()
	func() { defer func() { fmt.Println(recover()) }(); var x Shape; x.Area() }()
	func() { defer func() { fmt.Println(recover()) }(); var x Shape = Sq(1); _ = x.(*Ci) }()
	func() { defer func() { fmt.Println(recover()) }(); var p *Puppy; _ = p.cute }()
	func() { defer func() { fmt.Println(recover()) }(); var f func(); f() }()
	func() { defer func() { fmt.Println(recover()) }(); s := []int{1, 2, 3}; i := 5; fmt.Println(s[1:i]) }()
	func() {
		defer func() { fmt.Println(recover()) }()
		s := []int{1, 2, 3}
		i, j := 3, 2
		fmt.Println(s[i:j])
	}()
	func() { defer func() { fmt.Println(recover()) }(); s := "abc"; i := 7; fmt.Println(s[i]) }()
	func() { defer func() { fmt.Println(recover()) }(); s := "abc"; i := 7; fmt.Println(s[i:]) }()
	func() { defer func() { fmt.Println(recover()) }(); a := [3]int{}; i := -1; a[i+0]++ }()
	func() { defer func() { fmt.Println(recover()) }(); n := -1; _ = make([]int, n) }()
	func() { defer func() { fmt.Println(recover()) }(); s := []int{1}; _ = [2]int(s) }()
	func() { defer func() { fmt.Println(recover()) }(); panic(fmt.Sprintf("%v", d)) }()
	func() {
		defer func() {
			r := recover()
			e, ok := r.(error)
			fmt.Println(ok, e)
			type re interface{ RuntimeError() }
			_, ok2 := r.(re)
			fmt.Println(ok2)
		}()
		var m map[int]int
		m[1]++
	}()
}
