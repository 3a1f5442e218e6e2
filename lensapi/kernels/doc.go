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
// Every output is ONE chain of additions over its inputs in ascending order, accumulated in float64, whatever the
// number of rows computed beside it and of threads. The product of two float32 is exact in float64, so a compiler
// that fuses the multiplication with the addition gives the same bits as one that does not. Where a product is
// not exact it is rounded explicitly before it is added, for the same reason. So prefill equals decode, a cached
// row equals a recomputed one and one thread equals many, to the bit; callers test equality, not tolerances.
//
// What can still differ between architectures, in the last bit of a float64 before it is rounded to float32:
// Exp, Tanh, Erf and Sincos of package math, which has assembly for some processors and lets the compiler fuse on
// others. Results are therefore only promised to be equal on one architecture.
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
