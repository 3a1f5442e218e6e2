package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// vanish takes note that another process has deleted the conversation.
func (c *Conversation) vanish() {
	id := c.ID()
	if lost := c.vanishAs(id); lost > 0 {
		c.s.report("conversation %s was deleted by another process while %d tokens of it were not saved", id, lost)
	}
}

// vanishAs ends the conversation in memory and says how many tokens were nowhere else.
func (c *Conversation) vanishAs(id string) (lost int) {
	c.s.mu.Lock()
	if c.s.convs[id] == c {
		delete(c.s.convs, id)
	}
	c.s.mu.Unlock()
	c.mu.Lock()
	c.gone = true
	lost = len(c.state.tokens) - c.state.un.saved
	c.setUnsaved(unsaved{})
	c.mu.Unlock()
	c.s.healthy(c)
	c.s.healthy(sealing{c})
	return lost
}

// errElsewhere: the conversation has been given another id.
var errElsewhere = errors.New("saved under another id")

// openFolder makes the conversation's folder and takes its lock.
func (c *Conversation) openFolder() error {
	st, err := c.snapshot()
	if err != nil {
		return err
	}
	if st.un.absent {
		id, uid := c.identity()
		meta := c.meta
		meta.UID = uid
		switch err := c.s.makeConversation(id, meta); {
		case errors.Is(err, ErrExists):
			return c.elsewhere("another one of this id was made meanwhile")
		case err != nil:
			return err
		}
		c.mu.Lock()
		c.state.un.absent = false
		c.mu.Unlock()
	}
	if c.lock == nil {
		return c.acquire()
	}
	return nil
}

// acquire takes the lock and brings the state up to date: until now another process may have written. With ErrChanged
// the lock is kept, so that the caller can decide and try again.
func (c *Conversation) acquire() error {
	lock, err := c.takeLock()
	if err != nil {
		return err
	}
	err = c.catchUp()
	if err != nil && !errors.Is(err, ErrChanged) {
		return join(err, lock.Close())
	}
	c.lock = lock
	c.mine.Store(true)
	return err
}

func (c *Conversation) takeLock() (io.Closer, error) {
	return c.s.disk.Lock("locks/" + dirName(c.ID()))
}

// there asks the disk whether the folder of this id is still that of this conversation. ErrNotFound if it is not.
func (c *Conversation) there() error {
	id, uid := c.identity()
	meta, err := readMetadata(c.s.disk, convPath(id))
	if errors.Is(err, fs.ErrNotExist) || err == nil && meta.UID != uid {
		if c.s.vanished() {
			return errVanished
		}
		return ErrNotFound
	}
	return err
}

// catchUp compares with the disk, under the lock.
func (c *Conversation) catchUp() error {
	if err := c.there(); err != nil {
		return err
	}
	before, err := c.snapshot()
	if err != nil {
		return err
	}
	st, err := c.repair(true)
	if err == nil {
		err = c.syncLog(st.logEnd)
	}
	if err != nil {
		return err
	}
	if c.mine.Load() { // with something that is not saved, as the lock is not held
		if len(st.tokens) != before.un.saved || len(st.events) != before.un.savedEvents {
			return c.elsewhere("another process has added to it meanwhile")
		}
		c.mu.Lock()
		u := c.state.un
		u.base, u.durable = savedUpTo(&st).base, u.saved
		u.entries, u.written = u.entries[u.written:], 0
		c.setUnsaved(u)
		c.state.logEnd = st.logEnd
		c.mu.Unlock()
		return nil
	}
	for i, row := range st.tail { // rows recomputed here are not in the log
		if row == nil && len(st.tokens) == len(before.tokens) {
			st.tail[i] = before.tail[i]
		}
	}
	st.un = savedUpTo(&st)
	c.setState(st)
	if len(st.tokens) != len(before.tokens) {
		return fmt.Errorf("%w: it had %d tokens when read and has %d", ErrChanged, len(before.tokens), len(st.tokens))
	}
	return nil
}

// syncLog forces what another process may have left to the system. What is added later can then be called durable.
func (c *Conversation) syncLog(end int64) error {
	if end <= magicSize || !c.s.durable() {
		return nil
	}
	f, err := c.s.disk.OpenWrite(convPath(c.ID())+"/tokens.log", false)
	if err != nil {
		return err
	}
	return join(f.Sync(), f.Close())
}

// elsewhere gives the conversation another id, so that what is in memory can be saved beside what the disk has.
func (c *Conversation) elsewhere(why string) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.id
	c.id, c.uid = c.s.freeID(old), newUID()
	u := everything(&c.state)
	u.absent = true
	c.setUnsaved(u)
	if c.s.convs[old] == c {
		delete(c.s.convs, old)
	}
	c.s.convs[c.id] = c
	c.s.report("conversation %s could not be saved in time and goes on as %s: %s", old, c.id, why)
	return errElsewhere
}

// claim makes sure that nobody else adds to the conversation. A disk that does not answer is no reason to refuse: the
// claim is then made when it does.
func (c *Conversation) claim() error {
	if c.mine.Load() {
		return nil
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.isGone() {
		return ErrNotFound
	}
	err := c.acquire()
	switch {
	case err == nil:
	case isRefusal(err):
		return err
	default:
		c.s.degrade(c, err)
		c.mu.Lock()
		c.state.un = savedUpTo(&c.state)
		c.mu.Unlock()
		c.mine.Store(true)
	}
	return nil
}

// isRefusal tells answers about a conversation from failures of the disk.
func isRefusal(err error) bool {
	return errors.Is(err, ErrLocked) || errors.Is(err, ErrChanged) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrVersion) || errors.Is(err, ErrNoLocks)
}
