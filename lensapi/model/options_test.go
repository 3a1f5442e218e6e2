package model_test

import (
	"context"
	"io/fs"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/lenstest"
	"github.com/gopherlens/gopherlens/lensapi/model"
	"github.com/gopherlens/gopherlens/lensapi/weights"
)

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
