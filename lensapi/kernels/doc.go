// Package kernels holds the arithmetic of a transformer: matrix products, norms, softmax, activations, rotary
// embedding and causal attention. It is the only place for assembly, all of which has a twin in portable Go.
//
// # Shapes and units
//
// Matrices are row-major float32 unless packed (see Matrix). The letters used: T rows of the call, K inputs and N
// outputs of a product, S positions attended to.
//
// # One order of accumulation
//
// Every output of a product is ONE chain of additions over its inputs in ascending order, whatever the number of rows computed
// beside it, of threads, and the size of blocks. So prefill equals decode, a cached row equals a recomputed one and one thread
// equals many, to the bit; callers test equality, not tolerances.
//
// In MatMul a step of the chain is a float32 fused multiply-add: the product is exact, and the sum is rounded once. The chain
// starts from zero, and the bias is added after it with a rounding of its own. Attention is made of the same chains; see Heads.
//
// Functions and norms are float32 or float64 steps, each rounded on its own; sums over a row keep 16 partial sums, of which element
// i is added to sum i%16, and add these in a fixed tree. Package math is only used where IEEE 754 leaves one result. Vectors of
// any width, and architectures without them, therefore agree to the bit. Infinities give limits where there are any, a NaN stays
// one (which, is left open), and an exponential too small for a normal float32 is 0.
//
// Sums of the lens over the vocabulary are float64, in the order that Unembedding.Lens gives.
//
// # Concurrency
//
// All functions are safe for concurrent use on distinct outputs. Large products run on up to GOMAXPROCS
// goroutines; those beside the caller's look for more work for a fraction of a millisecond and then end.
//
// # Errors
//
// None but those of Level and of the lens: lengths are the caller's responsibility, and a wrong one panics. Package model checks shapes
// when it loads a checkpoint.
package kernels
