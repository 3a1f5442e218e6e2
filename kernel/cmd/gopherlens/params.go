package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gopherlens/gopherlens/kernel/notebook"
)

// The tags that papermill uses.
const (
	tagParameters = "parameters"
	tagInjected   = "injected-parameters"
)

// inject puts a cell that assigns values after the one tagged parameters, in place of one that an earlier run has put there.
func inject(nb *notebook.Notebook, values map[string]string) error {
	at := slices.IndexFunc(nb.Cells, func(c *notebook.Cell) bool { return c.Type == notebook.Code && c.HasTag(tagParameters) })
	if at < 0 {
		return fmt.Errorf("-p: the notebook has no code cell tagged %s", tagParameters)
	}
	kinds, err := parameters(nb.Cells[at].Source)
	if err != nil {
		return err
	}
	var src strings.Builder
	src.WriteString("// Parameters\n")
	for _, name := range slices.Sorted(maps.Keys(values)) {
		kind, ok := kinds[name]
		if !ok {
			return fmt.Errorf("-p %s: the cell tagged %s defines no such variable (it defines %s)", name, tagParameters, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
		}
		text, err := literal(kind, values[name])
		if err != nil {
			return fmt.Errorf("-p %s: %w", name, err)
		}
		fmt.Fprintf(&src, "%s = %s\n", name, text)
	}
	cell := &notebook.Cell{Type: notebook.Code, Source: strings.TrimSuffix(src.String(), "\n")}
	if err := cell.Metadata.Set("tags", []string{tagInjected}); err != nil {
		return err
	}
	nb.Cells = slices.DeleteFunc(nb.Cells, func(c *notebook.Cell) bool { return c.HasTag(tagInjected) })
	at = slices.IndexFunc(nb.Cells, func(c *notebook.Cell) bool { return c.HasTag(tagParameters) })
	nb.Cells = slices.Insert(nb.Cells, at+1, cell)
	return nil
}

// parameters are the variables that a cell defines: name to basic type, "" where the source alone does not tell.
func parameters(src string) (map[string]string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), "", "package p; func _() {\n"+src+"\n}", 0)
	if err != nil {
		return nil, fmt.Errorf("the cell tagged %s must hold nothing but definitions of variables: %w", tagParameters, err)
	}
	kinds := map[string]string{}
	define := func(name ast.Expr, typ ast.Expr, value ast.Expr) {
		if id, ok := name.(*ast.Ident); ok && id.Name != "_" {
			kinds[id.Name] = kindOf(typ, value)
		}
	}
	valueAt := func(values []ast.Expr, i, n int) ast.Expr {
		if len(values) == n {
			return values[i]
		}
		return nil
	}
	for _, st := range f.Decls[0].(*ast.FuncDecl).Body.List {
		switch st := st.(type) {
		case *ast.AssignStmt:
			if st.Tok == token.DEFINE {
				for i, name := range st.Lhs {
					define(name, nil, valueAt(st.Rhs, i, len(st.Lhs)))
				}
			}
		case *ast.DeclStmt:
			for _, sp := range st.Decl.(*ast.GenDecl).Specs {
				if vs, ok := sp.(*ast.ValueSpec); ok && st.Decl.(*ast.GenDecl).Tok == token.VAR {
					for i, name := range vs.Names {
						define(name, vs.Type, valueAt(vs.Values, i, len(vs.Names)))
					}
				}
			}
		}
	}
	return kinds, nil
}

func kindOf(typ, value ast.Expr) string {
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name
	}
	if typ != nil {
		return ""
	}
	switch v := value.(type) {
	case *ast.BasicLit:
		return map[token.Token]string{token.STRING: "string", token.INT: "int", token.FLOAT: "float64", token.CHAR: "rune"}[v.Kind]
	case *ast.UnaryExpr: // -1
		return kindOf(nil, v.X)
	case *ast.ParenExpr:
		return kindOf(nil, v.X)
	case *ast.CallExpr: // float32(1)
		if id, ok := v.Fun.(*ast.Ident); ok && len(v.Args) == 1 && basic(id.Name) {
			return id.Name
		}
	case *ast.Ident:
		if v.Name == "true" || v.Name == "false" {
			return "bool"
		}
	}
	return ""
}

func basic(name string) bool {
	return slices.Contains(strings.Fields("string bool int int8 int16 int32 int64 uint uint8 uint16 uint32 uint64 float32 float64 byte rune"), name)
}

// literal writes a value from the command line as Go: strings without quotes, other basic types checked, anything else as an expression.
func literal(kind, value string) (string, error) {
	var err error
	switch {
	case kind == "string":
		return strconv.Quote(value), nil
	case kind == "bool":
		if value != "true" && value != "false" {
			err = fmt.Errorf("%q is neither true nor false", value)
		}
	case strings.HasPrefix(kind, "float"):
		if _, e := strconv.ParseFloat(value, 64); e != nil || strings.ContainsAny(value, "nN") { // NaN and Inf are no literals
			err = fmt.Errorf("%q is not a number", value)
		}
	case strings.HasPrefix(kind, "int") || strings.HasPrefix(kind, "uint") || kind == "byte":
		if _, e := strconv.ParseInt(value, 0, 64); e != nil {
			if _, e := strconv.ParseUint(value, 0, 64); e != nil {
				err = fmt.Errorf("%q is not a whole number", value)
			}
		}
	default:
		if _, e := parser.ParseExpr(value); e != nil {
			err = fmt.Errorf("%q is not an expression of Go: %w", value, e)
		}
	}
	return value, err
}
