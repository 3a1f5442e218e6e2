package extend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goplus/ixgo"
	_ "github.com/goplus/ixgo/pkg" // which packages of its own it has

	"github.com/gopherlens/gopherlens/kernel/interp/internal/gen"
)

// maxPackages bounds what one kernel may have added: each is compiled and has a
// table in memory.
const maxPackages = 300

// pkg is what go list says of a package.
type pkg struct {
	ImportPath, Name, Dir string
	Standard              bool
	Module                *module
	GoFiles               []string
	IgnoredGoFiles        []string
	Error                 *struct{ Err string }
	DepsErrors            []*struct{ Err string }
}

type module struct {
	Path, Version string
	Replace       *module
}

// find lists the packages that a spec means: the one with its path, or all of
// the module with its path that cells may import.
func (b *builder) find(s spec) (all []*pkg, whole bool, err error) {
	whole = s.dir != "" || b.isModule(s.path)
	pattern := s.path
	if whole {
		pattern += "/..."
		if err := b.noteC(s, pattern); err != nil {
			return nil, false, err
		}
	}
	data, err := b.modGo().output(b.args("list", "-e", "-json=ImportPath,Name,Dir,Standard,Module,GoFiles,IgnoredGoFiles,Error,DepsErrors", pattern)...)
	if err != nil {
		return nil, false, err
	}
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		p := new(pkg)
		if err := d.Decode(p); errors.Is(err, io.EOF) {
			return all, whole, nil
		} else if err != nil {
			return nil, false, fmt.Errorf("go list %s: %w", pattern, err)
		}
		if whole && (p.Name == "main" || internal(p.ImportPath) || p.Module != nil && p.Module.Path != s.path) {
			continue // of another module below the path, or not for cells
		}
		all = append(all, p)
	}
}

// noteC notes the packages of which there is less without cgo: a pattern does
// not match those that are cgo and nothing else.
func (b *builder) noteC(s spec, pattern string) error {
	g := b.modGo()
	g.env = append(g.env, "CGO_ENABLED=1")
	data, err := g.output(b.args("list", "-e", "-f", "{{if .CgoFiles}}{{.ImportPath}} {{with .Module}}{{.Path}}{{end}} {{len .GoFiles}}{{end}}", pattern)...)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		switch {
		case len(f) != 3 || f[1] != s.path || internal(f[0]):
		case f[2] == "0":
			b.note("left out: package %s: needs cgo, which kernels are built without", f[0])
		default:
			b.note("package %s without its parts in cgo, which kernels are built without", f[0])
		}
	}
	return nil
}

func (b *builder) isModule(path string) bool {
	_, err := b.modGo().output(b.args("list", "-m", path)...)
	return err == nil
}

// problem says in a few words why p cannot be compiled in; "" if it can.
func (p *pkg) problem() string {
	switch {
	case p.Standard:
		return "the path is the standard library's"
	case p.Name == "main":
		return "is a program, not a package"
	case internal(p.ImportPath):
		return "is internal to its module"
	case len(p.GoFiles) == 0 && p.needsC():
		return "needs cgo, which kernels are built without"
	case p.Error != nil:
		return oneLine(p.Error.Err)
	case len(p.DepsErrors) > 0:
		return oneLine(p.DepsErrors[0].Err)
	case len(p.GoFiles) == 0:
		return "has no Go files for this system"
	}
	return ""
}

// needsC reports whether a file that was left out is one of cgo.
func (p *pkg) needsC() bool {
	for _, n := range p.IgnoredGoFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, n), nil, parser.ImportsOnly)
		if err != nil {
			continue
		}
		for _, im := range f.Imports {
			if im.Path.Value == `"C"` {
				return true
			}
		}
	}
	return false
}

// oneLine is the line of a message of go list that says what is wrong.
func oneLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if strings.Contains(line, "build constraints exclude all Go files") {
		return "has no Go files for this system, or only such that need cgo"
	}
	return line
}

// taken reports whether every kernel has a package of that path.
func taken(path string) bool {
	if slices.ContainsFunc(gen.Targets, func(t gen.Target) bool { return t.Path == path }) {
		return true
	}
	_, ok := ixgo.LookupPackage(path)
	return ok
}

// choose sorts the packages of a spec into those to add and notes on the
// others.
func (b *builder) choose(s spec) error {
	all, whole, err := b.find(s)
	if err != nil {
		return fmt.Errorf("%s: %w", s.text, err)
	}
	n := 0
	for _, p := range all {
		why := p.problem()
		switch {
		case why == "" && taken(p.ImportPath):
			b.note("package %s is in every kernel", p.ImportPath)
		case why == "":
			if !b.has[p.ImportPath] {
				b.has[p.ImportPath] = true
				b.add = append(b.add, p)
			}
		case !whole || len(all) == 1:
			return fmt.Errorf("%s: package %s: %s", s.text, p.ImportPath, why)
		default:
			b.note("left out: package %s: %s", p.ImportPath, why)
			continue
		}
		n++
	}
	switch {
	case n == 0 && len(all) == 0:
		return fmt.Errorf("%s: the module has no package that a cell could import", s.text)
	case n == 0:
		return fmt.Errorf("%s: none of its %d packages can be compiled in; the first: package %s: %s", s.text, len(all), all[0].ImportPath, all[0].problem())
	case len(b.add) > maxPackages:
		return fmt.Errorf("%s: %d packages are too many for a kernel (allowed: %d); name those you want, as in %s/sub/pkg@%s", s.text, len(b.add), maxPackages, s.path, s.version)
	}
	return nil
}
