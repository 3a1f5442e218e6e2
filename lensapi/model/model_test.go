package model_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"maps"
	"math"
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
	c = takeApart(t, "gpt2")
	c.config["n_layer"] = 1000
	if _, err = c.load(t); err == nil || !strings.HasSuffix(err.Error(), "and 11936 more") || len(err.Error()) > 4000 {
		t.Errorf("a config of far more layers: %v", err)
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

// TestSites compares SITES.md with the sites of every tiny model: names, order, shapes and families.
// FuzzConfig: no config makes Load panic or allocate by its word alone, and what it accepts fits the tensors.
const smallConfig = `{"model_type":"gpt2","n_embd":64,"n_layer":2,"n_head":4,"n_positions":128,"vocab_size":300}`

// TestLazy: layers that are read when they are first needed give the same, and what is wrong in one is said then.
// pass is what the last block gives for a few tokens.
// TestRoundedWeights: conversions round to nearest, say that they did, and leave alone what is of that type already.
