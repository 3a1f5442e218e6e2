package kernels

import (
	"runtime"
	"sync"
	"unsafe"
	"weak"
)

const (
	hugePage  = 2 << 20
	cacheLine = 64
	// chunkSize is the address space reserved at a time for matrices; what is not written takes no memory.
	chunkSize = 32 * hugePage
	// smallest is the size from which memory is taken from outside the Go heap.
	smallest = 64 << 10
)

// chunk is memory outside the Go heap that several matrices share. It is unmapped when the last of them is gone.
type chunk struct {
	data []byte
	used int
}

var chunks struct {
	sync.Mutex
	current weak.Pointer[chunk] // the one that has room; weak, so that it goes with its matrices
}

// allocate returns n zero bytes that begin at a cache line, and what must be kept alive with them; nil if they are on the Go heap.
func allocate(n int) ([]byte, *chunk) {
	if n < smallest {
		return onHeap(n), nil
	}
	chunks.Lock()
	defer chunks.Unlock()
	c := chunks.current.Value()
	if c == nil || len(c.data)-c.used < n {
		data, mapped, err := mapMemory(max(n, chunkSize))
		if err != nil {
			return onHeap(n), nil
		}
		c = &chunk{data: data}
		runtime.AddCleanup(c, unmapMemory, mapped)
		if n < chunkSize {
			chunks.current = weak.Make(c)
		}
	}
	b := c.data[c.used : c.used+n : c.used+n]
	c.used += (n + cacheLine - 1) &^ (cacheLine - 1)
	return b, c
}

func onHeap(n int) []byte {
	b := make([]byte, n+cacheLine-1)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (cacheLine - 1))
	return b[skip : skip+n : skip+n]
}
