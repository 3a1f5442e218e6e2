package display

import (
	"encoding/json"
	"fmt"
)

// Message is what one side of a Comm tells the other.
type Message struct {
	Data     map[string]any // becomes a JSON object; nil is an empty one
	Metadata map[string]any // nil for none
	Buffers  [][]byte       // sent as they are, beside the JSON
}

// Decode puts Data into what v points to, as package json does.
func (m Message) Decode(v any) error {
	b, err := json.Marshal(m.Data)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("comm: %w", err)
	}
	return nil
}

// Comm is a line between a cell and the front ends: a widget, or a script in an
// output. OpenComm opens one from a cell, RegisterComm takes those that front ends
// open. All methods may be called from several goroutines.
type Comm interface {
	// ID tells the comm from all others.
	ID() string
	// Target is the name by which it was opened.
	Target() string
	// Send tells the front ends. It fails when the comm is closed, or when JSON cannot
	// hold the message.
	Send(m Message) error
	// Close ends the comm with a last message; further ones fail.
	Close(m Message) error
	// Handle sets what is called with each message of a front end, and when a front
	// end closes the comm; either may be nil. It runs as part of the cell that sets it,
	// beside whatever cell runs by then if the front end sends to a subshell, as
	// JupyterLab does. Its panic is told below that cell; an interrupt ends it.
	Handle(received, closed func(Message))
}
