package kernel

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

const (
	// flushSize is how much output makes a message before StreamInterval is over.
	flushSize = 128 << 10
	// maxStreamText bounds one stream message.
	maxStreamText = 4 << 20
)

// output is where one cell's output goes. It outlives the cell: goroutines that
// the cell started keep printing under its parent header.
type output struct {
	k      *Kernel
	parent json.RawMessage
	silent bool

	// mu is held while publishing, so that messages leave in the order of the
	// calls that made them.
	mu    sync.Mutex
	name  string // stream that buf belongs to
	buf   []byte
	tails map[string][]byte // per stream: the start of a character whose rest is to come
	timer *time.Timer

	payload      []map[string]any
	payloadTaken bool
}

func newOutput(k *Kernel, parent json.RawMessage, silent bool) *output {
	return &output{k: k, parent: parent, silent: silent, tails: map[string][]byte{}}
}

func (o *output) cell(count int, source string) *Cell {
	return &Cell{
		Count: count, Source: source,
		Stdout: stream{o, "stdout"}, Stderr: stream{o, "stderr"},
		Display:   func(v any) error { return o.display(wire.DisplayData, "", v) },
		DisplayID: func(id string, v any) error { return o.display(wire.DisplayData, id, v) },
		UpdateDisplay: func(id string, v any) error {
			if id == "" {
				return errors.New("update of a display needs the id it was shown under")
			}
			return o.display(wire.UpdateDisplayData, id, v)
		},
		ClearOutput:  func(wait bool) { o.publish(wire.ClearOutput, wire.ClearOutputContent{Wait: wait}) },
		Payload:      o.addPayload,
		OpenComm:     func(target string, m CommMessage) (*Comm, error) { return o.k.openComm(o.parent, target, m) },
		RegisterComm: o.k.RegisterComm,
	}
}

// stream is the writer of one of the two streams.
type stream struct {
	o    *output
	name string
}

var _ io.Writer = stream{}

// Write never fails and never waits for a client.
func (s stream) Write(p []byte) (int, error) {
	s.o.write(s.name, p)
	return len(p), nil
}

func (o *output) write(name string, p []byte) {
	if o.silent || len(p) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.name != name {
		o.flushLocked(false)
		o.name = name
		o.buf = append(o.buf, o.tails[name]...)
		delete(o.tails, name)
	}
	o.buf = append(o.buf, p...)
	if len(o.buf) >= flushSize {
		o.flushLocked(false)
	} else if o.timer == nil {
		o.k.noteUnsent(o, true)
		o.timer = time.AfterFunc(o.k.cfg.StreamInterval, func() { o.flush(false) })
	}
}

// flush sends what was collected. final also sends the bytes of a character that
// never was completed (they show as U+FFFD).
func (o *output) flush(final bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushLocked(final)
	if final {
		for _, name := range []string{"stdout", "stderr"} {
			o.send(name, o.tails[name])
		}
		clear(o.tails)
	}
}

func (o *output) flushLocked(final bool) {
	if o.timer != nil {
		o.timer.Stop()
		o.timer = nil
		o.k.noteUnsent(o, false)
	}
	text := o.buf
	if !final {
		cut := len(text) - partial(text)
		if cut < len(text) {
			o.tails[o.name] = slices.Clone(text[cut:])
		}
		text = text[:cut]
	}
	for len(text) > maxStreamText {
		cut := maxStreamText - partial(text[:maxStreamText])
		o.send(o.name, text[:cut])
		text = text[cut:]
	}
	o.send(o.name, text)
	// The next write looks for its stream's tail again.
	o.name = ""
	if cap(o.buf) > 2*flushSize {
		o.buf = nil
	}
	o.buf = o.buf[:0]
}

func (k *Kernel) noteUnsent(o *output, is bool) {
	k.unsentMu.Lock()
	defer k.unsentMu.Unlock()
	if is {
		k.unsent[o] = true
	} else {
		delete(k.unsent, o)
	}
}

// flushUnsent sends what goroutines of earlier cells printed up to now: whoever waits for the running cell finds it there.
func (k *Kernel) flushUnsent() {
	k.unsentMu.Lock()
	all := slices.Collect(maps.Keys(k.unsent))
	k.unsentMu.Unlock()
	for _, o := range all {
		o.flush(false)
	}
}

func (o *output) send(name string, text []byte) {
	if len(text) > 0 {
		o.k.publish(wire.Stream, o.parent, wire.StreamContent{Name: name, Text: strings.ToValidUTF8(string(text), "\uFFFD")})
	}
}

// partial is how many bytes at the end of b start a character that b does not
// complete (0 to 3).
func partial(b []byte) int {
	for n := 1; n <= min(len(b), utf8.UTFMax-1); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// publish sends a message of the cell after the output that came before it.
func (o *output) publish(msgType string, content any) {
	if o.silent {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushLocked(false)
	o.k.publish(msgType, o.parent, content)
}

func (o *output) display(msgType, id string, v any) error {
	s, err := show(v)
	transient := map[string]any{}
	if id != "" {
		transient["display_id"] = id
	}
	o.publish(msgType, wire.DisplayContent{Data: s.data, Metadata: s.metadata, Transient: transient})
	return err
}

func (o *output) addPayload(p map[string]any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := encode(p); err == nil && !o.payloadTaken {
		o.payload = append(o.payload, p)
	}
}

func (o *output) takePayload() []map[string]any {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.payloadTaken = true
	if o.payload == nil {
		return []map[string]any{}
	}
	return o.payload
}
