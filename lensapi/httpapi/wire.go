package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// The forms of an answer.
type form int

const (
	whole  form = iota // one JSON value
	events             // server-sent events
	lines              // NDJSON: one object {"event", "data"} per line
	bare               // server-sent events without names, as OpenAI's clients read them
)

// formOf is what Accept asks for: a stream only when it is named.
func formOf(accept string) form {
	for part := range strings.SplitSeq(accept, ",") {
		name, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "text/event-stream":
			return events
		case "application/x-ndjson", "application/ndjson":
			return lines
		case "application/json":
			return whole
		}
	}
	return whole
}

// Event is one line of an NDJSON stream; server-sent events have the same names and data.
type Event struct {
	Event string          `json:"event"`
	Data  json.RawMessage `json:"data"`
}

// wire writes the events of a stream. One goroutine at a time.
type wire struct {
	w    http.ResponseWriter
	c    *http.ResponseController
	form form
	buf  bytes.Buffer
	enc  *json.Encoder
}

func newWire(w http.ResponseWriter, f form) *wire {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // proxies would otherwise collect tokens
	if f == lines {
		h.Set("Content-Type", "application/x-ndjson")
	} else {
		h.Set("Content-Type", "text/event-stream; charset=utf-8")
	}
	w.WriteHeader(http.StatusOK)
	x := &wire{w: w, c: http.NewResponseController(w), form: f}
	x.enc = json.NewEncoder(&x.buf)
	x.enc.SetEscapeHTML(false)
	return x
}

// put adds an event to what the next flush sends.
func (x *wire) put(name string, data any) error {
	if x.form != lines {
		if x.form == events {
			x.buf.WriteString("event: " + name + "\n")
		}
		x.buf.WriteString("data: ")
		if err := x.enc.Encode(data); err != nil { // ends its line
			return err
		}
		x.buf.WriteByte('\n')
		return nil
	}
	x.buf.WriteString(`{"event":"` + name + `","data":`)
	if err := x.enc.Encode(data); err != nil {
		return err
	}
	x.buf.Truncate(x.buf.Len() - 1)
	x.buf.WriteString("}\n")
	return nil
}

// writeTime is how long a reader may take for what one flush sends, before it is given up.
const writeTime = 30 * time.Second

func (x *wire) flush() error {
	if x.buf.Len() == 0 {
		return nil
	}
	if err := x.c.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := x.w.Write(x.buf.Bytes())
	x.buf.Reset()
	if err != nil {
		return err
	}
	return x.c.Flush()
}

// text sends what is no event.
func (x *wire) text(s string) error {
	x.buf.WriteString(s)
	return x.flush()
}

// send is put and flush.
func (x *wire) send(name string, data any) error {
	if err := x.put(name, data); err != nil {
		return err
	}
	return x.flush()
}

// silence is how long a stream says nothing before it sends a comment: proxies close what is silent for a minute, and a client that is gone is noticed.
var silence = 15 * time.Second

// alive sends what readers of server-sent events skip. Lines of JSON have no such thing.
func (x *wire) alive() error {
	if x.form == lines {
		return nil
	}
	return x.text(":\n\n")
}

// stream is an answer that is written as it comes. What run returns as an error is the last event.
func (s *Server) stream(f form, run func(r *http.Request, x *wire) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		x := newWire(w, f)
		if err := run(r, x); err != nil {
			e := fail(err)
			s.note(r, e)
			_ = x.send("error", e) // whoever reads no more cannot be told
		}
	}}
}

// value is an answer in one piece.
func value(v any) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		_, w := humago.Unwrap(ctx)
		writeJSON(w, http.StatusOK, v)
	}}
}

// file is an answer that is no JSON.
func file(contentType, name string, body []byte) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		_, w := humago.Unwrap(ctx)
		w.Header().Set("Content-Type", contentType)
		if name != "" {
			w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
		}
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(body)
	}}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // a number that JSON has no word for
		status = http.StatusInternalServerError
		b.Reset()
		_ = enc.Encode(errorf(Internal, "a defect of the server: the answer holds what JSON cannot say"))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}
