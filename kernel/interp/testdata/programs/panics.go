package main

import "fmt"

type P struct{ X, Y int }

func main() {
	var pp *P
	func() { defer func() { fmt.Println(recover()) }(); fmt.Println(pp.X) }()
	func() { defer func() { fmt.Println(recover()) }(); pp.X = 1 }()
	func() { defer func() { fmt.Println(recover()) }(); q := *pp; _ = q }()
	func() { defer func() { fmt.Println(recover()) }(); var e error; _ = e.Error() }()
	func() { defer func() { fmt.Println(recover()) }(); var a any = 1; _ = a.(string) }()
	func() { defer func() { fmt.Println(recover()) }(); var a any; _ = a.(string) }()
	func() { defer func() { fmt.Println(recover()) }(); var a any; _ = a.(fmt.Stringer) }()
	func() { defer func() { fmt.Println(recover()) }(); var e error; _ = e.(fmt.Stringer) }()
	func() { defer func() { fmt.Println(recover()) }(); var p *[3]int; p[1] = 1 }()
	func() {
		defer func() { fmt.Println(recover()) }()
		var p *[3]int
		for i := range p {
			_ = i
		}
		fmt.Println(len(p))
		for _, v := range p {
			_ = v
		}
	}()
	func() { defer func() { fmt.Printf("%T\n", recover()) }(); panic(nil) }()
	func() { defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }(); panic(fmt.Errorf("e")) }()
	func() { defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }(); var m map[P]int; m[P{}]++ }()
	func() { defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }(); a := []int{1}; i := 1; a[i]++ }()
	func() { defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }(); a := 0; a = 1 / a }()
	func() { defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }(); var x any = 3; _ = x.(P) }()
	func() {
		defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }()
		var x any = []int{}
		m := map[any]int{}
		m[x] = 1
	}()
	func() {
		defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }()
		s := make([]int, 2, 4)
		i := 5
		_ = s[:i]
	}()
	func() {
		defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }()
		s := make([]int, 2, 4)
		i := 5
		_ = s[i:]
	}()
	func() {
		defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }()
		s := make([]int, 2, 4)
		i, j := 3, 2
		_ = s[i:j:4]
	}()
	func() {
		defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }()
		s := make([]int, 2, 4)
		i := 5
		_ = s[0:1:i]
	}()
	func() {
		defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }()
		s := "abc"
		i, j := 2, 1
		_ = s[i:j]
	}()
	func() { defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }(); var a [4]int; i := 9; _ = a[i] }()
	func() { defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }(); n := -1; _ = make(chan int, n) }()
	func() {
		defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }()
		n, m := 5, 3
		_ = make([]int, n, m)
	}()
	func() { defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }(); var f func(int); f(1) }()
	func() {
		defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }()
		defer func() { panic("b") }()
		panic("a")
	}()
	func() {
		defer func() { r := recover(); fmt.Printf("%T %v\n", r, r) }()
		var f func()
		defer f()
		fmt.Println("x")
	}()
}
