package interp

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// What one import of a folder may read.
const (
	maxFolders     = 64      // that import each other
	maxFolderNames = 1000    // entries of one, of any kind
	maxFolderBytes = 4 << 20 // of Go in one
)

// folderSource is the Go of one folder.
type folderSource struct {
	dir   string // relative to the working directory
	name  string // of the package
	fset  *token.FileSet
	files []*ast.File
	hash  [sha256.Size]byte
	decls map[string]*decl // for inspection; the package itself is ""
}

// sum also covers the packages that the files import.
func (f *folderSource) sum(imports map[string]*types.Package) [sha256.Size]byte {
	text := fmt.Sprintf("%x", f.hash)
	for _, p := range slices.Sorted(maps.Keys(imports)) {
		text += "\n" + p + "=" + imports[p].Path()
	}
	return sha256.Sum256([]byte(text))
}

// read reads the Go files of a folder that a build for this system would take,
// tests left out.
func (l *folderLoad) read(written, dir string, at token.Position) (*folderSource, error) {
	refuse := func(format string, args ...any) error {
		return folderError(at, "import %q: %s", written, fmt.Sprintf(format, args...))
	}
	_, names, err := l.list(dir)
	if err != nil {
		return nil, refuse("%s", reason(err))
	}
	out := &folderSource{dir: dir, fset: l.s.base.FileSet, decls: map[string]*decl{}}
	h := sha256.New()
	left := int64(maxFolderBytes)
	for _, n := range names {
		data, err := l.readFile(dir+"/"+n, left)
		if err != nil {
			return nil, refuse("%s: %s", n, reason(err))
		}
		left -= int64(len(data))
		conditions := build.Default
		conditions.CgoEnabled = false
		conditions.OpenFile = func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
		if ok, err := conditions.MatchFile(dir, n); err == nil && !ok {
			continue
		}
		fmt.Fprintf(h, "%q %d\n", n, len(data))
		h.Write(data)
		name := "./" + strings.TrimPrefix(dir+"/"+n, "./")
		l.texts[name] = string(data)
		f, err := l.s.parseFolderFile(name, data)
		if err != nil {
			return nil, err
		}
		addDecls(out.decls, out.fset, f, name, string(data))
		if out.name == "" {
			out.name = f.Name.Name
		}
		if f.Name.Name != out.name {
			return nil, folderError(out.fset.Position(f.Name.Pos()), "package %s, where the files before it say package %s; a folder holds one package", f.Name.Name, out.name)
		}
		out.files = append(out.files, f)
	}
	switch out.name {
	case "":
		return nil, refuse("no Go files in ./%s that a build for this system takes", dir)
	case "main", "_":
		return nil, refuse("package %s cannot be imported", out.name)
	}
	h.Sum(out.hash[:0])
	return out, nil
}

// list lists the folders in a folder, hidden ones left out, and its Go files,
// tests left out, in order.
func (l *folderLoad) list(dir string) (folders, files []string, err error) {
	if st, err := l.root.Stat(dir); err != nil || !st.IsDir() { // to open a pipe would wait
		return nil, nil, cmp.Or(err, errors.New("not a folder"))
	}
	d, err := l.root.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(maxFolderNames + 1)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	if len(entries) > maxFolderNames {
		return nil, nil, fmt.Errorf("more than %d files in the folder", maxFolderNames)
	}
	for _, e := range entries {
		switch n := e.Name(); {
		case e.IsDir():
			if !strings.HasPrefix(n, ".") && !strings.HasPrefix(n, "_") && n != "testdata" {
				folders = append(folders, n)
			}
		case strings.HasSuffix(n, ".go") && !strings.HasSuffix(n, "_test.go"):
			files = append(files, n)
		}
	}
	slices.Sort(folders)
	slices.Sort(files)
	return folders, files, nil
}

func (l *folderLoad) readFile(name string, limit int64) ([]byte, error) {
	st, err := l.root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() { // to open a pipe would wait
		return nil, errors.New("not a regular file")
	}
	f, err := l.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("more than %d MiB of Go in the folder", maxFolderBytes>>20)
	}
	return data, err
}

// reason is an error without the operation and the path, which its reader knows.
func reason(err error) string {
	var pe *fs.PathError
	if !errors.As(err, &pe) {
		return err.Error()
	}
	if strings.Contains(pe.Err.Error(), "escapes") {
		return "it leads out of the working directory"
	}
	return pe.Err.Error()
}
