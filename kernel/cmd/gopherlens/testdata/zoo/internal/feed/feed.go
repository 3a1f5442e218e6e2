// Package feed is not for cells.
package feed

// Meow is what a hungry cat says.
const Meow = "meow"
