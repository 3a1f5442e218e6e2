package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zeromq/zmq4"
)

// lingerRead is how long a peer has to take the last bytes when a socket closes.
const lingerRead = 250 * time.Millisecond

// Listen binds a channel. c gets the port that was chosen when it was 0 (tcp).
// The file of an ipc socket whose owner is gone is replaced.
func Listen(c *Connection, ch Channel) (net.Listener, error) {
	network, address := c.Addr(ch)
	ln, err := net.Listen(network, address)
	if err != nil && network == "unix" && staleSocket(address) {
		if err = os.Remove(address); err == nil {
			ln, err = net.Listen(network, address)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("bind %s to %s: %w", ch, address, err)
	}
	switch a := ln.Addr().(type) {
	case *net.TCPAddr:
		c.setPort(ch, a.Port)
	case *net.UnixAddr:
		if runtime.GOOS == "windows" {
			break // its sockets have no mode
		}
		if err := os.Chmod(address, 0o600); err != nil {
			ln.Close()
			return nil, fmt.Errorf("bind %s to %s: %w", ch, address, err)
		}
	}
	return ln, nil
}

func staleSocket(path string) bool {
	fi, err := os.Lstat(path)
	if err != nil || fi.Mode()&os.ModeSocket == 0 {
		return false
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return false
	}
	return true
}

// socket accepts peers and runs one reader and one writer for each.
type socket struct {
	ln      net.Listener
	channel Channel
	typ     zmq4.SocketType
	limits  Limits
	log     *slog.Logger

	// opened, received and closed are called by the peer's reader goroutine.
	// command is as in openPeer.
	opened   func(*link)
	received func(*link, [][]byte)
	command  func(l *link, name string, body []byte)
	closed   func(*link)
	notice   func(int64, *Message) item

	mu    sync.Mutex
	links map[*link]struct{}
	raw   map[net.Conn]struct{} // in the handshake
	done  bool
	wg    sync.WaitGroup

	complaints atomic.Int64
}

// link is a peer of a socket with what waits for it.
type link struct {
	*Peer
	queue *sendQueue
	gone  atomic.Bool
	wrote chan struct{} // closed when the writer has ended
}

func (l *link) kill() {
	l.queue.close(true)
	l.Close()
}

func (s *socket) start() {
	s.limits = s.limits.withDefaults()
	s.links = map[*link]struct{}{}
	s.raw = map[net.Conn]struct{}{}
	s.wg.Add(1)
	go s.accept()
}

func (s *socket) accept() {
	defer s.wg.Done()
	wait := 5 * time.Millisecond
	for {
		c, err := s.ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			s.complain("accept", err) // out of file descriptors, for one: peers may leave
			time.Sleep(wait)
			wait = min(2*wait, time.Second)
			continue
		}
		wait = 5 * time.Millisecond
		s.mu.Lock()
		full := len(s.links)+len(s.raw) >= s.limits.Peers
		if s.done || full {
			s.mu.Unlock()
			c.Close()
			if full {
				s.complain("accept", fmt.Errorf("%d connections are the limit", s.limits.Peers))
			}
			continue
		}
		s.raw[c] = struct{}{}
		s.wg.Add(1)
		s.mu.Unlock()
		go s.serve(c)
	}
}

// serve is the life of one peer.
func (s *socket) serve(c net.Conn) {
	defer s.wg.Done()
	l := &link{queue: newSendQueue(s.limits, s.notice), wrote: make(chan struct{})}
	var command func(string, []byte)
	if s.command != nil {
		command = func(name string, body []byte) { s.command(l, name, body) }
	}
	p, err := openPeer(c, s.typ, "", true, s.limits, command)
	s.mu.Lock()
	delete(s.raw, c)
	if err == nil && !s.done {
		l.Peer = p
		s.links[l] = struct{}{}
	}
	ended := s.done
	s.mu.Unlock()
	if err != nil || ended {
		c.Close()
		if err != nil && !ended {
			s.complain("handshake", err)
		}
		return
	}
	s.wg.Add(1)
	go s.write(l)
	s.opened(l)
	for {
		frames, err := p.Recv()
		if err != nil {
			if errors.Is(err, ErrTooLarge) || errors.Is(err, ErrFormat) {
				s.complain("receive", err)
				l.kill()
			}
			break
		}
		s.received(l, frames)
	}
	// A peer that ended its half may still read what waits for it, and one that
	// shutdown half-closed ends here: the writer decides when all is out.
	l.gone.Store(true)
	s.closed(l)
	l.queue.close(false)
	<-l.wrote
	l.Close()
	s.mu.Lock()
	delete(s.links, l)
	s.mu.Unlock()
}

func (s *socket) write(l *link) {
	defer s.wg.Done()
	defer close(l.wrote)
	for {
		it, ok := l.queue.get()
		if !ok {
			break
		}
		if err := l.Send(it.frames); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				s.complain("send", fmt.Errorf("a peer took nothing for %s and was disconnected", s.limits.Stall))
			}
			l.kill()
			return
		}
	}
	if hc, ok := l.g.Conn.(interface{ CloseWrite() error }); ok && hc.CloseWrite() == nil {
		l.g.Conn.SetReadDeadline(time.Now().Add(lingerRead))
		return
	}
	l.Close()
}

// send queues frames for a peer and disconnects it when too much waits.
func (s *socket) send(l *link, it item) {
	if !l.queue.put(it) {
		s.complain("send", fmt.Errorf("more than %d bytes wait for a peer; it was disconnected", s.limits.Queue))
		l.kill()
	}
}

// complain logs the first problems one by one and then a sample, so that a
// flood from outside does not become a flood on disk.
func (s *socket) complain(doing string, err error) {
	if n := s.complaints.Add(1); n <= 20 || n%1000 == 0 {
		s.log.Warn("socket", "channel", string(s.channel), "doing", doing, "err", err, "count", n)
	}
}

// shutdown stops accepting, lets the writers drain until ctx is done, and waits
// for every goroutine.
func (s *socket) shutdown(ctx context.Context) {
	s.ln.Close()
	s.mu.Lock()
	s.done = true
	for c := range s.raw {
		c.Close()
	}
	for l := range s.links {
		l.queue.close(false)
	}
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for l := range s.links {
			l.kill()
		}
	})
	defer stop()
	s.wg.Wait()
}
