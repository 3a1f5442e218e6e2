package interp

import (
	"go/scanner"
	"go/token"
	"slices"
	"strings"

	"github.com/gopherlens/gopherlens/kernel"
)

// Check tells whether src is finished. Unbalanced brackets, an open string or
// comment, and a line that ends in an operator ask for more; anything else
// that does not parse is invalid.
func (s *Session) Check(src string) kernel.Completeness {
	depth, indent, unfinished := openness(src)
	switch {
	case depth < 0 || strayCase(src):
		return kernel.Completeness{Status: kernel.Invalid}
	case depth > 0 || unfinished:
		return kernel.Completeness{Status: kernel.Incomplete, Indent: strings.Repeat("\t", indent)}
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

// strayCase reports whether an item of src is a case that no switch is around,
// which nothing that follows can mend.
func strayCase(src string) bool {
	items, _ := splitCell(src)
	return slices.ContainsFunc(items, func(it item) bool { return it.tok == token.CASE || it.tok == token.DEFAULT })
}

// openness is how many brackets are open at the end of src, negative as soon as
// one more is closed than was opened, on how many lines those that are open
// stand, and whether a string, a comment or an expression is open.
func openness(src string) (depth, indent int, unfinished bool) {
	fset := token.NewFileSet()
	file := fset.AddFile("", -1, len(src))
	var sc scanner.Scanner
	var open []int // the lines of open brackets
	sc.Init(file, []byte(src), func(_ token.Position, msg string) {
		if strings.Contains(msg, "comment not terminated") || strings.Contains(msg, "raw string literal not terminated") {
			unfinished = true
		}
	}, 0)
	last := token.SEMICOLON
	for {
		pos, tok, lit := sc.Scan()
		switch tok {
		case token.EOF:
			return len(open), len(slices.Compact(open)), unfinished || wantsMore(last)
		case token.LBRACE, token.LPAREN, token.LBRACK:
			open = append(open, file.PositionFor(pos, false).Line)
		case token.RBRACE, token.RPAREN, token.RBRACK:
			if len(open) == 0 {
				return -1, 0, false
			}
			open = open[:len(open)-1]
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
		token.GO, token.DEFER, token.RANGE, token.ELSE, token.CASE, token.PACKAGE,
		token.STRUCT, token.INTERFACE, token.MAP, token.CHAN:
		return true
	}
	return tok.IsOperator()
}
