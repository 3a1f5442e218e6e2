package magic

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
)

// shellGrace is how long the output of a stopped command is waited for.
const shellGrace = 500 * time.Millisecond

// shell runs a command line and streams what it prints. An interrupt ends it and
// what it has started.
func shell(ctx context.Context, c *Call, line string) error {
	if runtime.GOOS == "windows" {
		return run(ctx, c, exec.CommandContext(ctx, "cmd", "/C", line), line)
	}
	return run(ctx, c, exec.CommandContext(ctx, "sh", "-c", line), line)
}

// script is the command that hands its cell to a shell.
func script(name string) func(context.Context, *Call) (any, error) {
	return func(ctx context.Context, c *Call) (any, error) {
		return nil, run(ctx, c, exec.CommandContext(ctx, name, append(strings.Fields(c.Args), "-c", c.Body)...), "%%"+name)
	}
}

// run runs cmd for a command that errors call what.
func run(ctx context.Context, c *Call, cmd *exec.Cmd, what string) error {
	cmd.Stdout, cmd.Stderr = c.Cell.Stdout, c.Cell.Stderr
	cmd.WaitDelay = shellGrace
	group(cmd)
	err := cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return &kernel.EvalError{Name: "ExitError", Message: fmt.Sprintf("%v: %s", exit, what)}
	case errors.Is(err, exec.ErrWaitDelay):
		return nil // it left a process behind that holds the output open
	case err != nil:
		return &kernel.EvalError{Name: "ExitError", Message: err.Error()}
	}
	return nil
}

// files completes the last word before the cursor as the name of a file.
func files(src string, from, cursor int) kernel.Completions {
	from = min(from, cursor)
	start := from + strings.LastIndexAny(src[from:cursor], " \t'\"=") + 1
	got := kernel.Completions{Start: start, End: cursor}
	typed := src[start:cursor]
	dir, base := filepath.Split(typed)
	where, err := tilde(dir)
	if err != nil {
		return got
	}
	if where == "" {
		where = "."
	}
	entries, err := os.ReadDir(where)
	if err != nil {
		return got
	}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, base) || strings.HasPrefix(name, ".") && base == "" {
			continue
		}
		if entry.IsDir() {
			name += "/"
		}
		if got.Items = append(got.Items, kernel.Completion{Text: dir + name, Type: "path"}); len(got.Items) >= 1000 {
			break
		}
	}
	return got
}
