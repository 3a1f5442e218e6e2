package interp

import (
	"go/types"
	"reflect"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/goplus/ixgo"
	"github.com/goplus/reflectx"
	"github.com/visualfc/funcval"
	"golang.org/x/tools/go/ssa"
)

// call replaces the calls that are checks of ours, built-in functions that
// ixgo gets wrong, calls of interpreted functions and methods through
// interfaces.
func (e *engine) call(fn *function, i *ssa.Call, old func(*frame)) func(*frame) {
	if i.Call.IsInvoke() {
		return e.invoke(fn, i)
	}
	switch f := i.Call.Value.(type) {
	case *ssa.Builtin:
		return e.builtin(fn, i, f.Name(), old)
	case *ssa.Function:
		if f.Blocks == nil {
			if own := e.check(f); own != nil {
				return own
			}
			if callee := e.earlier(f); callee != nil {
				return e.caller(callee, fn.regs(i.Call.Args), fn.reg(i))
			}
			if log := e.logged(f); log != nil {
				r, args := fn.reg(i), fn.regs(i.Call.Args)
				return func(fr *frame) {
					e.compiled(fr, i, func(*frame) {
						if err := log(fr, i, fr.values(args)); f.Name() == "Output" {
							fr.stack[r] = err
						}
					})
				}
			}
			if slogs(f) {
				return e.guarded(i, func(fr *frame) {
					defer e.s.logsFrom(fr, i)()
					old(fr)
				})
			}
			return e.guarded(i, old)
		}
		return e.static(fn, i, f, nil)
	case *ssa.MakeClosure:
		return e.static(fn, i, f.Fn.(*ssa.Function), f.Bindings)
	}
	return e.dynamic(fn, i)
}

// earlier is the interpreted function of an earlier cell that f stands for.
func (e *engine) earlier(f *ssa.Function) *function {
	if f.Pkg == nil || !fromCells(f.Pkg.Pkg) {
		return nil
	}
	if recv := f.Signature.Recv(); recv != nil {
		if t, ok := e.s.ld.LookupReflect(recv.Type()); ok {
			return e.s.ld.methodCode(t, f.Name())
		}
		return nil
	}
	funcs, mine := e.s.funcs, e.mine
	if st := e.s.cells[f.Pkg.Pkg]; ofFolder(f.Pkg.Pkg.Path()) && st != nil {
		funcs, mine = st.funcs, nil
	}
	v, ok := funcs[f.Name()]
	if !ok || mine[f.Name()] {
		return nil
	}
	if c := interpreted(v); c != nil && len(c.env) == 0 {
		return c.pfn
	}
	return nil
}

// funcValue is what a function value of ixgo's points to.
type funcValue struct {
	code   uintptr
	interp *ixgo.Interp
	pfn    *function
	typ    reflect.Type
	env    []any
}

// funcValueCode is the code of all of them.
var funcValueCode atomic.Uintptr

// interpreted is the interpreted function behind a function value; nil if
// compiled code is.
func interpreted(f any) *funcValue {
	v, made := funcval.Get(f)
	if v == nil || made != 1 || v.Fn != funcValueCode.Load() {
		return nil
	}
	return (*funcValue)(unsafe.Pointer(v))
}

// dynamic calls a function value.
func (e *engine) dynamic(fn *function, i *ssa.Call) func(*frame) {
	rf, r := fn.reg(i.Call.Value), fn.reg(i)
	args := fn.regs(i.Call.Args)
	n := i.Call.Signature().Results().Len()
	return func(fr *frame) {
		f := fr.stack[rf]
		if f == nil || (*[2]unsafe.Pointer)(unsafe.Pointer(&f))[1] == nil {
			e.fail(fr, i, nilDereference())
		}
		v := interpreted(f)
		if v == nil {
			e.compiled(fr, i, func(*frame) { callCompiled(e.in, fr, reflect.ValueOf(f), r, args) })
			return
		}
		c := enter(fr, v.pfn)
		for k, a := range args {
			c.stack[k+n] = fr.stack[a]
		}
		copy(c.stack[n+len(args):], v.env)
		execute(c)
		switch n {
		case 0:
		case 1:
			fr.stack[r] = c.stack[0]
		default:
			setTuple(fr, r, append([]any(nil), c.stack[:n]...)...)
		}
		leave(fr, c)
	}
}

// check is what the calls of instrument.go do.
func (e *engine) check(f *ssa.Function) func(*frame) {
	if f.Pkg == nil || f.Pkg.Pkg.Path() != runtimePkg {
		return nil
	}
	s := e.s
	switch f.Name() {
	case "Check":
		return func(*frame) {
			if atomic.LoadInt32(&s.stop) != 0 {
				s.halt()
			}
		}
	case "Enter":
		return func(fr *frame) {
			s.enterCall()
			if fr.caller != nil && fr.caller.pfn == nil {
				s.guard(fr)
			}
		}
	}
	return nil
}

// static calls a function that is known when the cell is compiled.
func (e *engine) static(fn *function, i *ssa.Call, f *ssa.Function, bindings []ssa.Value) func(*frame) {
	callee := e.funcs[f]
	if callee == nil {
		return nil
	}
	args := fn.regs(append(append([]ssa.Value(nil), i.Call.Args...), bindings...))
	return e.caller(callee, args, fn.reg(i))
}

// caller calls callee with the registers args and puts its results into r.
func (e *engine) caller(callee *function, args []int, r int) func(*frame) {
	switch callee.nres {
	case 0:
		return func(fr *frame) {
			c := enter(fr, callee)
			for k, a := range args {
				c.stack[k] = fr.stack[a]
			}
			execute(c)
			leave(fr, c)
		}
	case 1:
		return func(fr *frame) {
			c := enter(fr, callee)
			for k, a := range args {
				c.stack[k+1] = fr.stack[a]
			}
			execute(c)
			fr.stack[r] = c.stack[0]
			leave(fr, c)
		}
	}
	n := callee.nres
	return func(fr *frame) {
		c := enter(fr, callee)
		for k, a := range args {
			c.stack[k+n] = fr.stack[a]
		}
		execute(c)
		setTuple(fr, r, append([]any(nil), c.stack[:n]...)...)
		leave(fr, c)
	}
}

// enter makes the frame of a call. The frame that the caller's last call has
// left is used again when it was of the same function.
func enter(fr *frame, callee *function) *frame {
	c := spare(fr, callee)
	if c == nil {
		c = &frame{interp: callee.Interp, pfn: callee, block: callee.Main, caller: fr}
		c.stack = append(make([]any, 0, len(callee.stack)), callee.stack...)
	}
	c.deferid = fr.deferid
	fr.callee = c
	return c
}

func execute(c *frame) {
	if c.pfn.Recover != nil {
		runFrame(c)
		return
	}
	for c.ipc != -1 {
		f := c.pfn.Instrs[c.ipc]
		c.ipc++
		f(c)
	}
}

// leave ends a call that returned.
func leave(fr, c *frame) {
	fr.callee = nil
	keep(fr, c)
}

// spare takes the frame that keep has put away, if it fits.
func spare(fr *frame, callee *function) *frame {
	slot := len(fr.stack) - 1
	c := (*frame)((*[2]unsafe.Pointer)(unsafe.Pointer(&fr.stack[slot]))[1])
	if c == nil || c.pfn != callee {
		return nil
	}
	fr.stack[slot] = nil
	return c
}

// keep puts a frame away, with nothing of the call left in it: what a function
// has let go of must not live on.
func keep(fr, c *frame) {
	f := c.pfn
	if !f.reusable() {
		return
	}
	n := len(f.stack) - 2 // the bank and the spare frame stay
	copy(c.stack[:n], f.stack[:n])
	c.block, c.pred, c.ipc, c.defers, c.panics, c.callee = f.Main, 0, 0, nil, nil, nil
	fr.stack[len(fr.stack)-1] = c
}

// reusable functions leave no pointer to their frame behind.
func (fn *function) reusable() bool { return fn.makeInstr == nil }

// addSlots gives every function a register for its bank (unbox.go) and one for
// its spare frame.
func (e *engine) addSlots() {
	for _, fn := range e.funcs {
		fn.stack = append(fn.stack, nil, nil)
		for _, i := range fn.ssaInstrs {
			if c, ok := i.(*ssa.Call); ok {
				if b, ok := c.Call.Value.(*ssa.Builtin); ok && b.Name() == "ssa:deferstack" {
					fn.makeInstr = i // its defers are reached by pointer
				}
			}
		}
	}
}

// method is how a method of one type is called.
type method struct {
	t    reflect.Type
	fn   *function     // interpreted, or
	call func(*frame)  // its call with this instruction's registers
	ext  reflect.Value // compiled
}

// invoke calls a method through an interface. The method that was found last
// is kept, with its type, in one pointer: goroutines share the instruction.
func (e *engine) invoke(fn *function, i *ssa.Call) func(*frame) {
	rv := fn.reg(i.Call.Value)
	args := append([]int{rv}, fn.regs(i.Call.Args)...)
	r := fn.reg(i)
	name := i.Call.Method.Name()
	var last atomic.Pointer[method]
	return func(fr *frame) {
		v := fr.stack[rv]
		if v == nil {
			e.fail(fr, i, nilDereference())
		}
		t := reflect.TypeOf(v)
		m := last.Load()
		if m == nil || m.t != t {
			m = e.find(t, name)
			if m.fn != nil {
				m.call = e.caller(m.fn, args, r)
			} else if !m.ext.IsValid() {
				e.fail(fr, i, "no code for method: "+t.String()+"."+name)
			}
			last.Store(m)
		}
		if m.call != nil {
			m.call(fr)
			return
		}
		e.compiled(fr, i, func(*frame) { callCompiled(e.in, fr, m.ext, r, args) })
	}
}

func (e *engine) find(t reflect.Type, name string) *method {
	m := &method{t: t}
	if t == reflectType && reflectedMethods[name].IsValid() {
		m.ext = reflectedMethods[name]
		return m
	}
	set, interpreted := readSets(e.sets)[t]
	if f, ok := set[name]; ok {
		if fn := e.funcs[f]; fn != nil {
			m.fn = fn
			return m
		}
	}
	if interpreted || userMethods(t) {
		if m.fn = e.s.ld.methodCode(t, name); m.fn != nil {
			return m
		}
		if x, ok := reflectx.MethodByName(t, name); ok {
			m.ext = x.Func
		}
		return m
	}
	if m.ext = e.s.override(t, name); m.ext.IsValid() {
		return m
	}
	if x, ok := t.MethodByName(name); ok && !strings.HasPrefix(t.String(), "*reflect.rtype") {
		m.ext = x.Func
	} else if x, ok := reflectx.MethodByName(t, name); ok {
		m.ext = x.Func
	}
	return m
}

// override is what the method name of a compiled type is in cells.
func (s *Session) override(t reflect.Type, name string) reflect.Value {
	if t.Kind() == reflect.Pointer && t.Elem().PkgPath() != "" {
		if f := s.hooks["(*"+t.Elem().PkgPath()+"."+t.Elem().Name()+")."+name]; f != nil {
			return reflect.ValueOf(f)
		}
	}
	return reflect.Value{}
}

// goInvoke starts a goroutine with a method of an interface.
func (e *engine) goInvoke(fn *function, i *ssa.Go, old func(*frame)) func(*frame) {
	r, args := fn.reg(i.Call.Value), fn.regs(i.Call.Args)
	return func(fr *frame) {
		v := fr.stack[r]
		if v == nil {
			e.fail(fr, i, nilDereference())
		}
		f := e.s.override(reflect.TypeOf(v), i.Call.Method.Name())
		if !f.IsValid() {
			old(fr)
			return
		}
		in := []reflect.Value{reflect.ValueOf(v)}
		for k, a := range args {
			in = append(in, element(fr.stack[a], f.Type().In(k+1)))
		}
		go e.s.contain(func() { caller(f)(in) })()
	}
}

// callCompiled calls f by reflection.
//
//go:linkname callCompiled github.com/goplus/ixgo.(*Interp).callExternalByStack
func callCompiled(in *ixgo.Interp, caller *frame, f reflect.Value, r int, args []int)

func (e *engine) builtin(fn *function, i *ssa.Call, name string, old func(*frame)) func(*frame) {
	r := fn.reg(i)
	args := fn.regs(i.Call.Args)
	switch name {
	case "delete":
		return e.writeMap(i, args[0], func(fr *frame) {
			m := reflect.ValueOf(fr.stack[args[0]])
			m.SetMapIndex(element(fr.stack[args[1]], m.Type().Key()), reflect.Value{})
		})
	case "clear":
		if _, ok := i.Call.Args[0].Type().Underlying().(*types.Map); ok {
			return e.writeMap(i, args[0], old)
		}
	case "min", "max":
		return e.extreme(i.Type(), args, r, name == "max")
	case "recover":
		return func(fr *frame) {
			if old(fr); fr.stack[r] != nil {
				e.s.takeSite(thisGoroutine())
			}
		}
	case "Sizeof", "Alignof", "Offsetof":
		return e.layoutOf(fn, i, name)
	case "StringData": // ixgo's makes a pointer of a number
		return func(fr *frame) { fr.stack[r] = unsafe.StringData(reflect.ValueOf(fr.stack[args[0]]).String()) }
	case "len", "cap", "real", "imag", "complex":
		return nil
	}
	return e.guarded(i, old)
}

// extreme is min or max of floats, where any NaN gives NaN and -0 is less than
// 0, and of uintptr; nil for other types.
func (e *engine) extreme(t types.Type, args []int, r int, largest bool) func(*frame) {
	b, ok := t.Underlying().(*types.Basic)
	if !ok || b.Info()&types.IsFloat == 0 && b.Kind() != types.Uintptr {
		return nil
	}
	float := b.Info()&types.IsFloat != 0
	return func(fr *frame) {
		v := reflect.ValueOf(fr.stack[args[0]])
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for _, a := range args[1:] {
			y := reflect.ValueOf(fr.stack[a])
			switch {
			case float && largest:
				out.SetFloat(max(out.Float(), y.Float()))
			case float:
				out.SetFloat(min(out.Float(), y.Float()))
			case largest:
				out.SetUint(max(out.Uint(), y.Uint()))
			default:
				out.SetUint(min(out.Uint(), y.Uint()))
			}
		}
		fr.stack[r] = out.Interface()
	}
}
