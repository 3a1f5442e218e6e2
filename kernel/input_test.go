package kernel_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

// signalWriter tells of each line that is logged.
type signalWriter chan struct{}

func (w signalWriter) Write(p []byte) (int, error) {
	select {
	case w <- struct{}{}:
	default:
	}
	return len(p), nil
}

func TestInput(t *testing.T) {
	dropped := make(signalWriter, 10)
	s := kerneltest.StartConfig(t, kernel.Config{Connection: kerneltest.TCP(), Log: slog.New(slog.NewTextHandler(dropped, nil)), Evaluator: cells{
		"ask": func(_ context.Context, c *kernel.Cell) (any, error) {
			c.Stdout.Write([]byte("before"))
			answer, err := c.Input("Name? ", true)
			if err != nil {
				return nil, err
			}
			return "hello " + answer, nil
		},
		"x": value(1),
	}})
	other := s.Dial() // the question goes to the client that sent the cell only
	other.Tap(func(ch wire.Channel, m *wire.Message) {
		if ch == wire.Stdin {
			t.Error("another client was asked")
		}
	})
	req := wire.NewExecuteContent("ask")
	req.AllowStdin = true
	stray, _ := s.Client.NewMessage(wire.InputReply, wire.InputReplyContent{Value: "too early"})
	if err := s.Client.Send(wire.Stdin, stray); err != nil {
		t.Fatal(err)
	}
	<-dropped // an answer without a question does not answer the next one
	var result any
	reply, err := s.Client.ExecuteRequest(testContext(t), req, func(m *wire.Message) {
		switch m.Header.MsgType {
		case wire.InputRequest:
			if c := content[wire.InputContent](t, m); c.Prompt != "Name? " || !c.Password {
				t.Errorf("asked %+v", c)
			}
			answer, _ := s.Client.NewMessage(wire.InputReply, wire.InputReplyContent{Value: "Go"})
			if err := s.Client.Send(wire.Stdin, answer); err != nil {
				t.Error(err)
			}
		case wire.ExecuteResult:
			result = content[wire.ExecuteResultContent](t, m).Data["text/plain"]
		}
	})
	if err != nil || reply.Status != "ok" || result != "hello Go" {
		t.Errorf("%+v, result %v, %v", reply.Failure, result, err)
	}

	if reply, _ := run(t, s.Client, wire.NewExecuteContent("ask")); reply.EValue != kernel.ErrNoInput.Error() {
		t.Errorf("without allow_stdin: %+v", reply.Failure)
	}
	reply, err = s.Client.ExecuteRequest(testContext(t), req, func(m *wire.Message) {
		if m.Header.MsgType == wire.InputRequest {
			if err := s.Client.Interrupt(testContext(t)); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil || reply.EName != "interrupted" {
		t.Errorf("interrupt of a question: %+v, %v", reply.Failure, err)
	}
	alive(t, s.Client)
}

// TestClientLeaves: the kernel does not care whether its client is still there.
func TestClientLeaves(t *testing.T) {
	left := make(chan struct{})
	done := make(chan error, 1)
	s := kerneltest.Start(t, cells{
		"x": value(1),
		"slow": func(_ context.Context, c *kernel.Cell) (any, error) {
			<-left
			_, err := c.Input("anybody?", false)
			done <- err
			return "for nobody", nil
		},
	})
	c := s.Dial()
	req := wire.NewExecuteContent("slow")
	req.AllowStdin = true
	m, err := c.NewMessage(wire.ExecuteRequest, req)
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	go c.Do(testContext(t), wire.Shell, m, func(m *wire.Message) {
		if m.Header.MsgType == wire.ExecuteInput {
			close(started)
		}
	})
	<-started
	c.Close()
	time.Sleep(50 * time.Millisecond)
	close(left)
	select {
	case err := <-done:
		if !errors.Is(err, kernel.ErrNoInput) {
			t.Errorf("a question to nobody: %v", err)
		}
	case <-time.After(2 * time.Second):
		// The kernel had not noticed yet: an interrupt always ends the question.
		if err := s.Client.Interrupt(testContext(t)); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("an interrupted question to nobody: %v", err)
		}
	}
	alive(t, s.Client)
}
