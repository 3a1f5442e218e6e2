package plots

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The marks that stand for what a reader could not see.
const (
	markSpace   = '␣'
	markNewline = '⏎'
	markTab     = '⇥'
	markEmpty   = '∅'
	markOpen    = '⟨'
	markClose   = '⟩'
)

// Glyphs returns the display text of one token, given the exact bytes that it
// stands for. Nothing in it is invisible, and different tokens never look the
// same:
//
//   - the empty token is ∅
//   - a space at either end, or beside another space, is ␣; a newline is ⏎, a tab ⇥
//   - other control bytes and bytes that are not UTF-8 (half a character) are
//     ⟨0D⟩ or ⟨E2⟩
//   - characters without a shape of their own (zero width, unusual spaces, a
//     leading combining mark, unassigned) and the marks above themselves are
//     ⟨U+200B⟩
//
// An underscore stays an underscore, for it is a token of its own.
func Glyphs(token []byte) string {
	if len(token) == 0 {
		return string(markEmpty)
	}
	var b strings.Builder
	for i := 0; i < len(token); {
		r, n := utf8.DecodeRune(token[i:])
		switch {
		case r == utf8.RuneError && n <= 1:
			writeByte(&b, token[i])
		case r == ' ':
			if spaceIsLost(token, i) {
				r = markSpace
			}
			b.WriteRune(r)
		case r == '\n':
			b.WriteRune(markNewline)
		case r == '\t':
			b.WriteRune(markTab)
		case r < ' ' || r == 0x7f:
			writeByte(&b, byte(r))
		case isMark(r) || !visible(r) || i == 0 && unicode.Is(unicode.M, r):
			writeCode(&b, r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// spaceIsLost reports whether the space at i would vanish in a cell: at the
// ends it has no neighbour to show it, and runs of spaces look like one.
func spaceIsLost(token []byte, i int) bool {
	return i == 0 || i == len(token)-1 || token[i-1] == ' ' || token[i+1] == ' '
}

func isMark(r rune) bool {
	switch r {
	case markSpace, markNewline, markTab, markEmpty, markOpen, markClose:
		return true
	}
	return false
}

// visible reports whether r has ink of its own, or changes the ink of the
// character before it. U+FFFD counts as invisible because it is what others
// print for bytes they could not decode.
func visible(r rune) bool {
	return r != utf8.RuneError && unicode.IsOneOf([]*unicode.RangeTable{
		unicode.L, unicode.M, unicode.N, unicode.P, unicode.S}, r)
}

func writeByte(b *strings.Builder, c byte) { fmt.Fprintf(b, "⟨%02X⟩", c) }
func writeCode(b *strings.Builder, r rune) { fmt.Fprintf(b, "⟨U+%04X⟩", r) }

// clean makes any caller's string drawable on one line: it replaces what could
// not be seen or would break an SVG, and leaves our marks alone. It is the
// identity on what Glyphs returns. Text past maxRunes is cut.
func clean(s string) string {
	const maxRunes = 4000
	var b strings.Builder
	runes := 0
	for i := 0; i < len(s); {
		if runes++; runes > maxRunes {
			b.WriteRune('…')
			break
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n <= 1:
			writeByte(&b, s[i])
		case r == '\n' || r == '\t' || r == '\u00a0':
			b.WriteByte(' ')
		case r < ' ' || r == 0x7f:
			writeByte(&b, byte(r))
		case r == ' ' || visible(r):
			b.WriteRune(r)
		default:
			writeCode(&b, r)
		}
		i += n
	}
	return b.String()
}
