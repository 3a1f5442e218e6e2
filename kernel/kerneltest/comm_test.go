package kerneltest_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel/client"
	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

// page is the front end's side of comms.
type page struct {
	t   *testing.T
	c   *client.Client
	got chan *wire.Message // comm messages, and what handlers print
}

func newPage(t *testing.T, s *kerneltest.Server) page {
	p := page{t, s.Client, make(chan *wire.Message, 100)}
	s.Client.Tap(func(_ wire.Channel, m *wire.Message) {
		if strings.HasPrefix(m.Header.MsgType, "comm_") && m.Header.MsgType != wire.CommInfoReply || m.Header.MsgType == wire.Stream {
			p.got <- m
		}
	})
	return p
}

func (p page) send(shell, msgType, content string, buffers ...[]byte) string {
	p.t.Helper()
	m, err := p.c.NewMessage(msgType, json.RawMessage(content))
	if err != nil {
		p.t.Fatal(err)
	}
	m.Header.SubshellID, m.Buffers = shell, buffers
	if err := p.c.Send(wire.Shell, m); err != nil {
		p.t.Fatal(err)
	}
	return m.Header.MsgID
}

func (p page) next(msgType string) *wire.Message {
	p.t.Helper()
	select {
	case m := <-p.got:
		if m.Header.MsgType != msgType {
			p.t.Fatalf("a %s came instead of a %s: %s", m.Header.MsgType, msgType, m.Content)
		}
		return m
	case <-time.After(20 * time.Second):
		p.t.Fatalf("no %s came", msgType)
		panic("unreachable")
	}
}

func (p page) comm(msgType string) (wire.CommContent, *wire.Message) {
	p.t.Helper()
	m := p.next(msgType)
	return content[wire.CommContent](p.t, m), m
}

// TestCommsOfCells: Go cells open comms and take those of front ends, with data,
// metadata and buffers; handlers work while a cell runs, if the front end uses a
// subshell, and print below the cell that set them.
func TestCommsOfCells(t *testing.T) {
	s := goKernel(t)
	p := newPage(t, s)
	c := s.Client
	a := newSubshell(t, c)

	// From the kernel's side, as a widget is made.
	good(t, c, `c, err := OpenComm("jupyter.widget", display.Message{Data: map[string]any{"state": map[string]any{"value": 5}},
	Metadata: map[string]any{"version": "2.1.0"}, Buffers: [][]byte{{1, 2}}})
if err != nil { panic(err) }
c.Handle(func(m display.Message) {
	var d struct{ Method string; Content struct{ Tok int } }
	if err := m.Decode(&d); err != nil { panic(err) }
	c.Send(display.Message{Data: map[string]any{"method": d.Method, "content": map[string]any{"tok": d.Content.Tok + 1}}})
}, nil)`)
	opened, m := p.comm(wire.CommOpen)
	if opened.TargetName != "jupyter.widget" || string(opened.Data) != `{"state":{"value":5}}` || string(m.Metadata) != `{"version":"2.1.0"}` || len(m.Buffers) != 1 || !bytes.Equal(m.Buffers[0], []byte{1, 2}) {
		t.Errorf("%s %s %q", m.Content, m.Metadata, m.Buffers)
	}
	began, ended := inShell(t, c, "", wire.NewExecuteContent("for {}"))
	<-began
	asked := p.send(a, wire.CommMsg, `{"comm_id":"`+opened.CommID+`","data":{"method":"custom","content":{"tok":7}}}`)
	if got, m := p.comm(wire.CommMsg); string(got.Data) != `{"content":{"tok":8},"method":"custom"}` || m.ParentHeader().MsgID != asked {
		t.Errorf("%s", m.Content)
	}
	interruptAfter(t, c, began)
	<-ended

	// From the front end's.
	made, err := c.NewMessage(wire.ExecuteRequest, wire.NewExecuteContent(`import ("encoding/json"; "errors"; "fmt"; "os")
RegisterComm("square", func(c display.Comm, open display.Message) error {
	if open.Data["no"] != nil { return errors.New("not today") }
	c.Handle(func(m display.Message) {
		switch n := m.Data["n"].(type) {
		case float64:
			c.Send(display.Message{Data: map[string]any{"n": n * n}, Buffers: m.Buffers})
		case string:
			fmt.Print(n)
			json.NewEncoder(os.Stdout).Encode(n)
		case bool:
			for {}
		default:
			panic("what is n?")
		}
	}, func(m display.Message) { fmt.Println("closed", m.Data["bye"]) })
	return nil
})`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(within(t), wire.Shell, made, nil); err != nil {
		t.Fatal(err)
	}
	good(t, c, "1") // what handlers print does not belong to the latest cell
	p.send(a, wire.CommOpen, `{"comm_id":"one","target_name":"square","data":{}}`)
	p.send(a, wire.CommMsg, `{"comm_id":"one","data":{"n":12}}`, []byte("raw"))
	if got, m := p.comm(wire.CommMsg); string(got.Data) != `{"n":144}` || got.CommID != "one" || len(m.Buffers) != 1 || string(m.Buffers[0]) != "raw" {
		t.Errorf("%s %q", m.Content, m.Buffers)
	}
	printed := func(name, want string) {
		t.Helper()
		var text string
		for text = ""; len(text) < len(want) && strings.HasPrefix(want, text); {
			m := p.next(wire.Stream)
			got := content[wire.StreamContent](t, m)
			if text += got.Text; got.Name != name || m.ParentHeader().MsgID != made.Header.MsgID {
				t.Errorf("%s %q of another cell", got.Name, got.Text)
			}
		}
		if !strings.HasPrefix(text, want) {
			t.Errorf("printed %q, want %q", text, want)
		}
	}
	p.send(a, wire.CommMsg, `{"comm_id":"one","data":{"n":"hello "}}`)
	printed("stdout", "hello \"hello \"\n")
	p.send(a, wire.CommMsg, `{"comm_id":"one","data":{}}`)
	printed("stderr", "comm square: ")
	p.send(a, wire.CommMsg, `{"comm_id":"one","data":{"n":true}}`)
	time.Sleep(50 * time.Millisecond)
	if err := c.Interrupt(within(t)); err != nil {
		t.Error(err)
	}
	printed("stderr", "comm square: ")
	p.send(a, wire.CommMsg, `{"comm_id":"one","data":{"n":3}}`)
	if got, m := p.comm(wire.CommMsg); string(got.Data) != `{"n":9}` {
		t.Errorf("after a panic and an interrupt: %s", m.Content)
	}
	p.send(a, wire.CommClose, `{"comm_id":"one","data":{"bye":1}}`)
	printed("stdout", "closed 1\n")

	// What nobody takes is closed.
	p.send("", wire.CommOpen, `{"comm_id":"two","target_name":"square","data":{"no":1}}`)
	printed("stderr", "comm square was refused: not today\n")
	if got, _ := p.comm(wire.CommClose); got.CommID != "two" {
		t.Errorf("closed %s", got.CommID)
	}
	good(t, c, `RegisterComm("square", nil)`)
	p.send("", wire.CommOpen, `{"comm_id":"three","target_name":"square","data":{}}`)
	if got, _ := p.comm(wire.CommClose); got.CommID != "three" {
		t.Errorf("closed %s", got.CommID)
	}

	// Mistakes.
	for code, want := range map[string]string{
		`_, err := OpenComm("", display.Message{}); err`:                                      "needs a name",
		`_, err := OpenComm("t", display.Message{Data: map[string]any{"f": func() {}}}); err`: "the data of a message",
		`c.Close(display.Message{}); c.Send(display.Message{})`:                               "closed",
		`RegisterComm("", nil)`: "needs a name",
	} {
		if got := cell(t, c, code); got.reply.Status != "error" || !strings.Contains(got.reply.EValue, want) {
			t.Errorf("%s: %+v", code, got.reply.Failure)
		}
	}
}
