package model_test

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/lenstest"
	"github.com/gopherlens/gopherlens/lensapi/model"
	"github.com/gopherlens/gopherlens/lensapi/weights"
)

func TestConfigNonsense(t *testing.T) {
	for _, c := range []struct {
		base string
		set  map[string]any
		want []string
	}{
		{"gpt2", map[string]any{"model_type": "bloom"}, []string{`model_type "bloom" is not supported (supported: gemma, gemma2, gemma3, gemma3_text, gpt2, gpt_neo, gpt_neox, llama, mistral, opt, phi3, qwen2, qwen3)`}},
		{"gpt2", map[string]any{"model_type": nil}, []string{`model_type "" is not supported`}},
		{"gpt2", map[string]any{"n_embd": -16}, []string{"n_embd is -16 (allowed: 1 to"}},
		{"gpt2", map[string]any{"n_embd": 1 << 40, "n_layer": 1 << 40, "vocab_size": 1 << 40, "n_positions": 1 << 40, "n_inner": 1 << 40, "n_head": 1 << 40},
			[]string{"n_embd is 1099511627776", "n_layer is 1099511627776", "vocab_size is", "n_positions is", "n_inner is", "n_head is"}},
		{"gpt2", map[string]any{"n_layer": 0}, []string{"n_layer is 0"}},
		{"gpt2", map[string]any{"n_head": 3}, []string{"n_head 3 does not divide n_embd 16"}},
		{"gpt2", map[string]any{"n_layer": "two"}, []string{`n_layer: "two" is not a whole number`}},
		{"gpt2", map[string]any{"n_layer": 1.5}, []string{"n_layer: 1.5 is not a whole number"}},
		{"gpt2", map[string]any{"layer_norm_epsilon": -1}, []string{"layer_norm_epsilon is -1"}},
		{"gpt2", map[string]any{"activation_function": "mish"}, []string{`activation_function "mish" is not supported (supported: gelu, gelu_fast`}},
		{"gpt2", map[string]any{"add_cross_attention": true, "is_causal": false}, []string{"add_cross_attention=true is not supported", "is_causal=false is not supported"}},
		{"gpt2", map[string]any{"num_attention_heads": 4}, []string{"n_head is 2, but num_attention_heads, the same thing, is 4"}},
		{"gpt-neo", map[string]any{"num_hidden_layers": 4}, []string{"num_layers is 2, but num_hidden_layers, the same thing, is 4"}},
		{"gpt2", map[string]any{"quantization_config": map[string]any{"bits": 4}}, []string{"quantization_config: quantized weights are not supported"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"rope_type": "llama3", "factor": 8}},
			[]string{"rope_scaling: original_max_position_embeddings is 0", "rope_scaling: low_freq_factor is missing", "rope_scaling: high_freq_factor is missing"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"rope_type": "llama3", "factor": 8, "original_max_position_embeddings": 8, "low_freq_factor": 4, "high_freq_factor": 4}},
			[]string{"rope_scaling: high_freq_factor 4 is not above low_freq_factor 4"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"type": "linear"}}, []string{"rope_scaling: factor is missing"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"type": "linear", "factor": 0.5}}, []string{"rope_scaling: factor is 0.5 (allowed: 1 to"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"type": "linear", "factor": 2, "beta_fast": 2}}, []string{"rope_scaling: beta_fast is not supported for type linear"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"type": "su", "short_factor": []int{1}}},
			[]string{`rope_scaling: type "su" is not supported (supported: default, dynamic, linear, llama3, longrope, yarn)`}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"type": "longrope", "short_factor": []int{1}}}, []string{"short_factor has 1 numbers, not one for each of 2 pairs of a head"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"type": "longrope", "short_factor": []int{1, 0}}}, []string{"rope_scaling: short_factor has 0 (allowed: above 0"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"type": "longrope", "factor": 3, "original_max_position_embeddings": 32}},
			[]string{"rope_scaling: factor is 3, but max_position_embeddings is 2 times original_max_position_embeddings", "rope_scaling: short_factor is missing"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"type": "yarn", "factor": 2}, "original_max_position_embeddings": 32},
			[]string{"original_max_position_embeddings is 32, but 64 in the object for type yarn"}},
		{"llama-tied", map[string]any{"rope_scaling": map[string]any{"type": "linear", "factor": 2}}, []string{"rope_scaling and rope_parameters differ"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"type": "default", "mrope_section": []int{1}}}, []string{"rope_scaling: mrope_section is not supported for type default"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"type": "dynamic", "original_max_position_embeddings": 32}},
			[]string{"type dynamic with original_max_position_embeddings 32 is not supported (only max_position_embeddings 64 is)"}},
		{"llama", map[string]any{"rope_parameters": map[string]any{"rope_type": "yarn"}}, []string{"rope_parameters: factor is missing"}},
		{"llama", map[string]any{"rope_parameters": map[string]any{"rope_type": "yarn", "factor": 2, "mscale": 1, "beta_fast": 1}},
			[]string{"rope_parameters: mscale is not supported for type yarn", "beta_fast 1 is not above beta_slow 1"}},
		{"llama", map[string]any{"rope_parameters": map[string]any{"rope_theta": -1}}, []string{"rope_parameters: rope_theta is -1"}},
		{"llama", map[string]any{"partial_rotary_factor": 0.5}, []string{"partial_rotary_factor 0.5 is not supported for llama"}},
		{"llama", map[string]any{"sliding_window": 8}, []string{"sliding_window: attention windows are not supported"}},
		{"llama", map[string]any{"num_key_value_heads": 3}, []string{"num_key_value_heads 3 does not divide num_attention_heads 4"}},
		{"llama", map[string]any{"head_dim": 5}, []string{"rotary embedding of 5 values"}},
		{"llama", map[string]any{"head_dim": 1 << 40}, []string{"head_dim is"}},
		{"mistral", map[string]any{"sliding_window": 0}, []string{"sliding_window is 0 (allowed: 1 to"}},
		{"mistral", map[string]any{"layer_types": []string{"full_attention"}}, []string{"layer_types: windows by layer in this family are not supported"}},
		{"qwen2", map[string]any{"layer_types": []string{"full_attention"}}, []string{"layer_types names 1 layers, not 2"}},
		{"qwen2", map[string]any{"layer_types": []string{"full_attention", "chunked_attention"}},
			[]string{`layer_types: "chunked_attention" is not supported (supported: full_attention, sliding_attention)`}},
		{"qwen3", map[string]any{"head_dim": 7}, []string{"rotary embedding of 7 values"}},
		{"qwen3", map[string]any{"rope_scaling": map[string]any{"rope_type": "mrope"}}, []string{`rope_scaling: type "mrope" is not supported`}},
		{"phi3", map[string]any{"rope_scaling": map[string]any{"type": "su"}}, []string{`rope_scaling: type "su" is not supported`}},
		{"phi3", map[string]any{"partial_rotary_factor": 0.3}, []string{"rotary embedding of 1 values"}},
		{"gemma", map[string]any{"hidden_activation": nil, "hidden_act": "silu"}, []string{`hidden_act "silu" with hidden_activation "gelu_pytorch_tanh" is not supported`}},
		{"gemma3", map[string]any{"model_type": "gemma3", "text_config": map[string]any{"model_type": "gemma2", "sliding_window": 0, "quantization_config": map[string]any{"bits": 4}},
			"tie_word_embeddings": false}, []string{`text_config: model_type "gemma2" is not supported (only gemma3_text is)`, "text_config: sliding_window is 0",
			"text_config: quantization_config: quantized weights", "tie_word_embeddings is false, but true in text_config"}},
		{"gemma3", map[string]any{"model_type": "gemma3", "text_config": 3}, []string{"text_config: 3 is not a JSON object"}},
		{"gemma3", map[string]any{"model_type": "gemma3", "quantization_config": map[string]any{"bits": 4}}, []string{"quantization_config: quantized weights"}},
		{"gemma", map[string]any{"model_type": "llava"}, []string{`model_type "llava" is not supported`}},
		{"gemma2", map[string]any{"attn_logit_softcapping": -1, "final_logit_softcapping": 0, "query_pre_attn_scalar": 0},
			[]string{"attn_logit_softcapping is -1", "final_logit_softcapping is 0", "query_pre_attn_scalar is 0"}},
		{"gemma3", map[string]any{"use_bidirectional_attention": true}, []string{"use_bidirectional_attention=true is not supported"}},
		{"gemma3", map[string]any{"attn_logit_softcapping": 50}, []string{"attn_logit_softcapping is not supported in this family"}},
		{"gemma3", map[string]any{"sliding_window_pattern": 0}, []string{"sliding_window_pattern is 0"}},
		{"gemma3", map[string]any{"rope_parameters": map[string]any{"full_attention": map[string]any{"rope_type": "su"}, "sliding_attention": map[string]any{"rope_theta": -1}}},
			[]string{`rope_parameters: full_attention: type "su" is not supported`, "rope_parameters: sliding_attention: rope_theta is -1"}},
		{"gpt-neo", map[string]any{"num_layers": 3}, []string{"attention_types has other than num_layers 3 layers"}},
		{"gpt-neo", map[string]any{"attention_types": []any{[]any{[]string{"global", "sparse"}, 1}}}, []string{`attention_types: "sparse" is not supported (supported: global, local)`}},
		{"gpt-neo", map[string]any{"attention_types": []any{[]any{1, "local"}}}, []string{"attention_types is not a list of pairs"}},
		{"gpt-neo", map[string]any{"attention_types": []any{[]any{[]string{"global", "local"}, 1 << 40}}}, []string{"attention_types is not a list of pairs"}},
		{"gpt-neo", map[string]any{"attention_layers": []string{"global", "global"}}, []string{"attention_layers differs from attention_types"}},
		{"opt", map[string]any{"do_layer_norm_before": false, "_remove_final_layer_norm": true, "layer_norm_elementwise_affine": false, "word_embed_proj_dim": 8},
			[]string{"do_layer_norm_before=false is not supported", "_remove_final_layer_norm=true is", "layer_norm_elementwise_affine=false is", "word_embed_proj_dim 8 is not supported (only hidden_size 16 is)"}},
		{"neox", map[string]any{"rotary_pct": 1.5}, []string{"rotary_pct is 1.5 (allowed: 0 to 1)"}},
		{"neox", map[string]any{"rotary_pct": 0.4}, []string{"rotary embedding of 3 values"}},
		{"neox", map[string]any{"hidden_act": 3}, []string{"hidden_act: 3 is not a text"}},
		{"neox", map[string]any{"eos_token_id": "end"}, []string{"eos_token_id"}},
	} {
		ck := takeApart(t, c.base)
		maps.Copy(ck.config, c.set)
		_, err := ck.load(t)
		for _, want := range c.want {
			if err == nil || !strings.HasPrefix(err.Error(), "config.json: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v: error %v, want it to say %q", c.set, err, want)
			}
		}
	}
	for _, bad := range []string{"", "[]", "null", "{", `{"model_type":1}`, `{"model_type":"gpt2"} x`} {
		if _, err := model.Load([]byte(bad), nil); err == nil || !strings.HasPrefix(err.Error(), "config.json: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestConfig(t *testing.T) {
	c := takeApart(t, "llama-tied")
	c.config["eos_token_id"] = []int{271, 5, 100000}
	c.config["bos_token_id"] = nil
	c.config["sliding_window"], c.config["use_sliding_window"] = 8, false
	m, err := c.load(t)
	if err != nil {
		t.Fatal(err)
	}
	got := m.Config()
	if got.BOS != -1 || !slices.Equal(got.EOS, []int{271, 5}) {
		t.Errorf("BOS %d, EOS %v", got.BOS, got.EOS)
	}
	if got.Family != "llama" || got.NLayers != 2 || got.NHeads != 4 || got.NKVHeads != 1 || got.DHead != 6 || got.DModel != 16 || got.DMLP != 40 ||
		got.DVocab != 272 || got.NCtx != 64 || got.RotaryDims != 6 || got.RotaryBase != 500 || !got.Tied || !got.AttnBias || !got.MLPBias || got.NormEps != 1e-6 {
		t.Errorf("config %+v", got)
	}
	if rows := m.Rows(); !slices.Equal(rows, []string{"embed", "0_post", "1_post"}) {
		t.Errorf("rows %v", rows)
	}
	got.EOS[0] = 0
	if m.Config().EOS[0] != 271 {
		t.Error("Config hands out its own memory")
	}
	delete(c.config, "bos_token_id")
	delete(c.config, "eos_token_id")
	if m, err = c.load(t); err != nil || m.Config().BOS != 1 || !slices.Equal(m.Config().EOS, []int{2}) {
		t.Errorf("without token ids: %v, want Hugging Face's defaults 1 and 2", err)
	}
}

func FuzzConfig(f *testing.F) {
	for _, name := range lenstest.Names() {
		js, err := fs.ReadFile(lenstest.FS(name), "config.json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(js)
	}
	f.Add([]byte(`{"model_type":"llama","hidden_size":262144,"num_hidden_layers":1024,"num_attention_heads":4096,"head_dim":262144}`))
	f.Add([]byte(`{"model_type":"gpt_neox","num_attention_heads":0,"hidden_size":0,"rope_parameters":{"rope_theta":1e999}}`))
	w, err := weights.Open(lenstest.FS("llama-tied"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { w.Close() })
	f.Fuzz(func(t *testing.T, config []byte) {
		m, err := model.Load(config, w)
		if err != nil {
			return
		}
		if c := m.Config(); c.Family != "llama" || c.DModel != 16 || c.DVocab != 272 || c.NHeads*c.DHead != 24 {
			t.Errorf("loaded as %+v", c)
		}
	})
}
