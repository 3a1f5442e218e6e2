package notebook

import (
	"html"
	"slices"
	"strings"
)

// Elements and attributes that a text/html output may have to be put into the page as it is. None of them can load, run or submit anything.
var (
	fragmentTags = set(`a abbr b blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption figure h1 h2 h3 h4 h5
		h6 hr i img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr tt u ul var wbr`)
	voidTags      = set(`br col hr img wbr`)
	fragmentAttrs = set(`align alt bgcolor border cellpadding cellspacing class colspan dir height lang open role rowspan scope span start
		style title valign width`)
)

func set(words string) map[string]bool {
	m := make(map[string]bool)
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// plainFragment reports whether a piece of HTML is so plain that it can stand in the page: known elements in lower or upper case, every one
// closed in its place, known attributes in quotes, links to http or to the page, images inline. It accepts or refuses and repairs nothing:
// a parser that repairs can disagree with the browser's.
func plainFragment(s string) bool {
	var open []string
	for {
		lt := strings.IndexByte(s, '<')
		if lt < 0 {
			return len(open) == 0
		}
		s = s[lt+1:]
		if rest, ok := strings.CutPrefix(s, "/"); ok {
			name, tail, ok := strings.Cut(rest, ">")
			name = strings.ToLower(strings.TrimRight(name, " \t\r\n"))
			if !ok || len(open) == 0 || open[len(open)-1] != name {
				return false
			}
			open, s = open[:len(open)-1], tail
			continue
		}
		n := 0
		for n < len(s) && isAlnum(s[n]) {
			n++
		}
		name := strings.ToLower(s[:n])
		if !fragmentTags[name] {
			return false
		}
		tail, ok := plainAttrs(name, s[n:])
		if !ok {
			return false
		}
		if s = tail; !voidTags[name] {
			if open = append(open, name); len(open) > 256 {
				return false // browsers flatten what is nested too deep
			}
		}
	}
}

// plainAttrs checks the attributes of a start tag and returns what follows it.
func plainAttrs(tag, s string) (tail string, ok bool) {
	for {
		rest := strings.TrimLeft(s, " \t\r\n")
		switch {
		case strings.HasPrefix(rest, ">"):
			return rest[1:], true
		case strings.HasPrefix(rest, "/>") && voidTags[tag]:
			return rest[2:], true
		case len(rest) == len(s):
			return "", false // an attribute needs a space before it
		}
		n := 0
		for n < len(rest) && (isAlnum(rest[n]) || rest[n] == '-') {
			n++
		}
		name, value := strings.ToLower(rest[:n]), ""
		s = rest[n:]
		if strings.HasPrefix(s, "=") {
			if len(s) < 2 || s[1] != '"' && s[1] != '\'' {
				return "", false
			}
			end := strings.IndexByte(s[2:], s[1])
			if end < 0 {
				return "", false
			}
			value, s = html.UnescapeString(s[2:2+end]), s[2+end+1:]
		}
		if !plainAttr(tag, name, value) {
			return "", false
		}
	}
}

func plainAttr(tag, name, value string) bool {
	switch {
	case name == "style":
		v := strings.ToLower(value)
		return !slices.ContainsFunc([]string{"(", "\\", "/*", "@", "position", "<"}, func(bad string) bool { return strings.Contains(plainColors(v), bad) })
	case name == "href":
		v := strings.ToLower(value)
		return tag == "a" && (strings.HasPrefix(v, "https://") || strings.HasPrefix(v, "http://") || strings.HasPrefix(v, "#"))
	case name == "src":
		return tag == "img" && inlineImage(value)
	}
	return fragmentAttrs[name] || strings.HasPrefix(name, "data-") || strings.HasPrefix(name, "aria-")
}

// plainColors takes the harmless functions out of a style so that any other parenthesis is one too many.
func plainColors(style string) string {
	return strings.NewReplacer("rgb(", "", "rgba(", "", "hsl(", "", "hsla(", "", "calc(", "").Replace(style)
}

func inlineImage(url string) bool {
	for _, t := range []string{"png", "jpeg", "gif", "webp", "svg+xml"} {
		if strings.HasPrefix(url, "data:image/"+t+";base64,") {
			return true
		}
	}
	return false
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// Inline elements that raw HTML in Markdown may use, without attributes.
var markdownTags = set(`b br code del details em hr i ins kbd mark s samp small strong sub summary sup u var wbr`)

// tagFilter passes the tags of markdownTags and turns everything else into text. It closes what a cell leaves open, so that a cell cannot
// change the look of the next.
type tagFilter struct {
	open []string
}

func (f *tagFilter) filter(b *strings.Builder, s string) {
	for s != "" {
		lt := strings.IndexByte(s, '<')
		if lt < 0 {
			b.WriteString(html.EscapeString(html.UnescapeString(s)))
			return
		}
		b.WriteString(html.EscapeString(html.UnescapeString(s[:lt])))
		s = s[lt:]
		if strings.HasPrefix(s, "<!--") {
			if _, tail, ok := strings.Cut(s, "-->"); ok {
				s = tail
				continue
			}
		}
		gt := strings.IndexByte(s, '>')
		if gt < 0 || !f.tag(b, s[1:gt]) {
			b.WriteString("&lt;")
			s = s[1:]
			continue
		}
		s = s[gt+1:]
	}
}

func (f *tagFilter) tag(b *strings.Builder, inside string) bool {
	name, end := strings.CutPrefix(strings.ToLower(strings.TrimSpace(inside)), "/")
	name = strings.TrimSpace(strings.TrimSuffix(name, "/"))
	switch {
	case !markdownTags[name]:
		return false
	case voidTags[name]:
		b.WriteString("<" + name + ">")
	case !end:
		f.open = append(f.open, name)
		b.WriteString("<" + name + ">")
	case len(f.open) > 0 && f.open[len(f.open)-1] == name:
		f.open = f.open[:len(f.open)-1]
		b.WriteString("</" + name + ">")
	}
	return true
}

// close returns the end tags of all that is still open.
func (f *tagFilter) close() string {
	var b strings.Builder
	for _, name := range slices.Backward(f.open) {
		b.WriteString("</" + name + ">")
	}
	f.open = nil
	return b.String()
}
