package client

import (
	"context"
	"fmt"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// ReplyError is a reply with status error (or aborted) to a request that should
// not fail.
type ReplyError struct {
	MsgType string
	wire.Failure
}

// Error names the reply and what the kernel says.
func (e *ReplyError) Error() string {
	if e.Status == wire.StatusAborted {
		return e.MsgType + ": aborted"
	}
	return fmt.Sprintf("%s: %s: %s", e.MsgType, e.EName, e.EValue)
}

// ask sends a request whose reply has the content T.
func ask[T any](ctx context.Context, c *Client, ch wire.Channel, msgType string, content any) (T, error) {
	var v T
	reply, err := c.Request(ctx, ch, msgType, content, nil)
	if err != nil {
		return v, err
	}
	var f wire.Failure
	if err := reply.Decode(&f); err != nil {
		return v, err
	}
	if f.Status == wire.StatusError || f.Status == wire.StatusAborted {
		return v, &ReplyError{reply.Header.MsgType, f}
	}
	return v, reply.Decode(&v)
}

// KernelInfo asks who the kernel is.
func (c *Client) KernelInfo(ctx context.Context) (wire.KernelInfoContent, error) {
	return ask[wire.KernelInfoContent](ctx, c, wire.Shell, wire.KernelInfoRequest, struct{}{})
}

// Execute runs a cell and returns when all its output has been given to output
// (execute_input, stream, display_data, execute_result, error, ...; it may be
// nil). A cell that fails is reported in the reply's Status, not as an error.
// When ctx ends first the cell goes on: call Interrupt to stop it.
func (c *Client) Execute(ctx context.Context, code string, output func(*wire.Message)) (wire.ExecuteReplyContent, error) {
	return c.ExecuteRequest(ctx, wire.NewExecuteContent(code), output)
}

// ExecuteRequest is Execute with all options. With AllowStdin, output also gets
// input_request messages; see Request.
func (c *Client) ExecuteRequest(ctx context.Context, req wire.ExecuteContent, output func(*wire.Message)) (wire.ExecuteReplyContent, error) {
	var v wire.ExecuteReplyContent
	reply, err := c.Request(ctx, wire.Shell, wire.ExecuteRequest, req, output)
	if err != nil {
		return v, err
	}
	return v, reply.Decode(&v)
}

// Complete asks for completions at cursor, in code points.
func (c *Client) Complete(ctx context.Context, code string, cursor int) (wire.CompleteReplyContent, error) {
	return ask[wire.CompleteReplyContent](ctx, c, wire.Shell, wire.CompleteRequest, wire.CompleteContent{Code: code, CursorPos: &cursor})
}

// Inspect asks what stands at cursor, in code points.
func (c *Client) Inspect(ctx context.Context, code string, cursor, detail int) (wire.InspectReplyContent, error) {
	return ask[wire.InspectReplyContent](ctx, c, wire.Shell, wire.InspectRequest, wire.InspectContent{Code: code, CursorPos: &cursor, DetailLevel: detail})
}

// IsComplete asks whether code is a whole cell.
func (c *Client) IsComplete(ctx context.Context, code string) (wire.IsCompleteReplyContent, error) {
	return ask[wire.IsCompleteReplyContent](ctx, c, wire.Shell, wire.IsCompleteRequest, wire.IsCompleteContent{Code: code})
}

// History asks for cells that were run before.
func (c *Client) History(ctx context.Context, req wire.HistoryContent) (wire.HistoryReplyContent, error) {
	return ask[wire.HistoryReplyContent](ctx, c, wire.Shell, wire.HistoryRequest, req)
}

// Interrupt interrupts the running cell; it does not wait for the cell's end.
func (c *Client) Interrupt(ctx context.Context) error {
	_, err := ask[wire.Failure](ctx, c, wire.Control, wire.InterruptRequest, struct{}{})
	return err
}

// Shutdown asks the kernel to end and waits for its reply.
func (c *Client) Shutdown(ctx context.Context, restart bool) error {
	_, err := ask[wire.ShutdownContent](ctx, c, wire.Control, wire.ShutdownRequest, wire.ShutdownContent{Restart: restart})
	return err
}

// Ping sends a heartbeat and waits for its echo. One Ping runs at a time.
func (c *Client) Ping(ctx context.Context) error {
	c.pinging.Lock()
	defer c.pinging.Unlock()
	p := c.peers[wire.Heartbeat]
	if err := p.Send([][]byte{nil, []byte("ping")}); err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	echo := make(chan error, 1)
	go func() {
		_, err := p.Recv()
		echo <- err
	}()
	select {
	case err := <-echo:
		if err != nil {
			return fmt.Errorf("heartbeat: %w", err)
		}
		return nil
	case <-ctx.Done():
		// The echo may still come and would answer the next Ping too early.
		p.Close()
		<-echo
		return ctx.Err()
	}
}
