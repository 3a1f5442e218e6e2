package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/interp"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

type kernelCmd struct {
	ConnectionFile path `arg:"" help:"Connection file that Jupyter wrote."`
}

func (c *kernelCmd) Run(e *env) error {
	conn, err := wire.ReadConnectionFile(string(c.ConnectionFile))
	if err != nil {
		return usageError{err}
	}
	k, err := newKernel(conn, wire.Limits{}, slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	// Ctrl-C in a console that shares our terminal is for the running cell.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	ctx, cancel := signal.NotifyContext(e.ctx, syscall.SIGTERM)
	defer cancel()
	go func() {
		for {
			select {
			case <-interrupts:
				k.Interrupt()
			case <-ctx.Done():
				return
			}
		}
	}()
	go dieWithParent(ctx, cancel)
	if err := k.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// dieWithParent ends the kernel when the Jupyter that started it is gone without a goodbye, as Jupyter asks of kernels through JPY_PARENT_PID.
// On Windows that variable holds a handle, and the process has no parent to look at.
func dieWithParent(ctx context.Context, end context.CancelFunc) {
	if os.Getenv("JPY_PARENT_PID") == "" || runtime.GOOS == "windows" {
		return
	}
	parent := os.Getppid()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if os.Getppid() != parent { // orphans are adopted
				end()
				return
			}
		}
	}
}

// newKernel is a kernel for Go cells.
func newKernel(conn wire.Connection, limits wire.Limits, log *slog.Logger) (*kernel.Kernel, error) {
	session, err := interp.New()
	if err != nil {
		return nil, err
	}
	return kernel.New(kernel.Config{
		Connection: conn,
		Evaluator:  session,
		Version:    version(),
		Banner:     "gopherlens: Go cells that look inside language models\nimport \"lens\"; m := Must(lens.Load(\"teach\")); Must(m.LogitLens(ctx, \"The capital of France is\", lens.LensOptions{}))",
		Log:        log,
		Limits:     limits,
	})
}
