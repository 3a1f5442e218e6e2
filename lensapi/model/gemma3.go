package model

import "math"

// Gemma 3 (Kamath et al. 2025), the text model, Hugging Face's Gemma3ForCausalLM, is Gemma 2 with a norm of each head of
// q and k in place of the soft caps, and five layers with a window, whose rotary embedding has a base of its own and
// is never scaled, to each one without.
var gemma3Family = family{gemma3Config, func() architecture { return &gemma2{} }, 2, 1}

func gemma3Config(o *options) Config {
	c := o.gemmaShape(Config{DModel: 2304, NLayers: 26, NHeads: 8, NKVHeads: 4, DHead: 256, DMLP: 9216, DVocab: 262208, NCtx: 131072, NormEps: 1e-6})
	c.QKNorm = true
	c.AttnScale = 1 / math.Sqrt(o.positive("query_pre_attn_scalar", 256))
	if o.has("attn_logit_softcapping") { // Hugging Face's Gemma 3 has the field and ignores it
		o.fail("attn_logit_softcapping is not supported in this family (only null is)")
	}
	c.LogitCap = o.limit("final_logit_softcapping", 0)
	every := o.size("sliding_window_pattern", 6, maxLayers)
	o.windows(&c, 4096, o.localLayers(c.NLayers, func(l int) bool { return (l+1)%every != 0 }))
	o.gemma3Rope(&c)
	return c
}

// gemma3Rope reads the two rotary embeddings: fields of the config, or one object in rope_parameters for each type
// of layer.
func (o *options) gemma3Rope(c *Config) {
	local := rope{base: o.positive("rope_local_base_freq", 10000), fraction: 1, ctx: c.NCtx}
	byLayer := &options{}
	if o.get("rope_parameters", &byLayer.fields) && byLayer.has("full_attention") {
		global := rope{base: o.positive("rope_theta", 1000000), fraction: 1, ctx: c.NCtx}
		byLayer.ropeObject("full_attention", &global)
		byLayer.ropeObject("sliding_attention", &local)
		for _, w := range byLayer.wrong {
			o.fail("rope_parameters: %s", w)
		}
		if global.fraction != 1 || local.fraction != 1 || local.scaling.Type != "" {
			o.fail("rope_parameters: rotation of part of a head and scaling of sliding_attention are not supported")
		}
		global.apply(o, c)
	} else {
		o.llamaRope(c, 1000000)
	}
	c.LocalBase = local.base
}
