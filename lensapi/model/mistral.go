package model

// Mistral (Jiang et al. 2023), Hugging Face's MistralForCausalLM, is Llama with every layer attending to a window of
// the last positions; later checkpoints have sliding_window null and see all.
var mistralFamily = family{mistralConfig, newLlama, 1, 2}

func mistralConfig(o *options) Config {
	c := o.llamaShape(Config{DModel: 4096, NLayers: 32, NHeads: 32, NKVHeads: 8, DMLP: 14336, DVocab: 32000, NCtx: 131072, NormEps: 1e-6})
	c.Activation = o.activation("hidden_act", "silu")
	o.llamaRope(&c, 10000)
	o.windows(&c, 4096, o.everyLayer())
	return c
}
