package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// maxComms bounds how many comms are open at a time.
const maxComms = 10_000

// ErrCommClosed is the error of Send and Close on a comm that was closed, by
// either side.
var ErrCommClosed = errors.New("comm is closed")

var errCommOpen = errors.New("comm is open already")

// CommMessage is what one side of a comm tells the other.
type CommMessage struct {
	// Data is a JSON object; nil means an empty one.
	Data json.RawMessage
	// Metadata is a JSON object; nil means none.
	Metadata json.RawMessage
	// Buffers are raw binary attachments.
	Buffers [][]byte
}

// CommTarget is called with a comm that a front end has opened. It must set the
// comm's handlers before it returns; an error, or a panic, closes the comm. ctx
// ends with an interrupt.
type CommTarget func(ctx context.Context, c *Comm, open CommMessage) error

// Comm is a line between the kernel and its front ends. It is safe for
// concurrent use. Handlers run one at a time in the lane of the request that
// brings the message (a subshell's, if the front end says so); an interrupt
// abandons one that hangs.
type Comm struct {
	k          *Kernel
	id, target string

	mu       sync.Mutex
	parent   json.RawMessage // header of the latest request that has to do with it
	received func(context.Context, CommMessage)
	closed   func(context.Context, CommMessage)
	gone     bool
}

// ID is the comm's identifier, unique in the kernel.
func (c *Comm) ID() string { return c.id }

// Target is the name under which the other side found whom to talk to.
func (c *Comm) Target() string { return c.target }

// Handle sets who gets the messages of the front end and who is told that it has
// closed the comm; either may be nil. Their context ends with an interrupt.
func (c *Comm) Handle(received, closed func(context.Context, CommMessage)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received, c.closed = received, closed
}

// Send tells the front ends. It fails with ErrCommClosed, or when m is not made
// of JSON objects.
func (c *Comm) Send(m CommMessage) error {
	if err := m.check(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return ErrCommClosed
	}
	c.k.publishComm(wire.CommMsg, c.parent, wire.CommContent{CommID: c.id, Data: m.data()}, m)
	return nil
}

// Close ends the comm and tells the front ends.
func (c *Comm) Close(m CommMessage) error {
	if err := m.check(); err != nil {
		return err
	}
	if !c.end() {
		return ErrCommClosed
	}
	c.k.publishComm(wire.CommClose, c.parent, wire.CommContent{CommID: c.id, Data: m.data()}, m)
	return nil
}

// end reports whether c was still open.
func (c *Comm) end() bool {
	c.mu.Lock()
	was := !c.gone
	c.gone = true
	c.mu.Unlock()
	c.k.mu.Lock()
	defer c.k.mu.Unlock()
	if c.k.comms[c.id] == c {
		delete(c.k.comms, c.id)
	}
	return was
}

func (m CommMessage) check() error {
	for name, raw := range map[string]json.RawMessage{"data": m.Data, "metadata": m.Metadata} {
		var members map[string]json.RawMessage
		if raw != nil && (json.Unmarshal(raw, &members) != nil || members == nil) {
			return fmt.Errorf("comm: %s is not a JSON object", name)
		}
	}
	return nil
}

func (m CommMessage) data() json.RawMessage {
	if m.Data == nil {
		return json.RawMessage("{}")
	}
	return m.Data
}

// RegisterComm names a target that front ends may open comms to; nil takes the
// name away. A comm for a target without a name is closed at once.
func (k *Kernel) RegisterComm(target string, open CommTarget) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if open == nil {
		delete(k.targets, target)
		return
	}
	k.targets[target] = open
}

// openComm opens a comm from the kernel's side.
func (k *Kernel) openComm(parent json.RawMessage, target string, m CommMessage) (*Comm, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	c := &Comm{k: k, id: wire.NewHeader("", "", "").MsgID, target: target, parent: parent}
	if err := k.keepComm(c); err != nil {
		return nil, err
	}
	k.publishComm(wire.CommOpen, parent, wire.CommContent{CommID: c.id, TargetName: target, Data: m.data()}, m)
	return c, nil
}

func (k *Kernel) keepComm(c *Comm) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.comms) >= maxComms {
		return fmt.Errorf("comm: %d comms are open, which is the limit", maxComms)
	}
	if k.comms[c.id] != nil {
		return fmt.Errorf("%w: %q", errCommOpen, c.id)
	}
	k.comms[c.id] = c
	return nil
}

func (k *Kernel) publishComm(msgType string, parent json.RawMessage, content wire.CommContent, m CommMessage) {
	msg := k.message(msgType, parent, content)
	msg.Metadata, msg.Buffers = m.Metadata, m.Buffers
	k.send(msg)
}

func (k *Kernel) commInfo(r *request) any {
	var c wire.CommContent
	if err := r.msg.Decode(&c); err != nil {
		return badContent(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	comms := map[string]wire.CommContent{}
	for id, open := range maps.All(k.comms) {
		if c.TargetName == "" || c.TargetName == open.target {
			comms[id] = wire.CommContent{TargetName: open.target}
		}
	}
	return wire.CommInfoReplyContent{Failure: wire.Failure{Status: wire.StatusOK}, Comms: comms}
}

// commOpen answers comm_open: with nothing if the target takes the comm, else
// with comm_close, because a client that is not told believes its comm open.
func (k *Kernel) commOpen(r *request) any {
	content, m, ok := k.commContent(r)
	if !ok {
		return nil
	}
	refuse := func(why string) any {
		k.cfg.Log.Warn("refused a comm", "target", content.TargetName, "why", why)
		k.publish(wire.CommClose, r.msg.HeaderJSON(), wire.CommContent{CommID: content.CommID, Data: json.RawMessage("{}")})
		return nil
	}
	k.mu.Lock()
	open := k.targets[content.TargetName]
	k.mu.Unlock()
	if open == nil {
		return refuse("there is no such target")
	}
	c := &Comm{k: k, id: content.CommID, target: content.TargetName, parent: r.msg.HeaderJSON()}
	if err := k.keepComm(c); errors.Is(err, errCommOpen) {
		k.cfg.Log.Warn("ignored a comm_open", "err", err) // to close it would close the other
		return nil
	} else if err != nil {
		return refuse(err.Error())
	}
	if err := k.callComm(r, func(ctx context.Context) error { return open(ctx, c, m) }); err != nil && c.end() {
		return refuse(err.Error())
	}
	return nil
}

func (k *Kernel) commMsg(r *request) any {
	content, m, ok := k.commContent(r)
	if !ok {
		return nil
	}
	k.mu.Lock()
	c := k.comms[content.CommID]
	k.mu.Unlock()
	if c == nil {
		return nil // the protocol says to ignore unknown ones
	}
	c.mu.Lock()
	c.parent = r.msg.HeaderJSON()
	handle := c.received
	closing := r.msg.Header.MsgType == wire.CommClose
	if closing {
		handle = c.closed
	}
	c.mu.Unlock()
	if closing && !c.end() || handle == nil {
		return nil
	}
	if err := k.callComm(r, func(ctx context.Context) error { handle(ctx, m); return nil }); err != nil {
		k.publish(wire.Stream, r.msg.HeaderJSON(), wire.StreamContent{Name: "stderr", Text: fmt.Sprintf("comm %s: %v\n", c.target, err)})
	}
	return nil
}

// callComm runs a handler as a cell is run, so that neither its panic nor its
// hanging ends the lane. What it has printed is out before its request is idle.
func (k *Kernel) callComm(r *request, f func(context.Context) error) error {
	defer k.flushUnsent()
	return k.guard(r, func(ctx context.Context) outcome { return outcome{err: f(ctx)} }).err
}

func (k *Kernel) commContent(r *request) (c wire.CommContent, m CommMessage, ok bool) {
	err := r.msg.Decode(&c)
	m = CommMessage{Data: c.Data, Metadata: r.msg.Metadata, Buffers: r.msg.Buffers}
	if err == nil {
		err = m.check()
	}
	if err == nil && c.CommID == "" {
		err = errors.New("no comm_id")
	}
	if err != nil {
		k.cfg.Log.Warn("ignored a message", "type", r.msg.Header.MsgType, "err", err)
	}
	return c, m, err == nil
}
