package main

import (
	"container/heap"
	"fmt"
	"math/big"
	"strings"
)

type intHeap []int

func (h intHeap) Len() int           { return len(h) }
func (h intHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h intHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *intHeap) Push(x any)        { *h = append(*h, x.(int)) }
func (h *intHeap) Pop() any {
	old := *h
	n := len(old)
	x := old[n-1]
	*h = old[:n-1]
	return x
}

func queens(n int) int {
	var solve func(row int, cols, d1, d2 uint) int
	solve = func(row int, cols, d1, d2 uint) int {
		if row == n {
			return 1
		}
		c := 0
		for free := ^(cols | d1 | d2) & (1<<n - 1); free != 0; {
			bit := free & -free
			free ^= bit
			c += solve(row+1, cols|bit, (d1|bit)<<1, (d2|bit)>>1)
		}
		return c
	}
	return solve(0, 0, 0, 0)
}

func quicksort(a []int) {
	if len(a) < 2 {
		return
	}
	p, i, j := a[len(a)/2], 0, len(a)-1
	for i <= j {
		for a[i] < p {
			i++
		}
		for a[j] > p {
			j--
		}
		if i <= j {
			a[i], a[j] = a[j], a[i]
			i, j = i+1, j-1
		}
	}
	quicksort(a[:j+1])
	quicksort(a[i:])
}

func lcs(a, b string) string {
	t := make([][]int, len(a)+1)
	for i := range t {
		t[i] = make([]int, len(b)+1)
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			if a[i-1] == b[j-1] {
				t[i][j] = t[i-1][j-1] + 1
			} else {
				t[i][j] = max(t[i-1][j], t[i][j-1])
			}
		}
	}
	var out []byte
	for i, j := len(a), len(b); i > 0 && j > 0; {
		switch {
		case a[i-1] == b[j-1]:
			out = append([]byte{a[i-1]}, out...)
			i, j = i-1, j-1
		case t[i-1][j] >= t[i][j-1]:
			i--
		default:
			j--
		}
	}
	return string(out)
}

func main() {
	sieve := make([]bool, 100)
	var primes []int
	for i := 2; i < 100; i++ {
		if sieve[i] {
			continue
		}
		primes = append(primes, i)
		for j := i * i; j < 100; j += i {
			sieve[j] = true
		}
	}
	fmt.Println(primes, queens(6), queens(8))
	x := uint32(12345)
	var a []int
	for range 40 {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		a = append(a, int(x%100))
	}
	quicksort(a)
	fmt.Println(a, lcs("interpreter", "printer"))
	h := &intHeap{5, 2, 8}
	heap.Init(h)
	heap.Push(h, 3)
	for h.Len() > 0 {
		fmt.Print(heap.Pop(h), " ")
	}
	f := big.NewInt(1)
	for i := int64(1); i <= 30; i++ {
		f.Mul(f, big.NewInt(i))
	}
	fmt.Println(f)
	gcd := func(a, b int) int {
		for b != 0 {
			a, b = b, a%b
		}
		return a
	}
	fmt.Println(gcd(1071, 462), gcd(462, 1071))
	steps, n := 0, 27
	for n != 1 {
		if n%2 == 0 {
			n /= 2
		} else {
			n = 3*n + 1
		}
		steps++
	}
	fmt.Println(steps)
	for y := -1.2; y <= 1.2; y += 0.3 {
		var row strings.Builder
		for x := -2.0; x <= 0.6; x += 0.1 {
			c, z := complex(x, y), complex(0, 0)
			k := 0
			for ; k < 20 && real(z)*real(z)+imag(z)*imag(z) < 4; k++ {
				z = z*z + c
			}
			row.WriteByte(" .:-=+*#%@"[k*9/20])
		}
		fmt.Println(strings.TrimRight(row.String(), " "))
	}
	m := [2][2]int{{1, 1}, {1, 0}}
	r := [2][2]int{{1, 0}, {0, 1}}
	for e := 50; e > 0; e >>= 1 {
		mul := func(a, b [2][2]int) (c [2][2]int) {
			for i := range 2 {
				for j := range 2 {
					for k := range 2 {
						c[i][j] += a[i][k] * b[k][j]
					}
				}
			}
			return
		}
		if e&1 == 1 {
			r = mul(r, m)
		}
		m = mul(m, m)
	}
	fmt.Println(r[0][1])
}
