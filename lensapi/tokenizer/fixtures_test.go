package tokenizer_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/tokenizer"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// fixtures are the small tokenizers of testdata, made with their goldens by testdata/make_fixtures.py.
var fixtures = []string{"gpt2", "neox", "llama3", "llama2", "metaspace"}

func loadFixture(t testing.TB, name string) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.Load(os.DirFS(filepath.Join("testdata", name)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return tok
}

func concat(tok *tokenizer.Tokenizer, ids []int) string {
	var b strings.Builder
	for _, id := range ids {
		b.Write(tok.Bytes(id))
	}
	return b.String()
}

func TestFixtures(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			tok := loadFixture(t, name)
			raw, err := os.ReadFile(filepath.Join("testdata", name, "golden.json"))
			if err != nil {
				t.Fatal(err)
			}
			var golden []struct {
				Text    string `json:"text"`
				IDs     []int  `json:"ids"`
				Decoded string `json:"decoded"`
			}
			if err := json.Unmarshal(raw, &golden); err != nil {
				t.Fatal(err)
			}
			for _, g := range golden {
				ids, err := tok.Encode(g.Text)
				if err != nil {
					t.Errorf("%q: %v", g.Text, err)
					continue
				}
				if !slices.Equal(ids, g.IDs) {
					t.Errorf("%q:\n got %v\nwant %v", g.Text, ids, g.IDs)
				}
				if d := tok.Decode(g.IDs); d != g.Decoded {
					t.Errorf("decode of %q gives %q, want %q", g.Text, d, g.Decoded)
				}
			}
			if len(golden) < 70 {
				t.Errorf("only %d goldens", len(golden))
			}
		})
	}
}

func TestFixtureSettings(t *testing.T) {
	for name, want := range map[string]struct {
		bos  string
		adds bool
		eos  string
	}{
		"gpt2":      {"<|endoftext|>", false, "<|endoftext|>"},
		"neox":      {"<|endoftext|>", false, "<|endoftext|>"},
		"llama3":    {"<|begin_of_text|>", true, "<|end_of_text|>"},
		"llama2":    {"<s>", true, "</s>"},
		"metaspace": {"<s>", false, "</s>"}, // add_bos_token false overrides the post-processor for this class
	} {
		tok := loadFixture(t, name)
		id, ok := tok.BOS()
		eos := tok.EOS()
		if !ok || string(tok.Bytes(id)) != want.bos || tok.AddsBOS() != want.adds || len(eos) != 1 || string(tok.Bytes(eos[0])) != want.eos {
			t.Errorf("%s: BOS %q adds %v EOS %v; want %+v", name, tok.Bytes(id), tok.AddsBOS(), eos, want)
		}
		if !tok.IsSpecial(id) || tok.IsSpecial(-1) || tok.IsSpecial(tok.Size()) {
			t.Errorf("%s: IsSpecial is wrong", name)
		}
		if tok.Bytes(-1) != nil || tok.Bytes(tok.Size()) != nil {
			t.Errorf("%s: Bytes of an unknown id is not nil", name)
		}
		if got := tok.Decode([]int{-5, tok.Size(), id}); got != "" {
			t.Errorf("%s: unknown and special ids decode to %q", name, got)
		}
	}
}

func TestDecodeIncomplete(t *testing.T) {
	// One U+FFFD for a truncated character of a byte-level model, one per byte with byte fallback: as Hugging Face.
	for name, want := range map[string][2]string{
		"gpt2":   {"\uFFFD", "\uFFFD"},
		"llama2": {"\uFFFD", "\uFFFD\uFFFD\uFFFD"},
	} {
		tok := loadFixture(t, name)
		ids, err := tok.Encode("😀")
		if err != nil {
			t.Fatal(err)
		}
		bytes := ids[len(ids)-4:] // llama2 has a space before
		if got := concat(tok, bytes); got != "😀" {
			t.Fatalf("%s: the bytes are %q", name, got)
		}
		for i, n := range []int{1, 3} {
			if got := tok.Decode(bytes[:n]); got != want[i] {
				t.Errorf("%s: %d bytes of an emoji decode to %q, want %q", name, n, got, want[i])
			}
		}
		if got := tok.Decode(bytes); got != "😀" {
			t.Errorf("%s: the whole emoji decodes to %q", name, got)
		}
	}
}

func TestInvalidUTF8(t *testing.T) {
	for _, name := range fixtures {
		_, err := loadFixture(t, name).Encode("abc\xffdef")
		if err == nil || !strings.Contains(err.Error(), "byte 3") {
			t.Errorf("%s: %v; want an error that names byte 3", name, err)
		}
	}
	if ids, err := loadFixture(t, "gpt2").Encode("a\uFFFDb"); err != nil || len(ids) == 0 {
		t.Errorf("a real U+FFFD must encode: %v", err)
	}
}

// text draws strings in which spaces, newlines, marks, CJK, emoji and special tokens are common.
func text() *rapid.Generator[string] {
	part := rapid.OneOf(
		rapid.String(),
		rapid.StringOfN(rapid.RuneFrom([]rune(" \n\t\u00a0\u3000'0aé東\u0301😀▁<>|_-.")), 0, 20, -1),
		rapid.SampledFrom([]string{"<|endoftext|>", "<s>", "</s>", " the", "The", "capital", "[MASK]", "cat", "   ", "'s", "<0x41>", "000"}),
	)
	return rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(part, 0, 6).Draw(t, "parts"), "") })
}

// want is the text as the ids must give it back.
func want(name, s string) string {
	switch {
	case s == "":
		return ""
	case name == "neox":
		return norm.NFC.String(s)
	}
	return s
}

// checkBytes demands that no byte is lost or invented: the bytes of the ids are the text.
func checkBytes(t interface{ Fatalf(string, ...any) }, name string, tok *tokenizer.Tokenizer, s string) {
	ids, err := tok.Encode(s)
	if err != nil {
		t.Fatalf("%s: %q: %v", name, s, err)
	}
	if got := concat(tok, ids); got != want(name, s) {
		t.Fatalf("%s: the bytes of %q are %q (ids %v)", name, s, got, ids)
	}
}

func TestRoundTrip(t *testing.T) {
	toks := map[string]*tokenizer.Tokenizer{}
	for _, name := range []string{"gpt2", "llama3", "neox", "llama2"} {
		toks[name] = loadFixture(t, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := text().Draw(t, "s")
		// [MASK] of the fixture eats the spaces beside it (lstrip, rstrip), so its bytes cannot be the text.
		plain := strings.ReplaceAll(s, "[MASK]", "[M]")
		checkBytes(t, "gpt2", toks["gpt2"], plain)
		checkBytes(t, "llama3", toks["llama3"], s)
		// NFC works on the pieces between added tokens, so a mark after one is not joined to it.
		checkBytes(t, "neox", toks["neox"], strings.ReplaceAll(s, "<|endoftext|>", ""))
		clean := strings.NewReplacer("<|endoftext|>", "", "<|end_of_text|>", "", "<|begin_of_text|>", "").Replace(s)
		for _, name := range []string{"gpt2", "llama3"} {
			ids, _ := toks[name].Encode(strings.ReplaceAll(clean, "[MASK]", ""))
			if got := toks[name].Decode(ids); got != strings.ReplaceAll(clean, "[MASK]", "") && !strings.Contains(got, "<|") {
				t.Fatalf("%s: decode(encode(%q)) = %q", name, clean, got)
			}
		}
		// The sentencepiece style puts one space before a piece and turns ▁ into a space.
		spm := strings.NewReplacer("<s>", "", "</s>", "", "<unk>", "", "▁", "", "<0x", "").Replace(s)
		if strings.ContainsAny(spm, "<") {
			return
		}
		ids, err := toks["llama2"].Encode(spm)
		if err != nil {
			t.Fatalf("llama2: %q: %v", spm, err)
		}
		if got := toks["llama2"].Decode(ids); got != spm {
			t.Fatalf("llama2: decode(encode(%q)) = %q", spm, got)
		}
		if got := concat(toks["llama2"], ids); spm != "" && got != " "+spm {
			t.Fatalf("llama2: the bytes of %q are %q", spm, got)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	tok := loadFixture(t, "llama3")
	want, err := tok.Encode("The capital of France is Paris; 東京 123456")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				got, err := tok.Encode("The capital of France is Paris; 東京 123456")
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%v %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
