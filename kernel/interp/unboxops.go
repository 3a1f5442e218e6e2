package interp

import (
	"go/token"
	"reflect"
	"unsafe"

	"golang.org/x/tools/go/ssa"
)

// compile makes the step of an instruction that choose took.
func (u *unboxer) compile(i ssa.Instruction) step {
	e := u.e
	if v, ok := i.(ssa.Value); ok && numKindOf(v.Type()) != noNumber && u.boxType(v.Type()) == nil {
		return nil
	}
	switch i := i.(type) {
	case *ssa.Jump:
		f := u.goTo(i.Block(), i.Block().Succs[0])
		return func(fr *frame, _ unsafe.Pointer) { f(fr) }
	case *ssa.If:
		return u.branch(i)
	case *ssa.Phi:
		return u.phi(i)
	case *ssa.BinOp:
		return u.binary(i)
	case *ssa.UnOp:
		if i.Op == token.MUL {
			return u.load(i)
		}
		return unary(numKindOf(i.Type()), i.Op, u.place(i), u.place(i.X))
	case *ssa.Store:
		return u.store(i)
	case *ssa.Convert:
		return convert(numKindOf(i.X.Type()), numKindOf(i.Type()), u.place(i), u.place(i.X))
	case *ssa.ChangeType:
		z, x := u.place(i), u.place(i.X)
		return func(_ *frame, b unsafe.Pointer) { *at[uint64](b, z) = *at[uint64](b, x) }
	case *ssa.IndexAddr:
		return u.indexAddr(i)
	case *ssa.FieldAddr:
		off := u.memory(i.X.Type()).Field(i.Field).Offset
		base, z := u.address(i.X), u.place(i)
		return func(fr *frame, b unsafe.Pointer) {
			p := base(fr, b)
			if p == nil {
				e.fail(fr, i, nilDereference())
			}
			*at[uintptr](b, z) = uintptr(p) + off
		}
	case *ssa.Index:
		return u.indexString(i)
	case *ssa.Call:
		if f, ok := i.Call.Value.(*ssa.Function); ok && u.isCheck(f) {
			return u.check()
		}
		r, z := u.fn.reg(i.Call.Args[0]), u.place(i)
		return func(fr *frame, b unsafe.Pointer) { // the length is the second word of both
			*at[int](b, z) = (*[2]int)(open(&fr.stack[r]).p)[1]
		}
	}
	return nil
}

func (u *unboxer) branch(i *ssa.If) step {
	c, b := u.place(i.Cond), i.Block()
	pred := b.Index
	yes, no := b.Succs[0], b.Succs[1]
	yesAt, noAt := u.fn.Blocks[yes.Index], u.fn.Blocks[no.Index]
	return func(fr *frame, b unsafe.Pointer) {
		fr.pred = pred
		if *at[bool](b, c) {
			fr.block, fr.ipc = yes, yesAt
		} else {
			fr.block, fr.ipc = no, noAt
		}
	}
}

// phi takes the value that belongs to the block that was left.
func (u *unboxer) phi(i *ssa.Phi) step {
	z := u.place(i)
	var from []uintptr
	var preds []int
	for k, e := range i.Edges {
		from = append(from, u.place(e))
		preds = append(preds, i.Block().Preds[k].Index)
	}
	if len(preds) == 2 && preds[0] != preds[1] {
		p, x, y := preds[0], from[0], from[1]
		return func(fr *frame, b unsafe.Pointer) {
			if fr.pred == p {
				*at[uint64](b, z) = *at[uint64](b, x)
			} else {
				*at[uint64](b, z) = *at[uint64](b, y)
			}
		}
	}
	return func(fr *frame, b unsafe.Pointer) {
		for k, p := range preds {
			if fr.pred == p {
				*at[uint64](b, z) = *at[uint64](b, from[k])
				return
			}
		}
	}
}

// address reads a pointer.
func (u *unboxer) address(v ssa.Value) func(fr *frame, b unsafe.Pointer) unsafe.Pointer {
	if u.addrs[v] {
		p := u.place(v)
		// The garbage collector does not see the bank. What the pointer goes
		// into is alive by the register it was computed from, which does not
		// change before its neighbours are done.
		return func(_ *frame, b unsafe.Pointer) unsafe.Pointer { return *at[unsafe.Pointer](b, p) }
	}
	r := u.fn.reg(v)
	return func(fr *frame, _ unsafe.Pointer) unsafe.Pointer { return open(&fr.stack[r]).p }
}

func (u *unboxer) load(i *ssa.UnOp) step {
	e := u.e
	if u.rows[i] {
		base, r, t := u.address(i.X), u.fn.reg(i), u.boxType(i.Type())
		if t == nil {
			return nil
		}
		d := descriptor(t)
		return func(fr *frame, b unsafe.Pointer) {
			p := base(fr, b)
			if p == nil {
				e.fail(fr, i, nilDereference())
			}
			w := open(&fr.stack[r])
			if w.p == nil {
				*w = word{d, unsafe.Pointer(new([]struct{}))}
			}
			*(*[]struct{})(w.p) = *(*[]struct{})(p)
		}
	}
	z, size := u.place(i), numKindOf(i.Type()).size()
	if u.addrs[i.X] { // not nil
		a := u.place(i.X)
		if size == 8 {
			return func(_ *frame, b unsafe.Pointer) { *at[uint64](b, z) = **at[*uint64](b, a) }
		}
		return func(_ *frame, b unsafe.Pointer) { unboxed(size, *at[unsafe.Pointer](b, a), unsafe.Add(b, z)) }
	}
	r := u.fn.reg(i.X)
	return func(fr *frame, b unsafe.Pointer) {
		p := open(&fr.stack[r]).p
		if p == nil {
			e.fail(fr, i, nilDereference())
		}
		unboxed(size, p, unsafe.Add(b, z))
	}
}

func (u *unboxer) store(i *ssa.Store) step {
	e := u.e
	v, size := u.place(i.Val), numKindOf(i.Val.Type()).size()
	if u.addrs[i.Addr] { // not nil
		a := u.place(i.Addr)
		if size == 8 {
			return func(_ *frame, b unsafe.Pointer) { **at[*uint64](b, a) = *at[uint64](b, v) }
		}
		return func(_ *frame, b unsafe.Pointer) { unboxed(size, unsafe.Add(b, v), *at[unsafe.Pointer](b, a)) }
	}
	r := u.fn.reg(i.Addr)
	return func(fr *frame, b unsafe.Pointer) {
		p := open(&fr.stack[r]).p
		if p == nil {
			e.fail(fr, i, nilDereference())
		}
		unboxed(size, unsafe.Add(b, v), p)
	}
}

// indexOf reads an index: its value, and as what it is compared with a length.
func (u *unboxer) indexOf(v ssa.Value) (read func(b unsafe.Pointer) (int64, uint64), isUnsigned bool) {
	p, k := u.place(v), numKindOf(v.Type())
	switch k {
	case i8:
		return readIndex[int8](p), false
	case i16:
		return readIndex[int16](p), false
	case i32:
		return readIndex[int32](p), false
	case u8:
		return readIndex[uint8](p), true
	case u16:
		return readIndex[uint16](p), true
	case u32:
		return readIndex[uint32](p), true
	}
	return readIndex[int64](p), k == u64
}

func readIndex[T integer](p uintptr) func(b unsafe.Pointer) (int64, uint64) {
	return func(b unsafe.Pointer) (int64, uint64) { x := int64(*at[T](b, p)); return x, uint64(x) }
}

func (u *unboxer) indexAddr(i *ssa.IndexAddr) step {
	e := u.e
	z := u.place(i)
	m := u.memory(i.X.Type())
	size := m.Elem().Size()
	if m.Kind() == reflect.Array {
		n, base := uint64(m.Len()), u.address(i.X)
		read, isUnsigned := u.indexOf(i.Index)
		return func(fr *frame, b unsafe.Pointer) {
			p := base(fr, b)
			if p == nil {
				e.fail(fr, i, nilDereference())
			}
			x, ux := read(b)
			if ux >= n {
				e.fail(fr, i, outOfRange(x, int(n), isUnsigned, boundsIndex))
			}
			*at[uintptr](b, z) = uintptr(p) + uintptr(x)*size
		}
	}
	r := u.fn.reg(i.X)
	if k := numKindOf(i.Index.Type()); k == i64 {
		at1 := u.place(i.Index)
		return func(fr *frame, b unsafe.Pointer) {
			s := *(*[]struct{})(open(&fr.stack[r]).p)
			x := *at[int64](b, at1)
			if uint64(x) >= uint64(len(s)) {
				e.fail(fr, i, outOfRange(x, len(s), false, boundsIndex))
			}
			*at[uintptr](b, z) = uintptr(unsafe.Pointer(unsafe.SliceData(s))) + uintptr(x)*size
		}
	}
	read, isUnsigned := u.indexOf(i.Index)
	return func(fr *frame, b unsafe.Pointer) {
		s := *(*[]struct{})(open(&fr.stack[r]).p)
		x, ux := read(b)
		if ux >= uint64(len(s)) {
			e.fail(fr, i, outOfRange(x, len(s), isUnsigned, boundsIndex))
		}
		*at[uintptr](b, z) = uintptr(unsafe.Pointer(unsafe.SliceData(s))) + uintptr(x)*size
	}
}

func (u *unboxer) indexString(i *ssa.Index) step {
	e := u.e
	z := u.place(i)
	r := u.fn.reg(i.X)
	read, isUnsigned := u.indexOf(i.Index)
	return func(fr *frame, b unsafe.Pointer) {
		s := *(*string)(open(&fr.stack[r]).p)
		x, ux := read(b)
		if ux >= uint64(len(s)) {
			e.fail(fr, i, outOfRange(x, len(s), isUnsigned, boundsIndex))
		}
		*at[uint8](b, z) = s[x]
	}
}
