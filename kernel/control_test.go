package kernel_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

// leaveSocket makes the file that a killed process leaves.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
}

func TestInterrupt(t *testing.T) {
	unblock := make(chan struct{})
	stopped := make(chan struct{})
	ev := cells{
		"obeys": func(ctx context.Context, c *kernel.Cell) (any, error) {
			<-ctx.Done()
			return nil, fmt.Errorf("stopped: %w", ctx.Err())
		},
		"ignores": func(ctx context.Context, c *kernel.Cell) (any, error) {
			defer close(stopped)
			<-unblock
			fmt.Fprint(c.Stdout, "still here")
			return "too late", nil
		},
		"next": value(7),
	}
	s := kerneltest.StartConfig(t, kernel.Config{Evaluator: ev, Connection: kerneltest.TCP(), InterruptGrace: 100 * time.Millisecond})
	interrupt := func(m *wire.Message) {
		if m.Header.MsgType == wire.ExecuteInput {
			if err := s.Client.Interrupt(testContext(t)); err != nil {
				t.Error(err)
			}
		}
	}
	start := time.Now()
	reply, err := s.Client.Execute(testContext(t), "obeys", interrupt)
	if err != nil || reply.Status != "error" || reply.EName != "interrupted" {
		t.Errorf("obeying cell: %+v, %v", reply.Failure, err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("the interrupt took %s", d)
	}
	reply, err = s.Client.Execute(testContext(t), "ignores", interrupt)
	if err != nil || reply.EName != "interrupted" || !strings.Contains(reply.EValue, "abandoned") {
		t.Errorf("ignoring cell: %+v, %v", reply.Failure, err)
	}
	if reply, _ := run(t, s.Client, wire.NewExecuteContent("next")); reply.Status != "ok" || reply.ExecutionCount != 3 {
		t.Errorf("the cell after: %+v", reply)
	}
	// The abandoned cell's output still goes to it, its value nowhere.
	got := make(chan *wire.Message, 10)
	s.Client.Tap(func(ch wire.Channel, m *wire.Message) {
		if ch == wire.IOPub {
			got <- m
		}
	})
	close(unblock)
	<-stopped
	if m := <-got; m.Header.MsgType != wire.Stream {
		t.Errorf("the abandoned cell sent %s", m.Header.MsgType)
	}
	if err := s.Client.Interrupt(testContext(t)); err != nil {
		t.Errorf("interrupt of nothing: %v", err)
	}
	if reply, _ := run(t, s.Client, wire.NewExecuteContent("next")); reply.Status != "ok" {
		t.Errorf("an interrupt of nothing hit the next cell: %+v", reply.Failure)
	}
}

func TestAbortQueue(t *testing.T) {
	gate := make(chan struct{})
	s := kerneltest.Start(t, cells{
		"bad": func(context.Context, *kernel.Cell) (any, error) {
			<-gate
			return nil, &kernel.EvalError{Name: "E", Message: "m"}
		},
		"good": value(1),
	})
	replies := make(chan *wire.Message, 10)
	s.Client.Tap(func(ch wire.Channel, m *wire.Message) {
		if ch == wire.Shell {
			replies <- m
		}
	})
	for _, stop := range []bool{true, false} {
		send := func(msgType, code string) {
			m, err := s.Client.NewMessage(msgType, wire.ExecuteContent{Code: code, StoreHistory: true, StopOnError: stop})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Client.Send(wire.Shell, m); err != nil {
				t.Fatal(err)
			}
		}
		send(wire.ExecuteRequest, "bad")
		send(wire.ExecuteRequest, "good")
		send(wire.KernelInfoRequest, "") // only executions are aborted
		send(wire.ExecuteRequest, "good")
		gate <- struct{}{}
		var got []string
		for range 4 {
			select {
			case m := <-replies:
				got = append(got, content[wire.Failure](t, m).Status)
			case <-time.After(30 * time.Second):
				t.Fatalf("only %v was answered", got)
			}
		}
		want := map[bool]string{true: "error aborted ok aborted", false: "error ok ok ok"}[stop]
		if strings.Join(got, " ") != want {
			t.Errorf("stop_on_error %v: %v, want %s", stop, got, want)
		}
		if reply, _ := run(t, s.Client, wire.NewExecuteContent("good")); reply.Status != "ok" {
			t.Errorf("a cell sent after the failure was %s", reply.Status)
		}
		<-replies
	}
}

// TestBusyIdle asks for everything on both channels: each request is answered
// between exactly one busy and one idle.
func TestBusyIdle(t *testing.T) {
	s := kerneltest.Start(t, cells{"x": value(1)})
	var mu sync.Mutex
	states := map[string][]string{}
	s.Client.Tap(func(ch wire.Channel, m *wire.Message) {
		if m.Header.MsgType == wire.Status {
			mu.Lock()
			defer mu.Unlock()
			id := m.ParentHeader().MsgID
			states[id] = append(states[id], content[wire.StatusContent](t, m).ExecutionState)
		}
	})
	for _, ch := range []wire.Channel{wire.Shell, wire.Control} {
		for _, msgType := range []string{wire.KernelInfoRequest, wire.ConnectRequest, wire.ExecuteRequest, wire.CompleteRequest, wire.InspectRequest,
			wire.IsCompleteRequest, wire.HistoryRequest, wire.CommInfoRequest, wire.InterruptRequest, wire.DebugRequest, "never_heard_of_request"} {
			m, err := s.Client.NewMessage(msgType, map[string]any{"code": "x", "hist_access_type": "tail"})
			if err != nil {
				t.Fatal(err)
			}
			reply, err := s.Client.Do(testContext(t), ch, m, nil)
			if err != nil {
				t.Fatalf("%s on %s: %v", msgType, ch, err)
			}
			if want := strings.TrimSuffix(msgType, "request") + "reply"; reply.Header.MsgType != want {
				t.Errorf("%s got %s", msgType, reply.Header.MsgType)
			}
			mu.Lock()
			if got := strings.Join(states[m.Header.MsgID], " "); got != "busy idle" {
				t.Errorf("%s on %s: %s", msgType, ch, got)
			}
			mu.Unlock()
		}
	}
}

// TestControlWhileBusy: a cell does not block control or the heartbeat.
func TestControlWhileBusy(t *testing.T) {
	done := make(chan struct{})
	s := kerneltest.Start(t, cells{"busy": func(context.Context, *kernel.Cell) (any, error) { <-done; return nil, nil }})
	_, err := s.Client.Execute(testContext(t), "busy", func(m *wire.Message) {
		if m.Header.MsgType != wire.ExecuteInput {
			return
		}
		if _, err := s.Client.Request(testContext(t), wire.Control, wire.KernelInfoRequest, struct{}{}, nil); err != nil {
			t.Errorf("control: %v", err)
		}
		if err := s.Client.Ping(testContext(t)); err != nil {
			t.Errorf("heartbeat: %v", err)
		}
		close(done)
	})
	if err != nil {
		t.Error(err)
	}
}

type tools struct{ cells }

func (tools) Complete(src string, cursor int) kernel.Completions {
	if src == "panic" {
		panic("completer")
	}
	start := strings.LastIndexAny(src[:cursor], " .") + 1
	return kernel.Completions{Start: start, End: cursor, Items: []kernel.Completion{
		{Text: src[start:cursor] + "Ab", Type: "function", Signature: "func()"}, {Text: src[start:cursor] + "Xy"}}}
}

func (tools) Inspect(src string, cursor, detail int) (map[string]any, bool) {
	if cursor == 0 {
		return nil, false
	}
	return map[string]any{"text/plain": fmt.Sprint(src[:cursor], " ", detail)}, true
}

func (tools) Check(src string) kernel.Completeness {
	return kernel.Completeness{Status: src, Indent: "\t"}
}

func TestCompleteInspectCheck(t *testing.T) {
	s := kerneltest.Start(t, tools{})
	ctx := testContext(t)
	// The cursor counts characters: 🎈 is one, four bytes, and two in UTF-16.
	got, err := s.Client.Complete(ctx, "🎈é.Prz", 5)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got.Matches) != "[PrAb PrXy]" || got.CursorStart != 3 || got.CursorEnd != 5 {
		t.Errorf("complete: %v in [%d, %d)", got.Matches, got.CursorStart, got.CursorEnd)
	}
	first := got.Metadata["_jupyter_types_experimental"].([]any)[0].(map[string]any)
	if first["type"] != "function" || first["start"] != 3.0 || first["signature"] != "func()" {
		t.Errorf("types are %v", first)
	}
	for _, cursor := range []int{-5, 1000} {
		if got, err := s.Client.Complete(ctx, "é", cursor); err != nil || got.CursorEnd != max(0, min(cursor, 1)) {
			t.Errorf("cursor %d: %+v, %v", cursor, got, err)
		}
	}
	if _, err := s.Client.Complete(ctx, "panic", 0); err == nil || !strings.Contains(err.Error(), "completer") {
		t.Errorf("a panicking completer: %v", err)
	}
	if got, err := s.Client.Inspect(ctx, "日本", 1, 1); err != nil || !got.Found || got.Data["text/plain"] != "日 1" {
		t.Errorf("inspect: %+v, %v", got, err)
	}
	if got, err := s.Client.Inspect(ctx, "x", 0, 0); err != nil || got.Found || got.Data == nil {
		t.Errorf("inspect of nothing: %+v, %v", got, err)
	}
	for src, want := range map[string]wire.IsCompleteReplyContent{
		"complete": {Status: "complete"}, "incomplete": {Status: "incomplete", Indent: "\t"}, "invalid": {Status: "invalid"}, "nonsense": {Status: "unknown"},
	} {
		if got, err := s.Client.IsComplete(ctx, src); err != nil || got != want {
			t.Errorf("is_complete %s: %+v, %v", src, got, err)
		}
	}
}
