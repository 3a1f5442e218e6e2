package interp

import (
	"go/types"

	"golang.org/x/tools/go/ssa"
)

// ixgo v1.1.1 executes the phis at the head of a block one after another, but
// SSA says they happen at once: a phi that reads another phi of its own block
// must see the value from before the block was entered. Run in sequence,
// `a, b = b, a` in a loop gives 1 1 for 2 1, silently, whenever the phi that is
// read happens to stand before its reader. Upstream repaired the engine after
// v1.1.1; when such a version is used this file goes.
//
// The repair keeps lifted SSA (the alternative, ssa.NaiveForm, costs a factor
// of 2.5 to 8 in tight loops) and makes sequential execution right: readers are
// put before the phis they read, and where that is impossible, in a cycle, one
// phi per cycle is saved in a temporary first. A loop without such a
// dependence is not touched.

// repairPhis makes the phis of every block of fn safe to execute in order.
// It reports whether it changed anything.
func repairPhis(fn *ssa.Function) bool {
	changed := false
	for _, b := range fn.Blocks {
		n := 0
		for n < len(b.Instrs) {
			if _, ok := b.Instrs[n].(*ssa.Phi); !ok {
				break
			}
			n++
		}
		if n > 1 && repairBlock(b, n) {
			changed = true
		}
	}
	return changed
}

// repairBlock orders the first n instructions of b, all phis.
func repairBlock(b *ssa.BasicBlock, n int) bool {
	phis := make([]*ssa.Phi, n)
	index := make(map[ssa.Value]int, n)
	for i := range phis {
		phis[i] = b.Instrs[i].(*ssa.Phi)
		index[phis[i]] = i
	}
	// pending[i] counts the phis that read i and have not been placed: i may
	// overwrite its old value only when it is zero.
	reads := make([][]int, n)
	pending := make([]int, n)
	clash := false
	for i, p := range phis {
		seen := map[int]bool{}
		for _, e := range p.Edges {
			if j, ok := index[e]; ok && j != i && !seen[j] {
				seen[j] = true
				reads[i] = append(reads[i], j)
				pending[j]++
				clash = clash || j < i
			}
		}
	}
	if !clash {
		return false
	}
	var saved []ssa.Instruction
	order := make([]ssa.Instruction, 0, n)
	placed := make([]bool, n)
	place := func(i int) {
		placed[i] = true
		order = append(order, phis[i])
		for _, j := range reads[i] {
			pending[j]--
		}
	}
	for len(order) < n {
		progress := false
		for i := range phis {
			if !placed[i] && pending[i] == 0 {
				place(i)
				progress = true
			}
		}
		if progress {
			continue
		}
		// every phi left is read by another one left: save one old value
		i := 0
		for placed[i] || pending[i] == 0 {
			i++
		}
		t := new(ssa.Phi)
		*t = *phis[i] // same block, type and position
		t.Edges = make([]ssa.Value, len(phis[i].Edges))
		for k := range t.Edges {
			t.Edges[k] = phis[i]
		}
		saved = append(saved, t)
		for j, p := range phis {
			if placed[j] || j == i {
				continue
			}
			for k, e := range p.Edges {
				if e == phis[i] {
					p.Edges[k] = t
				}
			}
			kept := reads[j][:0]
			for _, r := range reads[j] {
				if r == i {
					pending[i]--
				} else {
					kept = append(kept, r)
				}
			}
			reads[j] = kept
		}
	}
	head := append(saved, order...)
	b.Instrs = append(head, b.Instrs[n:]...)
	return true
}

// repairProgram repairs every function that interpreting the given packages
// can reach: their functions, the methods of every type that may be called
// through an interface, and from those all closures, instances and wrappers.
// It asks the program for the methods first, because those of generic
// instances are built only when they are asked for.
// interpreted holds the packages whose methods have code; all others are
// compiled, and methods promoted from them are called by reflection.
func repairProgram(prog *ssa.Program, pkgs []*ssa.Package, named []types.Type, interpreted map[*types.Package]bool) {
	seen := map[*ssa.Function]bool{}
	var visit func(fn *ssa.Function)
	visit = func(fn *ssa.Function) {
		if fn == nil || seen[fn] {
			return
		}
		seen[fn] = true
		if fn.Blocks == nil {
			return
		}
		repairPhis(fn)
		for _, a := range fn.AnonFuncs {
			visit(a)
		}
		var buf [32]*ssa.Value
		for _, b := range fn.Blocks {
			for _, instr := range b.Instrs {
				for _, op := range instr.Operands(buf[:0]) {
					if op != nil && *op != nil {
						if f, ok := (*op).(*ssa.Function); ok {
							visit(f)
						}
					}
				}
			}
		}
	}
	methods := func(t types.Type) {
		if types.IsInterface(t) || openType(t) {
			return
		}
		mset := prog.MethodSets.MethodSet(t)
		for i := range mset.Len() {
			if p := mset.At(i).Obj().Pkg(); p == nil || interpreted[p] || fromCells(p) {
				visit(prog.MethodValue(mset.At(i)))
			}
		}
	}
	for _, p := range pkgs {
		for _, m := range p.Members {
			switch m := m.(type) {
			case *ssa.Function:
				visit(m)
			case *ssa.Type:
				if !openType(m.Type()) {
					methods(m.Type())
					methods(types.NewPointer(m.Type()))
				}
			}
		}
	}
	for _, t := range named {
		methods(t)
		methods(types.NewPointer(t))
	}
	for _, t := range prog.RuntimeTypes() {
		methods(t)
	}
}
