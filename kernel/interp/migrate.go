package interp

import (
	"fmt"
	"go/token"
	"go/types"
	"reflect"
	"slices"
	"strings"
	_ "unsafe" // for linkname

	"github.com/goplus/ixgo"
	"github.com/goplus/ixgo/load"
	"golang.org/x/tools/go/ssa"
)

// A type that is compiled again, because a method was added or something it
// depends on changed, is a new type to the checker. Variables of the old one
// are carried along: they get the new type where they are stored, if the
// layout is the same, and whatever uses them is compiled again too.

// carried is one variable to be given a new type.
type carried struct {
	name string
	text string // its type, as source
	old  *types.Var
}

// moved is a carried variable after the check.
type moved struct {
	old, new *types.Var
}

// carry lists the variables to carry along in an attempt, and the imports that
// the text of their types needs.
func (s *Session) carry(a *assembly) []carried {
	renewed := map[types.Object]bool{}
	for _, list := range [][]*decl{a.inherit, a.own} {
		for _, d := range list {
			if d.tok == token.TYPE {
				if o, ok := s.scope[d.names[0]].(*types.TypeName); ok {
					renewed[o] = true
				}
			}
		}
	}
	if len(renewed) == 0 {
		return nil
	}
	var out []carried
	for name, o := range s.scope {
		v, ok := o.(*types.Var)
		if !ok || a.stay[name] || !mentions(v.Type(), renewed) {
			continue
		}
		if text, ok := a.typeText(v.Type(), s); ok {
			out = append(out, carried{name, text, v})
		} else {
			a.stay[name] = true
		}
	}
	slices.SortFunc(out, func(a, b carried) int { return strings.Compare(a.name, b.name) })
	return out
}

// mentions reports whether t is built from one of the types.
func mentions(t types.Type, objs map[types.Object]bool) bool {
	hit := false
	walkType(t, map[types.Type]bool{}, func(t types.Type) {
		if n, ok := t.(*types.Named); ok && objs[n.Origin().Obj()] {
			hit = true
		}
	})
	return hit
}

// typeText writes t as source of the cell; ok is false if that cannot be done.
func (a *assembly) typeText(t types.Type, s *Session) (text string, ok bool) {
	ok = true
	text = types.TypeString(t, func(p *types.Package) string {
		if p.Name() == "main" {
			return ""
		}
		if _, found := ixgo.LookupPackage(p.Path()); !found {
			ok = false
		}
		name := fmt.Sprintf("%s__%d", p.Name(), len(a.extra))
		for n, path := range a.extra {
			if path == p.Path() {
				return n
			}
		}
		a.extra[name] = p.Path()
		return name
	})
	if strings.Contains(text, "·") || !parses("var _ "+text) {
		ok = false
	}
	return text, ok
}

// keepLayout finds the carried variables whose types changed their layout:
// those stay as they are.
func (u *unit) keepLayout(s *Session, a *assembly) (again bool) {
	for _, c := range a.carry {
		if !u.sameLayout(c.old.Type()) {
			a.stay[c.name] = true
			again = true
		}
	}
	return again
}

// sameLayout reports whether the types that u declares anew under the names of
// those in t are laid out as they were.
func (u *unit) sameLayout(t types.Type) bool {
	same := true
	walkType(t, map[types.Type]bool{}, func(t types.Type) {
		n, ok := t.(*types.Named)
		if !ok || n.Obj().Pkg() == nil || n.Obj().Pkg().Name() != "main" {
			return
		}
		o, ok := u.pkg.Scope().Lookup(n.Obj().Name()).(*types.TypeName)
		if !ok || o.Pkg() != u.pkg {
			return
		}
		if types.TypeString(n.Origin().Underlying(), nil) != types.TypeString(o.Type().Underlying(), nil) {
			same = false
		}
	})
	return same
}

// rehouse gives the carried variables the storage they had before, under their
// new type: pointers to them, and goroutines that use them, stay right.
func (e *engine) rehouse(moves []moved) error {
	if len(moves) == 0 {
		return nil
	}
	globals, ok := hidden(e.in, "globals").(*map[string]any)
	if !ok {
		return errVersion
	}
	at := map[types.Object]any{}
	for _, m := range moves {
		key := m.new.Pkg().Path() + "." + m.new.Name()
		from, to := e.s.ld.address(m.old.Pkg().Path(), m.old.Name()), (*globals)[key]
		if from == nil || to == nil {
			return fmt.Errorf("internal error: no storage for %s", m.new.Name())
		}
		old, t := reflect.ValueOf(from), reflect.TypeOf(to).Elem()
		if old.Type().Elem().Size() != t.Size() {
			return fmt.Errorf("internal error: %s changed its size", m.new.Name())
		}
		at[m.new] = reflect.NewAt(t, old.UnsafePointer()).Interface()
		(*globals)[key] = at[m.new]
	}
	for _, fn := range e.funcs {
		here := false
		for v, i := range fn.index {
			if g, ok := v.(*ssa.Global); ok && at[g.Object()] != nil {
				fn.stack[i&0xffffff] = at[g.Object()]
				here = true
			}
		}
		if !here {
			continue
		}
		for i, instr := range fn.ssaInstrs {
			switch instr.(type) { // those that keep the address themselves
			case *ssa.Return, *ssa.MakeInterface, *ssa.Store, *ssa.MapUpdate, *ssa.UnOp, *ssa.Convert, *ssa.ChangeType:
				fn.Instrs[i] = makeInstr(e.in, fn, instr)
			}
		}
	}
	return nil
}

// makeInstr is the closure of ixgo's for an instruction.
//
//go:linkname makeInstr github.com/goplus/ixgo.makeInstr
func makeInstr(in *ixgo.Interp, fn *function, instr ssa.Instruction) func(*frame)

// patch is a package whose interpreted additions bind to compiled functions.
type patch struct {
	path  string
	links []*load.LinkSym
}

// patched lists the packages in use whose additions have such links.
func (s *Session) patched() []patch {
	var out []patch
	for _, p := range ixgo.PackageList() {
		if sp := s.base.SourcePackage(p + "@patch"); sp != nil && len(sp.Links) > 0 {
			out = append(out, patch{p, sp.Links})
		}
	}
	return out
}
