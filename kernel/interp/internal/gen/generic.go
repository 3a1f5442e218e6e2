package gen

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Generic code goes into a kernel as source, which the interpreter instantiates:
// beside the table of a package, a patch that declares what the table cannot
// hold, and what that needs of the package's unexported functions, types and
// constants. Variables cannot be taken over, nor can types that compiled code
// uses too: there would be two of them. What needs one of these is left out,
// as is what does not compile outside its package.
//
// Packages that no cell can import, being internal or not asked for, have no
// table; of them the patch is all there is.

// self is the name by which a patch knows the package it belongs to.
const self = "native__"

// patcher makes the patches of some packages and of what these import.
type patcher struct {
	imp     types.Importer
	listed  map[string]*listed
	sources map[string]*source
	tables  map[string]bool   // packages with a table, those of every kernel included
	known   func(string) bool // what the interpreter has by itself
}

// source reads a package, once; nil if it cannot be read.
func (p *patcher) source(path string, native bool) *source {
	s, ok := p.sources[path]
	if !ok {
		if l := p.listed[path]; l != nil {
			s, _ = readSource(l, native, p.imp) // what the compiler takes and we do not has no patch
		}
		p.sources[path] = s
	}
	return s
}

// want takes over u and all that it needs.
func (p *patcher) want(u *unit) {
	if u.wanted {
		return
	}
	u.wanted = true
	if t, ok := u.obj.(*types.TypeName); ok && !t.IsAlias() && !u.open() && (!u.src.native || u.src.compiled[u]) {
		u.bad = "compiled code uses the type " + u.name + " too"
	}
	for r := range u.refs {
		if !r.native() {
			p.want(r)
		}
	}
	for d := range u.deps {
		if r := p.other(d); r != nil {
			p.want(r)
		} else if !p.tables[d[0]] && !p.known(d[0]) && u.bad == "" {
			u.bad = "it needs " + d[0] + "." + d[1]
		}
	}
}

// other is the unit of another package that has to be taken over for d to be
// there; nil if there is none, or no need to.
func (p *patcher) other(d [2]string) *unit {
	if p.known(d[0]) || p.tables[d[0]] && p.sources[d[0]] == nil {
		return nil
	}
	s := p.source(d[0], false)
	if s == nil {
		return nil
	}
	if u := s.units[d[1]]; u != nil && !u.native() {
		return u
	}
	return nil
}

// spread makes bad what needs what is bad.
func (p *patcher) spread() {
	for again := true; again; {
		again = false
		for u := range p.all() {
			for r := range u.refs {
				if u.bad == "" && !r.native() && r.bad != "" {
					u.bad, again = "it needs "+r.name+": "+r.bad, true
				}
			}
			for d := range u.deps {
				if r := p.other(d); u.bad == "" && r != nil && r.bad != "" {
					u.bad, again = "it needs "+d[0]+"."+r.name+": "+r.bad, true
				}
			}
		}
	}
}

// all are the units that are wanted.
func (p *patcher) all() map[*unit]bool {
	out := map[*unit]bool{}
	for _, s := range p.sources {
		if s == nil {
			continue
		}
		for _, u := range s.units {
			if u.wanted {
				out[u] = true
			}
		}
	}
	return out
}

// patch is the source of what is taken over of a package, one file for each of
// its files, and which unit each line is of.
type patch struct {
	files []string
	lines []map[int]*unit
	names map[string]bool // what it declares
}

// write makes the patch of s from the units that are not bad and that a cell
// can reach.
func (p *patcher) write(s *source, use map[*unit]bool) patch {
	byFile := make([][]*unit, len(s.files))
	for _, u := range slices.SortedFunc(maps.Keys(use), func(a, b *unit) int { return strings.Compare(a.name, b.name) }) {
		if u.src == s {
			for _, sp := range u.spans {
				if !slices.Contains(byFile[sp.file], u) {
					byFile[sp.file] = append(byFile[sp.file], u)
				}
			}
		}
	}
	out := patch{names: map[string]bool{}}
	for i, units := range byFile {
		if len(units) == 0 {
			continue
		}
		var body strings.Builder
		imports := map[string]bool{}
		type part struct {
			line int
			u    *unit
		}
		var parts []part
		done := map[ast.Node]bool{}
		for _, u := range units {
			out.names[u.name] = true
			for _, sp := range u.spans {
				if sp.file != i || done[sp.node] {
					continue
				}
				done[sp.node] = true
				text := s.text(sp)
				parts = append(parts, part{strings.Count(body.String(), "\n"), u})
				body.WriteString(text + "\n")
				s.importsOf(sp, imports)
				if strings.Contains(text, self+".") {
					imports[fmt.Sprintf("%s %q", self, s.path)] = true
				}
			}
		}
		head := ""
		if s.goVersion != "" && older(s.goVersion) {
			head = "//go:build go1.21\n\n"
		}
		head += "package " + s.name + "\n"
		for _, im := range slices.Sorted(maps.Keys(imports)) {
			head += "import " + im + "\n"
		}
		lines := map[int]*unit{}
		at := strings.Count(head, "\n") + 1
		for _, pt := range parts {
			lines[at+pt.line] = pt.u
		}
		out.files = append(out.files, head+body.String())
		out.lines = append(out.lines, lines)
	}
	return out
}

// older reports whether loops of that version of the language have one variable
// for all their rounds.
func older(version string) bool {
	f := strings.Split(version, ".")
	if len(f) < 2 {
		return false
	}
	minor, err := strconv.Atoi(f[1])
	return err == nil && f[0] == "1" && minor < 22
}

// importsOf adds the imports that a span uses, as they are written.
func (s *source) importsOf(sp span, imports map[string]bool) {
	ast.Inspect(sp.node, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			if p, ok := s.info.Uses[id].(*types.PkgName); ok {
				imports[fmt.Sprintf("%s %q", id.Name, p.Imported().Path())] = true
			}
		}
		return true
	})
}

// run decides what can be taken over and returns the patches by path. seeds are
// the packages of the tables.
func (p *patcher) run(seeds []string) map[string]patch {
	var roots []*unit
	for _, path := range seeds {
		if s := p.source(path, true); s != nil {
			for _, name := range slices.Sorted(maps.Keys(s.units)) {
				if u := s.units[name]; token.IsExported(name) && (u.open() || u.forced) {
					roots = append(roots, u)
				}
			}
		}
	}
	for _, u := range roots {
		p.want(u)
	}
	for {
		p.spread()
		use := map[*unit]bool{}
		for _, u := range roots {
			p.gather(u, use)
		}
		patches := map[string]patch{}
		for path, s := range p.sources {
			if s == nil {
				continue
			}
			if made := p.write(s, use); len(made.files) > 0 {
				patches[path] = made
			}
		}
		before := p.countBad()
		if p.check(patches) {
			return patches
		}
		if p.countBad() == before { // an error of no unit
			return nil
		}
	}
}

func (p *patcher) countBad() int {
	n := 0
	for u := range p.all() {
		if u.bad != "" {
			n++
		}
	}
	return n
}

// PatchFile is the name of the file with all patches.
const PatchFile = "patches_gen.go"

// patchFile registers the patches.
func (p *patcher) patchFile(patches map[string]patch) ([]byte, error) {
	var b strings.Builder
	b.WriteString("// Code generated by kernel/interp/internal/gen. DO NOT EDIT.\n\npackage symbols\n\nfunc init() {\npatches = append(patches,\n")
	for _, path := range slices.Sorted(maps.Keys(patches)) {
		fmt.Fprintf(&b, "patch{%q, %q, %v, []string{\n", path, p.sources[path].name, !p.tables[path])
		for _, text := range patches[path].files {
			fmt.Fprintf(&b, "%q,\n", text)
		}
		b.WriteString("}},\n")
	}
	b.WriteString(")\n}\n")
	return format.Source([]byte(b.String()))
}

// gather adds u and what it needs to use.
func (p *patcher) gather(u *unit, use map[*unit]bool) {
	if u.bad != "" || use[u] {
		return
	}
	use[u] = true
	for r := range u.refs {
		if !r.native() {
			p.gather(r, use)
		}
	}
	for d := range u.deps {
		if r := p.other(d); r != nil {
			p.gather(r, use)
		}
	}
}
