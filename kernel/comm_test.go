package kernel_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

// commClient is the front end's side of comms.
type commClient struct {
	t testing.TB
	*kerneltest.Server
	got chan *wire.Message
}

func newCommClient(t testing.TB, ev kernel.Evaluator) *commClient {
	t.Helper()
	c := &commClient{t, kerneltest.Start(t, ev), make(chan *wire.Message, 100)}
	c.Client.Tap(func(_ wire.Channel, m *wire.Message) {
		if strings.HasPrefix(m.Header.MsgType, "comm_") && !strings.HasSuffix(m.Header.MsgType, "_reply") {
			c.got <- m
		}
	})
	return c
}

// send returns the message that was sent.
func (c *commClient) send(msgType, content string, buffers ...[]byte) *wire.Message {
	c.t.Helper()
	m, err := c.Client.NewMessage(msgType, json.RawMessage(content))
	if err != nil {
		c.t.Fatal(err)
	}
	m.Buffers = buffers
	m.Metadata = json.RawMessage(`{"version":"2.1.0"}`)
	if err := c.Client.Send(wire.Shell, m); err != nil {
		c.t.Fatal(err)
	}
	return m
}

func (c *commClient) next(msgType string) (wire.CommContent, *wire.Message) {
	c.t.Helper()
	select {
	case m := <-c.got:
		if m.Header.MsgType != msgType {
			c.t.Fatalf("got %s %s, want %s", m.Header.MsgType, m.Content, msgType)
		}
		return content[wire.CommContent](c.t, m), m
	case <-time.After(10 * time.Second):
		c.t.Fatalf("no %s came", msgType)
		panic("unreachable")
	}
}

func (c *commClient) info(target string) map[string]wire.CommContent {
	c.t.Helper()
	reply, err := c.Client.Request(testContext(c.t), wire.Shell, wire.CommInfoRequest, wire.CommContent{TargetName: target}, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return content[wire.CommInfoReplyContent](c.t, reply).Comms
}

func TestCommFromFrontEnd(t *testing.T) {
	c := newCommClient(t, cells{"x": value(1)})
	closed := make(chan kernel.CommMessage, 1)
	c.Kernel.RegisterComm("echo", func(_ context.Context, cm *kernel.Comm, open kernel.CommMessage) error {
		cm.Handle(func(_ context.Context, m kernel.CommMessage) {
			if strings.Contains(string(m.Data), "panic") {
				panic("handler")
			}
			if err := cm.Send(m); err != nil {
				t.Error(err)
			}
		}, func(_ context.Context, m kernel.CommMessage) { closed <- m })
		if string(open.Data) != `{"n":0}` {
			return fmt.Errorf("opened with %s", open.Data)
		}
		return nil
	})
	c.send(wire.CommOpen, `{"comm_id":"c1","target_name":"echo","data":{"n":0}}`)
	if got := c.info("echo"); got["c1"].TargetName != "echo" || len(got) != 1 {
		t.Errorf("comm_info is %v", got)
	}
	if got := c.info("other"); len(got) != 0 {
		t.Errorf("comm_info of another target is %v", got)
	}
	sent := c.send(wire.CommMsg, `{"comm_id":"c1","data":{"n":1}}`, []byte{0, 1, 0xff}, nil, []byte("second"))
	got, m := c.next(wire.CommMsg)
	if got.CommID != "c1" || string(got.Data) != `{"n":1}` || m.ParentHeader().MsgID != sent.Header.MsgID || string(m.Metadata) != `{"version":"2.1.0"}` {
		t.Errorf("echo is %s with %s", m.Content, m.Metadata)
	}
	if len(m.Buffers) != 3 || !bytes.Equal(m.Buffers[0], []byte{0, 1, 0xff}) || string(m.Buffers[2]) != "second" {
		t.Errorf("buffers are %q", m.Buffers)
	}
	c.send(wire.CommMsg, `{"comm_id":"c1","data":{"panic":1}}`)
	c.send(wire.CommMsg, `{"comm_id":"nobody","data":{}}`)
	c.send(wire.CommMsg, `{"comm_id":"c1","data":[]}`)
	c.send(wire.CommOpen, `{"comm_id":"c1","target_name":"echo","data":{"n":0}}`) // once is enough
	c.send(wire.CommMsg, `{"comm_id":"c1"}`)
	if got, _ := c.next(wire.CommMsg); string(got.Data) != "{}" {
		t.Errorf("after a handler's panic: %s", got.Data)
	}
	c.send(wire.CommClose, `{"comm_id":"c1","data":{"bye":true}}`)
	if m := <-closed; string(m.Data) != `{"bye":true}` {
		t.Errorf("closed with %s", m.Data)
	}
	if got := c.info(""); len(got) != 0 {
		t.Errorf("a closed comm is listed: %v", got)
	}

	// Nobody listens, the listener refuses, or is gone: the front end is told.
	c.send(wire.CommOpen, `{"comm_id":"c2","target_name":"nobody","data":{}}`)
	if got, _ := c.next(wire.CommClose); got.CommID != "c2" {
		t.Errorf("closed %q", got.CommID)
	}
	c.send(wire.CommOpen, `{"comm_id":"c3","target_name":"echo","data":{"n":7}}`)
	if got, _ := c.next(wire.CommClose); got.CommID != "c3" {
		t.Errorf("closed %q", got.CommID)
	}
	c.Kernel.RegisterComm("echo", nil)
	c.send(wire.CommOpen, `{"comm_id":"c4","target_name":"echo","data":{"n":0}}`)
	if got, _ := c.next(wire.CommClose); got.CommID != "c4" {
		t.Errorf("closed %q", got.CommID)
	}
	alive(t, c.Client)
}

func TestCommFromCell(t *testing.T) {
	comms := make(chan *kernel.Comm, 1)
	c := newCommClient(t, cells{"open": func(_ context.Context, cell *kernel.Cell) (any, error) {
		if _, err := cell.OpenComm("t", kernel.CommMessage{Data: json.RawMessage("[]")}); err == nil {
			t.Error("a comm was opened with data that is no object")
		}
		cm, err := cell.OpenComm("t", kernel.CommMessage{Data: json.RawMessage(`{"a":1}`), Buffers: [][]byte{{9}}})
		comms <- cm
		return nil, err
	}})
	run(t, c.Client, wire.NewExecuteContent("open"))
	opened, m := c.next(wire.CommOpen)
	if opened.TargetName != "t" || string(opened.Data) != `{"a":1}` || len(m.Buffers) != 1 || m.ParentHeader().MsgType != wire.ExecuteRequest {
		t.Errorf("opened with %s, %q", m.Content, m.Buffers)
	}
	cm := <-comms
	if err := cm.Send(kernel.CommMessage{Data: json.RawMessage("5")}); err == nil {
		t.Error("data that is no object was sent")
	}
	if err := cm.Close(kernel.CommMessage{}); err != nil {
		t.Error(err)
	}
	if got, _ := c.next(wire.CommClose); got.CommID != opened.CommID {
		t.Errorf("closed %q", got.CommID)
	}
	for _, err := range []error{cm.Close(kernel.CommMessage{}), cm.Send(kernel.CommMessage{})} {
		if !errors.Is(err, kernel.ErrCommClosed) {
			t.Errorf("use of a closed comm: %v", err)
		}
	}
}
