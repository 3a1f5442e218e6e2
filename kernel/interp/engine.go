package interp

import (
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"reflect"
	"strings"
	"sync"
	"unsafe"

	"github.com/goplus/ixgo"
	"github.com/goplus/reflectx"
	"golang.org/x/tools/go/ssa"
)

// ixgo compiles each SSA instruction to a closure over its frame. Some of those
// of v1.1.1 are wrong (m[k] = nil deletes the key, min and max ignore NaN,
// run-time errors are not of the runtime's types) or slow for what they do.
// After an interpreter is made and before it runs, this file and ops.go put
// closures of ours in their place. They see ixgo's own frames, whose layout is
// checked once per process.

// frame is a call that ixgo executes.
type frame struct {
	interp  *ixgo.Interp
	caller  *frame
	callee  *frame
	pfn     *function
	defers  unsafe.Pointer
	panics  unsafe.Pointer
	block   *ssa.BasicBlock
	stack   []any // results, arguments, captured variables, then values and constants
	ipc     int   // next instruction, -1 after the return
	pred    int
	deferid uint64
}

func (fr *frame) values(regs []int) []any {
	vals := make([]any, len(regs))
	for k, r := range regs {
		vals[k] = fr.stack[r]
	}
	return vals
}

// function is a function that ixgo has compiled.
type function struct {
	Interp     *ixgo.Interp
	Fn         *ssa.Function
	Main       *ssa.BasicBlock
	pool       *sync.Pool
	makeInstr  ssa.Instruction
	index      map[ssa.Value]uint32 // where a value is: the low 24 bits
	instrIndex map[ssa.Instruction][]uint32
	Instrs     []func(*frame)
	Recover    []func(*frame)
	Blocks     []int
	stack      []any // what a new frame's stack starts as
	ssaInstrs  []ssa.Instruction
	base       int
	nres       int
	narg       int
	nenv       int
	used       int32
	cached     int32
}

//go:linkname runFrame github.com/goplus/ixgo.(*frame).run
func runFrame(fr *frame)

// layout tells whether ixgo's types are what this file takes them for.
var layout = sync.OnceValue(func() error {
	f, ok := reflect.TypeFor[ixgo.Interp]().FieldByName("funcs")
	if !ok || f.Type.Kind() != reflect.Map || f.Type.Key() != reflect.TypeFor[*ssa.Function]() {
		return errVersion
	}
	fn := f.Type.Elem().Elem()
	instrs, ok := fn.FieldByName("Instrs")
	if !ok || instrs.Type.Kind() != reflect.Slice || instrs.Type.Elem().Kind() != reflect.Func {
		return errVersion
	}
	if !sameLayout(fn, reflect.TypeFor[function]()) || !sameLayout(instrs.Type.Elem().In(0).Elem(), reflect.TypeFor[frame]()) {
		return errVersion
	}
	return nil
})

func sameLayout(a, b reflect.Type) bool {
	if a.Kind() != reflect.Struct || a.NumField() != b.NumField() || a.Size() != b.Size() {
		return false
	}
	for i := range a.NumField() {
		f, g := a.Field(i), b.Field(i)
		pointers := f.Type.Kind() == reflect.Pointer && g.Type.Kind() == reflect.UnsafePointer
		if f.Offset != g.Offset || f.Type.Kind() != g.Type.Kind() && !pointers {
			return false
		}
	}
	return true
}

// engine replaces instructions of one interpreter.
type engine struct {
	s     *Session
	in    *ixgo.Interp
	funcs map[*ssa.Function]*function
	sets  *methodSets
	types map[types.Type]reflect.Type
	mine  map[string]bool // functions that the cell declares or compiles again

	closureType unsafe.Pointer // the type word of ixgo's closures
}

// replaceInstrs replaces the instructions that ixgo gets wrong.
func (s *Session) replaceInstrs(in *ixgo.Interp, sets *methodSets, u *unit) error {
	if err := layout(); err != nil {
		return err
	}
	p, ok := hidden(in, "preloadTypes").(*map[types.Type]reflect.Type)
	if !ok {
		return errVersion
	}
	f, _ := reflect.TypeFor[ixgo.Interp]().FieldByName("funcs")
	e := &engine{s: s, in: in, sets: sets, types: *p, mine: redeclared(u),
		funcs: *(*map[*ssa.Function]*function)(unsafe.Add(unsafe.Pointer(in), f.Offset))}
	e.findClosureType()
	if err := e.rehouse(u.moved); err != nil {
		return err
	}
	e.renameTypes()
	e.addSlots()
	s.ld.addCode(*sets, e.funcs)
	for _, fn := range e.funcs {
		for i, instr := range fn.ssaInstrs {
			if f := e.replacement(fn, instr, fn.Instrs[i]); f != nil {
				fn.Instrs[i] = f
			}
		}
		e.unbox(fn)
	}
	return nil
}

// renameTypes gives the generic types of packages that are interpreted beside
// their compiled part, such as iter.Seq[int], the names that they have in Go:
// ixgo calls that part iter@patch.
func (e *engine) renameTypes() {
	for _, rt := range e.types {
		if rt == nil { // of nil
			continue
		}
		if path, ok := strings.CutSuffix(rt.PkgPath(), "@patch"); ok {
			reflectx.SetTypeName(rt, path, strings.ReplaceAll(rt.Name(), "@patch", ""))
		}
	}
}

// reg is where v is in the frames of fn.
func (fn *function) reg(v ssa.Value) int {
	i, ok := fn.index[v]
	if !ok {
		panic(fmt.Sprintf("internal error: no register for %v in %v", v, fn.Fn))
	}
	return int(i & 0xffffff)
}

func (fn *function) regs(vs []ssa.Value) []int {
	out := make([]int, len(vs))
	for i, v := range vs {
		out[i] = fn.reg(v)
	}
	return out
}

// typeOf is the reflect type of t, nil if ixgo has not met t.
func (e *engine) typeOf(t types.Type) reflect.Type {
	if rt, ok := e.types[t]; ok {
		return rt
	}
	if rt, ok := e.s.ld.LookupReflect(t); ok {
		return rt
	}
	return nil
}

// replacement is the closure for instr, nil to keep ixgo's.
func (e *engine) replacement(fn *function, instr ssa.Instruction, old func(*frame)) func(*frame) {
	switch i := instr.(type) {
	case *ssa.MapUpdate:
		return e.mapUpdate(fn, i)
	case *ssa.Lookup:
		return e.lookup(fn, i, old)
	case *ssa.Next:
		return e.next(fn, i, old)
	case *ssa.TypeAssert:
		return e.typeAssert(fn, i)
	case *ssa.IndexAddr:
		return e.indexAddr(fn, i)
	case *ssa.Index:
		return e.index(fn, i, old)
	case *ssa.Slice:
		return e.slice(fn, i, old)
	case *ssa.SliceToArrayPointer:
		return e.sliceToArray(fn, i, old)
	case *ssa.MakeSlice:
		return e.makeSlice(fn, i, old)
	case *ssa.Alloc:
		return e.alloc(i, old)
	case *ssa.MakeMap:
		return e.makeMap(fn, i, old)
	case *ssa.MakeChan:
		return e.makeChan(fn, i, old)
	case *ssa.FieldAddr:
		return e.fieldAddr(fn, i)
	case *ssa.UnOp:
		if i.Op == token.MUL {
			return e.load(fn, i, old)
		}
	case *ssa.Store:
		return e.store(fn, i, old)
	case *ssa.BinOp:
		return e.binary(fn, i, old)
	case *ssa.Send, *ssa.Select:
		return e.guarded(i, old)
	case *ssa.Panic:
		return e.panics(fn, i, old)
	case *ssa.Defer:
		return e.deferCall(fn, i)
	case *ssa.Go:
		if i.Call.IsInvoke() {
			return e.goInvoke(fn, i, old)
		}
	case *ssa.Call:
		return e.call(fn, i, old)
	}
	return nil
}

// fail panics with v at instr. Where a panic began is noted for its traceback.
func (e *engine) fail(fr *frame, instr ssa.Instruction, v any) {
	e.s.notePanic(fr, instr)
	panic(v)
}

// guarded is an instruction of ixgo's that may panic.
func (e *engine) guarded(i ssa.Instruction, old func(*frame)) func(*frame) {
	return func(fr *frame) { e.compiled(fr, i, old) }
}

// binary looks after the operations that may panic.
func (e *engine) binary(fn *function, i *ssa.BinOp, old func(*frame)) func(*frame) {
	basic, ok := i.Y.Type().Underlying().(*types.Basic)
	if !ok {
		return e.guarded(i, old) // a comparison
	}
	c, fixed := i.Y.(*ssa.Const)
	switch i.Op {
	case token.QUO, token.REM:
		if basic.Info()&types.IsInteger != 0 && (!fixed || constant.Sign(c.Value) == 0) {
			return e.guarded(i, old)
		}
	case token.SHL, token.SHR:
		if !fixed && basic.Info()&types.IsUnsigned == 0 {
			return e.guarded(i, old)
		}
	}
	return nil
}
