package kernels

import "math"

// GELU writes x Φ(x) with Φ by the error function: PyTorch's nn.GELU, Hugging Face's "gelu". Its absolute error is below
// 1.5e-7 max(1, |x|). dst and x may be the same slice.
func GELU(dst, x []float32) {
	for i := vectorGELU(dst, x); i < len(x); i++ {
		dst[i] = gelu32(x[i])
	}
}

// geluPoly are the coefficients of exp(z²/2) Φ(-z) in t = 1/(1 + 0.3 z), lowest first, for 0 <= z <= 13.3: relative error
// below 6e-8.
var geluPoly = [9]float32{6.6880781412e-6, 0.119495848745, 0.121862341522, 0.094909457136, 0.14200677849, -0.0757432344994,
	0.227994634843, -0.168844854784, 0.0383123690032}

const (
	geluC  float32 = 0.3
	geluHi float32 = 20 // Φ(-20) is 0 in float32
)

// gelu32 is max(x, 0) - |x| Φ(-|x|), which does not cancel where x is negative.
func gelu32(x float32) float32 {
	z := math.Float32frombits(math.Float32bits(x) &^ (1 << 31))
	if geluHi < z {
		z = geluHi
	}
	t := 1 / (1 + float32(z*geluC))
	p := geluPoly[8]
	for i := 7; i >= 0; i-- {
		p = float32(p*t) + geluPoly[i]
	}
	w := float32(float32(exp32(float32(float32(z*z)*-0.5))*p) * z)
	return relu32(x) - w
}

// GELUTanh writes the tanh approximation of GELU that GPT-2 was trained with: "gelu_new", "gelu_pytorch_tanh". Its absolute
// error is below 2e-7 max(1, |x|). dst and x may be the same slice.
func GELUTanh(dst, x []float32) {
	for i := vectorGELUTanh(dst, x); i < len(x); i++ {
		dst[i] = geluTanh32(x[i])
	}
}

// 0.5 (1 + tanh u) = 1/(1 + exp(-2u)), u = sqrt(2/π) (x + 0.044715 x³).
const (
	geluTanhA float32 = -1.59576912160573071176
	geluTanhB float32 = geluTanhA * 0.044715
)

func geluTanh32(x float32) float32 {
	t := float32(float32(x*x)*geluTanhB) + geluTanhA
	return x / (1 + exp32(float32(x*t)))
}

// SiLU writes x / (1 + exp(-x)), also called swish, with a relative error below 4e-7 for x > -87. dst and x may be the same slice.
func SiLU(dst, x []float32) {
	for i := vectorSiLU(dst, x); i < len(x); i++ {
		dst[i] = silu32(x[i])
	}
}

func silu32(x float32) float32 { return x / (1 + exp32(-x)) }

// SoftCap writes limit * tanh(x / limit), which keeps values within ±limit. It is computed in float64 and rounded once, so that
// the order of close logits survives. dst and x may be the same slice.
func SoftCap(dst, x []float32, limit float64) {
	for i := vectorSoftCap(dst, x, limit); i < len(x); i++ {
		dst[i] = float32(limit * tanh64(float64(x[i])/limit))
	}
}

// ReLU writes max(x, 0), keeping NaN. dst and x may be the same slice.
func ReLU(dst, x []float32) {
	for i, v := range x {
		dst[i] = relu32(v)
	}
}

func relu32(x float32) float32 {
	if 0 > x {
		return 0
	}
	return x
}
