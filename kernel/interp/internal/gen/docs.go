package gen

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"io"
	"maps"
	pathpkg "path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// docEntry is what the documentation of a package says of a name: of a function
// or method the declaration on one line, with the names of its parameters, and
// the comment. The package itself has the name "", a method or field Type.Name.
// Of an interface that embeds others, "Type." lists them in place of a
// declaration: io.Reader io.Writer.
type docEntry [2]string

// The tables of comments that Docs writes: those of this module, whole, and the
// first paragraphs of the others.
const (
	OwnDocs   = "docs.zip"
	OtherDocs = "docs_others.zip"

	Version = "GOVERSION" // the file that names the Go whose library OtherDocs describes
)

// Docs returns the comments of every package that cells can import, by file
// and import path, called in a directory of the module. Packages are read as for linux/amd64, wherever this runs.
func Docs() (map[string]map[string][]byte, error) {
	args := []string{"list", "-buildvcs=false", "-f", "{{.ImportPath}}\t{{.Dir}}\t{{range .GoFiles}}{{.}} {{end}}", "std", "builtin", module + "lensapi/..."}
	for _, t := range Targets {
		args = append(args, t.Path)
	}
	data, err := Here("GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")(args...)
	if err != nil {
		return nil, err
	}
	out := map[string]map[string][]byte{OwnDocs: {}, OtherDocs: {}}
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) != 3 || hidden(f[0]) {
			continue
		}
		own := strings.HasPrefix(f[0], module)
		table := OtherDocs
		if own {
			table = OwnDocs
		}
		if out[table][f[0]], err = PackageDocs(f[0], f[1], strings.Fields(f[2]), own); err != nil {
			return nil, err
		}
	}
	out[OtherDocs][Version] = []byte(runtime.Version())
	return out, nil
}

// hidden reports whether no cell can import path.
func hidden(path string) bool {
	parts := strings.Split(path, "/")
	return parts[0] == "cmd" || slices.Contains(parts, "internal") || slices.Contains(parts, "vendor")
}

// Pack is a zip archive of files, the same for the same files.
func Pack(files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return b.Bytes(), err
}

// Unpack returns the files of an archive that Pack made.
func Unpack(archive []byte) (map[string][]byte, error) {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		out[f.Name], err = io.ReadAll(r)
		r.Close()
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// docWriter collects the comments of a package.
type docWriter struct {
	fset  *token.FileSet
	whole bool // whole comments, not first paragraphs
	out   map[string]docEntry
	path  string            // of the package
	names map[string]string // of the packages that it imports: their paths
}

// PackageDocs is the table of one package, whose files these are: of whole
// comments or of first paragraphs.
func PackageDocs(path, dir string, names []string, whole bool) ([]byte, error) {
	docs, err := packageDocs(path, dir, names, whole)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return json.Marshal(docs)
}

func packageDocs(path, dir string, names []string, whole bool) (map[string]docEntry, error) {
	w := &docWriter{token.NewFileSet(), whole, map[string]docEntry{}, path, map[string]string{}}
	var files []*ast.File
	for _, n := range names {
		f, err := parser.ParseFile(w.fset, filepath.Join(dir, n), nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		for _, im := range f.Imports {
			if p, err := strconv.Unquote(im.Path.Value); err == nil {
				name := pathpkg.Base(p)
				if im.Name != nil {
					name = im.Name.Name
				}
				w.names[name] = p
			}
		}
	}
	if len(files) == 0 {
		return w.out, nil
	}
	var mode doc.Mode
	if path == "builtin" { // whose names are not exported
		mode = doc.AllDecls
	}
	p, err := doc.NewFromFiles(w.fset, files, path, mode)
	if err != nil {
		return nil, err
	}
	w.add("", "", p.Doc)
	w.values(p.Consts, p.Vars)
	w.funcs("", p.Funcs)
	for _, t := range p.Types {
		w.add(t.Name, "", t.Doc)
		w.values(t.Consts, t.Vars)
		w.funcs("", t.Funcs)
		w.funcs(t.Name+".", t.Methods)
		for _, s := range t.Decl.Specs {
			if s, ok := s.(*ast.TypeSpec); ok && s.Name.Name == t.Name {
				w.members(t.Name+".", s.Type)
			}
		}
	}
	return w.out, nil
}

func (w *docWriter) add(name, decl, text string) {
	text = strings.TrimSpace(text)
	if !w.whole {
		var rest string
		if text, rest, _ = strings.Cut(text, "\n\n"); strings.HasSuffix(text, ":") { // what it announces
			rest, _, _ = strings.Cut(rest, "\n\n")
			text = strings.TrimSpace(text + "\n\n" + rest)
		}
	}
	if decl != "" || text != "" {
		w.out[name] = docEntry{decl, text}
	}
}

func (w *docWriter) values(groups ...[]*doc.Value) {
	for _, v := range slices.Concat(groups...) {
		for _, s := range v.Decl.Specs {
			s, ok := s.(*ast.ValueSpec)
			if !ok {
				continue
			}
			text := comment(s.Doc, s.Comment)
			if text == "" {
				text = v.Doc
			}
			for _, n := range s.Names {
				if n.IsExported() {
					w.add(n.Name, "", text)
				}
			}
		}
	}
}

func (w *docWriter) funcs(prefix string, fs []*doc.Func) {
	for _, f := range fs {
		w.add(prefix+f.Name, w.line(f.Decl), f.Doc)
	}
}

// members adds the fields of a struct, or the methods of an interface.
func (w *docWriter) members(prefix string, t ast.Expr) {
	var list []*ast.Field
	switch t := t.(type) {
	case *ast.StructType:
		list = t.Fields.List
	case *ast.InterfaceType:
		list = t.Methods.List
	}
	_, methods := t.(*ast.InterfaceType)
	var embedded []string
	for _, f := range list {
		if e := w.qualified(f.Type); len(f.Names) == 0 && methods && e != "" {
			embedded = append(embedded, e)
		}
		for _, n := range f.Names {
			if !n.IsExported() {
				continue
			}
			decl := ""
			if ft, ok := f.Type.(*ast.FuncType); ok && methods {
				decl = w.line(&ast.FuncDecl{Name: n, Type: ft})
			}
			w.add(prefix+n.Name, decl, comment(f.Doc, f.Comment))
		}
	}
	w.add(prefix, strings.Join(embedded, " "), "")
}

// qualified is the name of a type with the path of its package; "" for types
// that have none.
func (w *docWriter) qualified(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.Ident:
		if t.IsExported() {
			return w.path + "." + t.Name
		}
	case *ast.SelectorExpr:
		if x, ok := t.X.(*ast.Ident); ok && w.names[x.Name] != "" {
			return w.names[x.Name] + "." + t.Sel.Name
		}
	}
	return ""
}

func comment(above, beside *ast.CommentGroup) string {
	if text := above.Text(); text != "" {
		return text
	}
	return beside.Text()
}

// line is a function's declaration without its body, on one line.
func (w *docWriter) line(d *ast.FuncDecl) string {
	bare := *d
	bare.Doc, bare.Body = nil, nil
	var b bytes.Buffer
	if err := printer.Fprint(&b, w.fset, &bare); err != nil {
		return ""
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
