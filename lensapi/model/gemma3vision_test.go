package model_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/lenstest"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

// nested is the tiny Gemma 3 in the layout of a checkpoint that sees images, whose text model has names that begin with text.
func nested(t *testing.T, text, images string) *checkpoint {
	t.Helper()
	flat := takeApart(t, "gemma3")
	c := &checkpoint{config: map[string]any{"model_type": "gemma3", "text_config": flat.config, "vision_config": map[string]any{"model_type": "siglip_vision_model"},
		"image_token_index": 262144, "eos_token_id": []int{1, 106}}, tensors: map[string]tensor{}}
	for n, x := range flat.tensors {
		c.tensors[text+strings.TrimPrefix(n, "model.")] = x
	}
	c.tensors[images+"vision_tower.vision_model.embeddings.patch_embedding.weight"] = tensor{"F32", []int{1, 1, 2, 2}, make([]float32, 4)}
	c.tensors[images+"multi_modal_projector.mm_input_projection_weight"] = tensor{"F32", []int{2, 2}, make([]float32, 4)}
	return c
}

var layouts = []struct{ text, images, unembed string }{
	{"language_model.model.", "", "language_model.lm_head.weight"},
	{"model.language_model.", "model.", "lm_head.weight"},
	{"language_model.", "", "lm_head.weight"},
}

// everything is what all sites of the layers hold, and the logits of the last of them.
func everything(t *testing.T, m *model.Model, ids []int) (out []float32) {
	t.Helper()
	p, err := m.NewProgram()
	if err != nil {
		t.Fatal(err)
	}
	taps := make([]model.Tap, len(m.Sites()))
	var last []float32
	for i, s := range m.Sites() {
		taps[i] = func(a model.Activation) error {
			out = append(out, a.Data...)
			if s.Name == "blocks.1.hook_resid_post" {
				last = slices.Clone(a.Data)
			}
			return nil
		}
	}
	if err := p.Run(context.Background(), ids, m.NewCache(), taps); err != nil {
		t.Fatal(err)
	}
	h, err := m.NewHead()
	if err != nil {
		t.Fatal(err)
	}
	logits := make([]float32, len(ids)*m.Config().DVocab)
	if err := h.Run(context.Background(), last, logits, nil); err != nil {
		t.Fatal(err)
	}
	return append(out, logits...)
}

// The text model of a nested checkpoint has the bits of the flat one, which is compared with the reference.
func TestGemma3Vision(t *testing.T) {
	ids := func() []int {
		g, err := lenstest.Golden("gemma3")
		if err != nil {
			t.Fatal(err)
		}
		return g.IDs
	}()
	flat, err := takeApart(t, "gemma3").load(t)
	if err != nil || flat.Unread() != 0 {
		t.Fatal(err, flat.Unread())
	}
	want := everything(t, flat, ids)
	for _, l := range layouts {
		c := nested(t, l.text, l.images)
		m, err := c.load(t)
		if err != nil {
			t.Fatal(l.text, err)
		}
		if got := everything(t, m, ids); !slices.Equal(got, want) || len(got) < 10000 {
			t.Errorf("%s: other numbers than those of the text checkpoint", l.text)
		}
		cfg := m.Config()
		if m.Unread() != 2 || cfg.Family != "gemma3" || cfg.BOS != 268 || !slices.Equal(cfg.EOS, []int{1, 106}) {
			t.Errorf("%s: %d unread, %+v", l.text, m.Unread(), cfg)
		}
		delete(c.config, "eos_token_id")
		if m, err = c.load(t); err != nil || !slices.Equal(m.Config().EOS, []int{271}) {
			t.Errorf("%s: %v; EOS must be that of text_config", l.text, err)
		}

		c.tensors[l.unembed] = c.tensors[l.text+"embed_tokens.weight"] // stored twice
		if _, err = c.load(t); err != nil {
			t.Errorf("%s: a tied unembedding that was stored: %v", l.text, err)
		}
		text := maps.Clone(c.config["text_config"].(map[string]any))
		text["tie_word_embeddings"] = false
		c.config["text_config"] = text
		if m, err = c.load(t); err != nil || m.Config().Tied {
			t.Errorf("%s: untied: %v", l.text, err)
		}

		c.tensors[l.images+"audio_tower.weight"] = tensor{"F32", []int{1}, make([]float32, 1)}
		delete(c.tensors, l.text+"norm.weight")
		if _, err = c.load(t); err == nil || !strings.Contains(err.Error(), "missing "+l.text+"norm.weight; unexpected "+l.images+"audio_tower.weight") {
			t.Errorf("%s: %v", l.text, err)
		}
	}
}
