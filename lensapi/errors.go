package lens

import (
	"context"
	"errors"
	"fmt"

	"github.com/gopherlens/gopherlens/cache"
)

// Code says what kind of failure an Error is, so that a caller (a cell, an HTTP handler) can react without reading the message.
type Code string

// The codes an Error can carry.
const (
	Invalid     Code = "invalid"     // the request cannot be served as asked: the message names what was wrong and what is allowed
	NotFound    Code = "not_found"   // the model, conversation or position named does not exist
	Unavailable Code = "unavailable" // a resource failed: cache folder, disk, weights file
	Interrupted Code = "interrupted" // the context was cancelled; what was acknowledged before is kept
	Internal    Code = "internal"    // a defect of ours
)

// Error is what every call of this package returns when it fails: one line for people, a Code for programs, and the cause for errors.Is and errors.As.
type Error struct {
	Code    Code
	Message string
	Cause   error
}

// Error returns the message followed by the cause.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	if e.Message == "" {
		return e.Cause.Error()
	}
	return e.Message + ": " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

func invalidf(format string, args ...any) error {
	return &Error{Code: Invalid, Message: fmt.Sprintf(format, args...)}
}

func notFoundf(format string, args ...any) error {
	return &Error{Code: NotFound, Message: fmt.Sprintf(format, args...)}
}

// wrap gives err a code and a place; a cancelled context and an Error already made keep what they say.
func wrap(code Code, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	var own *Error
	if errors.As(err, &own) {
		code = own.Code
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		code = Interrupted
	}
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Cause: err}
}

func isNotFound(err error) bool { return errors.Is(err, cache.ErrNotFound) }

func isExists(err error) bool { return errors.Is(err, cache.ErrExists) }
