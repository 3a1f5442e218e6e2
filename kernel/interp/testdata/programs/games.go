package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand"
	"os"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

type Grid [3][3]rune
type Game struct {
	g    Grid
	turn rune
	hist []Grid
}

func (g *Game) Play(r, c int) error {
	if g.g[r][c] != 0 {
		return fmt.Errorf("cell %d,%d taken by %c", r, c, g.g[r][c])
	}
	g.hist = append(g.hist, g.g)
	g.g[r][c] = g.turn
	if g.turn == 'X' {
		g.turn = 'O'
	} else {
		g.turn = 'X'
	}
	return nil
}
func (g Grid) String() string {
	var b strings.Builder
	for _, r := range g {
		for _, c := range r {
			if c == 0 {
				c = '.'
			}
			b.WriteRune(c)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

type Inv struct {
	items map[string]*Item
	log   []func() string
}
type Item struct {
	Name  string
	Qty   int
	Price float64
	Tags  map[string]struct{}
}

func (i *Inv) Add(n string, q int, p float64, tags ...string) *Inv {
	it, ok := i.items[n]
	if !ok {
		it = &Item{Name: n, Tags: map[string]struct{}{}}
		i.items[n] = it
	}
	it.Qty += q
	it.Price = p
	for _, t := range tags {
		it.Tags[t] = struct{}{}
	}
	i.log = append(i.log, func() string { return fmt.Sprintf("%s:%d@%.2f", n, it.Qty, p) })
	return i
}
func (i Inv) Total() (t float64) {
	for _, it := range i.items {
		t += float64(it.Qty) * it.Price
	}
	return
}

type LRU struct {
	cap        int
	m          map[int]*ent
	head, tail *ent
}
type ent struct {
	k, v int
	p, n *ent
}

func NewLRU(c int) *LRU {
	l := &LRU{cap: c, m: map[int]*ent{}, head: &ent{}, tail: &ent{}}
	l.head.n, l.tail.p = l.tail, l.head
	return l
}
func (l *LRU) rm(e *ent)  { e.p.n, e.n.p = e.n, e.p }
func (l *LRU) add(e *ent) { e.p, e.n = l.tail.p, l.tail; l.tail.p.n, l.tail.p = e, e }
func (l *LRU) Get(k int) int {
	if e, ok := l.m[k]; ok {
		l.rm(e)
		l.add(e)
		return e.v
	}
	return -1
}
func (l *LRU) Put(k, v int) {
	if e, ok := l.m[k]; ok {
		l.rm(e)
		e.v = v
		l.add(e)
		return
	}
	if len(l.m) == l.cap {
		e := l.head.n
		l.rm(e)
		delete(l.m, e.k)
	}
	e := &ent{k: k, v: v}
	l.m[k] = e
	l.add(e)
}

type Tok struct{ kind, val string }

func lex(s string) (ts []Tok, err error) {
	for i := 0; i < len(s); {
		c := rune(s[i])
		switch {
		case unicode.IsSpace(c):
			i++
		case unicode.IsDigit(c):
			j := i
			for j < len(s) && (unicode.IsDigit(rune(s[j])) || s[j] == '.') {
				j++
			}
			ts = append(ts, Tok{"num", s[i:j]})
			i = j
		case strings.ContainsRune("+-*/()", c):
			ts = append(ts, Tok{"op", string(c)})
			i++
		case unicode.IsLetter(c):
			j := i
			for j < len(s) && unicode.IsLetter(rune(s[j])) {
				j++
			}
			ts = append(ts, Tok{"id", s[i:j]})
			i = j
		default:
			return ts, fmt.Errorf("bad %q at %d", c, i)
		}
	}
	return
}
func rpn(ts []Tok) (out []string) {
	prec := map[string]int{"+": 1, "-": 1, "*": 2, "/": 2}
	var st []string
	for _, t := range ts {
		switch {
		case t.kind != "op":
			out = append(out, t.val)
		case t.val == "(":
			st = append(st, "(")
		case t.val == ")":
			for st[len(st)-1] != "(" {
				out, st = append(out, st[len(st)-1]), st[:len(st)-1]
			}
			st = st[:len(st)-1]
		default:
			for len(st) > 0 && prec[st[len(st)-1]] >= prec[t.val] {
				out, st = append(out, st[len(st)-1]), st[:len(st)-1]
			}
			st = append(st, t.val)
		}
	}
	for len(st) > 0 {
		out, st = append(out, st[len(st)-1]), st[:len(st)-1]
	}
	return
}

type Graph map[string][]string

func (g Graph) Topo() ([]string, error) {
	state := map[string]int{}
	var out []string
	var visit func(string) error
	visit = func(n string) error {
		switch state[n] {
		case 1:
			return errors.New("cycle at " + n)
		case 2:
			return nil
		}
		state[n] = 1
		for _, m := range g[n] {
			if err := visit(m); err != nil {
				return fmt.Errorf("%s<-%w", n, err)
			}
		}
		state[n] = 2
		out = append(out, n)
		return nil
	}
	for _, k := range slices.Sorted(maps.Keys(g)) {
		if err := visit(k); err != nil {
			return nil, err
		}
	}
	return out, nil
}
func (g Graph) BFS(s string) map[string]int {
	d := map[string]int{s: 0}
	for q := []string{s}; len(q) > 0; {
		var n string
		n, q = q[0], q[1:]
		for _, m := range g[n] {
			if _, ok := d[m]; !ok {
				d[m] = d[n] + 1
				q = append(q, m)
			}
		}
	}
	return d
}
func knap(w, v []int, c int) int {
	dp := make([][]int, len(w)+1)
	for i := range dp {
		dp[i] = make([]int, c+1)
	}
	for i := 1; i <= len(w); i++ {
		for j := range c + 1 {
			dp[i][j] = dp[i-1][j]
			if j >= w[i-1] {
				dp[i][j] = max(dp[i][j], dp[i-1][j-w[i-1]]+v[i-1])
			}
		}
	}
	return dp[len(w)][c]
}
func lis(a []int) (best []int) {
	var t [][]int
	for _, x := range a {
		i, _ := slices.BinarySearchFunc(t, x, func(s []int, x int) int { return s[len(s)-1] - x })
		var n []int
		if i > 0 {
			n = append(n, t[i-1]...)
		}
		n = append(n, x)
		if i == len(t) {
			t = append(t, n)
		} else {
			t[i] = n
		}
	}
	return t[len(t)-1]
}
func spiral(m [][]int) (o []int) {
	for len(m) > 0 {
		o = append(o, m[0]...)
		m = m[1:]
		if len(m) == 0 {
			break
		}
		r := make([][]int, len(m[0]))
		for i := range r {
			for j := range m {
				r[i] = append(r[i], m[j][len(m[0])-1-i])
			}
		}
		m = r
	}
	return
}
func perm(s string) (out []string) {
	if len(s) <= 1 {
		return []string{s}
	}
	seen := map[byte]bool{}
	for i := range len(s) {
		if seen[s[i]] {
			continue
		}
		seen[s[i]] = true
		for _, p := range perm(s[:i] + s[i+1:]) {
			out = append(out, string(s[i])+p)
		}
	}
	return
}
func main() {
	g := &Game{turn: 'X'}
	fmt.Println(g.Play(0, 0), g.Play(1, 1), g.Play(0, 0))
	fmt.Print(g.g, len(g.hist), "\n", g.hist[1])
	inv := &Inv{items: map[string]*Item{}}
	inv.Add("a", 2, 1.5, "x").Add("b", 1, 10).Add("a", 3, 2, "y", "x")
	fmt.Println(inv.Total(), len(inv.items["a"].Tags))
	for _, f := range inv.log {
		fmt.Print(f(), " ")
	}
	fmt.Println()
	l := NewLRU(2)
	l.Put(1, 1)
	l.Put(2, 2)
	fmt.Print(l.Get(1), " ")
	l.Put(3, 3)
	fmt.Print(l.Get(2), " ")
	l.Put(1, 10)
	l.Put(4, 4)
	fmt.Println(l.Get(3), l.Get(1), l.Get(4))
	ts, err := lex("3 + x*(2.5 - 1)/y")
	fmt.Println(ts, err, rpn(ts))
	_, err = lex("a $")
	fmt.Println(err)
	gr := Graph{"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": nil}
	fmt.Println(gr.Topo())
	fmt.Println(gr.BFS("a"))
	gr["d"] = append(gr["d"], "a")
	fmt.Println(gr.Topo())
	fmt.Println(knap([]int{1, 3, 4, 5}, []int{1, 4, 5, 7}, 7), lis([]int{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8}), spiral([][]int{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}), perm("aab"))
	r := rand.New(rand.NewSource(42))
	fmt.Println(r.Intn(100), r.Float64(), r.Perm(5))
	xs := []int{1, 2, 3, 4, 5, 6}
	r.Shuffle(len(xs), func(i, j int) { xs[i], xs[j] = xs[j], xs[i] })
	fmt.Println(xs)
	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	fmt.Fprintf(w, "%-10s|%5.1f\n", "name", 3.14159)
	w.Flush()
	tw := tabwriter.NewWriter(os.Stdout, 5, 0, 1, '.', 0)
	for _, k := range slices.Sorted(maps.Keys(inv.items)) {
		fmt.Fprintf(tw, "%s\t%d\t%v\n", k, inv.items[k].Qty, slices.Sorted(maps.Keys(inv.items[k].Tags)))
	}
	tw.Flush()
	sc := bufio.NewScanner(strings.NewReader("a 1\nb 2\n\nc x\n"))
	tot := 0
	for ln := 1; sc.Scan(); ln++ {
		f := strings.Fields(sc.Text())
		if len(f) < 2 {
			continue
		}
		var n int
		if _, err := fmt.Sscanf(f[1], "%d", &n); err != nil {
			fmt.Println("line", ln, err)
			continue
		}
		tot += n
	}
	fmt.Println(tot)
	words := strings.Fields("it was the best of times it was the worst of times")
	fr := map[string]int{}
	for _, w := range words {
		fr[w]++
	}
	type kv struct {
		k string
		v int
	}
	var kvs []kv
	for k, v := range fr {
		kvs = append(kvs, kv{k, v})
	}
	sort.Slice(kvs, func(i, j int) bool { return kvs[i].v > kvs[j].v || kvs[i].v == kvs[j].v && kvs[i].k < kvs[j].k })
	fmt.Println(kvs[:3], kvs)
	t0 := time.Date(2023, time.December, 31, 23, 59, 59, 0, time.UTC)
	for range 3 {
		t0 = t0.Add(26 * time.Hour)
		y, wk := t0.ISOWeek()
		fmt.Print(t0.Format("Mon 02 Jan 15:04 "), y, wk, "; ")
	}
	fmt.Println()
	rd := bufio.NewReader(strings.NewReader("x\ny"))
	for {
		s, err := rd.ReadString('\n')
		fmt.Printf("%q ", s)
		if err == io.EOF {
			break
		}
	}
	fmt.Println()
	caesar := func(s string, k int) string {
		return strings.Map(func(r rune) rune {
			switch {
			case r >= 'a' && r <= 'z':
				return 'a' + (r-'a'+rune(k)+26)%26
			case unicode.IsUpper(r):
				return 'A' + (r-'A'+rune(k)+26)%26
			}
			return r
		}, s)
	}
	fmt.Println(caesar("Hello, World", 3), caesar(caesar("abcXYZ", 5), -5))
	pal := func(s string) bool {
		rs := []rune(strings.ToLower(s))
		for i, j := 0, len(rs)-1; i < j; i, j = i+1, j-1 {
			if rs[i] != rs[j] {
				return false
			}
		}
		return true
	}
	fmt.Println(pal("Level"), pal("été"), pal("ab"))
	rev := func(s []int) []int {
		o := slices.Clone(s)
		for i, j := 0, len(o)-1; i < j; i, j = i+1, j-1 {
			o[i], o[j] = o[j], o[i]
		}
		return o
	}
	fmt.Println(rev(xs), xs)
	rot := func(a []int, k int) { k %= len(a); slices.Reverse(a); slices.Reverse(a[:k]); slices.Reverse(a[k:]) }
	ys := []int{1, 2, 3, 4, 5}
	rot(ys, 2)
	fmt.Println(ys)
	for i := 0; i < len(ys); {
		if ys[i]%2 == 0 {
			ys = append(ys[:i], ys[i+1:]...)
		} else {
			i++
		}
	}
	fmt.Println(ys, cap(ys), ys[:5])
	m3 := [2][2][2]int{}
	for i := range m3 {
		for j := range m3[i] {
			for k := range m3[i][j] {
				m3[i][j][k] = i<<2 | j<<1 | k
			}
		}
	}
	mm := m3
	mm[0][0][0] = 9
	fmt.Println(m3, mm == m3, mm[0])
}
