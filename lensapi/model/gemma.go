package model

import "math"

// gemma is Gemma (Mesnard et al. 2024) as Hugging Face's GemmaForCausalLM: Llama with an embedding multiplied by
// sqrt(d_model), RMSNorm by 1 + its weight, a gate of GELU, and heads whose width is not that of the model divided by
// their number.
type gemma struct{ llama }

var gemmaFamily = family{gemmaConfig, func() architecture { return &gemma{} }, 2, 1}

func gemmaConfig(o *options) Config {
	c := o.gemmaShape(Config{DModel: 3072, NLayers: 28, NHeads: 16, NKVHeads: 16, DHead: 256, DMLP: 24576, DVocab: 256000, NCtx: 8192, NormEps: 1e-6})
	o.llamaRope(&c, 10000)
	// The first checkpoints say hidden_act "gelu" and mean the tanh approximation, which they were trained with.
	// Which of two fields counts has changed in Hugging Face's library, so others have to agree.
	const trained = "gelu_pytorch_tanh"
	legacy := o.text("hidden_act", trained)
	if !(c.Activation == trained && (legacy == "gelu" || legacy == trained)) && c.Activation != legacy {
		o.fail("hidden_act %q with hidden_activation %q is not supported (only gelu_pytorch_tanh, or the same in both, is)", legacy, c.Activation)
	}
	return c
}

// gemmaShape reads the fields that all versions of Gemma have; c has the defaults.
func (o *options) gemmaShape(c Config) Config {
	o.refuse("use_bidirectional_attention", false)
	c.Tied = true
	c = o.llamaShape(c)
	c.Activation = o.activation("hidden_activation", "gelu_pytorch_tanh")
	c.AttnBias = o.flag("attention_bias", false)
	c.OutBias = c.AttnBias
	c.EmbedScale = math.Sqrt(float64(c.DModel))
	return c
}

func (a *gemma) tensors(b *binder, c Config) (embed, unembed string) {
	b.offset = 1
	return a.llama.tensors(b, c)
}
