package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
)

type Base struct{ name string }

func (b Base) String() string { return "V:" + b.name }

type PB struct{ name string }

func (b *PB) String() string { return "P:" + b.name }

type D1 struct{ Base }
type D2 struct{ *Base }
type D3 struct{ PB }
type D4 struct{ *PB }
type E11 struct {
	D1
	x int
}
type E12 struct {
	*D1
	x int
}
type E21 struct {
	D2
	x int
}
type E22 struct {
	*D2
	x int
}
type E31 struct {
	D3
	x int
}
type E32 struct {
	*D3
	x int
}
type E41 struct {
	D4
	x int
}
type E42 struct {
	*D4
	x int
}
type F struct {
	a, b int
	E12
}
type IF struct {
	fmt.Stringer
	n int
}
type IF2 struct{ *IF }
type err1 struct{ code int }

func (e err1) Error() string { return fmt.Sprint("err", e.code) }

type err2 struct{ *err3 }
type err3 struct {
	err1
	m string
}
type js struct{ v int }

func (j js) MarshalJSON() ([]byte, error) { return []byte(fmt.Sprintf(`"js%d"`, j.v)), nil }

type js2 struct{ js }
type js3 struct{ *js2 }
type ss []string

func (s ss) Len() int           { return len(s) }
func (s ss) Less(i, j int) bool { return s[i] > s[j] }
func (s ss) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }

type ws struct {
	ss
	n int
}
type pws struct{ *ws }
type wr struct{ sb strings.Builder }

func (w *wr) Write(p []byte) (int, error) { return w.sb.Write(p) }

type wr2 struct{ wr }
type wr3 struct {
	*wr2
	mu sync.Mutex
}

func st(s fmt.Stringer) string { return s.String() }
func p(v any) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Println("PANIC", r)
		}
	}()
	s, ok := v.(fmt.Stringer)
	if ok {
		fmt.Printf("%T %v %s\n", v, v, s.String())
	} else {
		fmt.Printf("%T no\n", v)
	}
}
func main() {
	b, pb := Base{"b"}, PB{"p"}
	d1, d2, d3, d4 := D1{b}, D2{&b}, D3{pb}, D4{&pb}
	for _, v := range []any{b, &b, &pb, d1, &d1, d2, &d2, &d3, d4, &d4, E11{d1, 1}, &E11{d1, 1}, E12{&d1, 1}, &E12{&d1, 1}, E21{d2, 1}, &E21{d2, 1}, E22{&d2, 1}, &E22{&d2, 1}, E31{d3, 1}, &E31{d3, 1}, E32{&d3, 1}, &E32{&d3, 1}, E41{d4, 1}, &E41{d4, 1}, E42{&d4, 1}, &E42{&d4, 1}, F{1, 2, E12{&d1, 1}}, &F{1, 2, E12{&d1, 1}}, IF{b, 1}, &IF{&pb, 1}, IF2{&IF{d1, 1}}, &IF2{&IF{E12{&d1, 1}, 1}}} {
		p(v)
	}
	fmt.Println(st(E11{d1, 1}), st(E12{&d1, 1}), st(E22{&d2, 1}), st(&E31{d3, 1}), st(E32{&d3, 1}))
	fmt.Println(E12{&d1, 1}, []any{E32{&d3, 2}}, E42{&d4, 1})
	e := err2{&err3{err1{5}, "m"}}
	fmt.Println(e, errors.Unwrap(fmt.Errorf("w: %w", e)))
	var t err2
	fmt.Println(errors.As(fmt.Errorf("w: %w", e), &t), t.code)
	x, er := json.Marshal(map[string]any{"a": js{1}, "b": js2{js{2}}, "c": js3{&js2{js{3}}}, "d": &js3{&js2{js{4}}}})
	fmt.Println(string(x), er)
	w := &ws{ss{"a", "c", "b"}, 1}
	sort.Sort(w)
	fmt.Println(w.ss)
	sort.Sort(sort.Reverse(pws{w}))
	fmt.Println(w.ss)
	o := wr3{wr2: &wr2{}}
	fmt.Fprintf(o, "hello %d", 3)
	fmt.Fprintf(&o, "!")
	fmt.Println(o.sb.String())
	f := E12{&d1, 1}.String
	fmt.Println(f())
	g := E32.String
	fmt.Println(g(E32{&d3, 1}))
	h := fmt.Stringer.String
	fmt.Println(h(E22{&d2, 1}))
	an := struct {
		E12
		y int
	}{E12{&d1, 1}, 2}
	fmt.Println(an, st(an))
	anp := &struct{ *E32 }{&E32{&d3, 3}}
	fmt.Println(anp, st(anp))
}
