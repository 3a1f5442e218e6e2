package wire

import (
	"context"
	"log/slog"
	"net"
	"sync"

	"github.com/go-zeromq/zmq4"
)

// Options are what all sockets share.
type Options struct {
	Limits Limits
	// Log gets what peers do wrong; nil discards it.
	Log *slog.Logger
}

func (o Options) socket(ln net.Listener, ch Channel, typ zmq4.SocketType) *socket {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &socket{ln: ln, channel: ch, typ: typ, limits: o.Limits, log: log,
		opened: func(*link) {}, closed: func(*link) {}, received: func(*link, [][]byte) {}}
}

// Router is a ROUTER socket for shell, control or stdin.
type Router struct {
	s     *socket
	codec *Codec

	mu   sync.Mutex
	byID map[string]*link
}

// Route is where a request came from.
type Route struct {
	from     *link
	identity string
	prefix   [][]byte
}

// NewRouter serves ln, which it owns from now on. handle gets every message that
// the codec accepts; it is called from the goroutine that reads that peer, so
// while it blocks only this peer waits.
func NewRouter(ln net.Listener, ch Channel, codec *Codec, opt Options, handle func(*Message, Route)) *Router {
	r := &Router{s: opt.socket(ln, ch, zmq4.Router), codec: codec, byID: map[string]*link{}}
	r.s.opened = func(l *link) { r.claim(l, false) }
	r.s.closed = func(l *link) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.byID[l.Identity()] == l {
			delete(r.byID, l.Identity())
		}
	}
	r.s.received = func(l *link, frames [][]byte) {
		m, err := codec.Decode(frames)
		if err != nil {
			r.s.complain("receive", err)
			return
		}
		r.claim(l, true)
		handle(m, Route{from: l, identity: l.Identity(), prefix: m.Identities})
	}
	r.s.start()
	return r
}

// claim notes who owns an identity: the first to connect with it, or the last
// that sent a message with a good signature under it.
func (r *Router) claim(l *link, authenticated bool) {
	if l.Identity() == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID[l.Identity()] == nil || authenticated {
		r.byID[l.Identity()] = l
	}
}

// Send queues m for the peer of a route and never blocks. If that connection is
// gone, or belongs to another Router, m goes to the peer with the same
// identity. It is false when there is none: the client has left.
func (r *Router) Send(to Route, m *Message) bool {
	l := to.from
	if l == nil || l.gone.Load() || !r.owns(l) {
		r.mu.Lock()
		l = r.byID[to.identity]
		r.mu.Unlock()
		if l == nil {
			return false
		}
	}
	m.Identities = to.prefix
	r.s.send(l, newItem(r.codec.Encode(m), nil))
	return true
}

func (r *Router) owns(l *link) bool {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	_, ok := r.s.links[l]
	return ok
}

// Close stops accepting, delivers what waits until ctx is done, and returns when
// every goroutine has ended.
func (r *Router) Close(ctx context.Context) { r.s.shutdown(ctx) }

// Echo is the heartbeat: it returns every message as it came.
type Echo struct{ s *socket }

// NewEcho serves ln, which it owns from now on.
func NewEcho(ln net.Listener, opt Options) *Echo {
	e := &Echo{opt.socket(ln, Heartbeat, zmq4.Rep)}
	e.s.received = func(l *link, frames [][]byte) { e.s.send(l, newItem(frames, nil)) }
	e.s.start()
	return e
}

// Close is as Router.Close.
func (e *Echo) Close(ctx context.Context) { e.s.shutdown(ctx) }
