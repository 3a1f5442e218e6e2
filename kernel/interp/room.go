package interp

import (
	"bytes"
	"fmt"
	"go/types"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// The Go runtime ends the process when the system refuses it memory. A cell
// that asks for more at once than the process may hold gets a panic instead;
// one that takes it bit by bit is the kernel's to stop.

const (
	// large is from where an allocation is looked at.
	large = 1 << 28
	// unlimited is what one allocation may have where no limit is set.
	unlimited = 1 << 38
)

// tooLarge is the panic for an allocation that cannot be.
type tooLarge struct{ asked, limit, live float64 }

func (e tooLarge) Error() string {
	return fmt.Sprintf("out of memory: %.3g GiB asked for at once, where %.3g GiB are held and %.3g GiB are allowed", e.asked/(1<<30), e.live/(1<<30), e.limit/(1<<30))
}

// RuntimeError makes it a runtime.Error, as makeslice's is.
func (tooLarge) RuntimeError() {}

// room is nil if n values of a size can be allocated.
func room(n, size int64) error {
	if n <= 0 || size <= 0 || n <= large/size {
		return nil
	}
	limit := float64(debug.SetMemoryLimit(-1))
	if limit == math.MaxInt64 {
		limit = unlimited
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	held := float64(live[0].Value.Uint64())
	if asked := float64(n) * float64(size); asked+held > limit {
		return tooLarge{asked, limit, held}
	}
	return nil
}

func (e *engine) needRoom(fr *frame, i ssa.Instruction, n, size int64) {
	if err := room(n, size); err != nil {
		e.fail(fr, i, err)
	}
}

// alloc looks at variables of large types, which make with a constant gives
// too.
func (e *engine) alloc(i *ssa.Alloc, old func(*frame)) func(*frame) {
	size := sizes.Sizeof(i.Type().Underlying().(*types.Pointer).Elem())
	if size < large {
		return nil
	}
	return func(fr *frame) {
		e.needRoom(fr, i, 1, size)
		old(fr)
	}
}

func (e *engine) makeMap(fn *function, i *ssa.MakeMap, old func(*frame)) func(*frame) {
	if i.Reserve == nil {
		return nil
	}
	m := i.Type().Underlying().(*types.Map)
	r, size := fn.reg(i.Reserve), sizes.Sizeof(m.Key())+sizes.Sizeof(m.Elem())+1
	return func(fr *frame) {
		n, _, _ := index(fr.stack[r], math.MaxInt)
		e.needRoom(fr, i, n, size)
		old(fr)
	}
}

// repeats are the functions of the standard library that make much of little.
func repeats() map[string]any {
	check := func(n, count int) {
		if err := room(int64(count), int64(n)); err != nil {
			panic(err)
		}
	}
	return map[string]any{
		"strings.Repeat": func(s string, count int) string { check(len(s), count); return strings.Repeat(s, count) },
		"bytes.Repeat":   func(b []byte, count int) []byte { check(len(b), count); return bytes.Repeat(b, count) },
	}
}
