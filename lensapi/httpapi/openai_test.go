package httpapi_test

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/httpapi"
)

// The same answer in OpenAI's form: whole and in chunks, with the log-probabilities that a click shows.
func TestCompletions(t *testing.T) {
	r := serve(t, httpapi.Options{})
	req := obj{"model": "teach", "temperature": 0, "logprobs": true, "top_logprobs": 2, "messages": []obj{{"role": "user", "content": question}}, "user": "somebody", "presence_penalty": nil}
	c := into[httpapi.Completion](t, r.ask(t, "POST", "/v1/chat/completions", req))
	if c.Object != "chat.completion" || len(c.Choices) != 1 || c.ModelName != "teach" || !strings.Contains(c.Choices[0].Message.Content, "Paris") || c.Choices[0].FinishReason != "stop" {
		t.Fatalf("%+v", c)
	}
	conv := into[httpapi.Conversation](t, r.ask(t, "GET", "/api/conversations/"+c.ConversationID, nil))
	lp := c.Choices[0].Logprobs.Content
	if c.Usage.TotalTokens != conv.TotalTokens || c.Usage.CompletionTokens != len(lp) {
		t.Errorf("usage %+v, %d tokens, %d log-probabilities", c.Usage, conv.TotalTokens, len(lp))
	}
	for i, l := range lp {
		tok := conv.Tokens[c.Usage.PromptTokens+i]
		if l.Token != tok.TokenText || l.Logprob != -*tok.Surprisal || len(l.TopLogprobs) != 2 || l.TopLogprobs[0].Logprob < l.Logprob || math.IsNaN(l.Logprob) {
			t.Errorf("token %d: %+v, shown as %+v", i, l, tok)
		}
	}
	req["stream"], req["stream_options"] = true, obj{"include_usage": true}
	req["messages"] = []obj{{"role": "user", "content": []obj{{"type": "text", "text": question}}}, {"role": "assistant", "content": c.Choices[0].Message.Content}, {"role": "user", "content": "And its currency?"}}
	g := r.ask(t, "POST", "/v1/chat/completions", req)
	text, last, logprobs := "", "", 0
	var usage *httpapi.Usage
	lines := bytes.Split(bytes.TrimSpace(g.body), []byte("\n\n"))
	for i, line := range lines {
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			t.Fatalf("%q", line)
		}
		if string(data) == "[DONE]" {
			if i != len(lines)-1 {
				t.Error("chunks after the end")
			}
			break
		}
		if !strings.Contains(string(data), `"model_name":"teach"`) {
			t.Errorf("a chunk does not name the model: %s", data)
		}
		var k struct {
			ConversationID string         `json:"conversation_id"`
			Usage          *httpapi.Usage `json:"usage"`
			Choices        []struct {
				Delta        struct{ Content string }
				Logprobs     *httpapi.ChoiceLogprobs
				FinishReason string `json:"finish_reason"`
			}
		}
		decode(t, data, &k)
		if k.ConversationID != c.ConversationID {
			t.Errorf("the second question goes on in %s, the first in %s", k.ConversationID, c.ConversationID)
		}
		for _, ch := range k.Choices {
			text += ch.Delta.Content
			if ch.Logprobs != nil {
				logprobs += len(ch.Logprobs.Content)
			}
			last = ch.FinishReason
		}
		usage = k.Usage
	}
	if !strings.Contains(text, "euro") || last != "stop" || usage == nil || logprobs != usage.CompletionTokens {
		t.Errorf("%q, finished by %s, usage %+v, %d log-probabilities", text, last, usage, logprobs)
	}
	cut := into[httpapi.Completion](t, r.ask(t, "POST", "/v1/chat/completions", obj{"messages": []obj{{"role": "user", "content": question}}, "temperature": 0, "max_completion_tokens": 2, "stop": nil}))
	if cut.Choices[0].FinishReason != "length" || cut.Usage.CompletionTokens != 2 || cut.Choices[0].Logprobs != nil {
		t.Errorf("%+v", cut)
	}
	for want, bad := range map[string]obj{
		"messages":      {},
		"role":          {"messages": []obj{{"role": "tool", "content": "x"}}},
		"n":             {"messages": []obj{{"role": "user", "content": "x"}}, "n": 2},
		"last message":  {"messages": []obj{{"role": "system", "content": "x"}}},
		"body.messages": {"messages": []obj{{"role": "user", "content": []obj{{"type": "image_url", "image_url": obj{"url": "data:"}}}}}},
		"number <= 2":   {"messages": []obj{{"role": "user", "content": "x"}}, "temperature": 3},
	} {
		refused(t, r.ask(t, "POST", "/v1/chat/completions", bad), httpapi.Invalid, want)
	}
	var served httpapi.ServedModels
	if err := json.Unmarshal(r.ask(t, "GET", "/v1/models", nil).body, &served); err != nil || served.Data[0].ID != "teach" {
		t.Errorf("%+v", served)
	}
}

// A text of stop never shows in a stream, not even its beginning.
func TestCompletionsStop(t *testing.T) {
	r := serve(t, httpapi.Options{})
	req := obj{"temperature": 0, "stop": []string{" is P", "xyz"}, "messages": []obj{{"role": "user", "content": question}}, "stream": true}
	body := string(r.ask(t, "POST", "/v1/chat/completions", req).body)
	text := ""
	for _, m := range regexp.MustCompile(`"content":"([^"]*)"`).FindAllStringSubmatch(body, -1) {
		text += m[1]
	}
	if text != "The capital of France" || !strings.Contains(body, `"finish_reason":"stop"`) {
		t.Errorf("%q in\n%s", text, body)
	}
}
