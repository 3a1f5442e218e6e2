package lens

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/gopherlens/gopherlens/cache"
	"github.com/gopherlens/gopherlens/lensapi/tokenizer"
)

// Message is one message of a conversation. Role is system, user or assistant; prompt for what is fed without a chat template.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Answering says how one answer is made. The zero value takes the likeliest tokens, as many as the conversation's MaxTokens.
type Answering struct {
	Sampling  Sampling
	MaxTokens int      // 0: those of the conversation
	Stop      []string // up to 16 texts of up to 256 bytes: the answer ends with the token that completes one. Reply.Text ends before it.
	// Each, if not nil, is called with every token of the answer as it comes: when it is called, the token and its lens are safe in the cache.
	// An error of Each ends the answer and is returned as it is.
	Each func(Token) error
}

const (
	maxStops    = 16
	maxStopText = 256 // bytes
)

func (a *Answering) check(opt ChatOptions) error {
	if a.MaxTokens == 0 {
		a.MaxTokens = opt.MaxTokens
	}
	if a.MaxTokens < 1 {
		return invalidf("max tokens %d: ask for at least 1", a.MaxTokens)
	}
	if len(a.Stop) > maxStops {
		return invalidf("%d stop texts: give at most %d", len(a.Stop), maxStops)
	}
	for _, s := range a.Stop {
		if s == "" || len(s) > maxStopText {
			return invalidf("a stop text of %d bytes: give 1 to %d", len(s), maxStopText)
		}
	}
	return wrap(Invalid, a.Sampling.Validate(), "answering")
}

// HasChatTemplate says whether the model can chat (NewChat); without a template it completes text (NewText, Complete).
func (m *Model) HasChatTemplate() bool { return m.tok.HasChatTemplate() }

// NewText begins a conversation without a chat template: what Respond is given is fed as it is. A BOS is put before the first where the checkpoint's own
// tokenizer does.
func (m *Model) NewText(opt ChatOptions) (*Conversation, error) {
	c, err := m.newConversation(opt)
	if err != nil {
		return nil, err
	}
	c.text = true
	return c, nil
}

// Respond adds messages, the last of them the user's, and lets the model answer; answers among them are taken as given. It is Say with every choice left to the
// caller, and keeps and gives back as much when it is interrupted. In a conversation without a chat template (NewText) it takes one message, which is fed as it is.
func (c *Conversation) Respond(ctx context.Context, msgs []Message, a Answering) (*Reply, error) {
	c.say.Lock()
	defer c.say.Unlock()
	if err := a.check(c.opt); err != nil {
		return nil, err
	}
	kept, ids, _ := c.snapshot()
	h := c.history()
	if len(ids) > 0 && !h.chat && !c.text {
		return nil, invalidf("conversation %q is a captured prompt, not a chat: begin one with NewChat", kept.ID())
	}
	if c.text {
		given, err := c.raw(h, ids, msgs)
		if err != nil {
			return nil, err
		}
		return c.answer(ctx, given, a)
	}
	fresh, err := c.added(len(h.messages), msgs)
	if err != nil {
		return nil, err
	}
	given, err := c.message(h, ids, fresh)
	if err != nil {
		return nil, err
	}
	return c.answer(ctx, given, a)
}

// added checks messages that follow turn others.
func (c *Conversation) added(turn int, msgs []Message) ([]tokenizer.Message, error) {
	if len(msgs) == 0 || msgs[len(msgs)-1].Role != roleUser {
		return nil, invalidf("the last message must be the user's: there is nothing to answer")
	}
	if strings.TrimSpace(msgs[len(msgs)-1].Content) == "" {
		return nil, invalidf("the message is empty: say something")
	}
	var fresh []tokenizer.Message
	if turn == 0 && c.opt.System != "" && msgs[0].Role != roleSystem {
		fresh = append(fresh, tokenizer.Message{Role: roleSystem, Content: c.opt.System})
	}
	for i, m := range msgs {
		switch {
		case m.Role != roleSystem && m.Role != roleUser && m.Role != roleAssistant:
			return nil, invalidf("message %d has the role %q: use %s, %s or %s", i, m.Role, roleSystem, roleUser, roleAssistant)
		case m.Role == roleSystem && turn+i > 0:
			return nil, invalidf("message %d is the system's: it can only be the first of the conversation", i)
		}
		fresh = append(fresh, tokenizer.Message(m))
	}
	return fresh, nil
}

// raw is what is given in a conversation without a chat template.
func (c *Conversation) raw(h history, ids []int, msgs []Message) (message, error) {
	if len(msgs) != 1 {
		return message{}, invalidf("%d messages for %s, which has no chat template: give one text", len(msgs), c.m.name)
	}
	add, err := c.m.Encode(msgs[0].Content)
	if err != nil {
		return message{}, err
	}
	if bos, ok := c.m.tok.BOS(); ok && c.m.tok.AddsBOS() && len(ids) == 0 {
		add = append([]int{bos}, add...)
	}
	if len(add) == 0 {
		return message{}, invalidf("the prompt is empty: give at least one token")
	}
	all := slices.Concat(ids, add)
	if err := c.m.check(all); err != nil {
		return message{}, err
	}
	return message{all, []event{{Kind: eventMessage, Turn: len(h.messages), Role: rolePrompt, Text: msgs[0].Content, Segments: []segment{{len(ids), len(all), false}}}}}, nil
}

// Messages are what was said so far, answers included, in order.
func (c *Conversation) Messages() []Message {
	h := c.history()
	out := make([]Message, len(h.messages))
	for i, m := range h.messages {
		out[i] = Message(m)
	}
	return out
}

// Known finds the kept conversation that shares the most messages with msgs, up to the end of an answer, and how many; 0 when none does. So a client that sends
// all messages every time can go on with that conversation, or with a Branch of it, and nothing is computed twice.
func (m *Model) Known(msgs []Message) (id string, n int, err error) {
	first := slices.IndexFunc(msgs, func(m Message) bool { return m.Role == roleUser })
	if first < 0 || !m.HasChatTemplate() {
		return "", 0, nil
	}
	c, err := m.NewChat(ChatOptions{})
	if err != nil {
		return "", 0, err
	}
	fresh, err := c.added(0, msgs[:first+1])
	if err != nil {
		return "", 0, err
	}
	given, err := c.message(history{}, nil, fresh)
	if err != nil {
		return "", 0, err
	}
	var updated int64
	for _, kept := range m.store.Beginning(m.space, given.ids) {
		common := m.common(kept, msgs[:len(msgs)-1])
		// Of equals the one that was written last: the order is that of no map.
		if at := kept.Info().Updated.UnixNano(); common > n || common == n && n > 0 && (at > updated || at == updated && kept.ID() < id) {
			id, n, updated = kept.ID(), common, at
		}
	}
	return id, n, nil
}

// common is how many messages a kept conversation shares with msgs, up to the end of an answer.
func (m *Model) common(kept *cache.Conversation, msgs []Message) int {
	events, err := decodeEvents(kept.Events())
	if err != nil {
		return 0 // not readable: as good as not there
	}
	ids, events := dropUnread(kept.Tokens(), events)
	h := readHistory(events, ids, m.tok.Decode)
	n := 0
	for n < len(msgs) && n < len(h.messages) && h.messages[n] == tokenizer.Message(msgs[n]) {
		n++
	}
	for ; n > 0; n-- {
		if _, _, ok := boundary(events, n); ok {
			return n
		}
	}
	return 0
}

// Branch makes a new conversation of the first n messages of this one, the last of which must be an answer. What they share is not computed again; both go
// their own ways from there.
func (c *Conversation) Branch(n int, opt ChatOptions) (*Conversation, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	kept, ids, events := c.snapshot()
	end, k, ok := boundary(events, n)
	if !ok || end > len(ids) {
		return nil, invalidf("there is no answer that ends message %d: branch after one", n-1)
	}
	out := &Conversation{m: c.m, opt: opt, text: c.text, kept: kept, ids: ids[:end:end], events: events[:k:k]}
	own, err := out.fork()
	if err == nil && opt.ID != "" {
		err = c.m.store.Rename(own.ID(), opt.ID)
	}
	if err != nil {
		return nil, wrap(Unavailable, err, "branching from %q", kept.ID())
	}
	out.kept = own
	return out, nil
}

// Surprisals are -ln p of the tokens at positions from to to-1 as the model saw them coming, in nats; NaN at position 0, before which there was nothing.
func (c *Conversation) Surprisals(from, to int) ([]float64, error) {
	kept, ids, _ := c.snapshot()
	if err := checkRange(from, to, len(ids)); err != nil {
		return nil, err
	}
	out := make([]float64, to-from)
	for p := from; p < to; p++ {
		rec, err := c.m.record(kept, p)
		if err != nil {
			return nil, err
		}
		out[p-from] = math.NaN()
		if rec.self != nil {
			out[p-from] = -rec.self[len(rec.self)-1].logprob
		}
	}
	return out, nil
}

// stopWatch looks for texts that end an answer in the bytes of its tokens.
type stopWatch struct {
	stops [][]byte
	most  int // bytes of the longest
	tail  []byte
}

func newWatch(stops []string) *stopWatch {
	w := &stopWatch{}
	for _, s := range stops {
		w.stops, w.most = append(w.stops, []byte(s)), max(w.most, len(s))
	}
	return w
}

// sees says whether a text is complete with the next token. A text that began in an earlier token counts.
func (w *stopWatch) sees(token []byte) bool {
	w.tail = append(w.tail, token...)
	found := slices.ContainsFunc(w.stops, func(s []byte) bool { return bytes.Contains(w.tail, s) })
	w.tail = w.tail[max(0, len(w.tail)-max(0, w.most-1)):]
	return found
}
