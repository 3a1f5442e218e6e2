package kernels

import "golang.org/x/sys/cpu"

// tilings returns the tiles of a level that has assembly.
func tilings(l level, f Format) *tiling {
	if l == avx512 && (f != Int8 || cpu.X86.HasAVX512VNNI) {
		return &tilingsAVX512[f]
	}
	return &tilingsAVX2[f]
}

// quantizeGroups writes the first n groups of a row as quantizeGroup does.
func quantizeGroups(to, x []float32, n int) {
	if active == avx512 {
		quantizeAVX512(&to[0], &x[0], n)
	} else {
		quantizeAVX2(&to[0], &x[0], n)
	}
}
