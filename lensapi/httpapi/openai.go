package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// CompletionRequest is what OpenAI's clients send to /v1/chat/completions. Fields that are not listed are ignored, as other servers do.
type CompletionRequest struct {
	_                   struct{}            `additionalProperties:"true"`
	Model               string              `json:"model,omitempty" maxLength:"64"`
	Messages            []CompletionMessage `json:"messages" minItems:"1" maxItems:"1000"`
	MaxTokens           *int                `json:"max_tokens,omitempty" nullable:"true" minimum:"1" maximum:"65536"`
	MaxCompletionTokens *int                `json:"max_completion_tokens,omitempty" nullable:"true" minimum:"1" maximum:"65536" doc:"default: 1024"`
	Temperature         *float64            `json:"temperature,omitempty" nullable:"true" minimum:"0" maximum:"2" doc:"default: 1"`
	TopP                *float64            `json:"top_p,omitempty" nullable:"true" minimum:"0" maximum:"1"`
	Seed                *int64              `json:"seed,omitempty" nullable:"true" minimum:"0" maximum:"9007199254740991"`
	Stop                *StopTexts          `json:"stop,omitempty"`
	Stream              *bool               `json:"stream,omitempty" nullable:"true"`
	StreamOptions       *StreamOptions      `json:"stream_options,omitempty"`
	Logprobs            *bool               `json:"logprobs,omitempty" nullable:"true"`
	TopLogprobs         *int                `json:"top_logprobs,omitempty" nullable:"true" minimum:"0" maximum:"20"`
	N                   *int                `json:"n,omitempty" nullable:"true" minimum:"1" maximum:"1"`
}

// StreamOptions asks for a last chunk with the usage.
type StreamOptions struct {
	_            struct{} `additionalProperties:"true"`
	IncludeUsage bool     `json:"include_usage,omitempty"`
}

// CompletionMessage is a message; developer is another word for system.
type CompletionMessage struct {
	_       struct{}    `additionalProperties:"true"`
	Role    string      `json:"role" enum:"system,developer,user,assistant"`
	Content TextContent `json:"content"`
}

// TextContent is a text, or a list of parts of type text.
type TextContent string

// UnmarshalJSON joins the parts.
func (c *TextContent) UnmarshalJSON(b []byte) error {
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(b, (*string)(c)); err == nil {
		return nil
	}
	if err := json.Unmarshal(b, &parts); err != nil {
		return fmt.Errorf("content is a text or a list of parts")
	}
	for _, p := range parts {
		if p.Type != "text" {
			return fmt.Errorf("a part of type %q: only text is read", clip(p.Type))
		}
		*c += TextContent(p.Text)
	}
	return nil
}

// Schema says so to OpenAPI.
func (TextContent) Schema(huma.Registry) *huma.Schema {
	text := &huma.Schema{Type: huma.TypeString}
	part := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Required: []string{"type", "text"},
		Properties: map[string]*huma.Schema{"type": {Type: huma.TypeString, Enum: []any{"text"}}, "text": text}}
	return &huma.Schema{OneOf: []*huma.Schema{text, {Type: huma.TypeArray, Items: part}}}
}

// StopTexts is a text or a list of up to four.
type StopTexts []string

// UnmarshalJSON reads both.
func (s *StopTexts) UnmarshalJSON(b []byte) error {
	var one *string
	if err := json.Unmarshal(b, &one); err == nil {
		if one != nil {
			*s = StopTexts{*one}
		}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(s))
}

// Schema says so to OpenAPI.
func (StopTexts) Schema(huma.Registry) *huma.Schema {
	most := 4
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString, Nullable: true}, {Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}, MaxItems: &most}}}
}

// Completion is the answer in one piece, in OpenAI's form. Ours are ConversationID, whose tokens can be clicked, and ModelName.
type Completion struct {
	ID                string   `json:"id"`
	Object            string   `json:"object"`
	Created           int64    `json:"created"`
	Model             string   `json:"model"`
	SystemFingerprint string   `json:"system_fingerprint"`
	Choices           []Choice `json:"choices"`
	Usage             Usage    `json:"usage"`
	ConversationID    string   `json:"conversation_id"`
	ModelName         string   `json:"model_name" doc:"as numbers name it: with what is approximate about it"`
}

// Choice is the answer.
type Choice struct {
	Index        int              `json:"index"`
	Message      CompletionAnswer `json:"message"`
	Logprobs     *ChoiceLogprobs  `json:"logprobs,omitempty"`
	FinishReason string           `json:"finish_reason" enum:"stop,length"`
}

// CompletionAnswer is the message of an answer.
type CompletionAnswer struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Usage counts tokens.
type Usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

// ChoiceLogprobs are those of the answer's tokens, of the model's own distribution, whatever the sampling.
type ChoiceLogprobs struct {
	Content []TokenLogprob `json:"content"`
}

// TokenLogprob is a token of the answer.
type TokenLogprob struct {
	TopLogprob
	TopLogprobs []TopLogprob `json:"top_logprobs"`
}

// TopLogprob is a candidate.
type TopLogprob struct {
	Token   string  `json:"token"`
	Logprob float64 `json:"logprob"`
	Bytes   []int   `json:"bytes"`
}

// chunk is a part of a streamed answer.
type chunk struct {
	ID                string        `json:"id"`
	Object            string        `json:"object"`
	Created           int64         `json:"created"`
	Model             string        `json:"model"`
	SystemFingerprint string        `json:"system_fingerprint"`
	Choices           []chunkChoice `json:"choices"`
	Usage             *Usage        `json:"usage,omitempty"`
	ConversationID    string        `json:"conversation_id"`
	ModelName         string        `json:"model_name"`
}

type chunkChoice struct {
	Index        int             `json:"index"`
	Delta        map[string]any  `json:"delta"`
	Logprobs     *ChoiceLogprobs `json:"logprobs"`
	FinishReason *string         `json:"finish_reason"`
}

type completionInput struct{ Body CompletionRequest }

func (s *Server) completions(ctx context.Context, in *completionInput) (*huma.StreamResponse, error) {
	req := &in.Body
	t, err := s.newTurn(ctx, req.chat())
	if err != nil {
		return nil, fail(err)
	}
	c := &completer{turn: t, req: req, made: time.Now().Unix()}
	if req.Stream == nil || !*req.Stream {
		defer t.close()
		if err := t.run.wait(ctx, nil); err != nil {
			return nil, fail(err)
		}
		out, err := c.whole(ctx)
		if err != nil {
			return nil, fail(err)
		}
		return value(out), nil
	}
	return s.stream(bare, func(r *http.Request, x *wire) error {
		defer t.close()
		if err := t.run.wait(r.Context(), func(int) error { return x.alive() }); err != nil {
			return err
		}
		return c.stream(r.Context(), x)
	}), nil
}

// chat is the same request in our own words.
func (req *CompletionRequest) chat() *ChatRequest {
	out := &ChatRequest{Model: req.Model, MaxTokens: 1024, Temperature: 1, Top: 10}
	for _, m := range req.Messages {
		role := m.Role
		if role == "developer" {
			role = "system"
		}
		out.Messages = append(out.Messages, ChatMessage{role, string(m.Content)})
	}
	for _, n := range []*int{req.MaxTokens, req.MaxCompletionTokens} {
		if n != nil {
			out.MaxTokens = *n
		}
	}
	if req.Temperature != nil {
		out.Temperature = *req.Temperature
	}
	if req.TopP != nil {
		out.TopP = *req.TopP
	}
	if req.Seed != nil {
		out.Seed = uint64(*req.Seed)
	} else if out.Temperature > 0 {
		out.Seed = uint64(time.Now().UnixNano()) // as others do: without a seed no two answers are alike
	}
	if req.Stop != nil {
		out.Stop = *req.Stop
	}
	if req.TopLogprobs != nil {
		out.Top = max(out.Top, *req.TopLogprobs)
	}
	return out
}

// completer answers in OpenAI's form.
type completer struct {
	*turn
	req  *CompletionRequest
	made int64
}

func (c *completer) usage(r *lens.Reply) Usage { return Usage{r.Start, r.End - r.Start, r.End} }

func finish(s lens.Stop) string {
	if s == lens.StopEnd || s == lens.StopText {
		return "stop"
	}
	return "length"
}

func (c *completer) whole(ctx context.Context) (*Completion, error) {
	r, err := c.respond(ctx)
	if err != nil {
		return nil, err
	}
	lp, err := c.logprobs(ctx, r.Start, r.End)
	if err != nil {
		return nil, err
	}
	return &Completion{"chatcmpl-" + c.ID(), "chat.completion", c.made, c.model.Name, c.m.Digest()[:12],
		[]Choice{{0, CompletionAnswer{"assistant", r.Text}, lp, finish(r.Stop)}}, c.usage(r), c.ID(), c.m.Name()}, nil
}

// logprobs are those of positions from to to-1; nil when they were not asked for.
func (c *completer) logprobs(ctx context.Context, from, to int) (*ChoiceLogprobs, error) {
	if c.req.Logprobs == nil || !*c.req.Logprobs {
		return nil, nil
	}
	top := 0
	if c.req.TopLogprobs != nil {
		top = *c.req.TopLogprobs
	}
	g, err := c.Lens(ctx, from-1, to, lens.LensOptions{Top: max(top, 1)}) // what was about to be said before each
	if err != nil {
		return nil, err
	}
	out := &ChoiceLogprobs{[]TokenLogprob{}}
	for i := range to - from {
		cell := g.Cells[len(g.Rows)-1][i]
		tok := TokenLogprob{TopLogprob{c.m.TokenText(cell.Next.ID), cell.Next.Logprob, bytesOf(c.m.TokenText(cell.Next.ID))}, []TopLogprob{}}
		for _, cand := range cell.Top[:min(top, len(cell.Top))] {
			tok.TopLogprobs = append(tok.TopLogprobs, TopLogprob{cand.Token, cand.Logprob, bytesOf(cand.Token)})
		}
		out.Content = append(out.Content, tok)
	}
	return out, nil
}

func bytesOf(s string) []int {
	out := make([]int, len(s))
	for i := range out {
		out[i] = int(s[i])
	}
	return out
}

func (c *completer) stream(ctx context.Context, x *wire) error {
	send := func(delta map[string]any, lp *ChoiceLogprobs, why *string) error {
		return x.send("", chunk{"chatcmpl-" + c.ID(), "chat.completion.chunk", c.made, c.model.Name, c.m.Digest()[:12], []chunkChoice{{0, delta, lp, why}}, nil, c.ID(), c.m.Name()})
	}
	if err := send(map[string]any{"role": "assistant", "content": ""}, nil, nil); err != nil {
		return err
	}
	sent, start := "", -1
	r, err := c.follow(ctx, x.alive, func(from, to int) error {
		if start < 0 {
			infos, err := c.Infos(from, to)
			if err != nil {
				return err
			}
			for start = from; start < to && !infos[start-from].Generated; start++ {
			}
			from = start
		}
		lp, err := c.logprobs(ctx, from, to)
		if err != nil {
			return err
		}
		text := c.certain(c.m.Decode(c.IDs()[start:to]))
		if len(text) <= len(sent) && lp == nil || !strings.HasPrefix(text, sent) {
			return nil
		}
		delta := text[len(sent):]
		sent = text
		return send(map[string]any{"content": delta}, lp, nil)
	})
	if err != nil {
		return err
	}
	delta := map[string]any{}
	if rest, ok := strings.CutPrefix(r.Text, sent); ok && rest != "" {
		delta["content"] = rest
	}
	why := finish(r.Stop)
	if err := send(delta, nil, &why); err != nil {
		return err
	}
	if o := c.req.StreamOptions; o != nil && o.IncludeUsage {
		u := c.usage(r)
		if err := x.send("", chunk{"chatcmpl-" + c.ID(), "chat.completion.chunk", c.made, c.model.Name, c.m.Digest()[:12], []chunkChoice{}, &u, c.ID(), c.m.Name()}); err != nil {
			return err
		}
	}
	return x.text("data: [DONE]\n\n")
}

// certain is as much of a text as no further token can change: whole characters, and nothing that may become a text of stop.
func (c *completer) certain(text string) string {
	text = strings.TrimRight(text, string(utf8.RuneError))
	for i := 0; i < utf8.UTFMax-1 && len(text) > 0; i++ {
		if r, n := utf8.DecodeLastRuneInString(text); r != utf8.RuneError || n != 1 {
			break
		}
		text = text[:len(text)-1]
	}
	for _, stop := range c.ans.Stop {
		text, _, _ = strings.Cut(text, stop)
		for n := min(len(stop)-1, len(text)); n > 0; n-- {
			if strings.HasSuffix(text, stop[:n]) {
				text = text[:len(text)-n]
				break
			}
		}
	}
	return text
}

// ServedModels lists the models in OpenAI's form.
type ServedModels struct {
	Object string        `json:"object"`
	Data   []ServedModel `json:"data"`
}

// ServedModel is one of them.
type ServedModel struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

type servedOutput struct{ Body ServedModels }

func (s *Server) servedModels(context.Context, *struct{}) (*servedOutput, error) {
	out := ServedModels{Object: "list"}
	for _, e := range s.models {
		out.Data = append(out.Data, ServedModel{e.Name, "model", s.begun.Unix(), "gopherlens"})
	}
	return &servedOutput{out}, nil
}
