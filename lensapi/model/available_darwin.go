package model

import "golang.org/x/sys/unix"

// available is all of the machine's memory: the system pages and compresses, and says nothing better.
func available() (n int64, ok bool) {
	size, err := unix.SysctlUint64("hw.memsize")
	return int64(size), err == nil
}
