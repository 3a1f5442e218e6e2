package main

import (
	"fmt"
	"math"
	"sort"
	"strings"
)

type P struct{ X, Y int }
type M [3][3]int

func (m M) T() M {
	for i := range m {
		for j := i + 1; j < 3; j++ {
			m[i][j], m[j][i] = m[j][i], m[i][j]
		}
	}
	return m
}
func (m *M) Set(i, j, v int) { m[i][j] = v }
func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
func fib(n int) int {
	a, b := 0, 1
	for range n {
		b, a = a+b, b
	}
	return a
}
func main() {
	fmt.Println(gcd(48, 18), gcd(18, 48), fib(30))
	m := M{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}
	t := m.T()
	fmt.Println(m, t)
	pm := &m
	pm.Set(0, 0, 42)
	m.Set(1, 1, 43)
	fmt.Println(m, *pm, t)
	arr := [5]int{1, 2, 3, 4, 5}
	for i, v := range arr {
		arr[4-i] = v * 10
		fmt.Print(v, " ")
	}
	fmt.Println(arr)
	for i, v := range &arr {
		arr[4-i] = v + 1
		fmt.Print(v, " ")
	}
	fmt.Println(arr)
	sl := arr[:]
	for i, v := range sl {
		if i == 0 {
			sl = append(sl, 7)
			sl[1] = 99
		}
		fmt.Print(v, " ")
	}
	fmt.Println(sl, arr)
	ps := []P{{1, 2}, {3, 4}}
	for _, p := range ps {
		p.X = 100
		_ = p
	}
	fmt.Println(ps)
	for i := range ps {
		p := &ps[i]
		p.X *= 2
	}
	fmt.Println(ps)
	q := ps[0]
	q.Y = -1
	fmt.Println(q, ps[0])
	b := arr
	b[0] = -5
	fmt.Println(arr[0], b[0], arr == b)
	mp := map[string][2]int{"a": {1, 2}}
	x := mp["a"]
	x[0] = 9
	fmt.Println(mp, x)
	var ia any = arr
	arr[2] = 777
	fmt.Println(ia, arr, ia == any(arr))
	st := struct {
		A [2]P
		B []int
	}{[2]P{{1, 2}, {3, 4}}, []int{1}}
	st2 := st
	st2.A[0].X = 50
	st2.B[0] = 60
	fmt.Println(st, st2)
	fs := []func() int{}
	for i := 0; i < 3; i++ {
		fs = append(fs, func() int { i *= 10; return i })
	}
	for _, f := range fs {
		fmt.Print(f(), " ", f(), " ")
	}
	fmt.Println()
	i := 5
	i, sl[0] = 6, i
	fmt.Println(i, sl[0])
	idx := 0
	a3 := []int{10, 20, 30}
	idx, a3[idx] = 2, 99
	fmt.Println(idx, a3)
	a3[0], a3[1], a3[2] = a3[2], a3[0], a3[1]
	fmt.Println(a3)
	keys := []string{}
	for k := range map[string]int{"z": 1, "a": 2, "m": 3} {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	fmt.Println(strings.Join(keys, ","), math.Sqrt(2), math.MaxInt64, uint64(math.MaxUint64))
	var e1, e2 any = P{1, 2}, P{1, 2}
	fmt.Println(e1 == e2, e1 == any(P{1, 3}))
	type lst struct {
		v    int
		next *lst
	}
	var head *lst
	for i := range 5 {
		head = &lst{i, head}
	}
	var prev *lst
	for cur := head; cur != nil; {
		cur.next, prev, cur = prev, cur, cur.next
	}
	for n := prev; n != nil; n = n.next {
		fmt.Print(n.v, " ")
	}
	fmt.Println()
	c := make([]int, 3, 10)
	d := append(c, 1)
	e := append(c, 2)
	fmt.Println(d, e, len(c), cap(c), cap(c[1:2:4]))
	copy(c[1:], c)
	fmt.Println(copy(c, []int{1, 2, 3, 4}), c)
	copy(c[1:], c)
	fmt.Println(c)
	bs := []byte("hello")
	copy(bs[1:], "XY")
	fmt.Println(string(bs))
	arrp := (*[2]int)(c)
	arrp[0] = 1234
	fmt.Println(c, [2]int(c))
}
