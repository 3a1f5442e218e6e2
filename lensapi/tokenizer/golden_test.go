package tokenizer_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/teach"
	"github.com/gopherlens/gopherlens/lensapi/tokenizer"
)

// goldenPrompt is the part of golden.json that concerns the tokenizer. Prompts given as ids have no text.
type goldenPrompt struct {
	Text   *string  `json:"text"`
	IDs    []int    `json:"ids"`
	Tokens []string `json:"tokens"`
}

func readGolden(t testing.TB, file string) []goldenPrompt {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Prompts []goldenPrompt `json:"prompts"`
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Prompts) == 0 {
		t.Fatalf("%s has no prompts", file)
	}
	return g.Prompts
}

// moduleRoot walks up to go.mod.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = up
	}
}

// checkGolden compares ids with the reference's and the reference's raw token strings with the vocabulary.
func checkGolden(t *testing.T, tok *tokenizer.Tokenizer, prompts []goldenPrompt) {
	t.Helper()
	texts := 0
	for _, p := range prompts {
		if p.Text == nil || *p.Text == "" {
			continue
		}
		texts++
		got, err := tok.Encode(*p.Text)
		if err != nil {
			t.Fatalf("%q: %v", *p.Text, err)
		}
		if id, ok := tok.BOS(); ok && tok.AddsBOS() {
			got = append([]int{id}, got...)
		}
		if !slices.Equal(got, p.IDs) {
			t.Errorf("%q:\n got %v\nwant %v", *p.Text, got, p.IDs)
		}
		if d := tok.Decode(p.IDs); d != *p.Text {
			t.Errorf("decode of %q gives %q", *p.Text, d)
		}
	}
	if texts == 0 {
		t.Fatal("no text prompt was compared")
	}
}

func TestTeachGolden(t *testing.T) {
	tok, err := tokenizer.Load(teach.FS())
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, tok, readGolden(t, filepath.Join(moduleRoot(t), "lensapi", "teach", "testdata", "golden.json")))
	if id, ok := tok.BOS(); id != 1016 || !ok || tok.AddsBOS() {
		t.Errorf("BOS %d %v, adds %v; want 1016 true, false", id, ok, tok.AddsBOS())
	}
	if eos := tok.EOS(); !slices.Equal(eos, []int{1019}) {
		t.Errorf("EOS %v; want [1019]", eos)
	}
	if tok.Size() != 1020 {
		t.Errorf("Size %d; want 1020", tok.Size())
	}
}

// The chat prompts of golden.json are given as ids: rendering and encoding the conversation must give the same.
func TestTeachChatIDs(t *testing.T) {
	tok, err := tokenizer.Load(teach.FS())
	if err != nil {
		t.Fatal(err)
	}
	text, err := tok.RenderChat([]tokenizer.Message{
		{Role: "user", Content: "What is the capital of Japan?"},
		{Role: "assistant", Content: "The capital of Japan is Tokyo."},
		{Role: "user", Content: "And its currency?"},
	}, true)
	if err != nil {
		t.Fatal(err)
	}
	want := "<|user|>What is the capital of Japan?<|end|><|assistant|>The capital of Japan is Tokyo.<|end|><|user|>And its currency?<|end|><|assistant|>"
	if text != want {
		t.Fatalf("got  %q\nwant %q", text, want)
	}
	ids, err := tok.Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	// From testdata/golden.json, where the prompt goes on with the start of the answer (1000 786 980).
	prompt := []int{1017, 994, 858, 841, 773, 980, 403, 30, 1019, 1018, 1000, 773, 980, 403, 858, 760, 13, 1019, 1017, 1013, 860, 786, 30, 1019, 1018}
	if !slices.Equal(ids, prompt) {
		t.Errorf("got  %v\nwant %v", ids, prompt)
	}
	if d := tok.Decode(ids[:9]); d != "What is the capital of Japan?" {
		t.Errorf("Decode leaves %q", d)
	}
}

func TestSharedGolden(t *testing.T) {
	models := filepath.Join(moduleRoot(t), "..", "shared", "models")
	for _, c := range []struct {
		dir     string
		bos     int
		addsBOS bool
		eos     []int
	}{
		{"teach-draft", 1016, false, []int{1019}},
		{"stories260k-llama", 1, true, []int{2}},
		{"kjv-neox", 0, false, []int{0}},
		{"nano-sort-gpt2", -1, false, nil},
	} {
		t.Run(c.dir, func(t *testing.T) {
			dir := filepath.Join(models, c.dir)
			if _, err := os.Stat(dir); err != nil {
				t.Skipf("skipped: %s is not here", filepath.Join("..", "shared", "models", c.dir))
			}
			tok, err := tokenizer.Load(os.DirFS(dir))
			if err != nil {
				t.Fatal(err)
			}
			checkGolden(t, tok, readGolden(t, filepath.Join(dir, "golden.json")))
			if id, _ := tok.BOS(); id != c.bos || tok.AddsBOS() != c.addsBOS || !slices.Equal(tok.EOS(), c.eos) {
				t.Errorf("BOS %d adds %v EOS %v; want %d %v %v", id, tok.AddsBOS(), tok.EOS(), c.bos, c.addsBOS, c.eos)
			}
		})
	}
}
