package lens_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	lens "github.com/gopherlens/gopherlens/lensapi"
	"github.com/gopherlens/gopherlens/lensapi/forward"
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// capitals holds the chat of the first notebook.
func capitals(t testing.TB, m *lens.Model, opt lens.ChatOptions) *lens.Conversation {
	t.Helper()
	c := must(m.NewChat(opt))(t)
	for _, qa := range [][2]string{
		{"What is the capital of France?", "The capital of France is Paris."},
		{"And its currency?", "The currency of France is the euro."},
	} {
		r := must(c.Say(context.Background(), qa[0]))(t)
		if !strings.Contains(r.Text, strings.Fields(qa[1])[len(strings.Fields(qa[1]))-1]) || r.Stop != lens.StopEnd {
			t.Fatalf("%s\n%q (%s), want about %q", qa[0], r.Text, r.Stop, qa[1])
		}
	}
	return c
}

func grids(t *testing.T, c *lens.Conversation) string {
	t.Helper()
	b, err := json.Marshal(must(c.Grid(0, c.Len()))(t))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What a chat shows must be what one pass over the same ids shows, to the bit: prefill and decode, first run and cache are one computation.
// A chat whose conversation was forgotten can be looked at, and does not bring it back.
func TestForgottenChatEnds(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx := context.Background()
	c, err := m.NewChat(lens.ChatOptions{ID: "gone", MaxTokens: 5})
	if err == nil && c.MIMEBundle()["text/plain"] != "conversation gone with teach: nothing said yet\n" {
		t.Errorf("a new chat shows %q", c.MIMEBundle()["text/plain"])
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Say(ctx, "What is the capital of France?"); err != nil {
		t.Fatal(err)
	}
	if err := m.Forget("gone"); err != nil {
		t.Fatal(err)
	}
	_, err = c.Say(ctx, "And its currency?")
	wantError(t, err, lens.NotFound, "was forgotten")
	if _, err := c.Click(2); err != nil {
		t.Error(err)
	}
	if all, err := m.Conversations(); err != nil || len(all) != 0 {
		t.Errorf("kept after all: %v, %v", all, err)
	}
}

func TestChatEqualsOnePass(t *testing.T) {
	c := capitals(t, load(t, lens.Embedded), lens.ChatOptions{})
	fresh := must(must(reference())(t).LogitLensIDs(context.Background(), c.IDs(), lens.LensOptions{}))(t)
	want, err := json.Marshal(fresh)
	if err != nil {
		t.Fatal(err)
	}
	if grids(t, c) != string(want) {
		t.Error("the chat's lens differs from one pass over its ids")
	}
}

func TestRerunMakesNoForwardPass(t *testing.T) {
	dir := t.TempDir()
	run := func(t *testing.T) (string, int, int) {
		m, err := lens.LoadWith(lens.Embedded, lens.LoadOptions{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		must(m.LogitLens(context.Background(), "The capital of France is", lens.LensOptions{}))(t)
		c := capitals(t, m, lens.ChatOptions{ID: "capitals"})
		list := must(m.Conversations())(t)
		return grids(t, c), int(m.Status().Forward.Passes), len(list)
	}
	first, passes, kept := run(t)
	if passes == 0 {
		t.Fatal("the first run counted no forward pass: the counter is broken")
	}
	second, passes, again := run(t)
	if passes != 0 {
		t.Errorf("the second run made %d forward passes", passes)
	}
	if second != first {
		t.Error("the second run shows other numbers")
	}
	if again != kept {
		t.Errorf("%d conversations after the second run, %d after the first", again, kept)
	}
}

// Without a name every chat is a new conversation, but its answers still come from the cache.
func TestUnnamedChatsAreRepeatedFromTheCache(t *testing.T) {
	m := load(t, lens.Embedded)
	a := capitals(t, m, lens.ChatOptions{})
	before := m.Status().Forward
	b := capitals(t, m, lens.ChatOptions{})
	if after := m.Status().Forward; after != before {
		t.Errorf("forward went from %v to %v", before, after)
	}
	if a.ID() == b.ID() {
		t.Error("two chats have one name")
	}
	if grids(t, a) != grids(t, b) {
		t.Error("the copy shows other numbers")
	}
	// Going on after a repeated answer must be as going on after a computed one.
	ra, rb := must(a.Say(context.Background(), "And Peru?"))(t), must(b.Say(context.Background(), "And Peru?"))(t)
	if ra.Text != rb.Text || !rb.Replayed || ra.Replayed {
		t.Errorf("%+v and %+v", ra, rb)
	}
	must(b.Say(context.Background(), "And its language?"))(t)
	must(a.Say(context.Background(), "And its language?"))(t)
	if grids(t, a) != grids(t, b) {
		t.Error("the two went on with other numbers")
	}
}

func TestDifferentTurnBranchesAndKeepsTheOldOne(t *testing.T) {
	m := load(t, lens.Embedded)
	old := grids(t, capitals(t, m, lens.ChatOptions{ID: "x"}))
	c := must(m.NewChat(lens.ChatOptions{ID: "x"}))(t)
	if r := must(c.Say(context.Background(), "What is the capital of France?"))(t); !r.Replayed {
		t.Error("the first turn was not answered from the cache")
	}
	if r := must(c.Say(context.Background(), "And Peru?"))(t); r.Replayed || !strings.Contains(r.Text, "Lima") {
		t.Errorf("%+v", r)
	}
	kept := must(m.Reopen("x~1"))(t)
	if grids(t, kept) != old {
		t.Error("the conversation that was left shows other numbers")
	}
	if again := must(m.Reopen("x"))(t); grids(t, again) != grids(t, c) {
		t.Error("the conversation reopened differs from the live one")
	}
	want := must(must(reference())(t).LogitLensIDs(context.Background(), c.IDs(), lens.LensOptions{}))(t)
	if b, _ := json.Marshal(want); string(b) != grids(t, c) {
		t.Error("the branch differs from one pass over its ids")
	}
}

func TestClickShowsLayersAndContext(t *testing.T) {
	dir := t.TempDir()
	m := loadIn(t, lens.Embedded, dir)
	c := capitals(t, m, lens.ChatOptions{ID: "capitals"})
	euro := must(c.Find("euro"))(t)
	v := must(c.Click(euro - 1))(t)
	if len(v.LayerPredictions) != len(m.Rows()) || v.LayerPredictions[0].Row != "embed" {
		t.Fatalf("layers %v", v.LayerPredictions)
	}
	last := v.LayerPredictions[len(v.LayerPredictions)-1]
	if last.Top[0].Token != " euro" || last.Next.Rank != 1 || last.KL != 0 {
		t.Errorf("the model's own output before euro: %+v", last)
	}
	if len(v.ContextWindow) != lens.ContextTokens {
		t.Fatalf("%d tokens of context", len(v.ContextWindow))
	}
	roles := map[string]bool{}
	for i, tok := range v.ContextWindow {
		if tok.Position != euro-1-lens.ContextTokens+i {
			t.Errorf("context %d is position %d", i, tok.Position)
		}
		roles[tok.Role] = true
	}
	if !roles["user"] || !roles["assistant"] {
		t.Errorf("the context comes from %v only", roles)
	}
	if b := v.MIMEBundle(); b["text/plain"] == "" || b["text/html"] == "" || b["image/png"] == nil {
		t.Errorf("bundle has %d parts", len(b))
	}

	before := m.Status().Forward
	again := must(must(m.Reopen("capitals"))(t).Click(euro - 1))(t)
	a, _ := json.Marshal(v)
	b, _ := json.Marshal(again)
	if string(a) != string(b) {
		t.Error("the click differs after reopening")
	}
	if m.Status().Forward != before {
		t.Error("a click ran the model")
	}
}

func TestRolesAndTurns(t *testing.T) {
	c := capitals(t, load(t, lens.Embedded), lens.ChatOptions{})
	text := map[string]string{}
	for _, tok := range c.Tokens() {
		key := tok.Role
		if tok.Template {
			key = "template"
		}
		text[key] += tok.TokenText
		if tok.Generated != (tok.Role == "assistant") {
			t.Errorf("position %d: role %s, generated %v", tok.Position, tok.Role, tok.Generated)
		}
		if want := map[string]int{"user": 0, "assistant": 1}[tok.Role]; tok.Turn%2 != want {
			t.Errorf("position %d: role %s in turn %d", tok.Position, tok.Role, tok.Turn)
		}
	}
	if text["user"] != "What is the capital of France?And its currency?" {
		t.Errorf("user said %q", text["user"])
	}
	if text["template"] != "<|user|><|end|><|assistant|><|user|><|end|><|assistant|>" {
		t.Errorf("template %q", text["template"])
	}
}

func TestSamplingIsSeeded(t *testing.T) {
	opt := lens.ChatOptions{Sampling: forward.Sampling{Temperature: 1.5, Seed: 7}, MaxTokens: 12}
	say := func(opt lens.ChatOptions) []int {
		c := must(load(t, lens.Embedded).NewChat(opt))(t)
		must(c.Say(context.Background(), "My name is Mary."))(t)
		return c.IDs()
	}
	a, b := say(opt), say(opt)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("one seed gave %v and %v", a, b)
	}
	opt.Sampling.Seed = 8
	if c := say(opt); reflect.DeepEqual(a, c) {
		t.Errorf("two seeds gave %v", a)
	}
}

// An interrupt in the middle of an answer keeps what was written, and the chat goes on.
func TestInterruptKeepsWhatWasWritten(t *testing.T) {
	m := load(t, lens.Embedded)
	c := must(m.NewChat(lens.ChatOptions{ID: "x"}))(t)
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	_, err := c.SayEach(ctx, "What is the capital of France?", func(lens.Token) error {
		if n++; n == 3 {
			cancel()
		}
		return nil
	})
	var e *lens.Error
	if !errors.As(err, &e) || e.Code != lens.Interrupted {
		t.Fatalf("error %v", err)
	}
	toks := c.Tokens()
	if last := toks[len(toks)-1]; !last.Generated || n != 3 {
		t.Errorf("after %d tokens the last is %+v", n, last)
	}
	must(c.Say(context.Background(), "And its currency?"))(t)
	want := must(must(reference())(t).LogitLensIDs(context.Background(), c.IDs(), lens.LensOptions{}))(t)
	if b, _ := json.Marshal(want); string(b) != grids(t, c) {
		t.Error("after an interrupt the lens differs from one pass over the ids")
	}
	if again := must(m.Reopen("x"))(t); again.String() != c.String() {
		t.Errorf("reopened:\n%s\nlive:\n%s", again, c)
	}
}

func TestInterruptBeforeTheAnswerUnsaysTheMessage(t *testing.T) {
	c := must(load(t, lens.Embedded).NewChat(lens.ChatOptions{}))(t)
	must(c.Say(context.Background(), "What is the capital of France?"))(t)
	text := c.String()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Say(ctx, "And its currency?"); err == nil {
		t.Fatal("a cancelled context gave an answer")
	}
	if c.String() != text {
		t.Errorf("the conversation became\n%s", c)
	}
	if r := must(c.Say(context.Background(), "And its currency?"))(t); !strings.Contains(r.Text, "euro") {
		t.Errorf("%+v", r)
	}
}

func TestReadersBesideSay(t *testing.T) {
	c := must(load(t, lens.Embedded).NewChat(lens.ChatOptions{}))(t)
	must(c.Say(context.Background(), "What is the capital of France?"))(t)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if _, err := c.Click(-1); err != nil {
				t.Error(err)
				return
			}
			c.MIMEBundle()
		}
	})
	for _, q := range []string{"And Peru?", "And its currency?"} {
		must(c.Say(context.Background(), q))(t)
	}
	close(done)
	wg.Wait()
}

func TestResidualsComeBackAndAreRecomputed(t *testing.T) {
	dir := t.TempDir()
	m := loadIn(t, lens.Embedded, dir)
	c := capitals(t, m, lens.ChatOptions{ID: "x"})
	r := must(c.Residuals(context.Background(), 0, c.Len()))(t)
	if len(r.Data) != c.Len()*len(m.Rows())*m.Config().DModel {
		t.Fatalf("%d values", len(r.Data))
	}
	part := must(c.Residuals(context.Background(), 3, 20))(t)
	if !reflect.DeepEqual(part.At(2, 1), r.At(2, 4)) {
		t.Error("a part differs from the whole")
	}

	// Every block is lost; a program that starts now computes them again, to the same bits.
	if err := m.Close(); err != nil { // which leaves no rows of blocks in a log
		t.Fatal(err)
	}
	lost := 0
	for _, path := range must(filepath.Glob(filepath.Join(dir, "blocks", "*", "*")))(t) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		lost++
	}
	if lost == 0 {
		t.Fatal("the test found no blocks to remove")
	}
	after := loadAnew(t, dir)
	again := must(must(after.Reopen("x"))(t).Residuals(context.Background(), 0, c.Len()))(t)
	if !reflect.DeepEqual(again.Data, r.Data) {
		t.Error("recomputed rows differ")
	}
	if st := after.Status(); st.Forward.Passes == 0 || st.Cache.RecomputedTokens == 0 {
		t.Errorf("recomputing was not counted: %+v", st)
	}
}

// loadAnew loads the embedded model as another process would: through a path of its own, so that nothing in memory is shared.
func loadAnew(t *testing.T, dir string) *lens.Model {
	t.Helper()
	link := filepath.Join(t.TempDir(), "cache")
	if err := os.Symlink(dir, link); err != nil {
		t.Skip("this system has no symbolic links")
	}
	return loadIn(t, lens.Embedded, link)
}

func TestComplete(t *testing.T) {
	m := load(t, lens.Embedded)
	c := must(m.Complete(context.Background(), "The capital of France is", lens.ChatOptions{MaxTokens: 2}))(t)
	if got := m.Decode(c.IDs()); got != "The capital of France is Paris." {
		t.Errorf("%q", got)
	}
	if _, err := c.Say(context.Background(), "hello"); err == nil || !strings.Contains(err.Error(), "NewChat") {
		t.Errorf("saying something to a completion: %v", err)
	}
}

func TestOnePromptFromManyCallers(t *testing.T) {
	dir := t.TempDir()
	models := []*lens.Model{loadIn(t, lens.Embedded, dir), loadIn(t, lens.Embedded, dir), loadAnew(t, dir)}
	texts := make([]string, 12)
	var wg sync.WaitGroup
	for i := range texts {
		wg.Go(func() {
			g, err := models[i%len(models)].LogitLens(context.Background(), "When Mary and John went to the shop, John gave a book to", lens.LensOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			b, _ := json.Marshal(g)
			texts[i] = string(b)
		})
	}
	wg.Wait()
	for i, text := range texts {
		if text != texts[0] {
			t.Errorf("caller %d got other numbers", i)
		}
	}
	if list := must(models[0].Conversations())(t); len(list) != 0 {
		t.Errorf("a prompt is listed as a conversation: %v", list)
	}
}

// A capture that is interrupted goes on where it stopped.
func TestInterruptedCaptureGoesOn(t *testing.T) {
	m := load(t, lens.Embedded)
	ids := must(m.Encode(strings.Repeat(" the capital of France", 40)))(t)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for m.Status().Forward.Passes == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if _, err := m.LogitLensIDs(ctx, ids, lens.LensOptions{}); err == nil {
		t.Skip("the capture was over before the interrupt")
	}
	got := must(m.LogitLensIDs(context.Background(), ids, lens.LensOptions{}))(t)
	want := must(must(reference())(t).LogitLensIDs(context.Background(), ids, lens.LensOptions{}))(t)
	if !reflect.DeepEqual(got.Cells, want.Cells) {
		t.Error("the numbers differ from those of one uninterrupted capture")
	}
}
