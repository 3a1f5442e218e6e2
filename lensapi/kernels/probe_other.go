//go:build !amd64

package kernels

// The levels that have these do not exist here.

func fmaAVX2(int)                {}
func fmaAVX512(int)              {}
func readAVX2(*byte, int, int)   {}
func readAVX512(*byte, int, int) {}
