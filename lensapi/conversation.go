package lens

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gopherlens/gopherlens/cache"
	"github.com/gopherlens/gopherlens/lensapi/forward"
)

// The roles of a conversation's tokens.
const (
	roleSystem    = "system"
	roleUser      = "user"
	roleAssistant = "assistant"
	rolePrompt    = "prompt" // of a conversation without a chat template
)

// Sampling says how the next token is chosen; see forward.Sampling. The zero value takes the likeliest.
type Sampling = forward.Sampling

// ChatOptions chooses what NewChat and Complete leave to defaults. The zero value samples greedily.
type ChatOptions struct {
	// ID names the conversation in the cache: up to 48 letters, digits and . _ -, not beginning with a dot. Default: a name made when the first token is kept.
	// A chat under a name that exists begins again from the start: turns that repeat the kept ones are answered from the cache, and the first that differs
	// moves the kept conversation to ID~1 (or ~2, ...) and goes its own way. So a notebook can be run again and again. While another program or chat
	// writes under the name, the chat that differs goes on as ID~1 itself.
	ID       string
	System   string   // system message, for models whose chat template has one
	Sampling Sampling // zero: greedy
	// MaxTokens bounds an answer; default 128. It ends earlier at the model's end token, or when the context is full.
	MaxTokens int
	Top       int // candidates kept per cell, 1 to 1000; default 10
}

const defaultMaxTokens = 128

// nameForm leaves room for ~1 and what the cache allows besides; "" is no name.
var nameForm = regexp.MustCompile(`^([A-Za-z0-9_-][A-Za-z0-9._-]{0,47})?$`)

func (o *ChatOptions) check() error {
	if o.MaxTokens == 0 {
		o.MaxTokens = defaultMaxTokens
	}
	if !nameForm.MatchString(o.ID) || strings.HasPrefix(o.ID, promptPrefix) {
		return invalidf("conversation name %q: use up to 48 letters, digits and . _ -, not beginning with a dot or with %q", o.ID, promptPrefix)
	}
	if o.MaxTokens < 1 {
		return invalidf("max tokens %d: ask for at least 1", o.MaxTokens)
	}
	if err := o.Sampling.Validate(); err != nil {
		return wrap(Invalid, err, "chat options")
	}
	return checkTop(&o.Top)
}

// Conversation is a sequence of tokens that the model has read and written, with the lens of each. Everything is in the cache before it is returned.
//
// It is safe for concurrent use: one Say at a time, and any number of readers beside it.
type Conversation struct {
	m    *Model
	opt  ChatOptions
	text bool // without a chat template: what is given is fed as it is

	say  sync.Mutex // held while the model reads or writes
	feed *feeder    // the model's attention cache over ids; nil: reread before feeding. Guarded by say.

	mu     sync.Mutex          // guards the rest, for short times
	kept   *cache.Conversation // nil until the first token. It begins with ids, and holds more when an earlier run under this name went further.
	ids    []int
	events []event
}

// NewChat begins a conversation. The model must have a chat template.
func (m *Model) NewChat(opt ChatOptions) (*Conversation, error) {
	if !m.tok.HasChatTemplate() {
		return nil, invalidf("%s has no chat template (tokenizer_config.json): use Complete", m.name)
	}
	return m.newConversation(opt)
}

func (m *Model) newConversation(opt ChatOptions) (*Conversation, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	c := &Conversation{m: m, opt: opt}
	if opt.ID != "" {
		kept, err := m.store.Conversation(opt.ID)
		switch {
		case err == nil && kept.Space() == m.space:
			c.kept = kept
		case err == nil:
			return nil, invalidf("conversation %q belongs to another model or tokenizer (model %.12s, this one is %.12s): choose another name", opt.ID, kept.Space().Model, m.digest)
		case !isNotFound(err):
			return nil, wrap(Unavailable, err, "conversation %q (Forget gives the name free)", opt.ID)
		}
	}
	return c, nil
}

// Reopen continues a conversation from the cache, with all its turns; nothing is computed until it is extended.
func (m *Model) Reopen(id string) (*Conversation, error) {
	kept, err := m.store.Conversation(id)
	if err != nil {
		if isNotFound(err) || errors.Is(err, cache.ErrID) {
			return nil, notFoundf("no conversation %q is kept: Conversations() lists those that are", id)
		}
		return nil, wrap(Unavailable, err, "reopening %q", id)
	}
	if kept.Space() != m.space {
		return nil, invalidf("conversation %q belongs to another model or tokenizer (model %.12s, this one is %.12s)", id, kept.Space().Model, m.digest)
	}
	events, err := decodeEvents(kept.Events())
	if err != nil {
		return nil, wrap(Unavailable, err, "reopening %q", id)
	}
	c := &Conversation{m: m, kept: kept, text: len(events) > 0 && events[0].Kind == eventMessage && events[0].Role == rolePrompt}
	c.ids, c.events = dropUnread(kept.Tokens(), events)
	for _, e := range events {
		if e.Sampling != nil {
			c.opt.Sampling, c.opt.MaxTokens, c.opt.Top = *e.Sampling, e.Max, e.Top // goes on as it was
		}
	}
	return c, c.opt.check()
}

// ConversationInfo is one line of Conversations.
type ConversationInfo struct {
	ID      string    `json:"conversation_id"`
	Created time.Time `json:"created_at"`
	Tokens  int       `json:"total_tokens"`
}

// Conversations lists the conversations that the cache keeps for this model, newest first; prompts that LogitLens captured are not among them.
func (m *Model) Conversations() ([]ConversationInfo, error) {
	infos, err := m.store.List()
	if err != nil {
		return nil, wrap(Unavailable, err, "listing conversations")
	}
	var out []ConversationInfo
	for _, i := range infos {
		if i.Space == m.space && !strings.HasPrefix(i.ID, promptPrefix) {
			out = append(out, ConversationInfo{i.ID, i.Created, i.Tokens})
		}
	}
	slices.SortStableFunc(out, func(a, b ConversationInfo) int { return b.Created.Compare(a.Created) })
	return out, nil
}

// Forget deletes a conversation of this model from the cache, with the residual rows that no other conversation shares. A Conversation that is open keeps what it has in
// memory and answers NotFound when it is to go on: it does not write again what was to be forgotten.
func (m *Model) Forget(id string) error {
	kept, err := m.store.Conversation(id)
	if err == nil && kept.Space() != m.space {
		return invalidf("conversation %q belongs to another model or tokenizer (model %.12s, this one is %.12s)", id, kept.Space().Model, m.digest)
	}
	if errors.Is(err, cache.ErrID) {
		return notFoundf("no conversation %q is kept: Conversations() lists those that are", id)
	}
	err = m.store.Delete(id) // also one that could not be read
	switch {
	case isNotFound(err):
		return notFoundf("no conversation %q is kept: Conversations() lists those that are", id)
	case err == nil:
		_, err = m.store.Sweep()
	}
	return wrap(Unavailable, err, "forgetting %q", id)
}

// ID is the conversation's name in the cache; "" before its first token when none was chosen.
func (c *Conversation) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept != nil {
		return c.kept.ID()
	}
	return c.opt.ID
}

// Created is when its first token was kept; zero before.
func (c *Conversation) Created() time.Time {
	kept, _, _ := c.snapshot()
	if kept == nil {
		return time.Time{}
	}
	return kept.Info().Created
}

// Model is the model this conversation is with.
func (c *Conversation) Model() *Model { return c.m }

// Len is the number of tokens so far.
func (c *Conversation) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.ids)
}

// IDs returns the token ids so far: exactly what the model has read.
func (c *Conversation) IDs() []int {
	_, ids, _ := c.snapshot()
	return slices.Clone(ids)
}

// snapshot is a view that stays right while Say goes on: slices only ever grow.
func (c *Conversation) snapshot() (*cache.Conversation, []int, []event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept, c.ids[:len(c.ids):len(c.ids)], c.events[:len(c.events):len(c.events)]
}

func (c *Conversation) history() history {
	_, ids, events := c.snapshot()
	return readHistory(events, ids, c.m.tok.Decode)
}

// checkRange refuses positions that a conversation of n tokens does not have.
func checkRange(from, to, n int) error {
	switch {
	case n == 0:
		return notFoundf("the conversation has no tokens yet: say something first")
	case from < 0 || to > n || from >= to:
		return notFoundf("positions %d to %d: the conversation has %d tokens, so ask for 0 <= from < to <= %d", from, to, n, n)
	}
	return nil
}

// Grid is the logit lens of positions from to to-1 of the conversation, from the cache.
func (c *Conversation) Grid(from, to int) (*Grid, error) {
	kept, ids, _ := c.snapshot()
	if err := checkRange(from, to, len(ids)); err != nil {
		return nil, err
	}
	return c.m.grid(kept, ids, from, to, c.opt.Top)
}

// Residuals reads the residual stream at positions from to to-1 back. Rows that the cache has lost are computed again.
func (c *Conversation) Residuals(ctx context.Context, from, to int) (*Residuals, error) {
	kept, ids, _ := c.snapshot()
	if err := checkRange(from, to, len(ids)); err != nil {
		return nil, err
	}
	data, err := kept.Rows(ctx, from, to, c.m.residuals)
	if err != nil {
		return nil, wrap(Unavailable, err, "residuals of %s", kept.ID())
	}
	return &Residuals{Model: c.m.name, Rows: c.m.Rows(), Positions: to - from, DModel: c.m.cfg.DModel, Data: data, Codec: storedAs(kept)}, nil
}

// Find returns the last position whose token reads text, spaces around it aside.
func (c *Conversation) Find(text string) (int, error) {
	_, ids, _ := c.snapshot()
	want := strings.TrimSpace(text)
	for p := len(ids) - 1; p >= 0; p-- {
		if strings.TrimSpace(c.m.token(ids[p]).Text()) == want {
			return p, nil
		}
	}
	return 0, notFoundf("no token of the conversation reads %q", want)
}

// branch gives the conversation a kept one of its own that holds ids and no more. With mine the kept one is claimed: what it holds beyond is moved to
// ID~1, or the next free name, if there are answers in it, and the conversation keeps its name. Otherwise somebody else is writing there, and the
// conversation itself goes on under the next free name. Nothing changes when it fails. Caller holds say.
func (c *Conversation) branch(ctx context.Context, mine bool) error {
	kept, ids, events := c.snapshot()
	own, err := c.fork()
	if err != nil {
		return err
	}
	id := kept.ID()
	if mine {
		var all []event
		if all, err = decodeEvents(kept.Events()); err == nil && !answers(all, len(events), len(ids), kept.Len()) {
			err = c.m.store.Delete(id)
		} else {
			err = c.m.moveAside(kept)
		}
		if err == nil {
			err = c.m.store.Rename(own.ID(), id)
		}
		mine = !conflict(err)
	}
	if !mine {
		err = c.m.moveAside(own, id)
	}
	if err != nil {
		return errors.Join(err, c.m.store.Delete(own.ID()))
	}
	c.mu.Lock()
	c.kept = own
	c.mu.Unlock()
	return nil
}

// fork is an unnamed copy of the conversation: its tokens, then its events.
func (c *Conversation) fork() (*cache.Conversation, error) {
	kept, ids, events := c.snapshot()
	own, err := c.m.store.Create("", c.m.space)
	if err != nil {
		return nil, err
	}
	err = own.AppendFrom(kept, 0, len(ids))
	for _, e := range events {
		if err == nil {
			err = own.AddEvent(e.encode())
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.m.store.Delete(own.ID()))
	}
	return own, nil
}

// moveAside renames a kept conversation to its name (or the one given) with ~1, or the next free number.
func (m *Model) moveAside(c *cache.Conversation, name ...string) error {
	base, _, _ := strings.Cut(append(name, c.ID())[0], "~")
	for n := 1; ; n++ {
		if err := m.store.Rename(c.ID(), fmt.Sprintf("%s~%d", base, n)); !isExists(err) {
			return err
		}
	}
}
