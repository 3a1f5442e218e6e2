package interp

import (
	"go/constant"
	"go/token"
	"go/types"
	"unsafe"

	"golang.org/x/tools/go/ssa"
)

// numKind is how a number or boolean is stored. Equal kinds are computed with alike.
type numKind uint8

const (
	noNumber numKind = iota
	i8
	i16
	i32
	i64
	u8
	u16
	u32
	u64
	f32
	f64
	boolean
)

func (k numKind) size() uintptr {
	switch k {
	case i8, u8, boolean:
		return 1
	case i16, u16:
		return 2
	case i32, u32, f32:
		return 4
	}
	return 8
}

func (k numKind) unsigned() bool { return k >= u8 && k <= u64 }
func (k numKind) integer() bool  { return k >= i8 && k <= u64 }

// numKindOf is the kind of the values of t, noNumber if they do not go to the bank.
func numKindOf(t types.Type) numKind {
	basic, ok := t.Underlying().(*types.Basic)
	if !ok {
		return noNumber
	}
	switch basic.Kind() {
	case types.Bool, types.UntypedBool:
		return boolean
	case types.Float32:
		return f32
	case types.Float64:
		return f64
	case types.Int, types.Int8, types.Int16, types.Int32, types.Int64:
		return map[int64]numKind{1: i8, 2: i16, 4: i32, 8: i64}[sizes.Sizeof(basic)]
	case types.Uint, types.Uint8, types.Uint16, types.Uint32, types.Uint64, types.Uintptr:
		return map[int64]numKind{1: u8, 2: u16, 4: u32, 8: u64}[sizes.Sizeof(basic)]
	}
	return noNumber
}

type (
	signed   interface{ int8 | int16 | int32 | int64 }
	unsigned interface {
		uint8 | uint16 | uint32 | uint64
	}
	integer interface{ signed | unsigned }
	float   interface{ float32 | float64 }
	number  interface{ integer | float }
)

// at is what stands at place p of the bank.
func at[T any](b unsafe.Pointer, p uintptr) *T { return (*T)(unsafe.Add(b, p)) }

// unboxed copies a number.
func unboxed(size uintptr, from, to unsafe.Pointer) {
	switch size {
	case 1:
		*(*uint8)(to) = *(*uint8)(from)
	case 2:
		*(*uint16)(to) = *(*uint16)(from)
	case 4:
		*(*uint32)(to) = *(*uint32)(from)
	default:
		*(*uint64)(to) = *(*uint64)(from)
	}
}

func (u *unboxer) binary(i *ssa.BinOp) step {
	z, x, y := u.place(i), u.place(i.X), u.place(i.Y)
	k := numKindOf(i.X.Type())
	switch i.Op {
	case token.SHL, token.SHR:
		return u.shift(i, k, z, x)
	case token.QUO, token.REM:
		if k.integer() {
			if c, ok := i.Y.(*ssa.Const); !ok || constant.Sign(c.Value) == 0 {
				return u.divide(i, k, z, x, y)
			}
			return division(k, i.Op, z, x, y)
		}
	case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
		return comparison(k, i.Op, z, x, y)
	case token.AND, token.OR, token.XOR, token.AND_NOT:
		switch k.size() { // the sign does not matter
		case 1:
			return bits[uint8](i.Op, z, x, y)
		case 2:
			return bits[uint16](i.Op, z, x, y)
		case 4:
			return bits[uint32](i.Op, z, x, y)
		}
		return bits[uint64](i.Op, z, x, y)
	}
	switch k {
	case f32:
		return floats[float32](i.Op, z, x, y)
	case f64:
		return floats[float64](i.Op, z, x, y)
	}
	switch k.size() { // nor here
	case 1:
		return sums[uint8](i.Op, z, x, y)
	case 2:
		return sums[uint16](i.Op, z, x, y)
	case 4:
		return sums[uint32](i.Op, z, x, y)
	}
	return sums[uint64](i.Op, z, x, y)
}

func sums[T number](op token.Token, z, x, y uintptr) step {
	switch op {
	case token.ADD:
		return func(_ *frame, b unsafe.Pointer) { *at[T](b, z) = *at[T](b, x) + *at[T](b, y) }
	case token.SUB:
		return func(_ *frame, b unsafe.Pointer) { *at[T](b, z) = *at[T](b, x) - *at[T](b, y) }
	case token.MUL:
		return func(_ *frame, b unsafe.Pointer) { *at[T](b, z) = *at[T](b, x) * *at[T](b, y) }
	}
	return nil
}

func floats[T float](op token.Token, z, x, y uintptr) step {
	if op == token.QUO {
		return func(_ *frame, b unsafe.Pointer) { *at[T](b, z) = *at[T](b, x) / *at[T](b, y) }
	}
	return sums[T](op, z, x, y)
}

func bits[T unsigned](op token.Token, z, x, y uintptr) step {
	switch op {
	case token.AND:
		return func(_ *frame, b unsafe.Pointer) { *at[T](b, z) = *at[T](b, x) & *at[T](b, y) }
	case token.OR:
		return func(_ *frame, b unsafe.Pointer) { *at[T](b, z) = *at[T](b, x) | *at[T](b, y) }
	case token.XOR:
		return func(_ *frame, b unsafe.Pointer) { *at[T](b, z) = *at[T](b, x) ^ *at[T](b, y) }
	}
	return func(_ *frame, b unsafe.Pointer) { *at[T](b, z) = *at[T](b, x) &^ *at[T](b, y) }
}

// divide is a division whose divisor may be zero.
func (u *unboxer) divide(i *ssa.BinOp, k numKind, z, x, y uintptr) step {
	e := u.e
	do := division(k, i.Op, z, x, y)
	size := k.size()
	return func(fr *frame, b unsafe.Pointer) {
		var d uint64
		unboxed(size, unsafe.Add(b, y), unsafe.Pointer(&d))
		if d == 0 {
			e.fail(fr, i, divideError())
		}
		do(fr, b)
	}
}

func divideError() (v any) {
	defer func() { v = recover() }()
	none := 0
	return 1 / none
}

func division(k numKind, op token.Token, z, x, y uintptr) step {
	switch k {
	case i8:
		return quotient[int8](op, z, x, y)
	case i16:
		return quotient[int16](op, z, x, y)
	case i32:
		return quotient[int32](op, z, x, y)
	case i64:
		return quotient[int64](op, z, x, y)
	case u8:
		return quotient[uint8](op, z, x, y)
	case u16:
		return quotient[uint16](op, z, x, y)
	case u32:
		return quotient[uint32](op, z, x, y)
	}
	return quotient[uint64](op, z, x, y)
}

func quotient[T integer](op token.Token, z, x, y uintptr) step {
	if op == token.QUO {
		return func(_ *frame, b unsafe.Pointer) { *at[T](b, z) = *at[T](b, x) / *at[T](b, y) }
	}
	return func(_ *frame, b unsafe.Pointer) { *at[T](b, z) = *at[T](b, x) % *at[T](b, y) }
}

func comparison(k numKind, op token.Token, z, x, y uintptr) step {
	switch k {
	case i8:
		return compare[int8](op, z, x, y)
	case i16:
		return compare[int16](op, z, x, y)
	case i32:
		return compare[int32](op, z, x, y)
	case i64:
		return compare[int64](op, z, x, y)
	case u8, boolean:
		return compare[uint8](op, z, x, y)
	case u16:
		return compare[uint16](op, z, x, y)
	case u32:
		return compare[uint32](op, z, x, y)
	case f32:
		return compare[float32](op, z, x, y)
	case f64:
		return compare[float64](op, z, x, y)
	}
	return compare[uint64](op, z, x, y)
}

func compare[T number](op token.Token, z, x, y uintptr) step {
	switch op {
	case token.EQL:
		return func(_ *frame, b unsafe.Pointer) { *at[bool](b, z) = *at[T](b, x) == *at[T](b, y) }
	case token.NEQ:
		return func(_ *frame, b unsafe.Pointer) { *at[bool](b, z) = *at[T](b, x) != *at[T](b, y) }
	case token.LSS:
		return func(_ *frame, b unsafe.Pointer) { *at[bool](b, z) = *at[T](b, x) < *at[T](b, y) }
	case token.LEQ:
		return func(_ *frame, b unsafe.Pointer) { *at[bool](b, z) = *at[T](b, x) <= *at[T](b, y) }
	case token.GTR:
		return func(_ *frame, b unsafe.Pointer) { *at[bool](b, z) = *at[T](b, x) > *at[T](b, y) }
	}
	return func(_ *frame, b unsafe.Pointer) { *at[bool](b, z) = *at[T](b, x) >= *at[T](b, y) }
}

// shift has a count that is not negative.
func (u *unboxer) shift(i *ssa.BinOp, k numKind, z, x uintptr) step {
	p, size := u.place(i.Y), numKindOf(i.Y.Type()).size()
	count := func(b unsafe.Pointer) uint64 { return *at[uint64](b, p) }
	switch size {
	case 1:
		count = func(b unsafe.Pointer) uint64 { return uint64(*at[uint8](b, p)) }
	case 2:
		count = func(b unsafe.Pointer) uint64 { return uint64(*at[uint16](b, p)) }
	case 4:
		count = func(b unsafe.Pointer) uint64 { return uint64(*at[uint32](b, p)) }
	}
	switch k {
	case i8:
		return shifted[int8](i.Op, z, x, count)
	case i16:
		return shifted[int16](i.Op, z, x, count)
	case i32:
		return shifted[int32](i.Op, z, x, count)
	case i64:
		return shifted[int64](i.Op, z, x, count)
	case u8:
		return shifted[uint8](i.Op, z, x, count)
	case u16:
		return shifted[uint16](i.Op, z, x, count)
	case u32:
		return shifted[uint32](i.Op, z, x, count)
	}
	return shifted[uint64](i.Op, z, x, count)
}

func shifted[T integer](op token.Token, z, x uintptr, count func(unsafe.Pointer) uint64) step {
	if op == token.SHL {
		return func(_ *frame, b unsafe.Pointer) { *at[T](b, z) = *at[T](b, x) << count(b) }
	}
	return func(_ *frame, b unsafe.Pointer) { *at[T](b, z) = *at[T](b, x) >> count(b) }
}

func unary(k numKind, op token.Token, z, x uintptr) step {
	if op == token.NOT {
		return func(_ *frame, b unsafe.Pointer) { *at[bool](b, z) = !*at[bool](b, x) }
	}
	switch {
	case k == f32:
		return func(_ *frame, b unsafe.Pointer) { *at[float32](b, z) = -*at[float32](b, x) }
	case k == f64:
		return func(_ *frame, b unsafe.Pointer) { *at[float64](b, z) = -*at[float64](b, x) }
	}
	switch k.size() { // the sign does not matter
	case 1:
		return negated[uint8](op, z, x)
	case 2:
		return negated[uint16](op, z, x)
	case 4:
		return negated[uint32](op, z, x)
	}
	return negated[uint64](op, z, x)
}

func negated[T unsigned](op token.Token, z, x uintptr) step {
	if op == token.SUB {
		return func(_ *frame, b unsafe.Pointer) { *at[T](b, z) = -*at[T](b, x) }
	}
	return func(_ *frame, b unsafe.Pointer) { *at[T](b, z) = ^*at[T](b, x) }
}

func convert(from, to numKind, z, x uintptr) step {
	switch from {
	case i8:
		return convertFrom[int8](to, z, x)
	case i16:
		return convertFrom[int16](to, z, x)
	case i32:
		return convertFrom[int32](to, z, x)
	case i64:
		return convertFrom[int64](to, z, x)
	case u8:
		return convertFrom[uint8](to, z, x)
	case u16:
		return convertFrom[uint16](to, z, x)
	case u32:
		return convertFrom[uint32](to, z, x)
	case u64:
		return convertFrom[uint64](to, z, x)
	case f32:
		return convertFrom[float32](to, z, x)
	}
	return convertFrom[float64](to, z, x)
}

func convertFrom[F number](to numKind, z, x uintptr) step {
	switch to {
	case i8:
		return func(_ *frame, b unsafe.Pointer) { *at[int8](b, z) = int8(*at[F](b, x)) }
	case i16:
		return func(_ *frame, b unsafe.Pointer) { *at[int16](b, z) = int16(*at[F](b, x)) }
	case i32:
		return func(_ *frame, b unsafe.Pointer) { *at[int32](b, z) = int32(*at[F](b, x)) }
	case i64:
		return func(_ *frame, b unsafe.Pointer) { *at[int64](b, z) = int64(*at[F](b, x)) }
	case u8:
		return func(_ *frame, b unsafe.Pointer) { *at[uint8](b, z) = uint8(*at[F](b, x)) }
	case u16:
		return func(_ *frame, b unsafe.Pointer) { *at[uint16](b, z) = uint16(*at[F](b, x)) }
	case u32:
		return func(_ *frame, b unsafe.Pointer) { *at[uint32](b, z) = uint32(*at[F](b, x)) }
	case u64:
		return func(_ *frame, b unsafe.Pointer) { *at[uint64](b, z) = uint64(*at[F](b, x)) }
	case f32:
		return func(_ *frame, b unsafe.Pointer) { *at[float32](b, z) = float32(*at[F](b, x)) }
	}
	return func(_ *frame, b unsafe.Pointer) { *at[float64](b, z) = float64(*at[F](b, x)) }
}
