package cache

import (
	"fmt"
	"io"
	"strings"
)

// Metrics writes the status in the text format of Prometheus.
func (st Status) Metrics(w io.Writer) error {
	var b strings.Builder
	metric := func(kind, name, help string, value any) {
		fmt.Fprintf(&b, "# HELP gopherlens_cache_%s %s\n# TYPE gopherlens_cache_%s %s\ngopherlens_cache_%s %v\n", name, help, name, kind, name, value)
	}
	gauge := func(name, help string, value any) { metric("gauge", name, help, value) }
	counter := func(name, help string, value int64) { metric("counter", name+"_total", help, value) }
	degraded := 0
	if st.Degraded != "" {
		degraded = 1
	}
	gauge("degraded", "1 while the disk fails and conversations go on in memory.", degraded)
	gauge("unsaved_tokens", "Tokens that are only in memory.", st.UnsavedTokens)
	gauge("conversations", "Conversations on disk.", st.Conversations)
	gauge("memory_bytes", "Bytes of blocks in memory.", st.Memory.Bytes)
	gauge("memory_max_bytes", "Limit of the blocks in memory.", st.Memory.MaxBytes)
	counter("memory_hits", "Blocks found in memory.", st.Memory.Hits)
	counter("memory_misses", "Blocks not found in memory.", st.Memory.Misses)
	counter("memory_rejected", "Blocks that memory did not keep.", st.Memory.Rejected)
	gauge("disk_block_bytes", "Bytes of blocks on disk.", st.Disk.Bytes)
	gauge("disk_blocks", "Blocks on disk.", st.Disk.Blocks)
	gauge("disk_log_bytes", "Bytes of logs on disk.", st.Disk.LogBytes)
	gauge("disk_unsealed_bytes", "Bytes of rows in logs that are being made blocks.", st.Disk.Unsealed)
	gauge("disk_max_bytes", "Limit of the folder, 0 for none.", st.Disk.MaxBytes)
	counter("disk_reads", "Blocks read from disk.", st.Disk.Reads)
	counter("disk_writes", "Blocks written.", st.Disk.Writes)
	counter("disk_shared", "Blocks not written because they were there.", st.Disk.Shared)
	counter("disk_corrupt", "Damaged blocks and logs found.", st.Disk.Corrupt)
	counter("disk_evicted", "Blocks evicted to stay within the limits.", st.Disk.Evicted)
	counter("disk_evicted_bytes", "Bytes of the blocks evicted.", st.Disk.EvictedBytes)
	counter("disk_denied", "Blocks not stored for lack of room.", st.Disk.Denied)
	counter("recomputed_tokens", "Tokens fed through a model because rows were not stored.", st.RecomputedTokens)
	_, err := io.WriteString(w, b.String())
	return err
}

// HitRatio is the part of block reads that memory answered, 0 to 1; 0 without reads.
func (m MemoryStatus) HitRatio() float64 {
	if m.Hits+m.Misses == 0 {
		return 0
	}
	return float64(m.Hits) / float64(m.Hits+m.Misses)
}
