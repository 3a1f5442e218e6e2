package cache

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Token is one token of a conversation.
type Token struct {
	ID     int    // 0 to 2^31-1
	Record []byte // what the lens showed, opaque and exact; at most MaxRecord bytes
}

// Event is a note between tokens: a turn, the sampling used.
type Event struct {
	At   int             // tokens known when it was added
	Data json.RawMessage // valid JSON, at most MaxRecord bytes
}

// Info describes a conversation.
type Info struct {
	ID      string
	Space   Space
	Codec   Codec
	Layers  []int // rows of the space that are stored; nil: all
	Tokens  int
	Saved   int // tokens that survive the death of the process: all, unless the disk refuses them
	Durable int // tokens that survive a loss of power
	Created time.Time
	Updated time.Time // last write to its tokens or events
}

// Conversation is an append-only sequence of tokens in one [Space]. It is safe for concurrent use.
//
// What is added is in memory first and on disk, as a rule, when the call returns. While the disk refuses, memory goes
// on by itself; [Info] tells how many tokens are safe.
type Conversation struct {
	s    *Store
	meta metadata // but for the uid, which may change: see uid
	lay  layout
	root blockKey // of space and layout

	// Readers take none of the first three; the order is amu, wmu, smu, mu.
	amu sync.Mutex // held by one who adds
	wmu sync.Mutex // held during changes of the files
	smu sync.Mutex // held while a block is sealed, or the conversation deleted or renamed

	w      *writer   // open logs, nil until the first save and after a failed one
	lock   io.Closer // held with or without w, nil until the first save
	queued atomic.Bool
	sealed atomic.Int64 // blocks, since the start
	mine   atomic.Bool  // what is in memory counts: the lock is held, or something is not saved; ends under amu and wmu, or with the conversation

	lastUse, touched atomic.Int64 // nanoseconds of Unix time
	sizesMu          sync.Mutex
	sizes            map[blockKey]int64 // of its blocks on disk, as far as it was asked

	mu    sync.RWMutex
	id    string
	uid   string // tells it from a later conversation of the same id
	gone  bool   // deleted, or replaced by another process
	state state
}

// state is what a conversation holds in memory. Its slices only grow, so a copy of the struct taken under the lock
// stays valid without it; only tail is copied element by element.
type state struct {
	tokens  []int
	records [][]byte // nil until the conversation is handed out: an index over many needs only tokens
	events  []Event
	full    bool // records and events are loaded
	keys    []blockKey
	tail    [MaxBlockTokens]encRow // rows of the incomplete block by position modulo the block; nil: not known
	logEnd  int64                  // bytes of the token log read
	log     fs.FileInfo            // the token log as it was read last, nil if it was not there or this process writes it
	updated time.Time
	un      unsaved
}

// metadata is what metadata.json says of a conversation.
type metadata struct {
	Format  int       `json:"format"`
	UID     string    `json:"uid"`           // tells a conversation from a later one of the same id
	Log     bool      `json:"log,omitempty"` // the token log was made with the conversation
	Created time.Time `json:"created"`
	Space   Space     `json:"space"`
	Codec   Codec     `json:"codec,omitempty"`  // format 2: see layout
	Block   int       `json:"block,omitempty"`  // format 2: tokens of a block
	Layers  []int     `json:"layers,omitempty"` // format 2: the rows that are stored
}

const maxMetadata = 64 << 10

func convPath(id string) string { return "conv/" + dirName(id) }

// marshal gives the file's bytes: the metadata under a checksum, because a changed digit in it would pass for another
// model.
func (m metadata) marshal() ([]byte, error) {
	inner, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return sealMetadata(inner), nil
}

func sealMetadata(inner []byte) []byte {
	return fmt.Appendf(nil, "{\"crc32c\":\"%08x\",\"metadata\":%s}\n", crc(inner), inner)
}

// parseMetadata reads what marshal wrote, and fields it does not know that a newer minor version adds.
func parseMetadata(data []byte) (m metadata, err error) {
	var outer struct {
		Metadata json.RawMessage `json:"metadata"`
	}
	if err := json.Unmarshal(data, &outer); err != nil {
		return m, damaged(0, "%w", err)
	}
	if !bytes.Equal(data, sealMetadata(outer.Metadata)) {
		return m, damaged(0, "checksum differs")
	}
	if err := json.Unmarshal(outer.Metadata, &m); err != nil {
		return m, damaged(0, "%w", err)
	}
	if m.Format != formatMajor && m.Format != formatLayouts {
		return m, fmt.Errorf("%w %d (known: %d, %d)", ErrVersion, m.Format, formatMajor, formatLayouts)
	}
	if err := m.validate(); err != nil {
		return m, damaged(0, "%w", err)
	}
	return m, nil
}

func readMetadata(d filesystem, dir string) (metadata, error) {
	name := dir + "/metadata.json"
	data, err := readSmall(d, name, maxMetadata)
	if err != nil {
		return metadata{}, err
	}
	m, err := parseMetadata(data)
	var bad *damage
	if errors.As(err, &bad) {
		return m, &CorruptError{name, bad.offset, bad.err}
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// ID of the conversation; it changes with [Store.Rename].
func (c *Conversation) ID() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.id
}

// Space that the rows of the conversation belong to.
func (c *Conversation) Space() Space { return c.meta.Space }

// Len is the number of tokens.
func (c *Conversation) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.state.tokens)
}

// Tokens returns a copy of the token ids.
func (c *Conversation) Tokens() []int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Clone(c.state.tokens)
}

// Events returns the events in the order they were added. The caller may change the result.
func (c *Conversation) Events() []Event {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]Event, len(c.state.events))
	for i, e := range c.state.events {
		out[i] = Event{e.At, bytes.Clone(e.Data)}
	}
	return out
}

// Record returns a copy of the lens record of the token at pos.
func (c *Conversation) Record(pos int) ([]byte, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if pos < 0 || pos >= len(c.state.records) {
		return nil, fmt.Errorf("conversation %s: position %d is not in 0..%d", c.id, pos, len(c.state.records)-1)
	}
	return bytes.Clone(c.state.records[pos]), nil
}

// Info describes the conversation.
func (c *Conversation) Info() Info {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := len(c.state.tokens)
	info := Info{ID: c.id, Space: c.meta.Space, Codec: c.lay.codec, Layers: slices.Clone(c.lay.layers), Tokens: n, Saved: n, Durable: n, Created: c.meta.Created, Updated: c.state.updated}
	if c.mine.Load() {
		info.Saved, info.Durable = c.state.un.saved, c.state.un.durable
	}
	return info
}

// snapshot copies the state and says whether the conversation is still there.
func (c *Conversation) snapshot() (state, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.gone {
		return state{}, fmt.Errorf("conversation %s: %w", c.id, ErrNotFound)
	}
	return c.state, nil
}

func (c *Conversation) identity() (id, uid string) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.id, c.uid
}

func (c *Conversation) setState(st state) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setUnsaved(st.un)
	c.state = st
}

func (c *Conversation) isGone() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.gone
}
