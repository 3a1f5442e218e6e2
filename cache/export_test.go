package cache

// For tests of the public behaviour that need a faulty disk or memory.

type (
	Filesystem = filesystem
	File       = file
)

// OpenOn opens a store with something between it and the disk.
func OpenOn(dir string, opt Options, wrap func(Filesystem) Filesystem) (*Store, error) {
	return open(dir, opt.withDefaults(), wrap)
}

// RejectAll replaces the memory cache by one that keeps nothing.
func (s *Store) RejectAll() { s.mem = rejectAll{} }

type rejectAll struct{}

func (rejectAll) Get(blockKey) (*block, bool) { return nil, false }
func (rejectAll) Add(*block)                  {}
func (rejectAll) Remove(blockKey)             {}
func (rejectAll) Stats() memoryStats          { return memoryStats{} }
