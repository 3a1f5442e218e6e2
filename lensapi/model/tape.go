package model

import (
	"reflect"
	"unsafe"

	"gorgonia.org/gorgonia"
)

// inline returns what runs all of vm, a tape machine, on the calling goroutine; without it RunAll does, which starts a goroutine,
// locks the caller to its thread, and so moves the work to another one twice in every run. On two cores, beside workers that are
// at the same time waiting for work, that made a decoded token up to half as slow again.
//
// The machine's method Run is public, but the instructions that it wants are not: they are taken from the compiled program by
// reflection. Where a Gorgonia has them under another name, RunAll it is; a test says so.
func inline(vm gorgonia.VM) (run func() error, ok bool) {
	v := reflect.ValueOf(vm)
	prog, method := v.MethodByName("Prog"), v.MethodByName("Run")
	if !prog.IsValid() || !method.IsValid() || prog.Type().NumIn() != 0 || prog.Type().NumOut() != 1 || method.Type().NumIn() != 1 || method.Type().NumOut() != 1 {
		return vm.RunAll, false
	}
	program := prog.Call(nil)[0]
	if program.Kind() != reflect.Pointer || program.Elem().Kind() != reflect.Struct {
		return vm.RunAll, false
	}
	field := program.Elem().FieldByName("instructions")
	if !field.IsValid() || field.Type() != method.Type().In(0) {
		return vm.RunAll, false
	}
	instructions := []reflect.Value{reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()}
	return func() error {
		err, _ := method.Call(instructions)[0].Interface().(error)
		return err
	}, true
}
