package main

import "fmt"

func f(a int) int         { return min(5, a) }
func g(a, b int) int      { return max(b, a) }
func h(a float64) float64 { return max(1, a, 3) }
func k(a string) string   { return min("m", a) }
func main() {
	fmt.Println(f(1), f(9), g(1, 2), g(5, 2), h(9), h(0), k("a"), k("z"))
	x, y := uintptr(1), uintptr(2)
	fmt.Println(max(x, y), min(y, x))
	m := map[string]any{"a": nil}
	m["b"] = nil
	_, ok := m["a"]
	fmt.Println(len(m), ok, m)
	me := map[string]error{}
	me["x"] = nil
	v, ok := me["x"]
	fmt.Println(len(me), v, ok)
	mp := map[string]*int{"p": nil}
	ms := map[string][]int{"s": nil}
	mf := map[string]func(){"f": nil}
	mf["g"] = nil
	mc := map[string]chan int{"c": nil}
	mm := map[string]map[string]int{"m": nil}
	fmt.Println(len(mp), len(ms), len(mf), len(mc), len(mm))
	m["b"] = 5
	m["b"] = nil
	fmt.Println(len(m), m["b"] == nil)
	nils := 0
	for k, v := range m {
		if v == nil && k != "" {
			nils++
		}
	}
	fmt.Print(nils)
	sl := []any{nil, 1}
	sl[1] = nil
	ar := [2]error{nil, nil}
	st := struct {
		e error
		a any
	}{}
	st.a = 3
	st.a = nil
	ch := make(chan any, 2)
	ch <- nil
	ch <- 1
	z, ok := <-ch
	fmt.Println(sl, ar, st, z, ok)
	fn := func(a any, e error) (any, error) { return a, e }
	fmt.Println(fn(nil, nil))
	p := new(any)
	*p = 4
	*p = nil
	fmt.Println(*p == nil)
	mi := map[int]any{}
	mi[1] = mi[2]
	fmt.Println(len(mi))
}
