package model

import (
	"encoding/json"
	"slices"
)

// gptNeo is GPT-Neo (Black et al. 2021) as Hugging Face's GPTNeoForCausalLM: GPT-2 with layers that in turn see all
// positions and a window of them, attention scores that are not divided by sqrt(d_head), and no biases on q, k and v.
type gptNeo struct{ gpt2 }

var gptNeoFamily = family{gptNeoConfig, func() architecture { return &gptNeo{} }, 50256, 50256}

func gptNeoConfig(o *options) Config {
	o.alias("num_layers", "num_hidden_layers")
	o.alias("num_heads", "num_attention_heads")
	d := o.size("hidden_size", 2048, maxWidth)
	c := Config{
		DModel:     d,
		NLayers:    o.size("num_layers", 24, maxLayers),
		NHeads:     o.size("num_heads", 16, maxHeads),
		DMLP:       o.size("intermediate_size", 4*d, 4*maxWidth),
		DVocab:     o.size("vocab_size", 50257, maxVocab),
		NCtx:       o.size("max_position_embeddings", 2048, maxCtx),
		Activation: o.activation("activation_function", "gelu_new"),
		NormEps:    o.number("layer_norm_epsilon", 1e-5, 0, 1),
		Tied:       o.flag("tie_word_embeddings", true),
		OutBias:    true,
		MLPBias:    true,
		AttnScale:  1,
	}
	o.divides("num_heads", c.NHeads, "hidden_size", d)
	c.NKVHeads, c.DHead = c.NHeads, d/c.NHeads
	window := o.size("window_size", 256, maxCtx)
	c.Windows = make([]int, c.NLayers)
	for l, kind := range o.attentionTypes(c.NLayers) {
		if kind == "local" {
			c.Windows[l] = window
		}
	}
	return c
}

// attentionTypes reads the layers' kinds, global or local: pairs of a list of kinds and how often it is repeated.
func (o *options) attentionTypes(layers int) []string {
	groups := [][]json.RawMessage{{json.RawMessage(`["global","local"]`), json.RawMessage(`12`)}}
	o.get("attention_types", &groups)
	var kinds []string
	for _, g := range groups {
		var list []string
		var times int
		if len(g) != 2 || json.Unmarshal(g[0], &list) != nil || json.Unmarshal(g[1], &times) != nil || times < 1 || times > maxLayers {
			o.fail(`attention_types is not a list of pairs such as [["global", "local"], 12]`)
			return nil
		}
		for range times {
			if len(kinds) <= layers {
				kinds = append(kinds, list...)
			}
		}
	}
	if len(kinds) != layers {
		o.fail("attention_types has other than num_layers %d layers", layers)
		return nil
	}
	for _, k := range kinds {
		if k != "global" && k != "local" {
			o.fail("attention_types: %q is not supported (supported: global, local)", k)
		}
	}
	var list []string
	if o.get("attention_layers", &list) && !slices.Equal(list, kinds) {
		o.fail("attention_layers differs from attention_types")
	}
	return kinds
}

func (a *gptNeo) tensors(b *binder, c Config) (embed, unembed string) {
	b.base("transformer.", "wte.weight")
	d := c.DModel
	b.vector(&a.wpe, b.prefix+"wpe.weight", c.NCtx, d)
	a.layers = make([]gpt2Layer, c.NLayers)
	for i, p := range b.layers("h", c.NLayers) {
		l := &a.layers[i]
		b.layerNorm(&l.ln1, p+"ln_1", d)
		b.linear(&l.q, p+"attn.attention.q_proj", d, d, false)
		b.linear(&l.k, p+"attn.attention.k_proj", d, d, false)
		b.linear(&l.v, p+"attn.attention.v_proj", d, d, false)
		b.linear(&l.o, p+"attn.attention.out_proj", d, d, true)
		b.layerNorm(&l.ln2, p+"ln_2", d)
		b.linear(&l.in, p+"mlp.c_fc", d, c.DMLP, true)
		b.linear(&l.out, p+"mlp.c_proj", c.DMLP, d, true)
	}
	b.layerNorm(b.final, b.prefix+"ln_f", d)
	return b.prefix + "wte.weight", "lm_head.weight"
}
