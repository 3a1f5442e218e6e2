package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// Code names a kind of failure, for programs.
type Code string

// The codes, and below the status each is answered with.
const (
	BadRequest       Code = "bad_request"            // the request cannot be read: JSON that is none, a body that ends early
	Unauthorized     Code = "unauthorized"           // the token is missing or wrong
	Forbidden        Code = "forbidden"              // the request comes from a foreign page or asks for a foreign host
	NotFound         Code = "not_found"              // no such address, model, conversation or position
	MethodNotAllowed Code = "method_not_allowed"     // the address knows other methods, which Allow lists
	NotAcceptable    Code = "not_acceptable"         // none of the types that Accept names can be given
	TimedOut         Code = "timed_out"              // the request's body did not come in time
	Conflict         Code = "conflict"               // the conversation is being answered, belongs to another model, or says otherwise
	TooLarge         Code = "too_large"              // the body is larger than allowed
	UnsupportedMedia Code = "unsupported_media_type" // the body is no JSON
	Invalid          Code = "invalid"                // a field is not known or out of range: the message says what is allowed
	Busy             Code = "busy"                   // too many runs wait: Retry-After says when to come again
	Internal         Code = "internal"               // a defect of ours, of which the server's log knows more
	Unavailable      Code = "unavailable"            // the disk or a model's files failed, or the server is shutting down
)

var statuses = map[Code]int{
	BadRequest:       http.StatusBadRequest,
	Unauthorized:     http.StatusUnauthorized,
	Forbidden:        http.StatusForbidden,
	NotFound:         http.StatusNotFound,
	MethodNotAllowed: http.StatusMethodNotAllowed,
	NotAcceptable:    http.StatusNotAcceptable,
	TimedOut:         http.StatusRequestTimeout,
	Conflict:         http.StatusConflict,
	TooLarge:         http.StatusRequestEntityTooLarge,
	UnsupportedMedia: http.StatusUnsupportedMediaType,
	Invalid:          http.StatusUnprocessableEntity,
	Busy:             http.StatusTooManyRequests,
	Internal:         http.StatusInternalServerError,
	Unavailable:      http.StatusServiceUnavailable,
}

// Error is the body of every answer that is not a success, and of the event that ends a stream which failed.
type Error struct {
	Detail ErrorDetail `json:"error"`
	retry  time.Duration
	cause  error // for the log
}

// ErrorDetail says what failed: a code for programs, one line for people.
type ErrorDetail struct {
	Code    Code   `json:"code" enum:"bad_request,unauthorized,forbidden,not_found,method_not_allowed,not_acceptable,timed_out,conflict,too_large,unsupported_media_type,invalid,busy,internal,unavailable"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Detail.Message }

// Unwrap returns the cause, which is for the server's log alone.
func (e *Error) Unwrap() error { return e.cause }

// GetStatus is the HTTP status.
func (e *Error) GetStatus() int { return statuses[e.Detail.Code] }

// GetHeaders are the headers that go with it.
func (e *Error) GetHeaders() http.Header {
	h := http.Header{}
	if e.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int((e.retry+time.Second-1)/time.Second)))
	}
	return h
}

func errorf(code Code, format string, args ...any) *Error {
	return &Error{Detail: ErrorDetail{code, fmt.Sprintf(format, args...)}}
}

// fail turns what a lens call returned into what a client may know: errors of the request as they are, all others without their cause, which may name
// files of this machine.
func fail(err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var l *lens.Error
	if errors.As(err, &l) {
		switch {
		case l.Code == lens.Invalid:
			return errorf(Invalid, "%s", oneLine(err.Error()))
		case l.Code == lens.NotFound:
			return errorf(NotFound, "%s", oneLine(err.Error()))
		case l.Code == lens.Interrupted || errors.Is(err, context.Canceled):
			e := errorf(Unavailable, "the request was given up: what was acknowledged before is kept")
			e.cause = err
			return e
		case l.Code == lens.Unavailable:
			e := errorf(Unavailable, "the cache or a file of the model failed: the server's log says how")
			e.cause = err
			return e
		}
	}
	if errors.Is(err, context.Canceled) {
		return errorf(Unavailable, "the request was given up")
	}
	e := errorf(Internal, "a defect of the server: its log says more")
	e.cause = err
	return e
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// The framework's own refusals take our form. It knows one form for the whole program, and this package is its only user.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError { return refusal(status, msg, errs) }
}

// refusal is an error of the framework: of a request that its declaration does not allow.
func refusal(status int, msg string, errs []error) *Error {
	code := Internal
	for c, s := range statuses {
		if s == status {
			code = c
		}
	}
	const shown = 3
	var lines []string
	for i, err := range errs {
		if i == shown {
			lines = append(lines, fmt.Sprintf("and %d more", len(errs)-shown))
			break
		}
		if d, ok := err.(huma.ErrorDetailer); ok {
			detail := d.ErrorDetail()
			line := detail.Message
			if detail.Location != "" {
				line = detail.Location + ": " + line
			}
			lines = append(lines, line)
		} else if err != nil {
			lines = append(lines, err.Error())
		}
	}
	if code == Internal { // it met something that no request should be able to cause
		e := errorf(Internal, "a defect of the server: its log says more")
		e.cause = fmt.Errorf("%s: %s", msg, strings.Join(lines, "; "))
		return e
	}
	if len(lines) > 0 {
		msg = strings.Join(lines, "; ")
	}
	const most = 500
	if msg = oneLine(msg); len(msg) > most {
		msg = strings.ToValidUTF8(msg[:most], "") + "…"
	}
	return errorf(code, "%s", msg)
}
