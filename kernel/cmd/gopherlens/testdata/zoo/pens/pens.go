// Package pens keeps animals.
package pens

import "example.com/zoo"

// Pen holds animals.
type Pen struct{ In []zoo.Animal }

// Number is a constraint.
type Number interface{ ~int | ~float64 }

// Any is one by another name.
type Any = Number

// Keep puts an animal into the pen.
func (p *Pen) Keep(a zoo.Animal) int { p.In = append(p.In, a); return len(p.In) }
