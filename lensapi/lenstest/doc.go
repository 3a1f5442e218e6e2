// Package lenstest has tiny random models with their goldens, for anyone's tests. Shipped code does not
// import it.
//
// Each model has two layers, d_model 16, a context of 64 unless said and a vocabulary of 272: 256 bytes, 12 merges and the
// special tokens <|bos|>, <|user|>, <|assistant|>, <|end|> (ids 268 to 271), with a chat template. Together they
// exercise the options of all families:
//
//	gpt2          tied, gelu_new
//	gpt2-untied   untied, relu, n_inner
//	gpt2-scaled   scores not divided by sqrt(d_head), but by the number of the layer, BF16
//	gpt2-bare     tensor names without "transformer.", gelu, causal masks saved as buffers
//	llama         grouped query heads, untied, F16
//	llama-tied    one key/value head, head_dim, biases, rope_parameters, tied
//	llama3        RoPE scaled for a longer context, BF16
//	mistral       a window in every layer, F16
//	qwen2         biases on q, k and v, a window in the second layer, yarn, tied
//	qwen3         norms of q and k, head_dim, biases, tied, BF16
//	phi3          fused projections, half of each head rotated, a window in every layer, BF16
//	phi3-long     longrope, whose first context, here all there is, is 32, three quarters of each head rotated, tied, BF16
//	gemma         scaled embedding, one key/value head, head_dim, tied, BF16
//	gemma2        soft caps, a window in the first layer, norms around sublayers, tied, BF16
//	gemma3        norms of q and k, a window and a base of its own in the first layer, linear RoPE in the second, tied, BF16
//	gpt-neo       a window in the second layer, tied, BF16
//	opt           positions from row 2, relu, tied, BF16
//	neox          parallel residual, a quarter of each head rotated
//	neox-serial   serial residual, no attention bias, tied, BF16, two shards
//
// testdata/generate.py (NumPy, float64) wrote models and goldens; it shares no code with this project's forward pass
// and attends position by position instead of by mask.
package lenstest
