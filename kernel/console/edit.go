package console

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// historyLines is how many lines of earlier cells the arrow keys reach.
const historyLines = 1000

// newLines edits on a terminal and reads otherwise.
func (c *console) newLines(ctx context.Context) lines {
	in, ok := c.In.(*os.File)
	out, ok2 := c.Out.(*os.File)
	if !ok || !ok2 || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
		return &piped{bufio.NewReader(c.In), c.Out}
	}
	e := c.newEditor(ctx, c.In, c.Out)
	c.size = func() (int, int, error) { return term.GetSize(int(out.Fd())) }
	e.raw = func() (func(), error) {
		if w, h, err := term.GetSize(int(out.Fd())); err == nil {
			e.term.SetSize(w, h)
		}
		state, err := term.MakeRaw(int(in.Fd()))
		if err != nil {
			return nil, err
		}
		return func() { term.Restore(int(in.Fd()), state) }, nil
	}
	if name := c.Getenv("TERM"); !c.kitty() && name != "" && name != "dumb" {
		if restore, err := e.raw(); err == nil {
			c.sixels = e.in.knowsSixels(c.Out)
			restore()
		}
	}
	return e
}

// piped reads lines without prompts.
type piped struct {
	in *bufio.Reader
	w  io.Writer
}

func (p *piped) read(_, _ string) (string, error) {
	line, err := p.in.ReadString('\n')
	if err != nil && line == "" {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func (p *piped) ask(prompt string, _ bool) (string, error) {
	fmt.Fprint(p.w, prompt)
	return p.read("", "")
}

func (p *piped) out() io.Writer { return p.w }

// editor edits lines on a terminal, which is raw only meanwhile: while a cell
// runs, Ctrl-C is a signal.
type editor struct {
	c      *console
	ctx    context.Context
	in     *keys
	term   *term.Terminal
	raw    func() (restore func(), err error)
	before string // the cell's lines above the one being edited
	active atomic.Bool
}

func (c *console) newEditor(ctx context.Context, in io.Reader, out io.Writer) *editor {
	e := &editor{c: c, ctx: ctx, in: newKeys(in), raw: func() (func(), error) { return func() {}, nil }}
	e.fresh(out)
	n := historyLines
	if got, err := c.Client.History(ctx, wire.HistoryContent{HistAccessType: "tail", N: &n}); err == nil {
		for _, h := range got.History {
			if text, ok := h[2].(string); ok {
				for line := range strings.Lines(text) {
					e.term.History.Add(strings.TrimRight(line, "\r\n"))
				}
			}
		}
	}
	return e
}

// fresh makes a terminal without a half-typed line, with the history so far.
func (e *editor) fresh(out io.Writer) {
	old := e.term
	e.term = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{e.in, out}, "")
	e.term.History = &past{}
	if old != nil {
		e.term.History = old.History
	}
	e.term.AutoCompleteCallback = e.key
}

func (e *editor) read(prompt, before string) (string, error) {
	e.before = before
	e.term.SetPrompt(prompt)
	return e.edit(e.term.ReadLine)
}

func (e *editor) ask(prompt string, hidden bool) (string, error) {
	history := e.term.History
	e.term.History = &past{} // answers are not cells
	defer func() { e.term.History = history }()
	e.before = ""
	e.term.SetPrompt(prompt)
	if hidden {
		return e.edit(func() (string, error) { return e.term.ReadPassword(prompt) })
	}
	return e.edit(e.term.ReadLine)
}

func (e *editor) edit(read func() (string, error)) (string, error) {
	restore, err := e.raw()
	if err != nil {
		return "", err
	}
	defer restore()
	e.in.cancelled = false
	e.active.Store(true)
	defer e.active.Store(false)
	line, err := read()
	if err == io.EOF { // the terminal keeps what ended the line, and would end the next one
		if e.in.cancelled {
			fmt.Fprintln(e.term, "^C")
			err = errCancelled
		}
		e.fresh(e.c.Out)
		return "", err
	}
	if err == term.ErrPasteIndicator {
		err = nil
	}
	return line, err
}

// out prints above the line being edited.
func (e *editor) out() io.Writer {
	if e.active.Load() {
		return e.term
	}
	return e.c.Out
}

// key completes on Tab; at the head of a line a tab is a tab.
func (e *editor) key(line string, pos int, key rune) (string, int, bool) {
	if key != '\t' {
		return "", 0, false
	}
	if strings.TrimSpace(line[:pos]) == "" {
		return line[:pos] + "\t" + line[pos:], pos + 1, true
	}
	code := e.before + line
	got, err := e.c.Client.Complete(e.ctx, code, utf8.RuneCountInString(code[:len(e.before)+pos]))
	if err != nil || len(got.Matches) == 0 {
		return line, pos, true
	}
	start := runeOffset(code, got.CursorStart) - len(e.before)
	if start < 0 || start > pos {
		return line, pos, true
	}
	text := got.Matches[0]
	for _, m := range got.Matches[1:] {
		text = common(text, m)
	}
	if text == line[start:pos] && len(got.Matches) > 1 {
		fmt.Fprintln(e.term, strings.Join(got.Matches, "  "))
	}
	if len(text) < pos-start {
		return line, pos, true
	}
	return line[:start] + text + line[pos:], start + len(text), true
}

func runeOffset(s string, n int) int {
	for i := range s {
		if n--; n < 0 {
			return i
		}
	}
	return len(s)
}

// common is the head that a and b share, in whole characters.
func common(a, b string) string {
	for i, r := range a {
		if !strings.HasPrefix(b[min(i, len(b)):], string(r)) {
			return a[:i]
		}
	}
	return a
}

// past is the history of lines, newest last.
type past struct{ lines []string }

func (h *past) Add(line string) {
	if strings.TrimSpace(line) == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	if h.lines = append(h.lines, line); len(h.lines) > historyLines {
		h.lines = h.lines[1:]
	}
}

func (h *past) Len() int { return len(h.lines) }

func (h *past) At(i int) string { return h.lines[len(h.lines)-1-i] }
