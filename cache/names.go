package cache

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"
)

// nameLocks let one goroutine at a time decide which value and which folder an id stands for: what is on disk and what
// is in memory change together, so that no id ever has two values that both write. The ids share the locks.
type nameLocks [64]sync.Mutex

// lock takes the locks of some ids, at most two. Disk access is allowed under them, taking amu, wmu or smu is not: those
// come first.
func (n *nameLocks) lock(ids ...string) (unlock func()) {
	var at []int
	for _, id := range ids {
		at = append(at, int(crc([]byte(id))%uint32(len(n))))
	}
	slices.Sort(at)
	at = slices.Compact(at)
	for _, i := range at {
		n[i].Lock()
	}
	return func() {
		for _, i := range at {
			n[i].Unlock()
		}
	}
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
	meta := metadata{Format: formatMajor, UID: newUID(), Log: true, Created: time.Now().UTC(), Space: sp}
	lay, err := s.opt.layout(sp)
	if err != nil {
		return nil, fmt.Errorf("conversation %s: %w", id, err)
	}
	meta.setLayout(lay)
	c := &Conversation{s: s, meta: meta, id: id, uid: meta.UID, lay: lay, root: rootKey(sp, lay), state: state{full: true, updated: meta.Created}}
	old, err := s.enter(c)
	if err != nil {
		return nil, fmt.Errorf("conversation %s: %w", id, err)
	}
	if old != nil { // another process had deleted it
		old.drop()
	}
	return c, nil
}

// enter gives a new conversation its folder and its place in memory. old is the value that had the place.
func (s *Store) enter(c *Conversation) (old *Conversation, err error) {
	defer s.names.lock(c.id)()
	if old := s.inMemory(c.id); old != nil && old.isAbsent() {
		return nil, ErrExists
	}
	err = s.makeConversation(c.id, c.meta)
	if errors.Is(err, ErrExists) {
		return nil, ErrExists
	}
	if err != nil { // it begins in memory
		c.state.un.absent = true
		c.state.un.base = magicSize
		c.mine.Store(true)
	}
	s.mu.Lock()
	old = s.convs[c.id]
	if old != nil && (old.isAbsent() || err != nil && !old.isGone()) {
		s.mu.Unlock()
		return nil, ErrExists
	}
	s.convs[c.id] = c
	s.mu.Unlock()
	if err != nil {
		s.degrade(c, fmt.Errorf("conversation %s: %w", c.id, err))
	}
	return old, nil
}

func newUID() string { return rand.Text() }

// freeID gives an id like the one taken, free as far as this process knows. s.mu is held.
func (s *Store) freeID(id string) string {
	base, _, _ := strings.Cut(id, "~")
	base = base[:min(len(base), maxIDLen-8)]
	for n := 1; ; n++ {
		free := fmt.Sprintf("%s~%d", base, n)
		if s.convs[free] != nil {
			continue
		}
		if _, err := s.disk.Lstat(convPath(free)); err != nil {
			return free
		}
	}
}

// lookAgain notices a conversation that was made although making it failed in its last step. wmu is held.
func (c *Conversation) lookAgain() {
	if !c.isAbsent() {
		return
	}
	id, uid := c.identity()
	if meta, err := readMetadata(c.s.disk, convPath(id)); err == nil && meta.UID == uid {
		c.mu.Lock()
		c.state.un.absent = false
		c.mu.Unlock()
	}
}

func (c *Conversation) isAbsent() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.state.un.absent && !c.gone
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
	if err == nil { // an empty log tells a conversation without tokens from one that has lost its log
		err = writeNew(s.disk, tmp+"/tokens.log", []byte(tokensMagic), durable)
	}
	if err == nil && durable {
		err = s.disk.SyncDir(tmp)
	}
	if err == nil {
		err = s.moveConversation(tmp, id)
	}
	if err != nil {
		there, readErr := readMetadata(s.disk, convPath(id))
		if readErr != nil || there.UID != meta.UID { // an earlier try may have failed in its last step only
			return join(err, s.disk.RemoveAll(tmp))
		}
		if err := s.disk.RemoveAll(tmp); err != nil {
			return err
		}
	}
	if durable {
		return s.disk.SyncDir("conv")
	}
	return nil
}

// Delete removes a conversation: its tokens, records, events and tail at once, its blocks at a later Sweep if no
// other conversation names them. One that cannot be read any more is put into quarantine instead. ErrLocked while
// another process writes to it.
func (s *Store) Delete(id string) error {
	err := s.withLock(id, func(c *Conversation) error {
		if c.isAbsent() {
			c.vanishAs(id)
			return nil
		}
		tmp := tempName()
		if err := s.disk.Rename(convPath(id), tmp); err != nil {
			return err
		}
		c.vanishAs(id)
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
	defer s.names.lock(id)()
	lock, err := s.disk.Lock("locks/" + dirName(id))
	if err != nil {
		return fmt.Errorf("conversation %s: %w", id, err)
	}
	defer lock.Close()
	if _, err := readMetadata(s.disk, convPath(id)); err == nil {
		return cause // another one, made after that was found
	}
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
	var other *Conversation
	err := s.withLock(old, func(c *Conversation) error {
		if id == old {
			return nil
		}
		absent := c.isAbsent()
		if absent {
			if _, err := s.disk.Lstat(convPath(id)); err == nil {
				return fmt.Errorf("%s: %w", id, ErrExists)
			}
		} else if err := s.moveConversation(convPath(old), id); err != nil {
			return err
		}
		s.mu.Lock()
		other = s.convs[id]
		if other != nil && other.isAbsent() {
			other = nil
			s.mu.Unlock()
			if !absent {
				return join(fmt.Errorf("%s: %w", id, ErrExists), s.disk.Rename(convPath(id), convPath(old)))
			}
			return fmt.Errorf("%s: %w", id, ErrExists)
		}
		delete(s.convs, old)
		s.convs[id] = c
		c.mu.Lock()
		c.id = id
		c.mu.Unlock()
		s.mu.Unlock()
		if absent {
			return nil
		}
		return s.disk.SyncDir("conv")
	}, id)
	if other != nil { // another process had deleted it
		other.drop()
	}
	return err
}

// withLock runs fn on a conversation whose logs are closed while this process holds its lock, and this goroutine those
// of its id and of other names that fn needs. They are given up afterwards; the next append takes the first again.
func (s *Store) withLock(id string, fn func(*Conversation) error, names ...string) error {
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
	c.amu.Lock() // one who adds relies on the claim until the end
	defer c.amu.Unlock()
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.smu.Lock()
	defer c.smu.Unlock()
	if c.isGone() || c.ID() != id {
		return fmt.Errorf("conversation %s: %w", id, ErrNotFound)
	}
	defer s.names.lock(append(names, id)...)()
	c.lookAgain()
	lock := c.lock
	c.lock = nil
	if lock != nil {
		err = c.closeLogs()
	} else if !c.isAbsent() {
		lock, err = c.takeLock()
	}
	if err == nil && !c.isAbsent() {
		if err = c.there(); errors.Is(err, ErrNotFound) {
			c.vanish()
		}
	}
	if err == nil {
		err = fn(c)
	}
	c.mu.Lock()
	if c.gone || c.state.un.logged() {
		c.mine.Store(false)
	}
	c.mu.Unlock()
	if lock != nil {
		err = join(err, lock.Close())
	}
	if err != nil {
		return fmt.Errorf("conversation %s: %w", id, err)
	}
	return nil
}
