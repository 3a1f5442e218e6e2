package httpapi_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/httpapi"
)

// No request, whatever its bytes, is answered with a defect.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][4]string{
		{"POST", "/api/chat/with-activations", "application/json", `{"text":"Hello","max_tokens":1}`},
		{"POST", "/api/chat/with-activations", "text/event-stream", `{"messages":[{"role":"user","content":"a"}],"max_tokens":1,"layers":[-1,"embed"],"stop":["x"]}`},
		{"GET", "/api/activations/c/-1?layers=0,-1,3_post&top=3&variant=raw", "", ""},
		{"GET", "/api/attention/c/rollout?heads=0,1&n=3", "", ""},
		{"POST", "/api/track", "", `{"conversation_id":"c","tokens":[1," Paris"]}`},
		{"POST", "/api/search", "", `{"token":{"id":" Paris","first":2},"row":"3_post"}`},
		{"POST", "/api/search", "text/html;, */*", `{"row":"3_post"}`},
		{"POST", "/api/contrast", "", `{"a":{"text":"a"},"b":{"text":"b"},"statistic":"js"}`},
		{"POST", "/api/patch", "application/x-ndjson", `{"clean":"a b","corrupted":"a c","token":5,"layers":[1]}`},
		{"POST", "/v1/chat/completions", "", `{"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"max_tokens":1,"stop":["a","b"],"stream":true,"logprobs":true}`},
		{"GET", "/api/export/c?format=csv&to=3", "", ""},
		{"DELETE", "/api/cache/%2e%2e%2fx", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	s, err := httpapi.New(httpapi.Options{Models: []httpapi.Source{teach(f.TempDir())}, MaxBody: 4096})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	h := s.Handler()
	f.Fuzz(func(t *testing.T, method, target, accept, body string) {
		if !strings.HasPrefix(target, "/") || strings.ContainsAny(target, " \r\n#") || strings.ContainsAny(method, " \r\n") || method == "" {
			t.Skip()
		}
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		u, err := r.URL.Parse(target)
		if err != nil || u.Host != "" {
			t.Skip()
		}
		r.Method, r.URL, r.Host = method, u, "localhost"
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 || strings.Contains(w.Body.String(), `"code":"internal"`) {
			t.Fatalf("%s %s %q: %d %s", method, target, body, w.Code, w.Body)
		}
	})
}
