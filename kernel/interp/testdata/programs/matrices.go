package main

import (
	"fmt"
	"strings"
)

type op func(float64, float64) float64
type Matrix [][]float64

func NewM(r, c int) Matrix {
	m := make(Matrix, r)
	for i := range m {
		m[i] = make([]float64, c)
	}
	return m
}
func (a Matrix) Mul(b Matrix) Matrix {
	r := NewM(len(a), len(b[0]))
	for i := range a {
		for j := range b[0] {
			for k := range b {
				r[i][j] += a[i][k] * b[k][j]
			}
		}
	}
	return r
}
func det(m Matrix) float64 {
	n := len(m)
	d := 1.0
	for i := 0; i < n; i++ {
		p := i
		for r := i + 1; r < n; r++ {
			if abs(m[r][i]) > abs(m[p][i]) {
				p = r
			}
		}
		if m[p][i] == 0 {
			return 0
		}
		if p != i {
			m[p], m[i] = m[i], m[p]
			d = -d
		}
		d *= m[i][i]
		for r := i + 1; r < n; r++ {
			f := m[r][i] / m[i][i]
			for c := i; c < n; c++ {
				m[r][c] -= f * m[i][c]
			}
		}
	}
	return d
}
func abs(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}
func qsort(a []int) {
	if len(a) < 2 {
		return
	}
	l, r := 0, len(a)-1
	p := a[len(a)/2]
	for l <= r {
		for a[l] < p {
			l++
		}
		for a[r] > p {
			r--
		}
		if l <= r {
			a[l], a[r] = a[r], a[l]
			l++
			r--
		}
	}
	qsort(a[:r+1])
	qsort(a[l:])
}
func msort(a []int) []int {
	if len(a) < 2 {
		return a
	}
	m := len(a) / 2
	x, y := msort(a[:m]), msort(a[m:])
	o := make([]int, 0, len(a))
	for len(x) > 0 && len(y) > 0 {
		if x[0] <= y[0] {
			o, x = append(o, x[0]), x[1:]
		} else {
			o, y = append(o, y[0]), y[1:]
		}
	}
	return append(append(o, x...), y...)
}
func perms(a []int, f func([]int)) {
	var rec func(int)
	rec = func(k int) {
		if k == len(a) {
			f(a)
			return
		}
		for i := k; i < len(a); i++ {
			a[k], a[i] = a[i], a[k]
			rec(k + 1)
			a[k], a[i] = a[i], a[k]
		}
	}
	rec(0)
}
func ack(m, n int) int {
	switch {
	case m == 0:
		return n + 1
	case n == 0:
		return ack(m-1, 1)
	}
	return ack(m-1, ack(m, n-1))
}
func sieve(n int) (p []int) {
	c := make([]bool, n+1)
	for i := 2; i <= n; i++ {
		if c[i] {
			continue
		}
		p = append(p, i)
		for j := i * i; j <= n; j += i {
			c[j] = true
		}
	}
	return
}
func lev(a, b string) int {
	pr := make([]int, len(b)+1)
	for j := range pr {
		pr[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur := make([]int, len(b)+1)
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			c := 1
			if a[i-1] == b[j-1] {
				c = 0
			}
			cur[j] = min(pr[j]+1, cur[j-1]+1, pr[j-1]+c)
		}
		pr, cur = cur, pr
	}
	return pr[len(b)]
}
func hanoi(n int, a, b, c string, mv *[]string) {
	if n == 0 {
		return
	}
	hanoi(n-1, a, c, b, mv)
	*mv = append(*mv, a+c)
	hanoi(n-1, b, a, c, mv)
}
func collatz(n int) (s, mx int) {
	for mx = n; n != 1; s++ {
		if n&1 == 0 {
			n >>= 1
		} else {
			n = 3*n + 1
		}
		mx = max(mx, n)
	}
	return
}
func newton(x float64) float64 {
	z, prev := 1.0, 0.0
	for z != prev {
		prev, z = z, z-(z*z-x)/(2*z)
		if abs(z-prev) < 1e-15 {
			break
		}
	}
	return z
}
func egcd(a, b int) (int, int, int) {
	x0, x1, y0, y1 := 1, 0, 0, 1
	for b != 0 {
		q := a / b
		a, b = b, a%b
		x0, x1 = x1, x0-q*x1
		y0, y1 = y1, y0-q*y1
	}
	return a, x0, y0
}
func powmod(b, e, m int) int {
	r := 1
	for b %= m; e > 0; e >>= 1 {
		if e&1 == 1 {
			r = r * b % m
		}
		b = b * b % m
	}
	return r
}
func life(g [5][5]bool) (n [5][5]bool) {
	for i := range g {
		for j := range g[i] {
			c := 0
			for di := -1; di <= 1; di++ {
				for dj := -1; dj <= 1; dj++ {
					if (di != 0 || dj != 0) && g[(i+di+5)%5][(j+dj+5)%5] {
						c++
					}
				}
			}
			n[i][j] = c == 3 || c == 2 && g[i][j]
		}
	}
	return
}
func rle(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && s[j] == s[i] {
			j++
		}
		fmt.Fprintf(&b, "%d%c", j-i, s[i])
		i = j
	}
	return b.String()
}
func dijkstra(g map[string]map[string]int, s string) map[string]int {
	d := map[string]int{s: 0}
	done := map[string]bool{}
	for {
		u, best := "", 1<<30
		for k, v := range d {
			if !done[k] && (v < best || v == best && k < u) {
				u, best = k, v
			}
		}
		if u == "" {
			return d
		}
		done[u] = true
		for v, w := range g[u] {
			if o, ok := d[v]; !ok || best+w < o {
				d[v] = best + w
			}
		}
	}
}
func queens(n int) int {
	cols, d1, d2 := make([]bool, n), make([]bool, 2*n), make([]bool, 2*n)
	var rec func(int) int
	rec = func(r int) (c int) {
		if r == n {
			return 1
		}
		for i := range n {
			if cols[i] || d1[r+i] || d2[r-i+n] {
				continue
			}
			cols[i], d1[r+i], d2[r-i+n] = true, true, true
			c += rec(r + 1)
			cols[i], d1[r+i], d2[r-i+n] = false, false, false
		}
		return
	}
	return rec(0)
}
func eval(s string) (res int) {
	pos := 0
	var expr, term, fac func() int
	fac = func() int {
		if s[pos] == '(' {
			pos++
			v := expr()
			pos++
			return v
		}
		v := 0
		for pos < len(s) && s[pos] >= '0' && s[pos] <= '9' {
			v = v*10 + int(s[pos]-'0')
			pos++
		}
		return v
	}
	term = func() int {
		v := fac()
		for pos < len(s) && (s[pos] == '*' || s[pos] == '/') {
			o := s[pos]
			pos++
			if r := fac(); o == '*' {
				v *= r
			} else {
				v /= r
			}
		}
		return v
	}
	expr = func() int {
		v := term()
		for pos < len(s) && (s[pos] == '+' || s[pos] == '-') {
			o := s[pos]
			pos++
			if r := term(); o == '+' {
				v += r
			} else {
				v -= r
			}
		}
		return v
	}
	return expr()
}
func gotoLoop(n int) (s int) {
	i := 0
loop:
	if i >= n {
		goto end
	}
	s += i
	i++
	goto loop
end:
	return s * 2
}
func fall(n int) (s string) {
	switch n {
	case 0:
		s += "0"
		fallthrough
	case 1:
		s += "1"
		fallthrough
	case 2:
		s += "2"
	case 3, 4:
		s += "34"
		if n == 4 {
			break
		}
		s += "!"
	default:
		s += "d"
	}
	return
}
func labels() (s string) {
outer:
	for i := 0; i < 4; i++ {
		switch {
		case i == 1:
			continue outer
		case i == 3:
			break outer
		}
		for {
			select {
			default:
				s += fmt.Sprint(i)
				continue outer
			}
		}
	}
	return
}
func main() {
	a := Matrix{{1, 2}, {3, 4}}
	fmt.Println(a.Mul(a).Mul(a), det(Matrix{{0, 2, 1}, {1, 1, 1}, {2, 0, 3}}), det(Matrix{{2, -1, 0}, {1, 3, 2}, {0, 5, -4}}))
	x := []int{5, 3, 9, 1, 8, 2, 7, 3, 3, 0, -4}
	y := append([]int(nil), x...)
	qsort(x)
	fmt.Println(x, msort(y), y)
	n := 0
	perms([]int{1, 2, 3, 4}, func(p []int) { n += p[0]*1000 + p[1]*100 + p[2]*10 + p[3]*n%7 })
	fmt.Println(n, ack(2, 3), sieve(50), lev("kitten", "sitting"))
	var mv []string
	hanoi(4, "A", "B", "C", &mv)
	fmt.Println(len(mv), mv)
	s, m := collatz(27)
	fmt.Println(s, m, newton(2), newton(3), powmod(3, 200, 1000007))
	fmt.Println(egcd(240, 46))
	fmt.Println(egcd(46, 240))
	g := [5][5]bool{}
	g[1][2], g[2][2], g[3][2] = true, true, true
	fmt.Println(life(g), life(life(g)) == g, rle("aaabccdddd"))
	fmt.Println(dijkstra(map[string]map[string]int{"a": {"b": 7, "c": 3}, "c": {"b": 1, "d": 8}, "b": {"d": 2}}, "a"), queens(6), eval("2+3*(4-1)*2-10/3"), gotoLoop(10))
	for i := range 6 {
		fmt.Print(fall(i), " ")
	}
	fmt.Println(labels())
	ops := map[string]op{"+": func(a, b float64) float64 { return a + b }, "/": func(a, b float64) float64 { return a / b }}
	fmt.Println(ops["+"](1, 2), ops["/"](1, 3), ops["?"] == nil)
	memo := map[int]int{}
	var fib func(int) int
	fib = func(n int) int {
		if n < 2 {
			return n
		}
		if v, ok := memo[n]; ok {
			return v
		}
		memo[n] = fib(n-1) + fib(n-2)
		return memo[n]
	}
	fmt.Println(fib(80))
	acc := func() func(int) int { s := 0; return func(d int) int { s += d; return s } }()
	acc(1)
	acc(10)
	fmt.Println(acc(100))
	compose := func(fs ...func(int) int) func(int) int {
		return func(x int) int {
			for _, f := range fs {
				x = f(x)
			}
			return x
		}
	}
	fmt.Println(compose(func(i int) int { return i + 1 }, func(i int) int { return i * i })(4))
	tri := [4][]int{}
	for i := range tri {
		tri[i] = make([]int, i+1)
		tri[i][0], tri[i][i] = 1, 1
		for j := 1; j < i; j++ {
			tri[i][j] = tri[i-1][j-1] + tri[i-1][j]
		}
	}
	fmt.Println(tri)
	grid := [3][4]int{}
	for i := range grid {
		for j := range grid[i] {
			grid[i][j] = i*4 + j
		}
	}
	g2 := grid
	g2[1][1] = -1
	row := grid[2]
	row[0] = 77
	fmt.Println(grid, g2[1], row, len(grid[0]))
	for _, r := range grid {
		r[0] = 1000
	}
	fmt.Println(grid[0][0])
	wc := map[string]int{}
	for _, w := range strings.Fields("the quick the lazy the dog") {
		wc[w]++
	}
	fmt.Println(wc, len(wc))
	delete(wc, "the")
	fmt.Println(wc)
	clear(wc)
	fmt.Println(wc)
	var mean, m2 float64
	for i, v := range []float64{2, 4, 4, 4, 5, 5, 7, 9} {
		d := v - mean
		mean += d / float64(i+1)
		m2 += d * (v - mean)
	}
	fmt.Println(mean, m2/8)
	sum32 := float32(0)
	for i := 1; i <= 1000; i++ {
		sum32 += 1 / float32(i)
	}
	fmt.Println(sum32)
	h := 0.0
	for i := 1; i < 100; i++ {
		h += 1 / float64(i*i)
	}
	fmt.Println(h)
}
