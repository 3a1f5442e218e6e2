package interp

import (
	"go/types"
	"reflect"
	"sync/atomic"
	"unsafe"

	"golang.org/x/tools/go/ssa"
)

// Loads, stores and addresses of elements and fields: ixgo goes through
// reflection for each, which is most of the time of a loop over a slice. A
// register is an interface; what an instruction needs to know of the type in
// it is kept beside the instruction for the type it met last.

// word is an interface taken apart.
type word struct {
	t *runtimeType
	p unsafe.Pointer
}

func open(v *any) *word { return (*word)(unsafe.Pointer(v)) }

// access is how memory of one type is reached.
type access struct {
	t      *runtimeType // the type in the register of the address or container
	target *runtimeType // the element's, or a pointer's to it
	size   uintptr      // of an element, or the offset of a field
	n      int          // elements of an array
	array  bool
	kind   reflect.Kind
	direct bool
	any    bool // an interface without methods
}

func (a *access) element(t reflect.Type) *access {
	a.kind, a.direct = t.Kind(), direct(t)
	a.any = a.kind == reflect.Interface && t.NumMethod() == 0
	a.target = descriptor(t)
	return a
}

func (e *engine) indexAddr(fn *function, i *ssa.IndexAddr) func(*frame) {
	rx, ri, r := fn.reg(i.X), fn.reg(i.Index), fn.reg(i)
	var last atomic.Pointer[access]
	return func(fr *frame) {
		w := open(&fr.stack[rx])
		a := last.Load()
		if a == nil || a.t != w.t {
			t := reflect.TypeOf(fr.stack[rx])
			a = &access{t: w.t, array: t.Kind() == reflect.Pointer}
			if a.array {
				t = t.Elem()
				a.n = t.Len()
			}
			a.size, a.target = t.Elem().Size(), descriptor(reflect.PointerTo(t.Elem()))
			last.Store(a)
		}
		base, n := w.p, a.n
		if !a.array {
			s := *(*[]struct{})(w.p)
			base, n = unsafe.Pointer(unsafe.SliceData(s)), len(s)
		} else if base == nil {
			e.fail(fr, i, nilDereference())
		}
		x, unsigned, ok := index(fr.stack[ri], n)
		if !ok {
			e.fail(fr, i, outOfRange(x, n, unsigned, boundsIndex))
		}
		*open(&fr.stack[r]) = word{a.target, unsafe.Add(base, uintptr(x)*a.size)}
	}
}

func (e *engine) fieldAddr(fn *function, i *ssa.FieldAddr) func(*frame) {
	rx, r := fn.reg(i.X), fn.reg(i)
	var last atomic.Pointer[access]
	return func(fr *frame) {
		w := open(&fr.stack[rx])
		if w.p == nil {
			e.fail(fr, i, nilDereference())
		}
		a := last.Load()
		if a == nil || a.t != w.t {
			f := reflect.TypeOf(fr.stack[rx]).Elem().Field(i.Field)
			a = &access{t: w.t, size: f.Offset, target: descriptor(reflect.PointerTo(f.Type))}
			last.Store(a)
		}
		*open(&fr.stack[r]) = word{a.target, unsafe.Add(w.p, a.size)}
	}
}

// ofPointer is how the memory that the pointer in v points at is reached.
func ofPointer(last *atomic.Pointer[access], v *any) *access {
	a := last.Load()
	if w := open(v); a == nil || a.t != w.t {
		a = (&access{t: w.t}).element(reflect.TypeOf(*v).Elem())
		last.Store(a)
	}
	return a
}

func (e *engine) load(fn *function, i *ssa.UnOp, old func(*frame)) func(*frame) {
	rx, r := fn.reg(i.X), fn.reg(i)
	var last atomic.Pointer[access]
	load := func(fr *frame) {
		p := open(&fr.stack[rx]).p
		if p == nil {
			e.fail(fr, i, nilDereference())
		}
		a := ofPointer(&last, &fr.stack[rx])
		var v any
		switch {
		case a.direct:
			*open(&fr.stack[r]) = word{a.target, *(*unsafe.Pointer)(p)}
			return
		case a.any:
			fr.stack[r] = *(*any)(p)
			return
		case a.kind == reflect.Int, a.kind == reflect.Int64, a.kind == reflect.Uint, a.kind == reflect.Uint64:
			v = *(*int64)(p)
		case a.kind == reflect.Float64:
			v = *(*float64)(p)
		case a.kind == reflect.Float32, a.kind == reflect.Int32, a.kind == reflect.Uint32:
			v = *(*int32)(p)
		case a.kind == reflect.Uint8, a.kind == reflect.Int8, a.kind == reflect.Bool:
			v = *(*uint8)(p)
		case a.kind == reflect.String:
			v = *(*string)(p)
		case a.kind == reflect.Slice:
			v = *(*[]struct{})(p)
		default:
			old(fr)
			return
		}
		*open(&fr.stack[r]) = word{a.target, open(&v).p}
	}
	if g, ok := i.X.(*ssa.Global); ok {
		return e.ownFile(g, r, load)
	}
	return load
}

func (e *engine) store(fn *function, i *ssa.Store, old func(*frame)) func(*frame) {
	ra, rv := fn.reg(i.Addr), fn.reg(i.Val)
	if _, ok := i.Addr.Type().Underlying().(*types.Pointer); !ok {
		return nil
	}
	var last atomic.Pointer[access]
	return func(fr *frame) {
		p := open(&fr.stack[ra]).p
		if p == nil {
			e.fail(fr, i, nilDereference())
		}
		a := ofPointer(&last, &fr.stack[ra])
		if a.any {
			*(*any)(p) = fr.stack[rv]
			return
		}
		w := open(&fr.stack[rv])
		if w.t != a.target {
			old(fr)
			return
		}
		switch {
		case a.direct:
			*(*unsafe.Pointer)(p) = w.p
		case a.kind == reflect.Int, a.kind == reflect.Int64, a.kind == reflect.Uint, a.kind == reflect.Uint64, a.kind == reflect.Float64:
			*(*int64)(p) = *(*int64)(w.p)
		case a.kind == reflect.Float32, a.kind == reflect.Int32, a.kind == reflect.Uint32:
			*(*int32)(p) = *(*int32)(w.p)
		case a.kind == reflect.Uint8, a.kind == reflect.Int8, a.kind == reflect.Bool:
			*(*uint8)(p) = *(*uint8)(w.p)
		case a.kind == reflect.String:
			*(*string)(p) = *(*string)(w.p)
		case a.kind == reflect.Slice:
			*(*[]struct{})(p) = *(*[]struct{})(w.p)
		default:
			old(fr)
		}
	}
}
