package kernels

import "golang.org/x/sys/cpu"

// tilings returns the tiles of a level that has assembly.
func tilings(l level, f Format) *tiling {
	if l == avx512 && (f != Int8 || cpu.X86.HasAVX512VNNI) {
		return &tilingsAVX512[f]
	}
	return &tilingsAVX2[f]
}
