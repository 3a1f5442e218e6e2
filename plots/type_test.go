package plots

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// The alphabets that the package documents as drawn, not spelled as codes.
func TestFontsHaveTheAlphabets(t *testing.T) {
	for _, span := range []struct {
		name     string
		from, to rune
	}{
		{"ASCII", '!', '~'}, {"Latin-1", 0xa1, 0xff}, {"Latin Extended-A", 0x100, 0x17f},
		{"Greek", 0x391, 0x3c9}, {"Cyrillic", 0x400, 0x45f}, {"Vietnamese", 0x1ea0, 0x1ef9},
		{"Hebrew", 0x5d0, 0x5ea},
	} {
		for r := span.from; r <= span.to; r++ {
			if visible(r) && !inFont(r) {
				t.Errorf("%s: %q has no glyph", span.name, r)
			}
		}
	}
	for _, r := range "…“”–—•≥" {
		if !inFont(r) {
			t.Errorf("%q, which the pictures use, has no glyph", r)
		}
	}
}

func TestBoldCoversWhatRegularCovers(t *testing.T) {
	bold := faces().bold.Face
	if bold == faces().regular.Face {
		t.Fatal("bold is the regular face")
	}
	for r := rune(' '); r < 0xffff; r++ {
		if i, err := bold.GlyphIndex(nil, r); inFont(r) && (err != nil || i == 0) {
			t.Errorf("%q is in the regular face alone", r)
		}
	}
}

// Our marks are why there are outlines: if the fonts had them we should use
// the fonts', and without an outline they would vanish.
func TestMarksHaveOutlines(t *testing.T) {
	for _, r := range []rune{markSpace, markNewline, markTab, markEmpty, markOpen, markClose} {
		o, ok := outlines[r]
		if !ok || !isMark(r) {
			t.Errorf("%q has no outline", r)
		}
		if inFont(r) {
			t.Errorf("%q is in the font: draw it with the font", r)
		}
		for _, stroke := range o.strokes {
			for i := 0; i+1 < len(stroke); i += 2 {
				if x, y := stroke[i], stroke[i+1]; x < 0 || x > o.advance || y < -0.25 || y > 0.85 {
					t.Errorf("%q leaves its box at %v, %v", r, x, y)
				}
			}
		}
	}
	if len(outlines) != 6 {
		t.Errorf("%d outlines for 6 marks", len(outlines))
	}
}

func TestPrepareSpellsWhatFontsLack(t *testing.T) {
	for in, want := range map[string]string{
		"東":            "⟨U+6771⟩",
		"a😀":           "a⟨U+1F600⟩",
		"cafe\u0301":   "café",
		"אב1":          "בא1",
		"x אב y":       "x בא y",
		"\x00\x1b[31m": "⟨00⟩⟨1B⟩[31m",
		"a\xffb":       "a⟨FF⟩b",
		"a\nb":         "a b",
		"␣the":         "␣the",
	} {
		if got := (typesetter{}).prepare(in); got != want {
			t.Errorf("prepare(%q) = %q, want %q", in, got, want)
		}
	}
	if got := (typesetter{web: true}).prepare("東 אב"); got != "東 אב" {
		t.Errorf("for the web: %q, want the text itself", got)
	}
}

// FuzzFit checks that no string can draw a missing-glyph box or leave its cell.
func FuzzFit(f *testing.F) {
	for _, s := range []string{"", " the", "antidisestablishmentarianism", "東京タワー", "e\u0301\u0301", "⟨⟩⟨", "\xff\xfe", strings.Repeat("⟨", 50), "אבג abc"} {
		f.Add(s, 60.0)
	}
	f.Fuzz(func(t *testing.T, s string, box float64) {
		if !(box >= 40 && box <= 500) || len(s) > 2000 {
			return
		}
		for _, set := range []typesetter{{}, {web: true}} {
			got, px := set.fit(s, box, 13, 9.5, false)
			if !utf8.ValidString(got) || px > 13 || px < 7 {
				t.Fatalf("fit(%q) = %q at %v", s, got, px)
			}
			if w := set.width(got, px, false); w > box+1e-9 {
				t.Errorf("fit(%q, %v) = %q is %v wide", s, box, got, w)
			}
			for _, r := range got {
				if unicode.IsControl(r) || !set.web && !isMark(r) && !inFont(r) {
					t.Errorf("fit(%q) holds %q, which has no glyph", s, r)
				}
			}
		}
	})
}

func TestFitShrinksBeforeItCuts(t *testing.T) {
	var set typesetter
	word := " capital"
	wide := set.width(word, 13, false)
	for _, c := range []struct {
		box  float64
		want string
		px   float64
	}{
		{wide + 0.01, word, 13},
		{wide * 0.8, word, 13 * 0.8},
	} {
		if got, px := set.fit(word, c.box, 13, 9.5, false); got != c.want || px < c.px-0.01 || px > c.px+0.01 {
			t.Errorf("in a box of %.1f: %q at %v, want %q at %v", c.box, got, px, c.want, c.px)
		}
	}
	got, px := set.fit(word, wide*0.6, 13, 9.5, false)
	if !strings.HasSuffix(got, "…") || !strings.HasPrefix(word, strings.TrimSuffix(got, "…")) || len(got) < 6 || px != 9.5 {
		t.Errorf("in a small box: %q at %v, want a beginning of the word at 9.5", got, px)
	}
	if got, _ := set.fit("⟨E2⟩⟨80⟩⟨94⟩⟨E2⟩", 45, 13, 9.5, false); got != "⟨E2⟩⟨80⟩…" {
		t.Errorf("codes are cut to %q, want ⟨E2⟩⟨80⟩…", got)
	}
}

func TestWrap(t *testing.T) {
	var set typesetter
	text := strings.Repeat("seven words that are to be wrapped ", 6)
	lines := set.wrap(text, 200, 11, false, 100)
	if got := strings.Join(lines, " "); got != strings.TrimSpace(text) {
		t.Errorf("wrapping changed the text to %q", got)
	}
	for _, line := range append(lines, set.wrap(strings.Repeat("x", 300), 200, 11, false, 100)...) {
		if w := set.width(line, 11, false); w > 200 {
			t.Errorf("line %q is %v wide, want at most 200", line, w)
		}
	}
	if short := set.wrap(text, 200, 11, false, 2); len(short) != 2 || !strings.HasSuffix(short[1], "…") {
		t.Errorf("limited to two lines: %q", short)
	}
	if none := set.wrap(" \n", 200, 11, false, 3); len(none) != 0 {
		t.Errorf("blank text has lines %q", none)
	}
}
