package interp

import (
	"fmt"
	"go/format"
	"go/token"
	"strings"
)

// Format is a cell as gofmt writes Go: declarations and statements in turn,
// which one file of Go could not hold, each in their own way.
func (s *Session) Format(src string) (string, error) {
	items, _ := splitCell(src)
	if _, errs := planCell("", src, 0); len(errs) > 0 {
		return "", fmt.Errorf("%d:%d: %s", errs[0].line, errs[0].col, errs[0].msg)
	}
	var out strings.Builder
	for i := 0; i < len(items); {
		from, j := 0, i+1
		if i > 0 {
			from = endOf(src, items, i-1)
		}
		for j < len(items) && formatsAsDecl(items[j]) == formatsAsDecl(items[i]) {
			j++
		}
		text := src[from:endOf(src, items, j-1)]
		head := ""
		if !formatsAsDecl(items[i]) {
			head = "_ = 0\n\n" // or a function literal at the head is taken for a declaration
		}
		got, err := format.Source([]byte(head + strings.TrimSpace(text)))
		if err != nil {
			return "", fmt.Errorf("in what begins at %d:%d: %w", items[i].line, items[i].col, err)
		}
		if i > 0 {
			out.WriteString("\n")
			if lead := text[:len(text)-len(strings.TrimLeft(text, " \t\r\n"))]; strings.Count(lead, "\n") > 1 {
				out.WriteString("\n")
			}
		}
		out.WriteString(strings.TrimSpace(strings.TrimPrefix(string(got), head)))
		i = j
	}
	if len(items) == 0 {
		return src, nil
	}
	if rest := strings.TrimSpace(src[endOf(src, items, len(items)-1):]); rest != "" {
		out.WriteString("\n" + rest)
	}
	return out.String(), nil
}

// endOf is where the text of item i ends: with the remark beside it.
func endOf(src string, items []item, i int) int {
	end := items[i].offset + len(items[i].src)
	next := len(src)
	if i+1 < len(items) {
		next = items[i+1].offset
	}
	between := src[end:next]
	if line, _, ok := strings.Cut(between, "\n"); ok || next == len(src) {
		return end + len(line)
	}
	return end + len(between) // the next one stands on the same line
}

// formatsAsDecl reports whether it stands at the top of a file.
func formatsAsDecl(it item) bool {
	return it.tok == token.IMPORT || it.tok == token.PACKAGE || it.tok == token.VAR || isDecl(it)
}
