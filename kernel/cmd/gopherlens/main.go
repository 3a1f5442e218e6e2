// Command gopherlens is a Jupyter kernel for Go that looks inside language models.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// A kernel takes the interrupt signal for its cell, not for itself, so the kernel command listens for it alone.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
