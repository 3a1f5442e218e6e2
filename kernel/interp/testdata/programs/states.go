package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

type State int

const (
	Idle State = iota
	Run
	Stop
)

var stateNames = map[State]string{Idle: "idle", Run: "run", Stop: "stop"}

func (s State) String() string { return stateNames[s] }

type Ev struct {
	name string
	from []State
	to   State
}
type FSM struct {
	st    State
	evs   map[string]Ev
	hooks []func(a, b State)
	mu    sync.Mutex
}

func (f *FSM) Fire(n string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.evs[n]
	if !ok {
		return fmt.Errorf("unknown %q", n)
	}
	for _, s := range e.from {
		if s == f.st {
			for _, h := range f.hooks {
				h(f.st, e.to)
			}
			f.st = e.to
			return nil
		}
	}
	return &BadState{f.st, n}
}

type BadState struct {
	s  State
	ev string
}

func (b *BadState) Error() string { return fmt.Sprintf("cannot %s in %v", b.ev, b.s) }

type Account struct {
	bal  float64
	hist []string
}
type Txn func(*Account) error

func Deposit(x float64) Txn {
	return func(a *Account) error {
		if x <= 0 {
			return errors.New("neg")
		}
		a.bal += x
		a.hist = append(a.hist, fmt.Sprintf("+%.2f", x))
		return nil
	}
}
func Withdraw(x float64) Txn {
	return func(a *Account) error {
		if a.bal < x {
			return fmt.Errorf("insufficient: %.2f < %.2f: %w", a.bal, x, errFunds)
		}
		a.bal -= x
		a.hist = append(a.hist, fmt.Sprintf("-%.2f", x))
		return nil
	}
}

var errFunds = errors.New("funds")

func (a *Account) Do(ts ...Txn) (err error) {
	old := *a
	defer func() {
		if err != nil {
			*a = old
		}
	}()
	for i, t := range ts {
		if err = t(a); err != nil {
			return fmt.Errorf("txn %d: %w", i, err)
		}
	}
	return
}

type Visitor interface {
	Num(float64) any
	Bin(op byte, l, r Expr) any
}
type Expr interface{ Accept(Visitor) any }
type Num float64
type Bin struct {
	op   byte
	l, r Expr
}

func (n Num) Accept(v Visitor) any { return v.Num(float64(n)) }
func (b Bin) Accept(v Visitor) any { return v.Bin(b.op, b.l, b.r) }

type evalV struct{}

func (evalV) Num(f float64) any { return f }
func (e evalV) Bin(op byte, l, r Expr) any {
	a, b := l.Accept(e).(float64), r.Accept(e).(float64)
	switch op {
	case '+':
		return a + b
	case '-':
		return a - b
	case '*':
		return a * b
	}
	return a / b
}

type strV struct{ depth int }

func (s *strV) Num(f float64) any { s.depth++; return fmt.Sprint(f) }
func (s *strV) Bin(op byte, l, r Expr) any {
	return "(" + l.Accept(s).(string) + string(op) + r.Accept(s).(string) + ")"
}

type Option func(*Srv)
type Srv struct {
	host string
	port int
	tags map[string]string
}

func WithPort(p int) Option      { return func(s *Srv) { s.port = p } }
func WithTag(k, v string) Option { return func(s *Srv) { s.tags[k] = v } }
func NewSrv(h string, o ...Option) *Srv {
	s := &Srv{host: h, port: 80, tags: map[string]string{}}
	for _, f := range o {
		f(s)
	}
	return s
}

type Stack struct{ data []any }

func (s *Stack) Push(v any) *Stack { s.data = append(s.data, v); return s }

type Mid func(Handler) Handler
type Handler func(string) string

func chain(h Handler, ms ...Mid) Handler {
	for i := len(ms) - 1; i >= 0; i-- {
		h = ms[i](h)
	}
	return h
}
func tag(n string) Mid {
	return func(next Handler) Handler {
		return func(s string) string { return "<" + n + ">" + next(s) + "</" + n + ">" }
	}
}

type Matrix [2][2]int

func (m Matrix) Mul(o Matrix) (r Matrix) {
	for i := range 2 {
		for j := range 2 {
			for k := range 2 {
				r[i][j] += m[i][k] * o[k][j]
			}
		}
	}
	return
}
func fibM(n int) int {
	r, b := Matrix{{1, 0}, {0, 1}}, Matrix{{1, 1}, {1, 0}}
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			r = r.Mul(b)
		}
		b = b.Mul(b)
	}
	return r[0][1]
}

type Shape interface {
	Area() float64
	Perim() float64
}
type Rect struct{ W, H float64 }
type Sqr struct{ Rect }

func (r Rect) Area() float64  { return r.W * r.H }
func (r Rect) Perim() float64 { return 2 * (r.W + r.H) }
func (s Sqr) Perim() float64  { return 4 * s.W }

type Ring struct {
	buf     [4]int
	r, w, n int
}

func (q *Ring) Put(v int) bool {
	if q.n == len(q.buf) {
		return false
	}
	q.buf[q.w] = v
	q.w = (q.w + 1) % len(q.buf)
	q.n++
	return true
}
func (q *Ring) Get() (v int, ok bool) {
	if q.n == 0 {
		return
	}
	v, ok = q.buf[q.r], true
	q.r = (q.r + 1) % len(q.buf)
	q.n--
	return
}
func main() {
	f := &FSM{evs: map[string]Ev{"start": {"start", []State{Idle}, Run}, "stop": {"stop", []State{Run}, Stop}}}
	f.hooks = append(f.hooks, func(a, b State) { fmt.Println(a, "->", b) })
	fmt.Println(f.Fire("start"), f.Fire("start"), f.Fire("x"), f.Fire("stop"), f.st)
	var bs *BadState
	fmt.Println(errors.As(f.Fire("start"), &bs), bs.s, bs.ev)
	acc := &Account{}
	err := acc.Do(Deposit(100), Withdraw(30))
	fmt.Println(err, acc.bal, acc.hist)
	err = acc.Do(Deposit(5), Withdraw(1000))
	fmt.Println(err, errors.Is(err, errFunds), acc.bal, acc.hist, len(acc.hist))
	ex := Bin{'+', Num(1), Bin{'*', Num(2), Bin{'-', Num(7), Num(0.5)}}}
	sv := &strV{}
	fmt.Println(ex.Accept(evalV{}), ex.Accept(sv), sv.depth)
	fmt.Println(ex)
	s := NewSrv("h", WithPort(8080), WithTag("a", "b"))
	fmt.Printf("%+v\n", *s)
	st := (&Stack{}).Push(1).Push("a").Push(nil).Push([]int{1})
	fmt.Println(st.data, len(st.data))
	fmt.Println(chain(strings.ToUpper, tag("a"), tag("b"))("hi"))
	fmt.Println(fibM(50), fibM(10))
	var shapes []Shape = []Shape{Rect{2, 3}, Sqr{Rect{2, 2}}, &Sqr{Rect{1, 1}}}
	for _, sh := range shapes {
		fmt.Printf("%T %.1f %.1f\n", sh, sh.Area(), sh.Perim())
	}
	q := Ring{}
	for i := range 6 {
		fmt.Print(q.Put(i), " ")
	}
	q2 := q
	v, ok := q.Get()
	fmt.Println(v, ok, q.n, q2.n, q.buf == q2.buf)
	m := map[Shape]string{Rect{1, 2}: "r", Sqr{Rect{1, 1}}: "s"}
	fmt.Println(m[Rect{1, 2}], m[Sqr{Rect{1, 1}}], m[Rect{9, 9}] == "", len(m))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	res := make(chan string)
	go func() {
		select {
		case <-time.After(2 * time.Second):
			res <- "slow"
		case <-ctx.Done():
			res <- ctx.Err().Error()
		}
	}()
	fmt.Println(<-res)
	cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	tot := map[State]int{}
	for i := range 30 {
		wg.Add(1)
		go func() { defer wg.Done(); mu.Lock(); defer mu.Unlock(); tot[State(i%3)] += i }()
	}
	wg.Wait()
	fmt.Println(tot)
	fmt.Fprintln(os.Stdout, "bye", Idle, []State{Run, Stop}, map[State]State{Idle: Stop})
	type local struct {
		State
		n int
	}
	l := local{Run, 3}
	fmt.Println(l, l.State, l.n)
	fmt.Printf("%v %+v %d %s\n", l, l, l.n, l)
}
