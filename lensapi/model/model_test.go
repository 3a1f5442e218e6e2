package model_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"maps"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"github.com/gopherlens/gopherlens/lensapi/lenstest"
	"github.com/gopherlens/gopherlens/lensapi/model"
	"github.com/gopherlens/gopherlens/lensapi/weights"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type tensor struct {
	dtype string
	shape []int
	data  []float32
}

// checkpoint is a tiny model taken apart, to be spoiled and loaded.
type checkpoint struct {
	config  map[string]any
	tensors map[string]tensor
}

func takeApart(t *testing.T, name string) *checkpoint {
	t.Helper()
	c := &checkpoint{map[string]any{}, map[string]tensor{}}
	js, err := fs.ReadFile(lenstest.FS(name), "config.json")
	if err == nil {
		err = json.Unmarshal(js, &c.config)
	}
	if err != nil {
		t.Fatal(err)
	}
	w, err := weights.Open(lenstest.FS(name))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, n := range w.Names() {
		info, _ := w.Info(n)
		if !weights.Readable(info.DType) {
			continue
		}
		data, err := w.Float32(n)
		if err != nil {
			t.Fatal(err)
		}
		c.tensors[n] = tensor{"F32", info.Shape, data}
	}
	return c
}

func (c *checkpoint) load(t *testing.T) (*model.Model, error) {
	t.Helper()
	config, w := c.open(t)
	defer w.Close()
	return model.Load(config, w)
}

func (c *checkpoint) open(t *testing.T) (config []byte, w *weights.Set) {
	t.Helper()
	header, body := map[string]any{}, new(bytes.Buffer)
	for _, n := range slices.Sorted(maps.Keys(c.tensors)) {
		x, at := c.tensors[n], body.Len()
		for _, v := range x.data {
			body.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
		}
		header[n] = map[string]any{"dtype": x.dtype, "shape": x.shape, "data_offsets": []int{at, body.Len()}}
	}
	config, err := json.Marshal(c.config)
	head, err2 := json.Marshal(header)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)
	w, err = weights.Open(fstest.MapFS{"model.safetensors": {Data: append(file, body.Bytes()...)}})
	if err != nil {
		t.Fatal(err)
	}
	return config, w
}

func TestLoadSpoiledTensors(t *testing.T) {
	c := takeApart(t, "gpt2")
	if _, err := c.load(t); err != nil {
		t.Fatal(err)
	}
	delete(c.tensors, "transformer.h.0.ln_1.weight")
	delete(c.tensors, "transformer.h.1.mlp.c_proj.bias")
	c.tensors["transformer.h.2.ln_1.weight"] = tensor{"F32", []int{1}, []float32{1}}
	c.tensors["classifier"] = tensor{"F32", []int{1}, []float32{1}}
	c.tensors["transformer.ln_f.bias"] = tensor{"F32", []int{2, 8}, make([]float32, 16)}
	c.tensors["transformer.h.0.ln_2.bias"] = tensor{"I32", []int{16}, make([]float32, 16)}
	_, err := c.load(t)
	if err == nil {
		t.Fatal("a spoiled checkpoint was loaded")
	}
	for _, want := range []string{
		"6 tensors do not fit", "missing transformer.h.0.ln_1.weight", "missing transformer.h.1.mlp.c_proj.bias", "unexpected transformer.h.2.ln_1.weight",
		"unexpected classifier", "transformer.ln_f.bias has shape [2 8], want [16]", "transformer.h.0.ln_2.bias has dtype I32 (supported: F32, F16, BF16, F64)",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Error("the error is more than one line")
	}
}

func TestLoadRefusesOtherThings(t *testing.T) {
	for name, c := range map[string]struct {
		base  string
		spoil func(c *checkpoint)
		want  string
	}{
		"NaN weight": {"llama", func(c *checkpoint) { c.tensors["model.norm.weight"].data[3] = float32(math.NaN()) }, `model.safetensors: tensor "model.norm.weight": value 3 is NaN`},
		"overflow": {"gpt2", func(c *checkpoint) {
			w := c.tensors["transformer.h.1.mlp.c_fc.weight"].data
			for i := range w {
				w[i] = 3e38
			}
		}, "self-check: blocks.1."},
		"tied but different": {"llama-tied", func(c *checkpoint) {
			x := c.tensors["model.embed_tokens.weight"]
			x.data = slices.Clone(x.data)
			x.data[7]++
			c.tensors["lm_head.weight"] = x
		}, `model.safetensors: tie_word_embeddings is true in config.json, but tensor "lm_head.weight" differs from "model.embed_tokens.weight"`},
		"untied without a head": {"gpt2", func(c *checkpoint) { c.config["tie_word_embeddings"] = false }, "missing lm_head.weight"},
		"undeclared bias": {"llama", func(c *checkpoint) {
			c.tensors["model.layers.0.self_attn.q_proj.bias"] = tensor{"F32", []int{16}, make([]float32, 16)}
		}, "unexpected model.layers.0.self_attn.q_proj.bias"},
		"more layers": {"neox", func(c *checkpoint) { c.config["num_hidden_layers"] = 3 }, "missing gpt_neox.layers.2.mlp.dense_4h_to_h.bias"},
	} {
		t.Run(name, func(t *testing.T) {
			ck := takeApart(t, c.base)
			c.spoil(ck)
			if _, err := ck.load(t); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want it to say %q", err, c.want)
			}
		})
	}
	c := takeApart(t, "llama-tied") // a copy of the tied matrix is harmless, and so are old buffers
	c.tensors["lm_head.weight"] = c.tensors["model.embed_tokens.weight"]
	c.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = tensor{"F32", []int{3}, make([]float32, 3)}
	if _, err := c.load(t); err != nil {
		t.Error(err)
	}
}

func TestConfigNonsense(t *testing.T) {
	for _, c := range []struct {
		base string
		set  map[string]any
		want []string
	}{
		{"gpt2", map[string]any{"model_type": "bloom"}, []string{`model_type "bloom" is not supported (supported: gemma, gemma2, gemma3_text, gpt2, gpt_neo, gpt_neox, llama, mistral, opt, phi3, qwen2, qwen3)`}},
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
		{"gpt2", map[string]any{"scale_attn_by_inverse_layer_idx": true, "scale_attn_weights": false, "add_cross_attention": true},
			[]string{"scale_attn_by_inverse_layer_idx=true is not supported", "scale_attn_weights=false is not supported", "add_cross_attention=true"}},
		{"gpt2", map[string]any{"quantization_config": map[string]any{"bits": 4}}, []string{"quantization_config: quantized weights are not supported"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"rope_type": "llama3", "factor": 8}},
			[]string{"rope_scaling: original_max_position_embeddings is 0", "rope_scaling: low_freq_factor is missing", "rope_scaling: high_freq_factor is missing"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"rope_type": "llama3", "factor": 8, "original_max_position_embeddings": 8, "low_freq_factor": 4, "high_freq_factor": 4}},
			[]string{"rope_scaling: high_freq_factor 4 is not above low_freq_factor 4"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"type": "linear"}}, []string{"rope_scaling: factor is missing"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"type": "linear", "factor": 0.5}}, []string{"rope_scaling: factor is 0.5 (allowed: 1 to"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"type": "linear", "factor": 2, "beta_fast": 2}}, []string{"rope_scaling: beta_fast is not supported for type linear"}},
		{"llama", map[string]any{"rope_scaling": map[string]any{"type": "longrope", "short_factor": []int{1}}},
			[]string{`rope_scaling: type "longrope" is not supported (supported: default, dynamic, linear, llama3, yarn)`}},
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
		{"phi3", map[string]any{"rope_scaling": map[string]any{"type": "longrope", "long_factor": []int{1}, "short_factor": []int{1}}},
			[]string{`rope_scaling: type "longrope" is not supported`}},
		{"phi3", map[string]any{"rope_scaling": map[string]any{"type": "su"}}, []string{`rope_scaling: type "su" is not supported`}},
		{"phi3", map[string]any{"partial_rotary_factor": 0.3}, []string{"rotary embedding of 1 values"}},
		{"gemma", map[string]any{"hidden_activation": nil, "hidden_act": "silu"}, []string{`hidden_act "silu" without hidden_activation is not supported`}},
		{"gemma", map[string]any{"model_type": "gemma3"}, []string{`model_type "gemma3" is not supported`}},
		{"gemma2", map[string]any{"attn_logit_softcapping": -1, "final_logit_softcapping": 0, "query_pre_attn_scalar": 0},
			[]string{"attn_logit_softcapping is -1", "final_logit_softcapping is 0", "query_pre_attn_scalar is 0"}},
		{"gemma3", map[string]any{"use_bidirectional_attention": true}, []string{"use_bidirectional_attention=true is not supported"}},
		{"gemma3", map[string]any{"sliding_window_pattern": 0}, []string{"sliding_window_pattern is 0"}},
		{"gemma3", map[string]any{"rope_parameters": map[string]any{"full_attention": map[string]any{"rope_type": "longrope"}, "sliding_attention": map[string]any{"rope_theta": -1}}},
			[]string{`rope_parameters: full_attention: type "longrope" is not supported`, "rope_parameters: sliding_attention: rope_theta is -1"}},
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

// TestSites compares SITES.md with the sites of every tiny model: names, order, shapes and families.
func TestSites(t *testing.T) {
	doc, err := os.ReadFile("../SITES.md")
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ name, shape, families string }
	var table []row
	for line := range strings.Lines(string(doc)) {
		if f := strings.Split(line, "|"); len(f) == 6 && strings.Contains(f[1], "hook_") {
			clean := func(s string) string { return strings.Trim(s, " `") }
			table = append(table, row{clean(f[1]), clean(f[2]), clean(f[3])})
		}
	}
	for _, name := range lenstest.Names() {
		m := lenstest.Model(t, name)
		c := m.Config()
		size := map[string]int{"d_model": c.DModel, "n_heads": c.NHeads, "n_kv_heads": c.NKVHeads, "d_head": c.DHead, "d_mlp": c.DMLP, "S": model.Positions, "1": 1}
		has := func(r row) bool {
			switch {
			case r.families == "all but parallel gpt_neox":
				return !c.Parallel
			case r.families == "all":
				return true
			}
			if others, ok := strings.CutPrefix(r.families, "all but "); ok {
				return !slices.Contains(strings.Split(others, ", "), c.Family)
			}
			return slices.Contains(strings.Split(r.families, ", "), c.Family)
		}
		var want []model.Site
		add := func(r row, layer string) {
			if !has(r) {
				return
			}
			s := model.Site{Name: strings.ReplaceAll(r.name, "{l}", layer), Head: strings.HasPrefix(r.name, "ln_final")}
			for _, d := range strings.Split(strings.Trim(r.shape, "[]"), ", ") {
				s.Shape = append(s.Shape, size[d])
			}
			want = append(want, s)
		}
		for i, r := range table {
			if !strings.Contains(r.name, "{l}") {
				add(r, "")
			} else if !strings.Contains(table[i-1].name, "{l}") {
				for _, layer := range []string{"0", "1"} {
					for _, r := range table {
						if strings.Contains(r.name, "{l}") {
							add(r, layer)
						}
					}
				}
			}
		}
		got := m.Sites()
		if len(got) != len(want) {
			t.Fatalf("%s: %d sites, SITES.md has %d", name, len(got), len(want))
		}
		for i := range got {
			if got[i].Name != want[i].Name || !slices.Equal(got[i].Shape, want[i].Shape) || got[i].Head != want[i].Head {
				t.Errorf("%s: site %d is %+v, SITES.md has %+v", name, i, got[i], want[i])
			}
			if at, s, err := m.Site(got[i].Name); err != nil || at != i || s.Name != got[i].Name {
				t.Errorf("Site(%q) = %d, %v, %v", got[i].Name, at, s, err)
			}
		}
	}
}

// FuzzConfig: no config makes Load panic or allocate by its word alone, and what it accepts fits the tensors.
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

func TestEstimate(t *testing.T) {
	for name, want := range map[string]model.Memory{
		// 272*16 + 64*16 embeddings, two layers of 4*16*16 + 2*16*64 and 13*16 beside them, 2*16 of the final norm; all F32
		"gpt2": {Weights: 4 * (272*16 + 64*16 + 2*(4*256+2*1024+13*16) + 32), Position: 4 * 2 * 2 * 16}, // at least: kernels may pad the values of a head
	} {
		config, err := fs.ReadFile(lenstest.FS(name), "config.json")
		if err != nil {
			t.Fatal(err)
		}
		w, err := weights.Open(lenstest.FS(name))
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if m, err := model.Estimate(config, w, model.Options{}); err != nil || m.Weights != want.Weights || m.Position < want.Position || m.Position > 4*want.Position {
			t.Errorf("%s: %+v (%v), want %+v", name, m, err, want)
		}
	}
	w, err := weights.Open(lenstest.FS("llama"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := model.Estimate([]byte(smallConfig), w, model.Options{}); err == nil || !strings.Contains(err.Error(), "missing wte.weight") && !strings.Contains(err.Error(), "missing transformer.wte.weight") {
		t.Errorf("the tensors of another model: %v", err)
	}
}

const smallConfig = `{"model_type":"gpt2","n_embd":64,"n_layer":2,"n_head":4,"n_positions":128,"vocab_size":300}`

// TestLazy: layers that are read when they are first needed give the same, and what is wrong in one is said then.
func TestLazy(t *testing.T) {
	for _, name := range lenstest.Names() {
		c := takeApart(t, name)
		config, w := c.open(t)
		defer w.Close()
		lazy, err := model.LoadWith(config, w, model.Options{Lazy: true})
		if err != nil {
			t.Fatal(name, err)
		}
		eager, err := c.load(t)
		if err != nil {
			t.Fatal(name, err)
		}
		if !reflect.DeepEqual(lazy.Sites(), eager.Sites()) {
			t.Errorf("%s: the sites differ", name)
		}
		if a, b := pass(t, lazy), pass(t, eager); !slices.Equal(a, b) {
			t.Errorf("%s: lazy and eager differ", name)
		}
	}
	c := takeApart(t, "llama")
	c.tensors["model.layers.1.mlp.up_proj.weight"].data[5] = float32(math.Inf(1))
	config, w := c.open(t)
	defer w.Close()
	m, err := model.LoadWith(config, w, model.Options{Lazy: true})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p, err := m.NewProgram()
		if err != nil {
			t.Fatal(err)
		}
		err = p.Run(context.Background(), []int{1}, m.NewCache(), nil)
		if want := `model.safetensors: tensor "model.layers.1.mlp.up_proj.weight": value 5 is +Inf`; err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("a run through an infinite weight: %v, want %q", err, want)
		}
	}
}

// pass is what the last block gives for a few tokens.
func pass(t *testing.T, m *model.Model) (out []float32) {
	t.Helper()
	p, err := m.NewProgram()
	if err != nil {
		t.Fatal(err)
	}
	taps := make([]model.Tap, len(m.Sites()))
	for i, s := range m.Sites() {
		if s.Name == "blocks.1.hook_resid_post" {
			taps[i] = func(a model.Activation) error { out = slices.Clone(a.Data); return nil }
		}
	}
	if err := p.Run(context.Background(), []int{3, 1, 4, 1, 5}, m.NewCache(), taps); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRoundedWeights: conversions round to nearest, say that they did, and leave alone what is of that type already.
func TestRoundedWeights(t *testing.T) {
	for _, name := range lenstest.Names() {
		config, err := fs.ReadFile(lenstest.FS(name), "config.json")
		if err != nil {
			t.Fatal(err)
		}
		w, err := weights.Open(lenstest.FS(name))
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		stored, err := model.Load(config, w)
		if err != nil || stored.Approximation() != "" {
			t.Fatal(name, err, stored.Approximation())
		}
		var dtype string
		for _, n := range w.Names() {
			if info, _ := w.Info(n); len(info.Shape) == 2 {
				dtype = strings.ToLower(info.DType)
			}
		}
		full, _ := model.Estimate(config, w, model.Options{})
		for _, to := range []string{"f16", "bf16"} {
			m, err := model.LoadWith(config, w, model.Options{Weights: to})
			if err != nil {
				t.Fatal(name, to, err)
			}
			same := slices.Equal(pass(t, m), pass(t, stored))
			if to == dtype && (m.Approximation() != "" || !same) {
				t.Errorf("%s is %s: %q, the same numbers: %v", name, dtype, m.Approximation(), same)
			}
			if to != dtype && (m.Approximation() != "weights rounded to "+to || dtype == "f32" && same) {
				t.Errorf("%s from %s to %s: %q, the same numbers: %v", name, dtype, to, m.Approximation(), same)
			}
			half, err := model.Estimate(config, w, model.Options{Weights: to})
			if err != nil || dtype == "f32" && half.Weights > full.Weights*3/4 || dtype != "f32" && half != full {
				t.Errorf("%s from %s to %s: %+v, was %+v (%v)", name, dtype, to, half, full, err)
			}
		}
	}
	c := takeApart(t, "gpt2")
	config, set := c.open(t)
	defer set.Close()
	eighth, err := model.LoadWith(config, set, model.Options{Weights: "int8"})
	exact, err2 := model.Load(config, set)
	if err != nil || err2 != nil || eighth.Approximation() != "weights rounded to int8" {
		t.Fatal(err, err2)
	}
	x, y := pass(t, eighth), pass(t, exact)
	var off, size float64
	for i := range x {
		off, size = off+math.Abs(float64(x[i]-y[i])), size+math.Abs(float64(y[i]))
	}
	if off == 0 || off > 0.03*size {
		t.Errorf("int8 is off by %.2g of the residual stream", off/size)
	}
	w := c.tensors["transformer.h.1.mlp.c_fc.weight"].data
	load := func(to string) (*model.Model, error) {
		config, set := c.open(t)
		defer set.Close()
		return model.LoadWith(config, set, model.Options{Weights: to})
	}
	w[3] = -65519 // rounds to the greatest half float
	if _, err := load("f16"); err != nil {
		t.Error(err)
	}
	w[3] = -65520
	if _, err := load("f16"); err == nil || !strings.Contains(err.Error(), `tensor "transformer.h.1.mlp.c_fc.weight": value 3 is -65520, beyond what f16 holds`) {
		t.Errorf("beyond f16: %v", err)
	}
	if _, err := load("f8"); err == nil || !strings.Contains(err.Error(), `weights "f8" are not supported (supported: f16, bf16, int8`) {
		t.Errorf("f8: %v", err)
	}
}
