package interp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/display"
)

var errNoComms = errors.New("this front end knows no comms")

// openComm is the predeclared OpenComm.
func (s *Session) openComm(target string, m display.Message) (display.Comm, error) {
	h := s.host()
	if h.OpenComm == nil {
		return nil, errNoComms
	}
	if target == "" {
		return nil, errors.New("comm: a target needs a name")
	}
	msg, err := outgoing(m)
	if err != nil {
		return nil, err
	}
	c, err := h.OpenComm(target, msg)
	if err != nil {
		return nil, err
	}
	return cellComm{s, c}, nil
}

// registerComm is the predeclared RegisterComm.
func (s *Session) registerComm(target string, open func(display.Comm, display.Message) error) {
	h := s.host()
	if h.RegisterComm == nil {
		panic(errNoComms)
	}
	if target == "" {
		panic(errors.New("comm: a target needs a name"))
	}
	if open == nil {
		h.RegisterComm(target, nil)
		return
	}
	cell := s.output()
	h.RegisterComm(target, func(ctx context.Context, c *kernel.Comm, m kernel.CommMessage) error {
		var refused error
		if err := s.handle(ctx, cell, target, func() { refused = open(cellComm{s, c}, incoming(m)) }); err != nil {
			return err
		}
		if refused != nil {
			fmt.Fprintf(cellFile{cell}, "comm %s was refused: %v\n", target, refused)
		}
		return refused
	})
}

// cellComm is a comm as cells see it.
type cellComm struct {
	s *Session
	c *kernel.Comm
}

func (c cellComm) ID() string     { return c.c.ID() }
func (c cellComm) Target() string { return c.c.Target() }

func (c cellComm) String() string { return fmt.Sprintf("comm %s to %s", c.c.ID(), c.c.Target()) }

func (c cellComm) Send(m display.Message) error { return deliver(m, c.c.Send) }

func (c cellComm) Close(m display.Message) error { return deliver(m, c.c.Close) }

func (c cellComm) Handle(received, closed func(display.Message)) {
	cell := c.s.output()
	handler := func(f func(display.Message)) func(context.Context, kernel.CommMessage) {
		if f == nil {
			return nil
		}
		return func(ctx context.Context, m kernel.CommMessage) {
			c.s.handle(ctx, cell, c.c.Target(), func() { f(incoming(m)) }) // which tells an error
		}
	}
	c.c.Handle(handler(received), handler(closed))
}

// handle runs what a message of a front end calls as a part of the cell that gave
// it, but with a context of its own: the cell has ended, this can be interrupted. Its
// error is told below the cell.
func (s *Session) handle(ctx context.Context, cell *cellIO, target string, f func()) error {
	own := &cellIO{stdout: cell.stdout, stderr: cell.stderr, host: cell.host, ctx: ctx, apart: true}
	r := newRun(own, "")
	if !s.begin(r) {
		return errors.New("the session is closed")
	}
	err := s.perform(ctx, r, func() error { return s.caught(func() error { f(); return nil }) })
	var e *kernel.EvalError
	if errors.As(err, &e) {
		fmt.Fprintf(cellFile{cell}, "comm %s: %s\n", target, strings.Join(e.Traceback, "\n"))
	}
	return err
}

func deliver(m display.Message, to func(kernel.CommMessage) error) error {
	msg, err := outgoing(m)
	if err != nil {
		return err
	}
	return to(msg)
}

func outgoing(m display.Message) (kernel.CommMessage, error) {
	out := kernel.CommMessage{Buffers: m.Buffers}
	for _, part := range []struct {
		name string
		from map[string]any
		to   *json.RawMessage
	}{{"data", m.Data, &out.Data}, {"metadata", m.Metadata, &out.Metadata}} {
		if part.from == nil {
			continue
		}
		b, err := json.Marshal(part.from)
		if err != nil {
			return out, fmt.Errorf("comm: the %s of a message: %w", part.name, err)
		}
		*part.to = b
	}
	return out, nil
}

// incoming is for what the kernel has found to be objects.
func incoming(m kernel.CommMessage) display.Message {
	in := display.Message{Buffers: m.Buffers}
	for _, part := range []struct {
		from json.RawMessage
		to   *map[string]any
	}{{m.Data, &in.Data}, {m.Metadata, &in.Metadata}} {
		if part.from != nil && json.Unmarshal(part.from, part.to) != nil {
			*part.to = nil
		}
	}
	return in
}
