package interp

import (
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"strings"
)

// item is one top-level piece of a cell: an import, a declaration or a
// statement. Tok is its first token.
type item struct {
	tok       token.Token
	src       string
	lead      string // what stands between the item before and this one
	offset    int    // byte offset in the cell
	line, col int    // from 1; col counts bytes
	semi      bool   // ended by a semicolon that the user typed
	method    bool   // func ( ...: a method or a function literal
}

// syntaxError is one complaint of the scanner or parser, positioned in the cell.
type syntaxError struct {
	line, col int
	msg       string
}

// splitCell cuts src at its top-level semicolons, typed or inserted. It never
// fails: what does not parse is left for the parser to word.
func splitCell(src string) ([]item, []syntaxError) {
	var items []item
	var errs []syntaxError
	fset := token.NewFileSet()
	file := fset.AddFile("", -1, len(src))
	var sc scanner.Scanner
	sc.Init(file, []byte(src), func(p token.Position, msg string) {
		errs = append(errs, syntaxError{p.Line, p.Column, msg})
	}, 0)
	depth, start, last := 0, -1, 0
	header, braces := false, false
	var cur item
	count := 0
	flush := func(end int, semi bool) {
		if start >= 0 {
			cur.src = strings.TrimRight(src[start:end], " \t\r\n")
			cur.semi = semi
			items = append(items, cur)
			last = start + len(cur.src)
		}
		start, count, header, braces = -1, 0, false, false
	}
	for {
		pos, tok, lit := sc.Scan()
		off := min(file.Offset(pos), len(src))
		if tok == token.EOF {
			flush(len(src), false)
			return items, errs
		}
		if tok == token.SEMICOLON && depth <= 0 {
			if start < 0 {
				continue
			}
			// for a; b; c { }: the typed semicolons of a header do not end it
			if lit == ";" && header && (!braces || !parses(src[start:off])) {
				continue
			}
			flush(off, lit == ";")
			depth = 0
			continue
		}
		if start < 0 {
			p := fset.PositionFor(pos, false)
			start = off
			lead := src[last:off]
			if len(items) == 0 {
				lead = "\n" + lead // there is nothing that a comment could be beside
			}
			cur = item{tok: tok, lead: lead, offset: off, line: p.Line, col: p.Column}
		}
		count++
		if count == 2 && cur.tok == token.FUNC && tok == token.LPAREN {
			cur.method = true
		}
		switch tok {
		case token.LPAREN, token.LBRACK:
			depth++
		case token.LBRACE:
			depth++
			braces = true
		case token.RPAREN, token.RBRACK, token.RBRACE:
			depth--
		case token.FOR, token.IF, token.SWITCH:
			if depth == 0 {
				header = true
			}
		}
	}
}

// parses reports whether s is a whole statement.
func parses(s string) bool {
	_, err := parser.ParseFile(token.NewFileSet(), "", "package p;func _(){"+s+"\n}", parser.SkipObjectResolution)
	return err == nil
}

// freeNames lists the identifiers of f that nothing in f declares. keys are
// the identifiers used as keys of composite literals, which may be field
// names or not: only types can tell.
func freeNames(f *ast.File) (free []*ast.Ident, keys []*ast.Ident) {
	free = f.Unresolved
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.CompositeLit); ok {
			for _, e := range lit.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					if id, ok := kv.Key.(*ast.Ident); ok && id.Obj == nil {
						keys = append(keys, id)
					}
				}
			}
		}
		return true
	})
	return free, keys
}
