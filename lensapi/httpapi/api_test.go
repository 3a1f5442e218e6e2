package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	lens "github.com/gopherlens/gopherlens/lensapi"
	"github.com/gopherlens/gopherlens/lensapi/httpapi"
)

// Streams are text to the validator; the tests read their events themselves.
func init() {
	for _, contentType := range []string{"text/event-stream", "application/x-ndjson"} {
		openapi3filter.RegisterBodyDecoder(contentType, func(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
			b, err := io.ReadAll(body)
			return string(b), err
		})
	}
}

// rig is a server on loopback, every answer of which is checked against what it says of itself.
type rig struct {
	*httptest.Server
	s     *httpapi.Server
	route routers.Router
	log   *lockedBuffer
}

// teach is the embedded model over a cache folder.
func teach(dir string) httpapi.Source {
	return httpapi.Source{Name: "teach", Load: func() (*lens.Model, error) { return lens.LoadWith(lens.Embedded, lens.LoadOptions{CacheDir: dir}) }}
}

func serve(t testing.TB, opt httpapi.Options) *rig {
	t.Helper()
	if opt.Models == nil {
		opt.Models = []httpapi.Source{teach(t.TempDir())}
	}
	r := &rig{log: &lockedBuffer{}}
	opt.Log = log.New(r.log, "", 0)
	s, err := httpapi.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	r.s, r.Server = s, httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		r.Server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if opt.Token == "" {
		r.route = description(t, r.URL)
	}
	return r
}

// description is the server's own, checked as a document first.
func description(t testing.TB, base string) routers.Router {
	t.Helper()
	resp, err := http.Get(base + "/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(b)
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = nil
	route, err := legacy.NewRouter(doc) // validates the document
	if err != nil {
		t.Fatal(err)
	}
	return route
}

// got is an answer.
type got struct {
	status int
	header http.Header
	body   []byte
}

// ask sends a request and checks the answer against the description.
func (r *rig) ask(t testing.TB, method, path string, body any, headers ...string) got {
	t.Helper()
	var rd io.Reader
	if body != nil {
		b, ok := body.(string)
		if !ok {
			j, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			b = string(j)
		}
		rd = strings.NewReader(b)
	}
	req, err := http.NewRequest(method, r.URL+path, rd)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if req.Header.Get("Host") != "" {
		req.Host = req.Header.Get("Host")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	g := got{resp.StatusCode, resp.Header, b}
	if err := r.valid(req, g); err != nil {
		t.Errorf("%s %s answered %d with what the description does not allow: %v\n%.2000s", method, path, g.status, err, b)
	}
	return g
}

// valid compares an answer with the description; addresses that it does not have answer errors.
func (r *rig) valid(req *http.Request, g got) error {
	if r.route == nil || g.status == http.StatusNotModified {
		return nil
	}
	plain := req.Clone(req.Context())
	plain.URL = &url.URL{Path: req.URL.Path, RawQuery: req.URL.RawQuery}
	plain.Body = nil
	route, params, err := r.route.FindRoute(plain)
	if err != nil || g.status >= 400 {
		if g.status < 400 {
			return nil // a page
		}
		var e httpapi.Error
		d := json.NewDecoder(bytes.NewReader(g.body))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			return err
		}
		if e.GetStatus() != g.status || e.Detail.Message == "" || strings.Contains(e.Detail.Message, "\n") {
			return errUnlike
		}
		if err != nil {
			return nil
		}
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: plain, PathParams: params, Route: route},
		Status:                 g.status, Header: g.header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	in.SetBodyBytes(g.body)
	return openapi3filter.ValidateResponse(context.Background(), in)
}

var errUnlike = &json.UnsupportedValueError{Str: "the error's code is not the status's, or its message is not one line"}

// into decodes a success.
func into[T any](t testing.TB, g got) T {
	t.Helper()
	var v T
	if g.status != http.StatusOK {
		t.Fatalf("status %d: %.500s", g.status, g.body)
	}
	if err := json.Unmarshal(g.body, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// refused is the error of an answer that must be one.
func refused(t testing.TB, g got, code httpapi.Code, says string) {
	t.Helper()
	var e httpapi.Error
	if err := json.Unmarshal(g.body, &e); err != nil || e.Detail.Code != code || !strings.Contains(e.Detail.Message, says) {
		t.Errorf("status %d %.500s; want %s, about %q", g.status, g.body, code, says)
	}
}

// event is one of a stream.
type event struct {
	name string
	data []byte
}

// eventsOf reads server-sent events, or NDJSON.
func eventsOf(t testing.TB, g got) []event {
	t.Helper()
	if g.status != http.StatusOK {
		t.Fatalf("status %d: %.500s", g.status, g.body)
	}
	var out []event
	if strings.HasPrefix(g.header.Get("Content-Type"), "application/x-ndjson") {
		for line := range bytes.Lines(g.body) {
			var e httpapi.Event
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatalf("%v: %.300s", err, line)
			}
			out = append(out, event{e.Event, e.Data})
		}
		return out
	}
	for block := range strings.SplitSeq(strings.TrimSuffix(string(g.body), "\n\n"), "\n\n") {
		if block == ":" { // a comment, which keeps the connection alive
			continue
		}
		name, data, ok := strings.Cut(block, "\n")
		if !ok || !strings.HasPrefix(name, "event: ") || !strings.HasPrefix(data, "data: ") {
			t.Fatalf("no event: %.300q", block)
		}
		out = append(out, event{name[7:], []byte(data[6:])})
	}
	return out
}

func names(evs []event) string {
	var out []string
	for _, e := range evs {
		if len(out) == 0 || out[len(out)-1] != e.name {
			out = append(out, e.name)
		}
	}
	return strings.Join(out, " ")
}
