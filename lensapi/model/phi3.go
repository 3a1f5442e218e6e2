package model

// phi3 is Phi-3 (Abdin et al. 2024; also Phi-4 and Phi-4-mini) as Hugging Face's Phi3ForCausalLM: Llama with q, k and v
// in one matrix, gate and up in another, and in some checkpoints a rotation of only part of each head, or longrope.
type phi3 struct{ llama }

var phi3Family = family{phi3Config, func() architecture { return &phi3{} }, 1, 32000}

func phi3Config(o *options) Config {
	c := o.llamaShape(Config{DModel: 3072, NLayers: 32, NHeads: 32, DMLP: 8192, DVocab: 32064, NCtx: 4096, NormEps: 1e-5})
	c.Activation = o.activation("hidden_act", "silu")
	o.rope(c.NCtx, "rope_theta", 10000, "partial_rotary_factor", 1).apply(o, &c)
	o.windows(&c, 0, o.everyLayer())
	return c
}

func (a *phi3) tensors(b *binder, c Config) (embed, unembed string) {
	b.base("model.", "embed_tokens.weight")
	d, dq, dkv := c.DModel, c.NHeads*c.DHead, c.NKVHeads*c.DHead
	a.layers = make([]llamaLayer, c.NLayers)
	rotaries := newRotaries(c)
	for i, p := range b.layers("layers", c.NLayers) {
		l := &a.layers[i]
		l.rotary = rotaries[i]
		b.rmsNorm(&l.ln1, p+"input_layernorm", d)
		b.stacked([]*linear{&l.q, &l.k, &l.v}, p+"self_attn.qkv_proj", d, dq, dkv, dkv)
		b.linear(&l.o, p+"self_attn.o_proj", dq, d, false)
		b.rmsNorm(&l.ln2, p+"post_attention_layernorm", d)
		b.stacked([]*linear{&l.gate, &l.in}, p+"mlp.gate_up_proj", d, c.DMLP, c.DMLP)
		b.linear(&l.down, p+"mlp.down_proj", c.DMLP, d, false)
	}
	b.rmsNorm(b.final, b.prefix+"norm", d)
	return b.prefix + "embed_tokens.weight", "lm_head.weight"
}
