package kernel_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

func control[T any](t *testing.T, s *kerneltest.Server, msgType string, req any) T {
	t.Helper()
	reply, err := s.Client.Request(testContext(t), wire.Control, msgType, req, nil)
	if err != nil {
		t.Fatal(err)
	}
	return content[T](t, reply)
}

func TestSubshells(t *testing.T) {
	release := make(chan struct{})
	s := kerneltest.Start(t, cells{
		"busy": func(ctx context.Context, _ *kernel.Cell) (any, error) {
			select {
			case <-release:
			case <-ctx.Done():
			}
			return nil, ctx.Err()
		},
		"x": value(1),
	})
	s.Kernel.RegisterComm("t", func(_ context.Context, cm *kernel.Comm, _ kernel.CommMessage) error {
		cm.Handle(func(_ context.Context, m kernel.CommMessage) { cm.Send(m) }, nil)
		return nil
	})
	info, err := s.Client.KernelInfo(testContext(t))
	if err != nil || !slices.Contains(info.SupportedFeatures, "kernel subshells") {
		t.Errorf("supported features are %v, %v", info.SupportedFeatures, err)
	}
	a := control[wire.SubshellContent](t, s, wire.CreateSubshellRequest, struct{}{}).SubshellID
	b := control[wire.SubshellContent](t, s, wire.CreateSubshellRequest, struct{}{}).SubshellID
	ids := control[wire.SubshellsContent](t, s, wire.ListSubshellRequest, struct{}{}).SubshellIDs
	if len(ids) != 2 || !slices.Contains(ids, a) || !slices.Contains(ids, b) || a == b {
		t.Fatalf("subshells are %v, want %s and %s", ids, a, b)
	}
	in := func(id, msgType string, req any) *wire.Message {
		t.Helper()
		m, err := s.Client.NewMessage(msgType, req)
		if err != nil {
			t.Fatal(err)
		}
		m.Header.SubshellID = id
		return m
	}
	ask := func(m *wire.Message) *wire.Message {
		t.Helper()
		reply, err := s.Client.Do(testContext(t), wire.Shell, m, nil)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}

	// While a cell runs, its shell is busy and a subshell answers.
	started, ended := make(chan struct{}), make(chan wire.ExecuteReplyContent, 1)
	go func() {
		reply, err := s.Client.Execute(testContext(t), "busy", func(m *wire.Message) {
			if m.Header.MsgType == wire.ExecuteInput {
				close(started)
			}
		})
		if err != nil {
			t.Error(err)
		}
		ended <- reply
	}()
	<-started
	if reply := ask(in(a, wire.KernelInfoRequest, struct{}{})); reply.ParentHeader().SubshellID != a {
		t.Errorf("the reply's parent is of subshell %q", reply.ParentHeader().SubshellID)
	}
	echo := make(chan *wire.Message, 1)
	s.Client.Tap(func(_ wire.Channel, m *wire.Message) {
		if m.Header.MsgType == wire.CommMsg {
			echo <- m
		}
	})
	s.Client.Send(wire.Shell, in(a, wire.CommOpen, json.RawMessage(`{"comm_id":"c","target_name":"t","data":{}}`)))
	s.Client.Send(wire.Shell, in(a, wire.CommMsg, json.RawMessage(`{"comm_id":"c","data":{"click":3}}`)))
	select {
	case <-echo:
	case <-time.After(10 * time.Second):
		t.Fatal("a comm in a subshell waits for the cell")
	}
	// A cell there runs beside it; to delete the subshell aborts what waits behind it.
	if got := content[wire.ExecuteReplyContent](t, ask(in(a, wire.ExecuteRequest, wire.NewExecuteContent("x")))); got.Status != "ok" || got.ExecutionCount != 2 {
		t.Errorf("a cell beside a cell: %+v", got)
	}
	first, second := in(b, wire.ExecuteRequest, wire.NewExecuteContent("busy")), in(b, wire.ExecuteRequest, wire.NewExecuteContent("x"))
	replies := map[*wire.Message]chan string{first: make(chan string, 1), second: make(chan string, 1)}
	running := make(chan struct{})
	for _, m := range []*wire.Message{first, second} {
		go func() {
			reply, err := s.Client.Do(testContext(t), wire.Shell, m, func(got *wire.Message) {
				if m == first && got.Header.MsgType == wire.ExecuteInput {
					close(running)
				}
			})
			if err != nil {
				t.Error(err)
				replies[m] <- ""
				return
			}
			replies[m] <- content[wire.Failure](t, reply).Status
		}()
		if m == first {
			<-running
		}
	}
	time.Sleep(50 * time.Millisecond)
	if got := control[wire.Failure](t, s, wire.DeleteSubshellRequest, wire.SubshellContent{SubshellID: b}); got.Status != "ok" {
		t.Errorf("delete: %+v", got)
	}
	close(release)
	if got := <-replies[second]; got != "aborted" {
		t.Errorf("what waited in a deleted subshell is %s", got)
	}
	if got := <-replies[first]; got != "ok" {
		t.Errorf("the cell that ran in a deleted subshell is %s", got)
	}
	if reply := <-ended; reply.Status != "ok" {
		t.Errorf("the main shell's cell is %s", reply.Status)
	}

	if got := content[wire.Failure](t, ask(in(b, wire.KernelInfoRequest, struct{}{}))); got.EName != "UnknownSubshell" {
		t.Errorf("a request to a deleted subshell: %+v", got)
	}
	if got := control[wire.Failure](t, s, wire.DeleteSubshellRequest, wire.SubshellContent{SubshellID: b}); got.EName != "UnknownSubshell" {
		t.Errorf("delete again: %+v", got)
	}
	if got := content[wire.Failure](t, ask(in("", wire.CreateSubshellRequest, struct{}{}))); got.EName != "WrongChannel" {
		t.Errorf("a subshell made on shell: %+v", got)
	}
	for i := range 300 {
		got := control[wire.Failure](t, s, wire.CreateSubshellRequest, struct{}{})
		if (got.Status == "ok") != (i < 255) {
			t.Fatalf("subshell %d: %+v", i, got)
		}
	}
}
