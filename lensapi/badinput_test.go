package lens_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/teach"
)

// Every bad input is one line that names what was wrong and what is allowed, and changes nothing.
func TestBadInput(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx := context.Background()
	c := must(m.NewChat(lens.ChatOptions{ID: "c"}))(t)
	must(c.Say(ctx, "What is the capital of France?"))(t)
	text, status := c.String(), m.Status().Forward

	long := strings.Repeat(" Paris", 300)
	for name, try := range map[string]struct {
		call func() error
		says string
		code lens.Code
	}{
		"empty prompt":      {func() error { _, err := m.LogitLens(ctx, "", lens.LensOptions{}); return err }, "prompt is empty", lens.Invalid},
		"long prompt":       {func() error { _, err := m.LogitLens(ctx, long, lens.LensOptions{}); return err }, "at most 256", lens.Invalid},
		"id too large":      {func() error { _, err := m.LogitLensIDs(ctx, []int{3, 1020}, lens.LensOptions{}); return err }, "position 1", lens.Invalid},
		"negative id":       {func() error { _, err := m.LogitLensIDs(ctx, []int{-1}, lens.LensOptions{}); return err }, "0 to 1019", lens.Invalid},
		"variant":           {func() error { _, err := m.LogitLens(ctx, "a", lens.LensOptions{Variant: "sideways"}); return err }, "normed", lens.Invalid},
		"bos":               {func() error { _, err := m.LogitLens(ctx, "a", lens.LensOptions{BOS: "maybe"}); return err }, "auto, yes or no", lens.Invalid},
		"top":               {func() error { _, err := m.LogitLens(ctx, "a", lens.LensOptions{Top: 1001}); return err }, "1 to 1000", lens.Invalid},
		"position":          {func() error { _, err := c.Click(c.Len()); return err }, "0 to", lens.NotFound},
		"negative position": {func() error { _, err := c.Click(-2); return err }, "0 to", lens.NotFound},
		"grid":              {func() error { _, err := c.Grid(5, 5); return err }, "0 <=", lens.NotFound},
		"residuals":         {func() error { _, err := c.Residuals(ctx, 0, 999); return err }, "0 <=", lens.NotFound},
		"no such token":     {func() error { _, err := c.Find("Lima"); return err }, "Lima", lens.NotFound},
		"no such model":     {func() error { _, err := lens.Load("/no/such/model"); return err }, "teach", lens.NotFound},
		"no such name":      {func() error { _, err := m.Reopen("nobody"); return err }, "Conversations()", lens.NotFound},
		"bad name":          {func() error { _, err := m.NewChat(lens.ChatOptions{ID: "../x"}); return err }, "../x", lens.Invalid},
		"temperature": {func() error {
			_, err := m.NewChat(lens.ChatOptions{Sampling: forward.Sampling{Temperature: -1}})
			return err
		}, "temperature", lens.Invalid},
		"max tokens":         {func() error { _, err := m.NewChat(lens.ChatOptions{MaxTokens: -1}); return err }, "at least 1", lens.Invalid},
		"empty message":      {func() error { _, err := c.Say(ctx, " \n"); return err }, "message is empty", lens.Invalid},
		"long name":          {func() error { _, err := m.NewChat(lens.ChatOptions{ID: strings.Repeat("x", 49)}); return err }, "48", lens.Invalid},
		"reserved name":      {func() error { _, err := m.NewChat(lens.ChatOptions{ID: "prompt-1"}); return err }, "prompt-", lens.Invalid},
		"long message":       {func() error { _, err := c.Say(ctx, long); return err }, "are left", lens.Invalid},
		"forgetting nothing": {func() error { return m.Forget("nobody") }, "nobody", lens.NotFound},
	} {
		err := try.call()
		var e *lens.Error
		switch {
		case !errors.As(err, &e):
			t.Errorf("%s: %v is no *lens.Error", name, err)
		case e.Code != try.code || !strings.Contains(err.Error(), try.says) || strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: %s: %q, want %s and %q", name, e.Code, err, try.code, try.says)
		}
	}
	if c.String() != text || m.Status().Forward != status {
		t.Error("bad input changed something")
	}
}

// modelFolder writes the embedded model to a folder, with some of its files replaced.
func modelFolder(t *testing.T, replace map[string]func([]byte) []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, teach.FS()); err != nil {
		t.Fatal(err)
	}
	for name, f := range replace {
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if b = f(b); b == nil {
			err = os.Remove(path)
		} else {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func swap(old, new string) func([]byte) []byte {
	return func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), old, new)) }
}

func TestBadModelFolders(t *testing.T) {
	gone := func([]byte) []byte { return nil }
	for name, try := range map[string]struct {
		replace map[string]func([]byte) []byte
		says    string
	}{
		"no config":            {map[string]func([]byte) []byte{"config.json": gone}, "config.json"},
		"no weights":           {map[string]func([]byte) []byte{"model.safetensors": gone}, "model.safetensors"},
		"no tokenizer":         {map[string]func([]byte) []byte{"tokenizer.json": gone}, "tokenizer.json"},
		"truncated":            {map[string]func([]byte) []byte{"model.safetensors": func(b []byte) []byte { return b[:len(b)/2] }}, "truncated"},
		"dtype":                {map[string]func([]byte) []byte{"model.safetensors": swap(`"F32"`, `"I32"`)}, "I32"},
		"unknown architecture": {map[string]func([]byte) []byte{"config.json": swap(`"gpt2"`, `"mamba"`)}, "mamba"},
		"activation":           {map[string]func([]byte) []byte{"config.json": swap("gelu_new", "swish7")}, "swish7"},
		"shape":                {map[string]func([]byte) []byte{"config.json": swap(`"n_embd": 96`, `"n_embd": 92`)}, "wpe.weight has shape [256 96], want [256 92]"},
		"layers":               {map[string]func([]byte) []byte{"config.json": swap(`"n_layer": 6`, `"n_layer": 7`)}, "h.6."},
	} {
		_, err := lens.LoadWith(modelFolder(t, try.replace), lens.LoadOptions{CacheDir: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), try.says) {
			t.Errorf("%s: %v, want it to name %q", name, err, try.says)
		}
	}
}

func TestUnusableCacheFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := lens.LoadWith(lens.Embedded, lens.LoadOptions{CacheDir: filepath.Join(file, "cache")})
	var e *lens.Error
	if !errors.As(err, &e) || e.Code != lens.Unavailable || !strings.Contains(err.Error(), lens.CacheDirEnv) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

// A conversation of one model is not shown with another's lens.
func TestConversationOfAnotherModel(t *testing.T) {
	dir := t.TempDir()
	capitals(t, loadIn(t, lens.Embedded, dir), lens.ChatOptions{ID: "x"})
	other := loadIn(t, modelFolder(t, map[string]func([]byte) []byte{"config.json": swap(`"resid_pdrop": 0.0`, `"resid_pdrop": 0.1`)}), dir)
	if _, err := other.Reopen("x"); err == nil || !strings.Contains(err.Error(), "another model") {
		t.Errorf("reopened: %v", err)
	}
	if _, err := other.NewChat(lens.ChatOptions{ID: "x"}); err == nil || !strings.Contains(err.Error(), "another model") {
		t.Errorf("begun: %v", err)
	}
	if err := other.Forget("x"); err == nil || !strings.Contains(err.Error(), "another model") {
		t.Errorf("forgotten: %v", err)
	}
	if list := must(other.Conversations())(t); len(list) != 0 {
		t.Errorf("listed: %v", list)
	}
}

// An empty chat says so, whatever is asked of it.
func TestEmptyConversation(t *testing.T) {
	c := must(load(t, lens.Embedded).NewChat(lens.ChatOptions{}))(t)
	_, click := c.Click(-1)
	_, grid := c.Grid(0, 1)
	_, rows := c.Residuals(context.Background(), 0, 1)
	for _, err := range []error{click, grid, rows} {
		if err == nil || !strings.Contains(err.Error(), "no tokens yet") {
			t.Errorf("%v", err)
		}
	}
	c.MIMEBundle()
}

// A conversation whose files are spoilt can be forgotten, and a prompt is captured again.
func TestSpoiltConversation(t *testing.T) {
	dir := t.TempDir()
	m, err := lens.LoadWith(lens.Embedded, lens.LoadOptions{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	capitals(t, m, lens.ChatOptions{ID: "x"})
	want := must(m.LogitLens(context.Background(), "The capital of Peru is", lens.LensOptions{}))(t)
	files := must(filepath.Glob(filepath.Join(dir, "conv", "*", "metadata.json")))(t)
	if len(files) != 2 {
		t.Fatalf("conversations %v", files)
	}
	for _, path := range files {
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	after := loadIn(t, lens.Embedded, dir)
	got := must(after.LogitLens(context.Background(), "The capital of Peru is", lens.LensOptions{}))(t)
	if got.String() != want.String() {
		t.Error("captured again, the prompt shows other numbers")
	}
	if _, err := after.NewChat(lens.ChatOptions{ID: "x"}); err == nil || !strings.Contains(err.Error(), "Forget") {
		t.Errorf("a chat under a spoilt name: %v", err)
	}
	if err := after.Forget("x"); err != nil {
		t.Error(err)
	}
	capitals(t, after, lens.ChatOptions{ID: "x"})
}
