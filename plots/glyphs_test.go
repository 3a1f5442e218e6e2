package plots_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gopherlens/gopherlens/plots"
)

func TestGlyphs(t *testing.T) {
	for in, want := range map[string]string{
		"":             "∅",
		"the":          "the",
		" the":         "␣the",
		"the ":         "the␣",
		" ":            "␣",
		"   ":          "␣␣␣",
		"a b":          "a b",
		"a  b":         "a␣␣b",
		"\n":           "⏎",
		"\r\n":         "⟨0D⟩⏎",
		"\tx":          "⇥x",
		"_":            "_",
		"\x00\x7f":     "⟨00⟩⟨7F⟩",
		"\u0085":       "⟨U+0085⟩",
		"\xe2":         "⟨E2⟩",
		"\xe2\x80":     "⟨E2⟩⟨80⟩",
		"a\xffb":       "a⟨FF⟩b",
		"\xed\xa0\x80": "⟨ED⟩⟨A0⟩⟨80⟩", // half of a UTF-16 pair
		"東京":           "東京",
		"café":         "café",
		"e\u0301":      "e\u0301",
		"\u0301":       "⟨U+0301⟩",
		"\u00a0":       "⟨U+00A0⟩",
		"a\u200bb":     "a⟨U+200B⟩b",
		"\u202e":       "⟨U+202E⟩",
		"\ufffd":       "⟨U+FFFD⟩",
		"∅":            "⟨U+2205⟩",
		"␣":            "⟨U+2423⟩",
		"⟨":            "⟨U+27E8⟩",
		"😀":            "😀",
		"▁the":         "▁the",
		"<|end|>":      "<|end|>",
	} {
		if got := plots.Glyphs([]byte(in)); got != want {
			t.Errorf("Glyphs(%q) = %q, want %q", in, got, want)
		}
	}
}

// unglyph reads a display text back. That it can is the point: no two tokens
// share one.
func unglyph(t *testing.T, s string) []byte {
	if s == "∅" {
		return nil
	}
	var b []byte
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		switch r {
		case '␣':
			b = append(b, ' ')
		case '⏎':
			b = append(b, '\n')
		case '⇥':
			b = append(b, '\t')
		case '⟨':
			code, rest, ok := strings.Cut(s[n:], "⟩")
			hex, isRune := strings.CutPrefix(code, "U+")
			v, err := strconv.ParseUint(hex, 16, 32)
			if !ok || err != nil {
				t.Fatalf("bad code in %q", s)
			}
			if isRune {
				b = utf8.AppendRune(b, rune(v))
			} else {
				b = append(b, byte(v))
			}
			s, n = rest, 0
		default:
			b = utf8.AppendRune(b, r)
		}
		s = s[n:]
	}
	return b
}

func FuzzGlyphs(f *testing.F) {
	for _, s := range []string{"", " the", "\n\t \r", "a  b", "\xe2\x80", "東\xff", "∅", "␣⟨⟩", "e\u0301", "\u0301", "\u2028", "<|end|>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		s := plots.Glyphs(token)
		if s == "" || !utf8.ValidString(s) || strings.ContainsAny(s, "\n\r\t\x00\u2028\u200b") ||
			strings.HasPrefix(s, " ") || strings.HasSuffix(s, " ") || strings.Contains(s, "  ") {
			t.Errorf("Glyphs(%q) = %q hides something", token, s)
		}
		if back := unglyph(t, s); !bytes.Equal(back, token) {
			t.Errorf("Glyphs(%q) = %q reads back as %q", token, s, back)
		}
	})
}
