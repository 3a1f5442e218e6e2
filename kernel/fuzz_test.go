package kernel_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

// requests are all there is to ask but for shutdown, which ends the kernel.
var requests = []string{wire.KernelInfoRequest, wire.ConnectRequest, wire.ExecuteRequest, wire.CompleteRequest, wire.InspectRequest, wire.IsCompleteRequest,
	wire.HistoryRequest, wire.CommInfoRequest, wire.CommOpen, wire.CommMsg, wire.CommClose, wire.InterruptRequest, wire.DebugRequest,
	wire.DeleteSubshellRequest, wire.ListSubshellRequest, "unheard_of_request"}

// FuzzRequests: whatever stands in an authentic request, it is answered with a
// reply that keeps to the protocol, between busy and idle.
func FuzzRequests(f *testing.F) {
	for i, content := range []string{`{}`, `null`, `[]`, `{"code":"x","cursor_pos":-1}`, `{"code":"x","cursor_pos":99999999999}`, `{"code":"\ud800","user_expressions":{"a":"x","b":5}}`,
		`{"hist_access_type":"search","pattern":"[","n":-1}`, `{"hist_access_type":"range","session":-9223372036854775808,"start":-1,"stop":null}`,
		`{"comm_id":"c","target_name":"t","data":null}`, `{"comm_id":"c","target_name":"t","data":{"a":[1]}}`, `{"subshell_id":""}`, `{"seq":1e400}`} {
		for j := range requests {
			if (i+j)%3 == 0 {
				f.Add(j, i%2 == 0, content, "{}", "")
			}
		}
	}
	f.Add(2, true, `{"code":"x","silent":true,"store_history":true}`, `{"a":1}`, "nobody")
	s := kerneltest.Start(f, tools{cells{"x": value(1)}})
	f.Fuzz(func(t *testing.T, kind int, shell bool, content, metadata, subshell string) {
		if kind < 0 || kind >= len(requests) || !json.Valid([]byte(content)) || !json.Valid([]byte(metadata)) || len(content)+len(metadata) > 1<<16 {
			t.Skip()
		}
		var meta map[string]any
		if json.Unmarshal([]byte(metadata), &meta) != nil {
			t.Skip() // such a message is dropped
		}
		ch := wire.Control
		if shell {
			ch = wire.Shell
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		m, err := s.Client.NewMessage(requests[kind], json.RawMessage(content))
		if err != nil {
			t.Skip()
		}
		m.Metadata = json.RawMessage(metadata)
		m.Header.SubshellID = subshell
		if len(m.Metadata) == 0 || len(subshell) > 1000 {
			t.Skip()
		}
		if !strings.HasSuffix(requests[kind], "_request") {
			if err := s.Client.Send(ch, m); err != nil {
				t.Fatal(err)
			}
			return
		}
		if _, err := s.Client.Do(ctx, ch, m, nil); err != nil {
			t.Fatalf("%s %s: %v", requests[kind], content, err)
		}
	})
}
