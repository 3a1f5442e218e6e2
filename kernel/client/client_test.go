package client_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/client"
	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo returns the source; "wait" waits for an interrupt.
type echo struct{}

func (echo) Eval(ctx context.Context, c *kernel.Cell) (any, error) {
	if c.Source == "wait" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	c.Stdout.Write([]byte(c.Source))
	return c.Source, nil
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// TestNoOutputLost: from the first cell on, a fresh client misses nothing.
func TestNoOutputLost(t *testing.T) {
	s := kerneltest.Start(t, echo{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			c, err := client.Dial(within(t, 10*time.Second), s.Kernel.Connection())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			var got []string
			reply, err := c.Execute(within(t, 10*time.Second), "x", func(m *wire.Message) { got = append(got, m.Header.MsgType) })
			if err != nil || reply.Status != "ok" || strings.Join(got, " ") != "execute_input stream execute_result" {
				t.Errorf("%v: %+v, %v", got, reply.Failure, err)
			}
		})
	}
	wg.Wait()
}

// TestDialEarly: the kernel may start after its client.
func TestDialEarly(t *testing.T) {
	conn := kerneltest.IPC(t)
	connected := make(chan error, 1)
	go func() {
		c, err := client.Dial(within(t, 10*time.Second), conn)
		if err == nil {
			c.Close()
		}
		connected <- err
	}()
	time.Sleep(50 * time.Millisecond)
	kerneltest.StartConfig(t, kernel.Config{Evaluator: echo{}, Connection: conn})
	if err := <-connected; err != nil {
		t.Error(err)
	}
}

func TestDialErrors(t *testing.T) {
	if _, err := client.Dial(within(t, time.Second), wire.Connection{}); err == nil {
		t.Error("no connection was accepted")
	}
	if _, err := client.Dial(within(t, 50*time.Millisecond), kerneltest.IPC(t)); err == nil {
		t.Error("nobody listens and Dial succeeded")
	}
	s := kerneltest.Start(t, echo{})
	wrong := s.Kernel.Connection()
	wrong.Key = "another"
	start := time.Now()
	if _, err := client.Dial(within(t, 300*time.Millisecond), wrong); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wrong key: %v", err)
	}
	// Somebody who accepts and says nothing.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	wrong.ShellPort = ln.Addr().(*net.TCPAddr).Port
	if _, err := client.Dial(within(t, 300*time.Millisecond), wrong); err == nil {
		t.Error("a silent peer passed as a kernel")
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("the deadlines were overrun: %s", d)
	}
}

func TestContextAndClose(t *testing.T) {
	s := kerneltest.Start(t, echo{})
	if _, err := s.Client.Execute(within(t, 50*time.Millisecond), "wait", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a context that ended: %v", err)
	}
	if err := s.Client.Interrupt(within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	// Sent before the failed cell's reply, the next cell would be aborted.
	if _, err := s.Client.KernelInfo(within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := s.Client.Ping(within(t, 5*time.Second)); err != nil {
		t.Error(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := s.Client.Execute(within(t, 5*time.Second), "wait", nil)
		failed <- err
	}()
	time.Sleep(50 * time.Millisecond)
	s.Client.Close()
	if err := <-failed; !errors.Is(err, client.ErrClosed) {
		t.Errorf("a call on a closed client: %v", err)
	}
	<-s.Client.Done()
	if err := s.Client.Send(wire.Channel("none"), &wire.Message{}); err == nil {
		t.Error("an unknown channel was accepted")
	}
}

func TestRefused(t *testing.T) {
	s := kerneltest.Start(t, echo{})
	var refused *client.ReplyError
	if _, err := s.Client.History(within(t, 5*time.Second), wire.HistoryContent{HistAccessType: "none"}); !errors.As(err, &refused) || refused.EName != "BadRequest" {
		t.Errorf("history: %v", err)
	}
	if got, err := s.Client.IsComplete(within(t, 5*time.Second), "x"); err != nil || got.Status != "unknown" {
		t.Errorf("is_complete without a checker: %+v, %v", got, err)
	}
	if got, err := s.Client.Complete(within(t, 5*time.Second), "xy", 1); err != nil || len(got.Matches) != 0 || got.CursorStart != 1 {
		t.Errorf("complete without a completer: %+v, %v", got, err)
	}
	if got, err := s.Client.Inspect(within(t, 5*time.Second), "x", 0, 0); err != nil || got.Found {
		t.Errorf("inspect without an inspector: %+v, %v", got, err)
	}
}

// BenchmarkExecute is the round trip of an empty cell.
func BenchmarkExecute(b *testing.B) {
	s := kerneltest.Start(b, echo{})
	for b.Loop() {
		if _, err := s.Client.Execute(context.Background(), "", nil); err != nil {
			b.Fatal(err)
		}
	}
}
