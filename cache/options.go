package cache

import (
	"fmt"
	"time"
)

// Memory policies: how the memory above the blocks decides what to keep.
const (
	PolicyRistretto = "ristretto" // sampled TinyLFU: better for repeated scans
	PolicyLRU       = "lru"       // least recently used by bytes: better when memory is scarce
)

// SyncPolicy says when written data is forced to the device. Whatever it is, data written by a call that returned
// survives the death of the process; the policy is about loss of power.
type SyncPolicy int

const (
	// SyncBlock syncs when a block of 16 tokens is sealed: a power cut loses at most 15 tokens. The default.
	SyncBlock SyncPolicy = iota
	// SyncAlways syncs in every Append and AddEvent.
	SyncAlways
	// SyncNever leaves it to the operating system.
	SyncNever
)

// DefaultMaxMemory bounds the blocks held in memory. Peak process memory is about twice as much, because the
// collector lets garbage grow to the size of live data.
const DefaultMaxMemory = 450 << 20

// DefaultSweepGrace is the age below which Sweep leaves unnamed blocks alone.
const DefaultSweepGrace = 10 * time.Minute

// Options of [Open]. The zero value is the default of every field.
type Options struct {
	MaxMemory    int64         // bytes of blocks in memory; 0 means DefaultMaxMemory
	MemoryPolicy string        // PolicyRistretto (default) or PolicyLRU
	Sync         SyncPolicy    // SyncBlock by default
	SweepGrace   time.Duration // 0 means DefaultSweepGrace; longer than the longest write
}

// Validate lists everything that is wrong with the options.
func (o Options) Validate() error {
	var errs []error
	if o.MaxMemory < 0 {
		errs = append(errs, fmt.Errorf("memory limit %d is negative (0 means %d)", o.MaxMemory, DefaultMaxMemory))
	}
	if o.MemoryPolicy != "" && o.MemoryPolicy != PolicyRistretto && o.MemoryPolicy != PolicyLRU {
		errs = append(errs, fmt.Errorf("memory policy %q is unknown (allowed: %s, %s)", o.MemoryPolicy, PolicyRistretto, PolicyLRU))
	}
	if o.Sync < SyncBlock || o.Sync > SyncNever {
		errs = append(errs, fmt.Errorf("sync policy %d is unknown (allowed: SyncBlock, SyncAlways, SyncNever)", o.Sync))
	}
	if o.SweepGrace < 0 {
		errs = append(errs, fmt.Errorf("sweep grace %v is negative", o.SweepGrace))
	}
	return join(errs...)
}

func (o Options) withDefaults() Options {
	if o.MaxMemory == 0 {
		o.MaxMemory = DefaultMaxMemory
	}
	if o.MemoryPolicy == "" {
		o.MemoryPolicy = PolicyRistretto
	}
	if o.SweepGrace == 0 {
		o.SweepGrace = DefaultSweepGrace
	}
	return o
}
