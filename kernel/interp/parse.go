package interp

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"strings"
)

// parsed is an item parsed inside a prefix and suffix, with offsets back into
// the item.
type parsed struct {
	fset   *token.FileSet
	file   *ast.File
	base   int // offset of the item in the parsed text
	src    string
	origin item
}

func (q *parsed) off(p token.Pos) int { return q.fset.PositionFor(p, false).Offset - q.base }

// text is the source of n. The parser lets some nodes end after the item, such
// as the empty statement of a label that stands last.
func (q *parsed) text(n ast.Node) string {
	from := min(max(q.off(n.Pos()), 0), len(q.src))
	return q.src[from:min(max(q.off(n.End()), from), len(q.src))]
}

// at is the position in the cell of a position in the parsed text.
func (q *parsed) at(p token.Pos) (line, col int) {
	pos := q.fset.Position(p)
	return pos.Line, pos.Column
}

func parseItem(file string, it item, prefix, suffix string, mode parser.Mode) (*parsed, []syntaxError) {
	dir := fmt.Sprintf("/*line %s:%d:%d*/", file, it.line, it.col)
	q := &parsed{fset: token.NewFileSet(), base: len(prefix) + len(dir), src: it.src, origin: it}
	f, err := parser.ParseFile(q.fset, file, prefix+dir+it.src+suffix, mode|parser.AllErrors)
	if err != nil {
		var out []syntaxError
		if list, ok := err.(scanner.ErrorList); ok {
			end := it.line + strings.Count(it.src, "\n")
			for _, e := range list {
				if e.Pos.Line > end { // in what was put after the item
					if len(out) == 0 {
						out = append(out, syntaxError{end, endColumn(it), unfinished(e.Msg)})
					}
					break
				}
				out = append(out, syntaxError{e.Pos.Line, e.Pos.Column, e.Msg})
			}
		} else {
			out = append(out, syntaxError{it.line, it.col, err.Error()})
		}
		return nil, out
	}
	q.file = f
	return q, nil
}

// endColumn is the column after the item's last character.
func endColumn(it item) int {
	if nl := strings.LastIndexByte(it.src, '\n'); nl >= 0 {
		return len(it.src) - nl
	}
	return it.col + len(it.src)
}

// unfinished words an error that the parser found after the item.
func unfinished(msg string) string {
	for _, found := range []string{"found '}'", "found 'EOF'", "found newline"} {
		msg = strings.ReplaceAll(msg, found, "found the end")
	}
	return msg
}
