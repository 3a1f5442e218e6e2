package interp

import (
	"errors"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/tools/go/ssa"
)

// Some mistakes end a Go process at once, without a panic that one could
// recover: two goroutines at one map, a mutex unlocked that is not locked. In
// a cell they panic, with the runtime's words. What compiled code does with a
// map meanwhile, such as encoding it, is not seen.

var (
	errMapWrites = errors.New("fatal error: concurrent map writes")
	errMapRead   = errors.New("fatal error: concurrent map read and map write")
	errUnlock    = errors.New("fatal error: sync: unlock of unlocked mutex")
	errRWUnlock  = errors.New("fatal error: sync: Unlock of unlocked RWMutex")
	errRUnlock   = errors.New("fatal error: sync: RUnlock of unlocked RWMutex")
)

// mapLock is shared by maps. Interpreted operations hold it for their own
// length, so that the runtime never sees two at a time.
type mapLock struct {
	sync.RWMutex
	writing atomic.Uintptr // the map that is written to
	_       [32]byte       // a cache line each
}

var mapLocks [256]mapLock

func lockOf(m uintptr) *mapLock { return &mapLocks[(m>>5^m>>13)%uintptr(len(mapLocks))] }

// mapOf is the map in a register, 0 for nil.
func mapOf(fr *frame, r int) uintptr {
	return uintptr((*[2]unsafe.Pointer)(unsafe.Pointer(&fr.stack[r]))[1])
}

// writeMap makes write, which writes to the map in register r, fail when
// another goroutine writes to the same map.
func (e *engine) writeMap(i ssa.Instruction, r int, write func(*frame)) func(*frame) {
	return func(fr *frame) {
		m := mapOf(fr, r)
		l := lockOf(m)
		if !l.TryLock() {
			if l.writing.Load() == m {
				e.fail(fr, i, errMapWrites)
			}
			l.Lock()
		}
		l.writing.Store(m)
		defer func() {
			l.writing.Store(0)
			l.Unlock()
		}()
		write(fr)
	}
}

// readMap is writeMap for what reads.
func (e *engine) readMap(i ssa.Instruction, r int, read func(*frame)) func(*frame) {
	return func(fr *frame) {
		m := mapOf(fr, r)
		l := lockOf(m)
		if !l.TryRLock() {
			if l.writing.Load() == m {
				e.fail(fr, i, errMapRead)
			}
			l.RLock()
		}
		defer l.RUnlock()
		read(fr)
	}
}

// next guards a step of a range over a map.
func (e *engine) next(fn *function, i *ssa.Next, old func(*frame)) func(*frame) {
	from, ok := i.Iter.(*ssa.Range)
	if i.IsString || !ok {
		return nil
	}
	if _, ok := fn.index[from.X]; !ok {
		return nil
	}
	return e.readMap(i, fn.reg(from.X), old)
}

// mutexes are the methods that would end the process. A mutex that can be
// locked is not: whoever unlocks it rightly holds it.
func mutexes() map[string]any {
	return map[string]any{
		"(*sync.Mutex).Unlock": func(mu *sync.Mutex) {
			if mu.TryLock() {
				mu.Unlock()
				panic(errUnlock)
			}
			mu.Unlock()
		},
		"(*sync.RWMutex).Unlock": func(mu *sync.RWMutex) {
			if mu.TryRLock() {
				mu.RUnlock()
				panic(errRWUnlock)
			}
			mu.Unlock()
		},
		"(*sync.RWMutex).RUnlock": func(mu *sync.RWMutex) {
			if mu.TryLock() {
				mu.Unlock()
				panic(errRUnlock)
			}
			mu.RUnlock()
		},
		"(*sync.rlocker).Unlock": func(l sync.Locker) { // of RWMutex.RLocker
			mu := (*sync.RWMutex)((*[2]unsafe.Pointer)(unsafe.Pointer(&l))[1])
			if mu.TryLock() {
				mu.Unlock()
				panic(errRUnlock)
			}
			mu.RUnlock()
		},
		"(*sync.Cond).Wait": func(c *sync.Cond) {
			if mu, ok := c.L.(interface {
				sync.Locker
				TryLock() bool
			}); ok && mu.TryLock() {
				mu.Unlock()
				panic(errUnlock)
			}
			c.Wait()
		},
	}
}
