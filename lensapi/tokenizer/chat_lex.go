package tokenizer

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind byte

const (
	tokenEnd       tokenKind = iota // of the template
	tokenData                       // text between tags
	tokenOutput                     // {{
	tokenOutputEnd                  // }}
	tokenBlock                      // {%
	tokenBlockEnd                   // %}
	tokenWord
	tokenString
	tokenNumber
	tokenOp
)

type token struct {
	kind tokenKind
	val  string
	line int
}

// templateLexer cuts a template into tokens with Jinja's rules for whitespace as Hugging Face sets them:
// trim_blocks, lstrip_blocks, and no newline at the end of the template.
type templateLexer struct {
	src       string
	at        int
	line      int
	out       []token
	lineStart bool // the text that follows begins a line
	trim      bool // a "-" before the text that follows: strip its start
}

func lexTemplate(source string) ([]token, error) {
	if len(source) > maxTemplate {
		return nil, fmt.Errorf("it has %d bytes; at most %d are allowed", len(source), maxTemplate)
	}
	if !utf8.ValidString(source) {
		return nil, errors.New("it is not UTF-8")
	}
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	l := &templateLexer{src: strings.TrimSuffix(source, "\n"), line: 1, lineStart: true}
	for l.at < len(l.src) {
		if err := l.next(); err != nil {
			return nil, fmt.Errorf("line %d: %w", l.line, err)
		}
	}
	l.emit(tokenEnd, "")
	return l.out, nil
}

func (l *templateLexer) emit(kind tokenKind, val string) {
	l.out = append(l.out, token{kind, val, l.line})
}

// advance moves on by n bytes, counting lines.
func (l *templateLexer) advance(n int) {
	l.line += strings.Count(l.src[l.at:l.at+n], "\n")
	l.at += n
}

// tagStart finds the next tag at or after from.
func (l *templateLexer) tagStart(from int) int {
	for i := from; i+1 < len(l.src); i++ {
		if l.src[i] == '{' && strings.IndexByte("{%#", l.src[i+1]) >= 0 {
			return i
		}
	}
	return -1
}

// next reads the text up to the next tag, and the tag.
func (l *templateLexer) next() error {
	start := l.tagStart(l.at)
	if start < 0 {
		l.text(l.src[l.at:], false, false)
		l.advance(len(l.src) - l.at)
		return nil
	}
	kind := l.src[start+1]
	mark := byte(0) // "-" or "+" right after the opening
	if start+2 < len(l.src) && strings.IndexByte("-+", l.src[start+2]) >= 0 && (kind != '{' || l.src[start+2] == '-') {
		mark = l.src[start+2]
	}
	l.text(l.src[l.at:start], mark == '-', kind != '{' && mark != '+')
	l.advance(start - l.at)
	open := 2
	if mark != 0 {
		open = 3
	}
	l.advance(open)
	switch kind {
	case '#':
		return l.comment()
	case '{':
		l.emit(tokenOutput, "{{")
		return l.tag("}}", tokenOutputEnd)
	}
	if rest := strings.TrimLeft(l.src[l.at:], " \t\n"); strings.HasPrefix(rest, "raw") {
		return errors.New("tag raw is not supported")
	}
	l.emit(tokenBlock, "{%")
	return l.tag("%}", tokenBlockEnd)
}

// text emits the text before a tag: stripped as the tags on its two sides ask.
func (l *templateLexer) text(s string, stripEnd, stripLine bool) {
	lineStart := l.lineStart
	if l.trim {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
		lineStart = false
	}
	switch i := strings.LastIndexByte(s, '\n') + 1; {
	case stripEnd:
		s = strings.TrimRightFunc(s, unicode.IsSpace)
	case stripLine && (i > 0 || lineStart) && strings.Trim(s[i:], " \t") == "":
		s = s[:i]
	}
	if s != "" {
		l.emit(tokenData, s)
	}
	l.trim, l.lineStart = false, false
}

// closed handles what follows the end of a tag.
func (l *templateLexer) closed(minus, plus, block bool) {
	l.trim = minus
	if block && !minus && !plus && strings.HasPrefix(l.src[l.at:], "\n") {
		l.advance(1)
		l.lineStart = true
	}
}

func (l *templateLexer) comment() error {
	i := strings.Index(l.src[l.at:], "#}")
	if i < 0 {
		return errors.New("a comment is not closed")
	}
	body := l.src[l.at : l.at+i]
	l.advance(i + 2)
	l.closed(strings.HasSuffix(body, "-"), strings.HasSuffix(body, "+"), true)
	return nil
}

// tag reads the tokens of a tag up to its end.
func (l *templateLexer) tag(end string, endType tokenKind) error {
	var brackets []byte
	for n := 0; ; n++ {
		l.advance(len(l.src[l.at:]) - len(strings.TrimLeft(l.src[l.at:], " \t\n")))
		rest := l.src[l.at:]
		switch {
		case rest == "":
			return fmt.Errorf("a tag is not closed by %s", end)
		case n > maxTagTokens:
			return fmt.Errorf("a tag has more than %d tokens", maxTagTokens)
		}
		if len(brackets) == 0 {
			mark := 0
			if strings.HasPrefix(rest[1:], end) && (rest[0] == '-' || rest[0] == '+' && end == "%}") {
				mark = 1
			}
			if strings.HasPrefix(rest[mark:], end) {
				l.emit(endType, end)
				l.advance(mark + 2)
				l.closed(mark == 1 && rest[0] == '-', mark == 1 && rest[0] == '+', end == "%}")
				return nil
			}
		}
		switch c := rest[0]; c {
		case '(', '[', '{':
			if brackets = append(brackets, c); len(brackets) > maxNesting {
				return fmt.Errorf("brackets nest deeper than %d", maxNesting)
			}
		case ')', ']', '}':
			want := map[byte]byte{')': '(', ']': '[', '}': '{'}[c]
			if len(brackets) == 0 || brackets[len(brackets)-1] != want {
				return fmt.Errorf("unexpected %q", c)
			}
			brackets = brackets[:len(brackets)-1]
		}
		if err := l.token(rest); err != nil {
			return err
		}
	}
}

// operators, the longer ones first.
var operators = []string{
	"==", "!=", "<=", ">=", "//", "**", "+", "-", "~", "*", "/", "%", "<", ">", "=",
	"(", ")", "[", "]", "{", "}", ",", ":", ".", "|",
}

func (l *templateLexer) token(rest string) error {
	r, _ := utf8.DecodeRuneInString(rest)
	switch {
	case r == '"' || r == '\'':
		return l.str(rest)
	case r >= '0' && r <= '9':
		n := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if frac := rest[n:]; len(frac) > 1 && frac[0] == '.' && frac[1] >= '0' && frac[1] <= '9' {
			n += len(frac) - len(strings.TrimLeft(frac[1:], "0123456789"))
		}
		l.emit(tokenNumber, rest[:n])
		l.advance(n)
		return nil
	case r == '_' || unicode.IsLetter(r):
		n := strings.IndexFunc(rest, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if n < 0 {
			n = len(rest)
		}
		l.emit(tokenWord, rest[:n])
		l.advance(n)
		return nil
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			l.emit(tokenOp, op)
			l.advance(len(op))
			return nil
		}
	}
	return fmt.Errorf("%q is not supported in a tag", r)
}

func isFloat(number string) bool { return strings.Contains(number, ".") }

// str reads a string literal.
func (l *templateLexer) str(rest string) error {
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		c := rest[i]
		switch {
		case c == rest[0]:
			l.emit(tokenString, b.String())
			l.advance(i + 1)
			return nil
		case c != '\\':
			b.WriteByte(c)
			continue
		case i+1 == len(rest):
			continue
		}
		i++
		switch e := rest[i]; e {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case '\\', '\'', '"':
			b.WriteByte(e)
		case '\n': // a line continued
		case 'x', 'u', 'U':
			n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[e]
			r, ok := hexRune(rest[i+1:], n)
			if !ok {
				return fmt.Errorf(`a string has a broken \%c escape`, e)
			}
			b.WriteRune(r)
			i += n
		default: // Python keeps the backslash of an escape it does not know
			b.WriteByte('\\')
			b.WriteByte(e)
		}
	}
	return errors.New("a string is not closed")
}

func hexRune(s string, n int) (rune, bool) {
	if len(s) < n {
		return 0, false
	}
	var r rune
	for i := range n {
		d := hexDigit(s[i])
		if d < 0 || r > unicode.MaxRune>>4 {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, utf8.ValidRune(r)
}
