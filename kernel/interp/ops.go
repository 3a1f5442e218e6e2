package interp

import (
	"go/constant"
	"go/types"
	"math"
	"reflect"
	"runtime"
	"strings"
	"unsafe"

	"github.com/goplus/ixgo"
	"golang.org/x/tools/go/ssa"
)

// element is v as a map key or an element: the registers hold interfaces as
// the values in them, so that a nil interface has lost its type.
func element(v any, t reflect.Type) reflect.Value {
	if v == nil {
		return reflect.Zero(t)
	}
	return reflect.ValueOf(v)
}

func (e *engine) mapUpdate(fn *function, i *ssa.MapUpdate) func(*frame) {
	m, k, v := fn.reg(i.Map), fn.reg(i.Key), fn.reg(i.Value)
	update := func(fr *frame) {
		x := reflect.ValueOf(fr.stack[m])
		t := x.Type()
		x.SetMapIndex(element(fr.stack[k], t.Key()), element(fr.stack[v], t.Elem()))
	}
	if _, ok := i.Map.Type().Underlying().(*types.Map).Key().Underlying().(*types.Basic); !ok {
		return e.writeMap(i, m, e.guarded(i, update))
	}
	return e.writeMap(i, m, func(fr *frame) {
		if mapOf(fr, m) == 0 {
			e.compiled(fr, i, update) // panics
		}
		update(fr)
	})
}

func (e *engine) lookup(fn *function, i *ssa.Lookup, old func(*frame)) func(*frame) {
	m, k := fn.reg(i.X), fn.reg(i.Index)
	t, ok := i.X.Type().Underlying().(*types.Map)
	if !ok {
		return func(fr *frame) {
			n := reflect.ValueOf(fr.stack[m]).Len()
			if x, u, ok := index(fr.stack[k], n); !ok {
				e.fail(fr, i, outOfRange(x, n, u, boundsIndex))
			}
			old(fr)
		}
	}
	if !types.IsInterface(t.Key()) {
		return e.readMap(i, m, e.guardedKey(i, t.Key(), old))
	}
	return e.readMap(i, m, func(fr *frame) {
		if fr.stack[k] != nil {
			e.compiled(fr, i, old)
			return
		}
		x := reflect.ValueOf(fr.stack[m])
		v := x.MapIndex(reflect.Zero(x.Type().Key()))
		ok := v.IsValid()
		if !ok {
			v = reflect.Zero(x.Type().Elem())
		}
		r := fn.reg(i)
		if i.CommaOk {
			setTuple(fr, r, v.Interface(), ok)
			return
		}
		fr.stack[r] = v.Interface()
	})
}

// guardedKey guards a lookup whose key may turn out to have no hash.
func (e *engine) guardedKey(i *ssa.Lookup, key types.Type, old func(*frame)) func(*frame) {
	if _, ok := key.Underlying().(*types.Basic); ok {
		return old
	}
	return e.guarded(i, old)
}

// setTuple makes a register the results of an instruction that has several.
func setTuple(fr *frame, r int, vals ...any) { fr.stack[r] = ixgo.Tuple(vals) }

// index is the value of an index register, whether it is unsigned, and whether
// 0 <= index < n.
func index(v any, n int) (x int64, unsigned, ok bool) {
	if i, ok := v.(int); ok {
		return int64(i), false, uint(i) < uint(n)
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		u := r.Uint()
		return int64(u), true, u < uint64(n)
	default:
		return r.Int(), false, r.Int() >= 0 && r.Int() < int64(n)
	}
}

func (e *engine) index(fn *function, i *ssa.Index, old func(*frame)) func(*frame) {
	rx, ri := fn.reg(i.X), fn.reg(i.Index)
	return func(fr *frame) {
		n := reflect.ValueOf(fr.stack[rx]).Len()
		if x, u, ok := index(fr.stack[ri], n); !ok {
			e.fail(fr, i, outOfRange(x, n, u, boundsIndex))
		}
		old(fr)
	}
}

// slice checks the bounds of x[lo:hi:max] in the runtime's order.
func (e *engine) slice(fn *function, i *ssa.Slice, old func(*frame)) func(*frame) {
	if a, ok := i.X.(*ssa.Alloc); ok && i.Low == nil && a.Comment == "makeslice" {
		return e.sliceOfMake(fn, i, old)
	}
	rx := fn.reg(i.X)
	opt := func(v ssa.Value) int {
		if v == nil {
			return -1
		}
		return fn.reg(v)
	}
	rl, rh, rm := opt(i.Low), opt(i.High), opt(i.Max)
	return func(fr *frame) {
		v := reflect.ValueOf(fr.stack[rx])
		n, code := 0, boundsSliceLen
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() {
				e.fail(fr, i, nilDereference())
			}
			n = v.Type().Elem().Len()
		case reflect.Slice:
			n, code = v.Cap(), boundsSliceCap
		default:
			n = v.Len()
		}
		lowCode := boundsSliceB
		check := func(r, limit int, code uint8) int {
			x, u, ok := index(fr.stack[r], limit+1)
			if !ok {
				e.fail(fr, i, outOfRange(x, limit, u, code))
			}
			return int(x)
		}
		high := n
		if v.Kind() == reflect.Slice {
			high = v.Len()
		}
		if rm >= 0 {
			high = check(rm, n, code+boundsSlice3)
			code, n, lowCode = boundsSlice3B, high, boundsSlice3C
		}
		if rh >= 0 {
			high = check(rh, n, code)
		}
		if rl >= 0 {
			check(rl, high, lowCode)
		}
		old(fr)
	}
}

// sliceOfMake is make([]T, n) of a constant capacity, compiled to an array.
func (e *engine) sliceOfMake(fn *function, i *ssa.Slice, old func(*frame)) func(*frame) {
	if i.High == nil {
		return nil
	}
	rx, rh := fn.reg(i.X), fn.reg(i.High)
	return func(fr *frame) {
		n := reflect.TypeOf(fr.stack[rx]).Elem().Len()
		if x, _, ok := index(fr.stack[rh], n+1); !ok {
			e.fail(fr, i, makeError(x, int64(n)))
		}
		old(fr)
	}
}

func (e *engine) sliceToArray(fn *function, i *ssa.SliceToArrayPointer, old func(*frame)) func(*frame) {
	rx := fn.reg(i.X)
	want := int(i.Type().Underlying().(*types.Pointer).Elem().Underlying().(*types.Array).Len())
	return func(fr *frame) {
		if n := reflect.ValueOf(fr.stack[rx]).Len(); n < want {
			e.fail(fr, i, outOfRange(int64(want), n, false, boundsConvert))
		}
		old(fr)
	}
}

func (e *engine) makeSlice(fn *function, i *ssa.MakeSlice, old func(*frame)) func(*frame) {
	rl, rc := fn.reg(i.Len), fn.reg(i.Cap)
	size := sizes.Sizeof(i.Type().Underlying().(*types.Slice).Elem())
	limit := math.MaxInt64 >> 15
	if size > 0 {
		limit /= int(size)
	}
	return func(fr *frame) {
		n, _, ok := index(fr.stack[rl], limit)
		if !ok {
			e.fail(fr, i, makeError(-1, -1))
		}
		if c, _, ok := index(fr.stack[rc], limit); !ok || c < n {
			e.fail(fr, i, makeError(n, c))
		} else {
			e.needRoom(fr, i, c, size)
		}
		old(fr)
	}
}

// makeError is what make([]T, n, c) panics with.
func makeError(n, c int64) (v any) {
	defer func() { v = recover() }()
	if n >= 0 && c >= n {
		n, c = 1, 0
	}
	return make([]struct{}, n, c)
}

func (e *engine) makeChan(fn *function, i *ssa.MakeChan, old func(*frame)) func(*frame) {
	r, size := fn.reg(i.Size), sizes.Sizeof(i.Type().Underlying().(*types.Chan).Elem())
	return func(fr *frame) {
		n, _, ok := index(fr.stack[r], math.MaxInt64>>15)
		if !ok {
			e.fail(fr, i, chanError())
		}
		e.needRoom(fr, i, n, size)
		old(fr)
	}
}

func chanError() (v any) {
	defer func() { v = recover() }()
	n := -1
	return make(chan struct{}, n)
}

// The codes of the runtime's bounds errors (internal/abi.BoundsErrorCode).
const (
	boundsIndex    uint8 = 0
	boundsSliceLen uint8 = 1
	boundsSliceCap uint8 = 2
	boundsSliceB   uint8 = 3
	boundsSlice3   uint8 = 3 // to be added to the two above
	boundsSlice3B  uint8 = 6
	boundsSlice3C  uint8 = 7
	boundsConvert  uint8 = 8
)

// boundsError is runtime.boundsError.
type boundsError struct {
	x      int64
	y      int
	signed bool
	code   uint8
}

// outOfRange is what the runtime panics with when x is out of a range that
// ends at y.
func outOfRange(x int64, y int, unsigned bool, code uint8) (v any) {
	defer func() {
		v = recover()
		e := &boundsError{x, y, !unsigned, code}
		(*[2]unsafe.Pointer)(unsafe.Pointer(&v))[1] = unsafe.Pointer(e)
	}()
	var none []struct{}
	return none[len(none)]
}

func (e *engine) panics(fn *function, i *ssa.Panic, old func(*frame)) func(*frame) {
	if !types.IsInterface(i.X.Type()) {
		return nil
	}
	r := fn.reg(i.X)
	if x, ok := i.X.(*ssa.MakeInterface); ok && !i.Pos().IsValid() {
		if c, ok := x.X.(*ssa.Const); ok && c.Value != nil && c.Value.Kind() == constant.String && strings.HasPrefix(constant.StringVal(c.Value), "yield function called") {
			return func(fr *frame) { e.fail(fr, i, rangeError()) }
		}
	}
	return func(fr *frame) {
		if fr.stack[r] == nil {
			fr.stack[r] = new(runtime.PanicNilError)
		}
		old(fr)
	}
}

// rangeError is what the runtime panics with when a function that is ranged
// over calls the loop's body once it may not.
func rangeError() (v any) {
	defer func() { v = recover() }()
	for range func(yield func() bool) { yield(); yield() } {
		break
	}
	return nil
}

// assertionError is runtime.TypeAssertionError.
type assertionError struct {
	iface, concrete, asserted unsafe.Pointer
	missing                   string
}

// notAsserted is what x.(want) panics with when x, of the interface type
// iface, is of type have (nil for none) and lacks the method missing ("" when
// want is no interface).
func notAsserted(iface, have, want reflect.Type, missing string) any {
	e := new(runtime.TypeAssertionError)
	a := (*assertionError)(unsafe.Pointer(e))
	a.asserted = unsafe.Pointer(descriptor(want))
	a.missing = missing
	if iface != nil {
		a.iface = unsafe.Pointer(descriptor(iface))
	}
	if have != nil {
		a.concrete = unsafe.Pointer(descriptor(have))
	}
	return e
}

func (e *engine) typeAssert(fn *function, i *ssa.TypeAssert) func(*frame) {
	want, iface := e.typeOf(i.AssertedType), e.typeOf(i.X.Type())
	if want == nil || iface == nil {
		return nil
	}
	r, rx := fn.reg(i), fn.reg(i.X)
	zero := reflect.Zero(want).Interface()
	toIface, isIface := i.AssertedType.Underlying().(*types.Interface)
	return func(fr *frame) {
		v := fr.stack[rx]
		var have reflect.Type
		ok := false
		if v != nil {
			have = reflect.TypeOf(v)
			ok = have == want || isIface && have.Implements(want) || alike(have, want)
		}
		switch {
		case ok && have != want && !isIface:
			v = reflect.ValueOf(v).Convert(want).Interface()
			if i.CommaOk {
				setTuple(fr, r, v, true)
			} else {
				fr.stack[r] = v
			}
		case i.CommaOk && ok:
			setTuple(fr, r, v, true)
		case i.CommaOk:
			setTuple(fr, r, zero, false)
		case ok:
			fr.stack[r] = v
		case isIface && have == nil:
			e.fail(fr, i, notAsserted(nil, nil, want, ""))
		case isIface:
			e.fail(fr, i, notAsserted(nil, have, want, e.missing(have, toIface)))
		default:
			e.fail(fr, i, notAsserted(iface, have, want, ""))
		}
	}
}

// alike reports whether two descriptors are of one type that has no name: two
// cells may each have made theirs.
func alike(a, b reflect.Type) bool {
	return a.Name() == "" && b.Name() == "" && a.Kind() == b.Kind() && a.Kind() != reflect.Interface &&
		(a.Kind() != reflect.Chan || a.ChanDir() == b.ChanDir()) && a.AssignableTo(b)
}

// missing names a method of want that values of type have lack.
func (e *engine) missing(have reflect.Type, want *types.Interface) string {
	for m := range want.Methods() {
		if _, ok := have.MethodByName(m.Name()); !ok {
			return m.Name()
		}
	}
	if want.NumMethods() > 0 {
		return want.Method(0).Name()
	}
	return ""
}
