package cache

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
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

	mu    sync.Mutex // held briefly, never during disk access
	convs map[string]*Conversation

	notes    sync.Mutex
	degraded string
	reports  []string
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
	if err := prepare(disk, dir); err != nil {
		return nil, join(err, disk.Close())
	}
	mem, closeMem, err := newMemory(opt.MemoryPolicy, opt.MaxMemory)
	if err != nil {
		return nil, join(err, disk.Close())
	}
	if _, err := sweepTemporary(disk); err != nil {
		closeMem()
		return nil, join(err, disk.Close())
	}
	return &Store{
		dir: dir, opt: opt, disk: disk,
		blocks: &blockStore{disk: disk, durable: opt.Sync != SyncNever},
		mem:    mem, closeMem: closeMem,
		fills: semaphore.NewWeighted(maxFills),
		convs: map[string]*Conversation{},
	}, nil
}

// prepare checks the version, makes the folders and proves that they can be written.
func prepare(d filesystem, dir string) error {
	known, err := readVersion(d, dir)
	if err != nil {
		return err
	}
	for _, name := range folders {
		if info, err := d.Lstat(name); err == nil && info.IsDir() {
			continue
		}
		if err := d.MkdirAll(name); err != nil {
			return err
		}
	}
	if !known {
		return publish(d, versionFile, []byte(versionText), true)
	}
	probe := tempName()
	if err := writeNew(d, probe, nil, false); err != nil {
		return err
	}
	return d.Remove(probe)
}

// Close waits for calls in progress, ends the memory cache and gives up the locks. Later calls fail with ErrClosed;
// a second Close does nothing.
func (s *Store) Close() error {
	s.gate.Lock()
	if s.closed {
		s.gate.Unlock()
		return nil
	}
	s.closed = true
	s.gate.Unlock()
	s.busy.Wait()
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

// Create makes an empty conversation. An empty id makes one. ErrExists if the id is taken, also by another process.
func (s *Store) Create(id string, sp Space) (*Conversation, error) {
	done, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	if id == "" {
		id = newID()
	}
	if err := checkID(id); err != nil {
		return nil, err
	}
	if err := sp.Validate(); err != nil {
		return nil, fmt.Errorf("conversation %s: %w", id, err)
	}
	meta := metadata{Format: formatMajor, UID: rand.Text(), Created: time.Now().UTC(), Space: sp}
	if err := s.makeConversation(id, meta); err != nil {
		if errors.Is(err, ErrExists) {
			return nil, fmt.Errorf("conversation %w", err)
		}
		s.degrade(err)
		return nil, fmt.Errorf("conversation %s: %w", id, err)
	}
	c := &Conversation{s: s, meta: meta, id: id, root: rootKey(sp), state: state{full: true, updated: meta.Created}}
	s.mu.Lock()
	old := s.convs[id]
	s.convs[id] = c
	s.mu.Unlock()
	if old != nil { // another process had deleted it
		old.drop()
	}
	return c, nil
}

// moveConversation gives a complete folder its place. The system refuses a place that another process took just now.
func (s *Store) moveConversation(from, id string) error {
	taken := func() bool {
		_, err := s.disk.Lstat(convPath(id))
		return err == nil
	}
	if taken() {
		return fmt.Errorf("%s: %w", id, ErrExists)
	}
	err := s.disk.Rename(from, convPath(id))
	if err != nil && taken() {
		return fmt.Errorf("%s: %w", id, ErrExists)
	}
	return err
}

// makeConversation shows the folder only when it is complete.
func (s *Store) makeConversation(id string, meta metadata) error {
	data, err := meta.marshal()
	if err != nil {
		return err
	}
	tmp, durable := tempName(), s.durable()
	err = s.disk.MkdirAll(tmp)
	if err == nil {
		err = writeNew(s.disk, tmp+"/metadata.json", data, durable)
	}
	if err == nil && durable {
		err = s.disk.SyncDir(tmp)
	}
	if err == nil {
		err = s.moveConversation(tmp, id)
	}
	if err != nil {
		return join(err, s.disk.RemoveAll(tmp))
	}
	if durable {
		return s.disk.SyncDir("conv")
	}
	return nil
}

// Conversation opens a conversation and reads what other processes have added to it since. ErrNotFound if there is
// none. Asking again gives the same value as long as the conversation exists.
func (s *Store) Conversation(id string) (*Conversation, error) {
	done, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := checkID(id); err != nil {
		return nil, err
	}
	return s.get(id, true)
}

// get finds a conversation in memory or on disk. full asks for records and events too.
func (s *Store) get(id string, full bool) (*Conversation, error) {
	s.mu.Lock()
	c := s.convs[id]
	s.mu.Unlock()
	if c != nil {
		same, err := c.refresh(full)
		if err != nil {
			return nil, fmt.Errorf("conversation %s: %w", id, err)
		}
		if same {
			return c, nil
		}
		s.forget(c)
	}
	c, err := s.load(id, full)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	other := s.convs[id]
	if other == nil {
		s.convs[id] = c
	}
	s.mu.Unlock()
	if other == nil {
		return c, nil
	}
	// Another goroutine read it at the same time; all must share one value.
	if _, err := other.refresh(full); err != nil {
		return nil, fmt.Errorf("conversation %s: %w", id, err)
	}
	return other, nil
}

// forget drops a conversation that is not on disk any more.
func (s *Store) forget(c *Conversation) {
	id := c.ID()
	s.mu.Lock()
	if s.convs[id] == c {
		delete(s.convs, id)
	}
	s.mu.Unlock()
	c.drop()
}

// drop makes every later use of the conversation fail with ErrNotFound.
func (c *Conversation) drop() {
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	if err := c.release(); err != nil {
		c.s.report("conversation %s: %v", c.ID(), err)
	}
}

// ids lists the conversations on disk, sorted.
func ids(d filesystem) ([]string, error) {
	entries, err := d.ReadDir("conv")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if id, ok := idOfDir(e.Name()); ok && e.IsDir() {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out, nil
}

// all brings every conversation on disk into memory, tokens only. One that cannot be read is reported and left out.
func (s *Store) all() ([]*Conversation, error) {
	names, err := ids(s.disk)
	if err != nil {
		return nil, err
	}
	for _, c := range s.loaded() {
		if _, there := slices.BinarySearch(names, c.ID()); !there {
			if _, err := s.disk.Lstat(convPath(c.ID())); errors.Is(err, fs.ErrNotExist) {
				s.forget(c)
			}
		}
	}
	out := make([]*Conversation, 0, len(names))
	for _, id := range names {
		c, err := s.get(id, false)
		switch {
		case err == nil:
			out = append(out, c)
		case !errors.Is(err, ErrNotFound):
			s.report("%v", err)
		}
	}
	return out, nil
}

// List describes all conversations, the most recently written first.
func (s *Store) List() ([]Info, error) {
	done, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	all, err := s.all()
	if err != nil {
		return nil, fmt.Errorf("cache %s: %w", s.dir, err)
	}
	out := make([]Info, len(all))
	for i, c := range all {
		out[i] = c.Info()
	}
	slices.SortStableFunc(out, func(a, b Info) int { return b.Updated.Compare(a.Updated) })
	return out, nil
}

// Prefix finds the conversation of the space that has the longest prefix in common with ids, n tokens of it, the
// most recently written if several do. It is nil, 0 if none shares the first token or the store is closed.
func (s *Store) Prefix(sp Space, ids []int) (c *Conversation, n int) {
	var newest time.Time
	s.search(sp, ids, func(cand *Conversation, k int, updated time.Time) {
		if k > n || k > 0 && k == n && updated.After(newest) {
			c, n, newest = cand, k, updated
		}
	})
	if c = s.whole(c); c == nil {
		return nil, 0
	}
	return c, n
}

// Beginning finds the conversations of the space that begin with ids and go on, in no particular order.
func (s *Store) Beginning(sp Space, ids []int) []*Conversation {
	var found []*Conversation
	s.search(sp, ids, func(cand *Conversation, k int, _ time.Time) {
		if k == len(ids) && cand.Len() > k {
			found = append(found, cand)
		}
	})
	whole := found[:0]
	for _, c := range found {
		if c = s.whole(c); c != nil {
			whole = append(whole, c)
		}
	}
	return whole
}

// search shows every conversation of the space and how many tokens it has in common with ids. Only tokens are read.
func (s *Store) search(sp Space, ids []int, show func(c *Conversation, common int, updated time.Time)) {
	done, err := s.begin()
	if err != nil {
		return
	}
	defer done()
	all, err := s.all()
	if err != nil {
		s.report("%v", err)
		return
	}
	for _, c := range all {
		st, err := c.snapshot()
		if err != nil || c.meta.Space != sp {
			continue
		}
		k := 0
		for k < len(ids) && k < len(st.tokens) && ids[k] == st.tokens[k] {
			k++
		}
		show(c, k, st.updated)
	}
}

// whole is c with its records and events read; nil when it cannot be.
func (s *Store) whole(c *Conversation) *Conversation {
	if c == nil {
		return nil
	}
	done, err := s.begin()
	if err != nil {
		return nil
	}
	defer done()
	full, err := s.get(c.ID(), true)
	if err != nil {
		s.report("%v", err)
		return nil
	}
	return full
}

// Delete removes a conversation: its tokens, records, events and tail at once, its blocks at a later Sweep if no
// other conversation names them. One that cannot be read any more is put into quarantine instead. ErrLocked while
// another process writes to it.
func (s *Store) Delete(id string) error {
	err := s.withLock(id, func(c *Conversation) error {
		tmp := tempName()
		if err := s.disk.Rename(convPath(id), tmp); err != nil {
			return err
		}
		s.mu.Lock()
		delete(s.convs, id)
		s.mu.Unlock()
		c.mu.Lock()
		c.gone = true
		c.mu.Unlock()
		return join(s.disk.SyncDir("conv"), s.disk.RemoveAll(tmp))
	})
	var damaged *CorruptError
	if errors.As(err, &damaged) || errors.Is(err, ErrNotFound) {
		return s.setAside(id, err)
	}
	return err
}

// setAside moves the folder of a conversation that fails to load with cause to quarantine; without a folder it returns cause.
func (s *Store) setAside(id string, cause error) error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	lock, err := s.disk.Lock("locks/" + dirName(id))
	if err != nil {
		return fmt.Errorf("conversation %s: %w", id, err)
	}
	defer lock.Close()
	switch err := s.disk.Rename(convPath(id), fmt.Sprintf("quarantine/%s-%d", dirName(id), time.Now().UnixNano())); {
	case errors.Is(err, fs.ErrNotExist):
		return cause
	case err != nil:
		return fmt.Errorf("conversation %s: %w", id, err)
	}
	s.report("conversation %s could not be read and is in quarantine: %v", id, cause)
	return s.disk.SyncDir("conv")
}

// Rename gives a conversation another id. ErrExists if that is taken, ErrLocked while another process writes.
func (s *Store) Rename(old, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	return s.withLock(old, func(c *Conversation) error {
		if id == old {
			return nil
		}
		if err := s.moveConversation(convPath(old), id); err != nil {
			return err
		}
		s.mu.Lock()
		delete(s.convs, old)
		s.convs[id] = c
		c.mu.Lock()
		c.id = id
		c.mu.Unlock()
		s.mu.Unlock()
		return s.disk.SyncDir("conv")
	})
}

// withLock runs fn on a conversation whose logs are closed while this process holds its lock. The lock is given up
// afterwards; the next append takes it again.
func (s *Store) withLock(id string, fn func(*Conversation) error) error {
	done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	if err := checkID(id); err != nil {
		return err
	}
	c, err := s.get(id, false)
	if err != nil {
		return err
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.isGone() || c.ID() != id {
		return fmt.Errorf("conversation %s: %w", id, ErrNotFound)
	}
	var lock io.Closer
	if c.lock != nil {
		lock, c.lock = c.lock, nil
		if c.w != nil {
			err = c.w.close()
			c.w = nil
		}
	} else {
		lock, err = c.takeLock()
	}
	if err == nil {
		err = fn(c)
	}
	c.writing.Store(false)
	if lock != nil {
		err = join(err, lock.Close())
	}
	if err != nil {
		return fmt.Errorf("conversation %s: %w", id, err)
	}
	return nil
}
