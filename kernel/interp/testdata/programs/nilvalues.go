package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
)

type N struct {
	k any
	e error
	f func()
}

func id[T any](x T) T                                  { return x }
func set[K comparable, V any](m map[K]V, k K, v V) int { m[k] = v; return len(m) }
func nilerr() error                                    { return nil }
func main() {
	c := make(chan error, 3)
	c <- nil
	select {
	case c <- nil:
	default:
	}
	select {
	case e, ok := <-c:
		fmt.Println(e, ok)
	}
	fmt.Println(<-c, len(c))
	xs := append([]any{1}, nil, nil)
	fmt.Println(len(xs), xs)
	ys := append([]error(nil), nilerr())
	fmt.Println(len(ys))
	for i, y := range ys {
		fmt.Println(i, y == nil)
	}
	fmt.Println(errors.Is(nil, nil), errors.Join(nil, nil) == nil, errors.Unwrap(nil), id[error](nil) == nil, id[any](nil))
	defer fmt.Println("d", nil)
	defer func(e error, a any) { fmt.Println(e, a) }(nil, nil)
	var wg sync.WaitGroup
	wg.Add(1)
	go func(e error) { defer wg.Done(); fmt.Println("g", e) }(nil)
	wg.Wait()
	n := N{}
	n.k = nil
	n.e = nilerr()
	fmt.Println(n.k, n.e, n.f == nil, n.k == nil)
	a := [3]any{}
	a[1] = nil
	b := a
	fmt.Println(a == b, b)
	pa := &a[2]
	*pa = 5
	*pa = nil
	fmt.Println(a)
	fmt.Println(set(map[string]int{}, "a", 0), set(map[string][]int{}, "a", nil), set(map[string]*int{}, "a", nil))
	fmt.Println(reflect.ValueOf(n.e).IsValid(), reflect.TypeOf(nil) == nil)
	var av atomic.Value
	fmt.Println(av.Load())
	var sm sync.Map
	sm.Store("k", nil)
	v, ok := sm.Load("k")
	fmt.Println(v, ok)
	var at atomic.Pointer[int]
	fmt.Println(at.Load() == nil)
	m := map[string][]any{}
	m["a"] = append(m["a"], nil)
	fmt.Println(m, len(m["a"]))
	mm := map[string]map[string]int{}
	mm["x"] = nil
	fmt.Println(len(mm), mm["x"]["q"])
	mz := map[string]struct{}{}
	mz["a"] = struct{}{}
	fmt.Println(len(mz))
	ms := map[string]N{"z": {}}
	fmt.Println(len(ms))
	mi := map[int]fmt.Stringer{}
	var s fmt.Stringer
	mi[1] = s
	fmt.Println(len(mi), "want 1")
	var x any
	json.Unmarshal([]byte(`{"a":null,"b":[null]}`), &x)
	y := x.(map[string]any)
	fmt.Println(len(y), y["a"])
	z := map[string]any{}
	for k, v := range y {
		z[k] = v
	}
	fmt.Println(len(z), len(maps.Clone(y)), slices.Sorted(maps.Keys(z)))
	bs, _ := json.Marshal(map[string]any{"name": "x", "parent": nil})
	fmt.Println(string(bs))
	seen := map[error]bool{}
	seen[errors.New("q")] = true
	fmt.Println(len(seen))
	switch e := nilerr().(type) {
	case nil:
		fmt.Println("nil case", e == nil)
	default:
		fmt.Println("def")
	}
	_, ok = any(nil).(error)
	fmt.Println(ok)
	t, ok := any(nil).(int)
	fmt.Println(t, ok)
	f := func(xs ...any) int { return len(xs) }
	fmt.Println(f(nil), f(nil, nil), f(nil...), f([]any(nil)...))
	cl := func() any { return nil }
	r := cl()
	fmt.Println(r == nil, r != cl())
	tup := func() (any, error) { return nil, nil }
	p, q := tup()
	fmt.Println(p, q)
	swap := func(a, b any) (any, any) { return b, a }
	p, q2 := swap(1, nil)
	fmt.Println(p, q2)
}
