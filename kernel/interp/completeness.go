package interp

import (
	"go/scanner"
	"go/token"
	"strings"

	"github.com/gopherlens/gopherlens/kernel"
)

// Check tells whether src is finished. Unbalanced brackets, an open string or
// comment, and a line that ends in an operator ask for more; anything else
// that does not parse is invalid.
func (s *Session) Check(src string) kernel.Completeness {
	depth, unfinished := openness(src)
	if depth > 0 || unfinished {
		return kernel.Completeness{Status: kernel.Incomplete, Indent: strings.Repeat("\t", max(depth, 0))}
	}
	if _, errs := planCell("In[0]", src, 0); errs != nil {
		for _, e := range errs {
			if strings.Contains(e.msg, "found the end") {
				return kernel.Completeness{Status: kernel.Incomplete}
			}
		}
		return kernel.Completeness{Status: kernel.Invalid}
	}
	return kernel.Completeness{Status: kernel.Complete}
}

// openness is how many brackets are open at the end of src, and whether a
// string, a comment or an expression is.
func openness(src string) (depth int, unfinished bool) {
	fset := token.NewFileSet()
	var sc scanner.Scanner
	sc.Init(fset.AddFile("", -1, len(src)), []byte(src), func(_ token.Position, msg string) {
		if strings.Contains(msg, "comment not terminated") || strings.Contains(msg, "raw string literal not terminated") {
			unfinished = true
		}
	}, 0)
	last := token.SEMICOLON
	for {
		_, tok, lit := sc.Scan()
		switch tok {
		case token.EOF:
			return depth, unfinished || wantsMore(last)
		case token.LBRACE, token.LPAREN, token.LBRACK:
			depth++
		case token.RBRACE, token.RPAREN, token.RBRACK:
			depth--
		}
		if tok != token.SEMICOLON || lit == ";" {
			last = tok
		} else {
			last = token.SEMICOLON
		}
	}
}

// wantsMore reports whether no statement ends in tok.
func wantsMore(tok token.Token) bool {
	switch tok {
	case token.SEMICOLON, token.RBRACE, token.RPAREN, token.RBRACK, token.INC, token.DEC:
		return false
	case token.VAR, token.CONST, token.TYPE, token.FUNC, token.IMPORT, token.FOR, token.IF, token.SWITCH, token.SELECT,
		token.GO, token.DEFER, token.RANGE, token.ELSE, token.CASE, token.PACKAGE:
		return true
	}
	return tok.IsOperator()
}
