package httpapi

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"

	lens "github.com/gopherlens/gopherlens/lensapi"
	"github.com/gopherlens/gopherlens/lensapi/forward"
)

// ChatRequest is what is said to a model. Exactly one of Text and Messages.
type ChatRequest struct {
	Text           string        `json:"text,omitempty" doc:"what the user says; what is completed, for a model without a chat template"`
	Messages       []ChatMessage `json:"messages,omitempty" maxItems:"1000" doc:"the whole conversation, the user's message last: what a kept conversation has of it is not computed again"`
	ConversationID string        `json:"conversation_id,omitempty" pattern:"^[A-Za-z0-9_-][A-Za-z0-9._~-]{0,79}$" doc:"goes on with this conversation, or begins it; default: the server makes one"`
	Model          string        `json:"model,omitempty" maxLength:"64" doc:"default: the conversation's, else the first that is served"`
	System         string        `json:"system,omitempty" doc:"system message of a new conversation, where the model's chat template has one"`

	MaxTokens   int      `json:"max_tokens,omitempty" default:"128" minimum:"1" maximum:"65536" doc:"of the answer"`
	Temperature float64  `json:"temperature,omitempty" minimum:"0" maximum:"100" doc:"0, the default, takes the likeliest token"`
	TopK        int      `json:"top_k,omitempty" minimum:"0" maximum:"1000000" doc:"only the k likeliest tokens; 0: all"`
	TopP        float64  `json:"top_p,omitempty" minimum:"0" maximum:"1" doc:"only the likeliest tokens that together reach p; 0 and 1: all"`
	Seed        uint64   `json:"seed,omitempty" maximum:"9007199254740991" doc:"same seed, same answer"`
	Stop        []string `json:"stop,omitempty" maxItems:"4" doc:"texts that end the answer, which ends before them"`

	CacheActivations *bool    `json:"cache_activations,omitempty" doc:"false: nothing is kept after the answer; default true"`
	Variant          string   `json:"variant,omitempty" default:"normed" enum:"normed,raw,scaled,tuned,jacobian" doc:"lens of the layers that are given with the answer"`
	Rows             string   `json:"rows,omitempty" default:"stored" enum:"stored,fresh" doc:"for other variants than normed: rows as the cache stores them, or from a forward pass"`
	Layers           []RowRef `json:"layers,omitempty" maxItems:"1000" doc:"rows that are given with the answer; default: all"`
	Top              int      `json:"top,omitempty" default:"10" minimum:"1" maximum:"1000" doc:"candidates of each row; a new conversation keeps at least 10"`
	Stream           bool     `json:"stream,omitempty" doc:"the same as Accept: text/event-stream"`
}

// ChatMessage is one message.
type ChatMessage struct {
	Role    string `json:"role" enum:"system,user,assistant"`
	Content string `json:"content"`
}

// ChatReply is the conversation with the answer, whose tokens have their layers.
type ChatReply struct {
	Conversation
	Variant  string `json:"variant"`
	Codec    string `json:"codec,omitempty"`
	Text     string `json:"text" doc:"the answer, without special tokens"`
	Start    int    `json:"start" doc:"position of its first token"`
	End      int    `json:"end" doc:"the position after its last"`
	Stop     string `json:"stop" enum:"end,length,context,stop" doc:"the model's end token, max_tokens, a full context, a text of stop"`
	Replayed bool   `json:"replayed" doc:"answered from the cache: the same question after the same words with the same sampling"`
}

// Queued is the event of a run that waits: its place, from 1.
type Queued struct {
	Position int `json:"position"`
}

// ChatStart is the event with which an answer begins.
type ChatStart struct {
	Head
	Rows  []string `json:"rows" doc:"of the layer events"`
	First int      `json:"first" doc:"position of the first token that is new"`
}

// LayerEvent is the event of one row of a token.
type LayerEvent struct {
	Position int `json:"position"`
	Layer
}

// ChatDone is the event that ends an answer.
type ChatDone struct {
	ConversationID string    `json:"conversation_id"`
	ModelName      string    `json:"model_name"`
	CreatedAt      time.Time `json:"created_at"`
	TotalTokens    int       `json:"total_tokens"`
	Text           string    `json:"text"`
	Start          int       `json:"start"`
	End            int       `json:"end"`
	Stop           string    `json:"stop"`
	Replayed       bool      `json:"replayed"`
}

type chatInput struct {
	Accept string `header:"Accept"`
	Body   ChatRequest
}

func (s *Server) chat(ctx context.Context, in *chatInput) (_ *huma.StreamResponse, err error) {
	f := formOf(in.Accept)
	if f == whole && in.Body.Stream {
		f = events
	}
	t, err := s.newTurn(ctx, &in.Body)
	if err != nil {
		return nil, fail(err)
	}
	if f == whole {
		defer t.close()
		if err := t.run.wait(ctx, nil); err != nil {
			return nil, fail(err)
		}
		out, err := t.whole(ctx)
		if err != nil {
			return nil, fail(err)
		}
		return value(out), nil
	}
	return s.stream(f, func(r *http.Request, x *wire) error {
		defer t.close()
		if err := t.run.wait(r.Context(), func(place int) error { return x.send("queued", Queued{place}) }); err != nil {
			return err
		}
		return t.stream(r.Context(), x)
	}), nil
}

// turn is a question with all that answering it needs.
type turn struct {
	*holding
	m      *lens.Model
	say    []lens.Message
	ans    lens.Answering
	opt    lens.LensOptions
	rows   []int // of the layers given; nil: all
	run    *ticket
	forget bool
}

// newTurn checks a request and takes what it needs; close gives it back.
func (s *Server) newTurn(ctx context.Context, req *ChatRequest) (t *turn, err error) {
	if (req.Text == "") == (len(req.Messages) == 0) {
		return nil, errorf(Invalid, "give exactly one of text and messages")
	}
	t = &turn{forget: req.CacheActivations != nil && !*req.CacheActivations}
	defer func() {
		if err != nil {
			t.close()
			t = nil
		}
	}()
	t.ans = lens.Answering{MaxTokens: req.MaxTokens, Stop: req.Stop,
		Sampling: forward.Sampling{Temperature: req.Temperature, TopK: req.TopK, TopP: req.TopP, Seed: req.Seed}}
	var msgs []lens.Message
	for _, m := range req.Messages {
		msgs = append(msgs, lens.Message(m))
	}
	if err := s.converse(ctx, t, req, msgs); err != nil {
		return t, err
	}
	if t.opt, err = t.model.lensOptions(req.Variant, req.Rows, req.Top); err != nil {
		return t, err
	}
	if t.rows, err = chosen(rowRefs(req.Layers), t.m.Rows()); err != nil {
		return t, err
	}
	t.run, err = s.gate.enter()
	return t, err
}

// converse finds or makes the conversation, and what is to be said in it.
func (s *Server) converse(ctx context.Context, t *turn, req *ChatRequest, msgs []lens.Message) (err error) {
	var e *modelEntry
	if req.Model != "" || req.ConversationID == "" {
		if e, err = s.models.named(req.Model); err != nil {
			return err
		}
		if t.m, err = e.get(ctx); err != nil {
			return err
		}
	}
	opt := lens.ChatOptions{ID: req.ConversationID, System: req.System, Top: max(req.Top, 10)}
	t.say = msgs
	if req.Text != "" {
		t.say = []lens.Message{{Role: "user", Content: req.Text}}
	}
	if req.ConversationID != "" {
		return s.goOn(ctx, t, e, opt, msgs)
	}
	opt.ID = newID()
	var c *lens.Conversation
	id, n, err := "", 0, error(nil)
	if len(msgs) > 1 {
		if id, n, err = t.m.Known(msgs); err != nil {
			return err
		}
	}
	if n > 0 {
		if c, err = s.share(t, e, id, n, opt); err != nil {
			return err
		}
		t.say = msgs[n:]
		if c == nil { // t goes on with the one that is known
			return nil
		}
	}
	if t.holding, err = s.talks.hold(opt.ID); err != nil {
		return err
	}
	if c == nil {
		if c, err = begin(t.m, opt); err != nil {
			return err
		}
	}
	t.keep(talk{c, e})
	return nil
}

// share goes on with a conversation that holds the first n messages and no more, or branches from it.
func (s *Server) share(t *turn, e *modelEntry, id string, n int, opt lens.ChatOptions) (branch *lens.Conversation, err error) {
	h, err := s.talks.hold(id)
	var busy *Error
	if errors.As(err, &busy) {
		known, err := t.m.Reopen(id)
		if err != nil {
			return nil, err
		}
		return known.Branch(n, opt)
	}
	c := h.Conversation
	if c == nil {
		if c, err = t.m.Reopen(id); err != nil {
			h.release()
			return nil, err
		}
	}
	if len(c.Messages()) > n || t.forget {
		defer h.release()
		return c.Branch(n, opt)
	}
	t.holding = h
	t.keep(talk{c, e})
	return nil, nil
}

// goOn continues the conversation that a request names, or begins it.
func (s *Server) goOn(ctx context.Context, t *turn, e *modelEntry, opt lens.ChatOptions, msgs []lens.Message) (err error) {
	if t.holding, err = s.talks.hold(opt.ID); err != nil {
		return err
	}
	have := t.talk
	if have.Conversation == nil {
		have, err = s.reopen(ctx, opt.ID)
		var own *Error
		if errors.As(err, &own) && own.Detail.Code == NotFound {
			if e == nil {
				e = s.models[0]
			}
			m, err := e.get(ctx)
			if err != nil {
				return err
			}
			c, err := begin(m, opt)
			if err != nil {
				return err
			}
			t.m = m
			t.keep(talk{c, e})
			return nil
		}
		if err != nil {
			return err
		}
	}
	if e != nil && have.model != e {
		return errorf(Conflict, "conversation %q belongs to the model %s: leave model out, or choose another conversation_id", opt.ID, have.model.Name)
	}
	t.m = have.Model()
	t.keep(have)
	if t.forget {
		return errorf(Invalid, "cache_activations false: conversation %q is kept already: leave conversation_id out", opt.ID)
	}
	if msgs == nil {
		return nil
	}
	said := have.Messages()
	for i, m := range said {
		if i >= len(msgs)-1 || msgs[i] != m {
			return errorf(Conflict, "message %d is not what conversation %q holds there: send all of its %d messages and then what is new, or leave conversation_id out to branch from it", i, opt.ID, len(said))
		}
	}
	t.say = msgs[len(said):]
	return nil
}

// begin makes a conversation, or a text for a model without a chat template.
func begin(m *lens.Model, opt lens.ChatOptions) (*lens.Conversation, error) {
	if m.HasChatTemplate() {
		return m.NewChat(opt)
	}
	return m.NewText(opt)
}

// close gives everything back. It may be called on a turn that is not complete.
func (t *turn) close() {
	if t.run != nil {
		t.run.leave()
	}
	if t.holding == nil {
		return
	}
	if t.forget && t.Conversation != nil && t.Len() > 0 {
		_ = t.m.Forget(t.ID()) // what cannot be deleted now is listed, and can be later
		t.talk = talk{}
	}
	t.release()
}

// head names what the layers are of.
func (t *turn) head(codec string) Head {
	return Head{t.ID(), t.m.Name(), t.m.Digest(), string(t.opt.Variant), codec}
}

// respond lets the model answer, by turns with other runs.
func (t *turn) respond(ctx context.Context) (*lens.Reply, error) {
	defer t.run.leave()
	told := t.ans.Each
	t.ans.Each = func(tok lens.Token) error {
		if told != nil {
			if err := told(tok); err != nil {
				return err
			}
		}
		return t.run.yield(ctx)
	}
	return t.Respond(ctx, t.say, t.ans)
}

// whole answers in one piece.
func (t *turn) whole(ctx context.Context) (*ChatReply, error) {
	reply, err := t.respond(ctx)
	if err != nil {
		return nil, err
	}
	conv, err := conversationOf(t.talk)
	if err != nil {
		return nil, err
	}
	g, err := t.Lens(ctx, reply.Start, reply.End, t.opt)
	if err != nil {
		return nil, err
	}
	for p := reply.Start; p < reply.End; p++ {
		tok := &conv.Tokens[p]
		tok.LayerPredictions, tok.ContextWindow = layersOf(g, p-reply.Start, t.rows), window(p, lens.ContextTokens)
	}
	return &ChatReply{*conv, string(t.opt.Variant), g.Codec, reply.Text, reply.Start, reply.End, string(reply.Stop), reply.Replayed}, nil
}

// stream answers as it comes.
func (t *turn) stream(ctx context.Context, x *wire) error {
	rows := t.m.Rows()
	if t.rows != nil {
		var some []string
		for _, r := range t.rows {
			some = append(some, rows[r])
		}
		rows = some
	}
	if err := x.send("start", ChatStart{t.head(""), rows, t.Len()}); err != nil {
		return err
	}
	reply, err := t.follow(ctx, x.alive, func(from, to int) error { return t.send(ctx, x, from, to) })
	if err != nil {
		return err
	}
	return x.send("done", ChatDone{t.ID(), t.m.Name(), t.Created(), t.Len(), reply.Text, reply.Start, reply.End, string(reply.Stop), reply.Replayed})
}

// follow lets the model answer, and calls each with the positions that are new, while it goes on: a token is in the cache before anybody is told of it, so what
// a slow reader has not taken yet is read from there, and costs no memory. While nothing is new, as during a long prompt, it calls alive now and then. An error of
// either ends the answer.
func (t *turn) follow(ctx context.Context, alive func() error, each func(from, to int) error) (*lens.Reply, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	at := t.Len()
	var upto atomic.Int64
	more, ended := make(chan struct{}, 1), make(chan error, 1)
	t.ans.Each = func(lens.Token) error {
		upto.Store(int64(t.Len()))
		select {
		case more <- struct{}{}:
		default: // it knows
		}
		return nil
	}
	var reply *lens.Reply
	go func() {
		var err error
		defer func() {
			if p := recover(); p != nil {
				err = panicked(p)
			}
			ended <- err
		}()
		reply, err = t.respond(ctx)
	}()
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for done := false; !done; {
		var err error
		select {
		case <-more:
		case <-quiet.C:
			err = alive()
		case err = <-ended:
			done = true
		}
		if to := int(upto.Load()); err == nil && at < to {
			if err = each(at, to); err == nil {
				at = to
			}
		}
		quiet.Reset(silence)
		if err != nil {
			cancel()
			if !done {
				<-ended
			}
			return nil, err
		}
	}
	return reply, nil
}

// send sends the tokens at positions from to to-1, those of the answer with their layers.
func (t *turn) send(ctx context.Context, x *wire, from, to int) error {
	const atOnce = 16
	for ; from < to; from = min(from+atOnce, to) {
		end := min(from+atOnce, to)
		tokens, err := tokensOf(t.talk, from, end)
		if err != nil {
			return err
		}
		given := 0 // what was said has no layers here: a click has them
		for given < len(tokens) && !tokens[given].Generated {
			given++
		}
		var g *lens.Grid
		if given < len(tokens) {
			if g, err = t.Lens(ctx, from+given, end, t.opt); err != nil {
				return err
			}
		}
		for i, tok := range tokens {
			if err := x.put("token", tok); err != nil {
				return err
			}
			if i < given {
				continue
			}
			for _, l := range layersOf(g, i-given, t.rows) {
				if err := x.put("layer", LayerEvent{tok.Position, l}); err != nil {
					return err
				}
			}
		}
		if err := x.flush(); err != nil {
			return err
		}
	}
	return nil
}

// window is the n positions before p.
func window(p, n int) []int {
	out := make([]int, 0, min(p, n))
	for q := max(0, p-n); q < p; q++ {
		out = append(out, q)
	}
	return out
}
