package model

import (
	"math"
)

// gemma2 is Gemma 2 (Riviere et al. 2024) as Hugging Face's Gemma2ForCausalLM: Gemma with a norm before and after
// each sublayer, a window in every other layer, and soft caps on attention scores and logits.
type gemma2 struct {
	layers []gemma2Layer
}

type gemma2Layer struct {
	llamaLayer
	ln1Post, ln2Post norm
}

var gemma2Family = family{gemma2Config, func() architecture { return &gemma2{} }, 2, 1}

func gemma2Config(o *options) Config {
	c := o.gemmaShape(Config{DModel: 2304, NLayers: 26, NHeads: 8, NKVHeads: 4, DHead: 256, DMLP: 9216, DVocab: 256000, NCtx: 8192, NormEps: 1e-6})
	o.llamaRope(&c, 10000)
	c.AttnScale = 1 / math.Sqrt(o.positive("query_pre_attn_scalar", 256))
	c.AttnCap = o.limit("attn_logit_softcapping", 50)
	c.LogitCap = o.limit("final_logit_softcapping", 30)
	o.windows(&c, 4096, o.localLayers(c.NLayers, func(l int) bool { return l%2 == 0 }))
	return c
}

func (a *gemma2) tensors(b *binder, c Config) (embed, unembed string) {
	b.base("model.", "embed_tokens.weight")
	return a.text(b, c), "lm_head.weight"
}

// text binds all but the unembedding, under the prefix of b.
func (a *gemma2) text(b *binder, c Config) (embed string) {
	b.offset = 1
	a.layers = make([]gemma2Layer, c.NLayers)
	rotaries := newRotaries(c)
	for i, p := range b.layers("layers", c.NLayers) {
		l := &a.layers[i]
		l.rotary = rotaries[i]
		b.rmsNorm(&l.ln1, p+"input_layernorm", c.DModel)
		b.rmsNorm(&l.ln1Post, p+"post_attention_layernorm", c.DModel)
		b.rmsNorm(&l.ln2, p+"pre_feedforward_layernorm", c.DModel)
		b.rmsNorm(&l.ln2Post, p+"post_feedforward_layernorm", c.DModel)
		l.sublayers(b, c, p)
	}
	b.rmsNorm(b.final, b.prefix+"norm", c.DModel)
	return b.prefix + "embed_tokens.weight"
}

func (a *gemma2) embed(g *graph) node {
	return g.hook("hook_embed", g.embed()) // [T, d_model]
}

func (a *gemma2) block(g *graph, l int, x node) node {
	w := &a.layers[l]
	x = g.hook("hook_resid_pre", x)                                    // [T, d_model]
	h := w.attention(g, l, g.norm("ln1", x, &w.ln1))                   // [T, d_model]
	attn := g.hook("hook_attn_out", g.norm("ln1_post", h, &w.ln1Post)) // [T, d_model]
	mid := g.hook("hook_resid_mid", g.add("resid_mid", x, attn))       // [T, d_model]
	h = w.mlp(g, g.norm("ln2", mid, &w.ln2))                           // [T, d_model]
	mlp := g.hook("hook_mlp_out", g.norm("ln2_post", h, &w.ln2Post))   // [T, d_model]
	return g.hook("hook_resid_post", g.add("resid_post", mid, mlp))    // [T, d_model]
}
