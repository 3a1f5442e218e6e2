package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

type E1 struct{ Code int }

func (e *E1) Error() string { return fmt.Sprint("E1:", e.Code) }

type E2 string

func (e E2) Error() string   { return string(e) }
func (e E2) Is(t error) bool { return t == io.EOF }

type wrap struct {
	err error
	msg string
}

func (w wrap) Error() string { return w.msg + ": " + w.err.Error() }
func (w wrap) Unwrap() error { return w.err }

var ErrX = errors.New("x")

func mayFail(n int) (res int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("recovered %v: %w", r, ErrX)
			res = -1
		}
	}()
	defer func() { res *= 2 }()
	if n == 0 {
		panic("zero")
	}
	if n == 1 {
		return 1, &E1{5}
	}
	if n == 2 {
		var p *E1
		return p.Code, nil
	}
	if n == 3 {
		var a []int
		return a[n], nil
	}
	if n == 4 {
		var m map[string]int
		m["a"] = 1
	}
	if n == 5 {
		var i any = "str"
		return i.(int), nil
	}
	if n == 6 {
		var i any
		return len(i.(fmt.Stringer).String()), nil
	}
	return n, nil
}
func order() {
	for i := range 3 {
		defer fmt.Print("d", i, " ")
	}
	defer func() { fmt.Print("last ") }()
}
func nested() (s string) {
	defer func() { s += fmt.Sprint("|outer:", recover()) }()
	defer func() { defer func() { s += fmt.Sprint("inner:", recover()) }(); panic("second") }()
	panic("first")
}
func rethrow() (s string) {
	defer func() { s = fmt.Sprint("got ", recover()) }()
	func() { defer func() { r := recover(); panic(fmt.Sprint("re-", r)) }(); panic("orig") }()
	return "no"
}
func argEval() {
	x := 1
	defer fmt.Println("deferred x", x)
	x = 2
	defer func() { fmt.Println("closure x", x) }()
	x = 3
}
func main() {
	for i := range 8 {
		r, e := mayFail(i)
		fmt.Println(i, r, e, errors.Is(e, ErrX))
	}
	order()
	fmt.Println()
	fmt.Println(nested())
	fmt.Println(rethrow())
	argEval()
	var e error = wrap{&E1{7}, "w"}
	e = fmt.Errorf("more: %w", e)
	var t *E1
	fmt.Println(errors.As(e, &t), t.Code, e)
	var w wrap
	fmt.Println(errors.As(e, &w), w.msg)
	j := errors.Join(e, ErrX, nil, E2("two"))
	fmt.Println(j, errors.Is(j, ErrX), errors.Is(j, io.EOF), errors.Is(j, io.ErrUnexpectedEOF))
	var e2 E2
	fmt.Println(errors.As(j, &e2), e2)
	m := fmt.Errorf("%w and %w", ErrX, io.EOF)
	fmt.Println(m, errors.Is(m, io.EOF))
	_, err := os.Open("/no/such")
	fmt.Println(err, errors.Is(err, fs.ErrNotExist))
	var pe *fs.PathError
	fmt.Println(errors.As(err, &pe), pe.Op)
	var nilE *E1
	var ne error = nilE
	fmt.Println(ne == nil, nilE == nil)
	fmt.Printf("%v %+v %#v %T\n", e2, w, t, t)
	fmt.Println(errors.Unwrap(e) == error(w), errors.Unwrap(ErrX))
	x, ok := errors.AsType[*E1](e)
	fmt.Println(x, ok)
}
