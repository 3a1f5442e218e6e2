package interp

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"math"
	"reflect"
	"strings"

	"github.com/gopherlens/gopherlens/kernel/interp/symbols"
	"github.com/goplus/ixgo"
	"github.com/visualfc/funcval"
	"golang.org/x/tools/go/ssa"
)

// program is the SSA program of one cell. Everything it needs from elsewhere
// is created as a package without code, except packages whose source is
// interpreted, and generic code.
type program struct {
	s       *Session
	prog    *ssa.Program
	have    map[*types.Package]bool
	build   []*ssa.Package // to be built: they are interpreted
	sources []*types.Package
}

// need creates p and all that its code refers to.
func (b *program) need(p *types.Package) {
	if p == nil || b.have[p] {
		return
	}
	b.have[p] = true
	if st := b.s.cells[p]; st != nil {
		// never built: its functions stay without bodies, and instances of
		// its generic code are built where they are used
		b.prog.CreatePackage(p, st.files, st.info, true)
		for _, q := range st.deps {
			b.need(q)
		}
		return
	}
	if sp := b.s.source(p); sp != nil && sp.Loaded() && sp.Package == p {
		for _, f := range sp.Files {
			if f.GoVersion != "" { // an older one, whose loops have one variable for all rounds
				if sp.Info.FileVersions == nil {
					sp.Info.FileVersions = map[*ast.File]string{}
				}
				sp.Info.FileVersions[f] = f.GoVersion
			}
		}
		b.build = append(b.build, b.prog.CreatePackage(p, sp.Files, sp.Info, true))
		b.sources = append(b.sources, p)
		for _, q := range b.s.sourceDeps(p, sp.Info) {
			b.need(q)
		}
		return
	}
	if !p.Complete() {
		p.MarkComplete()
	}
	b.prog.CreatePackage(p, nil, nil, true)
}

// source is the source of which p may be.
func (s *Session) source(p *types.Package) *ixgo.SourcePackage {
	path := p.Path()
	if base, _, ok := strings.Cut(path, symbols.PatchMark); ok {
		path = base + symbols.PatchMark
	}
	return s.base.SourcePackage(path)
}

// sourceDeps are the packages that a package with source needs, remembered.
func (s *Session) sourceDeps(p *types.Package, info *types.Info) []*types.Package {
	if d, ok := s.deps[p]; ok {
		return d
	}
	d := append(packagesOf(info, p), p.Imports()...)
	s.deps[p] = d
	return d
}

// load builds the unit and makes an interpreter for it.
func (s *Session) load(u *unit, r *run) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("internal error while compiling the cell: %v", p)
		}
	}()
	for _, o := range u.info.Uses {
		if o.Pkg() != nil && o.Pkg().Path() == "os" {
			switch o.Name() {
			case "Stdout":
				s.stdout.used.Store(true)
			case "Stderr":
				s.stderr.used.Store(true)
			}
		}
	}
	for _, v := range u.aliases {
		o := s.scope[strings.TrimSuffix(v.Name(), oldSuffix)]
		s.ld.install(v.Pkg().Path(), map[string]reflect.Value{
			v.Name(): reflect.ValueOf(s.ld.address(o.Pkg().Path(), o.Name())),
		})
	}
	b := &program{s: s, prog: ssa.NewProgram(s.base.FileSet, ssa.InstantiateGenerics), have: map[*types.Package]bool{u.pkg: true, u.varPkg: true}}
	for _, p := range u.pkg.Imports() {
		b.need(p)
	}
	for _, p := range packagesOf(u.info, u.pkg) {
		b.need(p)
	}
	named := s.newTypes(u, b)
	for _, t := range named {
		for _, p := range methodPackages(t) {
			b.need(p)
		}
	}
	for i, t := range named {
		u.hidden = append(u.hidden, types.NewVar(token.NoPos, nil, fmt.Sprintf("t%d", i), t))
	}
	revealed, err := b.reveal(fmt.Sprintf("types%d", u.seq), u.hidden)
	if err != nil {
		return err
	}
	vars := b.variables(u.varPkg, u.fresh)
	main := b.prog.CreatePackage(u.pkg, []*ast.File{u.syntax}, u.info, false)
	b.build = append(b.build, revealed, vars, main)
	for _, p := range b.build {
		p.Build()
	}
	if more := s.lateTypes(u, b); len(more) > 0 {
		from := len(u.hidden)
		for i, t := range more {
			u.hidden = append(u.hidden, types.NewVar(token.NoPos, nil, fmt.Sprintf("t%d", i), t))
		}
		late, err := b.reveal(fmt.Sprintf("types%dlate", u.seq), u.hidden[from:])
		if err != nil {
			return err
		}
		late.Build()
		b.build = append(b.build, late)
		named = append(named, more...)
	}
	interpreted := map[*types.Package]bool{u.pkg: true}
	for _, p := range b.sources {
		interpreted[p] = true
	}
	repairProgram(b.prog, b.build, named, interpreted)
	if err := s.roomFor(u.hidden); err != nil {
		return err
	}
	in, err := s.context(u, r).NewInterp(main)
	if err != nil {
		return err
	}
	if err := s.prepare(in, u); err != nil {
		return err
	}
	u.interp = in
	return s.learn(u, main, in)
}

// reveal creates a package with a variable of each hidden type, by which its
// reflect type is learned, and a function that turns a pointer to each into an
// interface value: only then are all methods of the type compiled here, where
// their code is. A later cell may hand a value to compiled code that calls
// them. vars are replaced by the variables of the package.
func (b *program) reveal(path string, vars []*types.Var) (*ssa.Package, error) {
	p := types.NewPackage(path, "types")
	var decls, keep strings.Builder
	for i, v := range vars {
		alias := types.NewTypeName(token.NoPos, p, fmt.Sprintf("a%d", i), nil)
		types.NewAlias(alias, v.Type())
		p.Scope().Insert(alias)
		fmt.Fprintf(&decls, "var t%d a%d\n", i, i)
		fmt.Fprintf(&keep, "(*a%d)(nil), ", i)
	}
	src := "package types\n" + decls.String() + "func keep() []any { return []any{" + keep.String() + "} }\n"
	fset := b.s.base.FileSet
	f, err := parser.ParseFile(fset, "generated", src, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("internal error: %w", err)
	}
	info := newInfo()
	conf := &types.Config{Sizes: sizes, GoVersion: goVersion}
	if err := types.NewChecker(conf, fset, p, info).Files([]*ast.File{f}); err != nil {
		return nil, fmt.Errorf("internal error: %w", err)
	}
	for i := range vars {
		vars[i] = p.Scope().Lookup(fmt.Sprintf("t%d", i)).(*types.Var)
	}
	return b.prog.CreatePackage(p, []*ast.File{f}, info, true), nil
}

// variables creates a package that only declares vars.
func (b *program) variables(p *types.Package, vars []*types.Var) *ssa.Package {
	info := newInfo()
	f := &ast.File{Name: ast.NewIdent(p.Name())}
	for _, v := range vars {
		id := ast.NewIdent(v.Name())
		info.Defs[id] = v
		p.Scope().Insert(v)
		f.Decls = append(f.Decls, &ast.GenDecl{Tok: token.VAR, Specs: []ast.Spec{&ast.ValueSpec{Names: []*ast.Ident{id}}}})
	}
	info.FileVersions[f] = goVersion
	p.MarkComplete()
	return b.prog.CreatePackage(p, []*ast.File{f}, info, true)
}

// newTypes lists the named types, instances included, that the unit mentions
// and that have no reflect type yet.
func (s *Session) newTypes(u *unit, b *program) []types.Type {
	var found []types.Type
	seen := map[types.Type]bool{}
	visit := func(t types.Type) {
		walkType(t, seen, func(t types.Type) {
			n, ok := t.(*types.Named)
			if !ok {
				return
			}
			// The type may be known by its values alone. Its methods are found
			// only if its package is there.
			b.need(n.Obj().Pkg())
			if s.unknown(n) {
				found = append(found, n)
			}
		})
	}
	for _, o := range u.info.Defs {
		if tn, ok := o.(*types.TypeName); ok && !tn.IsAlias() && tn.Parent() == u.pkg.Scope() {
			visit(tn.Type())
		}
	}
	for _, tv := range u.info.Types {
		if tv.IsValue() || tv.IsType() {
			visit(tv.Type)
		}
	}
	for _, v := range u.fresh {
		visit(v.Type())
	}
	if u.folder {
		return found
	}
	for _, t := range s.ld.known() { // what values in interfaces are renewed to
		if n, ok := t.(*types.Named); ok && n.TypeArgs().Len() > 0 {
			if to := u.counterpart(n); to != nil && n.Obj().Pkg() != u.pkg {
				visit(to)
			}
		}
	}
	for _, p := range b.sources {
		for _, n := range p.Scope().Names() {
			if tn, ok := p.Scope().Lookup(n).(*types.TypeName); ok && !tn.IsAlias() {
				if n, ok := tn.Type().(*types.Named); ok && !seen[n] && s.unknown(n) {
					seen[n] = true
					found = append(found, n)
				}
			}
		}
	}
	return found
}

// unknown reports whether n needs a reflect type: it is closed, declared at
// package level, and no interpreter has made one.
func (s *Session) unknown(n *types.Named) bool {
	o := n.Obj()
	if o.Pkg() == nil || o.Parent() != nil && o.Parent() != o.Pkg().Scope() || openType(n) {
		return false
	}
	if i, ok := n.Underlying().(*types.Interface); ok && !i.IsMethodSet() {
		return false // a constraint has no values
	}
	_, ok := s.ld.LookupReflect(n)
	return !ok
}

// lateTypes are instances that appeared only while generic code was built.
func (s *Session) lateTypes(u *unit, b *program) []types.Type {
	have := map[types.Type]bool{}
	for _, v := range u.hidden {
		have[types.Unalias(v.Type())] = true
	}
	var more []types.Type
	for _, t := range b.prog.RuntimeTypes() {
		if p, ok := types.Unalias(t).(*types.Pointer); ok {
			t = p.Elem()
		}
		if n, ok := types.Unalias(t).(*types.Named); ok && n.TypeArgs().Len() > 0 && !have[n] && s.unknown(n) {
			have[n] = true
			more = append(more, n)
		}
	}
	return more
}

// methodPackages are the packages of the methods of t, promoted ones included.
func methodPackages(t types.Type) []*types.Package {
	var out []*types.Package
	mset := types.NewMethodSet(types.NewPointer(t))
	for sel := range mset.Methods() {
		if p := sel.Obj().Pkg(); p != nil && len(sel.Index()) > 1 {
			out = append(out, p)
		}
	}
	return out
}

// roomFor checks that the table of method entry points, which is of fixed
// size, takes the methods of the new types: ixgo ends the process otherwise.
func (s *Session) roomFor(hidden []*types.Var) error {
	want := 0
	for _, v := range hidden {
		want += types.NewMethodSet(types.NewPointer(v.Type())).Len() + types.NewMethodSet(v.Type()).Len()
	}
	size, _, free := ixgo.IcallStat()
	if want+256 > free {
		return fmt.Errorf("no room for %d more methods: of %d, %d are left; restart the kernel to continue (each redefinition of a type takes new room)", want, size, free)
	}
	return nil
}

// context is what one cell's interpreter is made with. Each cell has its own:
// ixgo keeps plain maps there, which goroutines of this cell may read while a
// later cell compiles.
func (s *Session) context(u *unit, r *run) *ixgo.Context {
	c := ixgo.NewContext(ixgo.SupportMultipleInterp | ixgo.OptionLoadAllImethod | ixgo.DisableAutoLoadPatchs)
	for _, p := range s.patched() {
		if c.RegisterPatch(p.path, "package patch") == nil {
			c.SourcePackage(p.path + "@patch").Links = p.links
		}
	}
	// A pooled frame keeps the callee of its last use, so that in recursive code
	// the chain of frames that ixgo follows after a panic can be a circle: it
	// would never come back. Without the pool the chain is right.
	c.SetLeastCallForEnablePool(math.MaxInt32)
	c.SetEvalMode(true)
	c.FileSet = s.base.FileSet
	c.Loader = s.ld
	c.Importer = s.base.Importer
	c.RunContext = context.Background() // makes goroutines report their panics
	c.SetPanic(s.onPanic)
	for k, f := range s.hooks {
		c.RegisterExternal(k, f)
	}
	shown := r.shown
	c.RegisterExternal(runtimePkg+".Show", func(v ...any) { *shown = v })
	mine := redeclared(u)
	for n, f := range s.funcs {
		if !mine[n] {
			c.RegisterExternal("main."+n, f)
		}
	}
	for p, st := range s.cells {
		for n, f := range st.funcs {
			c.RegisterExternal(p.Path()+"."+n, f)
		}
	}
	return c
}

// redeclared are the names that the unit declares or compiles again.
func redeclared(u *unit) map[string]bool {
	mine := declaredNames(u.own)
	for n := range declaredNames(u.inherit) {
		mine[n] = true
	}
	return mine
}

// prepare reaches two fields of the interpreter that have no accessor. Without
// the first, a panic in a goroutine would stay unreported (it is contained
// either way); without the second, interface calls of other cells' types would
// not be possible.
func (s *Session) prepare(in *ixgo.Interp, u *unit) error {
	ch, ok1 := hidden(in, "cherror").(*chan ixgo.PanicError)
	sets, ok2 := hidden(in, "msets").(*methodSets)
	if !ok1 || !ok2 {
		return errVersion
	}
	if err := s.repairMethods(in, s.ld.repaired); err != nil {
		return err
	}
	*ch = s.panics
	for _, m := range *sets {
		for name, fn := range m {
			if fn == nil || fn.Blocks == nil {
				delete(m, name) // compiled by an earlier cell: found by reflection
			}
		}
	}
	s.ld.share(sets)
	return s.replaceInstrs(in, sets, u)
}

// learn takes from a new interpreter where variables live, what types became
// and how functions are called.
func (s *Session) learn(u *unit, main *ssa.Package, in *ixgo.Interp) error {
	vars := map[string]reflect.Value{}
	for _, v := range u.fresh {
		_, p, ok := in.GetSymbol(u.varPkg.Path() + "." + v.Name())
		if !ok {
			return fmt.Errorf("internal error: no storage for %s", v.Name())
		}
		vars[v.Name()] = reflect.ValueOf(p)
	}
	for _, v := range u.hidden {
		if _, p, ok := in.GetSymbol(v.Pkg().Path() + "." + v.Name()); ok {
			s.ld.learn(types.Unalias(v.Type()), reflect.TypeOf(p).Elem())
		}
	}
	if len(vars) > 0 {
		s.ld.install(u.varPkg.Path(), vars)
	}
	u.funcs = map[string]any{}
	if u.folder {
		return s.learnFolder(u, main, in)
	}
	for _, list := range [][]*decl{u.inherit, u.own} {
		for _, d := range list {
			n := d.names[0]
			if d.tok != token.FUNC || strings.ContainsAny(n, "._") && (strings.Contains(n, ".") || n == "_" || strings.HasPrefix(n, "init__")) {
				continue
			}
			fn := main.Func(n)
			if fn == nil || fn.Signature.TypeParams().Len() > 0 {
				continue
			}
			f, ok := in.GetFunc(n)
			if !ok {
				return fmt.Errorf("internal error: no code for %s", n)
			}
			if v, made := funcval.Get(f); made == 1 {
				funcValueCode.Store(v.Fn)
			}
			u.funcs[n] = f
		}
	}
	return nil
}
