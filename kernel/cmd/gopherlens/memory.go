package main

import (
	"bufio"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryLimit is how many bytes cells may make the process hold: GOMEMLIMIT, else seven eighths of what the machine or container has; 0 where that is not known.
func memoryLimit() uint64 {
	if n := debug.SetMemoryLimit(-1); n != math.MaxInt64 {
		return uint64(n)
	}
	total := uint64(0)
	if f, err := os.Open("/proc/meminfo"); err == nil {
		defer f.Close()
		total = memTotal(bufio.NewScanner(f))
	}
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if b, err := os.ReadFile(name); err == nil { // "max" where there is no limit
			if n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64); err == nil && n > 0 && (total == 0 || n < total) {
				total = n
			}
		}
	}
	return total / 8 * 7
}

// memTotal reads the first line that counts of /proc/meminfo: MemTotal in kB.
func memTotal(lines *bufio.Scanner) uint64 {
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) == 3 && f[0] == "MemTotal:" && f[2] == "kB" {
			n, err := strconv.ParseUint(f[1], 10, 54)
			if err == nil {
				return n << 10
			}
		}
	}
	return 0
}
