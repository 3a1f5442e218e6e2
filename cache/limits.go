package cache

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultMaxConversationDisk bounds the residual rows of one conversation on disk.
const DefaultMaxConversationDisk = 100 << 20

const (
	highWater = 90 // percent of a limit from which on rows are evicted
	lowWater  = 80 // and down to which

	countEvery = 10 * time.Second
	touchEvery = time.Minute // how exactly other processes know when a conversation was used
	maxWriters = 64          // conversations whose logs this process holds open
)

// limits accounts for what is on disk. Rows are evicted, never tokens: they can be computed again.
type limits struct {
	counting sync.Mutex
	logs     atomic.Int64 // bytes of the logs, counted now and then and kept up by this process in between
	counted  time.Time    // when

	evicting                      sync.Mutex
	evicted, evictedBytes, denied atomic.Int64

	mu      sync.Mutex
	writers []*Conversation // with open logs, the longest open first
}

// used notes that a conversation is in use, for the order of eviction.
func (s *Store) used(c *Conversation) {
	now := time.Now().UnixNano()
	c.lastUse.Store(now)
	if last := c.touched.Load(); now-last > int64(touchEvery) && c.touched.CompareAndSwap(last, now) {
		_ = s.disk.Touch(convPath(c.ID())) // only the order of eviction depends on it
	}
}

// total is the number of bytes of blocks and logs.
func (s *Store) total() int64 {
	s.lim.counting.Lock()
	defer s.lim.counting.Unlock()
	if time.Since(s.lim.counted) > countEvery {
		s.lim.counted = time.Now()
		if s.opt.MaxDisk > 0 { // other processes write too
			s.blocks.recount()
		}
		if names, err := ids(s.disk); err == nil {
			var sum int64
			for _, id := range names {
				for _, name := range []string{"/tokens.log", "/tail.wal"} {
					if info, err := s.disk.Lstat(convPath(id) + name); err == nil {
						sum += info.Size()
					}
				}
			}
			s.lim.logs.Store(sum)
		}
	}
	bytes, _ := s.blocks.totals()
	return bytes + s.lim.logs.Load()
}

// room makes room for a block of about n bytes and says whether there is any.
func (s *Store) room(c *Conversation, n int64) bool {
	if limit := s.opt.MaxConversationDisk; limit > 0 && c.diskBytes(nil)+n > limit {
		others := s.sharers(c)
		if c.diskBytes(others)+n > limit {
			s.evictOwn(c, others, limit*lowWater/100-n)
		}
		if c.diskBytes(others)+n > limit {
			s.lim.denied.Add(1)
			return false
		}
	}
	if limit := s.opt.MaxDisk; limit > 0 && s.total()+n > limit*highWater/100 {
		if err := s.evict(limit*lowWater/100 - n); err != nil {
			s.report("evicting rows: %v", err)
		}
		if s.total()+n > limit {
			s.lim.denied.Add(1)
			return false
		}
	}
	return true
}

// roomFor is room without evicting anything: what is computed anew must not drive out what is in use.
func (s *Store) roomFor(c *Conversation, n int64) bool {
	own, all := s.opt.MaxConversationDisk, s.opt.MaxDisk
	ok := (own <= 0 || c.diskBytes(nil)+n <= own || c.diskBytes(s.sharers(c))+n <= own) && (all <= 0 || s.total()+n <= all*highWater/100)
	if !ok {
		s.lim.denied.Add(1)
	}
	return ok
}

// sharers counts the other conversations that name a block.
func (s *Store) sharers(c *Conversation) map[blockKey]int64 {
	all, err := s.all()
	if err != nil {
		s.report("looking for conversations that share rows with %s: %v", c.ID(), err)
	}
	others := map[blockKey]int64{}
	for _, other := range all {
		if st, err := other.snapshot(); err == nil && other != c {
			for _, k := range st.keys {
				others[k]++
			}
		}
	}
	return others
}

// diskBytes is the size of the blocks that the conversation names. Of a block that others name too it bears a part.
func (c *Conversation) diskBytes(others map[blockKey]int64) int64 {
	st, err := c.snapshot()
	if err != nil {
		return 0
	}
	c.sizesMu.Lock()
	defer c.sizesMu.Unlock()
	var sum int64
	for _, k := range st.keys {
		size, known := c.sizes[k]
		if !known {
			info, err := c.s.disk.Lstat(k.path())
			if err != nil {
				continue
			}
			if c.sizes == nil {
				c.sizes = map[blockKey]int64{}
			}
			size = info.Size()
			c.sizes[k] = size
		}
		sum += size / (others[k] + 1)
	}
	return sum
}

func (c *Conversation) forgetSize(key blockKey) {
	c.sizesMu.Lock()
	delete(c.sizes, key)
	c.sizesMu.Unlock()
}

// evictOwn removes the first blocks of a conversation until those that remain have at most target bytes. Those that
// others share stay.
func (s *Store) evictOwn(c *Conversation, others map[blockKey]int64, target int64) {
	st, err := c.snapshot()
	if err != nil {
		return
	}
	for left := c.diskBytes(others); len(st.keys) > 0 && left > target; st.keys = st.keys[1:] {
		if key := st.keys[0]; others[key] == 0 {
			n, err := s.drop(key)
			if err != nil {
				s.report("evicting %s: %v", key.path(), err)
				return
			}
			left -= n
			c.forgetSize(key)
		}
	}
}

// drop evicts a block and says how many bytes that freed.
func (s *Store) drop(key blockKey) (int64, error) {
	info, err := s.disk.Lstat(key.path())
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if err := s.blocks.remove(key, info.Size()); err != nil {
		return 0, err
	}
	s.lim.evicted.Add(1)
	s.lim.evictedBytes.Add(info.Size())
	return info.Size(), nil
}

// evict removes blocks until the folder has at most target bytes: first those that no conversation names, then those of
// the least recently used conversations. A conversation that some process writes to keeps all of its blocks, and no
// tokens, records or events are removed.
func (s *Store) evict(target int64) error {
	s.lim.evicting.Lock()
	defer s.lim.evicting.Unlock()
	if s.total() <= target {
		return nil // another goroutine was here before
	}
	if _, err := s.sweep(); err != nil {
		return err
	}
	all, err := s.all()
	if err != nil {
		return err
	}
	order := make([]evictee, 0, len(all))
	for _, c := range all {
		if st, err := c.snapshot(); err == nil {
			order = append(order, evictee{c, st.keys, s.lastUse(c), c.mine.Load()})
		}
	}
	slices.SortStableFunc(order, func(a, b evictee) int {
		if a.open != b.open {
			return cmp.Compare(btoi(a.open), btoi(b.open))
		}
		return a.last.Compare(b.last)
	})
	owner := map[blockKey]int{} // the last conversation in this order that names a block
	for i, e := range order {
		for _, k := range e.keys {
			owner[k] = i
		}
	}
	for i, e := range order {
		if e.open || s.total() <= target {
			break
		}
		if err := s.evictConversation(e, i, owner, target); err != nil {
			return err
		}
	}
	return nil
}

type evictee struct {
	c    *Conversation
	keys []blockKey
	last time.Time
	open bool
}

func (s *Store) evictConversation(e evictee, i int, owner map[blockKey]int, target int64) error {
	if !e.c.wmu.TryLock() {
		return nil // in use
	}
	defer e.c.wmu.Unlock()
	if e.c.lock != nil || e.c.isGone() {
		return nil
	}
	lock, err := e.c.takeLock()
	if errors.Is(err, ErrLocked) {
		return nil // open in another process
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	for _, k := range e.keys {
		if owner[k] != i {
			continue
		}
		if s.total() <= target {
			return nil
		}
		if _, err := s.drop(k); err != nil {
			return err
		}
		e.c.forgetSize(k)
	}
	return nil
}

func (s *Store) lastUse(c *Conversation) time.Time {
	last := time.Unix(0, c.lastUse.Load())
	dir := convPath(c.ID())
	for _, name := range []string{dir, path.Join(dir, "tokens.log")} {
		if info, err := s.disk.Lstat(name); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// opened notes that the logs of c were opened, and closes those of another conversation if there are too many. c's wmu
// is held.
func (s *Store) opened(c *Conversation) {
	s.lim.mu.Lock()
	s.lim.writers = append(slices.DeleteFunc(s.lim.writers, func(w *Conversation) bool { return w == c }), c)
	others := slices.Clone(s.lim.writers[:len(s.lim.writers)-1])
	over := len(s.lim.writers) - maxWriters
	s.lim.mu.Unlock()
	for _, w := range others {
		if over <= 0 {
			return
		}
		if w.giveUp() {
			over--
			s.lim.mu.Lock()
			s.lim.writers = slices.DeleteFunc(s.lim.writers, func(x *Conversation) bool { return x == w })
			s.lim.mu.Unlock()
		}
	}
}

// giveUp closes the logs of a conversation that nobody is writing to, and its lock; the next append takes it again.
func (c *Conversation) giveUp() bool {
	if !c.amu.TryLock() {
		return false
	}
	defer c.amu.Unlock()
	if !c.wmu.TryLock() {
		return false
	}
	defer c.wmu.Unlock()
	if st, err := c.snapshot(); err == nil && !st.un.empty() {
		return false
	}
	c.trim(true)
	err := c.closeLogs()
	if c.lock != nil {
		err = join(err, c.lock.Close())
		c.lock = nil
	}
	c.mine.Store(false)
	if err != nil {
		c.s.report("conversation %s: closing its files: %v", c.ID(), err)
	}
	return true
}
