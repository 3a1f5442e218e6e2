package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

type Shape interface {
	Area() float64
	Perimeter() float64
}

type Rect struct{ W, H float64 }
type Circle struct{ R float64 }

func (r Rect) Area() float64         { return r.W * r.H }
func (r Rect) Perimeter() float64    { return 2 * (r.W + r.H) }
func (c *Circle) Area() float64      { return 3 * c.R * c.R }
func (c *Circle) Perimeter() float64 { return 6 * c.R }
func (c *Circle) String() string     { return fmt.Sprintf("Circle(%g)", c.R) }

type Animal interface{ Sound() string }
type Base struct{ name string }

func (b *Base) Rename(n string) { b.name = n }
func (b Base) Name() string     { return b.name }

type Dog struct {
	Base
	age int
}

func (d Dog) Sound() string { return d.name + " woofs" }

type notFound struct{ key string }

func (e notFound) Error() string        { return e.key + " not found" }
func (e notFound) Is(target error) bool { return target == io.EOF }

type upper struct{ io.Reader }

func (u upper) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	copy(p, strings.ToUpper(string(p[:n])))
	return n, err
}

type weekday int

const (
	mon weekday = iota + 1
	tue
	_
	thu
)

const (
	kb = 1 << (10 * (iota + 1))
	mb
)

func (d weekday) String() string { return [...]string{"", "Mon", "Tue", "Wed", "Thu"}[d] }

func main() {
	shapes := []Shape{Rect{2, 3}, &Circle{1}, &Rect{1, 1}}
	total := 0.0
	for _, s := range shapes {
		total += s.Area() + s.Perimeter()
		switch v := s.(type) {
		case Rect:
			fmt.Println("rect", v.W)
		case *Circle:
			fmt.Println("circle", v)
		default:
			fmt.Printf("other %T\n", v)
		}
	}
	fmt.Println(total)
	d := Dog{Base{"rex"}, 3}
	d.Rename("max")
	var a Animal = d
	fmt.Println(a.Sound(), d.Name(), d)
	err := fmt.Errorf("wrap: %w", notFound{"k"})
	var nf notFound
	fmt.Println(errors.As(err, &nf), nf.key, errors.Is(err, io.EOF), err)
	b, _ := io.ReadAll(upper{strings.NewReader("shout")})
	fmt.Println(string(b), mon, thu, kb, mb, fmt.Sprintf("%d %v %s", tue, tue, tue))
	p1, p2 := struct{ x, y int }{1, 2}, struct{ x, y int }{1, 2}
	fmt.Println(p1 == p2, any(p1) == any(p2))
	f := Rect.Area
	g := d.Sound
	d.name = "changed"
	fmt.Println(f(Rect{4, 5}), g())
	var np *Circle
	var s Shape = np
	fmt.Println(s == nil, np == nil)
}
