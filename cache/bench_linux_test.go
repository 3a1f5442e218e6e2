package cache_test

import (
	"os"
	"syscall"
	"testing"
)

// dropCaches makes the system forget what it has of a file, so that reading it asks the disk.
func dropCaches(t testing.TB, name string) {
	t.Helper()
	f, err := os.Open(name)
	must(t, err)
	defer f.Close()
	must(t, f.Sync()) // what is not written yet cannot be forgotten
	const dontNeed = 4
	if _, _, errno := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0); errno != 0 {
		t.Logf("%s: %v", name, errno)
	}
}
