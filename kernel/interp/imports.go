package interp

import (
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
		return nil, fmt.Errorf("package %s is not in this kernel (importable: %s)", path, i.s.offer(path))
	}
	p, err := i.s.base.Importer.Import(path)
	if err != nil {
		return nil, fmt.Errorf("package %s cannot be loaded: %w", path, err)
	}
	return p, nil
}

// importable reports whether users may import a registered path.
func importable(path string) bool {
	switch {
	case path == runtimePkg, path == "C", strings.HasPrefix(path, "github.com/goplus/"), strings.HasPrefix(path, "github.com/qiniu/"):
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
	for _, p := range importPaths() {
		if strings.Contains(p, ".") && !strings.HasPrefix(p, "github.com/gopherlens/") {
			out = append(out, p)
		}
	}
	return strings.Join(append(out, slices.Sorted(maps.Keys(symbols.Short))...), ", ")
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
