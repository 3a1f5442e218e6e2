package kernels

import (
	"runtime"
	"sync"
)

// minWork is the multiply-adds below which starting a goroutine costs more than it saves (a few microseconds).
const minWork = 1 << 17

// Parallel splits [0, n) into at most GOMAXPROCS intervals and calls f on each, the last one on the caller's
// goroutine; work estimates the multiply-adds of the whole. It may be called from within f. f must not depend on
// how [0, n) is split. It returns when all calls have; a panic in one of them is raised again in the caller.
func Parallel(n, work int, f func(lo, hi int)) {
	parts := min(n, work/minWork)
	if parts > 1 {
		parts = min(parts, runtime.GOMAXPROCS(0))
	}
	if parts <= 1 {
		f(0, n)
		return
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failure any
	run := func(i int) {
		defer func() {
			if r := recover(); r != nil {
				mu.Lock()
				failure = r
				mu.Unlock()
			}
		}()
		f(i*n/parts, (i+1)*n/parts)
	}
	for i := range parts - 1 {
		wg.Go(func() { run(i) })
	}
	run(parts - 1)
	wg.Wait()
	if failure != nil {
		panic(failure)
	}
}
