package lenstest_test

import (
	"io/fs"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/lenstest"
	"github.com/gopherlens/gopherlens/lensapi/tokenizer"
)

func TestModels(t *testing.T) {
	const text = "the cat sat at the \x00 \u00e9\U0001f600 123\n"
	for _, name := range lenstest.Names() {
		c := lenstest.Model(t, name).Config()
		tok, err := tokenizer.Load(lenstest.FS(name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		bos, ok := tok.BOS()
		if c.DVocab != 272 || tok.Size() != c.DVocab || !ok || bos != c.BOS || !tok.HasChatTemplate() {
			t.Errorf("%s: vocabulary of %d, tokenizer of %d, BOS %d and %d, chat template %v", name, c.DVocab, tok.Size(), c.BOS, bos, tok.HasChatTemplate())
		}
		ids, err := tok.Encode("<|bos|>" + text + "<|end|>")
		if err != nil || tok.Decode(ids) != text || ids[0] != c.BOS || ids[len(ids)-1] != c.EOS[0] {
			t.Errorf("%s: %q is %v and back %q (%v)", name, text, ids, tok.Decode(ids), err)
		}
		g, err := lenstest.Golden(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(g.Resid) != c.NLayers+1 || len(g.Lens) != c.NLayers+1 || len(g.Logits) != len(g.IDs) || len(g.Logits[0]) != c.DVocab || len(g.Pattern[1]) != c.NHeads {
			t.Errorf("%s: the golden does not have the model's shape", name)
		}
	}
	if _, err := lenstest.Golden("nothing"); err == nil {
		t.Error("a golden of no model")
	}
	if files, err := fs.Glob(lenstest.FS("../gpt2"), "*"); err != nil || len(files) > 0 {
		t.Errorf("a folder outside: %v, %v", files, err)
	}
}
