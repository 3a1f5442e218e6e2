package lens

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/gopherlens/gopherlens/cache"
	"github.com/gopherlens/gopherlens/plots"
)

// Query says what Search looks for: exactly one of its first five fields.
type Query struct {
	Text        string    // a regular expression (RE2) over the text of a conversation; a hit is the first token of a match
	Token       *Within   // cells where a token is among the first candidates
	EntropyDrop float64   // cells whose entropy is at least this much below that of the row before, in nats
	Crossing    int       // cells where the rank of the actual next token is at most this, and was greater in the row before
	Near        []float32 // residual rows nearest to this vector [d_model]

	Row   string   // of Near: the row compared; of Token, EntropyDrop and Crossing: only this row, "" for all
	Dot   bool     // of Near: by dot product in place of cosine
	In    []string // names of conversations; nil: all that the cache holds for this model, captured prompts too
	Limit int      // hits returned, 1 to 10000; default 20
}

// Within says that a token is to be among the first candidates of a cell; no more than the conversation keeps are seen (ChatOptions.Top).
type Within struct {
	Token int
	First int
}

// Hit is one place that a search found.
type Hit struct {
	ConversationID string      `json:"conversation_id"`
	Row            string      `json:"row,omitempty"` // "" for a hit in the text
	TokenInfo                  // the token at the position
	Score          float64     `json:"score"`          // cosine or dot; the token's log-probability; the drop in nats; the next token's rank; the length of the match in bytes
	Context        []TokenInfo `json:"context_window"` // up to ContextTokens tokens before it
	Same           int         `json:"same"`           // further places with the same tokens up to here, which have the same numbers
}

// Hits are what a search found: by score for Near, Token and EntropyDrop, largest first; otherwise as they stand in the conversations, newest first.
type Hits struct {
	What          string `json:"what"`
	Hits          []Hit  `json:"hits"`
	Total         int    `json:"total"`         // found, with those beyond the limit
	Conversations int    `json:"conversations"` // searched
	Positions     int    `json:"positions"`     // searched, those with the same tokens up to there counted once
	Codec         string `json:"codec,omitempty"`

	m *Model
}

// Search looks through what the cache holds for this model; other models' conversations are kept apart. It runs no forward pass, unless rows that Near compares were lost.
// Places whose tokens are the same from the beginning are one hit.
func (m *Model) Search(ctx context.Context, q Query) (*Hits, error) {
	s, err := m.newSearcher(q)
	if err != nil {
		return nil, err
	}
	names := q.In
	if names == nil {
		infos, err := m.store.List()
		if err != nil {
			return nil, wrap(Unavailable, err, "searching")
		}
		slices.SortStableFunc(infos, func(a, b cache.Info) int { return b.Created.Compare(a.Created) })
		for _, i := range infos {
			if i.Space == m.space {
				names = append(names, i.ID)
			}
		}
	}
	for _, id := range names {
		c, err := m.Reopen(id)
		if err != nil {
			var e *Error
			if q.In == nil && errors.As(err, &e) && e.Code == NotFound {
				continue // deleted meanwhile
			}
			return nil, err
		}
		s.found.Conversations++
		if err := s.conversation(ctx, c); err != nil {
			return nil, wrap(Unavailable, err, "searching %s", id)
		}
	}
	if q.Near != nil {
		if err := s.near(ctx); err != nil {
			return nil, err
		}
	}
	return s.finish()
}

// searcher is a search at work.
type searcher struct {
	m     *Model
	q     Query
	text  *regexp.Regexp
	row   int // of Near; -1: all
	norm  float64
	seen  map[prefixKey]int // how many further places have these tokens
	scans []scan            // of Near
	query []float64         // of Near
	total int               // of Near: rows compared
	hits  []candidate
	found *Hits
}

// candidate is a hit that has not been chosen yet.
type candidate struct {
	c      *Conversation
	p, row int // row -1: none
	score  float64
	key    prefixKey
}

// prefixKey stands for the tokens of a prefix: two FNV-1a of 64 bits with different inputs, so that equal keys mean equal tokens for all practical purposes.
type prefixKey [2]uint64

func (m *Model) newSearcher(q Query) (*searcher, error) {
	s := &searcher{m: m, q: q, row: -1, seen: map[prefixKey]int{}, found: &Hits{m: m}}
	if q.Limit == 0 {
		s.q.Limit = 20
	}
	if s.q.Limit < 1 || s.q.Limit > 10000 {
		return nil, invalidf("limit %d: ask for 1 to 10000 hits", q.Limit)
	}
	if q.Row != "" {
		if s.row = slices.Index(m.rowNames, q.Row); s.row < 0 {
			return nil, invalidf("row %q: %s has %v", q.Row, m.name, m.rowNames)
		}
	}
	n := 0
	for _, set := range []bool{q.Text != "", q.Token != nil, q.EntropyDrop != 0, q.Crossing != 0, q.Near != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return nil, invalidf("the query asks for %d things: set exactly one of Text, Token, EntropyDrop, Crossing and Near", n)
	}
	switch {
	case q.Text != "":
		var err error
		if s.text, err = regexp.Compile(q.Text); err != nil {
			return nil, wrap(Invalid, err, "text")
		}
		s.found.What = fmt.Sprintf("text matching %q", q.Text)
	case q.Token != nil:
		if err := m.checkToken(q.Token.Token); err != nil {
			return nil, err
		}
		if q.Token.First < 1 || q.Token.First > maxTop {
			return nil, invalidf("first %d: ask for the first 1 to %d candidates", q.Token.First, maxTop)
		}
		s.found.What = fmt.Sprintf("“%s” among the first %d", m.glyphs(q.Token.Token), q.Token.First)
	case q.EntropyDrop != 0:
		if !(q.EntropyDrop > 0) || math.IsInf(q.EntropyDrop, 0) {
			return nil, invalidf("entropy drop %v: ask for more than 0 nats", q.EntropyDrop)
		}
		s.found.What = fmt.Sprintf("entropy %g nats below the row before", q.EntropyDrop)
	case q.Crossing != 0:
		if q.Crossing < 1 || q.Crossing >= m.cfg.DVocab {
			return nil, invalidf("crossing %d: ask for a rank from 1 to %d", q.Crossing, m.cfg.DVocab-1)
		}
		s.found.What = fmt.Sprintf("the next token's rank comes to %d or less", q.Crossing)
	default:
		if len(q.Near) != m.cfg.DModel || s.row < 0 {
			return nil, invalidf("near: give a vector of d_model %d and the Row that it is compared with; it has %d values and row %q", m.cfg.DModel, len(q.Near), q.Row)
		}
		for _, v := range q.Near {
			s.norm += float64(v) * float64(v)
		}
		if s.norm = math.Sqrt(s.norm); !(s.norm > 0) || math.IsInf(s.norm, 0) {
			return nil, invalidf("near: the vector is zero or not finite")
		}
		kind := "cosine"
		if q.Dot {
			kind = "dot product"
		}
		s.found.What = fmt.Sprintf("nearest at %s by %s", q.Row, kind)
	}
	return s, nil
}

// add continues a prefix by one token.
func (h prefixKey) add(id int) prefixKey {
	for i := range 4 {
		b := uint64(byte(id >> (8 * i)))
		h[0] = (h[0] ^ b) * 0x100000001b3
		h[1] = (h[1] ^ (b + 0x9e)) * 0x100000001b3
	}
	return h
}

var emptyPrefix = prefixKey{0xcbf29ce484222325, 0x84222325cbf29ce4}

// conversation looks through one. Positions that another conversation had with the same tokens before are not looked at again.
func (s *searcher) conversation(ctx context.Context, c *Conversation) error {
	kept, ids, _ := c.snapshot()
	if s.text != nil {
		return s.matches(c, ids)
	}
	key := emptyPrefix
	fresh := make([]bool, len(ids))
	keys := make([]prefixKey, len(ids))
	for p, id := range ids {
		key = key.add(id)
		keys[p] = key
		n, known := s.seen[key]
		fresh[p] = !known
		if known {
			s.seen[key] = n + 1
		} else {
			s.seen[key] = 0
			s.found.Positions++
		}
	}
	if s.q.Near != nil {
		s.scans = append(s.scans, scan{c, kept, fresh, keys})
		return nil
	}
	for p := range ids {
		if p%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		// The next token is no part of what the prefix fixes, so crossings are looked at in every conversation.
		if !fresh[p] && s.q.Crossing == 0 {
			continue
		}
		if err := s.cells(c, kept, ids, p, keys[p]); err != nil {
			return err
		}
	}
	return nil
}

// cells looks at the records of one position.
func (s *searcher) cells(c *Conversation, kept *cache.Conversation, ids []int, p int, key prefixKey) error {
	rec, err := s.m.record(kept, p)
	if err != nil {
		return err
	}
	var next record
	if s.q.Crossing > 0 {
		if p+1 >= len(ids) {
			return nil
		}
		if next, err = s.m.record(kept, p+1); err != nil {
			return err
		}
	}
	for i, r := range rec.rows {
		if s.row >= 0 && i != s.row {
			continue
		}
		switch {
		case s.q.Token != nil:
			for _, h := range r.top[:min(s.q.Token.First, len(r.top))] {
				if h.id == s.q.Token.Token {
					s.hits = append(s.hits, candidate{c, p, i, float64(h.logit) - r.logPartition, key})
				}
			}
		case s.q.EntropyDrop > 0 && i > 0:
			if drop := rec.rows[i-1].entropy - r.entropy; drop >= s.q.EntropyDrop {
				s.hits = append(s.hits, candidate{c, p, i, drop, key})
			}
		case s.q.Crossing > 0 && i > 0 && next.self != nil:
			if now := next.self[i].rank; now <= s.q.Crossing && next.self[i-1].rank > s.q.Crossing {
				s.hits = append(s.hits, candidate{c, p, i, float64(now), prefixKey{}})
			}
		}
	}
	return nil
}

// matches looks at the text. A match may span tokens; the hit is the token that its first byte is in.
func (s *searcher) matches(c *Conversation, ids []int) error {
	var text strings.Builder
	starts := make([]int, len(ids))
	for p, id := range ids {
		starts[p] = text.Len()
		text.Write(s.m.tok.Bytes(id))
	}
	s.found.Positions += len(ids)
	for _, m := range s.text.FindAllStringIndex(text.String(), -1) {
		p, exact := slices.BinarySearch(starts, m[0])
		for exact && p+1 < len(starts) && starts[p+1] == m[0] {
			p++ // tokens without bytes stand before it
		}
		if !exact {
			p--
		}
		if p >= 0 && p < len(ids) {
			s.hits = append(s.hits, candidate{c, p, -1, float64(m[1] - m[0]), prefixKey{}})
		}
	}
	return nil
}

// finish chooses the hits and fills their contexts in.
func (s *searcher) finish() (*Hits, error) {
	if s.q.Token != nil || s.q.EntropyDrop > 0 {
		slices.SortStableFunc(s.hits, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	}
	s.found.Total = max(len(s.hits), s.total)
	for _, h := range s.hits[:min(s.q.Limit, len(s.hits))] {
		from := max(0, h.p-ContextTokens)
		infos := h.c.infos(h.c.ids, from, h.p+1)
		hit := Hit{ConversationID: h.c.ID(), TokenInfo: infos[len(infos)-1], Context: infos[:len(infos)-1], Score: h.score, Same: s.seen[h.key]}
		if h.row >= 0 {
			hit.Row = s.m.rowNames[h.row]
		}
		s.found.Hits = append(s.found.Hits, hit)
	}
	return s.found, nil
}

// Click shows a hit as Conversation.Click does.
func (h *Hits) Click(i int) (*TokenView, error) {
	if i < 0 || i >= len(h.Hits) {
		return nil, notFoundf("hit %d: there are %d, from 0", i, len(h.Hits))
	}
	if h.m == nil {
		return nil, invalidf("these hits were read from JSON: reopen conversation %s and click position %d", h.Hits[i].ConversationID, h.Hits[i].Position)
	}
	c, err := h.m.Reopen(h.Hits[i].ConversationID)
	if err != nil {
		return nil, err
	}
	return c.Click(h.Hits[i].Position)
}

// String is the hits as a table, each with the last tokens before it.
func (h *Hits) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: hits: %d", h.What, h.Total)
	if len(h.Hits) < h.Total {
		fmt.Fprintf(&b, ", the first %d", len(h.Hits))
	}
	fmt.Fprintf(&b, " in %d conversations, %d positions", h.Conversations, h.Positions)
	if h.Codec != "" {
		fmt.Fprintf(&b, ", rows stored as %s", h.Codec)
	}
	b.WriteString("\n")
	var t table
	t.add("hit", "conversation", "position", "row", "score", "context and token")
	for i, hit := range h.Hits {
		var text strings.Builder
		for _, c := range hit.Context[max(0, len(hit.Context)-8):] {
			text.WriteString(plots.Glyphs([]byte(c.TokenText)))
		}
		fmt.Fprintf(&text, "[%s]", plots.Glyphs([]byte(hit.TokenText)))
		t.add(fmt.Sprint(i), hit.ConversationID, fmt.Sprint(hit.Position), hit.Row, fmt.Sprintf("%.3f", hit.Score), text.String())
	}
	return b.String() + t.String()
}
