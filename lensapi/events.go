package lens

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gopherlens/gopherlens/cache"
	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/tokenizer"
)

// An event is what a conversation keeps besides its tokens, in order: which message a span of tokens belongs to, and how an answer was made.
// The text of an answer is not kept: its tokens say it.
type event struct {
	Kind string `json:"kind"`
	Turn int    `json:"turn,omitempty"`

	Role     string    `json:"role,omitempty"` // of an eventMessage
	Text     string    `json:"text,omitempty"`
	Segments []segment `json:"segments,omitempty"` // the tokens it adds

	Start    int               `json:"start,omitempty"` // of an eventGenerate and eventGenerated: first position of the answer
	End      int               `json:"end,omitempty"`   // of an eventGenerated: the position after its last
	Sampling *forward.Sampling `json:"sampling,omitempty"`
	Max      int               `json:"max_tokens,omitempty"`
	Top      int               `json:"top,omitempty"` // candidates kept per cell
	Stop     Stop              `json:"stop,omitempty"`

	StopTexts []string `json:"stop_texts,omitempty"` // of Answering.Stop
}

const (
	eventPrompt    = "prompt"    // the conversation is one prompt, captured by LogitLens
	eventMessage   = "message"   // tokens that were given: a message with the markup of the chat template
	eventGenerate  = "generate"  // an answer begins; without an eventGenerated after it, it was cut off
	eventGenerated = "generated" // an answer is complete
)

// A segment is a span of positions [Start, End). Template tokens are the markup that the model's chat template puts around messages.
type segment struct {
	Start    int  `json:"start"`
	End      int  `json:"end"`
	Template bool `json:"template,omitempty"`
}

func (e event) encode() json.RawMessage {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // an event holds nothing that JSON cannot say
	}
	return b
}

func decodeEvents(raw []cache.Event) ([]event, error) {
	out := make([]event, len(raw))
	for i, r := range raw {
		if err := json.Unmarshal(r.Data, &out[i]); err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
	}
	return out, nil
}

// span is a stretch of a conversation's tokens as a reader sees it.
type span struct {
	segment
	turn      int
	role      string
	generated bool
}

// history is what events say of a conversation's tokens: its messages, and the spans its tokens belong to.
type history struct {
	messages []tokenizer.Message
	spans    []span
	chat     bool // messages came through a chat template
}

// readHistory goes through the events of a conversation that holds ids. An answer that was cut off ends where the next message begins, or with the tokens.
// Without decode answers have no text.
func readHistory(events []event, ids []int, decode func([]int) string) history {
	var h history
	answer := func(start, end, turn int, done event) {
		end = min(end, len(ids))
		if start < end {
			m := tokenizer.Message{Role: roleAssistant}
			if decode != nil {
				m.Content = done.text(decode(ids[start:end]))
			}
			h.messages = append(h.messages, m)
			h.spans = append(h.spans, span{segment{start, end, false}, turn, roleAssistant, true})
		}
	}
	var open *event
	closeAt := func(end int, done event) {
		if open != nil {
			answer(open.Start, end, open.Turn, done)
			open = nil
		}
	}
	for i, e := range events {
		switch e.Kind {
		case eventMessage:
			if len(e.Segments) > 0 {
				closeAt(e.Segments[0].Start, event{})
			}
			h.chat = h.chat || e.Role != rolePrompt
			h.messages = append(h.messages, tokenizer.Message{Role: e.Role, Content: e.Text})
			for _, s := range e.Segments {
				h.spans = append(h.spans, span{s, e.Turn, e.Role, false})
			}
		case eventGenerate:
			open = &events[i]
		case eventGenerated:
			closeAt(e.End, e)
		}
	}
	closeAt(len(ids), event{})
	return h
}

// text is what an answer said, of which written is all that its tokens say: it ends before the text that stopped it.
func (e event) text(written string) string {
	if e.Stop != StopText {
		return written
	}
	for _, stop := range e.StopTexts {
		written, _, _ = strings.Cut(written, stop)
	}
	return written
}

// boundary is the place after message n-1, the end of an answer: the position and the number of events before it.
func boundary(events []event, n int) (end, k int, ok bool) {
	seen, open := 0, false
	for i, e := range events {
		switch e.Kind {
		case eventMessage:
			if open { // an answer that was cut off
				seen, open = seen+1, false
				if seen == n && len(e.Segments) > 0 {
					return e.Segments[0].Start, i, true
				}
			}
			seen++
		case eventGenerate:
			open = true
		case eventGenerated:
			seen, open = seen+1, false
			if seen == n {
				return e.End, i + 1, true
			}
		}
	}
	return 0, 0, false
}

// dropUnread leaves out what follows the last answer without an answer of its own: a message that the model was reading, or had just read, when the
// process was killed. Nobody was told that it was said. Events come after the tokens they describe, and the first token of an answer after them.
func dropUnread(ids []int, events []event) ([]int, []event) {
	n, end := 0, 0 // events and tokens that stay
	for i, e := range events {
		switch e.Kind {
		case eventPrompt:
			n, end = i+1, len(ids)
		case eventGenerate:
			if e.Start < len(ids) {
				n, end = i+1, len(ids)
			}
		case eventGenerated:
			if e.End <= len(ids) {
				n, end = i+1, e.End
			}
		}
	}
	return ids[:end:end], events[:n:n]
}

// answers says whether tokens of an answer stand at position n or after, among events[from:].
func answers(events []event, from, n, tokens int) bool {
	for _, e := range events[min(from, len(events)):] {
		if e.Kind == eventGenerate && e.Start >= n && e.Start < tokens {
			return true
		}
	}
	return false
}
