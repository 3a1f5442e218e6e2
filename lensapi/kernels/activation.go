package kernels

import "math"

// GELU writes x Φ(x) with Φ by the error function: PyTorch's nn.GELU, Hugging Face's "gelu".
func GELU(dst, x []float32) {
	for i, v := range x {
		f := float64(v)
		dst[i] = float32(0.5 * f * (1 + math.Erf(f/math.Sqrt2)))
	}
}

// GELUTanh writes the tanh approximation of GELU that GPT-2 was trained with: "gelu_new", "gelu_pytorch_tanh".
func GELUTanh(dst, x []float32) {
	c := math.Sqrt(2 / math.Pi)
	for i, v := range x {
		f := float64(v)
		cubic := float64(0.044715 * float64(f*float64(f*f))) // rounded before it is added: see doc.go
		dst[i] = float32(0.5 * f * (1 + math.Tanh(c*(f+cubic))))
	}
}

// SiLU writes x / (1 + exp(-x)), also called swish.
func SiLU(dst, x []float32) {
	for i, v := range x {
		f := float64(v)
		dst[i] = float32(f / (1 + math.Exp(-f)))
	}
}

// SoftCap writes limit * tanh(x / limit), which keeps values within ±limit. dst and x may be the same slice.
func SoftCap(dst, x []float32, limit float64) {
	for i, v := range x {
		dst[i] = float32(limit * math.Tanh(float64(v)/limit))
	}
}

// ReLU writes max(x, 0), keeping NaN.
func ReLU(dst, x []float32) {
	for i, v := range x {
		dst[i] = max(v, 0)
	}
}
