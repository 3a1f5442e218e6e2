package kernel_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

// TestOutOfMemory: a cell that takes more and more is stopped, says why, and
// leaves the kernel alive; garbage does not count.
func TestOutOfMemory(t *testing.T) {
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	const room = 256 << 20
	var hoard [][]byte
	grow := func(keep bool) func(context.Context, *kernel.Cell) (any, error) {
		return func(ctx context.Context, _ *kernel.Cell) (any, error) {
			for range 32 {
				b := make([]byte, room/16)
				for i := 0; i < len(b); i += 4096 {
					b[i] = 1
				}
				if hoard = append(hoard, b); !keep {
					hoard = nil
				}
				select {
				case <-ctx.Done():
					hoard = nil
					return nil, ctx.Err()
				case <-time.After(5 * time.Millisecond):
				}
			}
			return nil, errors.New("nobody stopped it")
		}
	}
	s := kerneltest.StartConfig(t, kernel.Config{Connection: kerneltest.TCP(), MemoryLimit: before.Sys - before.HeapReleased + room,
		Evaluator: cells{"x": value(1), "hoards": grow(true), "wastes": grow(false)}})
	if reply, _ := run(t, s.Client, wire.NewExecuteContent("wastes")); reply.EValue != "nobody stopped it" {
		t.Errorf("a cell that makes garbage: %+v", reply.Failure)
	}
	reply, _ := run(t, s.Client, wire.NewExecuteContent("hoards"))
	if reply.EName != "OutOfMemory" || !strings.Contains(reply.EValue, "MiB") {
		t.Errorf("a cell that takes too much: %+v", reply.Failure)
	}
	alive(t, s.Client)
}
