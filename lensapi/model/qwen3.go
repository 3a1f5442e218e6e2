package model

// Qwen3 (Yang et al. 2025), Hugging Face's Qwen3ForCausalLM, is Llama with an RMSNorm of each head of q and k before
// rotation, and heads whose width is not that of the model divided by their number.
var qwen3Family = family{qwen3Config, newLlama, -1, -1}

func qwen3Config(o *options) Config {
	c := o.llamaShape(Config{DModel: 4096, NLayers: 32, NHeads: 32, NKVHeads: 32, DHead: 128, DMLP: 22016, DVocab: 151936, NCtx: 32768, NormEps: 1e-6})
	c.Activation = o.activation("hidden_act", "silu")
	c.AttnBias = o.flag("attention_bias", false)
	c.OutBias = c.AttnBias
	c.QKNorm = true
	o.llamaRope(&c, 10000)
	o.qwenWindows(&c)
	return c
}
