package interp

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/goplus/ixgo"
	"github.com/visualfc/funcval"
	"golang.org/x/tools/go/ssa"
)

// A package of plain Go files in a folder beside the notebook is compiled and
// initialised as a cell of its own when a cell that imports it runs. To later
// cells it is what an earlier cell is: functions without bodies (stub.go). Each
// time its files have changed it becomes a new package, under a path of its own
// that no cell can write; names in cells are bound to that path.

// folder is the package of a folder as it was last loaded.
type folder struct {
	pkg   *types.Package
	sum   [sha256.Size]byte // of its files and of what it imports
	decls map[string]*decl  // for inspection; the package itself is ""
}

// folderPath is what the paths of loaded packages begin with: a number and the
// package's name follow. It begins with a small letter, as all paths do: the
// order of methods, which reflect relies on, is that of exported names, then of
// paths with the others.
const folderPath = "folder@"

// isFolder reports whether a path is written as that of a folder is.
func isFolder(path string) bool {
	return path == "." || path == ".." || strings.HasPrefix(path, "./") || strings.HasPrefix(path, "../")
}

// ofFolder reports whether a path is that of a loaded package.
func ofFolder(path string) bool { return strings.HasPrefix(path, folderPath) }

// fromCells reports whether the code of p is interpreted, bit by bit: a cell,
// or a folder.
func fromCells(p *types.Package) bool {
	return p != nil && (p.Name() == "main" || ofFolder(p.Path()))
}

// folderPackage finds a loaded package, by its own path or as a cell writes it.
func (s *Session) folderPackage(path string) (*types.Package, error) {
	for p := range s.cells {
		if p.Path() == path {
			return p, nil
		}
	}
	if wd, err := os.Getwd(); err == nil {
		if f := s.folders[filepath.Join(wd, path)]; f != nil {
			return f.pkg, nil
		}
	}
	return nil, fmt.Errorf("package %s is loaded when a cell that imports it runs", path)
}

// loadFolders loads the folders that a cell imports, as far as their files are
// new. A failure leaves the packages of before.
func (s *Session) loadFolders(ctx context.Context, file, src string, io *cellIO) error {
	if !strings.Contains(src, `".`) && !strings.Contains(src, "`.") {
		return nil
	}
	p, errs := planCell(file, src, s.seq)
	if errs != nil {
		return nil // compile tells them
	}
	var l *folderLoad
	for _, im := range p.imports {
		if !isFolder(im.path) {
			continue
		}
		if l == nil {
			var err error
			if l, err = s.openFolders(ctx, file, io); err != nil {
				return compileErrors(file, map[string]string{file: src}, []diagnostic{{msg: err.Error()}})
			}
			defer l.root.Close()
		}
		at := token.Position{Filename: file, Line: im.line, Column: im.col}
		if _, err := l.load(im.path, ".", at); err != nil {
			var list folderErrors
			if errors.As(err, &list) {
				l.texts[file] = src
				return compileErrors(file, l.texts, list)
			}
			return err // of its initialisation
		}
	}
	return nil
}

// folderErrors are what is wrong in the files of a folder or with its import.
type folderErrors []diagnostic

func (e folderErrors) Error() string { return e[0].msg }

func folderError(at token.Position, format string, args ...any) error {
	return folderErrors{{at, fmt.Sprintf(format, args...)}}
}

// folderLoad is the loading of what one cell imports. The root keeps all of it
// inside the working directory, symbolic links included.
type folderLoad struct {
	s    *Session
	ctx  context.Context
	io   *cellIO
	file string
	wd   string
	root *os.Root
	done map[string]*folder // by folder, relative to wd; nil while it is loaded

	texts map[string]string // files that were read, for errors
}

func (s *Session) openFolders(ctx context.Context, file string, io *cellIO) (*folderLoad, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("cannot import a folder: %w", err)
	}
	root, err := os.OpenRoot(wd)
	if err != nil {
		return nil, fmt.Errorf("cannot import a folder: %w", err)
	}
	return &folderLoad{s: s, ctx: ctx, io: io, file: file, wd: wd, root: root, done: map[string]*folder{}, texts: map[string]string{}}, nil
}

// load gives the package that path means in the folder from. at is the import.
func (l *folderLoad) load(written, from string, at token.Position) (*folder, error) {
	dir := path.Join(from, written)
	switch {
	case strings.ContainsAny(written, `@\`):
		return nil, folderError(at, "import %q: the path of a folder has no @ and no backslash", written)
	case dir == ".." || strings.HasPrefix(dir, "../"):
		return nil, folderError(at, "import %q: outside the working directory %s; only folders in it can be imported", written, l.wd)
	}
	if f, ok := l.done[dir]; ok {
		if f == nil {
			return nil, folderError(at, "import cycle: ./%s imports itself, directly or through others", dir)
		}
		return f, nil
	}
	if len(l.done) == maxFolders {
		return nil, folderError(at, "import %q: more than %d folders are imported at once", written, maxFolders)
	}
	l.done[dir] = nil
	src, err := l.read(written, dir, at)
	if err != nil {
		return nil, err
	}
	imports, err := l.dependencies(src)
	if err != nil {
		return nil, err
	}
	key := filepath.Join(l.wd, dir)
	sum := src.sum(imports)
	f := l.s.folders[key]
	if f == nil || f.sum != sum {
		pkg, err := l.compile(src, imports)
		if err != nil {
			return nil, err
		}
		f = &folder{pkg, sum, src.decls}
		l.s.folders[key] = f
	}
	l.done[dir] = f
	return f, nil
}

// dependencies loads the folders that the files import, by the path written.
func (l *folderLoad) dependencies(src *folderSource) (map[string]*types.Package, error) {
	out := map[string]*types.Package{}
	for _, f := range src.files {
		for _, im := range f.Imports {
			p, err := strconv.Unquote(im.Path.Value)
			if err != nil || !isFolder(p) || out[p] != nil {
				continue
			}
			dep, err := l.load(p, src.dir, src.fset.Position(im.Pos()))
			if err != nil {
				return nil, err
			}
			out[p] = dep.pkg
		}
	}
	return out, nil
}

// folderImporter finds the folders that the files of a folder import, and what
// cells can import.
type folderImporter struct {
	s       *Session
	folders map[string]*types.Package
}

func (i folderImporter) Import(path string) (*types.Package, error) {
	if p := i.folders[path]; p != nil {
		return p, nil
	}
	return i.s.importer().Import(path)
}

// compile makes the package and runs its initialisation.
func (l *folderLoad) compile(src *folderSource, imports map[string]*types.Package) (*types.Package, error) {
	s := l.s
	seq := s.seq
	s.seq++ // the cell itself takes the next
	u := &unit{file: l.file, seq: seq, info: newInfo(), folder: true,
		pkg:    types.NewPackage(fmt.Sprintf("%s%d/%s", folderPath, seq, src.name), src.name),
		varPkg: types.NewPackage(fmt.Sprintf("vars%d", seq), "vars")}
	declared := map[string]bool{}
	for _, f := range src.files {
		for n := range f.Scope.Objects {
			declared[n] = true
		}
	}
	for _, f := range src.files {
		instrument(f, func(n string) bool { return declared[n] })
		f.Decls = append([]ast.Decl{importRuntime()}, f.Decls...)
	}
	if errs := s.checkFolder(u, src, imports); errs != nil {
		return nil, errs
	}
	// to go/ssa the files are one: imports are resolved
	u.syntax = &ast.File{Name: src.files[0].Name, Package: src.files[0].Package}
	for _, f := range src.files {
		u.syntax.Decls = append(u.syntax.Decls, f.Decls...)
	}
	u.info.FileVersions[u.syntax] = goVersion
	constantRanges(u.syntax, u.info)
	s.noteOffsets(u.syntax, u.info)
	r := newRun(l.io, l.file)
	if err := s.load(u, r); err != nil {
		return nil, &kernel.EvalError{Name: compileError, Message: err.Error()}
	}
	st := newStub(u)
	st.funcs = u.funcs
	s.cells[u.pkg] = st
	s.latest.Store(l.io)
	s.begin(r)
	if _, err := s.execute(l.ctx, u, r); err != nil {
		delete(s.cells, u.pkg)
		return nil, err
	}
	return u.pkg, nil
}

// importRuntime is the import that the checks of instrument.go need.
func importRuntime() ast.Decl {
	return &ast.GenDecl{Tok: token.IMPORT, Specs: []ast.Spec{&ast.ImportSpec{
		Name: ast.NewIdent(runtimeName), Path: &ast.BasicLit{Kind: token.STRING, Value: strconv.Quote(runtimePkg)}}}}
}

func (s *Session) checkFolder(u *unit, src *folderSource, imports map[string]*types.Package) error {
	var errs folderErrors
	conf := &types.Config{
		Importer: folderImporter{s, imports}, Sizes: sizes, GoVersion: goVersion, DisableUnusedImportCheck: true,
		Error: func(e error) {
			te, ok := e.(types.Error)
			if ok && te.Soft && strings.HasPrefix(te.Msg, "declared and not used") {
				return
			}
			errs = append(errs, diagnostic{s.base.FileSet.Position(te.Pos), tidy(te.Msg)})
		},
	}
	types.NewChecker(conf, s.base.FileSet, u.pkg, u.info).Files(src.files)
	if len(errs) == 0 {
		return nil
	}
	return errs
}

// staysBehind lists the variables whose types are of a folder that the cell
// imports anew: they keep values of the package of before.
func (s *Session) staysBehind(u *unit) []string {
	old := map[*types.Package]bool{}
	for n, path := range s.imports {
		if ofFolder(path) && u.imports[n] != path {
			if p, err := s.folderPackage(path); err == nil {
				old[p] = true
			}
		}
	}
	if len(old) == 0 {
		return nil
	}
	var out []string
	for n, o := range s.scope {
		if _, ok := o.(*types.Var); ok && slices.ContainsFunc(typePackages(o.Type()), func(p *types.Package) bool { return old[p] }) {
			out = append(out, n)
		}
	}
	return out
}

// parseFolderFile parses one file of a folder; name is how errors show it.
func (s *Session) parseFolderFile(name string, data []byte) (*ast.File, error) {
	if errs := embeds(string(data)); errs != nil {
		return nil, folderError(token.Position{Filename: name, Line: errs[0].line, Column: errs[0].col}, "//go:embed has no effect in an interpreted package; read the file with os.ReadFile")
	}
	f, err := parser.ParseFile(s.base.FileSet, name, data, parser.ParseComments)
	if err != nil {
		return nil, folderErrors(s.parseFailure(name, err))
	}
	for _, im := range f.Imports {
		if im.Path.Value == `"C"` {
			return nil, folderError(s.base.FileSet.Position(im.Pos()), "cgo cannot be interpreted: import \"C\"")
		}
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body == nil {
			return nil, folderError(s.base.FileSet.Position(fn.Pos()), "missing function body: func %s needs one, for it is interpreted", fn.Name.Name)
		}
	}
	return f, nil
}

// reloaded are the names that now stand for other packages of folders: what
// uses them is compiled again.
func (s *Session) reloaded(imports map[string]string) map[string]bool {
	out := map[string]bool{}
	for n, path := range s.imports {
		if ofFolder(path) && imports[n] != path {
			out[n] = true
		}
	}
	return out
}

// learnFolder takes from a new interpreter where the variables of the folder's
// package live and how its functions are called.
func (s *Session) learnFolder(u *unit, main *ssa.Package, in *ixgo.Interp) error {
	vars := map[string]reflect.Value{}
	for n, m := range main.Members {
		switch m := m.(type) {
		case *ssa.Global:
			if p, ok := in.GetVarAddr(n); ok {
				vars[n] = reflect.ValueOf(p)
			}
		case *ssa.Function:
			if o := m.Object(); o == nil || o.Name() == "init" || o.Name() == "_" || m.Signature.TypeParams().Len() > 0 {
				continue
			}
			f, ok := in.GetFunc(n)
			if !ok {
				return fmt.Errorf("internal error: no code for %s.%s", u.pkg.Name(), n)
			}
			if v, made := funcval.Get(f); made == 1 {
				funcValueCode.Store(v.Fn)
			}
			u.funcs[n] = f
		}
	}
	s.ld.install(u.pkg.Path(), vars)
	return nil
}
