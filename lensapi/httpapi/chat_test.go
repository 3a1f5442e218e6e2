package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	lens "github.com/gopherlens/gopherlens/lensapi"
	"github.com/gopherlens/gopherlens/lensapi/httpapi"
)

const question = "What is the capital of France?"

type obj = map[string]any

func (r *rig) chat(t testing.TB, req obj) httpapi.ChatReply {
	t.Helper()
	return into[httpapi.ChatReply](t, r.ask(t, "POST", "/api/chat/with-activations", req))
}

// One answer, three forms: the same tokens, the same layers, the same text.
func TestChatInEveryForm(t *testing.T) {
	r := serve(t, httpapi.Options{})
	whole := r.chat(t, obj{"text": question, "top": 3})
	if whole.Text == "" || !strings.Contains(whole.Text, "Paris") || whole.Stop != "end" || whole.TotalTokens != len(whole.Tokens) || whole.Start == 0 {
		t.Fatalf("%+v", whole)
	}
	for i, tok := range whole.Tokens {
		if tok.Position != i || (tok.Surprisal == nil) != (i == 0) || tok.Generated != (i >= whole.Start) {
			t.Errorf("token %d: %+v", i, tok)
		}
		if tok.Generated != (len(tok.LayerPredictions) == 7) || tok.Generated && len(tok.ContextWindow) != min(i, 15) {
			t.Errorf("token %d has %d layers, %d positions before it", i, len(tok.LayerPredictions), len(tok.ContextWindow))
		}
	}
	for _, accept := range []string{"text/event-stream", "application/x-ndjson"} {
		evs := eventsOf(t, r.ask(t, "POST", "/api/chat/with-activations", obj{"text": question, "top": 3, "seed": 1}, "Accept", accept))
		if want := "start" + strings.Repeat(" token layer", whole.End-whole.Start) + " done"; names(evs) != want {
			t.Errorf("%s: events %s\nwant %s", accept, names(evs), want)
		}
		var tokens []httpapi.TokenInView
		var done httpapi.ChatDone
		for _, e := range evs {
			var tok httpapi.TokenInView
			var layer httpapi.LayerEvent
			switch e.name {
			case "token":
				decode(t, e.data, &tok)
				tokens = append(tokens, tok)
			case "layer":
				decode(t, e.data, &layer)
				last := &tokens[len(tokens)-1]
				if layer.Position != last.Position {
					t.Errorf("a layer of %d after token %d", layer.Position, last.Position)
				}
				last.LayerPredictions = append(last.LayerPredictions, layer.Layer)
			case "done":
				decode(t, e.data, &done)
			}
		}
		if done.Text != whole.Text || done.Start != whole.Start || done.End != whole.End || done.Stop != whole.Stop || done.ConversationID == whole.ConversationID {
			t.Errorf("%s: done %+v", accept, done)
		}
		for i := range tokens {
			want := whole.Tokens[i]
			want.ContextWindow = nil
			want.LayerPredictions = slices.Clone(want.LayerPredictions)
			for l := range want.LayerPredictions { // a token is sent before or after the next is there
				if tokens[i].LayerPredictions[l].Next == nil {
					want.LayerPredictions[l].Next = nil
				}
			}
			if !reflect.DeepEqual(tokens[i], want) {
				t.Fatalf("%s: token %d is\n%+v\nin one piece\n%+v", accept, i, tokens[i], want)
			}
		}
	}
}

func decode(t testing.TB, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%v: %.300s", err, b)
	}
}

func TestChatGoesOn(t *testing.T) {
	r := serve(t, httpapi.Options{})
	first := r.chat(t, obj{"text": question, "conversation_id": "capitals"})
	second := r.chat(t, obj{"text": "And its currency?", "conversation_id": "capitals"})
	if second.ConversationID != "capitals" || !strings.Contains(second.Text, "euro") || second.Start <= first.End {
		t.Fatalf("%+v", second)
	}
	said := second.Messages
	if len(said) != 4 || said[0].Content != question || said[1].Content != first.Text {
		t.Fatalf("messages %+v", said)
	}
	// All messages every time: the conversation that is known goes on.
	third := r.chat(t, obj{"messages": append(slices.Clone(said), user("And Peru?"))})
	if third.ConversationID != "capitals" || third.TotalTokens <= second.TotalTokens {
		t.Errorf("the known conversation goes on as %s", third.ConversationID)
	}
	// Other words from the second question on: a branch, and the old one stays as it was.
	branch := r.chat(t, obj{"messages": append(slices.Clone(said[:2]), user("And Spain?"))})
	if branch.ConversationID == "capitals" || !reflect.DeepEqual(branch.Messages[:2], said[:2]) || branch.Messages[2].Content != "And Spain?" {
		t.Errorf("the branch is %s with %+v", branch.ConversationID, branch.Messages)
	}
	same := into[httpapi.Conversation](t, r.ask(t, "GET", "/api/conversations/capitals", nil))
	if same.TotalTokens != third.TotalTokens {
		t.Errorf("capitals has %d tokens after the branch, %d before", same.TotalTokens, third.TotalTokens)
	}
	refused(t, r.ask(t, "POST", "/api/chat/with-activations", obj{"conversation_id": "capitals", "messages": []any{user("Something else"), user("?")}}), httpapi.Conflict, "message 0 is not what conversation")
	list := into[httpapi.ConversationList](t, r.ask(t, "GET", "/api/conversations?limit=1", nil))
	if list.Total != 2 || len(list.Conversations) != 1 || list.Conversations[0].ConversationID != branch.ConversationID || list.Conversations[0].Title != question {
		t.Errorf("list %+v", list)
	}
}

func user(text string) lens.Message { return lens.Message{Role: "user", Content: text} }

func TestChatOptions(t *testing.T) {
	r := serve(t, httpapi.Options{})
	short := r.chat(t, obj{"text": question, "max_tokens": 2, "layers": []any{"embed", -1}, "top": 2})
	if short.Stop != "length" || short.End-short.Start != 2 {
		t.Errorf("max_tokens 2: %s, %d tokens", short.Stop, short.End-short.Start)
	}
	layers := short.Tokens[short.Start].LayerPredictions
	if len(layers) != 2 || layers[0].Row != "embed" || layers[1].Row != "5_post" || len(layers[0].Top) != 2 {
		t.Errorf("layers %+v", layers)
	}
	stopped := r.chat(t, obj{"text": question, "stop": []string{" is"}})
	if stopped.Stop != "stop" || strings.Contains(stopped.Text, " is") || stopped.Text == "" {
		t.Errorf("stop: %q, %s", stopped.Text, stopped.Stop)
	}
	raw := r.chat(t, obj{"text": question, "variant": "raw", "max_tokens": 1})
	if raw.Variant != "raw" || raw.Codec != "float16" {
		t.Errorf("raw: variant %q, codec %q", raw.Variant, raw.Codec)
	}
	a, b := r.chat(t, obj{"text": "Hello", "temperature": 1.5, "seed": 7}), r.chat(t, obj{"text": "Hello", "temperature": 1.5, "seed": 8})
	again := r.chat(t, obj{"text": "Hello", "temperature": 1.5, "seed": 7})
	if a.Text != again.Text || !again.Replayed || a.Text == b.Text {
		t.Errorf("seed 7 %q and %q (replayed %v), seed 8 %q", a.Text, again.Text, again.Replayed, b.Text)
	}
	gone := r.chat(t, obj{"text": question, "cache_activations": false, "seed": 99})
	if gone.Text == "" {
		t.Error("no answer")
	}
	refused(t, r.ask(t, "GET", "/api/conversations/"+gone.ConversationID, nil), httpapi.NotFound, "no conversation")
	for want, req := range map[string]obj{
		"exactly one of text and messages": {},
		"expected number >= 1":             {"text": "a", "max_tokens": 0},
		"expected number <= 1":             {"text": "a", "top_p": 1.5},
		"unexpected property":              {"text": "a", "temprature": 1},
		"expected string":                  {"text": 5},
		"normed":                           {"text": "a", "variant": "cooked"},
		"no translators":                   {"text": "a", "variant": "tuned"},
		"there is no row":                  {"text": "a", "layers": []any{99}},
		"stop text":                        {"text": "a", "stop": []string{""}},
		"tokens":                           {"text": strings.Repeat("a b c ", 200)},
		"last message must be the user's":  {"messages": []any{user("a"), obj{"role": "assistant", "content": "b"}}},
		"conversation_id":                  {"text": "a", "conversation_id": "../x"},
	} {
		refused(t, r.ask(t, "POST", "/api/chat/with-activations", req), httpapi.Invalid, want)
	}
	refused(t, r.ask(t, "POST", "/api/chat/with-activations", obj{"text": "a", "model": "gpt5"}), httpapi.NotFound, "there is teach")
	refused(t, r.ask(t, "POST", "/api/chat/with-activations", `{"text":`), httpapi.BadRequest, "JSON")
	refused(t, r.ask(t, "POST", "/api/chat/with-activations", `text=a`, "Content-Type", "application/x-www-form-urlencoded"), httpapi.UnsupportedMedia, "unknown content type")
	refused(t, r.ask(t, "POST", "/api/chat/with-activations", `{"text":"`+strings.Repeat("a", 2<<20)+`"}`), httpapi.TooLarge, "at most")
	if r.log.String() != "" {
		t.Errorf("the log says %s", r.log)
	}
}

// What a click shows is what the lens of the conversation shows, in every form, and costs no forward pass.
func TestClick(t *testing.T) {
	dir := t.TempDir()
	r := serve(t, httpapi.Options{Models: []httpapi.Source{teach(dir)}})
	conv := r.chat(t, obj{"text": question, "conversation_id": "c"})
	before := into[httpapi.Status](t, r.ask(t, "GET", "/api/cache/status", nil)).Forward
	for p := range conv.TotalTokens {
		click := into[httpapi.Click](t, r.ask(t, "GET", fmt.Sprintf("/api/activations/c/%d", p), nil))
		if len(click.LayerPredictions) != 7 || len(click.ContextWindow) != min(p, 15) || click.Position != p || click.Codec != "" {
			t.Fatalf("position %d: %+v", p, click)
		}
		if tok := conv.Tokens[p]; !reflect.DeepEqual(tok.Token, click.Token) || tok.Generated && !reflect.DeepEqual(tok.LayerPredictions, click.LayerPredictions) {
			t.Errorf("position %d: the click shows\n%+v\nthe chat\n%+v", p, click, tok)
		}
	}
	last := into[httpapi.Click](t, r.ask(t, "GET", "/api/activations/c/-1?include_context=true&context_size=4&layers=0,-1&top=2&activations=true", nil))
	if last.Position != conv.TotalTokens-1 || len(last.Context) != 4 || len(last.LayerPredictions) != 2 || len(last.Context[0].LayerPredictions) != 2 || len(last.LayerActivations["5_post"]) != 96 {
		t.Errorf("the last with its context: %+v", last)
	}
	evs := eventsOf(t, r.ask(t, "GET", "/api/activations/c/3", nil, "Accept", "text/event-stream"))
	if names(evs) != "token layer done" || len(evs) != 9 {
		t.Errorf("streamed: %s", names(evs))
	}
	span := into[httpapi.ClickRange](t, r.ask(t, "GET", "/api/activations/c?from=2&to=5&top=1", nil))
	if len(span.Tokens) != 3 || span.Tokens[1].Position != 3 || len(span.Tokens[1].LayerPredictions[0].Top) != 1 {
		t.Errorf("range: %+v", span)
	}
	after := into[httpapi.Status](t, r.ask(t, "GET", "/api/cache/status", nil)).Forward
	if after != before {
		t.Errorf("clicks ran the model: %+v, before %+v", after, before)
	}
	npy := r.ask(t, "GET", "/api/activations/c/3?format=npy", nil)
	if !strings.HasPrefix(string(npy.body), "\x93NUMPY") || len(npy.body) != 128+7*96*4 {
		t.Errorf("npy of %d bytes: %.60q", len(npy.body), npy.body)
	}
	if st := r.ask(t, "GET", "/api/activations/c/3?format=safetensors", nil); !strings.Contains(string(st.body), "blocks.5.hook_resid_post") {
		t.Errorf("safetensors: %.60q", st.body)
	}
	refused(t, r.ask(t, "GET", "/api/activations/c/999", nil), httpapi.NotFound, "positions 0 to")
	refused(t, r.ask(t, "GET", "/api/activations/nobody/0", nil), httpapi.NotFound, "no conversation")
	refused(t, r.ask(t, "GET", "/api/activations/c/x", nil), httpapi.Invalid, "token_position")
	refused(t, r.ask(t, "GET", "/api/activations/c/0?top=0", nil), httpapi.Invalid, "top")
	refused(t, r.ask(t, "GET", "/api/activations/c/0?colour=red", nil), httpapi.Invalid, "colour")
	refused(t, r.ask(t, "GET", "/api/activations/c?from=5&to=3", nil), httpapi.NotFound, "from < to")
	refused(t, r.ask(t, "GET", "/api/activations/c?from=0&to=100", nil), httpapi.Invalid, "at most 64")
}

// A browser that has an answer gets it again only when it has changed.
func TestETag(t *testing.T) {
	r := serve(t, httpapi.Options{})
	conv := r.chat(t, obj{"text": question, "conversation_id": "c"})
	last := fmt.Sprintf("/api/activations/c/%d", conv.TotalTokens-1)
	for _, path := range []string{"/api/activations/c/3", "/api/conversations/c", last} {
		first := r.ask(t, "GET", path, nil)
		tag := first.header.Get("ETag")
		again := r.ask(t, "GET", path, nil, "If-None-Match", `"other", W/`+tag)
		if tag == "" || again.status != http.StatusNotModified || len(again.body) != 0 || again.header.Get("ETag") != tag {
			t.Errorf("%s: tag %s, then %d with %d bytes", path, tag, again.status, len(again.body))
		}
	}
	old := r.ask(t, "GET", last, nil).header.Get("ETag")
	r.chat(t, obj{"text": "And its currency?", "conversation_id": "c"})
	if g := r.ask(t, "GET", last, nil, "If-None-Match", old); g.status != http.StatusOK {
		t.Errorf("the token after it has come, and the answer is %d", g.status)
	}
}

// After a restart a click on the old conversation runs no model.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	r := serve(t, httpapi.Options{Models: []httpapi.Source{teach(dir)}})
	conv := r.chat(t, obj{"text": question, "conversation_id": "c"})
	want := r.ask(t, "GET", "/api/activations/c/5", nil)
	r.Server.Close()
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	r = serve(t, httpapi.Options{Models: []httpapi.Source{teach(dir)}})
	if got := r.ask(t, "GET", "/api/activations/c/5", nil); string(got.body) != string(want.body) {
		t.Errorf("after the restart\n%s\nbefore\n%s", got.body, want.body)
	}
	if st := into[httpapi.Status](t, r.ask(t, "GET", "/api/cache/status", nil)); st.Forward.Passes != 0 || st.Cache.Conversations != 1 {
		t.Errorf("status %+v", st)
	}
	more := r.chat(t, obj{"text": "And its currency?", "conversation_id": "c"})
	if !strings.Contains(more.Text, "euro") || more.Start <= conv.End {
		t.Errorf("it goes on with %+v", more)
	}
}

func TestDelete(t *testing.T) {
	r := serve(t, httpapi.Options{})
	r.chat(t, obj{"text": question, "conversation_id": "c"})
	if d := into[httpapi.Deleted](t, r.ask(t, "DELETE", "/api/cache/c", nil)); !d.Deleted {
		t.Errorf("%+v", d)
	}
	for _, path := range []string{"/api/activations/c/0", "/api/conversations/c"} {
		refused(t, r.ask(t, "GET", path, nil), httpapi.NotFound, "no conversation")
	}
	refused(t, r.ask(t, "DELETE", "/api/cache/c", nil), httpapi.NotFound, "no conversation")
	if again := r.chat(t, obj{"text": question, "conversation_id": "c"}); again.Replayed {
		t.Error("what was deleted answers")
	}
}

// The examples that the page offers are answered as their texts promise.
func TestExamples(t *testing.T) {
	r := serve(t, httpapi.Options{})
	want := map[string]string{"A fact": "Paris", "A follow-up": "euro", "A name to remember": "Mary", "Another country": "Paris"}
	examples := into[httpapi.Examples](t, r.ask(t, "GET", "/api/examples", nil)).Examples
	for i, ex := range examples {
		answer := ""
		for _, turn := range ex.Turns {
			answer = r.chat(t, obj{"text": turn, "conversation_id": fmt.Sprintf("e%d", i)}).Text
		}
		if word := want[ex.Title]; word == "" || !strings.Contains(answer, word) {
			t.Errorf("%s ends with %q, want about %q", ex.Title, answer, word)
		}
	}
	if len(examples) != len(want) {
		t.Errorf("%d examples", len(examples))
	}
}

// A stream is never silent for long, while it waits its turn or for a long prompt.
func TestStreamsStayAlive(t *testing.T) {
	defer httpapi.SetSilence(time.Millisecond)()
	r := serve(t, httpapi.Options{})
	long := obj{"text": strings.Repeat("What is the capital of France? ", 12), "max_tokens": 2}
	g := r.ask(t, "POST", "/api/chat/with-activations", long, "Accept", "text/event-stream")
	if !bytes.Contains(g.body, []byte("\n\n:\n\n")) {
		t.Errorf("nothing between events: %.300s", g.body)
	}
	if evs := eventsOf(t, g); !strings.HasSuffix(names(evs), "layer done") {
		t.Errorf("events %s", names(evs))
	}
	g = r.ask(t, "POST", "/api/chat/with-activations", long, "Accept", "application/x-ndjson")
	if evs := eventsOf(t, g); !strings.HasSuffix(names(evs), "layer done") {
		t.Errorf("events %s", names(evs))
	}
}
