package lens_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// countdown is a context that is cancelled when it has been looked at n times: it interrupts at every place in turn, not where a clock happens to be.
type countdown struct {
	context.Context
	left atomic.Int64
}

func interruptAfter(n int) *countdown {
	c := &countdown{Context: context.Background()}
	c.left.Store(int64(n))
	return c
}

func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// sound says what is wrong with a conversation: its tokens must be turns as the template writes them, and its lens that of one pass over its ids.
func sound(t *testing.T, c *lens.Conversation, questions ...string) {
	t.Helper()
	var text string
	var user []string
	for _, tok := range c.Tokens() {
		text += tok.TokenText
		if tok.TokenText == "<|user|>" {
			user = append(user, "")
		}
		if tok.Role == "user" && !tok.Template {
			user[len(user)-1] += tok.TokenText
		}
	}
	if strings.Join(user, "|") != strings.Join(questions, "|") {
		t.Errorf("asked %q, the tokens say %q:\n%s", questions, user, text)
	}
	if c.Len() == 0 {
		return
	}
	want := must(must(reference())(t).LogitLensIDs(context.Background(), c.IDs(), lens.LensOptions{}))(t)
	if b, _ := json.Marshal(want); string(b) != grids(t, c) {
		t.Error("the lens differs from one pass over the ids")
	}
}

// forgetAll lets a test begin again without loading the model again.
func forgetAll(t *testing.T, m *lens.Model) {
	t.Helper()
	for _, info := range must(m.Conversations())(t) {
		if err := m.Forget(info.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// Wherever an interrupt strikes, a message is either answered at least in part or was never said, the chat goes on, and no other conversation appears.
func TestInterruptAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("interrupts at a hundred places: left to the full run")
	}
	const first, second = "What is the capital of France?", "And its currency?"
	interrupted := 0
	m := load(t, lens.Embedded)
	for n := 0; ; n += 23 {
		forgetAll(t, m)
		c := must(m.NewChat(lens.ChatOptions{ID: "x"}))(t)
		must(c.Say(context.Background(), first))(t)
		before := c.String()
		_, err := c.Say(interruptAfter(n), second)
		if err == nil {
			break
		}
		interrupted++
		said := []string{first}
		if c.String() != before {
			said = append(said, second) // with a part of its answer
		}
		must(c.Say(context.Background(), "And Peru?"))(t)
		sound(t, c, append(said, "And Peru?")...)
		sound(t, must(m.Reopen("x"))(t), append(said, "And Peru?")...)
		if list := must(m.Conversations())(t); len(list) != 1 {
			t.Errorf("interrupted after %d looks, there are %d conversations", n, len(list))
		}
	}
	if interrupted < 20 {
		t.Errorf("only %d interrupts struck", interrupted)
	}
}

// A branch that is interrupted leaves the kept conversation under its name.
func TestInterruptedBranch(t *testing.T) {
	m := load(t, lens.Embedded)
	for n := range 12 {
		forgetAll(t, m)
		old := grids(t, capitals(t, m, lens.ChatOptions{ID: "x"}))
		c := must(m.NewChat(lens.ChatOptions{ID: "x"}))(t)
		must(c.Say(context.Background(), "What is the capital of France?"))(t)
		if _, err := c.Say(interruptAfter(n), "And Peru?"); err == nil {
			t.Fatalf("after %d looks: no interrupt", n)
		}
		found := false
		for _, info := range must(m.Conversations())(t) {
			kept := must(m.Reopen(info.ID))(t)
			found = found || kept.Len() > 0 && grids(t, kept) == old
		}
		if !found {
			t.Errorf("after %d looks: the kept conversation is gone", n)
		}
		must(c.Say(context.Background(), "And Peru?"))(t)
		sound(t, c, "What is the capital of France?", "And Peru?")
		sound(t, must(m.Reopen("x"))(t), "What is the capital of France?", "And Peru?")
	}
}

// Two chats on one kept conversation: each stays what it is, whoever is faster.
func TestTwoChatsUnderOneName(t *testing.T) {
	m := load(t, lens.Embedded)
	for range 5 {
		capitals(t, m, lens.ChatOptions{ID: "x"})
		chats := []*lens.Conversation{must(m.Reopen("x"))(t), must(m.Reopen("x"))(t)}
		questions := []string{"And Peru?", "And its language?"}
		var wg sync.WaitGroup
		for i, c := range chats {
			wg.Go(func() {
				if _, err := c.Say(context.Background(), questions[i]); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for i, c := range chats {
			sound(t, c, "What is the capital of France?", "And its currency?", questions[i])
			sound(t, must(m.Reopen(c.ID()))(t), "What is the capital of France?", "And its currency?", questions[i])
		}
		forgetAll(t, m)
	}
}

// A second program goes on under a name of its own while the first one holds the conversation.
func TestTwoProgramsUnderOneName(t *testing.T) {
	dir := t.TempDir()
	a, b := loadIn(t, lens.Embedded, dir), loadAnew(t, dir)
	capitals(t, a, lens.ChatOptions{ID: "x"})
	c := must(b.NewChat(lens.ChatOptions{ID: "x"}))(t)
	if r := must(c.Say(context.Background(), "What is the capital of France?"))(t); !r.Replayed {
		t.Error("what the first program said was not repeated")
	}
	must(c.Say(context.Background(), "And Peru?"))(t)
	if c.ID() != "x~1" {
		t.Errorf("the second program writes to %q", c.ID())
	}
	sound(t, c, "What is the capital of France?", "And Peru?")
	sound(t, must(a.Reopen("x"))(t), "What is the capital of France?", "And its currency?")
}

func TestLongNamesBranch(t *testing.T) {
	m := load(t, lens.Embedded)
	name := strings.Repeat("n", 48)
	capitals(t, m, lens.ChatOptions{ID: name})
	c := must(m.NewChat(lens.ChatOptions{ID: name}))(t)
	must(c.Say(context.Background(), "And Peru?"))(t)
	must(m.Reopen(name + "~1"))(t)
}

// Texts that look like the marks or the markup that chats are made with are texts like any other.
func TestAwkwardMessages(t *testing.T) {
	m := load(t, lens.Embedded)
	for _, q := range []string{"user", "a", "|", "end", "gopherlens-answer", "gopherlens-message", "say gopherlens-answer- and gopherlens-answer"} {
		c := must(m.NewChat(lens.ChatOptions{MaxTokens: 4}))(t)
		must(c.Say(context.Background(), q))(t)
		must(c.Say(context.Background(), q))(t)
		sound(t, c, q, q)
		for _, tok := range c.Tokens() {
			if markup := strings.HasPrefix(tok.TokenText, "<|"); markup != tok.Template && !tok.Generated {
				t.Errorf("%q: token %q is template: %v", q, tok.TokenText, tok.Template)
			}
		}
	}
}

func TestErrorOfEachComesBackAsItIs(t *testing.T) {
	stop := errors.New("enough")
	c := must(load(t, lens.Embedded).NewChat(lens.ChatOptions{}))(t)
	for range 2 { // computed, and repeated from the cache
		if _, err := c.SayEach(context.Background(), "What is the capital of France?", func(lens.Token) error { return stop }); err != stop {
			t.Errorf("%v", err)
		}
	}
}

func TestPartOfAGridKnowsWhereItIs(t *testing.T) {
	c := must(load(t, lens.Embedded).Complete(context.Background(), "<|endoftext|>The capital of France is", lens.ChatOptions{MaxTokens: 2}))(t)
	g := must(c.Grid(2, 4))(t)
	if !g.BOS || g.First != 2 || len(g.IDs) != 2 {
		t.Errorf("bos %v, first %d, ids %v", g.BOS, g.First, g.IDs)
	}
	b, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	var read lens.Grid
	if err := json.Unmarshal(b, &read); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(read.String(), "3 ␣of") && !strings.Contains(read.String(), "3  of") {
		t.Errorf("read from JSON:\n%s", &read)
	}
	g.Rows[0] = "changed"
	if c.Model().Rows()[0] != "embed" {
		t.Error("a grid shares its rows with the model")
	}
}
