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
// # Speed
//
// `gopherlens bench` measures this machine and the share of its limits; `make bench-peers` takes turns with llama.cpp (prebuilt, huge pages, its own thread
// pool) and PyTorch 1.13 (Debian, OpenBLAS). On 2026-11-26, two cores of an AMD EPYC (Zen 4, AVX-512) that other machines share, whose memory gave 34 or 57 GB/s from one second
// to the next; GPT-2 small, f32 unless said, 2 threads each, median, and the least in brackets:
//
//	gopherlens bench                   ms          share of the limit
//	gemm 768x768, 128 rows             0.68 (0.65) 99 % of 235 GFLOPS
//	gemm 3072x768, 768x3072            2.7 (2.6)   98 %, 96 %
//	prefill of 100, of 1,000           91, 1052    83 %, 76 %
//	decode with logits at 100          15.0 (14.7) 94 % of 36 GB/s
//	lens of a token's 12 rows          5.2 (4.9)   87 % of the FLOPs
//	lens of 12 x 100, top 10           464 (462)   85 %
//
//	time / llama.cpp 0.5.0             f32 : f32   f16 : f16   int8 : q8_0
//	prefill of 100                     0.41 (0.39) 0.56 (0.43) 0.52 (0.42)
//	decode at 100, mean of 50          0.95 (0.66) 1.02 (0.73) 0.83 (0.82)
//	decode + lens : its decode         1.05 (0.70) 1.44 (1.26) 1.23 (1.16)
//
// PyTorch at its best setting (OMP_WAIT_POLICY=passive): prefill of 100 125 ms, lens of 12 x 100 891 ms, of 12 rows 22 ms, decode without logits 29 ms; at its default 402, 882, 29 and 89. A decoded
// token is limited by memory; its lens by the multiply-adds of 12 rows, 4.0 ms here for any width of the weights, which is why it costs most beside 16 bits.
// A cancelled prompt of 1,000 tokens stopped within 2 ms.
//
// On two cores of a Zen 3 with AVX2, whose other hardware threads belonged to other machines, the same day: 172 to 192 GFLOPS, lens of 12 x 100 611 to 832 ms (66 to
// 80 % of the limit, by how busy those were), 1.96 times as fast as PyTorch's best (1.70 to 2.26), lens of 12 rows 8.2 to 10.9 ms, 5.5 times (4.6 to 5.5), prefill of 100
// 138 to 167 ms, 1.7 times. Beside a busy neighbour a tile is limited by how many instructions start, not by memory: one that
// lies in the first-level cache then reaches 82 % of the peak, and 95 % alone.
//
// On two cores of a Zen 5, whose AVX-512 is twice as wide, on 2026-11-27: 457 GFLOPS, 67 GB/s; products of 128 rows 78 to 94 % of that, prefill of 100 60 ms
// (64 %), decode at 100 8.4 to 9.2 ms (82 to 96 %), lens of a token's rows 3.5 to 4.0 ms, of 12 x 100 281 to 307 ms (66 to 72 %): there the products run at nine tenths of the peak, and
// the exponentials, in float64, and the ranking take a fifth of the time. Beside llama.cpp a prefill of 100 took 0.63 of its time (f16: 0.61, int8 : q8_0 1.31),
// a decoded token 0.98, 0.91 and 0.86 (means). Beside PyTorch, whose OpenBLAS takes that processor for a Haswell, the lens of 12 x 100 took 0.18, of 12 rows 0.13; told that it is a
// SkylakeX, 0.23 and 0.18, and a prefill of 100 0.70.
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
