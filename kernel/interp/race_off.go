//go:build !race

package interp

// raceEnabled is false: the stop flag is read with a plain load, about free in
// a loop. The read may come late by some iterations, never forever: the
// interpreter loads it from memory each time.
const raceEnabled = false
