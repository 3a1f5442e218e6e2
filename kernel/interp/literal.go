package interp

import (
	"go/scanner"
	"go/token"
	"go/types"
	"strings"

	"github.com/gopherlens/gopherlens/kernel"
)

// lexeme is a token and the offset where it starts.
type lexeme struct {
	pos int
	tok token.Token
	lit string
}

// lexemes are the tokens of src, without the semicolon that its end stands for.
func lexemes(src string) []lexeme {
	var sc scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(src))
	sc.Init(file, []byte(src), func(token.Position, string) {}, 0)
	var out []lexeme
	for {
		pos, tok, lit := sc.Scan()
		if tok == token.EOF {
			if n := len(out); n > 0 && out[n-1].tok == token.SEMICOLON && out[n-1].pos >= len(src) {
				out = out[:n-1]
			}
			return out
		}
		out = append(out, lexeme{file.Offset(pos), tok, lit})
	}
}

// bracket is one that is open at the cursor.
type bracket struct {
	open       int             // its token
	element    int             // the first token after its last comma
	given      map[string]bool // the keys before the cursor
	positional bool            // an element has no key
}

// take ends the element before token end.
func (b *bracket) take(toks []lexeme, end int) {
	switch e := toks[b.element:end]; {
	case len(e) > 1 && e[0].tok == token.IDENT && e[1].tok == token.COLON:
		b.given[e[0].lit] = true
	case len(e) > 0:
		b.positional = true
	}
	b.element = end + 1
}

// openBrackets are those that toks leave open, the innermost last.
func openBrackets(toks []lexeme) []*bracket {
	var open []*bracket
	for i, t := range toks {
		switch t.tok {
		case token.LBRACE, token.LPAREN, token.LBRACK:
			open = append(open, &bracket{open: i, element: i + 1, given: map[string]bool{}})
		case token.RBRACE, token.RPAREN, token.RBRACK:
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		case token.COMMA:
			if len(open) > 0 {
				open[len(open)-1].take(toks, i)
			}
		}
	}
	return open
}

// givenAfter adds the keys of b's literal that follow the cursor; rest is the
// source from there.
func (b *bracket) givenAfter(rest string) {
	depth, after := 0, lexemes(rest)
	for i, t := range after {
		switch t.tok {
		case token.LBRACE, token.LPAREN, token.LBRACK:
			depth++
		case token.RBRACE, token.RPAREN, token.RBRACK:
			if depth--; depth < 0 {
				return
			}
		case token.COMMA:
			if next := after[i+1:]; depth == 0 && len(next) > 1 && next[0].tok == token.IDENT && next[1].tok == token.COLON {
				b.given[next[0].lit] = true
			}
		}
	}
}

// keys lists the fields that may be given where an identifier from start to
// cursor stands, if that is a key of a struct literal. Where only is set,
// nothing but a key may stand there.
func (v *view) keys(src string, start, cursor int) (items []kernel.Completion, only bool) {
	toks := lexemes(src[:start])
	open := openBrackets(toks)
	if len(open) == 0 {
		return nil, false
	}
	b := open[len(open)-1]
	if toks[b.open].tok != token.LBRACE || b.element != len(toks) || b.positional {
		return nil, false
	}
	t := v.literalType(src, toks, open)
	if t == nil {
		return nil, false
	}
	st, ok := t.Underlying().(*types.Struct)
	if !ok {
		return nil, false
	}
	only = len(b.given) > 0
	colon := ": "
	if strings.HasPrefix(strings.TrimLeft(src[cursor:], " \t"), ":") {
		colon, only = "", true
	}
	b.givenAfter(src[cursor:])
	for f := range st.Fields() {
		own := f.Exported() || f.Pkg() != nil && f.Pkg().Name() == "main"
		if own && f.Name() != "_" && !b.given[f.Name()] && matches(f.Name(), src[start:cursor]) {
			items = append(items, kernel.Completion{Text: f.Name() + colon, Type: kindOf(f), Signature: signature(f)})
		}
	}
	return items, only
}

// literalType is the type of the composite literal that the last of open
// begins; nil if that begins something else.
func (v *view) literalType(src string, toks []lexeme, open []*bracket) types.Type {
	b, outer := open[len(open)-1], open[:len(open)-1]
	if toks[b.open].tok != token.LBRACE || b.open == 0 {
		return nil
	}
	switch toks[b.open-1].tok {
	case token.LBRACE, token.COMMA, token.COLON: // the type is elided: an element of the literal around it
		if len(outer) == 0 {
			return nil
		}
		return elementType(v.literalType(src, toks, outer), toks[b.open-1].tok == token.COLON)
	}
	first := typeStart(toks, b.open)
	if first < 0 {
		return nil
	}
	expr := strings.TrimSpace(src[toks[first].pos:toks[b.open].pos])
	if tv, ok := v.typeOf(strings.ReplaceAll(expr, "[...]", "[]")); ok && tv.IsType() {
		return tv.Type
	}
	if o, _ := v.object(expr); o != nil { // a generic type that is not instantiated yet?
		if t, ok := o.(*types.TypeName); ok {
			return t.Type()
		}
	}
	return nil
}

// elementType is the type of a literal's elements, or of its keys, without
// the pointer that may be elided.
func elementType(t types.Type, value bool) types.Type {
	if t == nil {
		return nil
	}
	var e types.Type
	switch u := t.Underlying().(type) {
	case *types.Slice:
		e = u.Elem()
	case *types.Array:
		e = u.Elem()
	case *types.Map:
		if e = u.Key(); value {
			e = u.Elem()
		}
	default:
		return nil
	}
	if p, ok := e.(*types.Pointer); ok {
		return p.Elem()
	}
	return e
}

// typeStart is the first token of the type that ends before token end: -1 if
// none does, or if it is the result of a function, whose body follows.
func typeStart(toks []lexeme, end int) int {
	at := func(i int) token.Token {
		if i < 0 {
			return token.EOF
		}
		return toks[i].tok
	}
	i := end - 1
	if at(i) == token.RBRACE {
		if i = opening(toks, i) - 1; at(i) != token.STRUCT {
			return -1
		}
	} else {
		if at(i) == token.RBRACK { // type arguments
			i = opening(toks, i) - 1
		}
		if at(i) != token.IDENT {
			return -1
		}
		if at(i-1) == token.PERIOD && at(i-2) == token.IDENT {
			i -= 2
		}
	}
	for {
		j := i
		if at(j-1) == token.MUL {
			j--
		}
		if at(j-1) != token.RBRACK {
			break
		}
		if i = opening(toks, j-1); i < 0 {
			return -1
		}
		if at(i-1) == token.MAP {
			i--
		}
	}
	switch at(i - 1) {
	case token.RPAREN, token.MUL, token.CHAN, token.PERIOD:
		return -1
	}
	return i
}

// opening is the token that opens the bracket that token end closes; -1 if none.
func opening(toks []lexeme, end int) int {
	depth := 0
	for i := end; i >= 0; i-- {
		switch toks[i].tok {
		case token.RBRACE, token.RPAREN, token.RBRACK:
			depth++
		case token.LBRACE, token.LPAREN, token.LBRACK:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}
