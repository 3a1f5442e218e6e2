package cache

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Bounds of what waits for a disk that refuses, in all conversations together.
const (
	maxUnsaved     = 256 << 20 // bytes of tokens, records and events; beyond it nothing more is taken
	maxUnsavedRows = 64 << 20  // bytes of complete blocks; beyond it they are left to a recomputation
)

// unsaved is what a conversation has in memory and not for sure on the device.
type unsaved struct {
	absent  bool     // its folder has to be made
	base    int64    // bytes of the token log that are on the device; the entries follow
	entries []entry  // kept until they are synced: a sync that failed may have lost any of them
	written int      // entries[:written] are in the file
	blocks  []*block // complete, not stored yet
	rows    bool     // the tail lacks rows of the incomplete block

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

func (u *unsaved) empty() bool {
	return !u.absent && u.written == len(u.entries) && len(u.blocks) == 0 && !u.rows
}

// block finds a complete block that is not stored yet.
func (u *unsaved) block(key blockKey) *block {
	for _, b := range u.blocks {
		if b.key == key {
			return b
		}
	}
	return nil
}

// savedUpTo is what there is to say of a state that was read from the disk.
func savedUpTo(st *state) unsaved {
	return unsaved{base: max(st.logEnd, magicSize), saved: len(st.tokens), savedEvents: len(st.events), durable: len(st.tokens)}
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
	tailPos      int  // the tail has the rows of positions before this one
	tailBlock    int  // and begins with this block
	fresh        bool // nothing was written since the logs were opened
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
		defer c.wmu.Unlock()
		c.saveOrRetry()
	}()
	wait := c.s.patience
	if c.s.isDegraded(c) {
		wait = min(wait, c.s.lessPatience)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	start := time.Now()
	select {
	case <-done:
	case <-timer.C:
		if c.queued.Load() || !c.s.isDegraded(c) {
			c.s.degrade(c, fmt.Errorf("conversation %s: the disk is slow: a write has not ended after %v", c.ID(), time.Since(start).Round(time.Millisecond)))
		}
	}
}

// saveOrRetry saves, or sees to it that it is tried again later. wmu is held.
func (c *Conversation) saveOrRetry() {
	c.queued.Store(false)
	if err := c.save(); err != nil {
		c.s.degrade(c, fmt.Errorf("conversation %s: %w", c.ID(), err))
		return
	}
	c.s.healthy(c)
}

// save brings the disk up to date. Rows go before their tokens: a row without its token is dropped at the next start.
// Rows that cannot be saved do not hold up tokens, since they can be computed again. wmu is held.
func (c *Conversation) save() error {
	st, err := c.snapshot()
	if err != nil || st.un.empty() {
		return nil
	}
	if err := c.openWriter(); err != nil {
		if errors.Is(err, ErrNotFound) {
			c.vanish()
		}
		return err
	}
	if st, err = c.snapshot(); err != nil {
		return nil
	}
	rowErr := join(c.saveBlocks(st.un.blocks), c.saveTail(&st))
	if err := c.saveLog(&st); err != nil {
		return join(rowErr, err, c.closeLogs())
	}
	if rowErr != nil {
		return join(rowErr, c.closeLogs()) // the next try writes the tail anew
	}
	if len(st.tokens)/c.lay.Block != c.w.tailBlock {
		if err := c.startTail(&st); err != nil {
			c.s.report("conversation %s: tail could not be shortened: %v", c.ID(), err)
		}
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
	// After a failed write the tail may end in rows of tokens that were not taken: write it anew.
	if err = writeTail(c.s.disk, dir, &st, c.lay.Block, c.s.opt.Sync == SyncAlways); err == nil {
		w.tail, w.tailEnd, err = openSegment(c.s.disk, dir+"/tail.wal", tailMagic)
		w.tailPos, w.tailBlock = len(st.tokens), len(st.tokens)/c.lay.Block
	}
	if err != nil {
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

// openSegment opens a log for appending at its end.
func openSegment(d filesystem, name, magic string) (file, int64, error) {
	f, err := d.OpenWrite(name, false)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, join(err, f.Close())
	}
	if info.Size() > 0 {
		return f, info.Size(), nil
	}
	if _, err := f.WriteAt([]byte(magic), 0); err != nil {
		return nil, 0, join(err, f.Close())
	}
	return f, magicSize, nil
}

// writeTail writes the tail anew with the rows of st, atomically.
func writeTail(d filesystem, dir string, st *state, block int, durable bool) error {
	return publish(d, dir+"/tail.wal", tailFrames([]byte(tailMagic), st, block, 0), durable)
}

// tailFrames adds to dst the known rows of the incomplete block from position from on.
func tailFrames(dst []byte, st *state, block, from int) []byte {
	first := max(from, len(st.tokens)/block*block)
	for pos := first; pos < len(st.tokens); pos++ {
		dst = slices.Grow(dst, frameHeaderSize+len(st.tail[pos%block]))
		if row := st.tail[pos%block]; row != nil {
			dst = appendFrame(dst, frame{frameRow, pos, st.tokens[pos], row})
		}
	}
	return dst
}

// saveBlocks publishes complete blocks.
func (c *Conversation) saveBlocks(blocks []*block) error {
	for _, b := range blocks {
		if !c.s.blocks.has(b.key, b.lay) && !c.s.room(c, b.cost()) {
			c.s.mem.Add(b) // computed again when it is asked for later
		} else {
			wrote, err := c.s.blocks.put(b)
			if err != nil {
				return err
			}
			if wrote {
				c.s.mem.Add(b)
			}
		}
		c.mu.Lock()
		u := c.state.un
		u.blocks = u.blocks[1:]
		c.setUnsaved(u)
		c.mu.Unlock()
	}
	return nil
}

// saveTail appends to the tail the rows of the incomplete block that it lacks.
func (c *Conversation) saveTail(st *state) error {
	frames := tailFrames(nil, st, c.lay.Block, c.w.tailPos)
	if len(frames) > 0 {
		if _, err := c.w.tail.WriteAt(frames, c.w.tailEnd); err != nil {
			return err
		}
		c.w.tailEnd += int64(len(frames))
		if c.s.opt.Sync == SyncAlways {
			if err := c.w.tail.Sync(); err != nil {
				return err
			}
		}
	}
	c.w.tailPos = len(st.tokens)
	c.mu.Lock()
	if len(c.state.tokens) == len(st.tokens) {
		c.state.un.rows = false
	}
	c.mu.Unlock()
	return nil
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

// startTail replaces the tail by one without the rows of sealed blocks.
func (c *Conversation) startTail(st *state) error {
	dir := convPath(c.ID())
	err := c.w.tail.Close() // first: an open file cannot be replaced on Windows
	if err == nil {
		err = writeTail(c.s.disk, dir, st, c.lay.Block, c.s.opt.Sync == SyncAlways)
	}
	if err == nil {
		c.w.tail, c.w.tailEnd, err = openSegment(c.s.disk, dir+"/tail.wal", tailMagic)
		c.w.tailBlock = len(st.tokens) / c.lay.Block
	}
	if err != nil {
		err = join(err, c.w.tokens.Close())
		c.w = nil
	}
	return err
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
	if c.gone || c.state.un.empty() {
		c.mine.Store(false)
	}
	return err
}
