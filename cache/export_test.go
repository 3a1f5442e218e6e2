package cache

import (
	"time"
)

// For tests of the public behaviour that need a faulty disk or memory.

type (
	Filesystem = filesystem
	File       = file
)

// OpenOn opens a store with something between it and the disk.
func OpenOn(dir string, opt Options, wrap func(Filesystem) Filesystem) (*Store, error) {
	return open(dir, opt.withDefaults(), wrap)
}

// OpenDisk opens a store on any disk.
func OpenDisk(d Filesystem, opt Options) (*Store, error) {
	return openOn(d, "disk in memory", opt.withDefaults())
}

// SetWaits changes how long calls wait for the disk, and how long after a failure the next try is made.
func (s *Store) SetWaits(patience, retry time.Duration) { s.patience, s.retryAfter = patience, retry }

// Retry does at once what the timer does later.
func (s *Store) Retry() { s.retry() }

// RejectAll replaces the memory cache by one that keeps nothing.
func (s *Store) RejectAll() { s.mem = rejectAll{} }

type rejectAll struct{}

func (rejectAll) Get(blockKey) (*block, bool) { return nil, false }
func (rejectAll) Add(*block)                  {}
func (rejectAll) Remove(blockKey)             {}
func (rejectAll) Stats() memoryStats          { return memoryStats{} }
