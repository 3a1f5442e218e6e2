package kernel

import (
	"path"
	"slices"
	"sync"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// This session keeps at most this much in memory; the oldest entries leave first.
const (
	historyEntries = 10_000
	historyBytes   = 64 << 20
)

type entry struct {
	session, line int
	input, output string
}

func (e entry) size() int { return len(e.input) + len(e.output) }

// history is the cells of this session, oldest first, and those of earlier
// sessions if there is a store.
type history struct {
	mu      sync.Mutex
	session int    // number of this session; 0 until it has an entry
	store   *store // nil: this session alone
	entries []entry
	bytes   int
}

// add appends a cell. The error says that the store is given up; this session
// goes on in memory.
func (h *history) add(e entry) (err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.session == 0 {
		h.session = 1
		if h.store != nil {
			var n int
			if n, err = h.store.begin(); err == nil {
				h.session = n
			}
		}
	}
	e.session = h.session
	if h.store != nil && err == nil {
		err = h.store.add(e)
	}
	if err != nil {
		h.store.close()
		h.store = nil
	}
	h.entries = append(h.entries, e)
	h.bytes += e.size()
	for len(h.entries) > 1 && (len(h.entries) > historyEntries || h.bytes > historyBytes) {
		h.bytes -= h.entries[0].size()
		h.entries[0] = entry{}
		h.entries = h.entries[1:]
	}
	return err
}

// sessions are the numbers of all sessions, ascending, and this session's, which
// is the next one as long as it has no entry.
func (h *history) sessions() (all []int, this int) {
	if h.store != nil {
		all, _ = h.store.sessions() // a folder that is gone has none
	}
	this = h.session
	if this == 0 {
		this = 1
		if len(all) > 0 {
			this = all[len(all)-1] + 1
		}
	}
	if !slices.Contains(all, this) {
		all = append(all, this)
		slices.Sort(all)
	}
	return all, this
}

func (h *history) of(session, this int) []entry {
	if session == this {
		return h.entries
	}
	if h.store == nil {
		return nil
	}
	return h.store.read(session)
}

// find returns the entries that a request asks for, oldest first.
func (h *history) find(c wire.HistoryContent) []entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []entry
	all, this := h.sessions()
	if c.HistAccessType == "range" {
		session := c.Session
		if session <= 0 { // 0 is this session, a negative number counts back from it
			session += this
		}
		for _, e := range h.of(session, this) {
			if e.line >= c.Start && (c.Stop == nil || e.line < *c.Stop) {
				found = append(found, e)
			}
		}
		return found
	}
	limit := historyEntries
	if c.N != nil && *c.N >= 0 {
		limit = min(limit, *c.N)
	}
	seen := map[string]bool{}
	for _, session := range slices.Backward(all) {
		if len(found) >= limit {
			break
		}
		for _, e := range slices.Backward(h.of(session, this)) {
			if len(found) >= limit {
				break
			}
			if c.HistAccessType == "search" {
				if c.Unique && seen[e.input] { // the newest of equal inputs stays
					continue
				}
				if ok, err := path.Match(c.Pattern, flatten(e.input)); err != nil || !ok {
					continue
				}
				seen[e.input] = true
			}
			found = append(found, e)
		}
	}
	slices.Reverse(found)
	return found
}

func (h *history) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.store != nil {
		h.store.close()
	}
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
			reply.History = append(reply.History, [3]any{e.session, e.line, [2]any{e.input, out}})
		} else {
			reply.History = append(reply.History, [3]any{e.session, e.line, e.input})
		}
	}
	return reply
}
