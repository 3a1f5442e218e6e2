// Package bins is generic.
package bins

import (
	"fmt"

	"example.com/zoo"
	"example.com/zoo/internal/feed"
)

// Number is a constraint.
type Number interface{ ~int | ~float64 }

const (
	first = iota + 1
	second
	// Third is exported.
	Third
)

// Sum adds up.
func Sum[T Number](xs ...T) T {
	var out T
	for _, x := range xs {
		out += x
	}
	return out * T(second)
}

// Stack is a pile of things.
type Stack[T any] struct{ top *node[T] }

type node[T any] struct {
	value T
	below *node[T]
}

// Push lays x on top.
func (s *Stack[T]) Push(x T) *Stack[T] { s.top = &node[T]{x, s.top}; return s }

// Pop takes the top off.
func (s *Stack[T]) Pop() (x T) {
	if s.top != nil {
		x, s.top = s.top.value, s.top.below
	}
	return x
}

func (s *Stack[T]) String() string { return describe(s.top != nil, first) }

func describe(full bool, n int) string { return fmt.Sprintf("full %v, %d", full, n) }

// Ints is a stack of three.
func Ints() *Stack[int] { return new(Stack[int]).Push(1).Push(2).Push(Third) }

// Fed uses what is internal.
func Fed[T feed.Food](x T) string { return feed.Twice(string(x)) }

// Late has, in the Go of this module, one variable for all rounds.
func Late[T any](xs []T) (out []func() T) {
	for _, x := range xs {
		out = append(out, func() T { return x })
	}
	return out
}

// Count is also counted by compiled code.
func Count[T any](T) int { return CountOne() }

var total int

// CountOne counts.
func CountOne() int { total++; return total }

// Counted needs the variable itself.
func Counted[T any](T) int { total++; return total }

// Box has a field that only this package sees.
type Box struct{ inside int }

// NewBox is a box.
func NewBox(n int) Box { return Box{n} }

// Inside looks into it.
func Inside[T any](b Box, x T) (int, T) { return b.inside, x }

type mark struct{}

// Mark is of a type that Marked asks for.
func Mark() any { return mark{} }

// Marked would ask for another one of that name.
func Marked[T any](x T) bool { _, ok := any(x).(mark); return ok }

// Visit reaches a variable of another package.
func Visit[T zoo.Animal](x T) int { zoo.Visit(x); return zoo.Visitors }
