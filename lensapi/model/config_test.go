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
