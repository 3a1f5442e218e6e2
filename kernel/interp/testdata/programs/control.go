package main

import "fmt"

func named() (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("caught %v", r)
			n *= 2
		}
	}()
	n = 21
	panic("trouble")
}

func order() {
	for i := range 3 {
		defer fmt.Print("d", i, " ")
	}
	x := 1
	defer fmt.Println("x at defer:", x)
	x = 2
	_ = x
}

type trace string

func (t trace) exit() { fmt.Print("-", t, " ") }
func enter(s string) trace {
	fmt.Print("+", s, " ")
	return trace(s)
}

func nested() {
	defer enter("a").exit()
	defer enter("b").exit()
}

func seq(yield func(int) bool) {
	defer fmt.Println("seq cleaned up")
	for i := range 10 {
		if !yield(i) {
			return
		}
	}
}

func find(want int) (found int) {
	for i := range seq {
		if i == want {
			return i * 100
		}
	}
	return -1
}

func main() {
	fmt.Println(named())
	order()
	nested()
	fmt.Println()
	fmt.Println(find(2))
	switch x := 5; {
	case x > 3:
		fmt.Println("big")
		fallthrough
	case x > 100:
		fmt.Println("fell")
	default:
		fmt.Println("default")
	}
outer:
	for i := 0; ; i++ {
		for j := range 4 {
			switch {
			case j == 2:
				continue outer
			case i == 2:
				break outer
			}
			fmt.Print(i, j, ";")
		}
	}
	fmt.Println()
	i := 0
loop:
	if i < 3 {
		i++
		goto loop
	}
	fmt.Println(i)
	var m map[string]int
	fmt.Println(m["x"], len(m))
	defer func() {
		r := recover()
		fmt.Println("main recovered", r)
		defer func() { fmt.Println("again", recover()) }()
		panic(fmt.Sprint("second after ", r))
	}()
	var p *struct{ v int }
	fmt.Println(p.v)
}
