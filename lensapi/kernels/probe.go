package kernels

// Probes measure what the machine can do at most, to tell a kernel's share of it. Each call runs on one thread, with the
// vectors of Level; who wants the limit of several threads runs as many at once.

// ProbeFMA runs fused multiply-adds that wait for nothing, some turns of a loop of them, and returns
// their floating-point operations, two each.
func ProbeFMA(turns int) (operations int) {
	switch active {
	case avx512:
		fmaAVX512(turns)
		return turns * 12 * 16 * 2
	case avx2:
		fmaAVX2(turns)
		return turns * 12 * 8 * 2
	}
	var a, b, c, d float32
	for range turns {
		a, b, c, d = fma32(a, a, a), fma32(b, b, b), fma32(c, c, c), fma32(d, d, d)
	}
	if a+b+c+d != 0 { // never; it keeps the compiler from leaving the loop out
		return 0
	}
	return turns * 4 * 2
}

// ReadProbe is memory to measure the bandwidth of reading with, kept as the weights of a Matrix are.
type ReadProbe struct{ m Matrix }

// NewReadProbe allocates and fills the given bytes. Several times the last-level cache is enough.
func NewReadProbe(bytes int) *ReadProbe {
	p := &ReadProbe{}
	p.m.data, p.m.owner = allocate(bytes)
	for i := range p.m.data {
		p.m.data[i] = 1
	}
	return p
}

// Read reads part i of n, whole KiB of it, as four streams, and returns the bytes.
func (p *ReadProbe) Read(i, n int) (bytes int) {
	size := len(p.m.data) / n / 1024 * 1024
	b := p.m.data[i*size : (i+1)*size]
	if size == 0 {
		return 0
	}
	switch active {
	case avx512:
		readAVX512(&b[0], size/1024, size/4)
	case avx2:
		readAVX2(&b[0], size/1024, size/4)
	default:
		var sum byte
		for at := 0; at < size; at += cacheLine {
			sum += b[at]
		}
		if sum == 255 && size == 1024 { // never: the bytes are ones
			return 0
		}
	}
	return size
}
