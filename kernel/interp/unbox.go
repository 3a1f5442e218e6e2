package interp

import (
	"go/constant"
	"go/token"
	"go/types"
	"reflect"
	"sync/atomic"
	"unsafe"

	"golang.org/x/tools/go/ssa"
)

// A register of ixgo is an interface: each number that a loop computes is
// allocated, each step of the loop is a call through the interpreter's own
// loop. In functions with loops, the numbers and booleans live here in a bank
// of memory beside the registers instead, and neighbouring instructions that
// work on the bank alone are run as one (unboxops.go holds their code).
//
// Every value of such a type that an instruction here reads is in the bank:
// constants since the bank was made, parameters since the function was
// entered, and what other instructions compute since they did. The other way
// round, a value that is computed here is put into its register only for
// instructions that look there; before each of them, or, when they are in a loop
// that the value is not in, once when it is computed.
//
// Functions with deferred calls are left alone: after a panic ixgo runs their
// ends in its own way.

// step is an instruction that works on the bank.
type step func(fr *frame, b unsafe.Pointer)

// unboxer rewrites one function.
type unboxer struct {
	e     *engine
	fn    *function
	at    map[ssa.Value]uintptr // places in the bank
	bank  []uint64              // what a new one holds
	uses  map[ssa.Value][]ssa.Instruction
	steps map[ssa.Instruction]step
	run   map[ssa.Instruction]int // which neighbourhood an instruction is in
	depth map[*ssa.BasicBlock]int
	addrs map[ssa.Value]bool // addresses that are in the bank
	rows  map[ssa.Value]bool // slices whose register is changed in place
	bad   bool
}

// unbox rewrites fn if it has loops.
func (e *engine) unbox(fn *function) {
	if fn.Recover != nil || len(fn.Fn.Blocks) == 0 || len(fn.Blocks) != len(fn.Fn.Blocks) {
		return
	}
	u := &unboxer{e: e, fn: fn,
		at: map[ssa.Value]uintptr{}, uses: map[ssa.Value][]ssa.Instruction{}, steps: map[ssa.Instruction]step{},
		run: map[ssa.Instruction]int{}, addrs: map[ssa.Value]bool{}, rows: map[ssa.Value]bool{}}
	if u.depth = loopDepths(fn.Fn); u.depth == nil {
		return
	}
	var buf [32]*ssa.Value
	for _, i := range fn.ssaInstrs {
		if c, ok := i.(*ssa.Call); ok {
			if b, ok := c.Call.Value.(*ssa.Builtin); ok && (b.Name() == "Sizeof" || b.Name() == "Alignof" || b.Name() == "Offsetof") {
				return // their arguments are not evaluated
			}
		}
		for _, op := range i.Operands(buf[:0]) {
			if op != nil && *op != nil {
				u.uses[*op] = append(u.uses[*op], i)
			}
		}
	}
	u.choose()
	for _, i := range fn.ssaInstrs {
		if _, ok := u.run[i]; ok {
			s := u.compile(i)
			if s == nil {
				u.bad = true
			}
			u.steps[i] = s
		}
	}
	if u.bad || len(u.bank) == 0 {
		return
	}
	u.install()
}

// loopDepths is how many loops each block is in, nil if there are none.
func loopDepths(fn *ssa.Function) map[*ssa.BasicBlock]int {
	loops := map[*ssa.BasicBlock]map[*ssa.BasicBlock]bool{}
	for _, b := range fn.Blocks {
		for _, h := range b.Succs {
			if !h.Dominates(b) {
				continue
			}
			in := loops[h]
			if in == nil {
				in = map[*ssa.BasicBlock]bool{h: true}
				loops[h] = in
			}
			todo := []*ssa.BasicBlock{b}
			for len(todo) > 0 {
				b := todo[len(todo)-1]
				todo = todo[:len(todo)-1]
				if !in[b] {
					in[b] = true
					todo = append(todo, b.Preds...)
				}
			}
		}
	}
	if len(loops) == 0 {
		return nil
	}
	depth := map[*ssa.BasicBlock]int{}
	for _, in := range loops {
		for b := range in {
			depth[b]++
		}
	}
	return depth
}

// choose decides which instructions work on the bank, and numbers their
// neighbourhoods. What only takes an address or loads a slice does so if all
// that use it do.
func (u *unboxer) choose() {
	no := map[ssa.Instruction]bool{}
	for again := true; again; {
		again = false
		clear(u.run)
		n := 0
		for k, i := range u.fn.ssaInstrs {
			if k == 0 || i.Block() != u.fn.ssaInstrs[k-1].Block() {
				n++
			}
			if no[i] || !u.able(i) {
				n++
				continue
			}
			u.run[i] = n
		}
		for i, n := range u.run {
			v, ok := i.(ssa.Value)
			if !ok || !isAddress(i) && !isRow(i) {
				continue
			}
			for _, user := range u.uses[v] {
				at, ok := u.run[user]
				if !ok || isAddress(i) && (at != n || !readsAddress(user, v)) || isRow(i) && !readsRow(user, v) {
					no[i], again = true, true
				}
			}
		}
	}
	for i := range u.run {
		if isAddress(i) {
			u.addrs[i.(ssa.Value)] = true
		}
		if isRow(i) {
			u.rows[i.(ssa.Value)] = true
		}
	}
}

func isAddress(i ssa.Instruction) bool {
	switch i.(type) {
	case *ssa.IndexAddr, *ssa.FieldAddr:
		return true
	}
	return false
}

// isRow reports whether i loads a slice.
func isRow(i ssa.Instruction) bool {
	l, ok := i.(*ssa.UnOp)
	if !ok || l.Op != token.MUL {
		return false
	}
	_, ok = l.Type().Underlying().(*types.Slice)
	return ok
}

// readsAddress reports whether user only loads from, stores to or goes on from v.
func readsAddress(user ssa.Instruction, v ssa.Value) bool {
	switch i := user.(type) {
	case *ssa.UnOp, *ssa.FieldAddr:
		return true
	case *ssa.IndexAddr:
		return i.X == v
	case *ssa.Store:
		return i.Addr == v && i.Val != v
	}
	return false
}

func readsRow(user ssa.Instruction, v ssa.Value) bool {
	switch i := user.(type) {
	case *ssa.IndexAddr:
		return i.X == v
	case *ssa.Call:
		return true // len
	}
	return false
}

// pointee is the type that a pointer of type t points at, nil if t is not a pointer.
func pointeeType(t types.Type) types.Type {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		return p.Elem()
	}
	return nil
}

// able reports whether there is a step for i.
func (u *unboxer) able(i ssa.Instruction) bool {
	switch i := i.(type) {
	case *ssa.Jump, *ssa.If:
		return true
	case *ssa.Phi:
		return numKindOf(i.Type()) != noNumber
	case *ssa.BinOp:
		k := numKindOf(i.X.Type())
		if k == noNumber || numKindOf(i.Type()) == noNumber || u.boxType(i.Type()) == nil {
			return false
		}
		switch i.Op {
		case token.SHL, token.SHR:
			c, fixed := i.Y.(*ssa.Const)
			ky := numKindOf(i.Y.Type())
			return k.integer() && (ky.unsigned() || fixed && ky.integer() && constant.Sign(c.Value) >= 0)
		}
		return numKindOf(i.Y.Type()) == k
	case *ssa.UnOp:
		switch i.Op {
		case token.MUL:
			return pointeeType(i.X.Type()) != nil && (numKindOf(i.Type()) != noNumber && u.boxType(i.Type()) != nil || isRow(i))
		case token.SUB, token.XOR, token.NOT:
			return numKindOf(i.Type()) != noNumber && u.boxType(i.Type()) != nil
		}
	case *ssa.Store:
		return pointeeType(i.Addr.Type()) != nil && numKindOf(i.Val.Type()) != noNumber && numKindOf(pointeeType(i.Addr.Type())) == numKindOf(i.Val.Type())
	case *ssa.Convert:
		a, b := numKindOf(i.X.Type()), numKindOf(i.Type())
		return a != noNumber && b != noNumber && a != boolean && b != boolean && u.boxType(i.Type()) != nil
	case *ssa.ChangeType:
		k := numKindOf(i.Type())
		return k != noNumber && numKindOf(i.X.Type()) == k && u.boxType(i.Type()) != nil
	case *ssa.IndexAddr:
		m := u.memory(i.X.Type())
		return numKindOf(i.Index.Type()).integer() && m != nil && (m.Kind() == reflect.Slice || m.Kind() == reflect.Array)
	case *ssa.FieldAddr:
		m := u.memory(i.X.Type())
		return m != nil && m.Kind() == reflect.Struct
	case *ssa.Index:
		b, ok := i.X.Type().Underlying().(*types.Basic)
		return ok && b.Info()&types.IsString != 0 && numKindOf(i.Index.Type()).integer() && u.boxType(i.Type()) != nil
	case *ssa.Call:
		switch f := i.Call.Value.(type) {
		case *ssa.Builtin:
			if f.Name() != "len" {
				return false
			}
			switch t := i.Call.Args[0].Type().Underlying().(type) {
			case *types.Slice:
				return true
			case *types.Basic:
				return t.Kind() == types.String
			}
		case *ssa.Function:
			return !i.Call.IsInvoke() && u.isCheck(f)
		}
	}
	return false
}

func (u *unboxer) isCheck(f *ssa.Function) bool {
	return f.Blocks == nil && f.Pkg != nil && f.Pkg.Pkg.Path() == runtimePkg && f.Name() == "Check"
}

var basicTypes = map[types.BasicKind]reflect.Type{
	types.Bool: reflect.TypeFor[bool](), types.UntypedBool: reflect.TypeFor[bool](),
	types.Int: reflect.TypeFor[int](), types.Int8: reflect.TypeFor[int8](), types.Int16: reflect.TypeFor[int16](),
	types.Int32: reflect.TypeFor[int32](), types.Int64: reflect.TypeFor[int64](),
	types.Uint: reflect.TypeFor[uint](), types.Uint8: reflect.TypeFor[uint8](), types.Uint16: reflect.TypeFor[uint16](),
	types.Uint32: reflect.TypeFor[uint32](), types.Uint64: reflect.TypeFor[uint64](), types.Uintptr: reflect.TypeFor[uintptr](),
	types.Float32: reflect.TypeFor[float32](), types.Float64: reflect.TypeFor[float64](),
}

// boxType is the type of values of type t in registers, nil if not known.
func (u *unboxer) boxType(t types.Type) reflect.Type {
	t = types.Unalias(t)
	if b, ok := t.(*types.Basic); ok {
		return basicTypes[b.Kind()]
	}
	return u.e.typeOf(t)
}

// memory is what a value of type t leads to, the slice, or the array or struct
// that a pointer points at, as it is in registers; nil if not known.
func (u *unboxer) memory(t types.Type) reflect.Type {
	if p := pointeeType(t); p != nil {
		t = p
	}
	return u.boxType(t)
}

// place is where v is in the bank. A constant is put there for good.
func (u *unboxer) place(v ssa.Value) uintptr {
	if p, ok := u.at[v]; ok {
		return p
	}
	p := uintptr(len(u.bank)) * 8
	u.at[v] = p
	u.bank = append(u.bank, 0)
	if _, ok := v.(*ssa.Const); ok {
		w := open(&u.fn.stack[u.fn.reg(v)])
		k := numKindOf(v.Type())
		if w.p == nil || w.t == nil || w.t.size != k.size() {
			u.bad = true
			return p
		}
		unboxed(k.size(), w.p, unsafe.Pointer(&u.bank[len(u.bank)-1]))
	}
	return p
}

// fromRegister is the step that copies a number from its register to the bank.
func (u *unboxer) fromRegister(v ssa.Value) step {
	r, p, size := u.fn.reg(v), u.at[v], numKindOf(v.Type()).size()
	return func(fr *frame, b unsafe.Pointer) { unboxed(size, open(&fr.stack[r]).p, unsafe.Add(b, p)) }
}

// toRegister is the step that copies a number from the bank to its register.
func (u *unboxer) toRegister(v ssa.Value) step {
	r, p, t := u.fn.reg(v), u.at[v], descriptor(u.boxType(v.Type()))
	switch numKindOf(v.Type()).size() {
	case 1:
		return func(fr *frame, b unsafe.Pointer) {
			var x any = *(*uint8)(unsafe.Add(b, p))
			*open(&fr.stack[r]) = word{t, open(&x).p}
		}
	case 2:
		return func(fr *frame, b unsafe.Pointer) {
			var x any = *(*uint16)(unsafe.Add(b, p))
			*open(&fr.stack[r]) = word{t, open(&x).p}
		}
	case 4:
		return func(fr *frame, b unsafe.Pointer) {
			var x any = *(*uint32)(unsafe.Add(b, p))
			*open(&fr.stack[r]) = word{t, open(&x).p}
		}
	}
	return func(fr *frame, b unsafe.Pointer) {
		var x any = *(*uint64)(unsafe.Add(b, p))
		*open(&fr.stack[r]) = word{t, open(&x).p}
	}
}

// bankOf is the bank of a frame of fn, made if it has none yet.
func bankOf(fr *frame, slot int, fresh []uint64) unsafe.Pointer {
	w := open(&fr.stack[slot])
	if w.p == nil {
		b := append(make([]uint64, 0, len(fresh)), fresh...)
		fr.stack[slot] = &b[0]
	}
	return w.p
}

// install puts the steps in the place of ixgo's instructions.
func (u *unboxer) install() {
	fn, fresh := u.fn, u.bank
	slot := len(fn.stack) - 2 // see addSlots
	before, after := map[ssa.Instruction][]step{}, map[ssa.Instruction][]step{}
	var entry []step
	for v := range u.at {
		if u.addrs[v] {
			continue
		}
		def, ok := v.(ssa.Instruction)
		_, here := u.run[def]
		switch {
		case !ok:
			if _, fixed := v.(*ssa.Const); !fixed {
				entry = append(entry, u.fromRegister(v))
			}
			continue
		case !here:
			after[def] = append(after[def], u.fromRegister(v))
			continue
		}
		var outside []ssa.Instruction
		atOnce := false
		for _, i := range u.uses[v] {
			if _, here := u.run[i]; !here {
				outside = append(outside, i)
				atOnce = atOnce || u.depth[i.Block()] > u.depth[def.Block()]
			}
		}
		switch {
		case atOnce:
			after[def] = append(after[def], u.toRegister(v))
		default:
			seen := map[ssa.Instruction]bool{}
			for _, i := range outside {
				if !seen[i] {
					seen[i] = true
					before[i] = append(before[i], u.toRegister(v))
				}
			}
		}
	}
	instrs := fn.Instrs
	for k := 0; k < len(fn.ssaInstrs); k++ {
		i := fn.ssaInstrs[k]
		n, here := u.run[i]
		if !here {
			if pre, post := before[i], after[i]; len(pre)+len(post) > 0 {
				old := instrs[k]
				instrs[k] = func(fr *frame) {
					b := bankOf(fr, slot, fresh)
					for _, s := range pre {
						s(fr, b)
					}
					old(fr)
					for _, s := range post {
						s(fr, b)
					}
				}
			}
			continue
		}
		var list []step
		end := k
		for ; end < len(fn.ssaInstrs) && u.run[fn.ssaInstrs[end]] == n; end++ {
			list = append(list, u.steps[fn.ssaInstrs[end]])
			list = append(list, after[fn.ssaInstrs[end]]...)
		}
		skipped := end - k - 1
		instrs[k] = func(fr *frame) {
			b := bankOf(fr, slot, fresh)
			fr.ipc += skipped
			for _, s := range list {
				s(fr, b)
			}
		}
		k = end - 1
	}
	if len(entry) > 0 {
		old := instrs[0]
		instrs[0] = func(fr *frame) {
			b := bankOf(fr, slot, fresh)
			for _, s := range entry {
				s(fr, b)
			}
			old(fr)
		}
	}
}

// goTo makes the frame go on with the block to, coming from the block from.
func (u *unboxer) goTo(from, to *ssa.BasicBlock) func(fr *frame) {
	pred, ipc := from.Index, u.fn.Blocks[to.Index]
	return func(fr *frame) { fr.pred, fr.block, fr.ipc = pred, to, ipc }
}

func (u *unboxer) check() step {
	s := u.e.s
	return func(*frame, unsafe.Pointer) {
		if atomic.LoadInt32(&s.stop) != 0 {
			s.halt()
		}
	}
}
