package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/null"
)

// Limits bound what peers may cost. The zero value means the defaults.
type Limits struct {
	// Message is the largest message accepted, in bytes over all frames; default
	// 1 GiB.
	Message int64
	// Peers is how many connections one socket keeps; default 4096.
	Peers int
	// Handshake is the time a peer has to introduce itself; default 10 s.
	Handshake time.Duration
	// Stall is how long a peer may take nothing of a pending write; default 30 s.
	Stall time.Duration
	// StreamQueue is how many bytes may wait for one subscriber before its stream
	// messages are dropped; default 32 MiB.
	StreamQueue int64
	// Queue is how many bytes may wait for one peer before it is
	// disconnected; default 512 MiB.
	Queue int64
}

func (l Limits) withDefaults() Limits {
	def := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.Message, 1<<30)
	def(&l.StreamQueue, 32<<20)
	def(&l.Queue, 512<<20)
	def((*int64)(&l.Handshake), int64(10*time.Second))
	def((*int64)(&l.Stall), int64(30*time.Second))
	if l.Peers <= 0 {
		l.Peers = 4096
	}
	return l
}

// Peer is one ZeroMQ connection. Send may be used by several goroutines, Recv by
// one.
type Peer struct {
	conn     *zmq4.Conn
	g        *guard
	identity string

	mu sync.Mutex // one message at a time on the way out
}

// openPeer shakes hands over c, which it closes on failure. command gets ZMTP
// commands that come later and that Peer does not answer itself; it may be nil.
func openPeer(c net.Conn, typ zmq4.SocketType, identity string, server bool, l Limits, command func(name string, body []byte)) (p *Peer, err error) {
	defer func() {
		// The metadata parser of zmq4 indexes past the end of a short property.
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: handshake: %v", ErrFormat, r)
		}
		if err != nil {
			p = nil
			c.Close()
		}
	}()
	g := newGuard(c, l.Message, l.Stall)
	if err := c.SetDeadline(time.Now().Add(l.Handshake)); err != nil {
		return nil, err
	}
	conn, err := zmq4.Open(g, null.Security(), typ, zmq4.SocketIdentity(identity), server, nil)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	p = &Peer{conn: conn, g: g, identity: conn.Peer.Meta["Identity"]}
	g.gather = true
	g.command = func(name string, body []byte) error {
		switch name {
		case zmq4.CmdPing:
			var echo []byte // body is a 2-byte time to live and a context to return
			if len(body) > 2 {
				echo = body[2:]
			}
			return p.write(func() error { return p.conn.SendCmd(zmq4.CmdPong, echo) })
		default:
			if command != nil {
				command(name, body)
			}
			return nil
		}
	}
	return p, nil
}

// Dial connects to a channel of a kernel as a client. It retries while nobody
// listens, until ctx is done. identity may be empty.
func Dial(ctx context.Context, c Connection, ch Channel, identity string) (*Peer, error) {
	typ := zmq4.Dealer
	if ch == IOPub {
		typ = zmq4.Sub
	}
	network, address := c.Addr(ch)
	limits := Limits{}.withDefaults()
	wait := 2 * time.Millisecond
	for {
		var d net.Dialer
		raw, err := d.DialContext(ctx, network, address)
		if err == nil {
			// A handshake has no context of its own: closing is what ends it early.
			stop := context.AfterFunc(ctx, func() { raw.Close() })
			p, err := openPeer(raw, typ, identity, false, limits, nil)
			if !stop() && err == nil {
				p.Close()
				err = ctx.Err()
			}
			if err != nil {
				return nil, fmt.Errorf("connect to %s at %s: %w", ch, address, err)
			}
			return p, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("connect to %s at %s: %w", ch, address, err)
		case <-time.After(wait):
			wait = min(2*wait, 100*time.Millisecond)
		}
	}
}

// Identity is the identity the other side announced; often empty.
func (p *Peer) Identity() string { return p.identity }

// Send writes one message. It blocks while the peer takes bytes and fails when
// the peer takes none for the stall time.
func (p *Peer) Send(frames [][]byte) error {
	return p.write(func() error { return p.conn.SendMsg(zmq4.NewMsgFrom(frames...)) })
}

// write lets put fill the guard's buffer and flushes it. A failed write closes
// the connection, because half a frame may be out.
func (p *Peer) write(put func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := put()
	if err == nil {
		err = p.g.flush()
	}
	if err != nil {
		p.Close()
	}
	return err
}

// Recv returns the frames of the next message. After an error the connection is
// of no more use.
func (p *Peer) Recv() ([][]byte, error) {
	for {
		m, err := p.conn.RecvMsg()
		if err != nil {
			return nil, err
		}
		if m.Type == zmq4.UsrMsg && len(m.Frames) > 0 {
			return m.Frames, nil
		}
	}
}

// Close closes the connection at once. It may be called more than once.
func (p *Peer) Close() error {
	if err := p.g.Conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
