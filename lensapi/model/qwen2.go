package model

// Qwen2 (Yang et al. 2024; also Qwen1.5 and 2.5), Hugging Face's Qwen2ForCausalLM, is Llama with biases on q, k and
// v, and, where use_sliding_window says so, a window in the layers from max_window_layers on.
var qwen2Family = family{qwen2Config, newLlama, -1, -1}

func qwen2Config(o *options) Config {
	c := o.llamaShape(Config{DModel: 4096, NLayers: 32, NHeads: 32, NKVHeads: 32, DMLP: 22016, DVocab: 151936, NCtx: 32768, NormEps: 1e-6})
	c.Activation = o.activation("hidden_act", "silu")
	c.AttnBias = true
	o.llamaRope(&c, 10000)
	o.qwenWindows(&c)
	return c
}

func (o *options) qwenWindows(c *Config) {
	if !o.flag("use_sliding_window", false) {
		return
	}
	first := 28
	o.get("max_window_layers", &first)
	o.windows(c, 4096, o.localLayers(c.NLayers, func(l int) bool { return l >= first }))
}
