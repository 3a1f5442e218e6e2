package kernels

// Each vector function does the work of its portable twin for the elements from 0 to the n that it returns: as many whole
// vectors as the active level has code for. Reductions write the partial sums of those elements, or leave them as they are if n is 0.

func vectorGELU(dst, x []float32) int {
	n := whole(len(dst))
	_ = x[:n]
	switch {
	case n == 0:
	case active == avx512:
		gelu512(&dst[0], &x[0], n)
	default:
		gelu256(&dst[0], &x[0], n)
	}
	return n
}

func vectorGELUTanh(dst, x []float32) int {
	n := whole(len(dst))
	_ = x[:n]
	switch {
	case n == 0:
	case active == avx512:
		geluTanh512(&dst[0], &x[0], n)
	default:
		geluTanh256(&dst[0], &x[0], n)
	}
	return n
}

func vectorSiLU(dst, x []float32) int {
	n := whole(len(dst))
	_ = x[:n]
	switch {
	case n == 0:
	case active == avx512:
		silu512(&dst[0], &x[0], n)
	default:
		silu256(&dst[0], &x[0], n)
	}
	return n
}

func vectorSoftCap(dst, x []float32, limit float64) int {
	n := whole(len(dst))
	_ = x[:n]
	switch {
	case n == 0:
	case active == avx512:
		softCap512(&dst[0], &x[0], n, limit)
	default:
		softCap256(&dst[0], &x[0], n, limit)
	}
	return n
}

func vectorTimes(dst, x []float32, f float32) int {
	n := whole(len(dst))
	_ = x[:n]
	switch {
	case n == 0:
	case active == avx512:
		times512(&dst[0], &x[0], n, f)
	default:
		times256(&dst[0], &x[0], n, f)
	}
	return n
}

func vectorAdd(dst, a, b []float32) int {
	n := whole(len(dst))
	_, _ = a[:n], b[:n]
	switch {
	case n == 0:
	case active == avx512:
		add512(&dst[0], &a[0], &b[0], n)
	default:
		add256(&dst[0], &a[0], &b[0], n)
	}
	return n
}

func vectorMul(dst, a, b []float32) int {
	n := whole(len(dst))
	_, _ = a[:n], b[:n]
	switch {
	case n == 0:
	case active == avx512:
		mul512(&dst[0], &a[0], &b[0], n)
	default:
		mul256(&dst[0], &a[0], &b[0], n)
	}
	return n
}

func vectorScale(dst, x, gain, bias []float32) int {
	n := whole(len(dst))
	_, _, _ = x[:n], gain[:n], bias[:n]
	switch {
	case n == 0:
	case active == avx512:
		scale512(&dst[0], &x[0], &gain[0], &bias[0], n)
	default:
		scale256(&dst[0], &x[0], &gain[0], &bias[0], n)
	}
	return n
}

func vectorAffine(dst, x []float32, mean, factor float64) int {
	n := whole(len(dst))
	_ = x[:n]
	switch {
	case n == 0:
	case active == avx512:
		affine512(&dst[0], &x[0], n, mean, factor)
	default:
		affine256(&dst[0], &x[0], n, mean, factor)
	}
	return n
}

func vectorRotate(dst, x, sin, cos []float32) int {
	half := len(sin)
	n := whole(half)
	_, _, _ = dst[:2*half], x[:2*half], cos[:half]
	switch {
	case n == 0:
	case active == avx512:
		rotate512(&dst[0], &x[0], &sin[0], &cos[0], n, half)
	default:
		rotate256(&dst[0], &x[0], &sin[0], &cos[0], n, half)
	}
	return n
}

func vectorSum(acc *[lanes]float64, x []float32) int {
	n := whole(len(x))
	switch {
	case n == 0:
	case active == avx512:
		sum512(acc, &x[0], n)
	default:
		sum256(acc, &x[0], n)
	}
	return n
}

func vectorSquares(acc *[lanes]float64, x []float32, mean float64) int {
	n := whole(len(x))
	switch {
	case n == 0:
	case active == avx512:
		squares512(acc, &x[0], n, mean)
	default:
		squares256(acc, &x[0], n, mean)
	}
	return n
}

func vectorMax(acc *[lanes]float32, x []float32) int {
	n := whole(len(x))
	switch {
	case n == 0:
	case active == avx512:
		maximum512(acc, &x[0], n)
	default:
		maximum256(acc, &x[0], n)
	}
	return n
}

func vectorExpSum(acc *[lanes]float32, x []float32, top float32) int {
	n := whole(len(x))
	switch {
	case n == 0:
	case active == avx512:
		expSum512(acc, &x[0], n, top)
	default:
		expSum256(acc, &x[0], n, top)
	}
	return n
}

func vectorMoments(sum, dot *[lanes64]float64, e []float64, x []float32, top float64) int {
	n := whole(len(x))
	_ = e[:n]
	switch {
	case n == 0:
	case active == avx512:
		moments512(sum, dot, &e[0], &x[0], n, top)
	default:
		moments256(sum, dot, &e[0], &x[0], n, top)
	}
	return n
}

func vectorCross(acc *[lanes64]float64, e []float64, a, b []float32) int {
	n := whole(len(a))
	_, _ = b[:n], e[:n]
	switch {
	case n == 0:
	case active == avx512:
		cross512(acc, &e[0], &a[0], &b[0], n)
	default:
		cross256(acc, &e[0], &a[0], &b[0], n)
	}
	return n
}

func vectorAbove(mask []uint16, x []float32, limit float32) int {
	n := whole(len(x))
	_ = mask[:n/lanes]
	switch {
	case n == 0:
	case active == avx512:
		above512(&mask[0], &x[0], n, limit)
	default:
		above256(&mask[0], &x[0], n, limit)
	}
	return n
}

// whole is how many of n elements are in whole vectors.
func whole(n int) int {
	if active == portable {
		return 0
	}
	return n &^ (lanes - 1)
}
