package lens

import (
	"os"
	"syscall"
)

// drop makes the system forget what it has of a file, so that reading it asks the disk.
func drop(f *os.File) error {
	if err := f.Sync(); err != nil { // what is not written yet cannot be forgotten
		return err
	}
	const dontNeed = 4
	if _, _, errno := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
