package httpapi

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"time"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// talk is a conversation with the model it belongs to.
type talk struct {
	*lens.Conversation
	model *modelEntry
}

// talks holds conversations that were spoken to, so that the next answer finds the model's attention cache as it was left.
type talks struct {
	mu   sync.Mutex
	open map[string]*openTalk
}

type openTalk struct {
	talk
	busy bool
	used time.Time
}

// maxOpen bounds how many wait for a next question.
const maxOpen = 64

// holding is a name that was taken for one answer.
type holding struct {
	talk
	ts *talks
	id string
}

// hold takes a conversation's name, until release. The talk is empty when the conversation is not open.
func (ts *talks) hold(id string) (*holding, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	o := ts.open[id]
	if o == nil {
		o = &openTalk{}
		ts.open[id] = o
	}
	if o.busy {
		return nil, errorf(Conflict, "conversation %q is being answered: wait for that to end", id)
	}
	o.busy = true
	return &holding{o.talk, ts, id}, nil
}

// keep lets readers see the conversation from now on.
func (h *holding) keep(t talk) {
	h.ts.mu.Lock()
	defer h.ts.mu.Unlock()
	h.talk = t
	h.ts.open[h.id].talk = t
}

// release gives the name back. A conversation without tokens is let go of; one that had to take another name, since another program writes under its own, is
// found under that.
func (h *holding) release() {
	h.ts.mu.Lock()
	defer h.ts.mu.Unlock()
	delete(h.ts.open, h.id)
	if h.Conversation != nil && h.Len() > 0 {
		h.ts.open[h.ID()] = &openTalk{talk: h.talk, used: time.Now()}
		h.ts.trim()
	}
}

// trim lets go of the one that waited longest. Caller holds mu.
func (ts *talks) trim() {
	for len(ts.open) > maxOpen {
		oldest := ""
		for id, o := range ts.open {
			if !o.busy && (oldest == "" || o.used.Before(ts.open[oldest].used)) {
				oldest = id
			}
		}
		if oldest == "" {
			return
		}
		delete(ts.open, oldest)
	}
}

// get is a conversation that is open.
func (ts *talks) get(id string) (talk, bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	o := ts.open[id]
	if o == nil || o.Conversation == nil || o.Len() == 0 {
		return talk{}, false
	}
	return o.talk, true
}

// find opens a conversation of whichever model it belongs to, to read it.
func (s *Server) find(ctx context.Context, id string) (talk, error) {
	if t, ok := s.talks.get(id); ok {
		return t, nil
	}
	return s.reopen(ctx, id)
}

// reopen looks for a conversation in the cache. Models share it, so one that does not know the name speaks for all.
func (s *Server) reopen(ctx context.Context, id string) (talk, error) {
	var last error
	for _, e := range s.models.inOrder() {
		m, err := e.get(ctx)
		if err != nil {
			last = err
			continue
		}
		c, err := m.Reopen(id)
		if err == nil {
			return talk{c, e}, nil
		}
		last = err
		var l *lens.Error
		if !errors.As(err, &l) || l.Code != lens.Invalid { // of another model
			if ok := errors.As(err, &l); ok && l.Code == lens.NotFound {
				return talk{}, errorf(NotFound, "no conversation %q is kept: GET /api/conversations lists those that are", clip(id))
			}
			return talk{}, err
		}
	}
	return talk{}, last
}

// newID names a conversation.
func newID() string { return "chat-" + strings.ToLower(rand.Text()[:12]) }

// tokensOf are the tokens at positions from to to-1.
func tokensOf(t talk, from, to int) ([]Token, error) {
	infos, err := t.Infos(from, to)
	if err != nil {
		return nil, err
	}
	surprisals, err := t.Surprisals(from, to)
	if err != nil {
		return nil, err
	}
	out := make([]Token, len(infos))
	for i := range out {
		out[i] = Token{infos[i], number(surprisals[i])}
	}
	return out, nil
}

func conversationOf(t talk) (*Conversation, error) {
	m, n := t.Model(), t.Len()
	tokens, err := tokensOf(t, 0, n)
	if err != nil {
		return nil, err
	}
	out := &Conversation{t.ID(), m.Name(), m.Digest(), t.Created(), n, m.Rows(), t.Messages(), make([]TokenInView, n)}
	for i, tok := range tokens {
		out.Tokens[i].Token = tok
	}
	return out, nil
}

type conversationInput struct {
	ConversationID string `path:"conversation_id" maxLength:"100"`
}

type conversationOutput struct{ Body *Conversation }

func (s *Server) conversation(ctx context.Context, in *conversationInput) (*conversationOutput, error) {
	t, err := s.find(ctx, in.ConversationID)
	if err != nil {
		return nil, fail(err)
	}
	c, err := conversationOf(t)
	if err != nil {
		return nil, fail(err)
	}
	return &conversationOutput{c}, nil
}

type conversationsInput struct {
	Model  string `query:"model" maxLength:"64" doc:"default: the first that is served"`
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"500"`
	Offset int    `query:"offset" minimum:"0" maximum:"1000000000"`
}

// ConversationList is a page of the conversations of a model, newest first.
type ConversationList struct {
	Conversations []ConversationLine `json:"conversations"`
	Total         int                `json:"total"`
}

type conversationsOutput struct{ Body ConversationList }

func (s *Server) conversations(ctx context.Context, in *conversationsInput) (*conversationsOutput, error) {
	e, err := s.models.named(in.Model)
	if err != nil {
		return nil, fail(err)
	}
	m, err := e.get(ctx)
	if err != nil {
		return nil, fail(err)
	}
	infos, err := m.Conversations()
	if err != nil {
		return nil, fail(err)
	}
	out := ConversationList{Conversations: []ConversationLine{}, Total: len(infos)}
	infos = infos[min(in.Offset, len(infos)):]
	for _, info := range infos[:min(in.Limit, len(infos))] {
		c, err := m.Reopen(info.ID)
		if err != nil {
			continue // deleted meanwhile, or cannot be read, which the cache's status tells
		}
		out.Conversations = append(out.Conversations, ConversationLine{info.ID, m.Name(), info.Created, info.Tokens, titleOf(c)})
	}
	return &conversationsOutput{out}, nil
}

// titleOf is the beginning of what was said first.
func titleOf(c *lens.Conversation) string {
	for _, m := range c.Messages() {
		if m.Role == "user" || m.Role == "prompt" {
			return clip(oneLine(m.Content))
		}
	}
	return ""
}
