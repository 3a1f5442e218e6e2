package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"
)

// Store is a cache folder. It is safe for concurrent use, and several processes may open one folder.
type Store struct {
	dir    string
	opt    Options
	disk   filesystem
	blocks *blockStore
	mem    memory

	closeMem func()
	flights  singleflight.Group  // block reads and recomputations under way
	fills    *semaphore.Weighted // bytes of blocks being read: they are not in the memory budget yet

	hits, misses, recomputed atomic.Int64

	gate   sync.Mutex // guards closed and the first Add of busy after it
	closed bool
	busy   sync.WaitGroup

	names nameLocks
	mu    sync.Mutex // held briefly, never during disk access
	convs map[string]*Conversation

	lim    limits
	sealer sealer

	ready        atomic.Bool   // the folder could be prepared
	unsavedBytes atomic.Int64  // of tokens, records and events that wait for the disk
	unsavedRows  atomic.Int64  // of rows of complete blocks that are not sealed
	backlog      int           // blocks of a conversation that may wait to be sealed
	trimAfter    int64         // bytes of sealed rows in a tail from which on they are taken out
	inline       bool          // seal at once, in tests that need the same order each time
	patience     time.Duration // how long a call waits for the disk
	lessPatience time.Duration // and once the disk fails
	retryAfter   time.Duration // the first wait before a failed write is tried again

	notes   sync.Mutex
	trouble map[any]string // why something fails, by what fails: a conversation, or a word
	retries int            // since something was well
	timer   *time.Timer    // of the next retry
	ended   bool           // no more of them
	reports []string
}

// maxFills bounds the bytes of blocks being read from disk at one time.
const maxFills = 128 << 20

// folders of a cache. tmp holds unfinished files, quarantine what was damaged.
var folders = []string{"blocks", "conv", "locks", "quarantine", "tmp"}

// Open opens the cache in dir, making the folder if it is not there. Conversations are read when they are asked for.
// A folder written by an unknown major version of the format is refused and left as it is (ErrVersion).
func Open(dir string, opt Options) (*Store, error) {
	if err := opt.Validate(); err != nil {
		return nil, fmt.Errorf("cache options: %w", err)
	}
	s, err := open(dir, opt.withDefaults(), nil)
	if err != nil && !errors.Is(err, ErrVersion) {
		return nil, fmt.Errorf("cache folder %s cannot be used: %w; choose another with --cache-dir or GOPHERLENS_CACHE_DIR", dir, err)
	}
	return s, err
}

// open is Open with a way to put something between the store and the disk.
func open(dir string, opt Options, wrap func(filesystem) filesystem) (*Store, error) {
	if dir == "" {
		return nil, errors.New("no folder given")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, dirPerm); err != nil {
		return nil, err
	}
	var disk filesystem
	if disk, err = openDisk(dir); err != nil {
		return nil, err
	}
	if wrap != nil {
		disk = wrap(disk)
	}
	return openOn(disk, dir, opt)
}

// openOn opens the cache on a disk and takes it over.
func openOn(disk filesystem, dir string, opt Options) (*Store, error) {
	if opt.ProcessMemory > 0 {
		debug.SetMemoryLimit(opt.ProcessMemory)
	}
	mem, closeMem := newMemory(opt.MemoryPolicy, newBudget(opt.MaxMemory, opt.ProcessMemory))
	s := &Store{
		dir: dir, opt: opt, disk: disk,
		blocks: &blockStore{disk: disk, durable: opt.Sync == SyncAlways},
		mem:    mem, closeMem: closeMem,
		fills:    semaphore.NewWeighted(maxFills),
		convs:    map[string]*Conversation{},
		trouble:  map[any]string{},
		patience: patience, lessPatience: lessPatience, retryAfter: retryAfter,
		backlog: maxBacklog, trimAfter: trimAfter,
	}
	if opt.MaxDisk > 0 {
		s.trimAfter = min(s.trimAfter, opt.MaxDisk/64)
	}
	_, err := s.prepare()
	if err != nil && !isOutage(err) {
		closeMem()
		return nil, join(err, disk.Close())
	}
	if err != nil { // what can be read is read, and what is new waits in memory
		s.degrade(inFolder, err)
	}
	return s, nil
}

// isOutage tells disks that cannot be written now from folders that can never be a cache.
func isOutage(err error) bool {
	if errors.Is(err, ErrVersion) || errors.Is(err, ErrNoLocks) || errors.As(err, new(*CorruptError)) {
		return false
	}
	for _, e := range []error{syscall.ENOSPC, syscall.EROFS, syscall.EIO, syscall.EDQUOT, fs.ErrPermission} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// prepare checks the version, makes the folders and proves that they can be written and locked. made: there was no
// cache in the folder.
func (s *Store) prepare() (made bool, err error) {
	d := s.disk
	known, err := readVersion(d, s.dir)
	if err != nil {
		return false, err
	}
	missing := false
	for _, name := range folders {
		if info, err := d.Lstat(name); err == nil && info.IsDir() {
			continue
		}
		missing = true
		if err := d.MkdirAll(name); err != nil {
			return false, err
		}
	}
	if missing && known && s.durable() {
		if err := d.SyncDir("."); err != nil {
			return false, err
		}
	}
	probe := tempName()
	if err := writeNew(d, probe, []byte("probe"), false); err != nil {
		return false, join(err, ignoreNotExist(d.Remove(probe)))
	}
	if err := d.Remove(probe); err != nil {
		return false, err
	}
	lock, err := d.Lock("locks/probe")
	if err == nil {
		err = lock.Close()
	} else if errors.Is(err, ErrLocked) { // another process is looking too
		err = nil
	}
	if err == nil && !known {
		err = publish(d, versionFile, []byte(versionText), s.durable())
	}
	if err == nil {
		_, err = sweepTemporary(d)
	}
	if err == nil {
		s.ready.Store(true)
	}
	return !known, err
}

// Close waits for calls in progress, saves what waits for the disk, ends the memory cache and gives up the locks. What
// could not be saved is lost and named in the error, which is then ErrUnsaved. Later calls fail with ErrClosed; a
// second Close does nothing.
func (s *Store) Close() error {
	s.gate.Lock()
	if s.closed {
		s.gate.Unlock()
		return nil
	}
	s.closed = true
	s.gate.Unlock()
	s.stopRetrying()
	s.busy.Wait()
	if s.reason() != "" {
		s.saveAll() // the folder may be well again, or another one
	}
	var errs []error
	for _, c := range s.loaded() {
		errs = append(errs, c.release())
	}
	s.closeMem()
	return join(append(errs, s.disk.Close())...)
}

// begin registers a call that Close must wait for.
func (s *Store) begin() (done func(), err error) {
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.closed {
		return nil, fmt.Errorf("%s: %w", s.dir, ErrClosed)
	}
	s.busy.Add(1)
	return s.busy.Done, nil
}

// durable reports whether files published are synced.
func (s *Store) durable() bool { return s.opt.Sync != SyncNever }

// loaded lists the conversations in memory.
func (s *Store) loaded() []*Conversation {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*Conversation, 0, len(s.convs))
	for _, c := range s.convs {
		out = append(out, c)
	}
	return out
}
