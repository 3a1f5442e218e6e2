package plots

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
	xfont "golang.org/x/image/font"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
)

// faces are the two weights in use, parsed once and read-only afterwards.
var faces = sync.OnceValue(func() (f struct{ regular, bold font.Face }) {
	cache := font.NewCache(liberation.Collection())
	f.regular = cache.Lookup(font.Font{Variant: "Sans"}, 1)
	f.bold = cache.Lookup(font.Font{Variant: "Sans", Weight: xfont.WeightBold}, 1)
	return f
})

// face returns the face at a size in CSS pixels.
func face(px float64, bold bool) font.Face {
	f := faces().regular
	if bold {
		f = faces().bold
	}
	f.Font.Size = points(px)
	return f
}

// inFont reports whether the fonts can draw r.
func inFont(r rune) bool {
	i, err := faces().regular.Face.GlyphIndex(nil, r)
	return err == nil && i != 0
}

// columns counts the terminal cells of a string the same way on every machine,
// whatever the locale says.
var columns = &runewidth.Condition{StrictEmojiNeutral: true}

// A typesetter measures and cuts text for one kind of picture. In a PNG only
// our fonts exist; an SVG is read where other fonts stand in for what they
// lack, so there (web) such characters stay and only their width is assumed.
type typesetter struct{ web bool }

// prepare turns any string into one that can be drawn.
func (t typesetter) prepare(s string) string {
	s = clean(s)
	if t.web {
		return s
	}
	// Composed accents need no shaping, which our renderer does not do; for
	// the same reason right-to-left words are put into drawing order here.
	s = rightToLeft(norm.NFC.String(s))
	var b strings.Builder
	for _, r := range s {
		if isMark(r) || inFont(r) {
			b.WriteRune(r)
		} else {
			writeCode(&b, r)
		}
	}
	return b.String()
}

// rightToLeft reverses the runs of right-to-left letters.
func rightToLeft(s string) string {
	var b strings.Builder
	run, inRun := 0, false // s from run on is not yet copied
	for i, r := range s {
		p, _ := bidi.LookupRune(r)
		rtl := p.Class() == bidi.R || p.Class() == bidi.AL || inRun && p.Class() == bidi.NSM
		if rtl && !inRun {
			b.WriteString(s[run:i])
			run, inRun = i, true
		} else if !rtl && inRun {
			b.WriteString(bidi.ReverseString(s[run:i]))
			run, inRun = i, false
		}
	}
	if inRun {
		b.WriteString(bidi.ReverseString(s[run:]))
	} else {
		b.WriteString(s[run:])
	}
	return b.String()
}

// em is the width of a prepared string at size 1.
func (t typesetter) em(s string, bold bool) float64 {
	const unit = 1000
	f := face(unit, bold)
	var sum float64
	runs(s, func(text string) {
		sum += pixels(f.Width(text)) / unit
	}, func(r rune) {
		if isMark(r) {
			sum += outlines[r].advance
		} else if columns.RuneWidth(r) == 2 {
			sum++
		} else if !unicode.Is(unicode.M, r) {
			sum += 0.6
		}
	})
	return sum
}

func (t typesetter) width(s string, px float64, bold bool) float64 {
	return t.em(s, bold) * px
}

// runs splits a prepared string into stretches of our fonts and single other
// characters, in order.
func runs(s string, text func(string), other func(rune)) {
	start := 0
	for i, r := range s {
		if !isMark(r) && inFont(r) {
			continue
		}
		if start < i {
			text(s[start:i])
		}
		other(r)
		start = i + utf8.RuneLen(r)
	}
	if start < len(s) {
		text(s[start:])
	}
}

// fit prepares s for a box: at size px if it fits, smaller down to least, and
// past that cut with an ellipsis. Only the ellipsis alone may exceed the box.
func (t typesetter) fit(s string, box, px, least float64, bold bool) (string, float64) {
	s = t.prepare(s)
	em := t.em(s, bold)
	if em*px <= box {
		return s, px
	}
	units := atoms(s)
	switch {
	case em*least <= box:
		return s, box / em
	case len(units) == 1 && em*0.8*least <= box:
		return s, 0.8 * least
	}
	low, high := 0, len(units)-1 // the ellipsis alone always stays
	for low < high {
		mid := (low + high + 1) / 2
		if t.width(strings.Join(units[:mid], "")+"…", least, bold) <= box {
			low = mid
		} else {
			high = mid - 1
		}
	}
	if low == 0 && t.width(units[0]+"…", 0.8*least, bold) <= box {
		// Better small than nothing: codes such as ⟨U+6771⟩ are not cut.
		return units[0] + "…", 0.8 * least
	}
	return strings.Join(units[:low], "") + "…", least
}

// atoms splits a prepared string where it may be cut: never inside a code such
// as ⟨E2⟩ nor between a letter and its accent.
func atoms(s string) []string {
	var out []string
	inCode := false
	for _, r := range s {
		if len(out) > 0 && (inCode || unicode.Is(unicode.M, r)) {
			out[len(out)-1] += string(r)
		} else {
			out = append(out, string(r))
		}
		switch r {
		case markOpen:
			inCode = true
		case markClose:
			inCode = false
		}
	}
	return out
}

// wrap breaks prose into at most limit lines of the given width; what is left
// over ends in an ellipsis. Empty text has no lines.
func (t typesetter) wrap(s string, box, px float64, bold bool, limit int) []string {
	var lines []string
	words := strings.Fields(t.prepare(s))
	for len(words) > 0 {
		if len(lines) == limit-1 {
			line, _ := t.fit(strings.Join(words, " "), box, px, px, bold)
			return append(lines, line)
		}
		n := 1
		for n < len(words) && t.width(strings.Join(words[:n+1], " "), px, bold) <= box {
			n++
		}
		if n == 1 && t.width(words[0], px, bold) > box {
			head, tail := t.split(words[0], box, px, bold)
			lines, words[0] = append(lines, head), tail
			continue
		}
		lines, words = append(lines, strings.Join(words[:n], " ")), words[n:]
	}
	return lines
}

// split cuts a word that is wider than the box; both parts are non-empty as
// long as the word has two atoms.
func (t typesetter) split(word string, box, px float64, bold bool) (head, tail string) {
	units := atoms(word)
	n := 1
	for n < len(units)-1 && t.width(strings.Join(units[:n+1], ""), px, bold) <= box {
		n++
	}
	return strings.Join(units[:n], ""), strings.Join(units[n:], "")
}
