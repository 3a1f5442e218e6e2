package magic

import (
	"go/ast"
	"go/parser"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gopherlens/gopherlens/kernel"
)

// part is a piece of a cell: code, or one command.
type part struct {
	command bool
	line    int    // where it starts, from 0
	off     int    // the same in bytes
	text    string // all of it

	shell  bool   // ! or $
	ask    string // what a ? asks about
	detail int    // 1 if there are two
	signs  int    // percent signs: 1 or 2
	first  bool   // nothing but blank lines before it
	name   string
	args   string
	argsAt int // column of args in bytes, from 0
	body   string
}

var commandForm = regexp.MustCompile(`^([ \t]*(?://)?)(%%?)[ \t]*([\pL_][\pL\pN_]*)?[ \t]*`)

// question is ?name or name?, with one or two marks.
var question = regexp.MustCompile(`^(\?{0,2})[ \t]*(%{0,2}[\pL_][\pL\pN_]*(?:\.[\pL_][\pL\pN_]*)*\.?)[ \t]*(\?{0,2})$`)

// split cuts a cell into code and commands, in order; there is at least one part.
func (e *Evaluator) split(src string) []part {
	var parts []part
	var s scan
	code := part{}
	end := func(at int) {
		if code.text = src[code.off:at]; code.text != "" {
			parts = append(parts, code)
		}
	}
	lines := strings.SplitAfter(src, "\n")
	off := 0
	for i := 0; i < len(lines); i++ {
		text := lines[i]
		p, ok := part{}, false
		if s.statementStarts() {
			p, ok = e.commandOf(text, src, off)
		}
		if !ok {
			s.line(text)
			off += len(text)
			continue
		}
		p.command, p.line, p.off = true, i, off
		p.first = blank(src[:off])
		p.text = text
		switch {
		case p.signs == 2 && p.first:
			p.text = src[off:]
			_, p.body, _ = strings.Cut(p.text, "\n")
			i = len(lines)
		case p.shell: // a backslash goes on in the next line, as in a shell
			for strings.HasSuffix(strings.TrimRight(p.text, "\r\n"), "\\") && i+1 < len(lines) {
				i++
				p.text += lines[i]
			}
			p.args = strings.TrimSpace(strings.TrimLeft(p.text, " \t")[1:])
		}
		end(off)
		parts = append(parts, p)
		off += len(p.text)
		code = part{line: i + 1, off: off}
	}
	if end(len(src)); len(parts) == 0 {
		return []part{{text: src}}
	}
	// Blank lines around commands are nothing to run.
	kept := parts[:0]
	for _, p := range parts {
		if p.command || !blank(p.text) || len(parts) == 1 {
			kept = append(kept, p)
		}
	}
	return kept
}

// commandOf reads a line at the start of a statement.
func (e *Evaluator) commandOf(text, src string, off int) (part, bool) {
	trimmed := strings.TrimSpace(text)
	if m := question.FindStringSubmatch(trimmed); m != nil && (m[1] == "") != (m[3] == "") {
		return part{ask: m[2], detail: len(m[1]+m[3]) - 1}, true
	}
	switch {
	case trimmed == "":
		return part{}, false
	case trimmed[0] == '$' && len(trimmed) > 1, trimmed[0] == '!' && len(trimmed) > 1 && !e.negation(trimmed, src[:off]+src[off+len(text):]):
		return part{shell: true}, true
	}
	m := commandForm.FindStringSubmatchIndex(text)
	if m == nil {
		return part{}, false
	}
	p := part{signs: m[5] - m[4], argsAt: m[1]}
	if m[6] >= 0 {
		p.name = text[m[6]:m[7]]
	}
	if strings.HasSuffix(text[m[2]:m[3]], "//") {
		if _, ok := e.find(p.name); !ok { // a remark, such as a jupytext cell marker
			return part{}, false
		}
	}
	p.args = strings.TrimSpace(text[m[1]:])
	return p, true
}

// negation reports whether a line that starts with ! is Go: an expression whose
// first name the session or the rest of the cell knows.
func (e *Evaluator) negation(line, rest string) bool {
	x, err := parser.ParseExpr(line)
	if err != nil {
		return false
	}
	var first string
	ast.Inspect(x, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && first == "" {
			first = id.Name
		}
		return first == ""
	})
	if first == "" || first == "true" || first == "false" {
		return true
	}
	for _, n := range e.names() {
		if n.Name == first {
			return true
		}
	}
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(first) + `\b`).MatchString(rest)
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// scan follows Go code as far as needed to know where statements may start.
type scan struct {
	raw, comment bool
	depth        int
	last         rune // last character that counts; 0 at the start
	before       rune // the one before it, if it adjoins
	gap          bool // white space came after last
}

func (s *scan) statementStarts() bool {
	if s.raw || s.comment || s.depth > 0 {
		return false
	}
	switch s.last {
	case 0, ';', ')', ']', '}', '"', '\'', '`', '_':
		return true
	case '+', '-':
		return s.before == s.last
	}
	return unicode.IsLetter(s.last) || unicode.IsDigit(s.last)
}

// line reads one line of code.
func (s *scan) line(text string) {
	s.gap = true
	for i := 0; i < len(text); {
		switch rest := text[i:]; {
		case s.raw:
			n := strings.IndexByte(rest, '`')
			if n < 0 {
				return
			}
			s.raw = false
			i += n + 1
		case s.comment:
			n := strings.Index(rest, "*/")
			if n < 0 {
				return
			}
			s.comment = false
			i += n + 2
		case strings.HasPrefix(rest, "//"):
			return
		case strings.HasPrefix(rest, "/*"):
			s.comment = true
			i += 2
		case rest[0] == '`':
			s.raw, s.last = true, '`'
			i++
		case rest[0] == '"' || rest[0] == '\'':
			s.last = rune(rest[0])
			i += quoted(rest)
		default:
			r, n := utf8.DecodeRuneInString(rest)
			i += n
			if unicode.IsSpace(r) {
				s.gap = true
				continue
			}
			switch r {
			case '(', '[', '{':
				s.depth++
			case ')', ']', '}':
				s.depth = max(0, s.depth-1)
			}
			s.before, s.last = s.last, r
			if s.gap {
				s.before, s.gap = 0, false
			}
		}
	}
}

// quoted is the length of the string or rune at the start of s; one that is not
// closed ends with its line.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		case '\n':
			return i
		}
	}
	return len(s)
}

// plain is src with commands blanked out, byte for byte; what follows the name of
// a command that takes code stays.
func (e *Evaluator) plain(src string) string {
	b := []byte(src)
	for _, p := range e.split(src) {
		if !p.command {
			continue
		}
		if p.ask != "" && p.ask[0] != '%' { // completed and inspected as code
			for i := p.off; i < p.off+len(p.text); i++ {
				if b[i] == '?' {
					b[i] = ' '
				}
			}
			continue
		}
		end := p.off + len(p.text)
		if cmd, ok := e.find(p.name); ok && cmd.Code && !p.shell {
			end = p.off + p.argsAt
		}
		for i := p.off; i < end; i++ {
			if b[i] != '\n' {
				b[i] = ' '
			}
		}
	}
	return string(b)
}

// at is the command that the cursor stands in.
func (e *Evaluator) at(src string, cursor int) (part, bool) {
	for _, p := range e.split(src) {
		if p.command && cursor >= p.off && cursor <= p.off+len(strings.TrimRight(p.text, "\r\n")) {
			return p, true
		}
	}
	return part{}, false
}

// Complete completes commands and files, and code with the wrapped Evaluator.
func (e *Evaluator) Complete(src string, cursor int) kernel.Completions {
	if p, ok := e.at(src, cursor); ok && p.ask == "" {
		typed := src[p.off:cursor]
		cmd, known := e.find(p.name)
		switch inBody := strings.Contains(typed, "\n") && !p.shell; {
		case p.shell:
			return files(src, p.off+1, cursor)
		case inBody && !cmd.Code:
			return kernel.Completions{Start: cursor, End: cursor}
		case inBody:
		case cursor < p.off+p.argsAt || !known || p.args == "" && !strings.HasSuffix(typed, " "):
			return e.completeName(p, cursor)
		case !cmd.Code:
			return files(src, p.off+p.argsAt, cursor)
		}
	}
	if c, ok := e.inner.(kernel.Completer); ok {
		return c.Complete(e.plain(src), cursor)
	}
	return kernel.Completions{Start: cursor, End: cursor}
}

func (e *Evaluator) completeName(p part, cursor int) kernel.Completions {
	sign := strings.IndexByte(p.text, '%')
	start := p.off + sign
	if cursor <= start {
		return kernel.Completions{Start: cursor, End: cursor}
	}
	typed := p.text[sign : cursor-p.off]
	got := kernel.Completions{Start: start, End: cursor}
	for _, c := range e.commands {
		for signs, has := range map[string]bool{"%": c.Line != nil, "%%": c.Cell != nil && p.first} {
			if name := signs + c.Name; has && strings.HasPrefix(name, typed) && (p.signs == 1 || signs == "%%") {
				got.Items = append(got.Items, kernel.Completion{Text: name, Type: "magic", Signature: c.Args})
			}
		}
	}
	return got
}

// Inspect explains commands, and code with the wrapped Evaluator.
func (e *Evaluator) Inspect(src string, cursor, detail int) (map[string]any, bool) {
	if p, ok := e.at(src, cursor); ok && p.ask == "" {
		cmd, known := e.find(p.name)
		if known && (cursor <= p.off+p.argsAt || !cmd.Code) {
			return map[string]any{"text/plain": cmd.usage() + "\n\n" + cmd.Help}, true
		}
		if !known || p.shell {
			return nil, false
		}
	}
	if i, ok := e.inner.(kernel.Inspector); ok {
		return i.Inspect(e.plain(src), cursor, detail)
	}
	return nil, false
}

// Check asks the wrapped Evaluator about the code. A %% command with text below
// it goes on until a blank line.
func (e *Evaluator) Check(src string) kernel.Completeness {
	parts := e.split(src)
	if p := parts[0]; p.command && p.signs == 2 {
		if cmd, ok := e.find(p.name); !ok || !cmd.Code {
			if strings.HasSuffix(src, "\n\n") || !strings.Contains(strings.TrimRight(src, "\n"), "\n") && strings.HasSuffix(src, "\n") && ok && cmd.Line != nil {
				return kernel.Completeness{Status: kernel.Complete}
			}
			return kernel.Completeness{Status: kernel.Incomplete}
		}
	}
	plain := e.plain(src)
	if blank(plain) {
		return kernel.Completeness{Status: kernel.Complete}
	}
	if c, ok := e.inner.(kernel.Checker); ok {
		return c.Check(plain)
	}
	return kernel.Completeness{Status: kernel.Unknown}
}
