package interp

import (
	"reflect"
	"unsafe"

	"github.com/goplus/ixgo"
	"golang.org/x/tools/go/ssa"
)

// deferred is a deferred call of ixgo's.
type deferred struct {
	fn      any
	tail    *deferred
	args    []any
	ssaArgs []ssa.Value
}

// prepareCall evaluates the function and the arguments of a deferred call.
//
//go:linkname prepareCall github.com/goplus/ixgo.(*Interp).prepareCall
func prepareCall(in *ixgo.Interp, fr *frame, call *ssa.CallCommon, fn int, args, bindings []int) (any, []any)

// deferCall replaces a defer statement. ixgo's calls functions of other cells
// by reflection, under which recover finds no panic, and panics at the
// statement when there is no function, not when it is called.
func (e *engine) deferCall(fn *function, i *ssa.Defer) func(*frame) {
	rf := fn.reg(i.Call.Value)
	args := fn.regs(i.Call.Args)
	var bindings []int
	switch f := i.Call.Value.(type) {
	case *ssa.MakeClosure:
		bindings = fn.regs(f.Bindings)
	case *ssa.Function:
		if callee := e.earlier(f); f.Blocks == nil && callee != nil {
			return e.push(fn, i, func(fr *frame) (any, []any) { return e.closure(callee, nil), fr.values(args) })
		}
		if log := e.logged(f); log != nil {
			return e.push(fn, i, func(fr *frame) (any, []any) {
				vals := fr.values(args)
				return func() { log(fr, nil, vals) }, nil
			})
		}
	}
	return e.push(fn, i, func(fr *frame) (any, []any) {
		if i.Call.IsInvoke() && fr.stack[rf] == nil {
			e.fail(fr, i, nilDereference())
		}
		f, vals := prepareCall(e.in, fr, &i.Call, rf, args, bindings)
		if i.Call.IsInvoke() {
			switch m := e.find(reflect.TypeOf(fr.stack[rf]), i.Call.Method.Name()); {
			case m.fn != nil:
				return e.closure(m.fn, nil), vals
			case m.ext.IsValid():
				return m.ext, vals
			}
			return f, vals
		}
		if reflect.TypeOf(f).Kind() == reflect.Func {
			if reflect.ValueOf(f).IsNil() {
				return func() { e.fail(fr, nil, nilDereference()) }, nil
			}
			if v := interpreted(f); v != nil {
				return e.closure(v.pfn, v.env), vals
			}
		}
		return f, vals
	})
}

func (e *engine) push(fn *function, i *ssa.Defer, call func(*frame) (any, []any)) func(*frame) {
	list := -1
	if i.DeferStack != nil {
		list = fn.reg(i.DeferStack)
	}
	return func(fr *frame) {
		f, args := call(fr)
		at := (*unsafe.Pointer)(unsafe.Pointer(&fr.defers))
		if list >= 0 { // of the function around a range over a function
			at = (*unsafe.Pointer)((*[2]unsafe.Pointer)(unsafe.Pointer(&fr.stack[list]))[1])
		}
		*at = unsafe.Pointer(&deferred{f, (*deferred)(*at), args, i.Call.Args})
	}
}

// closure is a closure of ixgo's.
func (e *engine) closure(pfn *function, env []any) any {
	c := &struct {
		pfn *function
		env []any
	}{pfn, env}
	var v any
	(*[2]unsafe.Pointer)(unsafe.Pointer(&v))[0] = e.closureType
	(*[2]unsafe.Pointer)(unsafe.Pointer(&v))[1] = unsafe.Pointer(c)
	return v
}

// findClosureType makes ixgo make a closure, for its type.
func (e *engine) findClosureType() {
	for f := range e.funcs {
		v, _ := prepareCall(e.in, nil, &ssa.CallCommon{Value: &ssa.MakeClosure{Fn: f}}, 0, nil, nil)
		e.closureType = (*[2]unsafe.Pointer)(unsafe.Pointer(&v))[0]
		return
	}
}
