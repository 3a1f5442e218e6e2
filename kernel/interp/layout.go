package interp

import (
	"go/ast"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"
)

// Functions of package unsafe whose results are not constant: their arguments
// are of types that depend on type parameters. ixgo asks the values for their
// types, which for interfaces gives those of what they hold, and looks for the
// fields of Offsetof in the wrong files.

// noteOffsets notes through how many fields each unsafe.Offsetof(x.f) of generic
// code goes, those of embedded structs included: go/ssa does not keep it.
func (s *Session) noteOffsets(f *ast.File, info *types.Info) {
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 || info.Types[call].Value != nil || !info.Types[call.Fun].IsBuiltin() {
			return true
		}
		if x, ok := ast.Unparen(call.Args[0]).(*ast.SelectorExpr); ok {
			if sel := info.Selections[x]; sel != nil {
				s.offsets[call.Lparen] = len(sel.Index())
			}
		}
		return true
	})
}

// layoutOf is a call of unsafe.Sizeof, Alignof or Offsetof. The argument is not
// evaluated: x.f of a nil x has an offset.
func (e *engine) layoutOf(fn *function, i *ssa.Call, name string) func(*frame) {
	r, arg := fn.reg(i), i.Call.Args[0]
	var n int64
	switch name {
	case "Sizeof":
		n = sizes.Sizeof(arg.Type())
	case "Alignof":
		n = sizes.Alignof(arg.Type())
	default:
		x := arg
		if load, ok := x.(*ssa.UnOp); ok {
			x = load.X
		}
		for range e.s.offsets[i.Pos()] {
			var t types.Type
			var field int
			switch f := x.(type) {
			case *ssa.FieldAddr:
				t, field, x = f.X.Type().Underlying().(*types.Pointer).Elem(), f.Field, f.X
			case *ssa.Field:
				t, field, x = f.X.Type(), f.Field, f.X
			default:
				return nil
			}
			st := t.Underlying().(*types.Struct)
			n += sizes.Offsetsof(slices.Collect(st.Fields()))[field]
		}
	}
	e.skip(fn, arg)
	return func(fr *frame) { fr.stack[r] = uintptr(n) }
}

// skip takes out the loads that only an argument that is not evaluated needs.
func (e *engine) skip(fn *function, v ssa.Value) {
	instr, ok := v.(ssa.Instruction)
	if !ok || v.Referrers() == nil || len(*v.Referrers()) != 1 {
		return
	}
	var from ssa.Value
	switch v := v.(type) {
	case *ssa.UnOp:
		from = v.X
	case *ssa.FieldAddr:
		from = v.X
	case *ssa.Field:
		from = v.X
	default:
		return
	}
	if at := slices.Index(fn.ssaInstrs, instr); at >= 0 {
		fn.Instrs[at] = func(*frame) {}
	}
	e.skip(fn, from)
}
