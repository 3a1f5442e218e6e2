package tokenizer_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gopherlens/gopherlens/lensapi/teach"
	"github.com/gopherlens/gopherlens/lensapi/tokenizer"
)

// small is a tokenizer.json of a few letters, with the given parts in place of the defaults.
func small(parts map[string]string) string {
	def := [][2]string{
		{"added_tokens", "[]"}, {"normalizer", "null"}, {"pre_tokenizer", "null"}, {"post_processor", "null"},
		{"decoder", `{"type":"Fuse"}`}, {"model", smallModel("")},
	}
	var b strings.Builder
	b.WriteString(`{"version":"1.0","truncation":` + or(parts["truncation"], "null") + `,"padding":` + or(parts["padding"], "null"))
	for _, d := range def {
		fmt.Fprintf(&b, ",%q:%s", d[0], or(parts[d[0]], d[1]))
	}
	if x := parts["extra"]; x != "" {
		b.WriteString("," + x)
	}
	return b.String() + "}"
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// smallModel has the letters a to d, the mark ▁, a space, digits and some merges; more is put in front of its fields.
func smallModel(more string) string {
	return `{"type":"BPE",` + more + `"vocab":{"a":0,"b":1,"c":2,"d":3,"▁":4," ":5,"ab":6,"abc":7,"▁a":8,"1":9,"2":10,"A":11,".":12},"merges":["a b","ab c","▁ a"]}`
}

func load(parts map[string]string, config string) (*tokenizer.Tokenizer, error) {
	m := fstest.MapFS{"tokenizer.json": {Data: []byte(small(parts))}}
	if config != "" {
		m["tokenizer_config.json"] = &fstest.MapFile{Data: []byte(config)}
	}
	return tokenizer.Load(m)
}

type parts = map[string]string

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		parts  parts
		config string
		say    []string // all of them are in the error
	}{
		{parts{"model": `{"type":"WordPiece","vocab":{"a":0}}`}, "", []string{"WordPiece", "supported: BPE"}},
		{parts{"model": `{"type":"Unigram","vocab":[["a",0.5]]}`}, "", []string{"Unigram", "BPE"}},
		{parts{"model": "null"}, "", []string{"model is missing"}},
		{parts{"model": `{"type":"BPE","vocab":{},"merges":[]}`}, "", []string{"vocab is empty"}},
		{parts{"model": smallModel(`"dropout":0.1,`)}, "", []string{"dropout", "null or 0"}},
		{parts{"model": smallModel(`"continuing_subword_prefix":"##",`)}, "", []string{"continuing_subword_prefix", "empty"}},
		{parts{"model": smallModel(`"end_of_word_suffix":"</w>",`)}, "", []string{"end_of_word_suffix", "empty"}},
		{parts{"model": smallModel(`"unk_token":"<unk>",`)}, "", []string{"unk_token", `"<unk>"`}},
		{parts{"model": smallModel(`"surprise":1,`)}, "", []string{"surprise"}},
		{parts{"model": `{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}`}, "", []string{"unique", `"a"`, `"b"`}},
		{parts{"model": `{"type":"BPE","vocab":{"a":-1},"merges":[]}`}, "", []string{"-1", "0 to"}},
		{parts{"model": `{"type":"BPE","vocab":{"a":99999999},"merges":[]}`}, "", []string{"99999999", "0 to"}},
		{parts{"model": `{"type":"BPE","vocab":{"a":4000000},"merges":[]}`}, "", []string{"4000000", "at most"}},
		{parts{"model": `{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]}`}, "", []string{"merge 0", `"ab"`, "not in model.vocab"}},
		{parts{"model": `{"type":"BPE","vocab":{"a":0,"ax":1},"merges":["a x"]}`}, "", []string{"merge 0", `"x"`}},
		{parts{"model": `{"type":"BPE","vocab":{"a":0},"merges":["a"]}`}, "", []string{"merge 0", "pair"}},
		{parts{"model": `{"type":"BPE","vocab":{"a":0},"merges":[["a","b","c"]]}`}, "", []string{"merge 0", "pair"}},
		{parts{"model": `{"type":"BPE","vocab":{"a":0},"merges":7}`}, "", []string{"merges must be"}},
		{parts{"extra": `"later":1`}, "", []string{"later"}},
		{parts{"normalizer": `{"type":"BertNormalizer"}`}, "", []string{"BertNormalizer", "supported: Sequence, NFC"}},
		{parts{"normalizer": `{"type":"NFC","x":1}`}, "", []string{"normalizer NFC", `"x"`}},
		{parts{"normalizer": `{"type":"Replace","pattern":{"String":""},"content":"x"}`}, "", []string{"Replace", "empty"}},
		{parts{"normalizer": `{"type":"Replace","pattern":{"Regex":"("},"content":"x"}`}, "", []string{"Replace", "cannot be compiled"}},
		{parts{"normalizer": `{"type":"Sequence","normalizers":[{"type":"StripAccents"}]}`}, "", []string{"StripAccents"}},
		{parts{"pre_tokenizer": `{"type":"Whitespace"}`}, "", []string{"Whitespace", "supported: Sequence, ByteLevel"}},
		{parts{"pre_tokenizer": `{"type":"Split","pattern":{"Regex":"a++"},"behavior":"Sideways"}`}, "", []string{"Sideways", "Isolated"}},
		{parts{"pre_tokenizer": `{"type":"Split","pattern":{},"behavior":"Isolated"}`}, "", []string{"String", "Regex"}},
		{parts{"pre_tokenizer": `{"type":"Metaspace","replacement":"__"}`}, "", []string{"replacement", "one character"}},
		{parts{"pre_tokenizer": `{"type":"Metaspace","replacement":"_","prepend_scheme":"last"}`}, "", []string{"last", "always, first, never"}},
		{parts{"pre_tokenizer": nestedSequence(20)}, "", []string{"levels"}},
		{parts{"decoder": `{"type":"WordPiece"}`}, "", []string{"decoder", "WordPiece", "supported: Sequence, ByteLevel"}},
		{parts{"post_processor": `{"type":"BertProcessing"}`}, "", []string{"BertProcessing", "TemplateProcessing"}},
		{parts{"post_processor": `{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"a","type_id":0}}],"pair":[],"special_tokens":{"a":{"id":"a","ids":[0],"tokens":["a"]}}}`}, "", []string{"one special token and then the text"}},
		{parts{"post_processor": `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"z","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{}}`}, "", []string{`"z"`, "one id"}},
		{parts{"added_tokens": `[{"id":3,"content":"<s>"}]`}, "", []string{`"<s>"`, "belongs to", `"d"`}},
		{parts{"added_tokens": `[{"id":50,"content":"a"}]`}, "", []string{`"a"`, "50", "0"}},
		{parts{"added_tokens": `[{"id":20,"content":"x"},{"id":20,"content":"x"}]`}, "", []string{"twice"}},
		{parts{"added_tokens": `[{"id":20,"content":""}]`}, "", []string{"empty"}},
		{parts{"added_tokens": `[{"id":20,"content":"x","colour":1}]`}, "", []string{"colour"}},
		{nil, `{"bos_token":"<s>"}`, []string{"bos_token", `"<s>"`}},
		{nil, `{"eos_token":{"content":"</s>"}}`, []string{"eos_token", `"</s>"`}},
		{nil, `{"bos_token":7}`, []string{"bos_token", "content"}},
		{nil, `{`, []string{"tokenizer_config.json"}},
		{nil, `{"chat_template":7}`, []string{"chat_template"}},
		{nil, `{"tokenizer_class":"LlamaTokenizer","add_eos_token":true}`, []string{"add_eos_token"}},
		{nil, `{"tokenizer_class":"LlamaTokenizer","add_bos_token":true}`, []string{"add_bos_token"}},
		{nil, `{"added_tokens_decoder":{"x":{"content":"y"}}}`, []string{`"x"`, "id"}},
		{parts{"pre_tokenizer": `{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true}`}, `{"add_prefix_space":false}`, []string{"add_prefix_space", "agree"}},
	} {
		_, err := load(c.parts, c.config)
		if err == nil {
			t.Errorf("%v %s: no error; want one with %q", c.parts, c.config, c.say)
			continue
		}
		for _, s := range c.say {
			if !strings.Contains(err.Error(), s) || strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("%v %s: the error is %q; it must be one line with %q", c.parts, c.config, err, s)
			}
		}
	}
	if _, err := tokenizer.Load(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "tokenizer.json") {
		t.Errorf("an empty folder: %v", err)
	}
}

func nestedSequence(n int) string {
	return strings.Repeat(`{"type":"Sequence","pretokenizers":[`, n) + `{"type":"Digits","individual_digits":true}` + strings.Repeat(`]}`, n)
}

// Expected ids follow from the documentation of each part; 0 a, 1 b, 2 c, 3 d, 4 ▁, 5 space, 6 ab, 7 abc, 8 ▁a, 9 1, 10 2,
// 11 A, 12 ".".
func TestParts(t *testing.T) {
	split := func(behaviour string, invert bool) string {
		return fmt.Sprintf(`{"type":"Split","pattern":{"String":"b"},"behavior":%q,"invert":%t}`, behaviour, invert)
	}
	for _, c := range []struct {
		name  string
		parts parts
		text  string
		want  []int
	}{
		{"no parts", nil, "abcd ab", []int{7, 3, 5, 6}},
		{"old model without type", parts{"model": `{"vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]}`}, "abb", []int{2, 1}},
		{"ignore_merges", parts{"model": `{"type":"BPE","ignore_merges":true,"vocab":{"a":0,"b":1,"ab":2},"merges":[]}`}, "ab", []int{2}},
		{"merges off", parts{"model": `{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[]}`}, "ab", []int{0, 1}},
		{"lowest rank first", parts{"model": `{"type":"BPE","vocab":{"a":0,"b":1,"c":2,"bc":3,"ab":4},"merges":["b c","a b"]}`}, "abcab", []int{0, 3, 4}},
		{"leftmost first", parts{"model": `{"type":"BPE","vocab":{"a":0,"aa":1},"merges":["a a"]}`}, "aaaaa", []int{1, 1, 0}},
		{"unknown, fused", parts{"model": `{"type":"BPE","unk_token":"?","fuse_unk":true,"vocab":{"?":0,"a":1},"merges":[]}`}, "xyazz", []int{0, 1, 0}},
		{"unknown, not fused", parts{"model": `{"type":"BPE","unk_token":"?","vocab":{"?":0,"a":1},"merges":[]}`}, "xya", []int{0, 0, 1}},
		{"byte fallback, incomplete", parts{"model": `{"type":"BPE","unk_token":"?","byte_fallback":true,"vocab":{"?":0,"a":1,"<0xC3>":2,"<0xA9>":3},"merges":[]}`}, "aéxa", []int{1, 2, 3, 0, 1}},
		{"isolated", parts{"pre_tokenizer": split("Isolated", false)}, "abc", []int{0, 1, 2}},
		{"removed", parts{"pre_tokenizer": split("Removed", false)}, "abcb", []int{0, 2}},
		{"inverted", parts{"pre_tokenizer": split("Removed", true)}, "abcb", []int{1, 1}},
		{"previous", parts{"pre_tokenizer": split("MergedWithPrevious", false)}, "abc", []int{6, 2}},
		{"next", parts{"pre_tokenizer": split("MergedWithNext", false)}, "abc", []int{0, 1, 2}},
		{"digits apart", parts{"pre_tokenizer": `{"type":"Digits","individual_digits":true}`}, "a12b", []int{0, 9, 10, 1}},
		{"regex with look-ahead", parts{"pre_tokenizer": `{"type":"Split","pattern":{"Regex":"a(?=bc)"},"behavior":"Isolated","invert":false}`}, "abc ab", []int{0, 1, 2, 5, 6}},
		{"metaspace", parts{"pre_tokenizer": `{"type":"Metaspace","replacement":"▁","add_prefix_space":true}`}, "ab a", []int{4, 6, 8}},
		{"metaspace, no prefix", parts{"pre_tokenizer": `{"type":"Metaspace","replacement":"▁","add_prefix_space":false}`}, "ab a", []int{6, 8}},
		{"metaspace, not split", parts{"pre_tokenizer": `{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":false}`}, "b a", []int{1, 8}},
		{"metaspace, first only", parts{"pre_tokenizer": `{"type":"Sequence","pretokenizers":[` + split("Isolated", false) + `,{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}]}`}, "aba", []int{8, 1, 0}},
		{"replace by regex", parts{"normalizer": `{"type":"Replace","pattern":{"Regex":" {2,}"},"content":"."}`}, "a   b c", []int{0, 12, 1, 5, 2}},
		{"compatibility form", parts{"normalizer": `{"type":"NFKC"}`}, "ａｂ①", []int{6, 9}},
		{"normalizers in order", parts{"normalizer": `{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":" "},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}`}, "a b", []int{8, 4, 1}},
		{"added, longest first", parts{"added_tokens": `[{"id":20,"content":"bc"},{"id":21,"content":"bcd"}]`}, "abcdbc", []int{0, 21, 20}},
		{"added, strips both sides", parts{"added_tokens": `[{"id":20,"content":"X","lstrip":true,"rstrip":true}]`}, "a  X  b", []int{0, 20, 1}},
		{"truncation and padding of training", parts{"truncation": `{"max_length":2}`, "padding": `{"strategy":{"Fixed":9}}`}, "a d", []int{0, 5, 3}},
		{"added, spaces after a strip", parts{"added_tokens": `[{"id":20,"content":"X","rstrip":true},{"id":21,"content":"  "}]`}, "X    a", []int{20, 21, 21, 0}},
		{"added, spaces after a strip, one left", parts{"added_tokens": `[{"id":20,"content":"X","rstrip":true},{"id":21,"content":"\n"}]`}, "X\n a", []int{20, 21, 5, 0}},
		{"added, spaces with lstrip after a strip", parts{"added_tokens": `[{"id":20,"content":"X","rstrip":true},{"id":21,"content":"  ","lstrip":true,"rstrip":true}]`}, "X    a", []int{20, 0}},
		{"added, strips spaces once", parts{"added_tokens": `[{"id":20,"content":"X","lstrip":true,"rstrip":true}]`}, " X  X a", []int{20, 20, 0}},
		{"added, single word", parts{"added_tokens": `[{"id":20,"content":"cd","single_word":true}]`}, "cd cdc .cd", []int{20, 5, 2, 3, 2, 5, 12, 20}},
		{"added, normalized", parts{"normalizer": `{"type":"NFKC"}`, "added_tokens": `[{"id":20,"content":"Ａ","normalized":true},{"id":21,"content":"ｂ","normalized":false}]`}, "AＡbｂ", []int{20, 20, 1, 21}},
	} {
		tok, err := load(c.parts, "")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got, err := tok.Encode(c.text); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q gives %v %v, want %v", c.name, c.text, got, err, c.want)
		}
	}
}

func TestNotInVocabulary(t *testing.T) {
	tok, err := load(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if ids, err := tok.Encode("abx"); err == nil || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("%v %v; want an error that names x", ids, err)
	}
}

func TestNoDecoder(t *testing.T) {
	tok, err := load(parts{"decoder": "null"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.Decode([]int{6, 2}); got != "ab c" {
		t.Errorf("%q; the reference joins tokens with spaces when there is no decoder", got)
	}
}

func TestBOSAndEOS(t *testing.T) {
	const added = `[{"id":20,"content":"<s>","special":true},{"id":21,"content":"</s>","special":true},{"id":22,"content":"<|endoftext|>","special":true}]`
	const post = `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[20],"tokens":["<s>"]}}}`
	for _, c := range []struct {
		name, post, config, special, generation string
		bos                                     int
		adds                                    bool
		eos                                     []int
	}{
		{"nothing said", "", "", "", "", 20, false, []int{21}},
		{"null means none", "", `{"bos_token":null,"eos_token":null}`, "", `{"bos_token_id":22}`, -1, false, nil},
		{"config", "", `{"bos_token":"<|endoftext|>","eos_token":{"content":"<|endoftext|>","lstrip":false}}`, "", "", 22, false, []int{22}},
		{"special_tokens_map", "", `{}`, `{"bos_token":{"content":"</s>"},"eos_token":"<s>"}`, "", 21, false, []int{20}},
		{"generation_config", "", "", "", `{"bos_token_id":22,"eos_token_id":[22,21]}`, 22, false, []int{22, 21}},
		{"eos of both", "", `{"eos_token":"</s>"}`, "", `{"eos_token_id":22}`, 20, false, []int{21, 22}},
		{"post-processor", post, "", "", "", 20, true, []int{21}},
		{"class with add_bos_token", "", `{"tokenizer_class":"LlamaTokenizerFast","bos_token":"<s>","add_bos_token":true}`, "", "", 20, true, []int{21}},
		{"class without it", post, `{"tokenizer_class":"LlamaTokenizer","bos_token":"<s>","add_bos_token":false}`, "", "", 20, false, []int{21}},
	} {
		m := fstest.MapFS{"tokenizer.json": {Data: []byte(small(parts{"added_tokens": added, "post_processor": c.post}))}}
		for name, data := range map[string]string{"tokenizer_config.json": c.config, "special_tokens_map.json": c.special, "generation_config.json": c.generation} {
			if data != "" {
				m[name] = &fstest.MapFile{Data: []byte(data)}
			}
		}
		tok, err := tokenizer.Load(m)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		id, ok := tok.BOS()
		if id != c.bos || ok != (c.bos >= 0) || tok.AddsBOS() != c.adds || !slices.Equal(tok.EOS(), c.eos) {
			t.Errorf("%s: BOS %d %v adds %v EOS %v; want %d %v %v", c.name, id, ok, tok.AddsBOS(), tok.EOS(), c.bos, c.adds, c.eos)
		}
	}
}

func TestDigest(t *testing.T) {
	digest := func(p parts, config string) string {
		tok, err := load(p, config)
		if err != nil {
			t.Fatal(err)
		}
		return tok.Digest()
	}
	base := digest(nil, "")
	if len(base) != 64 || base != digest(nil, `{"chat_template":"x"}`) {
		t.Errorf("%q must be 64 hex digits and not depend on the chat template", base)
	}
	if base == digest(parts{"normalizer": `{"type":"NFC"}`}, "") {
		t.Error("another normalizer has the same digest")
	}
	if base == digest(nil, `{"added_tokens_decoder":{"20":{"content":"<x>","special":true}}}`) {
		t.Error("another added token has the same digest")
	}
	raw := strings.ReplaceAll(small(nil), ",", ",\r\n ")
	tok, err := tokenizer.Load(fstest.MapFS{"tokenizer.json": {Data: []byte(raw)}})
	if err != nil || tok.Digest() != base {
		t.Errorf("line endings change the digest: %v", err)
	}
}

func TestAddedTokensDecoder(t *testing.T) {
	tok, err := load(nil, `{"added_tokens_decoder":{"20":{"content":"<x>","lstrip":false,"normalized":false,"rstrip":false,"single_word":false,"special":true}}}`)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := tok.Encode("a<x>b")
	if err != nil || !slices.Equal(ids, []int{0, 20, 1}) || !tok.IsSpecial(20) || tok.Size() != 21 {
		t.Errorf("%v %v", ids, err)
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range fixtures {
		raw, err := os.ReadFile(filepath.Join("testdata", name, "tokenizer.json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, []byte(`{"bos_token":"<s>"}`))
	}
	f.Add([]byte(small(nil)), []byte(`{"added_tokens_decoder":{"20":{"content":"<x>"}}}`))
	f.Add([]byte(small(parts{"pre_tokenizer": `{"type":"Split","pattern":{"Regex":"(a+)+$"},"behavior":"Contiguous","invert":true}`})), []byte(`{}`))
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":4194303}}}`), []byte(`null`))
	f.Fuzz(func(t *testing.T, raw, config []byte) {
		tok, err := tokenizer.Load(fstest.MapFS{"tokenizer.json": {Data: raw}, "tokenizer_config.json": {Data: config}})
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") || len(err.Error()) > 2000 {
				t.Errorf("the error is %q", err)
			}
			return
		}
		ids, err := tok.Encode("The capital of France is 1234, aaaa <s> 東京 😀\n  x")
		if err != nil {
			return
		}
		tok.Decode(ids)
		for _, id := range ids {
			if id < 0 || id >= tok.Size() || tok.Bytes(id) == nil {
				t.Fatalf("id %d of %d has no bytes", id, tok.Size())
			}
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	for _, s := range []string{"", " ", "The capital", "a\u0301 \u0301", "0000", "\n\n x", "<|endoftext|>", "😀東京\xff", "'ll'LL", "\u017f's", "\x00"} {
		f.Add(s)
	}
	gpt2, llama3, llama2 := loadFixture(f, "gpt2"), loadFixture(f, "llama3"), loadFixture(f, "llama2")
	teachTok, err := tokenizer.Load(teach.FS())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "?")
		checkBytes(t, "teach", teachTok, s)
		checkBytes(t, "llama3", llama3, s)
		checkBytes(t, "gpt2", gpt2, strings.ReplaceAll(s, "[MASK]", "[M]"))
		if _, err := llama2.Encode(s); err != nil {
			t.Fatal(err)
		}
	})
}
