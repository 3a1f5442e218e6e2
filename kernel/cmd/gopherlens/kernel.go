package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/interp"
	"github.com/gopherlens/gopherlens/kernel/magic"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

type kernelCmd struct {
	ConnectionFile path     `arg:"" help:"Connection file that Jupyter wrote."`
	Rest           []string `arg:"" optional:"" passthrough:"" hidden:"" help:"Ignored: jupyter run and jupyter console hand their own arguments on."`
}

func (c *kernelCmd) Run(e *env) error {
	conn, err := wire.ReadConnectionFile(string(c.ConnectionFile))
	if err != nil {
		return usageError{err}
	}
	limit := memoryLimit()
	k, err := newKernel(kernel.Config{Connection: conn, HistoryDir: historyDir(), MemoryLimit: limit,
		Log: slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return err
	}
	if limit > 0 { // collect garbage in earnest before a cell is stopped for it
		debug.SetMemoryLimit(int64(limit))
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

// historyDirEnv names the folder that keeps the history of cells; empty keeps none.
const historyDirEnv = "GOPHERLENS_HISTORY_DIR"

// historyDir is where consoles find what was typed in earlier sessions; "" is nowhere.
func historyDir() string {
	if dir, ok := os.LookupEnv(historyDirEnv); ok {
		return dir
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "gopherlens", "history")
}

// newKernel completes cfg to a kernel for Go cells.
func newKernel(cfg kernel.Config) (*kernel.Kernel, error) {
	session, err := interp.New()
	if err != nil {
		return nil, err
	}
	if err := session.CatchProcess(); err != nil {
		session.Close()
		return nil, err
	}
	cfg.Evaluator, cfg.Version = magic.New(session, commands()...), version()
	cfg.Banner = "gopherlens: Go cells that look inside language models\nimport \"lens\"; m := Must(lens.Load(\"teach\")); Must(m.LogitLens(ctx, \"The capital of France is\", lens.LensOptions{}))"
	if with := added(); len(with) > 0 {
		cfg.Banner += "\nbuilt with " + strings.Join(with, ", ") + " (%packages lists what can be imported)"
	}
	k, err := kernel.New(cfg)
	if err != nil {
		session.Close()
	}
	return k, err
}
