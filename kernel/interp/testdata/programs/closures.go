package main

import "fmt"

func counter() (inc func() int, get func() int) {
	n := 0
	return func() int { n++; return n }, func() int { return n }
}

func fibs() func() int {
	a, b := 0, 1
	return func() int {
		r := a
		a, b = b, a+b
		return r
	}
}

func compose(fs ...func(int) int) func(int) int {
	return func(x int) int {
		for _, f := range fs {
			x = f(x)
		}
		return x
	}
}

func main() {
	inc, get := counter()
	inc()
	inc()
	fmt.Println(get())
	f := fibs()
	for range 12 {
		fmt.Print(f(), " ")
	}
	fmt.Println()
	var fs []func(int) int
	for i := 1; i <= 3; i++ {
		fs = append(fs, func(x int) int { return x*10 + i })
	}
	fmt.Println(compose(fs...)(0))
	var fact func(int) int
	fact = func(n int) int {
		if n < 2 {
			return 1
		}
		return n * fact(n-1)
	}
	fmt.Println(fact(15))
	for i := 0; i < 3; i++ {
		defer func() { fmt.Println("deferred", i) }()
	}
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		var xs []int
		_ = xs[3]
	}()
}
