package model

import "fmt"

// llama is Llama (Touvron et al. 2023) as Hugging Face's LlamaForCausalLM: rotary positions, RMSNorm before each
// sublayer, a gated MLP, grouped query heads.
type llama struct {
	rotary *rotary
	layers []llamaLayer
}

type llamaLayer struct {
	ln1, ln2       norm
	q, k, v, o     linear
	gate, in, down linear
}

func llamaConfig(o *options) Config {
	o.refuseWindow()
	d := o.size("hidden_size", 4096, maxWidth)
	c := Config{
		DModel:     d,
		NLayers:    o.size("num_hidden_layers", 32, maxLayers),
		NHeads:     o.size("num_attention_heads", 32, maxHeads),
		DMLP:       o.size("intermediate_size", 11008, 4*maxWidth),
		DVocab:     o.size("vocab_size", 32000, maxVocab),
		NCtx:       o.size("max_position_embeddings", 2048, maxCtx),
		Activation: o.activation("hidden_act", "silu"),
		NormEps:    o.number("rms_norm_eps", 1e-6, 0, 1),
		Tied:       o.flag("tie_word_embeddings", false),
		AttnBias:   o.flag("attention_bias", false),
		MLPBias:    o.flag("mlp_bias", false),
	}
	c.NKVHeads = o.size("num_key_value_heads", c.NHeads, maxHeads)
	o.divides("num_key_value_heads", c.NKVHeads, "num_attention_heads", c.NHeads)
	if o.get("head_dim", new(int)) {
		c.DHead = o.size("head_dim", 0, maxWidth)
	} else {
		o.divides("num_attention_heads", c.NHeads, "hidden_size", d)
		c.DHead = d / c.NHeads
	}
	var frac float64
	c.RotaryBase, frac = o.rope("rope_theta", "partial_rotary_factor", 1)
	if frac != 1 {
		o.fail("partial_rotary_factor %v is not supported for llama (only 1 is)", frac)
	}
	c.RotaryDims = c.DHead
	o.evenRotary(c.RotaryDims)
	return c
}

func (a *llama) tensors(b *binder, c Config) (embed, unembed string) {
	b.base("model.", "embed_tokens.weight")
	d, dq, dkv := c.DModel, c.NHeads*c.DHead, c.NKVHeads*c.DHead
	a.rotary = newRotary(c)
	a.layers = make([]llamaLayer, c.NLayers)
	for i := range a.layers {
		l, p := &a.layers[i], fmt.Sprintf("%slayers.%d.", b.prefix, i)
		b.rmsNorm(&l.ln1, p+"input_layernorm", d)
		b.linear(&l.q, p+"self_attn.q_proj", d, dq, c.AttnBias)
		b.linear(&l.k, p+"self_attn.k_proj", d, dkv, c.AttnBias)
		b.linear(&l.v, p+"self_attn.v_proj", d, dkv, c.AttnBias)
		b.linear(&l.o, p+"self_attn.o_proj", dq, d, c.AttnBias)
		b.rmsNorm(&l.ln2, p+"post_attention_layernorm", d)
		b.linear(&l.gate, p+"mlp.gate_proj", d, c.DMLP, c.MLPBias)
		b.linear(&l.in, p+"mlp.up_proj", d, c.DMLP, c.MLPBias)
		b.linear(&l.down, p+"mlp.down_proj", c.DMLP, d, c.MLPBias)
	}
	b.rmsNorm(b.final, b.prefix+"norm", d)
	return b.prefix + "embed_tokens.weight", "lm_head.weight"
}

func (a *llama) embed(g *graph) node {
	return g.hook("hook_embed", g.embed()) // [T, d_model]
}

func (a *llama) block(g *graph, l int, x node) node {
	w := &a.layers[l]
	x = g.hook("hook_resid_pre", x)                                                      // [T, d_model]
	h := g.norm("ln1", x, &w.ln1)                                                        // [T, d_model]
	q := g.heads("attn.hook_q", g.linear("attn.q", h, &w.q))                             // [T, n_heads, d_head]
	k := g.heads("attn.hook_k", g.linear("attn.k", h, &w.k))                             // [T, n_kv_heads, d_head]
	v := g.heads("attn.hook_v", g.linear("attn.v", h, &w.v))                             // [T, n_kv_heads, d_head]
	q = g.heads("attn.hook_rot_q", g.rotate("attn.rot_q", q, a.rotary))                  // [T, n_heads, d_head]
	k = g.heads("attn.hook_rot_k", g.rotate("attn.rot_k", k, a.rotary))                  // [T, n_kv_heads, d_head]
	z := g.attention(l, q, k, v)                                                         // [T, n_heads, d_head]
	attn := g.hook("hook_attn_out", g.linear("attn.out", z, &w.o))                       // [T, d_model]
	mid := g.hook("hook_resid_mid", g.add("resid_mid", x, attn))                         // [T, d_model]
	h = g.norm("ln2", mid, &w.ln2)                                                       // [T, d_model]
	pre := g.hook("mlp.hook_pre", g.linear("mlp.gate", h, &w.gate))                      // [T, d_mlp]
	lin := g.hook("mlp.hook_pre_linear", g.linear("mlp.in", h, &w.in))                   // [T, d_mlp]
	post := g.hook("mlp.hook_post", g.mul("mlp.gated", g.activate("mlp.act", pre), lin)) // [T, d_mlp]
	mlp := g.hook("hook_mlp_out", g.linear("mlp.out", post, &w.down))                    // [T, d_model]
	return g.hook("hook_resid_post", g.add("resid_post", mid, mlp))                      // [T, d_model]
}
