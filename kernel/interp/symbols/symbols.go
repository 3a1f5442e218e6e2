// Package symbols holds what cells can import besides the standard library as
// the interpreter ships it: generated tables (*_gen.go) of lens, plots and
// cache, of the standard packages that must be the compiled ones (log,
// log/slog), and of gonum.
//
// It also holds the comments of all packages that cells can import (docs.zip of
// this module, docs_others.zip of the rest).
//
// Run `go generate ./kernel/interp/...` after the exported API of one of these
// packages or a comment on it changed; tests of the parent package fail until then.
package symbols

import (
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"reflect"
	"slices"
	"strings"

	"github.com/goplus/ixgo"
)

// Short maps the short import paths of cells to full ones.
var Short = map[string]string{}

// Module is a module that gopherlens build has compiled in.
type Module struct {
	Path     string
	Version  string   // "" of a folder
	Packages []string // those that cells can import besides what every kernel has
}

// Added are the modules that gopherlens build has compiled in, and From is the
// version of gopherlens that it took, "" for a checkout. It sets them, as the
// tables do, in files of this package that are written for one binary.
var (
	Added []Module
	From  string
)

// generated are the tables, in the order of the generated files.
var generated []func() *ixgo.Package

// patch is generic code of a package, interpreted, beside its table: files of
// source. A hidden package has no table and is there for other patches only.
type patch struct {
	path, name string
	hidden     bool
	files      []string
}

var patches []patch

// PatchMark ends the path under which the interpreter has the source beside a
// table; that of its objects may go on after it.
const PatchMark = "@patch"

// Hidden reports whether a package is there for other packages only, in parts.
func Hidden(path string) bool {
	return path == native || slices.ContainsFunc(patches, func(p patch) bool { return p.hidden && p.path == path })
}

// Register makes all packages of this binary known to the interpreter. The
// interpreter's registry is one per process, so it is called once.
func Register() {
	for _, f := range generated {
		p := f()
		if old, ok := ixgo.LookupPackage(p.Path); ok {
			*old = *p // the compiled package instead of an interpreted copy
			continue
		}
		ixgo.RegisterPackage(p)
	}
	registerNative()
	for _, p := range patches {
		if p.hidden {
			ixgo.RegisterPackage(&ixgo.Package{Path: p.path, Name: p.name})
		}
	}
	for _, path := range ixgo.PackageList() {
		if p, ok := ixgo.LookupPackage(path); ok {
			moveAliases(p)
		}
	}
}

// moveAliases finds the types that have become aliases since the interpreter's
// tables were made, as json.RawMessage has in Go 1.27: it would declare them
// under the name that they stand for.
func moveAliases(p *ixgo.Package) {
	for _, types := range []map[string]reflect.Type{p.NamedTypes, p.Interfaces} {
		for name, t := range types {
			if t.Name() == name && t.PkgPath() == p.Path {
				continue
			}
			if p.AliasTypes == nil {
				p.AliasTypes = map[string]reflect.Type{}
			}
			p.AliasTypes[name] = t
			delete(types, name)
		}
	}
}

// Patch gives a context what the interpreter's tables lack of the standard
// library, and the generic code of added packages.
func Patch(ctx *ixgo.Context) error {
	for _, p := range patches {
		for _, f := range p.files {
			if err := ctx.RegisterPatch(p.path, f); err != nil {
				return fmt.Errorf("package %s: %w", p.path, err)
			}
		}
		// The last element of the path is what %T prints before the dot.
		ctx.SourcePackage(p.path + PatchMark).Package = types.NewPackage(p.path+PatchMark+"/"+p.name, p.name)
	}
	for path, source := range generic {
		if p, ok := ixgo.LookupPackage(path); ok && p.Source != "" {
			continue // interpreted as a whole
		}
		if err := ctx.RegisterPatch(path, source); err != nil {
			return fmt.Errorf("package %s: %w", path, err)
		}
	}
	return nil
}

// number is the exact constant num/den.
func number(num, den string, float bool) constant.Value {
	n := constant.MakeFromLiteral(strings.TrimPrefix(num, "-"), token.INT, 0)
	if strings.HasPrefix(num, "-") {
		n = constant.UnaryOp(token.SUB, n, 0)
	}
	if !float {
		return n
	}
	return constant.ToFloat(constant.BinaryOp(n, token.QUO, constant.MakeFromLiteral(den, token.INT, 0)))
}

func complexNumber(re, im constant.Value) constant.Value {
	return constant.BinaryOp(re, token.ADD, constant.MakeImag(im))
}
