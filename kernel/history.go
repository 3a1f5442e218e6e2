package kernel

import (
	"path"
	"slices"
	"sync"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// historySession is the number of the only session there is.
const historySession = 1

// The history keeps at most this much; the oldest entries leave first.
const (
	historyEntries = 10_000
	historyBytes   = 64 << 20
)

type entry struct {
	line          int
	input, output string
}

func (e entry) size() int { return len(e.input) + len(e.output) }

// history is the cells of this session, oldest first.
type history struct {
	mu      sync.Mutex
	entries []entry
	bytes   int
}

func (h *history) add(e entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.entries = append(h.entries, e)
	h.bytes += e.size()
	for len(h.entries) > 1 && (len(h.entries) > historyEntries || h.bytes > historyBytes) {
		h.bytes -= h.entries[0].size()
		h.entries[0] = entry{}
		h.entries = h.entries[1:]
	}
}

// find returns the entries that a request asks for, oldest first.
func (h *history) find(c wire.HistoryContent) []entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []entry
	switch c.HistAccessType {
	case "range":
		// 0 is the current session, a negative number counts back from it.
		if c.Session != 0 && c.Session != historySession {
			return nil
		}
		for _, e := range h.entries {
			if e.line >= c.Start && (c.Stop == nil || e.line < *c.Stop) {
				found = append(found, e)
			}
		}
		return found
	case "search":
		seen := map[string]bool{}
		for _, e := range slices.Backward(h.entries) { // the newest of equal inputs stays
			if c.Unique && seen[e.input] {
				continue
			}
			if ok, err := path.Match(c.Pattern, flatten(e.input)); err == nil && ok {
				seen[e.input] = true
				found = append(found, e)
			}
		}
		slices.Reverse(found)
	default:
		found = append(found, h.entries...)
	}
	if c.N != nil && *c.N >= 0 && len(found) > *c.N {
		found = found[len(found)-*c.N:]
	}
	return found
}

// flatten keeps path.Match, which the patterns of the protocol otherwise agree
// with, from treating a slash in code as a separator.
func flatten(s string) string {
	b := []byte(s)
	for i := range b {
		if b[i] == '/' {
			b[i] = 0
		}
	}
	return string(b)
}

func (k *Kernel) historyRequest(r *request) any {
	c := wire.HistoryContent{HistAccessType: "tail"}
	if err := r.msg.Decode(&c); err != nil {
		return badContent(err)
	}
	switch c.HistAccessType {
	case "tail", "range":
	case "search":
		c.Pattern = flatten(c.Pattern)
		if _, err := path.Match(c.Pattern, ""); err != nil {
			return failure("BadRequest", "pattern: "+err.Error())
		}
	default:
		return failure("BadRequest", "hist_access_type "+c.HistAccessType+" is unknown (allowed: tail, range, search)")
	}
	reply := wire.HistoryReplyContent{Failure: wire.Failure{Status: wire.StatusOK}, History: [][3]any{}}
	for _, e := range k.history.find(c) {
		if c.Output {
			var out any // null when the cell showed nothing
			if e.output != "" {
				out = e.output
			}
			reply.History = append(reply.History, [3]any{historySession, e.line, [2]any{e.input, out}})
		} else {
			reply.History = append(reply.History, [3]any{historySession, e.line, e.input})
		}
	}
	return reply
}
