package kernel

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// handler answers one type of message. run returns the content of the reply;
// reply is its type, empty for messages that have none.
type handler struct {
	reply string
	run   func(*Kernel, *request) any
	// evaluates is set on what calls user code; only the shell channel may.
	evaluates bool
	// controls is set on what only the control channel may ask.
	controls bool
}

func handlers(msgType string) (handler, bool) {
	switch msgType {
	case wire.KernelInfoRequest:
		return handler{reply: wire.KernelInfoReply, run: (*Kernel).kernelInfo}, true
	case wire.ConnectRequest:
		return handler{reply: wire.ConnectReply, run: (*Kernel).connect}, true
	case wire.ExecuteRequest:
		return handler{reply: wire.ExecuteReply, run: (*Kernel).execute, evaluates: true}, true
	case wire.CompleteRequest:
		return handler{reply: wire.CompleteReply, run: (*Kernel).complete, evaluates: true}, true
	case wire.InspectRequest:
		return handler{reply: wire.InspectReply, run: (*Kernel).inspect, evaluates: true}, true
	case wire.IsCompleteRequest:
		return handler{reply: wire.IsCompleteReply, run: (*Kernel).isComplete, evaluates: true}, true
	case wire.HistoryRequest:
		return handler{reply: wire.HistoryReply, run: (*Kernel).historyRequest}, true
	case wire.CommInfoRequest:
		return handler{reply: wire.CommInfoReply, run: (*Kernel).commInfo}, true
	case wire.CommOpen:
		return handler{run: (*Kernel).commOpen, evaluates: true}, true
	case wire.CommMsg, wire.CommClose:
		return handler{run: (*Kernel).commMsg, evaluates: true}, true
	case wire.CreateSubshellRequest:
		return handler{reply: wire.CreateSubshellReply, run: (*Kernel).createSubshell, controls: true}, true
	case wire.DeleteSubshellRequest:
		return handler{reply: wire.DeleteSubshellReply, run: (*Kernel).deleteSubshell, controls: true}, true
	case wire.ListSubshellRequest:
		return handler{reply: wire.ListSubshellReply, run: (*Kernel).listSubshells, controls: true}, true
	case wire.InterruptRequest:
		return handler{reply: wire.InterruptReply, run: (*Kernel).interrupt}, true
	case wire.ShutdownRequest:
		return handler{reply: wire.ShutdownReply, run: (*Kernel).shutdown}, true
	case wire.DebugRequest:
		return handler{reply: wire.DebugReply, run: (*Kernel).debug}, true
	}
	return handler{}, false
}

// handle answers one request between busy and idle. From before busy is out an
// interrupt reaches what runs on the shell channel: a client that saw busy may
// interrupt at once.
func (k *Kernel) handle(r *request) {
	if r.channel == wire.Shell {
		ctx, cancel := context.WithCancelCause(k.ctx)
		defer cancel(nil)
		r.ctx, r.cancel = ctx, cancel
		defer k.interruptible(r)()
	}
	k.publish(wire.Status, r.msg.HeaderJSON(), wire.StatusContent{ExecutionState: wire.StateBusy})
	k.answer(r)
	k.publish(wire.Status, r.msg.HeaderJSON(), wire.StatusContent{ExecutionState: wire.StateIdle})
	if r.after != nil {
		r.after()
	}
}

// interruptible lets interrupts cancel r until done is called.
func (k *Kernel) interruptible(r *request) (done func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running[r] = true
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.running, r)
	}
}

func (k *Kernel) answer(r *request) {
	h, known := handlers(r.msg.Header.MsgType)
	request, isRequest := strings.CutSuffix(r.msg.Header.MsgType, "_request")
	switch {
	case r.aborted:
		if known && h.reply != "" {
			k.reply(r, h.reply, wire.Failure{Status: wire.StatusAborted})
		}
	case r.lost:
		if isRequest {
			k.reply(r, request+"_reply", failure("UnknownSubshell", fmt.Sprintf("there is no subshell %q", r.msg.Header.SubshellID)))
		}
	case !known && isRequest:
		// A client that waits for an answer it never gets hangs.
		k.reply(r, request+"_reply", failure("UnsupportedRequest", fmt.Sprintf("%s is not supported", r.msg.Header.MsgType)))
	case !known:
		k.cfg.Log.Warn("ignored a message of unknown type", "type", r.msg.Header.MsgType)
	case h.evaluates && r.channel != wire.Shell, h.controls && r.channel != wire.Control:
		right := wire.Shell
		if h.controls {
			right = wire.Control
		}
		if h.reply != "" {
			k.reply(r, h.reply, failure("WrongChannel", fmt.Sprintf("%s belongs on the %s channel, not on %s", r.msg.Header.MsgType, right, r.channel)))
		}
	default:
		if content := k.guardHandler(h, r); h.reply != "" {
			k.reply(r, h.reply, content)
		}
	}
}

// guardHandler turns a defect of a handler into an error reply: one request must
// not take the kernel, and the state of the user's session, with it.
func (k *Kernel) guardHandler(h handler, r *request) (content any) {
	defer func() {
		if p := recover(); p != nil {
			k.cfg.Log.Error("handler panicked", "type", r.msg.Header.MsgType, "panic", p, "stack", string(debug.Stack()))
			content = failure("InternalError", fmt.Sprint(p))
		}
	}()
	return h.run(k, r)
}

// failure is the content of an error reply.
func failure(name, value string) wire.Failure {
	return wire.Failure{Status: wire.StatusError, EName: name, EValue: value, Traceback: []string{name + ": " + value}}
}

// badContent is the answer to a request whose content cannot be decoded.
func badContent(err error) wire.Failure { return failure("BadRequest", err.Error()) }

func (k *Kernel) message(msgType string, parent json.RawMessage, content any) *wire.Message {
	raw, err := encode(content)
	if err != nil {
		// Bundles are made encodable before they get here; this keeps a defect from
		// becoming a message that never arrives.
		k.cfg.Log.Error("content cannot be encoded", "type", msgType, "err", err)
		raw, _ = encode(failure("InternalError", err.Error()))
	}
	return &wire.Message{Header: wire.NewHeader(msgType, k.session, "kernel"), Parent: parent, Content: raw}
}

func (k *Kernel) reply(r *request, msgType string, content any) {
	if f, ok := content.(wire.Failure); ok && msgType == wire.ExecuteReply {
		c := wire.ExecuteReplyContent{Failure: f, Payload: []map[string]any{}, UserExpressions: map[string]wire.ExpressionData{}}
		c.ExecutionCount = int(k.count.Load())
		content = c
	}
	m := k.message(msgType, r.msg.HeaderJSON(), content)
	router := k.shell
	if r.channel == wire.Control {
		router = k.control
	}
	if !router.Send(r.from, m) {
		k.cfg.Log.Info("the client left before its reply", "type", msgType)
	}
}

// publish sends a message to every subscriber of iopub.
func (k *Kernel) publish(msgType string, parent json.RawMessage, content any) {
	k.send(k.message(msgType, parent, content))
}

func (k *Kernel) send(m *wire.Message) {
	m.Identities = [][]byte{[]byte("kernel." + k.session + "." + m.Header.MsgType)}
	k.pub.Publish(m)
}
