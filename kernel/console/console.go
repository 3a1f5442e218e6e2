package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/gopherlens/gopherlens/kernel/client"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

// Options are what Run works with. Client, In, Out and Err are needed.
type Options struct {
	Client *client.Client
	In     io.Reader
	// Out gets what cells print and show, Err their standard error and failures.
	Out, Err io.Writer
	// Interrupts gets a value for each Ctrl-C while a cell runs.
	Interrupts <-chan os.Signal
	// Getenv tells about the terminal; nil means os.Getenv.
	Getenv func(string) string
	// PictureDir is where pictures go that the terminal cannot show; "" means a
	// temporary folder of their own, which stays.
	PictureDir string
}

// console is one Run.
type console struct {
	Options
	lines   lines
	count   int    // of the next cell
	pending string // text that the kernel wants to be the next cell
	current atomic.Value
	sixels  bool                                  // the terminal shows them
	size    func() (width, height int, err error) // of the terminal, in characters; may be nil
	dir     string                                // of pictures
	shown   int
}

// lines is where input comes from.
type lines interface {
	// read returns a line without its end. io.EOF ends the input, errCancelled
	// means that the user wants to start the cell anew.
	read(prompt, before string) (string, error)
	// ask is read for a question of a cell.
	ask(prompt string, hidden bool) (string, error)
	// out is where output goes while a line is being edited.
	out() io.Writer
}

var errCancelled = errors.New("cancelled")

// Run reads and runs cells until the input ends, a line says exit or quit, the
// kernel is gone, or ctx is done.
func Run(ctx context.Context, opt Options) error {
	c := &console{Options: opt, count: 1}
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	c.current.Store("")
	c.lines = c.newLines(ctx)
	info, err := c.Client.KernelInfo(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "%s\nCtrl-D or exit ends the console, %%help lists commands.\n", info.Banner)
	c.Client.Tap(c.late)
	for {
		cell, err := c.cell(ctx)
		switch {
		case errors.Is(err, errCancelled):
			continue
		case errors.Is(err, io.EOF) && strings.TrimSpace(cell) == "":
			fmt.Fprintln(c.Out)
			return nil
		case err != nil && !errors.Is(err, io.EOF):
			return err
		}
		if word := strings.TrimSpace(cell); word == "exit" || word == "quit" {
			return nil
		} else if word == "" {
			continue
		}
		if err := c.run(ctx, cell); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// cell reads lines until they make a whole cell.
func (c *console) cell(ctx context.Context) (string, error) {
	text := c.pending
	c.pending = ""
	prompt := fmt.Sprintf("In [%d]: ", c.count)
	more := strings.Repeat(" ", max(0, len(prompt)-len("...: "))) + "...: "
	if text != "" {
		prompt = more
	}
	for {
		line, err := c.lines.read(prompt, text)
		if err != nil {
			return text, err
		}
		if text == "" && strings.TrimSpace(line) == "" {
			continue
		}
		text += line + "\n"
		if word := strings.TrimSpace(text); word == "exit" || word == "quit" {
			return text, nil
		}
		got, err := c.Client.IsComplete(ctx, text)
		if err != nil {
			return "", err
		}
		if got.Status != "incomplete" {
			return strings.TrimSuffix(text, "\n"), nil
		}
		prompt = more
	}
}

// run executes a cell and prints its outputs.
func (c *console) run(ctx context.Context, code string) error {
	req := wire.NewExecuteContent(code)
	req.AllowStdin = true
	m, err := c.Client.NewMessage(wire.ExecuteRequest, req)
	if err != nil {
		return err
	}
	c.current.Store(m.Header.MsgID)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for {
			select {
			case <-c.Interrupts:
				c.Client.Interrupt(ctx) // a failure shows in the cell
			case <-ctx.Done():
				return
			}
		}
	}()
	reply, err := c.Client.Do(ctx, wire.Shell, m, func(m *wire.Message) {
		if m.Header.MsgType == wire.InputRequest {
			c.answer(m)
			return
		}
		c.show(m, c.Out, c.Err)
	})
	c.current.Store("") // what its goroutines print from here on is late
	if err != nil {
		return err
	}
	var r wire.ExecuteReplyContent
	if err := reply.Decode(&r); err != nil {
		return err
	}
	c.count = r.ExecutionCount + 1
	for _, p := range r.Payload {
		c.payload(p)
	}
	return nil
}

// answer asks the user what a cell asks. A refusal interrupts the cell.
func (c *console) answer(m *wire.Message) {
	var q wire.InputContent
	if m.Decode(&q) != nil {
		return
	}
	text, err := c.lines.ask(q.Prompt, q.Password)
	if err == nil {
		var reply *wire.Message
		if reply, err = c.Client.NewMessage(wire.InputReply, wire.InputReplyContent{Value: text}); err == nil {
			err = c.Client.Send(wire.Stdin, reply)
		}
	}
	if err != nil {
		go c.Client.Interrupt(context.Background()) // which must not wait for this callback
	}
}

// late prints what goroutines of earlier cells print.
func (c *console) late(_ wire.Channel, m *wire.Message) {
	parent := m.ParentHeader()
	if m.Header.MsgType == wire.Stream && parent.MsgType == wire.ExecuteRequest && parent.MsgID != c.current.Load() {
		w := c.lines.out()
		c.show(m, w, w)
	}
}

func (c *console) payload(p map[string]any) {
	switch p["source"] {
	case "page":
		data, _ := p["data"].(map[string]any)
		if text, ok := data["text/plain"].(string); ok {
			fmt.Fprintln(c.Out, text)
		}
	case "set_next_input":
		text, _ := p["text"].(string)
		fmt.Fprintln(c.Out, text)
		c.pending = strings.TrimSuffix(text, "\n") + "\n"
	}
}
