package main

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"sync"
)

type SM struct{ m map[string]int }

func (s SM) String() string { return fmt.Sprint("SM", len(s.m), s.m) }

type SF struct{ f func(int) int }

func (s SF) String() string { return fmt.Sprint("SF", s.f(2)) }

type SC struct{ c chan int }

func (s SC) String() string { return fmt.Sprint("SC", cap(s.c)) }

type SP struct{ p *int }

func (s SP) String() string { return fmt.Sprint("SP", *s.p) }

type SSP struct{ s SP }

func (s SSP) String() string { return fmt.Sprint("SSP", *s.s.p) }

type ESP struct{ SP }
type A1 [1]*int

func (a A1) String() string { return fmt.Sprint("A1", *a[0]) }

type A1S [1]SM

func (a A1S) String() string { return fmt.Sprint("A1S", a[0].m) }

type M map[string]int

func (m M) String() string { return fmt.Sprint("M", len(m)) }

type F func() string

func (f F) String() string { return "F" + f() }
func (f F) Error() string  { return "E" + f() }

type C chan int

func (c C) String() string { return fmt.Sprint("C", len(c)) }

type B bool

func (b B) String() string { return fmt.Sprint("B", bool(b)) }

type U8 uint8

func (u U8) String() string { return fmt.Sprint("U8-", uint8(u)) }

type I16 int16

func (u I16) String() string { return fmt.Sprint("I16-", int16(u)) }

type F32 float32

func (u F32) String() string { return fmt.Sprint("F32-", float32(u)) }

type C128 complex128

func (u C128) String() string { return fmt.Sprint("C-", complex128(u)) }

type Str string

func (u Str) String() string { return "Str-" + string(u) }

type A3 [3]int8

func (a A3) String() string { return fmt.Sprint("A3", [3]int8(a)) }

type E struct{}

func (E) String() string { return "E{}" }

type E0 [0]int

func (E0) String() string { return "E0" }

type Big struct {
	a [20]int
	s string
	f float64
}

func (b Big) String() string { return fmt.Sprint("Big", b.a[19], b.s, b.f) }

type Small struct {
	a int8
	b int16
}

func (s Small) String() string { return fmt.Sprint("Small", s.a, s.b) }

type If struct{ e error }

func (i If) String() string { return fmt.Sprint("If", i.e) }

type IfM struct{ s fmt.Stringer }

func (i IfM) String() string { return "IfM" + i.s.String() }

type G[T any] struct{ v T }

func (g G[T]) String() string { return fmt.Sprint("G", g.v) }

type Gp[T any] struct{ v *T }

func (g Gp[T]) String() string { return fmt.Sprint("Gp", *g.v) }

type Gm[K comparable, V any] struct{ m map[K]V }

func (g Gm[K, V]) String() string { return fmt.Sprint("Gm", g.m) }

type Mu struct{ mu *sync.Mutex }

func (m Mu) String() string { m.mu.Lock(); defer m.mu.Unlock(); return "Mu" }

type PT *int
type Set map[string]struct{}

func (s Set) MarshalJSON() ([]byte, error) {
	k := []string{}
	for x := range s {
		k = append(k, x)
	}
	sort.Strings(k)
	return json.Marshal(k)
}

type W struct{ inner map[string]int }

func (w W) MarshalJSON() ([]byte, error)  { return json.Marshal(w.inner) }
func (w *W) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &w.inner) }

type sorter struct{ by func(i, j int) bool }

func (s sorter) Do(n int) string { return fmt.Sprint(s.by(n, 2)) }

type Doer interface{ Do(int) string }

func try(v fmt.Stringer) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Println("PANIC", r)
		}
	}()
	fmt.Printf("%T %v|%s|%v|%v\n", v, v, v.String(), []any{v}, map[string]fmt.Stringer{"k": v})
	f := v.String
	fmt.Println(f(), strings.ToUpper(fmt.Sprint(v)))
}
func main() {
	n := 5
	sm := SM{map[string]int{"a": 1}}
	for _, v := range []fmt.Stringer{sm, &sm, SF{func(i int) int { return i * 3 }}, SC{make(chan int, 4)}, SP{&n}, SSP{SP{&n}}, ESP{SP{&n}}, &ESP{SP{&n}}, A1{&n}, A1S{sm}, M{"x": 1}, F(func() string { return "f" }), C(make(chan int, 2)), B(true), U8(200), I16(-5), F32(1.5), C128(1 + 2i), Str("q"), A3{1, 2, 3}, E{}, &E{}, E0{}, Big{s: "s", f: 2.5}, Small{1, -2}, If{fmt.Errorf("x")}, If{}, IfM{sm}, IfM{SP{&n}}, G[int]{3}, G[map[string]int]{map[string]int{"z": 1}}, G[*int]{nil}, Gp[int]{&n}, Gm[string, int]{map[string]int{"q": 2}}, Mu{&sync.Mutex{}}, G[G[string]]{G[string]{"in"}}} {
		try(v)
	}
	b, err := json.Marshal(map[string]any{"s": Set{"b": {}, "a": {}}, "w": W{map[string]int{"k": 1}}})
	fmt.Println(string(b), err)
	var w W
	fmt.Println(json.Unmarshal([]byte(`{"z":3}`), &w), w.inner)
	var d Doer = sorter{func(i, j int) bool { return i < j }}
	fmt.Println(d.Do(1), d.Do(3))
}
