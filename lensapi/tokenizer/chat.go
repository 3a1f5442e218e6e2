package tokenizer

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	gonjaconfig "github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/loaders"
	"github.com/nikolalohinski/gonja/v2/parser"
	"github.com/nikolalohinski/gonja/v2/tokens"
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
		"add_generation_prompt": addGenerationPrompt,
		"bos_token":             t.bosText,
		"eos_token":             t.eosText,
		"unk_token":             t.unkText,
		"pad_token":             t.padText,
	})
}

// rendering is the state of one rendering: what it may still spend, and the expressions that are evaluated lazily.
type rendering struct {
	until      time.Time
	iterations int
	spent      int
	depth      int // nesting of tags while parsing
	lazy       []expression
}

// fail ends the rendering from inside gonja; renderTemplate recovers it.
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

// bounded is the output.
type bounded struct {
	g *rendering
	b strings.Builder
}

func (w *bounded) Write(p []byte) (int, error) {
	w.g.tick()
	if w.b.Len()+len(p) > maxRendered {
		fail("it writes more than %d bytes", maxRendered)
	}
	return w.b.Write(p)
}

// noLoader is all of the file system that a template sees: the empty template that gonja needs to make a renderer.
type noLoader struct{}

func (noLoader) Read(path string) (io.Reader, error) {
	if path != "" {
		return nil, errors.New("chat templates cannot read files")
	}
	return strings.NewReader(""), nil
}
func (noLoader) Resolve(path string) (string, error)      { return path, nil }
func (n noLoader) Inherit(string) (loaders.Loader, error) { return n, nil }

// renderTemplate runs one template. Of gonja it uses the parser, the scopes and the walk over the tree: the lexer is ours
// because gonja's keeps newlines and escapes wrongly and panics on its own goroutine, and every operation on values is
// ours because gonja's differ from Python's and are not bounded.
func renderTemplate(source string, data map[string]any) (out string, err error) {
	g := &rendering{until: time.Now().Add(renderDeadline)}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *TemplateError:
			out, err = "", r
		default:
			out, err = "", &TemplateError{Message: "it cannot be rendered: " + oneLine(fmt.Errorf("%v", r)).Error()}
		}
	}()
	toks, err := lexTemplate(source)
	if err != nil {
		return "", &TemplateError{Message: oneLine(err).Error()}
	}
	cfg := gonjaconfig.New()
	tags := g.tags()
	root, err := parser.NewParser("", tokens.NewStream(toks), cfg, noLoader{}, tags).Parse()
	if err != nil {
		return "", &TemplateError{Message: "it is not supported: " + oneLine(err).Error()}
	}
	g.rewriteNodes(root.Nodes)

	ctx := exec.EmptyContext()
	for name, fn := range g.functions() {
		ctx.Set(name, fn)
	}
	for name, v := range data {
		ctx.Set(name, v)
	}
	env := &exec.Environment{
		Filters:           exec.NewFilterSet(map[string]exec.FilterFunction{}),
		Tests:             exec.NewTestSet(map[string]exec.TestFunction{}),
		ControlStructures: tags,
		Context:           ctx,
	}
	empty, err := exec.NewTemplate("", cfg, noLoader{}, env)
	if err != nil {
		return "", &TemplateError{Message: oneLine(err).Error()}
	}
	w := &bounded{g: g}
	r := exec.NewRenderer(env, w, cfg, noLoader{}, empty)
	r.RootNode = root
	if err := r.Execute(); err != nil {
		return "", &TemplateError{Message: oneLine(err).Error()}
	}
	return w.b.String(), nil
}
