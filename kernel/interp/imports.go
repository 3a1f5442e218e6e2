package interp

import (
	"errors"
	"fmt"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"

	"github.com/gopherlens/gopherlens/kernel/interp/symbols"
	"github.com/goplus/ixgo"
)

// importer finds registered packages only: nothing is built, downloaded or
// searched on disk.
type importer struct{ s *Session }

func (s *Session) importer() types.Importer { return importer{s} }

func (i importer) Import(path string) (*types.Package, error) {
	if full, ok := symbols.Short[path]; ok {
		path = full
	}
	if isFolder(path) || ofFolder(path) {
		return i.s.folderPackage(path)
	}
	if strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("import %q: absolute paths cannot be imported; name a folder by its path from the working directory, such as ./helpers", path)
	}
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	if _, ok := ixgo.LookupPackage(path); !ok || path != runtimePkg && !importable(path) {
		if path == "C" {
			return nil, errors.New("cgo cannot be interpreted: import \"C\"")
		}
		return nil, fmt.Errorf("package %s is not in this kernel (importable: %s)%s", path, i.s.offer(path), howToAdd(path))
	}
	p, err := i.s.base.Importer.Import(path)
	if err != nil {
		return nil, fmt.Errorf("package %s cannot be loaded: %w", path, err)
	}
	return p, nil
}

// howToAdd names the command that compiles a kernel with path, if that may be
// the path of something that can be downloaded. It takes packages as well as
// modules, so that nobody has to know where the module's path ends.
func howToAdd(path string) string {
	if host, _, _ := strings.Cut(path, "/"); !strings.Contains(strings.Trim(host, "."), ".") || path != strings.Trim(path, "/") || strings.ContainsAny(path, " @\"'`\\$") || !importable(path) {
		return ""
	}
	return fmt.Sprintf("; gopherlens build --with %s@latest makes a kernel that has it", path)
}

// importable reports whether users may import a registered path.
func importable(path string) bool {
	switch {
	case path == runtimePkg, path == "C", strings.HasPrefix(path, "github.com/goplus/"), strings.HasPrefix(path, "github.com/qiniu/"), symbols.Hidden(path):
		return false
	}
	return !slices.Contains(strings.Split(path, "/"), "internal")
}

// importPaths lists what can be imported, short paths first.
func importPaths() []string {
	out := slices.Sorted(maps.Keys(symbols.Short))
	for _, p := range ixgo.PackageList() {
		if importable(p) {
			out = append(out, p)
		}
	}
	return append(out, "unsafe")
}

// offer words what there is: paths that resemble the wanted one, then the kinds.
func (s *Session) offer(path string) string {
	base := path[strings.LastIndexByte(path, '/')+1:]
	var out []string
	for _, p := range importPaths() {
		if base != "" && p[strings.LastIndexByte(p, '/')+1:] == base {
			out = append(out, p)
		}
	}
	if c := near(path, importPaths()); c != "" && !slices.Contains(out, c) {
		out = append(out, c)
	}
	out = append(out, "the standard library")
	many := map[string]bool{}
	for _, m := range symbols.Added {
		if len(m.Packages) > maxNamed {
			out = append(out, m.Path+"/...")
			for _, p := range m.Packages {
				many[p] = true
			}
		}
	}
	for _, p := range Packages() {
		if !many[p] {
			out = append(out, p)
		}
	}
	return strings.Join(append(out, slices.Sorted(maps.Keys(symbols.Short))...), ", ")
}

// maxNamed bounds how many packages of an added module an error lists.
const maxNamed = 5

// Packages lists what cells can import by full path besides the standard
// library: what every kernel has, and what gopherlens build has added. Those of
// the kernel itself (lens, plots, cache, display) are not among it.
func Packages() []string {
	register()
	var out []string
	for _, p := range importPaths() {
		if strings.Contains(p, ".") && !strings.HasPrefix(p, "github.com/gopherlens/") {
			out = append(out, p)
		}
	}
	for _, m := range symbols.Added { // a folder's module may have any path
		for _, p := range m.Packages {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// resolveImports gives the names of all imports in force in a cell.
func (s *Session) resolveImports(p *plan) (names map[string]string, dots []string, fail []diagnostic) {
	names = maps.Clone(s.imports)
	dots = slices.Clone(s.dots)
	for _, im := range p.imports {
		pkg, err := s.importer().Import(im.path)
		if err != nil {
			fail = append(fail, diagnostic{token.Position{Filename: p.file, Line: im.line, Column: im.col}, err.Error()})
			continue
		}
		name, path := pkg.Name(), im.path
		if isFolder(path) {
			path = pkg.Path() // as it is now
		}
		if im.name != "" {
			name = im.name
		}
		switch name {
		case "_":
		case ".":
			if !slices.Contains(dots, path) {
				dots = append(dots, path)
			}
		default:
			names[name] = path
		}
	}
	return names, dots, fail
}
