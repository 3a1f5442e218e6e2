package lens

import (
	"context"
	"errors"
	"slices"
	"sort"
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
	StopText    Stop = "stop"    // a text of Answering.Stop was written
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

// Say adds a message of the user and lets the model answer. If it is interrupted, the part of the answer that was written is kept and the conversation can go
// on; if there was none yet, the conversation is as if nothing had been said.
//
// The model's special tokens are recognised in text, as everywhere: a message that spells out the markup of turns is read as such.
func (c *Conversation) Say(ctx context.Context, text string) (*Reply, error) {
	return c.SayEach(ctx, text, nil)
}

// SayEach is Say that calls each with every token of the answer as it comes: when each is called, the token and its lens are safe in the cache.
// An error of each ends the answer and is returned as it is.
func (c *Conversation) SayEach(ctx context.Context, text string, each func(Token) error) (*Reply, error) {
	if c.text {
		return nil, invalidf("conversation %q is a completion, not a chat: begin one with NewChat, or go on with Respond", c.ID())
	}
	return c.Respond(ctx, []Message{{Role: roleUser, Content: text}}, Answering{Sampling: c.opt.Sampling, Each: each})
}

// Complete feeds prompt as it is, without a chat template, and lets the model go on. A BOS is put before the prompt where the checkpoint's own tokenizer does.
// When it is interrupted, it returns the conversation as far as it went beside the error. NewText and Respond do the same with a Reply, which says whether the answer came
// from the cache, and token by token.
func (m *Model) Complete(ctx context.Context, prompt string, opt ChatOptions) (*Conversation, error) {
	c, err := m.NewText(opt)
	if err != nil {
		return nil, err
	}
	_, err = c.Respond(ctx, []Message{{Role: rolePrompt, Content: prompt}}, Answering{Sampling: opt.Sampling})
	if err != nil && c.Len() == 0 && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return nil, err
	}
	return c, err
}

// message is what is given to the model before it answers: all tokens up to there, and the events that say what the new ones are.
type message struct {
	ids    []int
	events []event
}

// message renders messages with their markup, as the continuation of ids.
func (c *Conversation) message(h history, ids []int, fresh []tokenizer.Message) (message, error) {
	turn := len(h.messages)
	rendered, err := c.continuation(h.messages, ids, fresh)
	if err != nil {
		return message{}, err
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
	edges := c.m.edges(add, rendered)
	next := 0 // first token not yet assigned
	for i, msg := range fresh {
		e := event{Kind: eventMessage, Turn: turn + i, Role: msg.Role, Text: msg.Content}
		put := func(end int, template bool) {
			if end > next {
				e.Segments = append(e.Segments, segment{len(ids) + next, len(ids) + end, template})
				next = end
			}
		}
		from, to, err := c.locate(h.messages, ids, fresh, i, rendered)
		if err != nil {
			return message{}, err
		}
		if from < to { // tokens that overlap the message's own text are its content, those around it template
			put(sort.SearchInts(edges, from+1)-1, true)
			put(sort.SearchInts(edges, to), false)
		}
		if i == len(fresh)-1 {
			put(len(add), true)
		}
		out.events = append(out.events, e)
	}
	return out, nil
}

// continuation renders messages and the fresh ones after them, and returns what follows the tokens ids. The last answer is rendered as a mark: what stands
// behind it is what comes after an answer, whatever the answer was. So tokens that the model has read are never encoded again, and a template that edits
// earlier turns cannot change them.
func (c *Conversation) continuation(before []tokenizer.Message, ids []int, fresh []tokenizer.Message) (string, error) {
	msgs := slices.Concat(before, fresh)
	answered := len(before) > 0 && before[len(before)-1].Role == roleAssistant
	mark := unusedIn("gopherlens-answer", msgs)
	if answered {
		msgs[len(before)-1].Content = mark
	}
	rendered, err := c.m.tok.RenderChat(msgs, true)
	if err != nil {
		return "", wrap(Invalid, err, "chat template of %s", c.m.name)
	}
	if !answered {
		return rendered, nil
	}
	_, after, ok := strings.Cut(rendered, mark)
	if !ok {
		return "", invalidf("the chat template of %s leaves earlier answers out: its conversations have one turn", c.m.name)
	}
	if last := ids[len(ids)-1]; slices.Contains(c.m.ends(), last) { // the model has written its end token itself
		after = strings.TrimPrefix(strings.TrimLeft(after, " "), string(c.m.tok.Bytes(last)))
	}
	return after, nil
}

// locate finds the bytes [from, to) of rendered that are the text of fresh[i], by rendering once more with a mark in its place.
// A template that does not show the text as it is has none.
func (c *Conversation) locate(before []tokenizer.Message, ids []int, fresh []tokenizer.Message, i int, rendered string) (from, to int, err error) {
	marked := slices.Clone(fresh)
	marked[i].Content = unusedIn("gopherlens-message", slices.Concat(before, fresh))
	r, err := c.continuation(before, ids, marked)
	if err != nil {
		return 0, 0, err
	}
	from = strings.Index(r, marked[i].Content)
	if from < 0 || from > len(rendered) {
		return 0, 0, nil
	}
	for _, text := range []string{fresh[i].Content, strings.TrimSpace(fresh[i].Content)} { // many templates trim
		if strings.HasPrefix(rendered[from:], text) {
			return from, from + len(text), nil
		}
	}
	return 0, 0, nil
}

// unusedIn lengthens mark until no message contains it.
func unusedIn(mark string, msgs []tokenizer.Message) string {
	for slices.ContainsFunc(msgs, func(m tokenizer.Message) bool { return strings.Contains(m.Content, mark) }) {
		mark += "-"
	}
	return mark
}

// edges gives the byte of text at which each token begins, and the end of the last. Tokens spell the text, but for a space that some tokenizers put before it.
func (m *Model) edges(toks []int, text string) []int {
	edges := make([]int, 1, len(toks)+1)
	at := 0
	for _, id := range toks {
		for _, b := range m.tok.Bytes(id) {
			if at < len(text) && text[at] == b {
				at++
			}
		}
		edges = append(edges, at)
	}
	return edges
}

// ends are the tokens that end an answer.
func (m *Model) ends() []int { return append(slices.Clone(m.cfg.EOS), m.tok.EOS()...) }

// answer feeds what is given and samples, or repeats an answer that the cache has. Caller holds say.
func (c *Conversation) answer(ctx context.Context, given message, a Answering) (*Reply, error) {
	start := event{Kind: eventGenerate, Turn: given.events[len(given.events)-1].Turn + 1, Start: len(given.ids),
		Sampling: &a.Sampling, Max: a.MaxTokens, Top: c.opt.Top, StopTexts: a.Stop}
	given.events = append(given.events, start)
	each := a.Each
	if each == nil {
		each = func(Token) error { return nil }
	}
	var fromEach error
	told := func(id int) error {
		fromEach = each(c.m.token(id))
		return fromEach
	}
	if err := ctx.Err(); err != nil {
		return nil, wrap(Interrupted, err, "the answer")
	}
	var done event
	var err error
	src, done, events := c.find(given.ids, start)
	if src != nil {
		err = c.repeat(ctx, src, given, done, events)
		for p := done.Start; err == nil && p < done.End; p++ {
			if err = ctx.Err(); err == nil {
				err = told(c.ids[p])
			}
		}
	} else {
		err = c.writing(ctx, func() error {
			var err error
			done, err = c.generate(ctx, given, told)
			return err
		})
	}
	switch {
	case err != nil && err == fromEach:
		return nil, err
	case isNotFound(err): // what is to be forgotten is not written down again
		return nil, notFoundf("conversation %q was forgotten: its tokens can still be looked at here, but not gone on with; begin another", c.ID())
	case err != nil:
		return nil, wrap(Unavailable, err, "the answer")
	}
	return &Reply{Text: done.text(c.m.Decode(c.ids[done.Start:done.End])), Start: done.Start, End: done.End, Stop: done.Stop, Replayed: src != nil}, nil
}

// writing runs write with a kept conversation that holds what this one holds, and that nobody else in this process writes to.
// When somebody else turns out to, write runs once more on a copy under another name.
func (c *Conversation) writing(ctx context.Context, write func() error) error {
	for mine := true; ; mine = false {
		release, err := c.own(ctx, mine)
		if err != nil {
			return err
		}
		n := len(c.ids)
		err = write()
		release()
		if err != nil {
			c.feed = nil // it may have read further than the conversation has kept
		}
		if !mine || !conflict(err) || len(c.ids) != n {
			return err
		}
	}
}

// own claims the kept conversation, and makes sure first that it holds ids and events and no more.
func (c *Conversation) own(ctx context.Context, mine bool) (release func(), err error) {
	if c.kept == nil {
		kept, err := c.m.store.Create(c.opt.ID, c.m.space)
		if isExists(err) { // made since this chat began
			kept, err = c.m.store.Conversation(c.opt.ID)
		}
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		c.kept = kept
		c.mu.Unlock()
	}
	if mine {
		release, err = c.m.store.claim(c.kept)
		if err == nil && c.kept.Len() == len(c.ids) && len(c.kept.Events()) == len(c.events) {
			return release, nil
		}
		if err == nil {
			defer release() // of the one that is left
		}
		mine = err == nil
	}
	if err := c.branch(ctx, mine); err != nil {
		return nil, err
	}
	return c.m.store.claim(c.kept)
}

// generate reads the rest of given and writes the answer, token by token.
func (c *Conversation) generate(ctx context.Context, given message, each func(id int) error) (done event, err error) {
	_, ids, events := c.snapshot()
	defer func() {
		if err != nil && len(c.ids) <= len(given.ids) { // no answer yet: nothing was said
			c.mu.Lock()
			c.ids, c.events = ids, events
			c.mu.Unlock()
		}
	}()
	start := given.events[len(given.events)-1]
	sampler, err := forward.NewSampler(*start.Sampling)
	if err != nil {
		return done, err
	}
	if c.feed == nil {
		f := c.m.newFeeder(max(c.opt.Top, defaultTop))
		if err := f.reread(ctx, c.ids); err != nil {
			return done, err
		}
		c.feed = f
	}
	if err := c.feed.feed(ctx, given.ids[len(c.ids):], c.append); err != nil {
		return done, err
	}
	done = event{Kind: eventGenerated, Turn: start.Turn, Start: start.Start, Sampling: start.Sampling, Max: start.Max, Stop: StopLength, StopTexts: start.StopTexts}
	ends, watch := c.m.ends(), newWatch(start.StopTexts)
	for n := 0; n < start.Max && done.Stop == StopLength; n++ {
		if len(c.ids) == c.m.cfg.NCtx {
			done.Stop = StopContext
			break
		}
		id, err := sampler.Next(c.feed.logits())
		if err != nil {
			return done, err
		}
		err = c.feed.feed(ctx, []int{id}, func(toks []cache.Token, resid []float32) error {
			if n == 0 { // not before there is an answer: a message that nobody answers was not said
				if err := c.note(given.events...); err != nil {
					return err
				}
			}
			return c.append(toks, resid)
		})
		if err != nil {
			return done, err
		}
		if slices.Contains(ends, id) {
			done.Stop = StopEnd
		} else if watch.sees(c.m.tok.Bytes(id)) {
			done.Stop = StopText
		}
		if err := each(id); err != nil {
			return done, err
		}
	}
	done.End = len(c.ids)
	return done, c.note(done)
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

// find looks for an answer that the cache has: in this conversation's own earlier run, else in any other. With it come the events up to it.
func (c *Conversation) find(given []int, want event) (src *cache.Conversation, done event, events []event) {
	candidates := c.m.store.Beginning(c.m.space, given)
	if c.kept != nil {
		candidates = append([]*cache.Conversation{c.kept}, candidates...)
	}
	for _, src := range candidates {
		ids := src.Tokens()
		if commonPrefix(ids, given) < len(given) {
			continue
		}
		events, err := decodeEvents(src.Events())
		if err != nil {
			continue // not readable: as good as not there
		}
		for i, e := range events {
			if e.Kind == eventGenerated && e.Start == want.Start && e.Max == want.Max && e.Sampling != nil && *e.Sampling == *want.Sampling &&
				slices.Equal(e.StopTexts, want.StopTexts) && e.End <= len(ids) && c.m.holds(src, e.End, c.opt.Top) {
				return src, e, events[:i+1]
			}
		}
	}
	return nil, event{}, nil
}

// repeat makes the first tokens of src, up to the end of an answer, the continuation of this conversation. events are those of src up to there.
func (c *Conversation) repeat(ctx context.Context, src *cache.Conversation, given message, done event, events []event) error {
	ids := src.Tokens()[:done.End]
	if src == c.kept {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.feed, c.ids, c.events = nil, slices.Clip(ids), events
		return nil
	}
	return c.writing(ctx, func() error {
		if err := c.kept.AppendFrom(src, len(c.ids), done.End); err != nil {
			return err
		}
		before := c.events
		if err := c.note(append(given.events, done)...); err != nil {
			c.mu.Lock()
			c.events = before
			c.mu.Unlock()
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.feed, c.ids = nil, slices.Clip(ids)
		return nil
	})
}

func commonPrefix(a, b []int) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
