package kernel_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/client"
	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

// alive fails the test unless c can still run a cell, quickly.
func alive(t *testing.T, c *client.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	reply, err := c.Execute(ctx, "x", nil)
	if err != nil || reply.Status != "ok" {
		t.Fatalf("the kernel does not run cells any more: %+v, %v", reply.Failure, err)
	}
}

func TestMalformedMessages(t *testing.T) {
	s := kerneltest.Start(t, cells{"x": value(1)})
	key := s.Kernel.Connection().Key
	good := func() *wire.Message {
		m, err := s.Client.NewMessage(wire.ExecuteRequest, wire.NewExecuteContent("x"))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	frames := func(change func(f [][]byte) [][]byte) [][]byte {
		return change(wire.NewCodec(key).Encode(good()))
	}
	// signed frames whatever parts with a good signature.
	signed := func(parts ...string) [][]byte {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(strings.Join(parts, "")))
		f := [][]byte{[]byte("<IDS|MSG>"), []byte(hex.EncodeToString(mac.Sum(nil)))}
		for _, p := range parts {
			f = append(f, []byte(p))
		}
		return f
	}
	header := string(good().HeaderJSON())
	replayed := wire.NewCodec(key).Encode(good())
	if err := s.Client.SendFrames(wire.Shell, replayed); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string][][]byte{
		"replay":              replayed,
		"wrong key":           wire.NewCodec("other").Encode(good()),
		"unsigned":            wire.NewCodec("").Encode(good()),
		"signature not hex":   frames(func(f [][]byte) [][]byte { f[1] = []byte(strings.Repeat("z", 64)); return f }),
		"one bit":             frames(func(f [][]byte) [][]byte { f[5] = append([]byte(" "), f[5]...); return f }),
		"no delimiter":        frames(func(f [][]byte) [][]byte { return f[1:] }),
		"delimiter alone":     frames(func(f [][]byte) [][]byte { return f[:1] }),
		"frame missing":       frames(func(f [][]byte) [][]byte { return f[:5] }),
		"empty frames":        {{}, {}, {}},
		"many identities":     make([][]byte, 1000),
		"header not JSON":     signed("{", "{}", "{}", "{}"),
		"header null":         signed("null", "{}", "{}", "{}"),
		"header list":         signed("[]", "{}", "{}", "{}"),
		"header wrong type":   signed(`{"msg_id":1,"msg_type":2}`, "{}", "{}", "{}"),
		"header without type": signed(`{"msg_id":"a"}`, "{}", "{}", "{}"),
		"parent number":       signed(header, "5", "{}", "{}"),
		"metadata string":     signed(header, "{}", `"x"`, "{}"),
		"content not JSON":    signed(header, "{}", "{}", "{]"),
		"content deep":        signed(header, "{}", "{}", strings.Repeat("[", 100_000)),
		"header huge":         signed(`{"msg_id":"a","msg_type":"execute_request","x":"`+strings.Repeat("y", 1<<20)+`"}`, "{}", "{}", "{}"),
	} {
		t.Run(name, func(t *testing.T) {
			for _, ch := range []wire.Channel{wire.Shell, wire.Control, wire.Stdin, wire.IOPub, wire.Heartbeat} {
				if err := s.Client.SendFrames(ch, f); err != nil && !errors.Is(err, client.ErrClosed) {
					t.Fatal(err)
				}
				if ch == wire.Shell { // before another channel has it, where it would run nothing and be known
					alive(t, s.Client)
				}
			}
			alive(t, s.Client)
		})
	}
	// The replayed message ran once.
	got, err := s.Client.History(testContext(t), wire.HistoryContent{HistAccessType: "tail"})
	if err != nil || len(got.History) != 41 {
		t.Errorf("%d cells ran, want 1 and 40 more: %v", len(got.History), err)
	}
}

// TestWrongContent: authentic requests whose content has wrong types get an
// error reply, so that their client does not wait for ever.
func TestWrongContent(t *testing.T) {
	s := kerneltest.Start(t, cells{"x": value(1)})
	for _, msgType := range []string{wire.ExecuteRequest, wire.CompleteRequest, wire.InspectRequest, wire.IsCompleteRequest, wire.HistoryRequest,
		wire.ShutdownRequest, wire.DebugRequest} {
		for _, content := range []string{`[]`, `null`, `5`, `""`,
			`{"code":5,"cursor_pos":"a","hist_access_type":[],"restart":"no","seq":"x"}`} {
			reply, err := s.Client.Request(testContext(t), wire.Shell, msgType, json.RawMessage(content), nil)
			if err != nil {
				t.Fatalf("%s %s: %v", msgType, content, err)
			}
			var f wire.Failure
			if err := reply.Decode(&f); err != nil || f.Status != "error" || f.EName == "" || f.EValue == "" {
				t.Errorf("%s %s: %s, %v", msgType, content, reply.Content, err)
			}
		}
	}
	alive(t, s.Client)
}

// raw connects without ZeroMQ.
func raw(t *testing.T, s *kerneltest.Server, ch wire.Channel) net.Conn {
	t.Helper()
	c, err := net.Dial(s.Kernel.Connection().Addr(ch))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

const greeting = "\xff\x00\x00\x00\x00\x00\x00\x00\x00\x7f\x03\x00NULL" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func ready(typ string) string {
	body := "\x05READY\x0bSocket-Type\x00\x00\x00" + string(rune(len(typ))) + typ
	return "\x04" + string(rune(len(body))) + body
}

func TestHostilePeers(t *testing.T) {
	huge := func(flags byte, size uint64) string {
		return string(binary.BigEndian.AppendUint64([]byte{flags}, size))
	}
	s := kerneltest.StartConfig(t, kernel.Config{Evaluator: cells{"x": value(1)}, Connection: kerneltest.TCP(),
		Limits: wire.Limits{Handshake: 3 * time.Second, Message: 2 << 20}})
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	for name, bytes := range map[string]string{
		"silent":                        "",
		"http":                          "GET / HTTP/1.1\r\nHost: x\r\n\r\n" + strings.Repeat("x", 100),
		"wrong version":                 strings.Replace(greeting, "\x7f\x03", "\x7f\x01", 1),
		"wrong mechanism":               strings.Replace(greeting, "NULL", "PLAI", 1),
		"greeting alone":                greeting,
		"2^62 in the handshake":         greeting + huge(6, 1<<62),
		"message in the handshake":      greeting + "\x00\x05hello",
		"short property":                greeting + "\x04\x07\x05READY\x0b",
		"property beyond the end":       greeting + "\x04\x12\x05READY\x0bSocket-Type",
		"incompatible":                  greeting + ready("PUSH"),
		"2^62 bytes":                    greeting + ready("DEALER") + huge(2, 1<<62),
		"2^63 bytes":                    greeting + ready("DEALER") + huge(3, 1<<63),
		"limit announced, nothing sent": greeting + ready("DEALER") + huge(2, 2<<20),
		"endless message":               greeting + ready("DEALER") + strings.Repeat("\x01\x00", 10_000),
		"too many bytes in parts":       greeting + ready("DEALER") + strings.Repeat(huge(3, 1<<20)+strings.Repeat("x", 1<<20), 3),
		"reserved flags":                greeting + ready("DEALER") + "\xf8\x01x",
		"nameless command":              greeting + ready("DEALER") + "\x04\x00",
		"ping flood":                    greeting + ready("DEALER") + strings.Repeat("\x04\x07\x04PING\x00\x01", 5000),
		"half a frame":                  greeting + ready("DEALER") + "\x00\xffabc",
		"subscription flood":            greeting + ready("SUB") + strings.Repeat("\x00\x02\x01a", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			for _, ch := range wire.Channels() {
				c := raw(t, s, ch)
				c.SetDeadline(time.Now().Add(2 * time.Second))
				io.WriteString(c, bytes) // the kernel may hang up while we talk
			}
			alive(t, s.Client)
			alive(t, s.Dial())
		})
	}
	runtime.GC()
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("hostile peers hold %d bytes", grown)
	}

	t.Run("answer to ping", func(t *testing.T) {
		c := raw(t, s, wire.Shell)
		c.SetDeadline(time.Now().Add(2 * time.Second))
		io.WriteString(c, greeting+ready("DEALER")+"\x04\x0a\x04PING\x00\x01abc")
		got := make([]byte, 64)
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatal(err)
		}
		all := make([]byte, 0, 256)
		for !strings.Contains(string(all), "\x04PONGabc") {
			n, err := c.Read(all[len(all):cap(all)])
			if err != nil {
				t.Fatalf("no PONG in %q: %v", all, err)
			}
			all = all[:len(all)+n]
		}
	})
	t.Run("silent peer is sent away", func(t *testing.T) {
		c := raw(t, s, wire.Shell)
		c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Errorf("not closed after the handshake deadline: %v", err)
		}
	})
}

func TestThousandConnections(t *testing.T) {
	s := kerneltest.Start(t, cells{"x": value(1)})
	for i := range 1000 {
		c := raw(t, s, wire.Channels()[i%5])
		if i%2 == 0 {
			io.WriteString(c, greeting)
		}
	}
	alive(t, s.Client)
	alive(t, s.Dial())
}

// TestStalledSubscriber: a subscriber that stops reading costs a bounded amount
// and disturbs nobody.
func TestStalledSubscriber(t *testing.T) {
	const shows, size = 16, 128 << 10 // far more than the queue and the socket's buffers
	seen := make(chan struct{}, shows)
	s := kerneltest.StartConfig(t, kernel.Config{
		Connection: kerneltest.IPC(t), // the buffers of tcp grow to several megabytes
		Limits:     wire.Limits{StreamQueue: 256 << 10, Queue: 512 << 10},
		Evaluator: cells{"x": value(1), "much": func(_ context.Context, c *kernel.Cell) (any, error) {
			for range shows {
				c.Display(strings.Repeat("x", size))
				<-seen
			}
			return nil, nil
		}},
	})
	stalled := raw(t, s, wire.IOPub)
	io.WriteString(stalled, greeting+ready("SUB")+"\x00\x01\x01")
	time.Sleep(50 * time.Millisecond)
	n := 0
	start := time.Now()
	_, err := s.Client.Execute(testContext(t), "much", func(m *wire.Message) {
		if m.Header.MsgType == wire.DisplayData {
			n++
			seen <- struct{}{}
		}
	})
	if err != nil || n != shows {
		t.Errorf("the client that reads got %d of %d displays in %s: %v", n, shows, time.Since(start), err)
	}
	stalled.SetDeadline(time.Now().Add(5 * time.Second))
	if got, err := io.Copy(io.Discard, stalled); errors.Is(err, os.ErrDeadlineExceeded) || got > shows*size {
		t.Errorf("the stalled subscriber was kept: %d bytes, %v", got, err)
	}
	alive(t, s.Client)
}

// TestDroppedStreams: a slow subscriber loses output but is told so, and loses
// neither status nor results.
func TestDroppedStreams(t *testing.T) {
	const lines, size = 40, 128 << 10
	s := kerneltest.StartConfig(t, kernel.Config{
		Connection: kerneltest.IPC(t),
		Limits:     wire.Limits{StreamQueue: 128 << 10},
		Evaluator: cells{"flood": func(_ context.Context, c *kernel.Cell) (any, error) {
			for range lines {
				fmt.Fprint(c.Stdout, strings.Repeat("x", size))
			}
			return "done", nil
		}},
	})
	var text int
	var notice, result bool
	slow := make(chan struct{})
	c := s.Dial()
	c.Tap(func(ch wire.Channel, m *wire.Message) {
		if m.Header.MsgType == wire.Stream {
			<-slow // the reader stands still until the cell is over
		}
	})
	m, err := c.NewMessage(wire.ExecuteRequest, wire.NewExecuteContent("flood"))
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(300*time.Millisecond, func() { close(slow) })
	_, err = c.Do(testContext(t), wire.Shell, m, func(m *wire.Message) {
		switch m.Header.MsgType {
		case wire.Stream:
			got := content[wire.StreamContent](t, m)
			text += len(got.Text)
			notice = notice || got.Name == "stderr" && strings.Contains(got.Text, "bytes of output were dropped")
		case wire.ExecuteResult:
			result = true
		}
	})
	if err != nil || !notice || !result || text >= lines*size {
		t.Errorf("%d bytes of text, notice %v, result %v: %v", text, notice, result, err)
	}
}

// TestPanics: whatever the evaluator does in its own goroutine, the cell reports
// it and the kernel lives.
func TestPanics(t *testing.T) {
	s := kerneltest.Start(t, cells{
		"x":      value(1),
		"panic":  func(context.Context, *kernel.Cell) (any, error) { panic("oh") },
		"nil":    func(context.Context, *kernel.Cell) (any, error) { var m map[string]int; m["a"] = 1; return nil, nil },
		"goexit": func(context.Context, *kernel.Cell) (any, error) { runtime.Goexit(); return nil, nil },
		"plain":  func(context.Context, *kernel.Cell) (any, error) { return nil, errors.New("") },
		"bundle": value(panics{}),
	})
	for code, want := range map[string]string{"panic": "panic", "nil": "panic", "goexit": "Goexit", "plain": "Error"} {
		reply, out := run(t, s.Client, wire.NewExecuteContent(code))
		if reply.Status != "error" || reply.EName != want || reply.EValue == "" || len(reply.Traceback) == 0 {
			t.Errorf("%s: %+v", code, reply.Failure)
		}
		if types(out) != "execute_input error" {
			t.Errorf("%s: %s", code, types(out))
		}
		alive(t, s.Client)
	}
	reply, out := run(t, s.Client, wire.NewExecuteContent("bundle"))
	if reply.Status != "ok" || !strings.Contains(string(out[1].Content), "MIMEBundle panicked: no picture") {
		t.Errorf("a panicking bundle: %+v %s", reply.Failure, out[1].Content)
	}
}

type panics struct{}

func (panics) MIMEBundle() map[string]any { panic("no picture") }
