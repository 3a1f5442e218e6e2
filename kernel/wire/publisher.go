package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"

	"github.com/go-zeromq/zmq4"
)

const (
	maxSubscriptions = 256
	maxTopic         = 1024
)

// Publisher is the iopub socket. It behaves as an XPUB socket whose subscriber
// is greeted with iopub_welcome (JEP 65) once its subscription is in force.
type Publisher struct {
	s       *socket
	codec   *Codec
	session string

	mu   sync.Mutex // one order of messages for all subscribers
	subs map[*link]map[string]struct{}
}

// NewPublisher serves ln, which it owns from now on. session is for the messages
// that the publisher writes itself.
func NewPublisher(ln net.Listener, codec *Codec, session string, opt Options) *Publisher {
	p := &Publisher{s: opt.socket(ln, IOPub, zmq4.XPub), codec: codec, session: session, subs: map[*link]map[string]struct{}{}}
	p.s.notice = p.lossNotice
	p.s.received = func(l *link, frames [][]byte) {
		if len(frames) == 1 && len(frames[0]) > 0 && frames[0][0] <= 1 {
			p.subscribe(l, frames[0][0] == 1, string(frames[0][1:]))
		}
	}
	p.s.command = func(l *link, name string, body []byte) {
		if name == zmq4.CmdSubscribe || name == zmq4.CmdUnsubscribe {
			p.subscribe(l, name == zmq4.CmdSubscribe, string(body))
		}
	}
	p.s.closed = func(l *link) {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.subs, l)
	}
	p.s.start()
	return p
}

func (p *Publisher) subscribe(l *link, on bool, topic string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	topics := p.subs[l]
	if !on {
		delete(topics, topic)
		return
	}
	if len(topic) > maxTopic || len(topics) >= maxSubscriptions {
		p.s.complain("subscribe", fmt.Errorf("%w: at most %d topics of %d bytes", ErrTooLarge, maxSubscriptions, maxTopic))
		return
	}
	if topics == nil {
		topics = map[string]struct{}{}
		p.subs[l] = topics
	}
	topics[topic] = struct{}{}
	welcome := &Message{Header: NewHeader(IOPubWelcome, p.session, "kernel"), Identities: [][]byte{[]byte(topic)}}
	welcome.Content, _ = json.Marshal(WelcomeContent{Subscription: topic}) // a string always encodes
	p.s.send(l, newItem(p.codec.Encode(welcome), nil))
}

// Publish queues m for every subscriber of its topic (the first of its
// Identities) and never blocks.
func (p *Publisher) Publish(m *Message) {
	frames := p.codec.Encode(m)
	it := newItem(frames, nil)
	if m.Header.MsgType == Stream {
		it.msg = &Message{Identities: m.Identities, Parent: m.Parent}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for l, topics := range p.subs {
		for t := range topics {
			if bytes.HasPrefix(frames[0], []byte(t)) {
				p.s.send(l, it)
				break
			}
		}
	}
}

// lossNotice tells a slow subscriber, in the cell concerned, what it missed.
func (p *Publisher) lossNotice(lost int64, last *Message) item {
	m := &Message{Header: NewHeader(Stream, p.session, "kernel"), Identities: last.Identities, Parent: last.Parent}
	m.Content, _ = json.Marshal(StreamContent{Name: "stderr",
		Text: fmt.Sprintf("\n[%d bytes of output were dropped: this client reads too slowly]\n", lost)})
	return newItem(p.codec.Encode(m), nil)
}

// Subscribers is the number of peers with at least one subscription.
func (p *Publisher) Subscribers() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, topics := range p.subs {
		if len(topics) > 0 {
			n++
		}
	}
	return n
}

// Close is as Router.Close.
func (p *Publisher) Close(ctx context.Context) { p.s.shutdown(ctx) }
