package cache

import (
	"errors"
	"fmt"
	"time"
)

// Bounds of what waits for a disk that refuses, in all conversations together.
const (
	maxUnsaved     = 256 << 20 // bytes of tokens, records and events; beyond it nothing more is taken
	maxUnsavedRows = 64 << 20  // bytes of rows of complete blocks; beyond it they are left to a recomputation
)

// unsaved is what a conversation has in memory and not for sure on the device.
type unsaved struct {
	absent  bool       // its folder has to be made
	base    int64      // bytes of the token log that are on the device; the entries follow
	entries []entry    // kept until they are synced: a sync that failed may have lost any of them
	written int        // entries[:written] are in the file
	blocks  []*pending // complete, not sealed yet, in their order
	rows    bool       // the tail lacks rows

	saved, savedEvents int // tokens and events that are in the file
	durable            int // tokens that are on the device
}

// entry is what one call added to the token log.
type entry struct {
	frames         []byte
	tokens, events int  // of the conversation, with this entry
	sealed         bool // a block became complete
}

func (u *unsaved) push(frames []byte, st *state, sealed bool) {
	u.entries = append(u.entries, entry{frames, len(st.tokens), len(st.events), sealed})
}

// logged: everything is in the logs, though blocks may still be without a file.
func (u *unsaved) logged() bool { return !u.absent && u.written == len(u.entries) && !u.rows }

func (u *unsaved) empty() bool { return u.logged() && len(u.blocks) == 0 }

// savedUpTo is what there is to say of a state that was read from the disk.
func savedUpTo(st *state) unsaved {
	return unsaved{base: max(st.logEnd, magicSize), blocks: st.un.blocks, saved: len(st.tokens), savedEvents: len(st.events), durable: len(st.tokens)}
}

// everything makes all of the state unsaved: the files are gone.
func everything(st *state) unsaved {
	u := unsaved{base: magicSize, blocks: st.un.blocks, rows: true}
	var frames []byte
	next := 0
	for pos := 0; pos <= len(st.tokens); pos++ {
		for ; next < len(st.events) && st.events[next].At == pos; next++ {
			frames = appendFrame(frames, frame{kind: frameEvent, at: pos, payload: st.events[next].Data})
		}
		if pos < len(st.tokens) {
			frames = appendFrame(frames, frame{frameToken, pos, st.tokens[pos], st.records[pos]})
		}
	}
	u.push(frames, st, true)
	return u
}

// setUnsaved replaces the list under mu and keeps the store's sums right.
func (c *Conversation) setUnsaved(u unsaved) {
	oldBytes, oldRows := c.state.un.size()
	bytes, rows := u.size()
	c.s.unsavedBytes.Add(bytes - oldBytes)
	c.s.unsavedRows.Add(rows - oldRows)
	c.state.un = u
}

// size gives the bytes of the entries and of the blocks.
func (u *unsaved) size() (bytes, rows int64) {
	for _, e := range u.entries {
		bytes += int64(len(e.frames))
	}
	for _, b := range u.blocks {
		rows += b.cost()
	}
	return bytes, rows
}

// writer holds the logs of a conversation open.
type writer struct {
	tokens, tail file
	tailEnd      int64
	tailPos      int    // the tail has the rows of positions before this one
	tailBlock    int    // and begins with this block
	fresh        bool   // nothing was written since the logs were opened
	buf          []byte // for frames
}

func (w *writer) close() error { return join(w.tokens.Close(), w.tail.Close()) }

// patience is how long a call waits for the disk before the conversation goes on in memory.
const (
	patience     = 2 * time.Second
	lessPatience = 20 * time.Millisecond // once the disk is known to be slow
)

// flush saves what is not saved and waits for it for a while.
func (c *Conversation) flush() {
	if !c.queued.CompareAndSwap(false, true) {
		return // one that waits for the disk already will save this too
	}
	c.s.busy.Add(1) // of a call in progress, so it is not zero
	done := make(chan struct{})
	go func() {
		defer c.s.busy.Done()
		defer close(done)
		c.wmu.Lock()
		saved := c.saveOrRetry()
		c.wmu.Unlock()
		if saved {
			c.sealLater()
		}
	}()
	wait := c.s.patience
	if c.s.isDegraded(c) {
		wait = min(wait, c.s.lessPatience)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	start, sealed := time.Now(), c.sealed.Load()
	for {
		select {
		case <-done:
			return
		case <-timer.C:
		}
		if n := c.sealed.Load(); n != sealed { // the disk is only busy
			sealed = n
			timer.Reset(wait)
			continue
		}
		if c.queued.Load() || !c.s.isDegraded(c) {
			c.s.degrade(c, fmt.Errorf("conversation %s: the disk is slow: a write has not ended after %v", c.ID(), time.Since(start).Round(time.Millisecond)))
		}
		return
	}
}

// saveOrRetry saves, or sees to it that it is tried again later. wmu is held.
func (c *Conversation) saveOrRetry() bool {
	c.queued.Store(false)
	if err := c.save(); err != nil {
		c.s.degrade(c, fmt.Errorf("conversation %s: %w", c.ID(), err))
		return false
	}
	c.s.healthy(c)
	return true
}

// save brings the logs up to date. Rows go before their tokens: a row without its token is dropped at the next start.
// Rows that cannot be saved do not hold up tokens, since they can be computed again. wmu is held.
func (c *Conversation) save() error {
	st, err := c.snapshot()
	if err != nil || st.un.logged() {
		return nil
	}
	if err := c.openWriter(); err != nil {
		if errors.Is(err, ErrNotFound) {
			c.vanish()
		}
		return err
	}
	c.sealBacklog()
	if st, err = c.snapshot(); err != nil {
		return nil
	}
	rowErr := c.saveTail(&st)
	if err := join(rowErr, c.saveLog(&st)); err != nil {
		return join(err, c.closeLogs()) // the next try writes the tail anew
	}
	return nil
}

// openWriter makes the conversation if need be, takes its lock and opens its logs at the end of what is known.
func (c *Conversation) openWriter() error {
	if c.w != nil {
		return nil
	}
	for {
		err := c.openFolder()
		if err == nil {
			break
		}
		if !errors.Is(err, errElsewhere) {
			return err
		}
	}
	dir := convPath(c.ID())
	st, err := c.snapshot()
	if err != nil {
		return err
	}
	w := &writer{fresh: true}
	if w.tokens, err = c.openLog(&st, dir+"/tokens.log"); err != nil {
		return err
	}
	c.sealBacklog()
	if st, err = c.snapshot(); err != nil {
		return join(err, w.tokens.Close())
	}
	// After a failed write the tail may end in rows of tokens that were not taken: write it anew.
	if err = c.startTail(w, &st); err != nil {
		return join(err, w.tokens.Close())
	}
	c.w = w
	c.s.opened(c)
	c.s.used(c)
	return nil
}

// openLog opens the token log and drops what lies behind the entries that were written.
func (c *Conversation) openLog(st *state, name string) (file, error) {
	f, err := c.s.disk.OpenWrite(name, false)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	end := st.un.base
	for _, e := range st.un.entries[:st.un.written] {
		end += int64(len(e.frames))
	}
	switch {
	case err != nil:
	case info.Size() < magicSize && st.un.base == magicSize: // of a conversation without tokens
		_, err = f.WriteAt([]byte(tokensMagic), 0)
	case info.Size() < st.un.base: // what was there is gone; memory has all of it
		c.s.report("%v; it is written anew", &CorruptError{name, info.Size(), fmt.Errorf("%d bytes that were there are gone", st.un.base-info.Size())})
		c.s.blocks.corrupt.Add(1)
		c.mu.Lock()
		c.setUnsaved(everything(&c.state))
		c.mu.Unlock()
		if _, err = f.WriteAt([]byte(tokensMagic), 0); err == nil {
			err = f.Truncate(magicSize)
		}
	case info.Size() > end:
		err = f.Truncate(end)
	}
	if err != nil {
		return nil, join(err, f.Close())
	}
	return f, nil
}

// saveLog appends to the token log. After a failure all entries that are not on the device are written again, over the
// same bytes: a system whose sync has failed may have dropped any of them and forgotten that it did.
func (c *Conversation) saveLog(st *state) error {
	at, written := st.un.base, st.un.base
	var buf []byte
	sync := c.s.opt.Sync == SyncAlways
	for i, e := range st.un.entries {
		sync = sync || e.sealed && c.s.opt.Sync == SyncBlock
		if i < st.un.written {
			written += int64(len(e.frames))
		}
		if i < st.un.written && !c.w.fresh {
			at = written
			continue
		}
		buf = append(buf, e.frames...)
	}
	if len(buf) > 0 {
		if _, err := c.w.tokens.WriteAt(buf, at); err != nil {
			return join(err, c.w.tokens.Truncate(written))
		}
	}
	if sync {
		if err := c.w.tokens.Sync(); err != nil {
			return err
		}
	}
	c.w.fresh = false
	n := len(st.un.entries)
	if n == 0 {
		return nil
	}
	last := st.un.entries[n-1]
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.state.un
	u.saved, u.savedEvents, u.written = last.tokens, last.events, n
	c.state.logEnd = at + int64(len(buf))
	c.s.lim.logs.Add(int64(len(buf)))
	if sync || c.s.opt.Sync == SyncNever {
		u.base, u.entries, u.written = c.state.logEnd, u.entries[n:], 0
	}
	if sync {
		u.durable = last.tokens
	}
	c.setUnsaved(u)
	return nil
}

func (c *Conversation) closeLogs() error {
	if c.w == nil {
		return nil
	}
	err := c.w.close()
	c.w = nil
	return err
}

// release saves what it can, closes the logs and gives up the lock.
func (c *Conversation) release() error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	err := c.save()
	if c.mine.Load() {
		err = join(err, c.sealAll())
	}
	c.trim(true)
	err = join(err, c.closeLogs())
	if c.lock != nil {
		err = join(err, c.lock.Close())
		c.lock = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if lost := len(c.state.tokens) - c.state.un.saved; c.mine.Load() && !c.gone && (lost > 0 || c.state.un.absent) {
		return fmt.Errorf("conversation %s: %d tokens are %w: %w", c.id, lost, ErrUnsaved, err)
	}
	if c.gone || c.state.un.logged() {
		c.mine.Store(false)
	}
	return err
}
