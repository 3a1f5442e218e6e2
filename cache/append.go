package cache

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// writer holds the logs of a conversation open.
type writer struct {
	tokens, tail       file
	tokensEnd, tailEnd int64
}

func (w *writer) close() error { return join(w.tokens.Close(), w.tail.Close()) }

// Append adds tokens with their residual rows, resid [len(toks), rows, d_model]. When it returns nil the tokens, their
// records and their rows survive the death of the process; SyncPolicy says what survives loss of power. A nil resid
// stores tokens whose rows are not known; Rows then recomputes them.
//
// On an error nothing is added. The conversation stays readable, the next Append tries the disk again, and
// [Store.Status] says that the cache is degraded until one succeeds. ErrLocked and ErrChanged tell that another
// process writes or wrote: the caller's idea of the next position may be wrong, so the tokens are not taken.
func (c *Conversation) Append(toks []Token, resid []float32) error {
	sp := c.meta.Space
	if resid != nil && len(resid) != len(toks)*sp.values() {
		return fmt.Errorf("conversation %s: rows have %d values, %d tokens of %d rows of %d need %d",
			c.ID(), len(resid), len(toks), sp.Rows, sp.DModel, len(toks)*sp.values())
	}
	for i, t := range toks {
		if t.ID < 0 || t.ID > maxTokenID {
			return fmt.Errorf("conversation %s: token id %d is not in 0..%d", c.ID(), t.ID, maxTokenID)
		}
		if len(t.Record) > MaxRecord {
			return fmt.Errorf("conversation %s: record of token %d has %d bytes, at most %d allowed", c.ID(), i, len(t.Record), MaxRecord)
		}
	}
	if len(toks) == 0 {
		return nil
	}
	return c.write(func(st *state) error { return c.append(st, toks, resid) })
}

// AddEvent adds a note at the current end, as durable as a token. data must be valid JSON of at most MaxRecord bytes.
func (c *Conversation) AddEvent(data json.RawMessage) error {
	if len(data) > MaxRecord || !json.Valid(data) {
		return fmt.Errorf("conversation %s: event of %d bytes is not valid JSON of at most %d bytes", c.ID(), len(data), MaxRecord)
	}
	return c.write(func(st *state) error {
		f := frame{kind: frameEvent, at: len(st.tokens), payload: data}
		if err := c.writeLog(st, appendFrame(nil, f), false); err != nil {
			return fmt.Errorf("tokens.log: %w", err)
		}
		st.events = append(st.events, Event{f.at, bytes.Clone(data)})
		return nil
	})
}

// write runs one change under the writer's lock. change gets a copy of the state and brings it up to date.
func (c *Conversation) write(change func(st *state) error) error {
	done, err := c.s.begin()
	if err != nil {
		return err
	}
	defer done()
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if err := c.openWriter(); err != nil {
		if !errors.Is(err, ErrLocked) && !errors.Is(err, ErrChanged) && !errors.Is(err, ErrNotFound) {
			c.s.degrade(err)
		}
		return fmt.Errorf("conversation %s: %w", c.ID(), err)
	}
	st, err := c.snapshot()
	if err != nil {
		return err
	}
	end := st.logEnd
	if err := change(&st); err != nil {
		err = fmt.Errorf("conversation %s: %w", c.ID(), join(err, c.rollback(end)))
		c.s.degrade(err)
		return err
	}
	c.setState(st)
	c.s.healthy()
	return nil
}

// openWriter takes the lock and opens the logs at the end of what is known.
func (c *Conversation) openWriter() error {
	if c.isGone() {
		return ErrNotFound
	}
	if c.w != nil {
		return nil
	}
	if c.lock == nil {
		if err := c.firstLock(); err != nil {
			return err
		}
	}
	dir := convPath(c.ID())
	st, err := c.snapshot()
	if err != nil {
		return err
	}
	w := new(writer)
	if w.tokens, w.tokensEnd, err = openSegment(c.s.disk, dir+"/tokens.log", tokensMagic, st.logEnd); err != nil {
		return err
	}
	// After a failed write the tail may end in rows of tokens that were not taken: write it anew.
	if err = writeTail(c.s.disk, dir, &st, c.s.durable()); err == nil {
		w.tail, w.tailEnd, err = openSegment(c.s.disk, dir+"/tail.wal", tailMagic, -1)
	}
	if err != nil {
		return join(err, w.tokens.Close())
	}
	c.w = w
	return nil
}

// firstLock takes the lock and brings the state up to date: until now another process may have written. The lock is
// kept even if it turns out that one did, so that the caller can decide and try again.
func (c *Conversation) firstLock() error {
	lock, err := c.takeLock()
	if err != nil {
		return err
	}
	meta, err := readMetadata(c.s.disk, convPath(c.ID()))
	if errors.Is(err, fs.ErrNotExist) || err == nil && meta.UID != c.meta.UID {
		err = ErrNotFound
	}
	if err != nil {
		return join(err, lock.Close())
	}
	before, _ := c.snapshot()
	st, err := c.repair(true)
	if err != nil {
		return join(err, lock.Close())
	}
	for i, row := range st.tail { // rows recomputed here are not in the log
		if row == nil && len(st.tokens) == len(before.tokens) {
			st.tail[i] = before.tail[i]
		}
	}
	c.setState(st)
	c.lock = lock
	c.writing.Store(true)
	if len(st.tokens) != len(before.tokens) {
		return fmt.Errorf("%w: it had %d tokens when read and has %d", ErrChanged, len(before.tokens), len(st.tokens))
	}
	return nil
}

func (c *Conversation) takeLock() (io.Closer, error) {
	return c.s.disk.Lock("locks/" + dirName(c.ID()))
}

// openSegment opens a log for appending at end, dropping what lies behind; end -1 means the end of the file.
func openSegment(d filesystem, name, magic string, end int64) (file, int64, error) {
	f, err := d.OpenWrite(name, false)
	if err != nil {
		return nil, 0, err
	}
	at, err := prepareSegment(f, name, magic, end)
	if err != nil {
		return nil, 0, join(err, f.Close())
	}
	return f, at, nil
}

func prepareSegment(f file, name, magic string, end int64) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	size := info.Size()
	if end > size {
		return 0, &CorruptError{name, size, fmt.Errorf("%d bytes that were there are gone", end-size)}
	}
	if end >= 0 && size > end {
		if err := f.Truncate(end); err != nil {
			return 0, err
		}
		size = end
	}
	if size > 0 {
		return size, nil
	}
	if _, err := f.WriteAt([]byte(magic), 0); err != nil {
		return 0, err
	}
	return magicSize, nil
}

// writeTail writes the tail anew with the rows of st, atomically.
func writeTail(d filesystem, dir string, st *state, durable bool) error {
	return publish(d, dir+"/tail.wal", tailFrames([]byte(tailMagic), st, 0), durable)
}

// tailFrames adds to dst the known rows of the incomplete block from position from on.
func tailFrames(dst []byte, st *state, from int) []byte {
	for pos := max(from, len(st.tokens)/BlockTokens*BlockTokens); pos < len(st.tokens); pos++ {
		if row := st.tail[pos%BlockTokens]; row != nil {
			dst = appendFrame(dst, frame{frameRow, pos, st.tokens[pos], row})
		}
	}
	return dst
}

// append writes rows before tokens: a row without its token is dropped at the next start, whereas a token must not
// be known before its row is safe.
func (c *Conversation) append(st *state, toks []Token, resid []float32) error {
	sp, old := c.meta.Space, len(st.tokens)
	for _, t := range toks {
		st.tokens = append(st.tokens, t.ID)
	}
	st.keys = extendKeys(c.root, st.keys, st.tokens)
	for i := range toks {
		pos := old + i
		st.tail[pos%BlockTokens] = nil
		if resid != nil {
			st.tail[pos%BlockTokens] = encodeRow(sp, resid[i*sp.values():(i+1)*sp.values()])
		}
		if (pos+1)%BlockTokens == 0 {
			if err := c.seal(st, pos/BlockTokens); err != nil {
				return err
			}
		}
	}
	if err := c.writeRows(st, old); err != nil {
		return fmt.Errorf("tail.wal: %w", err)
	}
	var log []byte
	for i, t := range toks {
		log = appendFrame(log, frame{frameToken, old + i, t.ID, t.Record})
		st.records = append(st.records, append([]byte{}, t.Record...))
	}
	sealed := old/BlockTokens != len(st.tokens)/BlockTokens
	if err := c.writeLog(st, log, sealed); err != nil {
		return fmt.Errorf("tokens.log: %w", err)
	}
	if sealed {
		if err := c.startTail(st); err != nil {
			c.s.report("conversation %s: tail could not be shortened: %v", c.ID(), err)
		}
	}
	return nil
}

// seal publishes block n from the tail. If rows of it are not known the block is left to a recomputation.
func (c *Conversation) seal(st *state, n int) error {
	toks := st.tail
	st.tail = [BlockTokens]encRow{}
	for _, e := range toks {
		if e == nil {
			return nil
		}
	}
	b, err := newBlock(st.keys[n], c.meta.Space, toks[:])
	if err != nil {
		return err
	}
	wrote, err := c.s.blocks.put(b)
	if wrote {
		c.s.mem.Add(b)
	}
	return err
}

// writeRows appends to the tail the rows of the incomplete block from position old on.
func (c *Conversation) writeRows(st *state, old int) error {
	frames := tailFrames(nil, st, old)
	if len(frames) == 0 {
		return nil
	}
	if _, err := c.w.tail.WriteAt(frames, c.w.tailEnd); err != nil {
		return err
	}
	c.w.tailEnd += int64(len(frames))
	if c.s.opt.Sync == SyncAlways {
		return c.w.tail.Sync()
	}
	return nil
}

// writeLog appends frames to the token log.
func (c *Conversation) writeLog(st *state, frames []byte, sealed bool) error {
	if _, err := c.w.tokens.WriteAt(frames, c.w.tokensEnd); err != nil {
		return err
	}
	if c.s.opt.Sync == SyncAlways || sealed && c.s.opt.Sync == SyncBlock {
		if err := c.w.tokens.Sync(); err != nil {
			return err
		}
	}
	c.w.tokensEnd += int64(len(frames))
	st.logEnd, st.log, st.updated = c.w.tokensEnd, nil, time.Now()
	return nil
}

// startTail replaces the tail by one without the rows of sealed blocks.
func (c *Conversation) startTail(st *state) error {
	dir := convPath(c.ID())
	err := c.w.tail.Close() // first: an open file cannot be replaced on Windows
	if err == nil {
		err = writeTail(c.s.disk, dir, st, c.s.opt.Sync == SyncAlways)
	}
	if err == nil {
		c.w.tail, c.w.tailEnd, err = openSegment(c.s.disk, dir+"/tail.wal", tailMagic, -1)
	}
	if err != nil {
		err = join(err, c.w.tokens.Close())
		c.w = nil
	}
	return err
}

// rollback takes a failed write back as far as the disk lets it and closes the logs. The next append opens them
// again, cuts what is left of the failed write and goes on.
func (c *Conversation) rollback(end int64) error {
	if c.w == nil {
		return nil
	}
	err := join(c.w.tokens.Truncate(end), c.w.close())
	c.w = nil
	return err
}

// release closes the logs and gives up the lock.
func (c *Conversation) release() error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.releaseLocked()
}

func (c *Conversation) releaseLocked() error {
	var err error
	if c.w != nil {
		err = c.w.close()
		c.w = nil
	}
	if c.lock != nil {
		c.writing.Store(false)
		err = join(err, c.lock.Close())
		c.lock = nil
	}
	return err
}
