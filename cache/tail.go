package cache

import (
	"slices"
)

// unsealed is the first block whose rows the tail has to have. Those before it have files, or are left to a
// recomputation.
func (st *state) unsealed(block int) int {
	if len(st.un.blocks) > 0 {
		return st.un.blocks[0].n
	}
	return len(st.tokens) / block
}

// writeTail writes the tail anew with the rows of st, atomically.
func writeTail(d filesystem, dir string, st *state, block int, durable bool) error {
	frames := []byte(tailMagic)
	st.tailRows(block, 0, func(f frame) { frames = appendFrame(frames, f) })
	return publish(d, dir+"/tail.wal", frames, durable)
}

// tailRows calls add with the frame of each known row that belongs into the tail, from position from on.
func (st *state) tailRows(block, from int, add func(frame)) {
	row := func(pos int, row encRow) {
		if row != nil && pos >= from {
			add(frame{frameRow, pos, st.tokens[pos], row})
		}
	}
	for _, p := range st.un.blocks {
		for i, r := range p.rows {
			row(p.n*block+i, r)
		}
	}
	for pos := len(st.tokens) / block * block; pos < len(st.tokens); pos++ {
		row(pos, st.tail[pos%block])
	}
}

// startTail puts a tail without the rows of sealed blocks into the place of the one there is. The old one must be
// closed: an open file cannot be replaced on Windows.
func (c *Conversation) startTail(w *writer, st *state) error {
	dir := convPath(c.ID())
	var old int64
	if info, err := c.s.disk.Lstat(dir + "/tail.wal"); err == nil {
		old = info.Size()
	}
	err := writeTail(c.s.disk, dir, st, c.lay.Block, c.s.opt.Sync == SyncAlways)
	if err == nil {
		w.tail, w.tailEnd, err = openSegment(c.s.disk, dir+"/tail.wal", tailMagic)
		w.tailPos, w.tailBlock = len(st.tokens), st.unsealed(c.lay.Block)
		c.s.lim.logs.Add(w.tailEnd - old)
	}
	return err
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

// maxTailWrite bounds the frames that are put together for one write.
const maxTailWrite = 4 << 20

// saveTail appends to the tail the rows that it lacks. wmu is held.
func (c *Conversation) saveTail(st *state) error {
	w := c.w
	var err error
	frames := w.buf[:0]
	write := func() {
		if err == nil && len(frames) > 0 {
			_, err = w.tail.WriteAt(frames, w.tailEnd)
			w.tailEnd += int64(len(frames))
			c.s.lim.logs.Add(int64(len(frames)))
			frames = frames[:0]
		}
	}
	st.tailRows(c.lay.Block, w.tailPos, func(f frame) {
		if len(frames) > 0 && len(frames)+frameHeaderSize+len(f.payload) > maxTailWrite {
			write()
		}
		frames = appendFrame(slices.Grow(frames, frameHeaderSize+len(f.payload)), f)
	})
	wrote := len(frames) > 0
	write()
	if err == nil && wrote && c.s.opt.Sync == SyncAlways {
		err = w.tail.Sync()
	}
	if err != nil {
		return err
	}
	if w.buf = frames; cap(frames) > maxTailWrite {
		w.buf = nil
	}
	w.tailPos = len(st.tokens)
	c.mu.Lock()
	if len(c.state.tokens) == len(st.tokens) {
		c.state.un.rows = false
	}
	c.mu.Unlock()
	return nil
}

// trim rewrites the tail without the rows of blocks that have been sealed: when they are many, so that the work is
// small beside that of writing them, or, with all, if there are any. wmu is held.
func (c *Conversation) trim(all bool) {
	st, err := c.snapshot()
	if err != nil || c.w == nil {
		return
	}
	sealed := int64(st.unsealed(c.lay.Block)-c.w.tailBlock) * c.lay.blockBytes()
	_, waiting := st.un.size()
	if sealed <= 0 || !all && sealed < max(c.s.trimAfter, waiting) {
		return
	}
	err = c.w.tail.Close()
	if err == nil {
		err = c.startTail(c.w, &st)
	}
	if err != nil {
		c.s.report("conversation %s: tail could not be shortened: %v", c.ID(), join(err, c.w.tokens.Close()))
		c.w = nil
	}
}
