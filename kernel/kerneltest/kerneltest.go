package kerneltest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/client"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

// timeout bounds starting and stopping.
const timeout = 30 * time.Second

// Server is a kernel that runs until the test ends.
type Server struct {
	Kernel *kernel.Kernel
	// Client is connected and ready.
	Client *client.Client

	t      testing.TB
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

// TCP is a signed connection on free loopback ports.
func TCP() wire.Connection {
	return wire.Connection{Transport: "tcp", IP: "127.0.0.1", Key: wire.NewKey(), SignatureScheme: wire.SignatureScheme}
}

// IPC is a signed connection on sockets in a temporary folder.
func IPC(t testing.TB) wire.Connection {
	t.Helper()
	// Not t.TempDir: a socket path may have about 100 bytes, its names are longer.
	dir, err := os.MkdirTemp("", "k")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return wire.Connection{Transport: "ipc", IP: filepath.Join(dir, "s"), ShellPort: 1, ControlPort: 2, StdinPort: 3,
		IOPubPort: 4, HBPort: 5, Key: wire.NewKey(), SignatureScheme: wire.SignatureScheme}
}

// Start runs ev in a kernel on free loopback ports.
func Start(t testing.TB, ev kernel.Evaluator) *Server {
	t.Helper()
	return StartConfig(t, kernel.Config{Evaluator: ev, Connection: TCP()})
}

// StartConfig runs the kernel of cfg. When the test ends the client is closed,
// the kernel is stopped, and an error of its Run fails the test.
func StartConfig(t testing.TB, cfg kernel.Config) *Server {
	t.Helper()
	k, err := kernel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{Kernel: k, t: t, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.err = k.Run(ctx)
	}()
	t.Cleanup(s.stop)
	s.Client = s.Dial()
	return s
}

// Dial connects one more client, closed when the test ends. A message it receives
// that breaks the protocol fails the test.
func (s *Server) Dial() *client.Client {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	c, err := client.Dial(ctx, s.Kernel.Connection())
	if err != nil {
		s.t.Fatalf("connect to the kernel: %v", err)
	}
	s.t.Cleanup(func() { c.Close() })
	c.Tap(func(ch wire.Channel, m *wire.Message) {
		if err := Validate(ch, m); err != nil {
			s.t.Errorf("the kernel breaks the protocol: %v", err)
		}
	})
	return c
}

// Wait waits until the kernel has ended and returns the error of Run.
func (s *Server) Wait() error {
	s.t.Helper()
	select {
	case <-s.done:
		return s.err
	case <-time.After(timeout):
		s.t.Fatalf("the kernel did not end within %s", timeout)
		return nil
	}
}

func (s *Server) stop() {
	s.cancel()
	if err := s.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		s.t.Errorf("kernel: %v", err)
	}
}
