package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What Jinja itself makes of published templates and of random expressions (testdata/make_chat.py). A template that Jinja
// refuses is refused; an expression may be refused, but not have another value.
func TestAgainstJinja(t *testing.T) {
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join("testdata", "chat", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	var cases []struct {
		Template, Expression, Want, Error string
		Messages                          []Message
		Generate                          bool
	}
	if err := json.Unmarshal([]byte(read("golden.json")), &cases); err != nil {
		t.Fatal(err)
	}
	with := func(template string) *Tokenizer {
		return &Tokenizer{template: template, bosText: "<s>", eosText: "</s>", unkText: "<unk>"}
	}
	frame := read("expression.txt")
	refused := 0
	for _, c := range cases {
		if c.Expression != "" {
			got, err := with(strings.Replace(frame, "EXPRESSION", c.Expression, 1)).RenderChat(cases[2].Messages, false)
			if err != nil {
				refused++
			} else if got != c.Want {
				t.Errorf("%s\n got %q\nwant %q", c.Expression, got, c.Want)
			}
			continue
		}
		got, err := with(read(c.Template)).RenderChat(c.Messages, c.Generate)
		if (err != nil) != (c.Error != "") || got != c.Want {
			t.Errorf("%s of %q: %v\n got %q\nwant %q %s", c.Template, c.Messages, err, got, c.Want, c.Error)
		}
	}
	if len(cases) < 900 || refused > 60 {
		t.Errorf("%d of %d were refused", refused, len(cases))
	}
}
