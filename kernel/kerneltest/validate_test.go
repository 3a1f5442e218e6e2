package kerneltest_test

import (
	"encoding/json"
	"testing"

	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		ch            wire.Channel
		msgType       string
		parent        string
		content       string
		ok, brokeDate bool
	}{
		{wire.IOPub, wire.Status, wire.ExecuteRequest, `{"execution_state":"busy"}`, true, false},
		{wire.IOPub, wire.Status, "", `{"execution_state":"starting"}`, true, false},
		{wire.IOPub, wire.Status, "", `{"execution_state":"busy"}`, false, false},
		{wire.IOPub, wire.Status, wire.ExecuteRequest, `{"execution_state":"busy"}`, false, true},
		{wire.IOPub, wire.Status, wire.ExecuteRequest, `{"execution_state":"lazy"}`, false, false},
		{wire.IOPub, wire.DisplayData, wire.ExecuteRequest, `{"data":{"text/html":""},"metadata":{},"transient":{}}`, false, false},
		{wire.IOPub, "novelty", wire.ExecuteRequest, `{}`, false, false},
		{wire.Shell, wire.IsCompleteReply, wire.IsCompleteRequest, `{"status":"incomplete","indent":""}`, true, false},
		{wire.Shell, wire.HistoryReply, wire.HistoryRequest, `{"status":"ok","history":null}`, false, false},
		{wire.Shell, wire.HistoryReply, wire.InspectRequest, `{"status":"ok","history":[]}`, false, false},
		{wire.Shell, wire.HistoryReply, wire.HistoryRequest, `{"status":"error","ename":"a","evalue":"b","traceback":[]}`, true, false},
		{wire.Shell, wire.HistoryReply, wire.HistoryRequest, `{"status":"error","ename":"a","evalue":"","traceback":[]}`, false, false},
		{wire.Shell, wire.HistoryReply, wire.HistoryRequest, `{"history":[]}`, false, false},
	} {
		m := &wire.Message{Header: wire.NewHeader(tc.msgType, "s", "k"), Content: json.RawMessage(tc.content)}
		if tc.ch == wire.IOPub {
			m.Identities = [][]byte{[]byte("topic")}
		}
		if tc.brokeDate {
			m.Header.Date = "yesterday"
		}
		if tc.parent != "" {
			parent := wire.Message{Header: wire.NewHeader(tc.parent, "c", "u")}
			m.Parent = parent.HeaderJSON()
		}
		if err := kerneltest.Validate(tc.ch, m); (err == nil) != tc.ok {
			t.Errorf("%s %s: %v", tc.msgType, tc.content, err)
		}
	}
}
