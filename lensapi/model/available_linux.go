package model

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// available is the memory that can be had: what the system calls available, within what the control groups of this process leave it.
func available() (n int64, ok bool) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	if n, ok = field(data, "MemAvailable:"); !ok {
		return 0, false
	}
	n *= 1024
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return n, true
	}
	_, path, ok := strings.Cut(string(groups), "0::")
	if !ok { // only version 2 has one group for all
		return n, true
	}
	path, _, _ = strings.Cut(path, "\n")
	for dir := filepath.Join("/sys/fs/cgroup", path); strings.HasPrefix(dir, "/sys/fs/cgroup"); dir = filepath.Dir(dir) {
		limit, ok := number(filepath.Join(dir, "memory.max"))
		used, ok2 := number(filepath.Join(dir, "memory.current"))
		stat, err := os.ReadFile(filepath.Join(dir, "memory.stat"))
		if !ok || !ok2 || err != nil {
			continue
		}
		cached, _ := field(stat, "inactive_file") // given back when it is needed
		n = min(n, max(0, limit-used+cached))
	}
	return n, true
}

// field is the number behind a name that begins a line.
func field(data []byte, name string) (n int64, ok bool) {
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) > 1 && f[0] == name {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

func number(file string) (n int64, ok bool) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err = strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	return n, err == nil
}
