package model

// llama is Llama (Touvron et al. 2023) as Hugging Face's LlamaForCausalLM: rotary positions, RMSNorm before each
// sublayer, a gated MLP, grouped query heads. Mistral, Qwen and Gemma are of the same shape.
type llama struct {
	layers []llamaLayer
}

type llamaLayer struct {
	rotary         *rotary
	ln1, ln2       norm
	q, k, v, o     linear
	qNorm, kNorm   norm // where the config has them
	gate, in, down linear
}

var llamaFamily = family{llamaConfig, newLlama, 1, 2}

func newLlama() architecture { return &llama{} }

func llamaConfig(o *options) Config {
	o.refuseWindow()
	c := o.llamaShape(Config{DModel: 4096, NLayers: 32, NHeads: 32, DMLP: 11008, DVocab: 32000, NCtx: 2048, NormEps: 1e-6})
	c.Activation = o.activation("hidden_act", "silu")
	c.AttnBias = o.flag("attention_bias", false)
	c.OutBias = c.AttnBias
	c.MLPBias = o.flag("mlp_bias", false)
	o.llamaRope(&c, 10000)
	return c
}

// llamaShape reads the fields that all models of this shape have; c has the defaults. Heads are d_model/n_heads
// wide unless c or the config says otherwise, and there are as many key/value heads as query heads.
func (o *options) llamaShape(c Config) Config {
	c.DModel = o.size("hidden_size", c.DModel, maxWidth)
	c.NLayers = o.size("num_hidden_layers", c.NLayers, maxLayers)
	c.NHeads = o.size("num_attention_heads", c.NHeads, maxHeads)
	c.DMLP = o.size("intermediate_size", c.DMLP, 4*maxWidth)
	c.DVocab = o.size("vocab_size", c.DVocab, maxVocab)
	c.NCtx = o.size("max_position_embeddings", c.NCtx, maxCtx)
	c.NormEps = o.number("rms_norm_eps", c.NormEps, 0, 1)
	c.Tied = o.flag("tie_word_embeddings", c.Tied)
	if c.NKVHeads == 0 || o.null("num_key_value_heads") {
		c.NKVHeads = c.NHeads
	}
	c.NKVHeads = o.size("num_key_value_heads", c.NKVHeads, maxHeads)
	o.divides("num_key_value_heads", c.NKVHeads, "num_attention_heads", c.NHeads)
	if _, ok := o.fields["head_dim"]; o.null("head_dim") || !ok && c.DHead == 0 {
		o.divides("num_attention_heads", c.NHeads, "hidden_size", c.DModel)
		c.DHead = c.DModel / c.NHeads
	} else {
		c.DHead = o.size("head_dim", c.DHead, maxWidth)
	}
	return c
}

// llamaRope reads a rotary embedding of whole heads.
func (o *options) llamaRope(c *Config, base float64) {
	r := o.rope(c.NCtx, "rope_theta", base, "partial_rotary_factor", 1)
	if r.fraction != 1 {
		o.fail("partial_rotary_factor %v is not supported for %s (only 1 is)", r.fraction, o.text("model_type", ""))
	}
	r.apply(o, c)
}

func (a *llama) tensors(b *binder, c Config) (embed, unembed string) {
	b.base("model.", "embed_tokens.weight")
	a.layers = make([]llamaLayer, c.NLayers)
	rotaries := newRotaries(c)
	for i, p := range b.layers("layers", c.NLayers) {
		l := &a.layers[i]
		l.rotary = rotaries[i]
		b.rmsNorm(&l.ln1, p+"input_layernorm", c.DModel)
		b.rmsNorm(&l.ln2, p+"post_attention_layernorm", c.DModel)
		l.sublayers(b, c, p)
	}
	b.rmsNorm(b.final, b.prefix+"norm", c.DModel)
	return b.prefix + "embed_tokens.weight", "lm_head.weight"
}

// sublayers binds attention and MLP.
func (l *llamaLayer) sublayers(b *binder, c Config, p string) {
	d, dq, dkv := c.DModel, c.NHeads*c.DHead, c.NKVHeads*c.DHead
	b.linear(&l.q, p+"self_attn.q_proj", d, dq, c.AttnBias)
	b.linear(&l.k, p+"self_attn.k_proj", d, dkv, c.AttnBias)
	b.linear(&l.v, p+"self_attn.v_proj", d, dkv, c.AttnBias)
	b.linear(&l.o, p+"self_attn.o_proj", dq, d, c.OutBias)
	if c.QKNorm {
		b.rmsNorm(&l.qNorm, p+"self_attn.q_norm", c.DHead)
		b.rmsNorm(&l.kNorm, p+"self_attn.k_norm", c.DHead)
	}
	b.linear(&l.gate, p+"mlp.gate_proj", d, c.DMLP, c.MLPBias)
	b.linear(&l.in, p+"mlp.up_proj", d, c.DMLP, c.MLPBias)
	b.linear(&l.down, p+"mlp.down_proj", c.DMLP, d, c.MLPBias)
}

func (a *llama) embed(g *graph) node {
	return g.hook("hook_embed", g.embed()) // [T, d_model]
}

func (a *llama) block(g *graph, l int, x node) node {
	w := &a.layers[l]
	x = g.hook("hook_resid_pre", x)                                 // [T, d_model]
	h := g.norm("ln1", x, &w.ln1)                                   // [T, d_model]
	attn := g.hook("hook_attn_out", w.attention(g, l, h))           // [T, d_model]
	mid := g.hook("hook_resid_mid", g.add("resid_mid", x, attn))    // [T, d_model]
	h = g.norm("ln2", mid, &w.ln2)                                  // [T, d_model]
	mlp := g.hook("hook_mlp_out", w.mlp(g, h))                      // [T, d_model]
	return g.hook("hook_resid_post", g.add("resid_post", mid, mlp)) // [T, d_model]
}

func (w *llamaLayer) attention(g *graph, l int, h node) node {
	q := g.heads("attn.hook_q", g.linear("attn.q", h, &w.q)) // [T, n_heads, d_head]
	k := g.heads("attn.hook_k", g.linear("attn.k", h, &w.k)) // [T, n_kv_heads, d_head]
	v := g.heads("attn.hook_v", g.linear("attn.v", h, &w.v)) // [T, n_kv_heads, d_head]
	if g.cfg.QKNorm {
		q = g.headNorm("attn.q_norm", q, &w.qNorm) // [T, n_heads, d_head]
		k = g.headNorm("attn.k_norm", k, &w.kNorm) // [T, n_kv_heads, d_head]
	}
	q = g.heads("attn.hook_rot_q", g.rotate("attn.rot_q", q, w.rotary)) // [T, n_heads, d_head]
	k = g.heads("attn.hook_rot_k", g.rotate("attn.rot_k", k, w.rotary)) // [T, n_kv_heads, d_head]
	z := g.attention(l, q, k, v)                                        // [T, n_heads, d_head]
	return g.attnOut(z, &w.o)                                           // [T, d_model]
}

func (w *llamaLayer) mlp(g *graph, h node) node {
	pre := g.hook("mlp.hook_pre", g.linear("mlp.gate", h, &w.gate))                      // [T, d_mlp]
	lin := g.hook("mlp.hook_pre_linear", g.linear("mlp.in", h, &w.in))                   // [T, d_mlp]
	post := g.hook("mlp.hook_post", g.mul("mlp.gated", g.activate("mlp.act", pre), lin)) // [T, d_mlp]
	return g.linear("mlp.out", post, &w.down)                                            // [T, d_model]
}
