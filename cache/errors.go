package cache

import (
	"errors"
	"fmt"
	"strings"
)

// Errors for callers that branch. They arrive wrapped with the conversation or folder concerned.
var (
	// ErrExists: a conversation of that id is there already.
	ErrExists = errors.New("exists already")
	// ErrNotFound: no conversation of that id, or it was deleted while it was open.
	ErrNotFound = errors.New("not found")
	// ErrID: the id cannot name a conversation.
	ErrID = errors.New("cannot name a conversation")
	// ErrLocked: another process, or another Store of this one, is writing to the conversation.
	ErrLocked = errors.New("another process is writing to it")
	// ErrChanged: another process appended since the conversation was read; its new tokens are visible now.
	ErrChanged = errors.New("another process has added to it")
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("the cache is closed")
	// ErrVersion: the folder was written by a newer, unknown major version of the format.
	ErrVersion = errors.New("unknown cache format version")
	// ErrNoLocks: the folder lies on a file system on which processes cannot exclude one another.
	ErrNoLocks = errors.New("the file system has no locks, so two processes could write over each other: choose a folder on a local disk")
	// ErrUnsaved: tokens are only in memory, because the disk refuses them.
	ErrUnsaved = errors.New("not saved")
	// ErrMissing: rows are not stored and no Recompute was given.
	ErrMissing = errors.New("rows are not stored and cannot be recomputed here")
)

// CorruptError says where stored bytes are not what was written.
type CorruptError struct {
	File   string // path inside the cache folder
	Offset int64  // first byte of the damaged part
	Err    error  // what is wrong with it
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d: %v", e.File, e.Offset, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// join is errors.Join on one line.
func join(errs ...error) error {
	var list joined
	for _, err := range errs {
		if err != nil {
			list = append(list, err)
		}
	}
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return list
}

type joined []error

func (j joined) Error() string {
	lines := make([]string, len(j))
	for i, err := range j {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "; ")
}

func (j joined) Unwrap() []error { return j }
