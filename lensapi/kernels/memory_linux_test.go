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
