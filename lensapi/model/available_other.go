//go:build !linux && !darwin

package model

// available is not known here; what does not fit fails when it is taken.
func available() (n int64, ok bool) { return 0, false }
