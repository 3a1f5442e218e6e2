// Package zoo is what the test of gopherlens build adds to a kernel.
package zoo

import (
	"fmt"
	"strings"

	"example.com/zoo/internal/feed"
)

// Legs is how many legs a spider has.
const Legs = 8

// Unit is the imaginary unit.
const Unit = 1i

// Visitors counts calls of Visit.
var Visitors int

// An Animal makes a sound.
type Animal interface{ Sound() string }

// Cat is an Animal.
type Cat struct{ Name string }

// Sound is what the cat says.
func (c Cat) Sound() string { return c.Name + " says " + feed.Meow }

// Visit lets each animal sound.
func Visit(animals ...Animal) string {
	Visitors++
	var out []string
	for _, a := range animals {
		out = append(out, a.Sound())
	}
	return fmt.Sprintf("%d: %s", Visitors, strings.Join(out, ", "))
}
