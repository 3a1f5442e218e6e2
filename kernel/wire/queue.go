package wire

import "sync"

// item is one encoded message on its way to one peer.
type item struct {
	frames [][]byte
	size   int64
	// msg is set on what may be dropped: the message, for the notice of its loss.
	msg *Message
}

func newItem(frames [][]byte, droppable *Message) item {
	it := item{frames: frames, msg: droppable}
	for _, f := range frames {
		it.size += int64(len(f)) + 9
	}
	return it
}

// sendQueue holds what waits for one peer. Its bounds are Limits.StreamQueue for
// droppable items and Limits.Queue for all.
type sendQueue struct {
	limits Limits
	// notice makes the item that announces lost bytes; nil announces nothing.
	notice func(lost int64, last *Message) item

	mu     sync.Mutex
	ready  sync.Cond
	items  []item
	bytes  int64
	closed bool // no more items are accepted; what is there is still delivered
	lost   int64
	last   *Message
}

func newSendQueue(l Limits, notice func(int64, *Message) item) *sendQueue {
	q := &sendQueue{limits: l, notice: notice}
	q.ready.L = &q.mu
	return q
}

// put adds an item without blocking. It is false when the peer must be given up:
// the queue is full of what may not be dropped.
func (q *sendQueue) put(it item) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return true
	}
	if it.msg != nil {
		room := q.limits.StreamQueue
		if q.lost > 0 {
			room /= 2 // do not alternate between losing and announcing
		}
		if len(q.items) > 0 && q.bytes+it.size > room {
			q.drop(it)
			return true
		}
	} else if len(q.items) > 0 && q.bytes+it.size > q.limits.Queue {
		kept := q.items[:0]
		for _, old := range q.items {
			if old.msg != nil {
				q.bytes -= old.size
				q.drop(old)
				continue
			}
			kept = append(kept, old)
		}
		clear(q.items[len(kept):])
		q.items = kept
		if len(q.items) > 0 && q.bytes+it.size > q.limits.Queue {
			return false
		}
	}
	if q.lost > 0 && q.notice != nil {
		q.push(q.notice(q.lost, q.last))
		q.lost, q.last = 0, nil
	}
	q.push(it)
	q.ready.Signal()
	return true
}

func (q *sendQueue) push(it item) {
	q.items = append(q.items, it)
	q.bytes += it.size
}

func (q *sendQueue) drop(it item) {
	q.lost += it.size
	q.last = it.msg
}

// get waits for the next item; false means closed and empty.
func (q *sendQueue) get() (item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 && !q.closed {
		q.ready.Wait()
	}
	if len(q.items) == 0 {
		return item{}, false
	}
	it := q.items[0]
	q.items[0] = item{}
	q.items = q.items[1:]
	q.bytes -= it.size
	return it, true
}

// close lets get return false once everything was taken; discard also throws
// away what waits.
func (q *sendQueue) close(discard bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	if discard {
		q.items, q.bytes = nil, 0
	}
	q.ready.Broadcast()
}
