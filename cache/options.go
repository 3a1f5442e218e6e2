package cache

import (
	"errors"
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
	// SyncBlock syncs the tokens when a block of 16 is sealed: a power cut loses at most 15 tokens. The rows, which can be
	// computed again, are left to the operating system. The default.
	SyncBlock SyncPolicy = iota
	// SyncAlways syncs tokens and rows in every Append and AddEvent.
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

	// MaxDisk bounds the folder, 0 means no limit; MaxConversationDisk the rows of one conversation, 0 means
	// DefaultMaxConversationDisk, -1 no limit; of rows that several share each bears its part. Beyond them rows are
	// evicted, never tokens or what the lens showed: blocks that no conversation names, then those of the least recently
	// used conversations, none that is being written to; of a conversation that is too large, its first. They are computed
	// again when they are asked for.
	MaxDisk, MaxConversationDisk int64

	// ProcessMemory bounds the memory of the whole process, softly: Open hands it to debug.SetMemoryLimit, and the
	// blocks in memory make way for models and everything else. 0 means no limit.
	ProcessMemory int64

	// How new conversations store residual rows. One that exists keeps what it was made with.
	Codec  Codec // "" means CodecF16
	Layers []int // the rows that are stored; negative ones count from the last; nil means all
	Block  int   // tokens of a block, 1 to MaxBlockTokens; 0 means BlockTokens
}

// layout of new conversations of a space.
func (o Options) layout(sp Space) (layout, error) {
	l := layout{Block: o.Block, Rows: sp.Rows, DModel: sp.DModel, codec: o.Codec}
	var err error
	if l.layers, err = pickLayers(o.Layers, sp.Rows); err == nil && l.layers != nil {
		l.Rows = len(l.layers)
	}
	return l, err
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
	if o.MaxDisk < 0 || o.MaxConversationDisk < -1 || o.ProcessMemory < 0 {
		errs = append(errs, fmt.Errorf("limits of %d bytes on disk, %d of a conversation and %d of memory: none may be negative but the second, -1 for no limit",
			o.MaxDisk, o.MaxConversationDisk, o.ProcessMemory))
	}
	if o.Codec != "" {
		errs = append(errs, o.Codec.validate())
	}
	if o.Layers != nil && len(o.Layers) == 0 {
		errs = append(errs, errors.New("no layer is stored (nil means all)"))
	}
	if o.Block < 0 || o.Block > MaxBlockTokens {
		errs = append(errs, fmt.Errorf("blocks of %d tokens are not possible (allowed: 1 to %d, 0 means %d)", o.Block, MaxBlockTokens, BlockTokens))
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
	if o.MaxConversationDisk == 0 {
		o.MaxConversationDisk = DefaultMaxConversationDisk
	}
	if o.Codec == "" {
		o.Codec = CodecF16
	}
	if o.Block == 0 {
		o.Block = BlockTokens
	}
	if o.SweepGrace == 0 {
		o.SweepGrace = DefaultSweepGrace
	}
	return o
}
