package forward

import (
	"errors"
	"fmt"
)

// ErrEmpty says that a call was given no token.
var ErrEmpty = errors.New("no tokens: at least one id is needed")

// ContextError says that a sequence would be longer than the model's context.
type ContextError struct {
	Have  int // positions already in the session
	Add   int // positions asked for
	Limit int // the model's context
}

func (e *ContextError) Error() string {
	if e.Have == 0 {
		return fmt.Sprintf("%d tokens do not fit the context of %d", e.Add, e.Limit)
	}
	return fmt.Sprintf("%d tokens after the %d before them do not fit the context of %d", e.Add, e.Have, e.Limit)
}

// TokenError says that an id is not in the model's vocabulary.
type TokenError struct {
	Index int // in the ids given
	ID    int
	Size  int // of the vocabulary
}

func (e *TokenError) Error() string {
	return fmt.Sprintf("token %d has id %d, outside the vocabulary (0 to %d)", e.Index, e.ID, e.Size-1)
}
