package main

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

type person struct {
	name string
	age  int
}

func main() {
	a := []int{1, 2, 3, 4, 5}
	b := a[1:3]
	b[0] = 20
	b = append(b, 30)
	fmt.Println(a, b, len(b), cap(b))
	c := append([]int(nil), a...)
	c[0] = 100
	d := a[1:2:2]
	d = append(d, 7)
	fmt.Println(a, c, d, copy(a, a[2:]), a)
	m := map[string][]int{}
	for i, w := range strings.Fields("one two three two one two") {
		m[w] = append(m[w], i)
	}
	fmt.Println(m, len(m["none"]))
	delete(m, "one")
	_, ok := m["one"]
	fmt.Println(ok, len(m))
	ps := []person{{"Al", 30}, {"Bo", 25}, {"Cy", 30}, {"Di", 25}}
	sort.SliceStable(ps, func(i, j int) bool { return ps[i].age < ps[j].age })
	fmt.Println(ps)
	slices.SortFunc(ps, func(x, y person) int { return strings.Compare(y.name, x.name) })
	fmt.Printf("%+v %v\n", ps[0], slices.IndexFunc(ps, func(p person) bool { return p.name == "Al" }))
	grid := [3][4]int{}
	for i := range grid {
		for j := range grid[i] {
			grid[i][j] = i * j
		}
	}
	g2 := grid
	g2[2][3] = -1
	fmt.Println(grid, g2[2], grid == g2)
	fmt.Println(len(slices.Repeat([]int{1, 2}, 3)), slices.Contains(a, 20))
}
