package interp

import (
	"fmt"
	"go/types"
	"iter"
	"math"
	"reflect"
	"unsafe"

	"github.com/goplus/ixgo"
	"github.com/goplus/reflectx"
	"github.com/goplus/reflectx/abi"
)

// The library that gives interpreted types their methods (reflectx v1.7.8) and
// its user (ixgo v1.1.1) let compiled code call some methods with the wrong
// receiver, which corrupts memory or panics:
//
//   - entry points of promoted methods are shared between all types that embed
//     the same type at the same place, though the receiver of a type that is
//     stored in the interface word itself, such as struct{ *T }, is passed
//     another way than that of struct{ *T; n int };
//   - of the types that are stored in the interface word it knows pointers,
//     maps, channels, functions and structs of one pointer, but not structs and
//     arrays of one element of any other such type;
//   - a method promoted through an embedded pointer and then through a value is
//     looked for in the pointer's method set, and called with the value.
//
// So the entry points of promoted methods, and all of such small types, are
// made again here.

// methodIDs counts the shared entry points. Only positive numbers are shared.
//
//go:linkname methodIDs github.com/goplus/ixgo.mfnId
var methodIDs int64

func init() { methodIDs = math.MinInt64 / 2 }

// methodEntry is an entry of a type's method table (internal/abi.Method).
type methodEntry struct{ name, mtyp, ifn, tfn int32 }

//go:linkname methodTable github.com/goplus/reflectx.rtypeMethods
func methodTable(rtype unsafe.Pointer) []methodEntry

//go:linkname addReflectOff reflect.addReflectOff
func addReflectOff(p unsafe.Pointer) int32

// runtimeType is the head of a type's descriptor (internal/abi.Type).
type runtimeType struct {
	size, ptrBytes uintptr
	hash           uint32
	flags          uint8
}

const (
	flagDirect      = 1 << 5 // abi.TFlagDirectIface
	flagUserMethods = 1 << 7 // reflectx's own
)

func descriptor(t reflect.Type) *runtimeType {
	return (*runtimeType)((*[2]unsafe.Pointer)(unsafe.Pointer(&t))[1])
}

// direct reports whether values of t are stored in the interface word.
func direct(t reflect.Type) bool { return descriptor(t).flags&flagDirect != 0 }

// repairMethods gives the types that in made the right entry points. done holds
// those that have them.
func (s *Session) repairMethods(in *ixgo.Interp, done map[reflect.Type]bool) error {
	record, ok := hidden(in, "record").(**ixgo.TypesRecord)
	if !ok {
		return errVersion
	}
	made, ok := hidden(*record, "rcache").(*map[reflect.Type]types.Type)
	if !ok {
		return errVersion
	}
	for rt, t := range *made { // untyped nil is there with none
		if rt == nil || done[rt] || descriptor(rt).flags&flagUserMethods == 0 || rt.Kind() == reflect.Pointer {
			continue
		}
		done[rt] = true
		if err := s.renewEntries(rt, t); err != nil {
			return err
		}
		plainPointer(reflect.PointerTo(rt))
	}
	return nil
}

// plainPointer gives the methods of a pointer type code where reflectx keeps
// closures, so that compiled code such as net/rpc may call Type.Method(i).Func.
// With a pointer as the receiver the entry for interfaces is that code.
func plainPointer(t reflect.Type) {
	table := methodTable(unsafe.Pointer(descriptor(t)))
	for i := range table {
		table[i].tfn = table[i].ifn
	}
	descriptor(t).flags &^= flagUserMethods
}

// reflectedMethods are the methods of reflect.Type that give out functions:
// those of types that have closures for methods must be called as such.
var reflectedMethods = map[string]reflect.Value{
	"Method": reflect.ValueOf(func(t reflect.Type, i int) reflect.Method { return callable(t, t.Method(i)) }),
	"MethodByName": reflect.ValueOf(func(t reflect.Type, name string) (reflect.Method, bool) {
		m, ok := t.MethodByName(name)
		return callable(t, m), ok
	}),
	"Methods": reflect.ValueOf(func(t reflect.Type) iter.Seq[reflect.Method] {
		return func(yield func(reflect.Method) bool) {
			for m := range t.Methods() {
				if !yield(callable(t, m)) {
					return
				}
			}
		}
	}),
}

var reflectType = reflect.TypeOf(reflect.TypeFor[int]())

func callable(t reflect.Type, m reflect.Method) reflect.Method {
	if m.Func.IsValid() && userMethods(t) {
		m.Func = reflectx.MethodByIndex(t, m.Index).Func
	}
	return m
}

// userMethods reports whether the methods of t are reflectx's, in whose tables
// stand closures where the compiler's have code.
func userMethods(t reflect.Type) bool {
	return descriptor(t).flags&flagUserMethods != 0 || t.Kind() == reflect.Pointer && descriptor(t.Elem()).flags&flagUserMethods != 0
}

// unknownDirect reports whether reflectx takes the direct type t for another.
func unknownDirect(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		return direct(t) && (t.NumField() != 1 || t.Field(0).Type.Kind() != reflect.Pointer)
	case reflect.Array:
		return direct(t)
	}
	return false
}

// renewEntries makes the entries of rt and of its pointer type.
func (s *Session) renewEntries(rt reflect.Type, t types.Type) error {
	sels := map[string]*types.Selection{}
	if _, ok := t.Underlying().(*types.Struct); ok {
		for sel := range types.NewMethodSet(types.NewPointer(t)).Methods() {
			if len(sel.Index()) > 1 {
				sels[sel.Obj().Name()] = sel
			}
		}
	}
	all := unknownDirect(rt)
	if len(sels) == 0 && !all {
		return nil
	}
	for _, recv := range []reflect.Type{rt, reflect.PointerTo(rt)} {
		table := methodTable(unsafe.Pointer(descriptor(recv)))
		for i := range table {
			m := reflectx.MethodByIndex(recv, i)
			call := caller(m.Func)
			sel := sels[m.Name]
			switch {
			case sel != nil:
				call = s.promoted(sel, m.Name)
			case !all || recv != rt:
				continue
			}
			fn := reflect.MakeFunc(m.Type, call)
			info := &abi.MethodInfo{Func: fn, Call: call, Type: recv, OnePtr: direct(recv), Variadic: m.Type.IsVariadic()}
			entry := unsafe.Pointer(nil)
			for _, p := range abi.Default.List() {
				if entry, _ = p.Insert(info); entry != nil {
					break
				}
			}
			if entry == nil {
				return fmt.Errorf("no room for the methods of %s; restart the kernel to continue", rt)
			}
			table[i].ifn = addReflectOff(entry)
			table[i].tfn = addReflectOff((*[2]unsafe.Pointer)(unsafe.Pointer(&fn))[1])
		}
	}
	return nil
}

// caller calls f with the last argument of a variadic function as its slice.
func caller(f reflect.Value) func([]reflect.Value) []reflect.Value {
	if f.Type().IsVariadic() {
		return f.CallSlice
	}
	return f.Call
}

// promoted calls the method name of the embedded field that sel leads to.
func (s *Session) promoted(sel *types.Selection, name string) func([]reflect.Value) []reflect.Value {
	path := sel.Index()[:len(sel.Index())-1]
	recv := sel.Obj().(*types.Func).Signature().Recv().Type()
	_, byPointer := recv.Underlying().(*types.Pointer)
	return func(args []reflect.Value) []reflect.Value {
		v := args[0]
		for _, i := range path {
			if v.Kind() == reflect.Pointer {
				v = pointee(v)
			}
			v = reflectx.FieldX(v, i)
		}
		switch {
		case v.Kind() == reflect.Interface:
			if v.IsNil() {
				panic(nilDereference())
			}
			v = v.Elem()
		case byPointer && v.Kind() != reflect.Pointer:
			v = v.Addr()
		case !byPointer && v.Kind() == reflect.Pointer:
			v = pointee(v)
		}
		if f := s.override(v.Type(), name); f.IsValid() {
			return caller(f)(append([]reflect.Value{v}, args[1:]...))
		}
		m, ok := reflectx.MethodByName(v.Type(), name)
		if !ok {
			panic(fmt.Sprintf("no code for method %s.%s", v.Type(), name))
		}
		return caller(m.Func)(append([]reflect.Value{v}, args[1:]...))
	}
}

func pointee(v reflect.Value) reflect.Value {
	if v.IsNil() {
		panic(nilDereference())
	}
	return v.Elem()
}

// nilDereference is what the runtime panics with at a nil pointer.
func nilDereference() (v any) {
	defer func() { v = recover() }()
	var p *int
	return *p
}

var errVersion = fmt.Errorf("the interpreter is not of the version this kernel was made for (ixgo v1.1.1, reflectx v1.7.8)")

// hidden is a pointer to the unexported field name of the struct p points to,
// nil if there is none.
func hidden(p any, name string) any {
	f := reflect.ValueOf(p).Elem().FieldByName(name)
	if !f.IsValid() {
		return nil
	}
	return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Interface()
}
