package main

import (
	"fmt"
	"reflect"
	"strings"
)

type point struct{ x, y int }

func (p point) moved(dx int) point  { p.x += dx; return p }
func (p *point) move(dx int) *point { p.x += dx; return p }

type matrix [2][2]float64

func (m *matrix) set(i, j int, v float64) { m[i][j] = v }

type visitor func(int) bool

func (v visitor) all(xs []int) int {
	n := 0
	for _, x := range xs {
		if v(x) {
			n++
		}
	}
	return n
}

type logger interface{ log(string) }
type store interface {
	logger
	put(string, int)
}
type mem struct {
	m   map[string]int
	out *strings.Builder
}

func (s mem) log(t string)        { s.out.WriteString(t + ";") }
func (s mem) put(k string, v int) { s.m[k] = v; s.log("put " + k) }

type service struct {
	store
	*point
	n int
}

func main() {
	p := point{1, 2}
	q := p
	q.x = 9
	pp := &p
	pp.move(4).move(1)
	fmt.Println(p, q, p.moved(10), p, *pp == p)
	ps := []point{{1, 1}, {2, 2}}
	for _, e := range ps {
		e.x = 100
	}
	for i := range ps {
		ps[i].y = 50
	}
	mp := map[string]*point{"a": {3, 3}}
	mp["a"].x++
	fmt.Println(ps, *mp["a"])
	var m matrix
	m.set(1, 0, 2.5)
	fmt.Println(m, visitor(func(i int) bool { return i > 1 }).all([]int{1, 2, 3}))
	var sb strings.Builder
	s := service{store: mem{map[string]int{}, &sb}, point: &point{7, 8}, n: 1}
	s.put("k", 1)
	s.log("direct")
	s.move(3)
	fmt.Println(sb.String(), s.x, s.point.y)
	t := reflect.TypeOf(struct {
		A int `json:"a"`
		B string
	}{})
	for i := range t.NumField() {
		fmt.Print(t.Field(i).Name, " ", t.Field(i).Tag.Get("json"), ",")
	}
	fmt.Println(reflect.DeepEqual(ps, []point{{1, 50}, {2, 50}}), reflect.ValueOf(p).Field(0).Int())
	type key struct {
		a string
		b int
	}
	counts := map[key]int{}
	for _, k := range []key{{"x", 1}, {"x", 1}, {"y", 2}} {
		counts[k]++
	}
	fmt.Println(counts[key{"x", 1}], len(counts))
	var iface any = p
	if v, ok := iface.(interface{ moved(int) point }); ok {
		fmt.Println(v.moved(1).x)
	}
	arr := [...]string{2: "c", 0: "a"}
	fmt.Println(len(arr), arr, fmt.Sprintf("%#v %+v", p, p))
}
