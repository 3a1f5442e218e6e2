// Package kernels holds the arithmetic of a transformer: matrix products, norms, softmax, activations, rotary
// embedding and causal attention, in portable Go.
//
// # Shapes and units
//
// Matrices are row-major float32 unless packed (see Matrix). The letters used: T rows of the call, K inputs and N
// outputs of a product, S positions attended to.
//
// # One order of accumulation
//
// Every output of a product is ONE chain of additions over its inputs in ascending order, accumulated in float64, whatever the
// number of rows computed beside it and of threads. The product of two float32 is exact in float64, so a compiler
// that fuses the multiplication with the addition gives the same bits as one that does not. So prefill equals decode, a cached
// row equals a recomputed one and one thread equals many, to the bit; callers test equality, not tolerances.
//
// Functions and norms are float32 or float64 steps, each rounded on its own; sums over a row keep 16 partial sums, of which element
// i is added to sum i%16, and add these in a fixed tree. Package math is only used where IEEE 754 leaves one result. Vectors of
// any width, and architectures without them, therefore agree to the bit. Infinities give limits where there are any, a NaN stays
// one (which, is left open), and an exponential too small for a normal float32 is 0.
//
// # Concurrency
//
// All functions are safe for concurrent use on distinct outputs. Large products run on up to GOMAXPROCS
// goroutines, all of which have ended when the call returns.
//
// # Errors
//
// None: lengths are the caller's responsibility, and a wrong one panics. Package model checks shapes when it
// loads a checkpoint.
package kernels
