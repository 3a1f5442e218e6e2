package kernels_test

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// TestPackFault packs a mapped file that has been cut: every thread meets the fault, and it ends none.
func TestPackFault(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	const n, k = 512, 512
	f, err := os.Create(filepath.Join(t.TempDir(), "weights"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(4 * n * k); err != nil {
		t.Fatal(err)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, 4*n*k, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b)
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p, ok := recover().(interface{ Addr() uintptr }); !ok {
			t.Errorf("not the panic of a fault: %v", p)
		}
	}()
	kernels.Pack(unsafe.Slice((*float32)(unsafe.Pointer(&b[0])), n*k), n, k)
}

// TestDrop: what is dropped is gone, and takes none of its neighbours along.
func TestDrop(t *testing.T) {
	const n, k = 512, 512
	w := make([]float32, n*k)
	for i := range w {
		w[i] = float32(i%97) - 48
	}
	a, b, c := kernels.Pack(w, n, k), kernels.Pack(w, n, k), kernels.Pack(w, n, k)
	row := make([]float32, k)
	b.Drop()
	for _, m := range []*kernels.Matrix{a, c} {
		for out := range n {
			if m.Row(row, out); row[k-1] != w[out*k+k-1] || row[0] != w[out*k] {
				t.Fatalf("row %d of a neighbour changed", out)
			}
		}
	}
	if b.Row(row, n/2); row[k/2] != 0 {
		t.Errorf("a dropped weight is still %v", row[k/2])
	}
}
