package model

// opt is OPT (Zhang et al. 2022) as Hugging Face's OPTForCausalLM: GPT-2 with ReLU, linear layers stored [out, in], and
// two rows of the position table, left over from padding, before that of position 0.
type opt struct{ gpt2 }

var optFamily = family{optConfig, func() architecture { return &opt{} }, 2, 2}

func optConfig(o *options) Config {
	o.refuse("do_layer_norm_before", true)
	o.refuse("_remove_final_layer_norm", false)
	o.refuse("layer_norm_elementwise_affine", true)
	d := o.size("hidden_size", 768, maxWidth)
	if n := o.size("word_embed_proj_dim", d, maxWidth); n != d {
		o.fail("word_embed_proj_dim %d is not supported (only hidden_size %d is)", n, d)
	}
	c := Config{
		DModel:     d,
		NLayers:    o.size("num_hidden_layers", 12, maxLayers),
		NHeads:     o.size("num_attention_heads", 12, maxHeads),
		DMLP:       o.size("ffn_dim", 3072, 4*maxWidth),
		DVocab:     o.size("vocab_size", 50272, maxVocab),
		NCtx:       o.size("max_position_embeddings", 2048, maxCtx),
		Activation: o.activation("activation_function", "relu"),
		NormEps:    1e-5, // PyTorch's; no field
		Tied:       o.flag("tie_word_embeddings", true),
		AttnBias:   o.flag("enable_bias", true),
	}
	c.OutBias, c.MLPBias = c.AttnBias, c.AttnBias
	o.divides("num_attention_heads", c.NHeads, "hidden_size", d)
	c.NKVHeads, c.DHead = c.NHeads, d/c.NHeads
	return c
}

func (a *opt) tensors(b *binder, c Config) (embed, unembed string) {
	b.base("model.", "decoder.embed_tokens.weight")
	d, p := c.DModel, b.prefix+"decoder."
	const before = 2
	b.floats(p+"embed_positions.weight", func(data []float32) { a.wpe = data[before*d:] }, before+c.NCtx, d)
	a.layers = make([]gpt2Layer, c.NLayers)
	for i, p := range b.layers("decoder.layers", c.NLayers) {
		l := &a.layers[i]
		b.layerNorm(&l.ln1, p+"self_attn_layer_norm", d)
		b.linear(&l.q, p+"self_attn.q_proj", d, d, c.AttnBias)
		b.linear(&l.k, p+"self_attn.k_proj", d, d, c.AttnBias)
		b.linear(&l.v, p+"self_attn.v_proj", d, d, c.AttnBias)
		b.linear(&l.o, p+"self_attn.out_proj", d, d, c.OutBias)
		b.layerNorm(&l.ln2, p+"final_layer_norm", d)
		b.linear(&l.in, p+"fc1", d, c.DMLP, c.MLPBias)
		b.linear(&l.out, p+"fc2", c.DMLP, d, c.MLPBias)
	}
	b.layerNorm(b.final, p+"final_layer_norm", d)
	return p + "embed_tokens.weight", "lm_head.weight"
}
