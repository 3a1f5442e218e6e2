package tokenizer

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrNoChatTemplate is what RenderChat returns for a checkpoint without a chat template: a base model.
var ErrNoChatTemplate = errors.New("the checkpoint has no chat template (chat_template in tokenizer_config.json, or chat_template.jinja)")

// Message is one turn of a chat. Role is what the template knows, usually "system", "user" or "assistant".
type Message struct {
	Role    string
	Content string
}

// TemplateError is a chat template that could not be rendered: it is not supported, it refused the messages, or it broke
// a limit. It is one line.
type TemplateError struct {
	Raised  bool   // the template itself called raise_exception: the messages are not to its liking
	Message string // what went wrong
}

func (e *TemplateError) Error() string {
	if e.Raised {
		return "chat template refused the messages: " + e.Message
	}
	return "chat template: " + e.Message
}

// Limits of one rendering.
const (
	maxTemplate    = 64 << 10  // bytes of source; the longest published ones are about 20 KiB
	maxNesting     = 40        // brackets in a tag, and blocks in blocks
	maxTagTokens   = 1000      // tokens in one tag
	maxIterations  = 20_000    // of all loops together
	maxRendered    = 16 << 20  // bytes of output, and of any one value
	maxSpent       = 256 << 20 // bytes of all values made while rendering
	renderDeadline = 5 * time.Second
)

// HasChatTemplate says whether the checkpoint has a chat template. Whether it can be rendered is known only when it is.
func (t *Tokenizer) HasChatTemplate() bool { return t.template != "" }

// RenderChat returns the text of a chat as the checkpoint's template writes it; with addGenerationPrompt it ends where the
// assistant's next turn begins. The text may hold special tokens, BOS among them: a caller that encodes it must not add
// BOS again when it begins with it.
//
// The error is ErrNoChatTemplate or a *TemplateError.
func (t *Tokenizer) RenderChat(msgs []Message, addGenerationPrompt bool) (string, error) {
	if t.template == "" {
		return "", ErrNoChatTemplate
	}
	list := make([]any, len(msgs))
	for i, m := range msgs {
		list[i] = newDict("role", m.Role, "content", m.Content)
	}
	return renderTemplate(t.template, map[string]any{
		"messages":              list,
		"tools":                 nil, // as transformers gives them: there, but None
		"documents":             nil,
		"add_generation_prompt": addGenerationPrompt,
		"bos_token":             t.bosText,
		"eos_token":             t.eosText,
		"unk_token":             t.unkText,
		"pad_token":             t.padText,
	})
}

// rendering is the state of one rendering: what it may still spend, and where it writes.
type rendering struct {
	until      time.Time
	iterations int
	spent      int
	calls      int // of macros that have not ended
	line       int // of the tag that runs
	out        *strings.Builder
}

// fail ends the rendering; renderTemplate recovers it.
func fail(format string, args ...any) {
	panic(&TemplateError{Message: fmt.Sprintf(format, args...)})
}

// tick is called by everything a template can repeat.
func (g *rendering) tick() {
	if time.Now().After(g.until) {
		fail("it did not end within %v", renderDeadline)
	}
}

// spend accounts for a value of n bytes that is about to be made.
func (g *rendering) spend(n int) {
	g.tick()
	if n < 0 || n > maxRendered {
		fail("it makes a value of more than %d bytes", maxRendered)
	}
	if g.spent += n; g.spent > maxSpent {
		fail("it makes more than %d bytes of values", maxSpent)
	}
}

// spendProduct accounts for n copies of a value of size bytes.
func (g *rendering) spendProduct(size, n int) {
	if n > 0 && size > maxRendered/n {
		fail("it makes a value of more than %d bytes", maxRendered)
	}
	g.spend(size * max(n, 0))
}

func (g *rendering) write(s string) {
	g.tick()
	if g.out.Len()+len(s) > maxRendered {
		fail("it writes more than %d bytes", maxRendered)
	}
	g.out.WriteString(s)
}

// capture is what f writes.
func (g *rendering) capture(f func()) string {
	before := g.out
	g.out = new(strings.Builder)
	f()
	s := g.out.String()
	g.out = before
	g.spend(len(s))
	return s
}

// renderTemplate runs one template. There are libraries for Jinja in Go, but a template comes with a model from anywhere,
// and none of them bounds time, memory and recursion; nor has the widest (gonja) the grammar of published chat templates:
// slices with a step, conditions in parentheses, selectattr.
func renderTemplate(source string, data map[string]any) (out string, err error) {
	g := &rendering{until: time.Now().Add(renderDeadline), out: new(strings.Builder)}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *TemplateError:
			if g.line > 0 && !r.Raised {
				r.Message = fmt.Sprintf("line %d: %s", g.line, r.Message)
			}
			out, err = "", r
		default:
			out, err = "", &TemplateError{Message: "it cannot be rendered: " + oneLine(fmt.Errorf("%v", r)).Error()}
		}
	}()
	toks, err := lexTemplate(source)
	if err != nil {
		return "", &TemplateError{Message: oneLine(err).Error()}
	}
	p := &templateParser{g: g, toks: toks}
	run, _ := p.body()
	run(&scope{vars: data})
	return g.out.String(), nil
}
