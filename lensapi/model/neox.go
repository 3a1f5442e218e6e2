package model

// neox is GPT-NeoX (Black et al. 2022) as Hugging Face's GPTNeoXForCausalLM, the family of Pythia: rotary
// positions on part of each head, LayerNorm, and attention and MLP side by side unless the config says otherwise.
// The fused query_key_value holds, head by head, the rows of q, then k, then v.
type neox struct {
	rotary *rotary
	layers []neoxLayer
}

type neoxLayer struct {
	ln1, ln2   norm
	q, k, v, o linear
	in, out    linear
}

var neoxFamily = family{neoxConfig, func() architecture { return &neox{} }, 0, 2}

func neoxConfig(o *options) Config {
	d := o.size("hidden_size", 6144, maxWidth)
	c := Config{
		DModel:     d,
		NLayers:    o.size("num_hidden_layers", 44, maxLayers),
		NHeads:     o.size("num_attention_heads", 64, maxHeads),
		DMLP:       o.size("intermediate_size", 24576, 4*maxWidth),
		DVocab:     o.size("vocab_size", 50432, maxVocab),
		NCtx:       o.size("max_position_embeddings", 2048, maxCtx),
		Activation: o.activation("hidden_act", "gelu"),
		NormEps:    o.number("layer_norm_eps", 1e-5, 0, 1),
		Tied:       o.flag("tie_word_embeddings", false),
		Parallel:   o.flag("use_parallel_residual", true),
		AttnBias:   o.flag("attention_bias", true),
		MLPBias:    true,
	}
	o.divides("num_attention_heads", c.NHeads, "hidden_size", d)
	c.OutBias = c.AttnBias
	c.NKVHeads, c.DHead = c.NHeads, d/c.NHeads
	base := "rotary_emb_base"
	if _, ok := o.fields[base]; !ok {
		base = "rope_theta"
	}
	o.rope(c.NCtx, base, 10000, "rotary_pct", 0.25).apply(o, &c)
	return c
}

func (a *neox) tensors(b *binder, c Config) (embed, unembed string) {
	b.base("gpt_neox.", "embed_in.weight")
	d := c.DModel
	a.rotary = newRotary(c)
	a.layers = make([]neoxLayer, c.NLayers)
	for i, p := range b.layers("layers", c.NLayers) {
		l := &a.layers[i]
		b.layerNorm(&l.ln1, p+"input_layernorm", d)
		b.perHead([]*linear{&l.q, &l.k, &l.v}, p+"attention.query_key_value", d, c.NHeads, c.DHead, c.AttnBias)
		b.linear(&l.o, p+"attention.dense", d, d, c.OutBias)
		b.layerNorm(&l.ln2, p+"post_attention_layernorm", d)
		b.linear(&l.in, p+"mlp.dense_h_to_4h", d, c.DMLP, true)
		b.linear(&l.out, p+"mlp.dense_4h_to_h", c.DMLP, d, true)
	}
	b.layerNorm(b.final, b.prefix+"final_layer_norm", d)
	return b.prefix + "embed_in.weight", "embed_out.weight"
}

func (a *neox) embed(g *graph) node {
	return g.hook("hook_embed", g.embed()) // [T, d_model]
}

func (a *neox) block(g *graph, l int, x node) node {
	w := &a.layers[l]
	x = g.hook("hook_resid_pre", x)                                     // [T, d_model]
	h := g.norm("ln1", x, &w.ln1)                                       // [T, d_model]
	q := g.heads("attn.hook_q", g.linear("attn.q", h, &w.q))            // [T, n_heads, d_head]
	k := g.heads("attn.hook_k", g.linear("attn.k", h, &w.k))            // [T, n_heads, d_head]
	v := g.heads("attn.hook_v", g.linear("attn.v", h, &w.v))            // [T, n_heads, d_head]
	q = g.heads("attn.hook_rot_q", g.rotate("attn.rot_q", q, a.rotary)) // [T, n_heads, d_head]
	k = g.heads("attn.hook_rot_k", g.rotate("attn.rot_k", k, a.rotary)) // [T, n_heads, d_head]
	z := g.attention(l, q, k, v)                                        // [T, n_heads, d_head]
	attn := g.hook("hook_attn_out", g.attnOut(z, &w.o))                 // [T, d_model]
	src := x
	if !g.cfg.Parallel {
		src = g.hook("hook_resid_mid", g.add("resid_mid", x, attn)) // [T, d_model]
	}
	h = g.norm("ln2", src, &w.ln2)                                   // [T, d_model]
	pre := g.hook("mlp.hook_pre", g.linear("mlp.in", h, &w.in))      // [T, d_mlp]
	post := g.hook("mlp.hook_post", g.activate("mlp.act", pre))      // [T, d_mlp]
	mlp := g.hook("hook_mlp_out", g.linear("mlp.out", post, &w.out)) // [T, d_model]
	if g.cfg.Parallel {
		return g.hook("hook_resid_post", g.add("resid_post", x, attn, mlp)) // [T, d_model]
	}
	return g.hook("hook_resid_post", g.add("resid_post", src, mlp)) // [T, d_model]
}
