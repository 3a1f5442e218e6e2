package notebook

import (
	"fmt"
	"html"
	"strconv"
	"strings"
)

// pen is the state that ANSI escapes set. Colours are "" (default), a class suffix (0 to 15) or a CSS colour that starts with '#'.
type pen struct {
	fg, bg                          string
	bold, faint, italic, under, inv bool
	strike                          bool
}

// ansiHTML turns terminal text into HTML: colours and styles become spans, a carriage return starts the line again, other escapes and control
// characters are dropped.
func ansiHTML(s string) string {
	var b strings.Builder
	var p pen
	s = strings.ReplaceAll(s, "\r\n", "\n")
	for i, line := range strings.SplitAfter(s, "\n") {
		if i > 0 && line == "" {
			break
		}
		ansiLine(&b, &p, overwrite(line))
	}
	return b.String()
}

// overwrite keeps of a line what a progress bar leaves on the screen: the text after the last carriage return that has text after it.
func overwrite(line string) string {
	if !strings.Contains(line, "\r") {
		return line
	}
	body, nl := strings.CutSuffix(line, "\n")
	body = strings.TrimRight(body, "\r")
	body = body[strings.LastIndexByte(body, '\r')+1:]
	if nl {
		body += "\n"
	}
	return body
}

func ansiLine(b *strings.Builder, p *pen, s string) {
	for s != "" {
		esc := strings.IndexByte(s, 0x1b)
		if esc < 0 {
			p.write(b, s)
			return
		}
		p.write(b, s[:esc])
		s = s[esc+1:]
		switch {
		case strings.HasPrefix(s, "["):
			n := 1
			for n < len(s) && s[n] >= 0x20 && s[n] <= 0x3f {
				n++
			}
			if n < len(s) && s[n] == 'm' {
				p.sgr(s[1:n])
			}
			s = s[min(n+1, len(s)):]
		case strings.HasPrefix(s, "]"): // a title or a link: until BEL or ESC \
			end := strings.IndexAny(s, "\a\x1b")
			if end < 0 {
				return
			}
			if s[end] == 0x1b {
				end++
			}
			s = s[min(end+1, len(s)):]
		case s != "" && s[0] < 0x80:
			s = s[1:]
		}
	}
}

func (p *pen) write(b *strings.Builder, s string) {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	if s == "" {
		return
	}
	if *p == (pen{}) {
		b.WriteString(html.EscapeString(s))
		return
	}
	var class, style []string
	fg, bg := p.fg, p.bg
	if p.inv {
		class = append(class, "ai")
		fg, bg = bg, fg
	}
	for _, c := range []struct{ color, class, prop string }{{fg, "af", "color"}, {bg, "ab", "background-color"}} {
		if strings.HasPrefix(c.color, "#") {
			style = append(style, c.prop+":"+c.color)
		} else if c.color != "" {
			class = append(class, c.class+c.color)
		}
	}
	for _, c := range []struct {
		on   bool
		name string
	}{{p.bold, "a-b"}, {p.faint, "a-f"}, {p.italic, "a-i"}, {p.under, "a-u"}, {p.strike, "a-s"}} {
		if c.on {
			class = append(class, c.name)
		}
	}
	b.WriteString("<span")
	if len(class) > 0 {
		b.WriteString(` class="` + strings.Join(class, " ") + `"`)
	}
	if len(style) > 0 {
		b.WriteString(` style="` + strings.Join(style, ";") + `"`)
	}
	b.WriteString(">" + html.EscapeString(s) + "</span>")
}

// sgr applies the parameters of a "select graphic rendition" escape.
func (p *pen) sgr(params string) {
	var codes []int
	for _, f := range strings.FieldsFunc(params+";", func(r rune) bool { return r == ';' || r == ':' }) {
		n, err := strconv.Atoi(f)
		if err != nil {
			return
		}
		codes = append(codes, n)
	}
	if len(codes) == 0 {
		*p = pen{}
	}
	for i := 0; i < len(codes); i++ {
		switch c := codes[i]; {
		case c == 0:
			*p = pen{}
		case c == 1:
			p.bold = true
		case c == 2:
			p.faint = true
		case c == 3:
			p.italic = true
		case c == 4:
			p.under = true
		case c == 7:
			p.inv = true
		case c == 9:
			p.strike = true
		case c == 22:
			p.bold, p.faint = false, false
		case c == 23:
			p.italic = false
		case c == 24:
			p.under = false
		case c == 27:
			p.inv = false
		case c == 29:
			p.strike = false
		case c >= 30 && c <= 37:
			p.fg = strconv.Itoa(c - 30)
		case c == 39:
			p.fg = ""
		case c >= 40 && c <= 47:
			p.bg = strconv.Itoa(c - 40)
		case c == 49:
			p.bg = ""
		case c >= 90 && c <= 97:
			p.fg = strconv.Itoa(c - 90 + 8)
		case c >= 100 && c <= 107:
			p.bg = strconv.Itoa(c - 100 + 8)
		case c == 38 || c == 48:
			color, used := extendedColor(codes[i+1:])
			i += used
			if c == 38 {
				p.fg = color
			} else {
				p.bg = color
			}
		}
	}
}

// extendedColor reads 5;n (256 colours) or 2;r;g;b and says how many codes it took.
func extendedColor(codes []int) (color string, used int) {
	switch {
	case len(codes) >= 2 && codes[0] == 5:
		n := min(max(codes[1], 0), 255)
		switch {
		case n < 16:
			return strconv.Itoa(n), 2
		case n < 232:
			level := func(v int) int {
				if v == 0 {
					return 0
				}
				return 55 + 40*v
			}
			n -= 16
			return fmt.Sprintf("#%02x%02x%02x", level(n/36), level(n/6%6), level(n%6)), 2
		}
		v := 8 + 10*(n-232)
		return fmt.Sprintf("#%02x%02x%02x", v, v, v), 2
	case len(codes) >= 4 && codes[0] == 2:
		return fmt.Sprintf("#%02x%02x%02x", codes[1]&255, codes[2]&255, codes[3]&255), 4
	}
	return "", len(codes)
}
