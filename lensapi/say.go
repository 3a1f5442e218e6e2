package lens

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/gopherlens/gopherlens/cache"
	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/tokenizer"
)

// Stop says why an answer ended.
type Stop string

// The reasons an answer ends.
const (
	StopEnd     Stop = "end"     // the model wrote its end token
	StopLength  Stop = "length"  // MaxTokens were written
	StopContext Stop = "context" // the model's context is full
)

// Reply is what the model answered.
type Reply struct {
	Text     string // without special tokens
	Start    int    // its tokens are at positions [Start, End)
	End      int
	Stop     Stop
	Replayed bool // answered from the cache: the same question after the same words with the same sampling
}

// String is the text.
func (r *Reply) String() string { return r.Text }

// Say adds a message of the user and lets the model answer. If it is interrupted, what was written so far is kept and the conversation can go on.
func (c *Conversation) Say(ctx context.Context, text string) (*Reply, error) {
	return c.SayEach(ctx, text, nil)
}

// SayEach is Say that calls each with every token of the answer as it comes: when each is called, the token and its lens are safe in the cache.
// An error of each ends the answer.
func (c *Conversation) SayEach(ctx context.Context, text string, each func(Token) error) (*Reply, error) {
	c.say.Lock()
	defer c.say.Unlock()
	kept, ids, _ := c.snapshot()
	h := c.history()
	if len(ids) > 0 && !h.chat {
		return nil, invalidf("conversation %q is a captured prompt, not a chat: begin one with NewChat", kept.ID())
	}
	given, err := c.message(h, ids, text)
	if err != nil {
		return nil, err
	}
	r, err := c.answer(ctx, given, each)
	return r, wrap(Unavailable, err, "the answer")
}

// Complete feeds prompt as it is, without a chat template, and lets the model go on.
// A BOS is put before the prompt where the checkpoint's own tokenizer does.
func (m *Model) Complete(ctx context.Context, prompt string, opt ChatOptions) (*Conversation, error) {
	ids, err := m.Encode(prompt)
	if err != nil {
		return nil, err
	}
	if bos, ok := m.tok.BOS(); ok && m.tok.AddsBOS() {
		ids = append([]int{bos}, ids...)
	}
	if err := m.check(ids); err != nil {
		return nil, err
	}
	c, err := m.newConversation(opt)
	if err != nil {
		return nil, err
	}
	c.say.Lock()
	defer c.say.Unlock()
	given := message{ids, []event{{Kind: eventMessage, Role: rolePrompt, Text: prompt, Segments: []segment{{0, len(ids), false}}}}}
	_, err = c.answer(ctx, given, nil)
	return c, wrap(Unavailable, err, "the completion")
}

// message is what is given to the model before it answers: tokens, and the events that say what they are.
type message struct {
	ids    []int
	events []event
}

// placeholder stands for the last answer when the template is rendered: what follows it is what comes after an answer, whatever the answer was.
// So the tokens that the model has read are never encoded again, and a template that edits earlier turns cannot change them.
const placeholder = "gopherlens-answer"

// message renders the user's text with its markup, as the continuation of ids.
func (c *Conversation) message(h history, ids []int, text string) (message, error) {
	msgs := slices.Clone(h.messages)
	turn := len(msgs)
	var fresh []tokenizer.Message
	if turn == 0 && c.opt.System != "" {
		fresh = append(fresh, tokenizer.Message{Role: roleSystem, Content: c.opt.System})
	}
	fresh = append(fresh, tokenizer.Message{Role: roleUser, Content: text})
	answered := turn > 0 && msgs[turn-1].Role == roleAssistant
	if answered {
		msgs[turn-1].Content = placeholder
	}
	rendered, err := c.m.tok.RenderChat(append(msgs, fresh...), true)
	if err != nil {
		return message{}, wrap(Invalid, err, "chat template of %s", c.m.name)
	}
	if answered {
		_, after, ok := strings.Cut(rendered, placeholder)
		if !ok {
			return message{}, invalidf("the chat template of %s leaves earlier answers out: its conversations have one turn", c.m.name)
		}
		rendered = after
		if last := ids[len(ids)-1]; slices.Contains(c.m.ends(), last) { // the model has written its end token itself
			rendered = strings.TrimPrefix(strings.TrimLeft(rendered, " "), string(c.m.tok.Bytes(last)))
		}
	}
	add, err := c.m.Encode(rendered)
	if err != nil {
		return message{}, err
	}
	if room := c.m.cfg.NCtx - len(ids); len(add) >= room {
		return message{}, invalidf("the message has %d tokens with its markup; %d of the %d tokens that %s reads are left: say less, or begin a new conversation",
			len(add), max(0, room-1), c.m.cfg.NCtx, c.m.name)
	}
	out := message{ids: slices.Concat(ids, add)}
	for i, msg := range fresh {
		out.events = append(out.events, event{Kind: eventMessage, Turn: turn + i, Role: msg.Role, Text: msg.Content})
	}
	c.m.assign(add, len(ids), out.events)
	return out, nil
}

// assign divides the tokens add, which begin at position at, among the messages of events: tokens that overlap a message's own text are its content,
// those around it template.
func (m *Model) assign(add []int, at int, events []event) {
	var text []byte
	offset := []int{0}
	for _, id := range add {
		text = append(text, m.tok.Bytes(id)...)
		offset = append(offset, len(text))
	}
	next, from := 0, 0 // first token and byte not yet assigned
	for i := range events {
		e := &events[i]
		put := func(end int, template bool) {
			if end > next {
				e.Segments = append(e.Segments, segment{at + next, at + end, template})
				next = end
			}
		}
		content := strings.TrimSpace(e.Text)
		if k := bytes.Index(text[from:], []byte(content)); k >= 0 && content != "" {
			lo, hi := from+k, from+k+len(content)
			first, _ := slices.BinarySearch(offset, lo+1) // the token that holds byte lo
			last, _ := slices.BinarySearch(offset, hi)
			put(first-1, true)
			put(last, false)
			from = hi
		}
		if i == len(events)-1 {
			put(len(add), true)
		}
	}
}

// ends are the tokens that end an answer.
func (m *Model) ends() []int { return append(slices.Clone(m.cfg.EOS), m.tok.EOS()...) }

// answer feeds what is given and samples, or repeats an answer that the cache has. Caller holds say.
func (c *Conversation) answer(ctx context.Context, given message, each func(Token) error) (*Reply, error) {
	start := event{Kind: eventGenerate, Turn: given.events[len(given.events)-1].Turn + 1, Start: len(given.ids), Sampling: &c.opt.Sampling, Max: c.opt.MaxTokens}
	src, done, err := c.find(given.ids, start)
	if err != nil {
		return nil, err
	}
	if src != nil {
		if err := c.repeat(ctx, src, append(given.events, start, done), done.End); err != nil {
			return nil, err
		}
		for p := done.Start; p < done.End && each != nil; p++ {
			if err := each(c.m.token(c.ids[p])); err != nil {
				return nil, err
			}
		}
		return c.reply(done, true), nil
	}
	if err := c.own(ctx); err != nil {
		return nil, err
	}
	_, ids, events := c.snapshot()
	if err := c.note(append(given.events, start)...); err != nil {
		return nil, err
	}
	done, err = c.generate(ctx, given.ids, start, each)
	if err != nil {
		c.feed = nil // it may have read further than the conversation has kept
		if len(c.ids) < len(given.ids) {
			// The message was not read to its end: the conversation is as if it had not been said.
			c.mu.Lock()
			c.ids, c.events = ids, events
			c.mu.Unlock()
		}
		return nil, err
	}
	return c.reply(done, false), c.note(done)
}

func (c *Conversation) reply(done event, replayed bool) *Reply {
	return &Reply{Text: c.m.Decode(c.ids[done.Start:done.End]), Start: done.Start, End: done.End, Stop: done.Stop, Replayed: replayed}
}

// generate reads the rest of given and writes the answer, token by token.
func (c *Conversation) generate(ctx context.Context, given []int, start event, each func(Token) error) (event, error) {
	sampler, err := forward.NewSampler(c.opt.Sampling)
	if err != nil {
		return event{}, err
	}
	if c.feed == nil {
		f := c.m.newFeeder(max(c.opt.Top, defaultTop))
		if err := f.reread(ctx, c.ids); err != nil {
			return event{}, err
		}
		c.feed = f
	}
	if err := c.feed.feed(ctx, given[len(c.ids):], c.append); err != nil {
		return event{}, err
	}
	done := event{Kind: eventGenerated, Turn: start.Turn, Start: start.Start, Sampling: start.Sampling, Max: start.Max, Stop: StopLength}
	ends := c.m.ends()
	for n := 0; n < c.opt.MaxTokens && done.Stop != StopEnd; n++ {
		if len(c.ids) == c.m.cfg.NCtx {
			done.Stop = StopContext
			break
		}
		id, err := sampler.Next(c.feed.logits())
		if err != nil {
			return event{}, err
		}
		if err := c.feed.feed(ctx, []int{id}, c.append); err != nil {
			return event{}, err
		}
		if slices.Contains(ends, id) {
			done.Stop = StopEnd
		}
		if each != nil {
			if err := each(c.m.token(id)); err != nil {
				return event{}, err
			}
		}
	}
	done.End = len(c.ids)
	return done, nil
}

// append keeps tokens in the cache, then counts them as part of the conversation.
func (c *Conversation) append(toks []cache.Token, resid []float32) error {
	if err := c.kept.Append(toks, resid); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range toks {
		c.ids = append(c.ids, t.ID)
	}
	return nil
}

// note keeps events.
func (c *Conversation) note(events ...event) error {
	for _, e := range events {
		if err := c.kept.AddEvent(e.encode()); err != nil {
			return err
		}
		c.mu.Lock()
		c.events = append(c.events, e)
		c.mu.Unlock()
	}
	return nil
}

// own makes sure that the conversation is kept, and holds ids and no more.
func (c *Conversation) own(ctx context.Context) error {
	if c.kept == nil {
		kept, err := c.m.store.Create(c.opt.ID, c.m.space)
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.kept = kept
		c.mu.Unlock()
	}
	if c.kept.Len() > len(c.ids) || len(c.kept.Events()) > len(c.events) {
		return c.branch(ctx)
	}
	return nil
}

// find looks for an answer that the cache has: in this conversation's own earlier run, else in any other.
func (c *Conversation) find(given []int, want event) (*cache.Conversation, event, error) {
	try := func(src *cache.Conversation) (event, bool) {
		ids := src.Tokens()
		if commonPrefix(ids, given) < len(given) || len(ids) == len(given) {
			return event{}, false
		}
		events, err := decodeEvents(src.Events())
		if err != nil {
			return event{}, false // not readable: as good as not there
		}
		for _, e := range events {
			if e.Kind == eventGenerated && e.Start == want.Start && e.Max == want.Max && e.Sampling != nil && *e.Sampling == *want.Sampling &&
				e.End <= len(ids) && c.m.holds(src, e.End, c.opt.Top) {
				return e, true
			}
		}
		return event{}, false
	}
	if c.kept != nil {
		if e, ok := try(c.kept); ok {
			return c.kept, e, nil
		}
	}
	infos, err := c.m.store.List()
	if err != nil {
		return nil, event{}, err
	}
	for _, info := range infos {
		if info.Space != c.m.space || info.Tokens <= len(given) {
			continue
		}
		src, err := c.m.store.Conversation(info.ID)
		if err != nil {
			continue // gone meanwhile
		}
		if e, ok := try(src); ok {
			return src, e, nil
		}
	}
	return nil, event{}, nil
}

// repeat makes the first end tokens of src, and events, the continuation of this conversation.
func (c *Conversation) repeat(ctx context.Context, src *cache.Conversation, events []event, end int) error {
	if src != c.kept {
		if err := c.own(ctx); err != nil {
			return err
		}
		if err := c.note(events...); err != nil {
			return err
		}
		if err := c.copyTokens(ctx, c.kept, src, len(c.ids), end); err != nil {
			return err
		}
		events = nil
	}
	ids := src.Tokens()
	c.feed = nil
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids = append(c.ids, ids[len(c.ids):end]...)
	c.events = append(c.events, events...)
	return nil
}

func commonPrefix(a, b []int) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
