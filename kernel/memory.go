package kernel

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// memoryTick is how often the memory is looked at while a cell runs.
const memoryTick = 20 * time.Millisecond

// outOfMemory is why a cell was stopped that took too much.
type outOfMemory struct{ held, limit uint64 }

func (e outOfMemory) Error() string {
	return fmt.Sprintf("the cell was stopped before the kernel ran out of memory: the process holds %s, %s are allowed (variables keep what they hold; set them to nil to release it)",
		size(e.held), size(e.limit))
}

func size(n uint64) string {
	if n >= 10<<30 {
		return fmt.Sprintf("%.0f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
}

// held is what the Go runtime has taken from the system and not given back.
func held() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}

// watchMemory cancels a cell when the process holds more than the limit after
// the garbage is gone. done ends the watch.
func (k *Kernel) watchMemory(cancel context.CancelCauseFunc) (done func()) {
	limit := k.cfg.MemoryLimit
	if limit == 0 {
		return func() {}
	}
	ctx, stop := context.WithCancel(k.ctx)
	go func() {
		tick := time.NewTicker(memoryTick)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if held() <= limit {
				continue
			}
			runtime.GC()
			if held() > limit {
				debug.FreeOSMemory() // what is free but not given back does not count
			}
			if n := held(); n > limit {
				cancel(outOfMemory{n, limit})
				return
			}
		}
	}()
	return stop
}
