package lens_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

func user(text string) lens.Message      { return lens.Message{Role: "user", Content: text} }
func assistant(text string) lens.Message { return lens.Message{Role: "assistant", Content: text} }

// A client that sends all messages every time goes on where the kept conversation ends, and computes no more than Say would.
func TestKnownMessagesGoOn(t *testing.T) {
	ctx := context.Background()
	m := load(t, lens.Embedded)
	first := must(m.NewChat(lens.ChatOptions{ID: "first"}))(t)
	answer := must(first.Say(ctx, "What is the capital of France?"))(t).Text
	must(first.Say(ctx, "And its currency?"))(t)

	msgs := []lens.Message{user("What is the capital of France?"), assistant(answer), user("And Peru?")}
	id, n, err := m.Known(msgs)
	if err != nil || id != "first" || n != 2 {
		t.Fatalf("Known: %q, %d, %v; want first, 2", id, n, err)
	}
	branch := must(must(m.Reopen(id))(t).Branch(n, lens.ChatOptions{ID: "peru"}))(t)
	before := m.Status().Forward.Tokens
	must(branch.Respond(ctx, msgs[n:], lens.Answering{}))(t)
	fed := int(m.Status().Forward.Tokens - before)
	if shared := must(first.Find("?"))(t); fed >= branch.Len()-shared/2 {
		t.Errorf("the branch of %d tokens fed %d: what it shares was computed again", branch.Len(), fed)
	}
	whole := must(m.NewChat(lens.ChatOptions{}))(t)
	must(whole.Say(ctx, msgs[0].Content))(t)
	must(whole.Say(ctx, msgs[2].Content))(t)
	if !slices.Equal(branch.IDs(), whole.IDs()) || grids(t, branch) != grids(t, whole) {
		t.Errorf("the branch reads %v, the same said in one conversation %v", branch.IDs(), whole.IDs())
	}
	if got := branch.Messages(); len(got) != 4 || !slices.Equal(got[:3], msgs) {
		t.Errorf("the branch has messages %v", got)
	}
	if id, n, err := m.Known(branch.Messages()); err != nil || n != 2 || id == "" {
		t.Errorf("what ends with an answer: %q, %d, %v; its last message is not to be answered", id, n, err)
	}
	if _, err := first.Branch(1, lens.ChatOptions{}); err == nil || !strings.Contains(err.Error(), "branch after one") {
		t.Errorf("a branch after a question: %v", err)
	}
}

// Answers that were given are read as such: equal ids to a conversation in which the model wrote them itself.
func TestRespondTakesGivenAnswers(t *testing.T) {
	ctx := context.Background()
	m := load(t, lens.Embedded)
	said := must(m.NewChat(lens.ChatOptions{}))(t)
	answer := must(said.Say(ctx, "What is the capital of France?"))(t).Text
	must(said.Say(ctx, "And its currency?"))(t)
	given := must(m.NewChat(lens.ChatOptions{}))(t)
	must(given.Respond(ctx, []lens.Message{user("What is the capital of France?"), assistant(answer), user("And its currency?")}, lens.Answering{}))(t)
	if !slices.Equal(said.IDs(), given.IDs()) {
		t.Errorf("said %v, given %v", said.IDs(), given.IDs())
	}
	i := slices.IndexFunc(given.Tokens(), func(tok lens.TokenInfo) bool { return tok.Role == "assistant" })
	if tok := given.Tokens()[i]; tok.Generated || tok.Turn != 1 {
		t.Errorf("the given answer begins with %+v", tok)
	}
	for name, msgs := range map[string][]lens.Message{
		"last message":                          {user("a"), assistant("b")},
		"role \"robot\"":                        {{Role: "robot", Content: "a"}, user("b")},
		"only be the first of the conversation": {user("a"), {Role: "system", Content: "b"}, user("c")},
		"empty":                                 {user(" ")},
	} {
		if _, err := given.Respond(ctx, msgs, lens.Answering{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: %v", msgs, err)
		}
	}
}

func TestRespondStops(t *testing.T) {
	ctx := context.Background()
	m := load(t, lens.Embedded)
	plain := must(must(m.NewChat(lens.ChatOptions{}))(t).Say(ctx, "What is the capital of France?"))(t).Text
	at := strings.Index(plain, "is P")
	if at < 0 {
		t.Fatalf("the answer is %q", plain)
	}
	c := must(m.NewChat(lens.ChatOptions{ID: "stopped"}))(t)
	for i, a := range []lens.Answering{{Stop: []string{"is P", "nowhere"}}, {Stop: []string{"is P", "nowhere"}}} {
		r := must(c.Respond(ctx, []lens.Message{user("What is the capital of France?")}, a))(t)
		if r.Text != plain[:at] || r.Stop != lens.StopText || r.Replayed != (i == 1) {
			t.Fatalf("answer %d: %+v, want %q", i, r, plain[:at])
		}
		if got := c.Messages()[1].Content; got != r.Text {
			t.Errorf("kept as %q", got)
		}
		c = must(m.NewChat(lens.ChatOptions{ID: "stopped"}))(t)
	}
	for _, a := range []lens.Answering{{Stop: []string{""}}, {Stop: make([]string, 17)}, {MaxTokens: -1}, {Sampling: lens.Sampling{TopP: 2}}} {
		if _, err := c.Respond(ctx, []lens.Message{user("Hello")}, a); err == nil {
			t.Errorf("%+v was accepted", a)
		}
	}
}

func TestTextGoesOn(t *testing.T) {
	ctx := context.Background()
	m := load(t, lens.Embedded)
	c := must(m.NewText(lens.ChatOptions{ID: "text", MaxTokens: 2}))(t)
	must(c.Respond(ctx, []lens.Message{user("The capital of France is")}, lens.Answering{}))(t)
	c = must(m.Reopen("text"))(t)
	before := c.Len()
	r := must(c.Respond(ctx, []lens.Message{user(" The capital of Peru is")}, lens.Answering{MaxTokens: 1}))(t)
	if c.Len() <= before || r.Text != " Lima" {
		t.Errorf("it went on with %q", r.Text)
	}
	if tok := c.Tokens()[before]; tok.Role != "prompt" || tok.Turn != 2 {
		t.Errorf("the second text begins with %+v", tok)
	}
}

func TestSurprisals(t *testing.T) {
	c := capitals(t, load(t, lens.Embedded), lens.ChatOptions{})
	got := must(c.Surprisals(0, c.Len()))(t)
	want := must(must(c.Grid(0, c.Len()))(t).Values(lens.CrossEntropy))(t)
	last := want[len(want)-1]
	if !math.IsNaN(got[0]) || !slices.Equal(got[1:], last[:len(last)-1]) {
		t.Errorf("surprisals %v\nof the grid %v", got, last)
	}
	if _, err := c.Surprisals(3, 3); err == nil {
		t.Error("an empty range was accepted")
	}
}
