package main

import (
	"fmt"
	"math"
)

func main() {
	var a, b float32 = 0.1, 0.2
	fmt.Println(a+b, float64(a)+float64(b), 0.1+0.2, math.Sqrt(2), math.Pi)
	z := 1.0
	for range 8 {
		z -= (z*z - 2) / (2 * z)
	}
	fmt.Println(z, math.Inf(1), -math.Inf(1), math.NaN(), math.MaxUint32, math.Float64bits(1.5))
	s := 0.0
	for i := 1; i <= 1000; i++ {
		s += 1 / float64(i*i)
	}
	fmt.Printf("%.12f %e %g %8.3f|\n", s, s, 1e21, s)
	c := complex(1, 2)
	c *= c
	fmt.Println(c, real(c), imag(c), c == complex(-3, 4))
	var zero float64
	fmt.Println(1/zero, -1/zero, zero == -zero, math.Signbit(-zero), math.Floor(-1.5), math.Round(2.5))
}
