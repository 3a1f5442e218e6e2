package kernels

// tilings returns the tiles of a level that has assembly.
func tilings(l level, f Format) *tiling {
	if l == avx512 {
		return &tilingsAVX512[f]
	}
	return &tilingsAVX2[f]
}
