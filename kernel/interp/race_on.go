//go:build race

package interp

// raceEnabled: under the race detector the stop flag is read through an
// atomic load in compiled code, so that the detector sees what is meant.
const raceEnabled = true
