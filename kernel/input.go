package kernel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// ErrNoInput is the error of Cell.Input when nobody can be asked.
var ErrNoInput = errors.New("this front end cannot be asked for input")

// stdinPatience is how long a question waits for the stdin channel: front ends
// connect their channels side by side, and this one may be the last.
const stdinPatience = 500 * time.Millisecond

// input asks the client that sent r for a line and waits for it, or for the end
// of the cell.
func (k *Kernel) input(r *request, allowed bool, out *output, prompt string, password bool) (string, error) {
	if !allowed {
		return "", ErrNoInput
	}
	if r.ctx.Err() != nil { // a late goroutine must not ask in place of another cell
		return "", fmt.Errorf("ask for input: %w", context.Canceled)
	}
	out.flush(false) // the prompt stands below what was printed before it
	answer := make(chan string, 1)
	if err := k.ask(r, answer); err != nil {
		return "", err
	}
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.inputAnswer, k.inputAsker = nil, nil
		<-k.asking
	}()
	question := k.message(wire.InputRequest, r.msg.HeaderJSON(), wire.InputContent{Prompt: prompt, Password: password})
	for began := time.Now(); !k.stdin.Send(r.from, question); time.Sleep(stdinPatience / 100) {
		if time.Since(began) > stdinPatience || r.ctx.Err() != nil {
			return "", fmt.Errorf("%w: it has no stdin channel", ErrNoInput)
		}
	}
	select {
	case s := <-answer:
		return s, nil
	case <-r.ctx.Done():
		return "", fmt.Errorf("wait for input: %w", context.Canceled)
	}
}

// ask waits until no other shell's cell has a question: answers do not tell which
// question they are for.
func (k *Kernel) ask(r *request, answer chan string) error {
	k.mu.Lock()
	twice := k.inputAsker == r
	k.mu.Unlock()
	if twice {
		return errors.New("another goroutine of the cell is asking for input")
	}
	select {
	case k.asking <- struct{}{}:
	case <-r.ctx.Done():
		return fmt.Errorf("wait to ask for input: %w", context.Canceled)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.inputAnswer, k.inputAsker = answer, r
	return nil
}

// answered takes an input_reply to whoever waits. Clients do not set its parent,
// so any reply is for the only question there is; without one it is dropped.
func (k *Kernel) answered(m *wire.Message, _ wire.Route) {
	var c wire.InputReplyContent
	if m.Header.MsgType != wire.InputReply || m.Decode(&c) != nil {
		k.cfg.Log.Warn("ignored a message on stdin", "type", m.Header.MsgType)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	select {
	case k.inputAnswer <- c.Value:
	default:
		k.cfg.Log.Warn("dropped an answer that nobody waits for")
	}
}
