package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// ErrClosed is the error of calls on a client that was closed, or whose kernel
// closed the connection.
var ErrClosed = errors.New("connection to the kernel is closed")

// errNoStatus: a reply came without its status on iopub.
var errNoStatus = errors.New("no status on iopub")

const (
	// dialTime bounds Dial when its context has no deadline.
	dialTime = 30 * time.Second
	// probeTime is how long after a reply Dial waits for its status on iopub before
	// it asks again.
	probeTime = 100 * time.Millisecond
	// endTime is how long the other channels may be quiet when one has ended.
	endTime = 500 * time.Millisecond
)

// Client is connected to one kernel. Make one with Dial.
type Client struct {
	codec   *wire.Codec
	session string
	peers   map[wire.Channel]*wire.Peer
	wg      sync.WaitGroup
	pinging sync.Mutex
	// welcome is closed by the first iopub_welcome.
	welcome  chan struct{}
	welcomed sync.Once
	// lastReceived is when a message last arrived, in Unix nanoseconds.
	lastReceived atomic.Int64

	mu     sync.Mutex
	calls  map[string]*call
	taps   []func(wire.Channel, *wire.Message)
	closed chan struct{} // closed when a connection has ended
	cause  error
	// endedChannels counts connections that ended from the other side.
	endedChannels int
}

// Dial connects to the kernel at c and waits until it answers. It retries while
// nobody listens; without a deadline in ctx it gives up after 30 s.
func Dial(ctx context.Context, c wire.Connection) (*Client, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("kernel connection: %w", err)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, dialTime)
		defer cancel()
	}
	cl := &Client{
		codec:   wire.NewCodec(c.Key),
		session: wire.NewHeader("", "", "").MsgID,
		peers:   map[wire.Channel]*wire.Peer{},
		calls:   map[string]*call{},
		closed:  make(chan struct{}),
		welcome: make(chan struct{}),
	}
	for _, ch := range wire.Channels() {
		// One identity on all channels lets the kernel find this client's stdin.
		p, err := wire.Dial(ctx, c, ch, cl.session)
		if err != nil {
			cl.Close()
			return nil, err
		}
		cl.peers[ch] = p
	}
	for ch, p := range cl.peers {
		if ch != wire.Heartbeat { // Ping reads it itself
			cl.wg.Go(func() { cl.read(ch, p) })
		}
	}
	if err := cl.ready(ctx); err != nil {
		cl.Close()
		return nil, fmt.Errorf("wait for the kernel: %w", err)
	}
	return cl, nil
}

// ready subscribes and asks for kernel_info until the status of an answer arrives
// on iopub too, which proves that the subscription is in force. It asks on
// control, which a running cell does not block, and again only after a reply: a
// kernel that is slow must not be asked ever more.
func (c *Client) ready(ctx context.Context) error {
	if err := c.peers[wire.IOPub].Send([][]byte{{1}}); err != nil {
		return err
	}
	// A kernel of protocol 5.5 says when the subscription is in force.
	select {
	case <-c.welcome:
	case <-time.After(probeTime):
	case <-c.closed:
	case <-ctx.Done():
	}
	for {
		m, err := c.NewMessage(wire.KernelInfoRequest, struct{}{})
		if err != nil {
			return err
		}
		if _, err = c.do(ctx, wire.Control, m, nil, probeTime); !errors.Is(err, errNoStatus) {
			return err
		}
	}
}

// Close closes the connection; the kernel goes on. Calls under way fail with
// ErrClosed.
func (c *Client) Close() error {
	c.fail(nil)
	c.wg.Wait()
	return nil
}

// fail ends the client: all connections belong together.
func (c *Client) fail(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
		return
	default:
	}
	c.cause = cause
	close(c.closed)
	for _, p := range c.peers {
		p.Close()
	}
}

// ended notes that one channel has ended. A kernel that shuts down closes all of
// them, one after the other, and the slower ones still carry messages.
func (c *Client) ended(cause error) {
	c.mu.Lock()
	c.endedChannels++
	n := c.endedChannels
	c.mu.Unlock()
	switch n {
	case 1:
		var check func()
		check = func() {
			if time.Since(time.Unix(0, c.lastReceived.Load())) < endTime {
				time.AfterFunc(endTime, check)
				return
			}
			c.fail(cause)
		}
		time.AfterFunc(endTime, check)
	case len(c.peers) - 1: // all but the heartbeat
		c.fail(cause)
	}
}

func (c *Client) closedError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return fmt.Errorf("%w: %w", ErrClosed, c.cause)
	}
	return ErrClosed
}

// Done is closed when the connection has ended, by Close or from the other side.
func (c *Client) Done() <-chan struct{} { return c.closed }

// read takes the messages of one channel to the calls they belong to. A message
// with a wrong signature or form is not the kernel's and is dropped.
func (c *Client) read(ch wire.Channel, p *wire.Peer) {
	for {
		frames, err := p.Recv()
		if err != nil {
			c.ended(fmt.Errorf("%s: %w", ch, err))
			return
		}
		c.lastReceived.Store(time.Now().UnixNano())
		m, err := c.codec.Decode(frames)
		if err != nil {
			continue
		}
		if m.Header.MsgType == wire.IOPubWelcome {
			c.welcomed.Do(func() { close(c.welcome) })
		}
		c.mu.Lock()
		taps := c.taps
		target := c.calls[m.ParentHeader().MsgID]
		c.mu.Unlock()
		for _, tap := range taps {
			tap(ch, m)
		}
		if target != nil {
			target.put(ch, m)
		}
	}
}

// Tap calls f with every message that arrives from now on, from the goroutine
// that reads the channel: f must not block and must be safe for concurrent use.
func (c *Client) Tap(f func(wire.Channel, *wire.Message)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taps = append(c.taps[:len(c.taps):len(c.taps)], f)
}

// NewMessage makes a message of this client's session.
func (c *Client) NewMessage(msgType string, content any) (*wire.Message, error) {
	raw, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("content of %s: %w", msgType, err)
	}
	return &wire.Message{Header: wire.NewHeader(msgType, c.session, "gopherlens"), Content: raw}, nil
}

// Send sends a message and waits for nothing.
func (c *Client) Send(ch wire.Channel, m *wire.Message) error {
	return c.SendFrames(ch, c.codec.Encode(m))
}

// SendFrames sends frames as they are, for tests of what is not a message.
func (c *Client) SendFrames(ch wire.Channel, frames [][]byte) error {
	p, ok := c.peers[ch]
	if !ok {
		return fmt.Errorf("channel %q is unknown (allowed: %v)", ch, wire.Channels())
	}
	if err := p.Send(frames); err != nil {
		// A write that fails closes its connection, and the others follow.
		return fmt.Errorf("%w: send on %s: %w", ErrClosed, ch, err)
	}
	return nil
}

// call is a request that waits for its reply and for idle.
type call struct {
	mu    sync.Mutex
	queue []*wire.Message // output, reply and status, as they came
	wake  chan struct{}   // capacity 1
	reply *wire.Message
}

// put never blocks: the reader serves all calls.
func (q *call) put(ch wire.Channel, m *wire.Message) {
	q.mu.Lock()
	switch ch {
	case wire.Shell, wire.Control:
		q.reply = m
	case wire.IOPub, wire.Stdin:
		q.queue = append(q.queue, m)
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *call) take() (msgs []*wire.Message, reply *wire.Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	msgs, q.queue = q.queue, nil
	return msgs, q.reply
}

// Request sends a request and returns its reply once the kernel is idle again,
// so that nothing of its output comes later. output, if not nil, gets every
// iopub message of the request but status, and input_request, which it may answer
// with Send on the stdin channel. When ctx ends first, the request goes
// on in the kernel.
func (c *Client) Request(ctx context.Context, ch wire.Channel, msgType string, content any, output func(*wire.Message)) (*wire.Message, error) {
	m, err := c.NewMessage(msgType, content)
	if err != nil {
		return nil, err
	}
	return c.Do(ctx, ch, m, output)
}

// Do is Request for a message made by NewMessage.
func (c *Client) Do(ctx context.Context, ch wire.Channel, m *wire.Message, output func(*wire.Message)) (*wire.Message, error) {
	return c.do(ctx, ch, m, output, 0)
}

// do is Do; with patience above 0 it returns errNoStatus when idle has not come
// that long after the reply.
func (c *Client) do(ctx context.Context, ch wire.Channel, m *wire.Message, output func(*wire.Message), patience time.Duration) (*wire.Message, error) {
	q := &call{wake: make(chan struct{}, 1)}
	c.mu.Lock()
	c.calls[m.Header.MsgID] = q
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.calls, m.Header.MsgID)
	}()
	if err := c.Send(ch, m); err != nil {
		return nil, err
	}
	idle := false
	var late <-chan time.Time
	for {
		// Looked at before the queue: what arrived before the end still counts.
		ended := false
		select {
		case <-c.closed:
			ended = true
		default:
		}
		msgs, reply := q.take()
		for _, msg := range msgs {
			if msg.Header.MsgType == wire.Status {
				var s wire.StatusContent
				idle = idle || msg.Decode(&s) == nil && s.ExecutionState == wire.StateIdle
			} else if output != nil {
				output(msg)
			}
		}
		switch {
		case reply != nil && idle:
			return reply, nil
		case ended:
			return nil, c.closedError()
		case reply != nil && late == nil && patience > 0:
			late = time.After(patience)
		}
		select {
		case <-q.wake:
		case <-late:
			return nil, errNoStatus
		case <-c.closed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
