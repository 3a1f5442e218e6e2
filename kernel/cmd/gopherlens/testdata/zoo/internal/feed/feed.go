// Package feed is not for cells.
package feed

// Meow is what a hungry cat says.
const Meow = "meow"

// Food is a constraint.
type Food interface{ ~string }

// Twice is said twice.
func Twice(s string) string { return s + sep + s }

const sep = ", "
