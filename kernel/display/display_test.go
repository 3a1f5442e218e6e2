package display_test

import (
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/display"
)

type simple struct{}

func (simple) SimpleRender() display.MIMEMap {
	return display.MIMEMap{"text/html": "<i>s</i>", "text/plain": "s"}
}

type renderer struct{}

func (renderer) Render() display.Data { return display.Markdown("*r*") }

type tensor struct{}

func (tensor) Shape() []int   { return []int{2, 3} }
func (tensor) String() string { return "1 2 3\n4 5 6\n" }

func TestShown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.svg")
	if err := os.WriteFile(file, []byte("<svg/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	img := image.NewGray(image.Rect(0, 0, 3, 2))
	for _, c := range []struct {
		v          any
		mime, want string
		plain      string
	}{
		{display.HTML("<b>h</b>"), "text/html", "<b>h</b>", "<b>h</b>"},
		{display.Markdown("**m**"), "text/markdown", "**m**", "**m**"},
		{display.Latex("x^2"), "text/latex", "$x^2$", "x^2"},
		{display.Math("$x^2$"), "text/latex", "$$x^2$$", "$x^2$"},
		{display.SVG("<svg/>"), "image/svg+xml", "<svg/>", "<svg/>"},
		{display.JavaScript("1"), "application/javascript", "1", "1"},
		{display.PNG([]byte{1, 2, 3}), "image/png", "AQID", "image/png, 3 bytes"},
		{display.PDF([]byte{1, 2, 3}), "application/pdf", "AQID", "application/pdf, 3 bytes"},
		{display.Auto([]byte("\xff\xd8\xff")), "image/jpeg", "/9j/", "image/jpeg, 3 bytes"},
		{display.Auto(5), "text/plain", "5", "5"},
		{display.File("image/svg+xml", file), "image/svg+xml", "<svg/>", "image/svg+xml, 6 bytes"},
		{display.MakeData3("text/html", "plain", "<p>"), "text/html", "<p>", "plain"},
		{simple{}, "text/html", "<i>s</i>", "s"},
		{renderer{}, "text/markdown", "*r*", "*r*"},
		{tensor{}, "text/plain", "display_test.tensor, shape (2, 3)\n1 2 3\n4 5 6", "display_test.tensor, shape (2, 3)\n1 2 3\n4 5 6"},
		{display.Image(img), "text/plain", "image, 3 x 2", "image, 3 x 2"},
	} {
		got, err := kernel.Bundle(c.v)
		if err != nil || got[c.mime] != c.want || got["text/plain"] != c.plain {
			t.Errorf("%v: %v (%v), want %s %s and %s", c.v, got, err, c.mime, c.want, c.plain)
		}
	}
	if got, _ := kernel.Bundle(display.Image(img)); got["image/png"] == nil {
		t.Errorf("no picture in %v", got)
	}
	if got, _ := kernel.Bundle(display.File("", file+"x")); !strings.Contains(got["text/plain"].(string), "no such file") {
		t.Errorf("a missing file: %v", got)
	}
}
