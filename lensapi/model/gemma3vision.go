package model

// gemma3Vision is the text model of a Gemma 3 that sees images (4B and larger), Hugging Face's Gemma3ForConditionalGeneration: that of gemma3Family, its
// config inside text_config and its tensors under language_model. What reads images is not loaded, and without images it changes nothing: images reach the
// text model only as embeddings in place of those of tokens, and attention is causal but among their positions.
type gemma3Vision struct{ gemma2 }

var gemma3VisionFamily = family{gemma3VisionConfig, func() architecture { return &gemma3Vision{} }, 2, 1}

func gemma3VisionConfig(o *options) Config {
	text := &options{}
	o.get("text_config", &text.fields)
	if typ := text.text("model_type", "gemma3_text"); typ != "gemma3_text" {
		text.fail("model_type %q is not supported (only gemma3_text is)", typ)
	}
	text.refuseSet("quantization_config", "quantized weights")
	text.refuse("is_causal", true)
	c := gemma3Config(text)
	for _, w := range text.wrong {
		o.fail("text_config: %s", w)
	}
	if tied := o.flag("tie_word_embeddings", c.Tied); tied != c.Tied {
		o.fail("tie_word_embeddings is %v, but %v in text_config", tied, c.Tied)
	}
	for _, name := range []string{"bos_token_id", "eos_token_id"} {
		if o.has(name) {
			continue
		}
		delete(o.fields, name)
		if raw, ok := text.fields[name]; ok {
			o.fields[name] = raw
		}
	}
	return c
}

// gemma3Layouts are the names that versions of Hugging Face's library gave the tensors, the last of the model without its head.
var gemma3Layouts = []struct{ text, unembed, images string }{
	{"language_model.model.", "language_model.lm_head.weight", ""},
	{"model.language_model.", "lm_head.weight", "model."},
	{"language_model.", "lm_head.weight", ""},
}

func (a *gemma3Vision) tensors(b *binder, c Config) (embed, unembed string) {
	layout := gemma3Layouts[0]
	for _, l := range gemma3Layouts {
		if _, ok := b.set.Info(l.text + "embed_tokens.weight"); ok {
			layout = l
			break
		}
	}
	b.prefix = layout.text
	b.images = []string{layout.images + "vision_tower.", layout.images + "multi_modal_projector."}
	return a.text(b, c), layout.unembed
}
