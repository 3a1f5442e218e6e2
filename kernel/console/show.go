package console

import (
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// kittyChunk is how much of a picture one escape sequence may carry.
const kittyChunk = 4096

// show prints a message of a cell.
func (c *console) show(m *wire.Message, out, errs io.Writer) {
	switch m.Header.MsgType {
	case wire.Stream:
		var s wire.StreamContent
		if m.Decode(&s) == nil {
			if s.Name == "stderr" {
				out = errs
			}
			io.WriteString(out, s.Text)
		}
	case wire.ExecuteResult:
		var r wire.ExecuteResultContent
		if m.Decode(&r) == nil {
			c.bundle(out, fmt.Sprintf("Out[%d]: ", r.ExecutionCount), r.Data)
		}
	case wire.DisplayData, wire.UpdateDisplayData:
		var d wire.DisplayContent
		if m.Decode(&d) == nil {
			c.bundle(out, "", d.Data)
		}
	case wire.Error:
		var e wire.ErrorContent
		if m.Decode(&e) == nil {
			fmt.Fprintln(errs, strings.Join(e.Traceback, "\n"))
		}
	}
}

// bundle prints the text of a value, and its picture.
func (c *console) bundle(out io.Writer, head string, data wire.Bundle) {
	if text, ok := data["text/plain"].(string); ok {
		if strings.Contains(text, "\n") && head != "" {
			head = strings.TrimSuffix(head, " ") + "\n"
		}
		fmt.Fprintf(out, "%s%s\n", head, text)
	}
	for mime, ending := range map[string]string{"image/png": ".png", "image/jpeg": ".jpg"} {
		text, ok := data[mime].(string)
		if !ok {
			continue
		}
		picture, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(text, "\n", ""))
		if err != nil {
			continue
		}
		if mime == "image/png" && c.kitty() {
			kitty(out, picture)
			return
		}
		if c.sixels && c.sixel(out, picture) == nil {
			return
		}
		name, err := c.save(picture, ending)
		if err != nil {
			fmt.Fprintf(out, "[picture: %v]\n", err)
			return
		}
		fmt.Fprintf(out, "[picture: %s]\n", name)
		return
	}
}

// kitty reports whether the terminal says that it knows kitty's way of showing
// pictures.
func (c *console) kitty() bool {
	return c.Getenv("KITTY_WINDOW_ID") != "" || strings.Contains(c.Getenv("TERM"), "kitty") || c.Getenv("TERM_PROGRAM") == "ghostty" || c.Getenv("TERM_PROGRAM") == "WezTerm"
}

// kitty sends a picture as sw.kovidgoyal.net/kitty/graphics-protocol has it.
func kitty(w io.Writer, png []byte) {
	text := base64.StdEncoding.EncodeToString(png)
	for first := true; len(text) > 0 || first; first = false {
		chunk := text[:min(len(text), kittyChunk)]
		text = text[len(chunk):]
		control, more := "", 0
		if first {
			control = "a=T,f=100,"
		}
		if text != "" {
			more = 1
		}
		fmt.Fprintf(w, "\x1b_G%sm=%d;%s\x1b\\", control, more, chunk)
	}
	fmt.Fprintln(w)
}

func (c *console) save(picture []byte, ending string) (string, error) {
	if c.dir == "" {
		if c.dir = c.PictureDir; c.dir == "" {
			var err error
			if c.dir, err = os.MkdirTemp("", "gopherlens-"); err != nil {
				return "", err
			}
		}
	}
	c.shown++
	name := filepath.Join(c.dir, fmt.Sprintf("picture-%d%s", c.shown, ending))
	return name, os.WriteFile(name, picture, 0o600)
}
