//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package weights

import (
	"io/fs"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps a file of size bytes for reading. No mapping and no error: it is not a file of the operating system, or the
// system will not map it, and it is read instead.
func mapFile(f fs.File, size int64) (data []byte, unmap func() error) {
	file, ok := f.(*os.File)
	if !ok || size <= 0 || size > math.MaxInt {
		return nil, nil
	}
	data, err := unix.Mmap(int(file.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil
	}
	return data, func() error { return unix.Munmap(data) }
}

// release tells the system that mapped bytes are not needed for now; their file stays in its cache.
func release(b []byte) {
	page := os.Getpagesize()
	if n := len(b) &^ (page - 1); n > 0 {
		_ = unix.Madvise(b[:n], unix.MADV_DONTNEED) // advice: it may be ignored
	}
}
