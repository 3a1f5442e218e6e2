package model

import (
	"slices"
	"testing"
)

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
	} {
		got, err := parseConfig([]byte(c.config))
		if err != nil || !slices.Equal(got.Windows, c.want) {
			t.Errorf("%s: windows %v (%v), want %v", c.config, got.Windows, err, c.want)
		}
	}
}
