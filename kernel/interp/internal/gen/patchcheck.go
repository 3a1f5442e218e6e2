package gen

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
)

// check compiles the patches as the interpreter will. It reports whether all is
// well; units that do not compile are bad from then on.
func (p *patcher) check(patches map[string]patch) bool {
	c := &patchChecker{p: p, patches: patches, done: map[string]*types.Package{}, ok: true}
	for path := range patches {
		if _, err := c.Import(path); err != nil {
			c.ok = false
		}
	}
	return c.ok
}

// patchChecker is the importer of patches: it adds to a package what its patch
// declares.
type patchChecker struct {
	p       *patcher
	patches map[string]patch
	done    map[string]*types.Package
	ok      bool
}

func (c *patchChecker) Import(path string) (*types.Package, error) {
	if pkg, ok := c.done[path]; ok {
		if pkg == nil {
			return nil, fmt.Errorf("%s imports itself", path)
		}
		return pkg, nil
	}
	made, ok := c.patches[path]
	if !ok {
		return c.p.imp.Import(path)
	}
	c.done[path] = nil
	src := c.p.sources[path]
	// What is native is as the compiler has it.
	merged := types.NewPackage(path, src.name)
	base, err := c.p.imp.Import(path)
	if err != nil {
		return nil, err
	}
	for _, n := range base.Scope().Names() {
		if u := src.units[n]; u != nil && u.native() {
			merged.Scope().Insert(base.Scope().Lookup(n))
		}
	}
	merged.MarkComplete()
	c.done[path] = merged
	fset := token.NewFileSet()
	var files []*ast.File
	bad := map[*unit]string{}
	mark := func(file, line int, msg string) {
		for ; line > 0; line-- {
			if u := made.lines[file][line]; u != nil {
				if bad[u] == "" {
					bad[u] = msg
				}
				return
			}
		}
	}
	for i, text := range made.files {
		f, err := parser.ParseFile(fset, fmt.Sprint(i), text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err // not of the units: they were parsed before
		}
		files = append(files, f)
	}
	conf := types.Config{Importer: c, DisableUnusedImportCheck: true, Error: func(err error) {
		var te types.Error
		if errors.As(err, &te) && !te.Soft {
			at := fset.PositionFor(te.Pos, false)
			var file int
			fmt.Sscan(at.Filename, &file)
			mark(file, at.Line, te.Msg)
		}
	}}
	pkg, err := conf.Check(path+"@patch", fset, files, nil)
	if err != nil && len(bad) == 0 && !strings.Contains(err.Error(), "declared and not used") {
		return nil, err
	}
	for u, msg := range bad {
		c.ok = false
		u.bad = "outside its package: " + msg
	}
	for _, n := range pkg.Scope().Names() {
		merged.Scope().Insert(pkg.Scope().Lookup(n))
	}
	return merged, nil
}
