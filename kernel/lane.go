package kernel

import (
	"context"
	"sync"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// A lane holds at most this much before the peers that fill it have to wait.
const (
	laneRequests = 10_000
	laneBytes    = 256 << 20
)

// request is a message on its way to its handler.
type request struct {
	msg     *wire.Message
	from    wire.Route
	channel wire.Channel
	// ctx ends with an interrupt; set while a request of the shell lane is handled.
	ctx    context.Context
	cancel context.CancelCauseFunc
	lane   *lane
	// aborted is set on what waited when a cell before it failed.
	aborted bool
	// lost is set on what is for a subshell that is not there.
	lost bool
	// after, if set by the handler, runs when the reply and idle are out.
	after func()
}

func (r *request) size() int {
	n := len(r.msg.Content) + len(r.msg.Parent) + len(r.msg.Metadata)
	for _, b := range r.msg.Buffers {
		n += len(b)
	}
	return n
}

// lane is a queue of requests that are handled one after the other.
type lane struct {
	mu     sync.Mutex
	change sync.Cond
	queue  []*request
	bytes  int
	closed bool
}

func newLane() *lane {
	l := &lane{}
	l.change.L = &l.mu
	return l
}

// put adds a request, waiting while the lane is full.
func (l *lane) put(r *request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && len(l.queue) > 0 && (len(l.queue) >= laneRequests || l.bytes+r.size() > laneBytes) {
		l.change.Wait()
	}
	if l.closed {
		return
	}
	l.queue = append(l.queue, r)
	l.bytes += r.size()
	l.change.Broadcast()
}

// next waits for a request; false means the lane was closed.
func (l *lane) next() (*request, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) == 0 && !l.closed {
		l.change.Wait()
	}
	if l.closed && len(l.queue) == 0 {
		return nil, false
	}
	r := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	l.bytes -= r.size()
	l.change.Broadcast()
	return r, true
}

// abort marks every execute_request that waits.
func (l *lane) abort() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.queue {
		if r.msg.Header.MsgType == wire.ExecuteRequest {
			r.aborted = true
		}
	}
}

// finish ends the lane when all that waits was answered, as aborted.
func (l *lane) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, r := range l.queue {
		r.aborted = true
	}
	l.change.Broadcast()
}

// close throws away what waits and lets next and put return.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.queue = nil
	l.change.Broadcast()
}
