package cache

import (
	"fmt"
	"strings"
	"time"
)

// maxReports bounds the reports kept.
const maxReports = 100

// Status tells what the cache holds and how it fares. Counters count since Open.
type Status struct {
	Dir              string       `json:"dir"`
	Policy           string       `json:"policy"`
	Conversations    int          `json:"conversations"`     // on disk, and those that wait for it
	Tokens           int          `json:"tokens"`            // of the conversations read so far
	Memory           MemoryStatus `json:"memory"`            // blocks in memory
	Disk             DiskStatus   `json:"disk"`              // blocks on disk
	RecomputedTokens int64        `json:"recomputed_tokens"` // fed through the model because rows were not stored
	Degraded         string       `json:"degraded"`          // why the disk fails; empty when it works
	UnsavedTokens    int          `json:"unsaved_tokens"`    // only in memory, because it does
	OpenReports      []string     `json:"open_reports"`      // damage found and what was done, oldest first
}

// MemoryStatus is the part of [Status] about blocks in memory.
type MemoryStatus struct {
	Bytes    int64 `json:"bytes"`
	MaxBytes int64 `json:"max_bytes"`
	Hits     int64 `json:"hits"`
	Misses   int64 `json:"misses"`
	Rejected int64 `json:"rejected"` // blocks served without being kept
}

// DiskStatus is the part of [Status] about blocks on disk.
type DiskStatus struct {
	Bytes   int64 `json:"bytes"`
	Blocks  int64 `json:"blocks"`
	Reads   int64 `json:"reads"`
	Writes  int64 `json:"writes"`
	Shared  int64 `json:"shared"`  // blocks not written because they were there
	Corrupt int64 `json:"corrupt"` // damaged blocks and logs found

	LogBytes     int64 `json:"log_bytes"`     // tokens, lens records, events and rows that are in no block yet
	Unsealed     int64 `json:"unsealed"`      // bytes of such rows that make complete blocks, which are being written
	MaxBytes     int64 `json:"max_bytes"`     // of blocks and logs; 0: no limit
	Evicted      int64 `json:"evicted"`       // blocks removed to stay within the limits
	EvictedBytes int64 `json:"evicted_bytes"` // of them
	Denied       int64 `json:"denied"`        // blocks not stored, because the limits left no room
}

// Status is cheap: the first call counts the blocks on disk, later ones keep up with this process only. It works on
// a closed store too.
func (s *Store) Status() Status {
	mem := s.mem.Stats()
	st := Status{
		Dir:    s.dir,
		Policy: s.opt.MemoryPolicy,
		Memory: MemoryStatus{Bytes: mem.bytes, MaxBytes: s.opt.MaxMemory, Hits: s.hits.Load(), Misses: s.misses.Load(), Rejected: mem.rejected},
		Disk: DiskStatus{Reads: s.blocks.reads.Load(), Writes: s.blocks.writes.Load(),
			Shared: s.blocks.shared.Load(), Corrupt: s.blocks.corrupt.Load(), MaxBytes: s.opt.MaxDisk, Unsealed: s.unsavedRows.Load(),
			Evicted: s.lim.evicted.Load(), EvictedBytes: s.lim.evictedBytes.Load(), Denied: s.lim.denied.Load()},
		RecomputedTokens: s.recomputed.Load(),
		OpenReports:      []string{},
	}
	if done, err := s.begin(); err == nil {
		if names, err := ids(s.disk); err == nil {
			st.Conversations = len(names)
		}
		st.Disk.Bytes, st.Disk.Blocks = s.blocks.totals()
		st.Disk.LogBytes = s.total() - st.Disk.Bytes
		done()
	}
	for _, c := range s.loaded() {
		info := c.Info()
		st.Tokens += info.Tokens
		st.UnsavedTokens += info.Tokens - info.Saved
		if c.isAbsent() {
			st.Conversations++
		}
	}
	st.Degraded = s.reason()
	s.notes.Lock()
	defer s.notes.Unlock()
	st.OpenReports = append(st.OpenReports, s.reports...)
	return st
}

// String is a summary for people, a few lines.
func (st Status) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cache %s\n", st.Dir)
	fmt.Fprintf(&b, "  %d conversations, %d tokens read\n", st.Conversations, st.Tokens)
	fmt.Fprintf(&b, "  memory (%s): %s of %s, %d hits, %d misses, %d refused\n", st.Policy,
		size(st.Memory.Bytes), size(st.Memory.MaxBytes), st.Memory.Hits, st.Memory.Misses, st.Memory.Rejected)
	fmt.Fprintf(&b, "  disk: %s in %d blocks, %d read, %d written, %d shared, %d damaged\n",
		size(st.Disk.Bytes), st.Disk.Blocks, st.Disk.Reads, st.Disk.Writes, st.Disk.Shared, st.Disk.Corrupt)
	fmt.Fprintf(&b, "  logs: %s\n", size(st.Disk.LogBytes))
	if st.Disk.MaxBytes > 0 || st.Disk.Evicted+st.Disk.Denied > 0 {
		fmt.Fprintf(&b, "  limit: %s, %d blocks (%s) evicted, %d not stored\n", limit(st.Disk.MaxBytes), st.Disk.Evicted, size(st.Disk.EvictedBytes), st.Disk.Denied)
	}
	fmt.Fprintf(&b, "  recomputed: %d tokens", st.RecomputedTokens)
	if st.Degraded != "" {
		fmt.Fprintf(&b, "\n  degraded: %s", st.Degraded)
	}
	if st.UnsavedTokens > 0 {
		fmt.Fprintf(&b, "\n  only in memory: %d tokens", st.UnsavedTokens)
	}
	for _, r := range st.OpenReports {
		fmt.Fprintf(&b, "\n  report: %s", r)
	}
	return b.String()
}

func limit(n int64) string {
	if n <= 0 {
		return "none"
	}
	return size(n)
}

func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// report keeps a line for Status. Old ones go first.
func (s *Store) report(format string, args ...any) {
	line := time.Now().UTC().Format(time.RFC3339) + " " + strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; ")
	s.notes.Lock()
	defer s.notes.Unlock()
	if len(s.reports) == maxReports {
		s.reports = append(s.reports[:0], s.reports[1:]...)
	}
	s.reports = append(s.reports, line)
}
