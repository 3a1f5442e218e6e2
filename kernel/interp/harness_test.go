package interp

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
)

// testSession evaluates cells and keeps what they print.
type testSession struct {
	*Session
	count int
}

type lockedBuffer struct {
	mu      sync.Mutex
	b       bytes.Buffer
	written func() // called at each write; may be nil
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.written != nil {
		l.written()
	}
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type outcome struct {
	stdout, stderr string
	value          any
	err            error
	late           *lockedBuffer // standard output, as it is now
}

func newSession(t testing.TB) *testSession {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &testSession{Session: s}
}

func (s *testSession) eval(t testing.TB, src string) outcome {
	t.Helper()
	return s.evalFor(t, src, 30*time.Second)
}

// evalFor interrupts the cell after d.
func (s *testSession) evalFor(t testing.TB, src string, d time.Duration) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return s.evalIn(ctx, src, &lockedBuffer{})
}

// evalUntil interrupts the cell soon after it first prints, however long it
// takes to come there.
func (s *testSession) evalUntil(t testing.TB, src string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return s.evalIn(ctx, src, &lockedBuffer{written: func() { time.AfterFunc(20*time.Millisecond, cancel) }})
}

func (s *testSession) evalIn(ctx context.Context, src string, out *lockedBuffer) outcome {
	s.count++
	var errs lockedBuffer
	v, err := s.Eval(ctx, &kernel.Cell{Count: s.count, Source: src, Stdout: out, Stderr: &errs, Display: func(v any) error {
		fmt.Fprintf(out, "[display %v]\n", v)
		return nil
	}})
	return outcome{out.String(), errs.String(), v, err, out}
}
