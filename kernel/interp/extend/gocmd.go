package extend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// errNoGo says that there is no compiler.
var errNoGo = errors.New("no Go toolchain: building a kernel needs the go command in PATH (https://go.dev/dl)")

// goCommand calls the go command in a folder.
type goCommand struct {
	ctx context.Context // nil means no limit
	dir string
	env []string // besides the process's
}

// output is what the go command prints. Its error is the line of what it said
// that tells most.
func (g goCommand) output(args ...string) ([]byte, error) {
	ctx := g.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Dir, cmd.Env = g.dir, append(os.Environ(), g.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return nil, errNoGo
	}
	if line := said(stderr.String()); line != "" {
		return out, errors.New(line)
	}
	return out, fmt.Errorf("go %s: %w", args[0], err)
}

// said is the line of the go command's complaints that tells most: the first
// that is not about progress and no heading.
func said(text string) string {
	var heading string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "", strings.HasPrefix(line, "go: downloading "), strings.HasPrefix(line, "go: finding "), strings.HasPrefix(line, "go: found "),
			strings.HasPrefix(line, "go: added "), strings.HasPrefix(line, "go: upgraded "), strings.HasPrefix(line, "go: trying "):
		case strings.HasPrefix(line, "# "):
			heading = strings.TrimPrefix(line, "# ") + ": "
		default:
			line = strings.TrimPrefix(line, "go: ")
			if strings.HasSuffix(line, ":") { // the reason follows
				heading += line + " "
				continue
			}
			return heading + line
		}
	}
	return strings.TrimSuffix(heading, ": ")
}
