package model

// gpt2 is GPT-2 (Radford et al. 2019) as Hugging Face's GPT2LMHeadModel: learned positions, LayerNorm before each
// sublayer, GELU. Its linear layers are Conv1D: stored [in, out].
type gpt2 struct {
	wpe    []float32 // [n_ctx, d_model]
	layers []gpt2Layer
}

type gpt2Layer struct {
	ln1, ln2   norm
	q, k, v, o linear
	in, out    linear
}

var gpt2Family = family{gpt2Config, func() architecture { return &gpt2{} }, 50256, 50256}

func gpt2Config(o *options) Config {
	o.refuse("add_cross_attention", false)
	o.alias("n_embd", "hidden_size")
	o.alias("n_layer", "num_hidden_layers")
	o.alias("n_head", "num_attention_heads")
	o.alias("n_positions", "max_position_embeddings")
	d := o.size("n_embd", 768, maxWidth)
	c := Config{
		DModel:     d,
		NLayers:    o.size("n_layer", 12, maxLayers),
		NHeads:     o.size("n_head", 12, maxHeads),
		DMLP:       o.size("n_inner", 4*d, 4*maxWidth),
		DVocab:     o.size("vocab_size", 50257, maxVocab),
		NCtx:       o.size("n_positions", 1024, maxCtx),
		Activation: o.activation("activation_function", "gelu_new"),
		NormEps:    o.number("layer_norm_epsilon", 1e-5, 0, 1),
		Tied:       o.flag("tie_word_embeddings", true),
		AttnBias:   true,
		OutBias:    true,
		MLPBias:    true,
		LayerScale: o.flag("scale_attn_by_inverse_layer_idx", false),
	}
	if !o.flag("scale_attn_weights", true) {
		c.AttnScale = 1
	}
	o.divides("n_head", c.NHeads, "n_embd", d)
	c.NKVHeads, c.DHead = c.NHeads, d/c.NHeads
	return c
}

func (a *gpt2) tensors(b *binder, c Config) (embed, unembed string) {
	b.base("transformer.", "wte.weight")
	d := c.DModel
	b.vector(&a.wpe, b.prefix+"wpe.weight", c.NCtx, d)
	a.layers = make([]gpt2Layer, c.NLayers)
	for i, p := range b.layers("h", c.NLayers) {
		l := &a.layers[i]
		b.layerNorm(&l.ln1, p+"ln_1", d)
		b.conv1D([]*linear{&l.q, &l.k, &l.v}, p+"attn.c_attn", d, d)
		b.conv1D([]*linear{&l.o}, p+"attn.c_proj", d, d)
		b.layerNorm(&l.ln2, p+"ln_2", d)
		b.conv1D([]*linear{&l.in}, p+"mlp.c_fc", d, c.DMLP)
		b.conv1D([]*linear{&l.out}, p+"mlp.c_proj", c.DMLP, d)
	}
	b.layerNorm(b.final, b.prefix+"ln_f", d)
	return b.prefix + "wte.weight", "lm_head.weight"
}

func (a *gpt2) embed(g *graph) node {
	tok := g.hook("hook_embed", g.embed())              // [T, d_model]
	pos := g.hook("hook_pos_embed", g.positions(a.wpe)) // [T, d_model]
	return g.add("embed+pos", tok, pos)                 // [T, d_model]
}

func (a *gpt2) block(g *graph, l int, x node) node {
	w := &a.layers[l]
	x = g.hook("hook_resid_pre", x)                                  // [T, d_model]
	h := g.norm("ln1", x, &w.ln1)                                    // [T, d_model]
	q := g.heads("attn.hook_q", g.linear("attn.q", h, &w.q))         // [T, n_heads, d_head]
	k := g.heads("attn.hook_k", g.linear("attn.k", h, &w.k))         // [T, n_heads, d_head]
	v := g.heads("attn.hook_v", g.linear("attn.v", h, &w.v))         // [T, n_heads, d_head]
	z := g.attention(l, q, k, v)                                     // [T, n_heads, d_head]
	attn := g.hook("hook_attn_out", g.attnOut(z, &w.o))              // [T, d_model]
	mid := g.hook("hook_resid_mid", g.add("resid_mid", x, attn))     // [T, d_model]
	h = g.norm("ln2", mid, &w.ln2)                                   // [T, d_model]
	pre := g.hook("mlp.hook_pre", g.linear("mlp.in", h, &w.in))      // [T, d_mlp]
	post := g.hook("mlp.hook_post", g.activate("mlp.act", pre))      // [T, d_mlp]
	mlp := g.hook("hook_mlp_out", g.linear("mlp.out", post, &w.out)) // [T, d_model]
	return g.hook("hook_resid_post", g.add("resid_post", mid, mlp))  // [T, d_model]
}
