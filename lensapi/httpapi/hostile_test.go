package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	lens "github.com/gopherlens/gopherlens/lensapi"
	"github.com/gopherlens/gopherlens/lensapi/httpapi"
)

// Requests that a page of another site, or a name that was bound to this address, could cause.
func TestForeignRequests(t *testing.T) {
	r := serve(t, httpapi.Options{Hosts: []string{"lens.example"}})
	for name, test := range map[string]struct {
		headers []string
		status  int
	}{
		"own":              {[]string{"Origin", r.URL}, 200},
		"own, by a name":   {[]string{"Host", "localhost:99"}, 200},
		"own, as listed":   {[]string{"Host", "LENS.example"}, 200},
		"rebound":          {[]string{"Host", "evil.example"}, 403},
		"rebound address":  {[]string{"Host", "192.0.2.1:80"}, 403},
		"begins like ours": {[]string{"Host", "localhost.evil.example"}, 403},
		"foreign origin":   {[]string{"Origin", "http://evil.example"}, 403},
		"null origin":      {[]string{"Origin", "null"}, 403},
		"other port":       {[]string{"Origin", "http://127.0.0.1:1"}, 403},
		"cross-site fetch": {[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		"cross-site link":  {[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 403},
		"own fetch":        {[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors"}, 200},
	} {
		g := r.ask(t, "GET", "/api/models", nil, test.headers...)
		if g.status != test.status {
			t.Errorf("%s: %d, want %d", name, g.status, test.status)
		}
		if g.header.Get("Access-Control-Allow-Origin") != "" || !strings.Contains(g.header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: headers %v", name, g.header)
		}
	}
	refused(t, r.ask(t, "POST", "/api/chat/with-activations", obj{"text": "a"}, "Origin", "http://evil.example"), httpapi.Forbidden, "origins")
}

func TestToken(t *testing.T) {
	r := serve(t, httpapi.Options{Token: "sésame", Hosts: []string{"*"}})
	refused(t, r.ask(t, "GET", "/api/models", nil), httpapi.Unauthorized, "token")
	refused(t, r.ask(t, "GET", "/api/models", nil, "Authorization", "Bearer wrong"), httpapi.Unauthorized, "token")
	refused(t, r.ask(t, "GET", "/api/models?token=wrong", nil), httpapi.Unauthorized, "token")
	for path, headers := range map[string][]string{"/healthz": nil, "/api/models": {"Authorization", "Bearer sésame"}, "/api/conversations": {"Authorization", "Bearer sésame", "Host", "any.example"}} {
		if g := r.ask(t, "GET", path, nil, headers...); g.status != 200 {
			t.Errorf("%s: %d", path, g.status)
		}
	}
	once := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := once.Get(r.URL + "/api/models?token=s%C3%A9same&x=1")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	cookie := resp.Header.Get("Set-Cookie")
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/api/models?x=1" || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict") {
		t.Errorf("%s to %s, cookie %s", resp.Status, resp.Header.Get("Location"), cookie)
	}
	if g := r.ask(t, "GET", "/api/models", nil, "Cookie", strings.Split(cookie, ";")[0]); g.status != 200 {
		t.Errorf("with the cookie: %d", g.status)
	}
}

func TestWrongMethodsAndAddresses(t *testing.T) {
	r := serve(t, httpapi.Options{})
	for path, allow := range map[string]string{"/api/models": "GET", "/api/chat/with-activations": "POST", "/api/cache/x": "DELETE", "/healthz": "GET", "/v1/chat/completions": "POST"} {
		g := r.ask(t, "PUT", path, nil)
		refused(t, g, httpapi.MethodNotAllowed, "use "+allow)
		if g.header.Get("Allow") != allow {
			t.Errorf("%s allows %q", path, g.header.Get("Allow"))
		}
	}
	for _, path := range []string{"/", "/api", "/api/", "/api/nothing", "/v1/models/x", "/..%2f..%2fetc/passwd", "/api/export/..%2f..%2fetc%2fpasswd", "/api/conversations/%00", "/api/cache/.."} {
		if g := r.ask(t, "GET", path, nil); g.status != 404 && g.status != 405 && g.status != 422 && !(path == "/api/cache/.." && g.status == 404) {
			t.Errorf("%s: %d %.200s", path, g.status, g.body)
		}
	}
	page := serve(t, httpapi.Options{Page: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "the page at "+r.URL.Path) })})
	if g := page.ask(t, "GET", "/some/place", nil); string(g.body) != "the page at /some/place" || g.header.Get("Content-Security-Policy") == "" {
		t.Errorf("%s", g.body)
	}
	refused(t, page.ask(t, "GET", "/api/nothing", nil), httpapi.NotFound, "nothing at")
}

// endless is an answer that goes on until its reader goes away: sampled hot, as long as the context of the model.
func endless(id string) obj {
	return obj{"text": "Hello", "conversation_id": id, "temperature": 20, "seed": 1, "max_tokens": 250, "stream": true}
}

// open begins a stream and returns its lines.
func (r *rig) open(t testing.TB, ctx context.Context, req obj) (*http.Response, *bufio.Scanner) {
	t.Helper()
	b, err := json.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	hr, err := http.NewRequestWithContext(ctx, "POST", r.URL+"/api/chat/with-activations", strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	hr.Header.Set("Content-Type", "application/json")
	hr.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(hr)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return resp, lines
}

// until reads up to a line that begins so.
func until(lines *bufio.Scanner, begins string) bool {
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), begins) {
			return true
		}
	}
	return false
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("not within 5 s: %s", what)
}

// A client that goes away ends the work, keeps what was written, and gives its slot back.
func TestClientGoesAway(t *testing.T) {
	r := serve(t, httpapi.Options{Slots: 1})
	release := r.s.Occupy()
	waits, giveUp := context.WithCancel(context.Background())
	gone := make(chan error, 1)
	go func() { // for the answer in one piece
		_, err := (&httpapi.Client{Base: r.URL}).Chat(waits, httpapi.ChatRequest{Text: question})
		gone <- err
	}()
	waiting := func() int { return into[httpapi.Status](t, r.ask(t, "GET", "/api/cache/status", nil)).Runs.Waiting }
	eventually(t, "it waits", func() bool { return waiting() == 1 })
	giveUp()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	eventually(t, "nobody waits", func() bool { return waiting() == 0 })
	release()
	ctx, cancel := context.WithCancel(context.Background())
	resp, lines := r.open(t, ctx, endless("gone"))
	if !until(lines, "event: layer") {
		t.Fatal("no layer came")
	}
	cancel()
	resp.Body.Close()
	eventually(t, "the slot is free", func() bool {
		return into[httpapi.Status](t, r.ask(t, "GET", "/api/cache/status", nil)).Runs.Running == 0
	})
	kept := into[httpapi.Conversation](t, r.ask(t, "GET", "/api/conversations/gone", nil))
	if kept.TotalTokens < 5 {
		t.Errorf("%d tokens are kept", kept.TotalTokens)
	}
	if more := r.chat(t, obj{"text": question, "conversation_id": "gone", "max_tokens": 1}); kept.TotalTokens < 250 && more.Start <= kept.TotalTokens {
		t.Errorf("it goes on at %d of %d", more.Start, kept.TotalTokens)
	}
}

// Runs beyond the slots wait and hear their place; beyond the queue they are refused.
func TestQueue(t *testing.T) {
	r := serve(t, httpapi.Options{Slots: 1, Queue: 1})
	release := r.s.Occupy()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	resp, lines := r.open(t, ctx, obj{"text": question, "conversation_id": "second"})
	defer resp.Body.Close()
	if !until(lines, "event: queued") || !lines.Scan() || lines.Text() != `data: {"position":1}` {
		t.Fatalf("no place in the queue: %s", lines.Text())
	}
	third := r.ask(t, "POST", "/api/chat/with-activations", obj{"text": question})
	refused(t, third, httpapi.Busy, "come again")
	if third.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	refused(t, r.ask(t, "POST", "/api/chat/with-activations", obj{"text": question, "conversation_id": "second"}), httpapi.Conflict, "being answered")
	refused(t, r.ask(t, "DELETE", "/api/cache/second", nil), httpapi.Conflict, "being answered")
	if st := into[httpapi.Status](t, r.ask(t, "GET", "/api/cache/status", nil)); st.Runs.Running != 1 || st.Runs.Waiting != 1 || st.Runs.Refused != 1 {
		t.Errorf("runs %+v", st.Runs)
	}
	release()
	if !until(lines, "event: done") {
		t.Error("the one that waited was not answered")
	}
	// One that leaves the queue makes room.
	release = r.s.Occupy()
	gone, leave := context.WithCancel(context.Background())
	resp, lines = r.open(t, gone, obj{"text": "Hello"})
	until(lines, "event: queued")
	leave()
	resp.Body.Close()
	eventually(t, "the queue is empty", func() bool {
		return into[httpapi.Status](t, r.ask(t, "GET", "/api/cache/status", nil)).Runs.Waiting == 0
	})
	release()
}

// A reader that does not read holds nobody up: the model writes on, and the slot is free before the reader has anything.
func TestSlowReader(t *testing.T) {
	r := serve(t, httpapi.Options{Slots: 1})
	resp, lines := r.open(t, context.Background(), endless("slow"))
	defer resp.Body.Close()
	eventually(t, "the answer is written", func() bool {
		return into[httpapi.Status](t, r.ask(t, "GET", "/api/cache/status", nil)).Runs.Running == 0
	})
	r.chat(t, obj{"text": question})
	tokens := 0
	for lines.Scan() {
		if lines.Text() == "event: token" {
			tokens++
		}
		if lines.Text() == "event: done" {
			kept := into[httpapi.Conversation](t, r.ask(t, "GET", "/api/conversations/slow", nil))
			if tokens != kept.TotalTokens {
				t.Errorf("%d tokens were sent of %d", tokens, kept.TotalTokens)
			}
			return
		}
	}
	t.Error("no end")
}

// Half-open connections and requests that never end do not hold the server up.
func TestHalfOpen(t *testing.T) {
	r := serve(t, httpapi.Options{})
	at := strings.TrimPrefix(r.URL, "http://")
	for _, sent := range []string{"", "GET /api/mod", "POST /api/chat/with-activations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"te", "\x16\x03\x01\x00", "GET / HTTP/9.9\r\n\r\n"} {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, sent); err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if g := r.ask(t, "GET", "/healthz", nil); g.status != 200 {
		t.Errorf("%d", g.status)
	}
}

// A server that is told to end lets answers end, keeps what the longer ones wrote, and tells their readers.
func TestShutdown(t *testing.T) {
	dir := t.TempDir()
	s, err := httpapi.New(httpapi.Options{Models: []httpapi.Source{teach(dir)}, Patience: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	ahead, err := net.Dial("tcp", ln.Addr().String()) // as browsers do, for a request that may come
	if err != nil {
		t.Fatal(err)
	}
	defer ahead.Close()
	client := &httpapi.Client{Base: "http://" + ln.Addr().String()}
	if _, err := client.Chat(context.Background(), httpapi.ChatRequest{Text: question, ConversationID: "whole"}); err != nil {
		t.Fatal(err)
	}
	release := s.Occupy()
	defer release()
	for range 3 {
		s.Occupy()
	}
	waits := make(chan error, 1)
	queued := make(chan struct{})
	go func() {
		var once sync.Once
		_, err := client.ChatEach(context.Background(), httpapi.ChatRequest{Text: question}, func(e httpapi.Event) error {
			once.Do(func() { close(queued) })
			return nil
		})
		waits <- err
	}()
	<-queued
	stop()
	if err := <-ended; err != nil {
		t.Errorf("serve: %v", err)
	}
	var e *httpapi.Error
	if err := <-waits; !errors.As(err, &e) || e.Detail.Code != httpapi.Unavailable {
		t.Errorf("the one that waited: %v", err)
	}
	m, err := lens.LoadWith(lens.Embedded, lens.LoadOptions{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if c, err := m.Reopen("whole"); err != nil || len(c.Messages()) != 2 {
		t.Errorf("what was answered: %v", err)
	}
}

// Two answers in one conversation at a time are not written; readers beside one are welcome.
func TestReadersBesideAnAnswer(t *testing.T) {
	r := serve(t, httpapi.Options{})
	resp, lines := r.open(t, context.Background(), endless("busy"))
	defer resp.Body.Close()
	if !until(lines, "event: layer") {
		t.Fatal("no layer came")
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				into[httpapi.Click](t, r.ask(t, "GET", "/api/activations/busy/-1", nil))
				into[httpapi.Heatmap](t, r.ask(t, "GET", "/api/heatmap/busy", nil))
			}
		})
	}
	wg.Wait()
	if !until(lines, "event: done") {
		t.Error("no end")
	}
}

func TestModelsThatFail(t *testing.T) {
	dir := t.TempDir()
	tries := 0
	broken := httpapi.Source{Name: "broken", Load: func() (*lens.Model, error) {
		if tries++; tries == 1 {
			return nil, errors.New("open /secret/place: no such file")
		}
		return teach(dir).Load()
	}}
	r := serve(t, httpapi.Options{Models: []httpapi.Source{teach(dir), broken}})
	g := r.ask(t, "GET", "/api/models/broken", nil)
	refused(t, g, httpapi.Internal, "log")
	if strings.Contains(string(g.body), "secret") {
		t.Errorf("%s", g.body)
	}
	if info := into[httpapi.ModelInfo](t, r.ask(t, "GET", "/api/models/broken", nil)); !info.Loaded || info.Default {
		t.Errorf("%+v", info)
	}
	refused(t, r.ask(t, "GET", "/api/models/none", nil), httpapi.NotFound, "teach, broken")
	for _, opt := range []httpapi.Options{{}, {Models: []httpapi.Source{{Name: "../x"}}}, {Models: []httpapi.Source{{Name: "a"}, {Name: "a"}}}, {Models: []httpapi.Source{{Name: "a"}}, Slots: -1}} {
		if _, err := httpapi.New(opt); err == nil {
			t.Errorf("%+v was accepted", opt)
		}
	}
}
