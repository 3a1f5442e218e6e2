//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package weights

import (
	"io/fs"
	"math"
	"os"
	"syscall"
)

// mapFile maps a file of size bytes for reading. No mapping and no error: it is not a file of the operating system, or the
// system will not map it, and it is read instead.
func mapFile(f fs.File, size int64) (data []byte, unmap func() error) {
	file, ok := f.(*os.File)
	if !ok || size <= 0 || size > math.MaxInt {
		return nil, nil
	}
	data, err := syscall.Mmap(int(file.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil
	}
	return data, func() error { return syscall.Munmap(data) }
}
