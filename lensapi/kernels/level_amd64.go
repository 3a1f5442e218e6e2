package kernels

import "golang.org/x/sys/cpu"

// available is the widest level that the processor and the operating system support.
func available() level {
	const f16c = 1 << 29
	x := cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA || cpuid1()&f16c == 0:
		return portable
	case !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL:
		return avx2
	}
	return avx512
}
