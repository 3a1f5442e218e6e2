package model

import (
	"reflect"
	"slices"
	"testing"
)

// TestGemma3Rope: the older fields and the newer object describe the same two rotary embeddings.
func TestGemma3Rope(t *testing.T) {
	old, err := parseConfig([]byte(`{"model_type":"gemma3_text","rope_theta":500000,"rope_local_base_freq":20000,"rope_scaling":{"rope_type":"linear","factor":8.0}}`))
	now, err2 := parseConfig([]byte(`{"model_type":"gemma3_text","rope_parameters":{"full_attention":{"rope_type":"linear","factor":8.0,"rope_theta":500000},
		"sliding_attention":{"rope_type":"default","rope_theta":20000}}}`))
	if err != nil || err2 != nil || !reflect.DeepEqual(old, now) || old.LocalBase != 20000 || old.RotaryBase != 500000 || old.RotaryScaling.Factor != 8 {
		t.Errorf("%+v (%v) and %+v (%v)", old, err, now, err2)
	}
}

// TestWindows: which layers have a window, by each family's defaults and options.
func TestWindows(t *testing.T) {
	for _, c := range []struct {
		config string
		want   []int
	}{
		{`{"model_type":"llama","num_hidden_layers":2}`, nil},
		{`{"model_type":"mistral","num_hidden_layers":2}`, []int{4096, 4096}},
		{`{"model_type":"mistral","num_hidden_layers":2,"sliding_window":null}`, nil},
		{`{"model_type":"phi3","num_hidden_layers":2}`, nil},
		{`{"model_type":"phi3","num_hidden_layers":2,"sliding_window":2047}`, []int{2047, 2047}},
		{`{"model_type":"qwen2","num_hidden_layers":2,"sliding_window":8,"max_window_layers":0}`, nil},
		{`{"model_type":"qwen2","num_hidden_layers":30,"use_sliding_window":true}`, append(make([]int, 28), 4096, 4096)},
		{`{"model_type":"qwen3","num_hidden_layers":3,"use_sliding_window":true,"layer_types":["sliding_attention","full_attention","sliding_attention"],"sliding_window":9}`, []int{9, 0, 9}},
		{`{"model_type":"gemma","num_hidden_layers":2}`, nil},
		{`{"model_type":"gemma2","num_hidden_layers":5}`, []int{4096, 0, 4096, 0, 4096}},
		{`{"model_type":"gemma3_text","num_hidden_layers":13,"sliding_window":512}`, []int{512, 512, 512, 512, 512, 0, 512, 512, 512, 512, 512, 0, 512}},
		{`{"model_type":"gemma3_text","num_hidden_layers":3,"layer_types":["full_attention","full_attention","sliding_attention"]}`, []int{0, 0, 4096}},
		{`{"model_type":"gpt_neo","num_layers":5,"attention_types":[[["global"],2],[["local","global","local"],1]],"window_size":7}`, []int{0, 0, 7, 0, 7}},
		{`{"model_type":"opt","num_hidden_layers":2}`, nil},
	} {
		got, err := parseConfig([]byte(c.config))
		if err != nil || !slices.Equal(got.Windows, c.want) {
			t.Errorf("%s: windows %v (%v), want %v", c.config, got.Windows, err, c.want)
		}
	}
}

// TestGemma3Released: the configs of the released checkpoints leave most fields to the defaults of Hugging Face's Gemma3TextConfig.
func TestGemma3Released(t *testing.T) {
	for _, c := range []struct {
		nested, flat string
		windowless   int
	}{
		{`{"architectures":["Gemma3ForConditionalGeneration"],"model_type":"gemma3","boi_token_index":255999,"eoi_token_index":256000,"eos_token_id":[1,106],"image_token_index":262144,
			"initializer_range":0.02,"mm_tokens_per_image":256,"torch_dtype":"bfloat16","vision_config":{"hidden_size":1152,"model_type":"siglip_vision_model"},
			"text_config":{"hidden_size":2560,"intermediate_size":10240,"model_type":"gemma3_text","num_hidden_layers":34,"rope_scaling":{"factor":8.0,"rope_type":"linear"},"sliding_window":1024}}`,
			`{"model_type":"gemma3_text","vocab_size":262208,"hidden_size":2560,"intermediate_size":10240,"num_hidden_layers":34,"num_attention_heads":8,"num_key_value_heads":4,"head_dim":256,
			"hidden_activation":"gelu_pytorch_tanh","max_position_embeddings":131072,"rms_norm_eps":1e-6,"bos_token_id":2,"eos_token_id":[1,106],"tie_word_embeddings":true,"rope_theta":1000000,
			"attention_bias":false,"query_pre_attn_scalar":256,"sliding_window":1024,"final_logit_softcapping":null,"attn_logit_softcapping":null,"rope_scaling":{"factor":8.0,"rope_type":"linear"},
			"rope_local_base_freq":10000,"sliding_window_pattern":6}`, 5},
		{`{"model_type":"gemma3"}`, `{"model_type":"gemma3_text","vocab_size":262208,"hidden_size":2304,"intermediate_size":9216,"num_hidden_layers":26,"num_attention_heads":8,"num_key_value_heads":4,
			"head_dim":256,"max_position_embeddings":131072,"sliding_window":4096,"sliding_window_pattern":6,"query_pre_attn_scalar":256,"rope_theta":1000000,"rope_local_base_freq":10000,
			"bos_token_id":2,"eos_token_id":1}`, 4},
	} {
		got, err := parseConfig([]byte(c.nested))
		want, err2 := parseConfig([]byte(c.flat))
		got.Family = want.Family
		if err != nil || err2 != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v (%v)\nwant %+v (%v)", got, err, want, err2)
		}
		n := 0
		for _, w := range got.Windows {
			if w == 0 {
				n++
			}
		}
		if n != c.windowless || got.DVocab != 262208 || got.DHead != 256 || !got.QKNorm || got.LocalBase != 10000 {
			t.Errorf("%d layers without a window in %+v", n, got)
		}
	}
}
