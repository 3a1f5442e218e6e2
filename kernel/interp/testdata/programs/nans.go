package main

import (
	"fmt"
	"math"
)

func main() {
	n := math.NaN()
	fmt.Println(min(1.5, n), min(n, 1.5), max(1.5, n), max(n, 1.5), min(1, 2, n), min(0.0, math.Copysign(0, -1)), max(math.Copysign(0, -1), 0.0))
	x, y := 1.5, n
	fmt.Println(min(x, y), max(x, y), min(y, x), max(y, x), max(x, y, 3))
	var f32 = float32(n)
	fmt.Println(min(f32, 1), max(1, f32))
	z := math.Copysign(0, -1)
	fmt.Println(1/min(0, z), 1/min(z, 0), 1/max(0, z), 1/max(z, 0))
	fmt.Println(n < 1, n > 1, n == n, n != n, !(n < 1))
	switch {
	case n < 1:
		fmt.Println("lt")
	case n >= 1:
		fmt.Println("ge")
	default:
		fmt.Println("nan")
	}
	if n < 1 {
		fmt.Println("bad")
	} else {
		fmt.Println("ok")
	}
	if !(n >= 1) {
		fmt.Println("ok2")
	}
	for i := 0.0; i < n; i++ {
		fmt.Println("never")
	}
}
