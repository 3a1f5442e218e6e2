package kerneltest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// fields are the members that the protocol requires of a content: name and kind,
// where kind is a JSON type, "bundle" for a MIME bundle, or the allowed strings.
var fields = map[string]map[string]string{
	wire.Status:              {"execution_state": "busy|idle|starting"},
	wire.IOPubWelcome:        {"subscription": "string"},
	wire.Stream:              {"name": "stdout|stderr", "text": "string"},
	wire.DisplayData:         {"data": "bundle", "metadata": "object", "transient": "object"},
	wire.UpdateDisplayData:   {"data": "bundle", "metadata": "object", "transient": "object"},
	wire.ExecuteInput:        {"code": "string", "execution_count": "number"},
	wire.ExecuteResult:       {"data": "bundle", "metadata": "object", "execution_count": "number"},
	wire.Error:               {"ename": "string", "evalue": "string", "traceback": "array"},
	wire.ClearOutput:         {"wait": "boolean"},
	wire.CommOpen:            {"comm_id": "string", "target_name": "string", "data": "object"},
	wire.CommMsg:             {"comm_id": "string", "data": "object"},
	wire.CommClose:           {"comm_id": "string", "data": "object"},
	wire.CreateSubshellReply: {"status": "ok", "subshell_id": "string"},
	wire.ListSubshellReply:   {"status": "ok", "subshell_id": "array"},
	wire.InputRequest:        {"prompt": "string", "password": "boolean"},
	wire.ShutdownReply:       {"status": "ok", "restart": "boolean"},
	wire.InterruptReply:      {"status": "ok"},
	wire.IsCompleteReply:     {"status": "complete|incomplete|invalid|unknown"},
	wire.ExecuteReply:        {"execution_count": "number", "payload": "array", "user_expressions": "object"},
	wire.CompleteReply:       {"matches": "array", "cursor_start": "number", "cursor_end": "number", "metadata": "object"},
	wire.InspectReply:        {"found": "boolean", "data": "object", "metadata": "object"},
	wire.HistoryReply:        {"history": "array"},
	wire.CommInfoReply:       {"comms": "object"},
	wire.ConnectReply:        {"shell_port": "number", "iopub_port": "number"},
	wire.DebugReply:          {"type": "response", "success": "boolean"},
	wire.KernelInfoReply: {"protocol_version": "string", "implementation": "string", "implementation_version": "string",
		"language_info": "object", "banner": "string", "help_links": "array", "supported_features": "array"},
}

// Validate checks a message from a kernel against the protocol: its header, its
// parent and the required members of its content. Every message that a client
// of a Server receives is checked.
func Validate(ch wire.Channel, m *wire.Message) error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s on %s: "+format, append([]any{m.Header.MsgType, ch}, args...)...))
	}
	h := m.Header
	if h.Session == "" || h.Username == "" || h.Version != wire.ProtocolVersion {
		bad("header is incomplete: %+v", h)
	}
	if _, err := time.Parse(time.RFC3339, h.Date); err != nil {
		bad("date: %v", err)
	}
	if parent := m.ParentHeader(); parent.MsgID == "" && h.MsgType != wire.IOPubWelcome && !strings.Contains(string(m.Content), wire.StateStarting) {
		bad("no parent")
	} else if ch != wire.IOPub && h.MsgType != wire.InputRequest && h.MsgType != strings.TrimSuffix(parent.MsgType, "request")+"reply" {
		bad("answers a %s", parent.MsgType)
	}
	if ch == wire.IOPub && len(m.Identities) != 1 {
		bad("%d topics", len(m.Identities))
	}
	var content map[string]any
	if err := json.Unmarshal(m.Content, &content); err != nil {
		bad("content: %v", err)
		return errors.Join(errs...)
	}
	want := fields[h.MsgType]
	if ch != wire.IOPub && h.MsgType != wire.InputRequest {
		switch status, _ := content["status"].(string); status {
		case wire.StatusError:
			if h.MsgType != wire.ExecuteReply { // which has its own members as well
				want = nil
			}
			for name, kind := range fields[wire.Error] {
				if !is(content[name], kind) || content[name] == "" {
					bad("status error with %s %v", name, content[name])
				}
			}
		case wire.StatusOK, wire.StatusAborted:
		default:
			if h.MsgType != wire.IsCompleteReply && h.MsgType != wire.DebugReply {
				bad("status %q", status)
			}
		}
	} else if want == nil && h.MsgType != wire.ShutdownReply {
		bad("unknown type")
	}
	for name, kind := range want {
		if !is(content[name], kind) {
			bad("%s is %.100v, want %s", name, content[name], kind)
		}
	}
	return errors.Join(errs...)
}

// is reports whether v, from JSON, is of a kind as in fields.
func is(v any, kind string) bool {
	switch kind {
	case "string":
		_, ok := v.(string)
		return ok
	case "number":
		_, ok := v.(float64)
		return ok
	case "boolean":
		_, ok := v.(bool)
		return ok
	case "array":
		_, ok := v.([]any)
		return ok
	case "object":
		_, ok := v.(map[string]any)
		return ok
	case "bundle":
		m, ok := v.(map[string]any)
		_, text := m["text/plain"].(string)
		return ok && text
	default:
		s, ok := v.(string)
		return ok && slices.Contains(strings.Split(kind, "|"), s)
	}
}
