package kernels

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapMemory maps n zero bytes that begin at a huge page, and asks for huge pages: reading weights through 4 KiB pages
// costs a fifth of the bandwidth. The second slice is what unmapMemory takes.
func mapMemory(n int) (data, mapped []byte, err error) {
	b, err := unix.Mmap(-1, 0, n+hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return nil, nil, err
	}
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (hugePage - 1))
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // a kernel without huge pages is slower, not wrong
	return b[skip : skip+n : skip+n], b, nil
}

func unmapMemory(mapped []byte) {
	if err := unix.Munmap(mapped); err != nil {
		panic(err) // not what mapMemory returned
	}
}

// dropMemory gives the pages that lie wholly in b back; they read as zeros from then on.
func dropMemory(b []byte) {
	const page = 64 << 10 // of any kernel
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (page - 1))
	if n := (len(b) - skip) &^ (page - 1); n > 0 {
		_ = unix.Madvise(b[skip:skip+n], unix.MADV_DONTNEED) // advice
	}
}
