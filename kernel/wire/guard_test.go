package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// script is a net.Conn that reads from a string and forgets what is written.
type script struct {
	net.Conn
	io.Reader
}

func (s script) Read(p []byte) (int, error)       { return s.Reader.Read(p) }
func (script) Write(p []byte) (int, error)        { return len(p), nil }
func (script) Close() error                       { return nil }
func (script) SetDeadline(time.Time) error        { return nil }
func (script) SetWriteDeadline(t time.Time) error { return nil }

const testGreeting = "\xff\x00\x00\x00\x00\x00\x00\x00\x00\x7f\x03\x00NULL" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

const dealer = testGreeting + "\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"

// FuzzPeer feeds bytes to a peer from its greeting on: never a panic, and never
// more memory than was sent and the limit allow.
func FuzzPeer(f *testing.F) {
	f.Add([]byte(dealer + "\x01\x00\x00\x05hello"))
	f.Add([]byte(dealer + string(binary.BigEndian.AppendUint64([]byte{2}, 1<<62))))
	f.Add([]byte(dealer + "\x04\x07\x04PING\x00\x01" + "\x04\x02\x05A"))
	f.Add([]byte(testGreeting + "\x04\x07\x05READY\x0b"))
	f.Add([]byte(testGreeting + "\x04\x05\x05READY"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := openPeer(script{Reader: bytes.NewReader(data)}, "ROUTER", "", true, Limits{Message: 1 << 20}.withDefaults(), func(string, []byte) {})
		if err != nil {
			return
		}
		total := 0
		for {
			frames, err := p.Recv()
			if err != nil {
				return
			}
			for _, fr := range frames {
				total += len(fr)
			}
			if total > len(data) {
				t.Fatalf("%d bytes came out of %d", total, len(data))
			}
		}
	})
}

// TestAllocationFollowsArrival: a header that announces a gigabyte costs next to
// nothing until the bytes come.
func TestAllocationFollowsArrival(t *testing.T) {
	data := dealer + string(binary.BigEndian.AppendUint64([]byte{2}, 1<<30)) + strings.Repeat("x", 3<<20)
	p, err := openPeer(script{Reader: strings.NewReader(data)}, "ROUTER", "", true, Limits{}.withDefaults(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = p.Recv()
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a frame that ended early: %v", err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
		t.Errorf("%d bytes were allocated for 3 MiB", got)
	}
}

// counting counts the writes that reach the network.
type counting struct {
	net.Conn
	writes int
}

func (c *counting) Write(p []byte) (int, error) {
	c.writes++
	return c.Conn.Write(p)
}

// TestPeers: both ends of a connection, large and small frames, one write for a
// small message.
func TestPeers(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	type end struct {
		p   *Peer
		err error
	}
	server := make(chan end, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			server <- end{nil, err}
			return
		}
		p, err := openPeer(c, "ROUTER", "", true, Limits{}.withDefaults(), nil)
		server <- end{p, err}
	}()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ca := &counting{Conn: c}
	client, err := openPeer(ca, "DEALER", "me", false, Limits{}.withDefaults(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := <-server
	if s.err != nil || s.p.Identity() != "me" {
		t.Fatalf("server side: %v, %+v", s.err, s.p)
	}
	defer client.Close()
	defer s.p.Close()
	for _, frames := range [][][]byte{
		{[]byte("a"), {}, []byte("b")},
		{bytes.Repeat([]byte("m"), 300), {}},
		{bytes.Repeat([]byte("l"), 3<<20), []byte("end")},
	} {
		before := ca.writes
		sent := make(chan error, 1)
		go func() { sent <- client.Send(frames) }()
		got, err := s.p.Recv()
		if err != nil || len(got) != len(frames) {
			t.Fatalf("%d frames, %v", len(got), err)
		}
		for i := range frames {
			if !bytes.Equal(got[i], frames[i]) {
				t.Errorf("frame %d has %d bytes, want %d", i, len(got[i]), len(frames[i]))
			}
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		if n := ca.writes - before; len(frames[0]) < 1000 && n != 1 {
			t.Errorf("a small message took %d writes", n)
		}
	}
}

// TestReplayWindow: the memory of signatures is bounded, and the latest are kept.
func TestReplayWindow(t *testing.T) {
	c := NewCodec("key")
	c.window = 10
	var sent [][][]byte
	for range 25 {
		f := c.Encode(&Message{Header: NewHeader("t", "s", "u")})
		sent = append(sent, f)
		if _, err := c.Decode(f); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.seen) != 10 || len(c.ring) != 10 {
		t.Errorf("%d and %d signatures are kept", len(c.seen), len(c.ring))
	}
	for i, f := range sent[15:] {
		if _, err := c.Decode(f); !errors.Is(err, ErrReplay) {
			t.Errorf("message %d again: %v", 15+i, err)
		}
	}
}

func TestSendQueue(t *testing.T) {
	notice := func(lost int64, last *Message) item { return item{frames: [][]byte{[]byte("lost")}, size: 1} }
	text := func(n int64) item { return item{frames: [][]byte{[]byte("text")}, size: n, msg: &Message{}} }
	must := func(n int64) item { return item{frames: [][]byte{[]byte("must")}, size: n} }
	drain := func(q *sendQueue) string {
		q.close(false)
		var s []string
		for {
			it, ok := q.get()
			if !ok {
				return strings.Join(s, " ")
			}
			s = append(s, string(it.frames[0]))
		}
	}
	limits := Limits{StreamQueue: 100, Queue: 300}
	for name, tc := range map[string]struct {
		put  []item
		last bool
		want string
	}{
		"fits":                     {[]item{text(50), text(50), must(10)}, true, "text text must"},
		"first always fits":        {[]item{text(1000)}, true, "text"},
		"streams are dropped":      {[]item{text(90), text(20), text(20), must(10)}, true, "text lost must"},
		"no flicker":               {[]item{text(60), text(50), text(10), must(10)}, true, "text lost must"},
		"streams make room":        {[]item{must(150), text(90), must(150)}, true, "must lost must"},
		"evicted with notice":      {[]item{text(90), must(150), must(150)}, true, "must lost must"},
		"what must stay overflows": {[]item{must(200), must(90), must(90)}, false, "must must"},
	} {
		q := newSendQueue(limits, notice)
		ok := true
		for _, it := range tc.put {
			ok = q.put(it)
		}
		if ok != tc.last {
			t.Errorf("%s: put is %v", name, ok)
		}
		if got := drain(q); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

// TestPublisher: welcome after the subscription, topics as prefixes, no message
// before or after.
func TestPublisher(t *testing.T) {
	conn := Connection{Transport: "tcp", IP: "127.0.0.1", Key: "k"}
	ln, err := Listen(&conn, IOPub)
	if err != nil {
		t.Fatal(err)
	}
	codec := NewCodec("k")
	pub := NewPublisher(ln, codec, "s", Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	defer pub.Close(ctx)
	sub, err := Dial(ctx, conn, IOPub, "")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	publish := func(topic, text string) {
		m := &Message{Identities: [][]byte{[]byte(topic)}, Header: NewHeader(Stream, "s", "k")}
		m.Content, _ = json.Marshal(StreamContent{Name: "stdout", Text: text})
		pub.Publish(m)
	}
	next := func() *Message {
		t.Helper()
		frames, err := sub.Recv()
		if err != nil {
			t.Fatal(err)
		}
		m, err := codec.Decode(frames)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	publish("kernel.a", "too early")
	if err := sub.Send([][]byte{[]byte("\x01kernel")}); err != nil {
		t.Fatal(err)
	}
	var w WelcomeContent
	if m := next(); m.Header.MsgType != IOPubWelcome || m.Decode(&w) != nil || w.Subscription != "kernel" || string(m.Identities[0]) != "kernel" {
		t.Errorf("first message is %s %s", m.Header.MsgType, m.Content)
	}
	if n := pub.Subscribers(); n != 1 {
		t.Errorf("%d subscribers", n)
	}
	publish("other", "not for us")
	publish("kernel.a", "for us")
	if m := next(); !strings.Contains(string(m.Content), "for us") {
		t.Errorf("got %s", m.Content)
	}
	sub.Send([][]byte{[]byte("\x00kernel")})
	sub.Send([][]byte{[]byte("\x01all")})
	for { // the welcome tells that the change before it is in force
		if m := next(); m.Header.MsgType == IOPubWelcome {
			break
		}
	}
	publish("kernel.a", "unsubscribed")
	publish("all", "last")
	if m := next(); !strings.Contains(string(m.Content), "last") {
		t.Errorf("got %s", m.Content)
	}
}
