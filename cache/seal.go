package cache

import (
	"fmt"
	"slices"
	"sync"
)

// pending is a complete block that has no file yet. Its rows are in the tail, or about to be, so an append need not
// wait while they are compressed: that is done in the background. A process that dies leaves them to the next one.
type pending struct {
	key  blockKey
	n    int      // its number in the conversation
	rows []encRow // of its tokens
}

// cost is what it takes in memory, in bytes.
func (p *pending) cost() int64 {
	n := int64(64)
	for _, r := range p.rows {
		n += int64(len(r)) + 24
	}
	return n
}

// block finds a complete block that is not sealed yet.
func (u *unsaved) block(key blockKey) *pending {
	for _, p := range u.blocks {
		if p.key == key {
			return p
		}
	}
	return nil
}

const (
	maxBacklog = 2       // blocks of a conversation that may wait to be sealed
	trimAfter  = 1 << 20 // bytes of sealed rows in a tail from which on they are taken out
)

// sealer is the one goroutine that seals blocks. It ends when nothing is left to do.
type sealer struct {
	mu      sync.Mutex
	queue   []*Conversation
	running bool
}

// sealing is in trouble when blocks of a conversation cannot be sealed.
type sealing struct{ c *Conversation }

// sealBacklog seals what is more than may wait: of a prompt that comes at once most is sealed at once, and not written
// twice. A failure is noted, and the rows then go to the tail. wmu is held.
func (c *Conversation) sealBacklog() {
	for {
		st, err := c.snapshot()
		if err != nil || len(st.un.blocks) <= c.backlog() {
			return
		}
		if more, err := c.sealNext(); err != nil || !more {
			return
		}
	}
}

// backlog is how many blocks may wait: none if a block more in the tail is much beside the limit of the folder.
func (c *Conversation) backlog() int {
	if limit := c.s.opt.MaxDisk; limit > 0 && c.lay.blockBytes() > limit/64 {
		return 0
	}
	return c.s.backlog
}

// sealLater leaves complete blocks to the background.
func (c *Conversation) sealLater() {
	st, err := c.snapshot()
	switch {
	case err != nil || len(st.un.blocks) == 0:
	case c.s.inline:
		c.sealAndTrim()
	default:
		c.s.sealSoon(c)
	}
}

// sealSoon has the blocks of a conversation sealed in the background. A call is in progress, so that Close waits.
func (s *Store) sealSoon(c *Conversation) {
	s.sealer.mu.Lock()
	defer s.sealer.mu.Unlock()
	if !slices.Contains(s.sealer.queue, c) {
		s.sealer.queue = append(s.sealer.queue, c)
	}
	if !s.sealer.running {
		s.sealer.running = true
		s.busy.Add(1)
		go s.seal()
	}
}

func (s *Store) seal() {
	defer s.busy.Done()
	for {
		s.sealer.mu.Lock()
		if len(s.sealer.queue) == 0 {
			s.sealer.running = false
			s.sealer.mu.Unlock()
			return
		}
		c := s.sealer.queue[0]
		s.sealer.queue = s.sealer.queue[1:]
		s.sealer.mu.Unlock()
		c.sealAndTrim()
	}
}

func (c *Conversation) sealAndTrim() {
	if c.sealAll() == nil { // else it is noted, and tried again later
		c.wmu.Lock()
		c.trim(false)
		c.wmu.Unlock()
	}
}

// sealAll seals what is complete. A failure is noted.
func (c *Conversation) sealAll() error {
	for {
		if more, err := c.sealNext(); err != nil || !more {
			return err
		}
	}
}

// sealNext makes the file of the first block that has none. more is false when there is none. A block is the same
// whoever seals it, so this needs no lock of the conversation; that it is not deleted meanwhile does need one.
func (c *Conversation) sealNext() (more bool, err error) {
	if c.isGone() { // a sweep that forgets it may be what another one who seals it waits for
		return false, nil
	}
	c.smu.Lock()
	defer c.smu.Unlock()
	st, err := c.snapshot()
	if err != nil || len(st.un.blocks) == 0 {
		return false, nil
	}
	p := st.un.blocks[0]
	if err := c.sealBlock(p); err != nil {
		err = fmt.Errorf("conversation %s: %w", c.ID(), err)
		c.s.degrade(sealing{c}, err)
		return false, err
	}
	c.s.healthy(sealing{c})
	c.sealed.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if u := c.state.un; len(u.blocks) > 0 && u.blocks[0] == p {
		u.blocks = u.blocks[1:]
		c.setUnsaved(u)
	}
	return true, nil
}

func (c *Conversation) sealBlock(p *pending) error {
	if there, err := c.s.blocks.renew(p.key, c.lay); there || err != nil {
		return err
	}
	b, err := newBlock(p.key, c.lay, p.rows)
	if err != nil {
		return err
	}
	if c.s.room(c, b.cost()) {
		err = c.s.blocks.put(b)
	} // else it is computed again when it is asked for later
	if err == nil {
		c.s.mem.Add(b)
	}
	return err
}
