package cache

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"time"
)

// readTokens scans the token log of a conversation from st.logEnd on and adds what it finds to st. With full, lens
// records and events are kept too. The damage found is described by the scan, never repaired here.
func readTokens(d filesystem, dir string, meta metadata, root blockKey, st *state, full bool) (scan, error) {
	st.full = full
	f, err := d.Open(dir + "/tokens.log")
	if errors.Is(err, fs.ErrNotExist) {
		return lostLog(d, dir, meta, "missing")
	}
	if err != nil {
		return scan{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return scan{}, err
	}
	if info.Size() == 0 {
		if sc, err := lostLog(d, dir, meta, "empty"); err != nil || sc.bad != nil {
			return sc, err
		}
	}
	n, block := len(st.tokens), meta.layout().Block
	sc, err := scanSegment(f, st.logEnd, info.Size(), tokensMagic, MaxRecord, func(f frame) error {
		return st.add(f, full)
	})
	if err != nil {
		return sc, fmt.Errorf("%s/tokens.log: %w", dir, err)
	}
	st.keys = extendKeys(root, block, st.keys, st.tokens)
	if len(st.tokens)/block != n/block {
		st.tail = [MaxBlockTokens]encRow{} // they belong to a block that is complete now
	}
	st.logEnd, st.log, st.updated = sc.good, info, info.ModTime()
	return sc, nil
}

var errLogLost = errors.New("the log of the tokens")

// lostLog judges a conversation without a token log. One that was made by a program older than format 1.1 and that has
// never had a token has none; it has no tail either.
func lostLog(d filesystem, dir string, meta metadata, how string) (scan, error) {
	_, err := d.Lstat(dir + "/tail.wal")
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return scan{}, err
	case err == nil || meta.Log:
		return scan{bad: fmt.Errorf("%w is %s", errLogLost, how)}, nil
	}
	return scan{}, nil
}

// add takes one frame of the token log.
func (st *state) add(f frame, full bool) error {
	if f.at != len(st.tokens) {
		return fmt.Errorf("frame for position %d where %d is next", f.at, len(st.tokens))
	}
	switch f.kind {
	case frameToken:
		st.tokens = append(st.tokens, f.id)
		if full {
			st.records = append(st.records, bytes.Clone(f.payload))
		}
	case frameEvent:
		if !json.Valid(f.payload) {
			return errors.New("event is not JSON")
		}
		if full {
			st.events = append(st.events, Event{f.at, bytes.Clone(f.payload)})
		}
	default:
		return fmt.Errorf("frame of kind %d in a token log", f.kind)
	}
	return nil
}

// readTail adds to st the rows of its incomplete block, and those of complete blocks that are wanted: blocks that were
// not sealed before the writer died, or are not yet. Other rows, left by a write that was not finished or by a block
// sealed since, are passed over; stale says that there are such.
func readTail(d filesystem, dir string, l layout, st *state, wanted func(n int) bool) (sc scan, stale bool, err error) {
	st.un.blocks = nil
	f, err := d.Open(dir + "/tail.wal")
	if errors.Is(err, fs.ErrNotExist) {
		return scan{}, false, nil
	}
	if err != nil {
		return scan{}, false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return scan{}, false, err
	}
	whole := len(st.tokens) / l.Block
	blocks := map[int]*pending{} // nil: not wanted
	sc, err = scanSegment(f, 0, info.Size(), tailMagic, maxEncRow(l), func(f frame) error {
		if f.kind != frameRow {
			return fmt.Errorf("frame of kind %d in a tail", f.kind)
		}
		row, err := parseRow(l, f.payload)
		if err != nil {
			return err
		}
		n := f.at / l.Block
		if f.at >= len(st.tokens) || st.tokens[f.at] != f.id {
			stale = true
			return nil
		}
		if n == whole {
			st.tail[f.at%l.Block] = row
			return nil
		}
		p, known := blocks[n]
		if !known {
			if wanted(n) {
				p = &pending{st.keys[n], n, make([]encRow, l.Block)}
			}
			blocks[n] = p
		}
		if p != nil {
			p.rows[f.at%l.Block] = row
		}
		return nil
	})
	if err != nil {
		return sc, stale, fmt.Errorf("%s/tail.wal: %w", dir, err)
	}
	for _, n := range slices.Sorted(maps.Keys(blocks)) {
		p := blocks[n]
		if p == nil || slices.ContainsFunc(p.rows, func(r encRow) bool { return r == nil }) {
			stale = true
			continue
		}
		st.un.blocks = append(st.un.blocks, p)
	}
	return sc, stale, nil
}

// maxLeftRows bounds the rows that are kept in memory because other processes left them unsealed. It leaves room to those
// who write here.
const maxLeftRows = maxUnsavedRows / 2

// unsealed says which complete blocks of a state have no file; of their rows, so many are kept in memory as fit.
func (c *Conversation) unsealed(st *state) func(n int) bool {
	left := maxLeftRows - c.s.unsavedRows.Load()
	return func(n int) bool {
		if left <= 0 || c.s.blocks.has(st.keys[n], c.lay) {
			return false
		}
		left -= c.lay.blockBytes()
		return true
	}
}

// load reads a conversation. What is damaged is repaired if nobody is writing; a torn tail seen while another
// process writes is its unfinished frame and is left alone.
func (s *Store) load(id string, full bool) (*Conversation, error) {
	dir := convPath(id)
	meta, err := readMetadata(s.disk, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("conversation %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("conversation %s: %w", id, err)
	}
	c := &Conversation{s: s, meta: meta, id: id, uid: meta.UID, lay: meta.layout(), root: rootKey(meta.Space, meta.layout())}
	if err := c.reload(full); err != nil {
		return nil, fmt.Errorf("conversation %s: %w", id, err)
	}
	return c, nil
}

// reload replaces the state by what is on disk, repairing it if possible. wmu is held, or c is not shared yet.
func (c *Conversation) reload(full bool) error {
	st, damaged, err := c.scanAll(full)
	if err != nil {
		return err
	}
	c.setState(st)
	if damaged == nil || c.lock != nil {
		return nil
	}
	lock, err := c.takeLock()
	if errors.Is(err, ErrLocked) && !errors.As(damaged, new(*CorruptError)) {
		return nil // another process is writing the frame that looks torn
	}
	if err != nil {
		c.s.report("conversation %s: %v; not repaired: %v", c.ID(), damaged, err)
		return nil
	}
	defer lock.Close()
	st, err = c.repair(full)
	if err != nil {
		c.s.report("conversation %s is readable but could not be repaired: %v", c.ID(), err)
		return nil
	}
	c.setState(st)
	return nil
}

// errTorn: a log ends inside a frame.
var errTorn = errors.New("a write was cut short")

// scanAll reads both logs. damaged is a *CorruptError, errTorn or nil.
func (c *Conversation) scanAll(full bool) (st state, damaged, err error) {
	dir := convPath(c.ID())
	tokens, err := readTokens(c.s.disk, dir, c.meta, c.root, &st, full)
	if err != nil {
		return st, nil, err
	}
	tail, _, err := readTail(c.s.disk, dir, c.lay, &st, c.unsealed(&st))
	if err != nil {
		return st, nil, err
	}
	switch {
	case tokens.bad != nil:
		damaged = &CorruptError{dir + "/tokens.log", tokens.good, tokens.bad}
	case tail.bad != nil:
		damaged = &CorruptError{dir + "/tail.wal", tail.good, tail.bad}
	case tokens.torn || tail.torn:
		damaged = errTorn
	}
	return st, damaged, nil
}

// repair reads both logs under the lock and cuts what cannot be read: a torn frame is dropped, since its write was
// never acknowledged; anything else is moved to quarantine first. Both are reported.
func (c *Conversation) repair(full bool) (state, error) {
	var st state
	dir := convPath(c.ID())
	sc, err := readTokens(c.s.disk, dir, c.meta, c.root, &st, full)
	if err == nil {
		err = c.cut(dir+"/tokens.log", sc)
	}
	if err != nil {
		return st, err
	}
	sc, stale, err := readTail(c.s.disk, dir, c.lay, &st, c.unsealed(&st))
	if err == nil {
		err = c.cut(dir+"/tail.wal", sc)
	}
	if err == nil && stale {
		err = writeTail(c.s.disk, dir, &st, c.lay.Block, c.s.durable())
	}
	return st, err
}

// cut ends a segment after its last good frame.
func (c *Conversation) cut(name string, sc scan) error {
	if sc.clean() {
		return nil
	}
	if errors.Is(sc.bad, errLogLost) {
		c.s.report("%v; it begins anew", &CorruptError{name, 0, sc.bad})
		c.s.blocks.corrupt.Add(1)
		return publish(c.s.disk, name, []byte(tokensMagic), c.s.durable())
	}
	f, err := c.s.disk.OpenWrite(name, false)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if sc.bad != nil {
		// Bytes behind a bad frame may be all that is left of tokens: keep them.
		aside := fmt.Sprintf("quarantine/%s-%s-%d-%d", path.Base(path.Dir(name)), path.Base(name), sc.good, time.Now().UnixNano())
		rest := io.NewSectionReader(f, sc.good, info.Size()-sc.good)
		if err := copyAside(c.s.disk, aside, rest, c.s.durable()); err != nil {
			return err
		}
		c.s.report("%v; the rest is kept as %s", &CorruptError{name, sc.good, sc.bad}, aside)
		c.s.blocks.corrupt.Add(1)
	} else {
		c.s.report("%s: a write that was cut short at byte %d has been dropped (%d bytes)", name, sc.good, info.Size()-sc.good)
	}
	err = f.Truncate(sc.good)
	if err == nil && sc.good == 0 && path.Base(name) == "tokens.log" {
		_, err = f.WriteAt([]byte(tokensMagic), 0)
	}
	if err != nil || !c.s.durable() {
		return err
	}
	return f.Sync()
}

func copyAside(d filesystem, name string, r io.Reader, durable bool) error {
	f, err := d.OpenWrite(name, true)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(f, 0), r)
	if err == nil && durable {
		err = f.Sync()
	}
	return join(err, f.Close())
}

// refresh brings in what another process has appended. It reports false if the conversation is not the one that was
// read: deleted, or deleted and made again.
func (c *Conversation) refresh(full bool) (same bool, err error) {
	if c.mine.Load() {
		return !c.isGone(), nil
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.isGone() {
		return false, nil
	}
	if c.mine.Load() {
		return true, nil
	}
	st, err := c.snapshot()
	if err != nil {
		return false, nil
	}
	same, err = c.reread(&st, full || st.full)
	if err != nil && (st.full || !full) && !errors.As(err, new(*CorruptError)) && !errors.Is(err, ErrVersion) {
		c.s.degrade(inReads, err) // what was read before is better than nothing
		return true, nil
	}
	return same, err
}

// reread is refresh for a disk that answers.
func (c *Conversation) reread(st *state, full bool) (same bool, err error) {
	dir := convPath(c.ID())
	log, err := c.s.disk.Lstat(dir + "/tokens.log")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return true, err
	}
	// An index over many conversations asks often: nothing more is read while the log is untouched.
	if err == nil && full == st.full && st.log != nil && os.SameFile(log, st.log) && log.Size() == st.log.Size() && log.ModTime().Equal(st.log.ModTime()) {
		return true, nil
	}
	if err := c.there(); err != nil {
		if errors.Is(err, ErrNotFound) {
			return false, nil
		}
		return true, err
	}
	if full != st.full || log != nil && log.Size() < st.logEnd {
		return true, c.reload(full)
	}
	if _, err := readTokens(c.s.disk, dir, c.meta, c.root, st, full); err != nil {
		return true, err
	}
	if _, _, err := readTail(c.s.disk, dir, c.lay, st, c.unsealed(st)); err != nil {
		return true, err
	}
	c.setState(*st)
	return true, nil
}
