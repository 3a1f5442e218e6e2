package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/console"
)

type consoleCmd struct{}

func (consoleCmd) Run(e *env) error {
	ctx, stop := signal.NotifyContext(e.ctx, syscall.SIGTERM)
	defer stop()
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	cl, end, err := local(ctx, e, kernel.Config{HistoryDir: historyDir()})
	if err != nil {
		return err
	}
	defer end()
	return console.Run(ctx, console.Options{Client: cl, In: e.stdin, Out: e.stdout, Err: e.stderr, Interrupts: interrupts})
}
