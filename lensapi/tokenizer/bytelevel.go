package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// GPT-2's byte alphabet: printable Latin-1 bytes stand for themselves, the other 68 are moved to U+0100 and up, so that
// every byte is one visible character.
var (
	byteToRune [256]rune
	runeToByte [0x144]int16 // -1 where the character is not in the alphabet
)

func init() {
	for i := range runeToByte {
		runeToByte[i] = -1
	}
	moved := rune(0x100)
	for b := range 256 {
		r := rune(b)
		if !(b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE) {
			r = moved
			moved++
		}
		byteToRune[b] = r
		runeToByte[r] = int16(b)
	}
}

// toByteLevel writes the bytes of s in GPT-2's alphabet.
func toByteLevel(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/4)
	for i := range len(s) {
		b.WriteRune(byteToRune[s[i]])
	}
	return b.String()
}

// fromByteLevel undoes toByteLevel; ok is false when s has a character outside the alphabet.
func fromByteLevel(s string) (out []byte, ok bool) {
	out = make([]byte, 0, len(s))
	for _, r := range s {
		if int(r) >= len(runeToByte) || runeToByte[r] < 0 {
			return nil, false
		}
		out = append(out, byte(runeToByte[r]))
	}
	return out, true
}

// gpt2Pattern is what ByteLevel splits by when use_regex is true. gpt2Split is the same thing by hand: it is what most
// small models use, and a backtracking engine is many times slower.
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// class of a character in gpt2Pattern.
type class uint8

const (
	letter class = iota
	number
	space
	other
)

func classOf(r rune) class {
	switch {
	case r < 0x80:
		switch {
		case r|0x20 >= 'a' && r|0x20 <= 'z':
			return letter
		case r >= '0' && r <= '9':
			return number
		case r == ' ' || r >= '\t' && r <= '\r':
			return space
		}
		return other
	case unicode.IsLetter(r):
		return letter
	case unicode.Is(unicode.N, r):
		return number
	case unicode.Is(unicode.White_Space, r):
		return space
	}
	return other
}

// contraction returns the length of 's 't 're 've 'm 'll 'd at the start of s, 0 if there is none.
func contraction(s string) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	switch s[1] {
	case 's', 't', 'm', 'd':
		return 2
	}
	if len(s) >= 3 {
		switch s[1:3] {
		case "re", "ve", "ll":
			return 3
		}
	}
	return 0
}

// gpt2Next returns the length of the first match of gpt2Pattern in s, which is not empty. The pattern matches at every
// position, so the matches cover the text.
func gpt2Next(s string) int {
	if n := contraction(s); n > 0 {
		return n
	}
	r, n := utf8.DecodeRuneInString(s)
	c := classOf(r)
	start := 0
	if r == ' ' && len(s) > 1 {
		if r2, n2 := utf8.DecodeRuneInString(s[1:]); classOf(r2) != space {
			c, start, n = classOf(r2), 1, n2
		}
	}
	end, last := start+n, start
	for end < len(s) {
		r, n := utf8.DecodeRuneInString(s[end:])
		if classOf(r) != c {
			break
		}
		last = end
		end += n
	}
	// \s+(?!\S): a run of spaces before a word leaves its last one to the word.
	if c == space && end < len(s) && last > start {
		return last
	}
	return end
}
