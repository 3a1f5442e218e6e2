package extend

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/format"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/goplus/ixgo"

	"github.com/gopherlens/gopherlens/kernel/interp/internal/gen"
	"github.com/gopherlens/gopherlens/kernel/interp/symbols"
)

// Options say what to build.
type Options struct {
	// With are the modules: MODULE@VERSION for all packages of one,
	// MODULE/sub/pkg@VERSION for one package, or the folder of a local module.
	With []string
	// Output is the file to write.
	Output string
	// Source is a checkout of gopherlens, "" for where the running binary is from.
	Source string
	// Notes takes lines that say what is done and what a user should know.
	Notes io.Writer
}

// Result is what was built.
type Result struct {
	Source  string // the checkout, or the version of gopherlens
	Modules []symbols.Module
}

// builder is one run of Build.
type builder struct {
	ctx   context.Context
	notes io.Writer
	root  string // the source of gopherlens
	tmp   string
	files map[string]string // what the source does not have, by path: where it is
	has   map[string]bool
	add   []*pkg

	without map[string]bool // packages whose generic code the interpreter does not take
}

func (b *builder) note(f string, args ...any) { fmt.Fprintf(b.notes, f+"\n", args...) }

// goIn calls the go command in dir. Neither a workspace nor cgo takes part.
func (b *builder) goIn(dir string) goCommand {
	return goCommand{b.ctx, dir, []string{"GOWORK=off", "CGO_ENABLED=0"}}
}

func (b *builder) modGo() goCommand { return b.goIn(b.root) }

// flags let the go command use our copy of go.mod, and add to it.
func (b *builder) flags() []string {
	return []string{"-mod=mod", "-modfile=" + filepath.Join(b.tmp, "go.mod")}
}

// args are those of a command of go's that loads packages, with the flags before
// the rest.
func (b *builder) args(command string, rest ...string) []string {
	args := append([]string{command}, b.flags()...)
	if trimmed() {
		args = append(args, "-trimpath")
	}
	return append(args, rest...)
}

// trimmed reports whether the running binary was built with -trimpath. Then we
// do so too: what its build left in the go command's cache serves ours.
var trimmed = sync.OnceValue(func() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-trimpath", Value: "true"})
})

// Build writes the kernel. The source and the folders of local modules are not
// changed; the go command's caches are used.
func Build(ctx context.Context, opt Options) (*Result, error) {
	if len(opt.With) == 0 {
		return nil, errors.New("nothing to add: name a module (--with MODULE@VERSION)")
	}
	if _, err := exec.LookPath("go"); err != nil {
		return nil, errNoGo
	}
	var specs []spec
	for _, text := range opt.With {
		s, err := parseSpec(text)
		if err != nil {
			return nil, err
		}
		specs = append(specs, s)
	}
	tmp, err := os.MkdirTemp("", "gopherlens-build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	b := &builder{ctx: ctx, notes: opt.Notes, tmp: tmp, files: map[string]string{}, has: map[string]bool{}, without: map[string]bool{}}
	if b.notes == nil {
		b.notes = io.Discard
	}
	var version string
	if b.root, version, err = b.source(opt.Source, tmp); err != nil {
		return nil, err
	}
	from := b.root
	if version != "" {
		from = version
	}
	b.note("gopherlens of %s", from)
	if err := b.require(specs); err != nil {
		return nil, err
	}
	for _, s := range specs {
		if err := b.choose(s); err != nil {
			return nil, err
		}
	}
	raised, err := b.raised()
	if err != nil {
		return nil, err
	}
	if len(b.add) == 0 && len(raised) == 0 {
		return nil, errors.New("nothing to add: every kernel has what was named")
	}
	added := b.modules()
	for {
		patched, err := b.tables(added, raised, version)
		if err != nil {
			return nil, err
		}
		bad, err := b.compile(opt.Output)
		if err == nil {
			return &Result{Source: from, Modules: added}, nil
		}
		again := false
		for _, path := range bad {
			if patched[path] {
				b.without[path], again = true, true
			}
		}
		if !again {
			return nil, err
		}
		b.note("%v; again, without the generic code of %s", err, strings.Join(bad, ", "))
	}
}

// require makes the go.mod of the build.
func (b *builder) require(specs []spec) error {
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(b.root, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(b.tmp, name), data, 0o600); err != nil {
			return err
		}
	}
	var remote []string
	for _, s := range specs {
		if s.dir == "" {
			remote = append(remote, s.path+"@"+s.version)
			continue
		}
		if _, err := b.modGo().output("mod", "edit", "-require="+s.path+"@"+s.requirement(), "-replace="+s.path+"="+s.dir, filepath.Join(b.tmp, "go.mod")); err != nil {
			return fmt.Errorf("%s: %w", s.text, err)
		}
	}
	if len(remote) == 0 {
		return nil
	}
	_, err := b.modGo().output(append([]string{"get", b.flags()[1]}, remote...)...) // it takes no -mod
	return err
}

// requirements are the versions in a go.mod by path.
func (b *builder) requirements(file string) (map[string]string, error) {
	data, err := b.modGo().output("mod", "edit", "-json", file)
	if err != nil {
		return nil, err
	}
	var mod struct {
		Go      string
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(data, &mod); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	out := map[string]string{"go": mod.Go}
	for _, r := range mod.Require {
		out[r.Path] = r.Version
	}
	return out, nil
}

// raised lists the packages of every kernel whose module is now another
// version, and notes all modules of which that is so.
func (b *builder) raised() ([]gen.Target, error) {
	before, err := b.requirements(filepath.Join(b.root, "go.mod"))
	if err != nil {
		return nil, err
	}
	after, err := b.requirements(filepath.Join(b.tmp, "go.mod"))
	if err != nil {
		return nil, err
	}
	changed := map[string]bool{}
	var lines []string
	for path, v := range before {
		if w := after[path]; w != "" && w != v {
			changed[path] = true
			lines = append(lines, fmt.Sprintf("%s %s instead of %s", path, w, v))
		}
	}
	if len(lines) > 0 {
		slices.Sort(lines)
		b.note("shared with the kernel, whose code runs with it too: %s", strings.Join(lines, ", "))
	}
	var out []gen.Target
	for _, t := range gen.Targets {
		home := ""
		for path := range before {
			if within(t.Path, path) && len(path) > len(home) {
				home = path
			}
		}
		if changed[home] {
			out = append(out, t)
		}
	}
	return out, nil
}

// modules sorts the packages by module.
func (b *builder) modules() []symbols.Module {
	var out []symbols.Module
	for _, p := range b.add {
		i := slices.IndexFunc(out, func(m symbols.Module) bool { return p.Module != nil && m.Path == p.Module.Path })
		if i < 0 {
			i = len(out)
			m := symbols.Module{Path: p.ImportPath}
			if p.Module != nil {
				m.Path, m.Version = p.Module.Path, p.Module.Version
				if p.Module.Replace != nil {
					m.Version = p.Module.Replace.Version
				}
			}
			out = append(out, m)
		}
		out[i].Packages = append(out[i].Packages, p.ImportPath)
	}
	return out
}

// tables writes the files that the source lacks, and tells which packages have
// generic code.
func (b *builder) tables(added []symbols.Module, raised []gen.Target, version string) (map[string]bool, error) {
	targets := slices.Clone(raised)
	docs := map[string][]byte{}
	for i, p := range b.add {
		targets = append(targets, gen.Target{Path: p.ImportPath, File: fmt.Sprintf("added%d", i)})
		var err error
		if docs[p.ImportPath], err = gen.PackageDocs(p.ImportPath, p.Dir, p.GoFiles, false); err != nil {
			return nil, err
		}
	}
	b.note("tables of %d packages", len(targets))
	clear(b.files)
	made, err := gen.Generate(func(args ...string) ([]byte, error) {
		return b.modGo().output(b.args(args[0], args[1:]...)...)
	}, targets, &gen.Generic{Known: known, Without: b.without})
	if err != nil {
		return nil, err
	}
	for _, p := range b.add {
		if out := made.Skipped[p.ImportPath]; len(out) > 0 {
			b.note("package %s without %s", p.ImportPath, strings.Join(out, ", "))
		}
	}
	files := made.Files
	archive, err := gen.Pack(docs)
	if err != nil {
		return nil, err
	}
	src := fmt.Sprintf("package symbols\n\nfunc init() {\nFrom = %q\naddedDocs = %q\nAdded = []Module{\n", version, archive)
	for _, m := range added {
		src += fmt.Sprintf("{Path: %q, Version: %q, Packages: %#v},\n", m.Path, m.Version, m.Packages)
	}
	if files["added.go"], err = format.Source([]byte(src + "}\n}\n")); err != nil {
		return nil, err
	}
	for name, data := range files {
		file := filepath.Join(b.tmp, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return nil, err
		}
		b.files[filepath.Join(b.root, "kernel", "interp", "symbols", name)] = file
	}
	return made.Patched, nil
}

// known reports whether the interpreter has a package of the standard library.
func known(path string) bool {
	_, ok := ixgo.LookupPackage(path)
	return (ok || path == "unsafe") && !internal(path)
}

// compile builds the binary, asks it to import what was added, and gives it its
// name. bad are the packages that it could not import.
func (b *builder) compile(output string) (bad []string, err error) {
	overlay, err := json.Marshal(map[string]any{"Replace": b.files})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.tmp, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		return nil, err
	}
	b.note("compiling")
	dir, err := os.MkdirTemp(filepath.Dir(output), ".gopherlens-build-") // where a rename is one step
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, filepath.Base(output))
	if _, err := b.modGo().output(b.args("build", "-overlay="+file, "-o", made, "./kernel/cmd/gopherlens")...); err != nil {
		return nil, err
	}
	if bad, err := b.check(made); err != nil {
		return bad, err
	}
	return nil, os.Rename(made, output)
}

// check lets the new binary import each package, if it is for this system.
func (b *builder) check(binary string) (bad []string, err error) {
	data, err := b.modGo().output("env", "GOOS", "GOARCH")
	if err != nil {
		return nil, err
	}
	if f := strings.Fields(string(data)); len(f) != 2 || f[0] != runtime.GOOS || f[1] != runtime.GOARCH {
		b.note("not tried: it is for %s", strings.Join(f, "/"))
		return nil, nil
	}
	out, err := exec.CommandContext(b.ctx, binary, "packages", "--check").CombinedOutput()
	if err == nil {
		return nil, nil
	}
	var first string
	for line := range strings.Lines(string(out)) {
		if path, _, ok := strings.Cut(line, ": "); ok && b.has[path] {
			bad = append(bad, path)
			first = cmp.Or(first, strings.TrimSpace(line))
		}
	}
	if first == "" { // it did not come as far as that
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		first = cmp.Or(lines[len(lines)-1], err.Error())
	}
	return bad, fmt.Errorf("the new kernel cannot import %s", first)
}
