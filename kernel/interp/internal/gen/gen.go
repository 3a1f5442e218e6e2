// Package gen writes the symbol tables by which interpreted code reaches
// compiled packages. It runs at build time only: it asks the go command for
// the export data of the packages and writes one Go file for each.
//
// Generic functions and types cannot be in a table. They are taken over as
// source where that is asked for and possible (generic.go); those that are not
// are named in a comment of the generated file.
package gen

import (
	"bytes"
	"fmt"
	"go/constant"
	"go/format"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"sort"
	"strings"
)

// Target is one package to bind.
type Target struct {
	Path  string // import path
	Short string // short import path in cells, "" for none
	File  string // base name of the file: File_gen.go
}

const module = "github.com/gopherlens/gopherlens/"

// Targets are the packages bound besides those of the interpreter.
var Targets = []Target{
	{module + "lensapi", "lens", "lens"},
	{module + "plots", "plots", "plots"},
	{module + "cache", "cache", "cache"},
	{"log", "", "log"},
	{"log/slog", "", "log_slog"},
	{"net/rpc", "", "net_rpc"},
	{"net/rpc/jsonrpc", "", "net_rpc_jsonrpc"},
	{"testing/cryptotest", "", "testing_cryptotest"},
	{"testing/fstest", "", "testing_fstest"},
	{"testing/iotest", "", "testing_iotest"},
	{"testing/quick", "", "testing_quick"},
	{"testing/slogtest", "", "testing_slogtest"},
	{module + "kernel/display", "display", "display"},
	{"gorgonia.org/gorgonia", "", "gorgonia"},
	{"gorgonia.org/tensor", "", "gorgonia_tensor"},
	{"gonum.org/v1/gonum/dsp/fourier", "", "gonum_fourier"},
	{"gonum.org/v1/gonum/floats", "", "gonum_floats"},
	{"gonum.org/v1/gonum/integrate", "", "gonum_integrate"},
	{"gonum.org/v1/gonum/interp", "", "gonum_interp"},
	{"gonum.org/v1/gonum/mat", "", "gonum_mat"},
	{"gonum.org/v1/gonum/optimize", "", "gonum_optimize"},
	{"gonum.org/v1/gonum/stat", "", "gonum_stat"},
	{"gonum.org/v1/gonum/stat/distuv", "", "gonum_distuv"},
	{"gonum.org/v1/plot", "", "gonum_plot"},
	{"gonum.org/v1/plot/palette", "", "gonum_palette"},
	{"gonum.org/v1/plot/palette/moreland", "", "gonum_moreland"},
	{"gonum.org/v1/plot/plotter", "", "gonum_plotter"},
	{"gonum.org/v1/plot/plotutil", "", "gonum_plotutil"},
	{"gonum.org/v1/plot/vg", "", "gonum_vg"},
	{"gonum.org/v1/plot/vg/draw", "", "gonum_draw"},
	{"gonum.org/v1/plot/vg/vgimg", "", "gonum_vgimg"},
	{"gonum.org/v1/plot/vg/vgsvg", "", "gonum_vgsvg"},
}

// Go calls the go command, in a directory of the module, and returns what it
// prints.
type Go func(args ...string) ([]byte, error)

// Here calls it in the working directory, with env besides the environment.
func Here(env ...string) Go {
	return func(args ...string) ([]byte, error) {
		cmd := exec.Command("go", args...)
		cmd.Env = append(os.Environ(), env...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		data, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
		}
		return data, nil
	}
}

// Tables are the files by name, and by import path what is not in them, with
// the reason. Patched are the packages that have generic code beside their table.
type Tables struct {
	Files   map[string][]byte
	Skipped map[string][]string
	Patched map[string]bool
}

// Generic says how generic code is taken into a kernel: Known tells what the
// interpreter has without a table of ours, and the packages in Without get none.
type Generic struct {
	Known   func(path string) bool
	Without map[string]bool
}

// Generate makes the tables of targets; with generic code unless that is nil.
func Generate(run Go, targets []Target, generic *Generic) (*Tables, error) {
	var paths []string
	for _, t := range targets {
		paths = append(paths, t.Path)
	}
	imp, err := importAll(run, paths)
	if err != nil {
		return nil, err
	}
	out := &Tables{map[string][]byte{}, map[string][]string{}, map[string]bool{}}
	var patches map[string]patch
	p := &patcher{imp: imp, sources: map[string]*source{}, tables: map[string]bool{}}
	if generic != nil {
		if p.listed, err = listAll(run, paths); err != nil {
			return nil, err
		}
		p.known = generic.Known
		for _, t := range slices.Concat(Targets, targets) {
			p.tables[t.Path] = true
		}
		patches = p.run(slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return generic.Without[path] }))
		if len(patches) > 0 {
			if out.Files[PatchFile], err = p.patchFile(patches); err != nil {
				return nil, err
			}
		}
	}
	for _, t := range targets {
		pkg, err := imp.Import(t.Path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Path, err)
		}
		e := collect(pkg, patches[t.Path].names)
		src, err := table(t, pkg, e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Path, err)
		}
		out.Files[t.File+"_gen.go"] = src
		out.Patched[t.Path] = len(patches[t.Path].files) > 0
		for _, what := range e.skipped {
			if s := p.sources[t.Path]; s != nil {
				if u := s.units[what[strings.LastIndexByte(what, ' ')+1:]]; u != nil && u.bad != "" {
					what += " (" + u.bad + ")"
				}
			}
			out.Skipped[t.Path] = append(out.Skipped[t.Path], what)
		}
	}
	return out, nil
}

// importAll builds the packages and their dependencies and imports them from
// what the compiler wrote.
func importAll(run Go, paths []string) (types.Importer, error) {
	data, err := run(append([]string{"list", "-buildvcs=false", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}"}, paths...)...)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			exports[path] = file
		}
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		file, ok := exports[path]
		if !ok {
			return nil, fmt.Errorf("no export data for %s", path)
		}
		return os.Open(file)
	}), nil
}

// entries are the parts of a table, as Go source.
type entries struct {
	interfaces, named, aliases, vars, funcs, typed, untyped, skipped []string
}

// collect sorts the exported names, without those that a patch declares.
func collect(pkg *types.Package, patched map[string]bool) *entries {
	e := &entries{}
	for _, name := range pkg.Scope().Names() {
		o := pkg.Scope().Lookup(name)
		if _, isConst := o.(*types.Const); !o.Exported() || patched[name] && !isConst {
			continue
		}
		typ := fmt.Sprintf("%q: reflect.TypeOf((*q.%s)(nil)).Elem(),", name, name)
		switch o := o.(type) {
		case *types.Var:
			e.vars = append(e.vars, fmt.Sprintf("%q: reflect.ValueOf(&q.%s),", name, name))
		case *types.Func:
			if o.Signature().TypeParams().Len() > 0 {
				e.skipped = append(e.skipped, "func "+name)
				continue
			}
			e.funcs = append(e.funcs, fmt.Sprintf("%q: reflect.ValueOf(q.%s),", name, name))
		case *types.TypeName:
			switch t := o.Type().(type) {
			case *types.Alias:
				if t.TypeParams().Len() > 0 {
					e.skipped = append(e.skipped, "type "+name)
					continue
				}
				if constraint(t) {
					e.skipped = append(e.skipped, "constraint "+name)
					continue
				}
				e.aliases = append(e.aliases, typ)
			case *types.Named:
				switch {
				case t.TypeParams().Len() > 0:
					e.skipped = append(e.skipped, "type "+name)
				case o.IsAlias():
					e.aliases = append(e.aliases, typ)
				case types.IsInterface(t):
					if constraint(t) {
						e.skipped = append(e.skipped, "constraint "+name)
						continue
					}
					e.interfaces = append(e.interfaces, typ)
				default:
					e.named = append(e.named, typ)
				}
			}
		case *types.Const:
			val := constantSource(o.Val())
			if val == "" {
				e.skipped = append(e.skipped, "constant "+name)
				continue
			}
			if b, ok := o.Type().(*types.Basic); ok && b.Info()&types.IsUntyped != 0 {
				e.untyped = append(e.untyped, fmt.Sprintf("%q: {Typ: %q, Value: %s},", name, b.Name(), val))
				continue
			}
			e.typed = append(e.typed, fmt.Sprintf("%q: {Typ: reflect.TypeOf(q.%s), Value: %s},", name, name, val))
		}
	}
	return e
}

// constraint reports whether t is an interface that no value can have.
func constraint(t types.Type) bool {
	i, ok := t.Underlying().(*types.Interface)
	return ok && !i.IsMethodSet()
}

// constantSource is an expression for v, exact; "" if v has none, being too
// large for a fraction of integers.
func constantSource(v constant.Value) string {
	switch v.Kind() {
	case constant.Bool:
		return fmt.Sprintf("constant.MakeBool(%v)", constant.BoolVal(v))
	case constant.String:
		return fmt.Sprintf("constant.MakeString(%q)", constant.StringVal(v))
	case constant.Int, constant.Float:
		num, den := constant.Num(v), constant.Denom(v)
		if num.Kind() == constant.Int && den.Kind() == constant.Int {
			return fmt.Sprintf("number(%q, %q, %v)", num.ExactString(), den.ExactString(), v.Kind() == constant.Float)
		}
	case constant.Complex:
		re, im := constantSource(constant.Real(v)), constantSource(constant.Imag(v))
		if re != "" && im != "" {
			return fmt.Sprintf("complexNumber(%s, %s)", re, im)
		}
	}
	return ""
}

// dependencies are the packages that must be loaded before the table: those
// that pkg imports and those of every type that can be reached from it, which
// reflection will meet.
func dependencies(pkg *types.Package) []string {
	deps := map[string]string{}
	for _, p := range pkg.Imports() {
		deps[p.Path()] = p.Name()
	}
	seen := map[types.Type]bool{}
	for _, n := range pkg.Scope().Names() {
		if o := pkg.Scope().Lookup(n); o.Exported() {
			reach(o.Type(), seen, deps)
		}
	}
	delete(deps, pkg.Path())
	var out []string
	for p, n := range deps {
		out = append(out, fmt.Sprintf("%q: %q,", p, n))
	}
	sort.Strings(out)
	return out
}

func reach(t types.Type, seen map[types.Type]bool, deps map[string]string) {
	if t == nil || seen[t] {
		return
	}
	seen[t] = true
	each := func(t types.Type) { reach(t, seen, deps) }
	switch t := t.(type) {
	case *types.Named:
		if p := t.Obj().Pkg(); p != nil {
			deps[p.Path()] = p.Name()
		}
		each(t.Underlying())
		for m := range t.Methods() {
			if m.Exported() {
				each(m.Type())
			}
		}
		for a := range t.TypeArgs().Types() {
			each(a)
		}
	case *types.Alias:
		each(types.Unalias(t))
	case interface{ Elem() types.Type }: // pointer, slice, array, channel, map
		each(t.Elem())
		if m, ok := t.(*types.Map); ok {
			each(m.Key())
		}
	case *types.Struct:
		for f := range t.Fields() {
			each(f.Type())
		}
	case *types.Signature:
		each(t.Params())
		each(t.Results())
	case *types.Tuple:
		for v := range t.Variables() {
			each(v.Type())
		}
	case *types.Interface:
		for m := range t.Methods() {
			each(m.Type())
		}
	}
}

func table(t Target, pkg *types.Package, e *entries) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "// Code generated by kernel/interp/internal/gen. DO NOT EDIT.\n\npackage symbols\n\nimport (\n")
	if len(e.typed)+len(e.untyped) > 0 {
		b.WriteString("\t\"go/constant\"\n")
	}
	fmt.Fprintf(&b, "\t\"reflect\"\n\n\t\"github.com/goplus/ixgo\"\n\tq %q\n)\n\n", t.Path)
	for _, s := range e.skipped {
		fmt.Fprintf(&b, "// Not in the table: %s\n", s)
	}
	if len(e.skipped) > 0 {
		b.WriteByte('\n')
	}
	b.WriteString("func init() {\n")
	if t.Short != "" {
		fmt.Fprintf(&b, "Short[%q] = %q\n", t.Short, t.Path)
	}
	fmt.Fprintf(&b, "generated = append(generated, func() *ixgo.Package {\nreturn &ixgo.Package{\nName: %q,\nPath: %q,\n", pkg.Name(), t.Path)
	part := func(name, typ string, list []string) {
		fmt.Fprintf(&b, "%s: %s{\n%s\n},\n", name, typ, strings.Join(list, "\n"))
	}
	part("Deps", "map[string]string", dependencies(pkg))
	part("Interfaces", "map[string]reflect.Type", e.interfaces)
	part("NamedTypes", "map[string]reflect.Type", e.named)
	part("AliasTypes", "map[string]reflect.Type", e.aliases)
	part("Vars", "map[string]reflect.Value", e.vars)
	part("Funcs", "map[string]reflect.Value", e.funcs)
	part("TypedConsts", "map[string]ixgo.TypedConst", e.typed)
	part("UntypedConsts", "map[string]ixgo.UntypedConst", e.untyped)
	b.WriteString("}\n})\n}\n")
	src := b.Bytes()
	if len(slices.Concat(e.typed, e.untyped)) > 0 && !bytes.Contains(src, []byte("constant.")) {
		src = bytes.Replace(src, []byte("\t\"go/constant\"\n"), nil, 1)
	}
	if len(slices.Concat(e.interfaces, e.named, e.aliases, e.vars, e.funcs, e.typed)) == 0 { // all of it is in a patch
		src = bytes.Replace(src, []byte("\tq \""), []byte("\t_ \""), 1)
	}
	out, err := format.Source(src)
	if err != nil {
		return nil, fmt.Errorf("generated code: %w", err)
	}
	return out, nil
}
