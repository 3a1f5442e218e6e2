package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/client"
	"github.com/gopherlens/gopherlens/kernel/notebook"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

type runCmd struct {
	Notebook    path          `arg:"" help:"Notebook to execute (.ipynb)."`
	Output      path          `placeholder:"FILE" help:"Where the executed notebook goes (default: beside the notebook, as *.out.ipynb)."`
	HTML        path          `name:"html" placeholder:"FILE" help:"Also write a self-contained page."`
	AllowErrors bool          `help:"Go on after a cell that fails."`
	Timeout     time.Duration `placeholder:"DURATION" help:"Time limit for each cell, such as 90s (default: none)."`
	Check       bool          `help:"Compare what the cells show with what the notebook holds, and write nothing unless --output says where. Pictures are compared by type and size; cells tagged nbval-ignore-output are not."`

	Params map[string]string `short:"p" name:"param" mapsep:"none" placeholder:"NAME=VALUE" help:"Set a variable that the cell tagged parameters defines. May be repeated."`
}

func (c *runCmd) Run(e *env) error {
	name := string(c.Notebook)
	if info, err := os.Stat(name); err != nil {
		return usageError{err}
	} else if !info.Mode().IsRegular() {
		return usageError{fmt.Errorf("%s is not a file", name)}
	}
	src, err := os.ReadFile(name)
	if err != nil {
		return usageError{err}
	}
	nb, err := notebook.Read(bytes.NewReader(src))
	if err != nil {
		return usageError{fmt.Errorf("%s: %w", name, err)}
	}
	before := snapshot(nb)
	if len(c.Params) > 0 {
		if c.Check {
			return usageError{errors.New("-p changes what a notebook shows: --check cannot be given with it")}
		}
		if err := inject(nb, c.Params); err != nil {
			return usageError{err}
		}
	}
	if c.Output == "" && !c.Check {
		c.Output = path(strings.TrimSuffix(name, ".ipynb") + ".out.ipynb")
	}
	if c.Output == c.Notebook || c.HTML == c.Notebook || c.HTML == c.Output && c.HTML != "" {
		return usageError{fmt.Errorf("the notebook, --output and --html must be different files: %s", c.Output)}
	}
	// Output that cannot be written must be known before the work is done, not after.
	for _, p := range []path{c.Output, c.HTML} {
		if p == "" {
			continue
		}
		if err := writable(string(p)); err != nil {
			return usageError{err}
		}
	}
	// Cells find files beside the notebook, as in Jupyter.
	if err := os.Chdir(filepath.Dir(name)); err != nil {
		return usageError{err}
	}
	ctx, stop := signal.NotifyContext(e.ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	runErr := c.execute(ctx, e, nb)
	if c.Check && runErr == nil {
		if diffs := differences(before, snapshot(nb)); len(diffs) > 0 {
			fmt.Fprintln(e.stdout, strings.Join(diffs, "\n"))
			runErr = fmt.Errorf("%d cells show something else than %s holds", len(diffs), name)
		} else {
			fmt.Fprintf(e.stdout, "every cell shows what %s holds\n", name)
		}
	}
	return errors.Join(runErr, c.write(e, nb))
}

// write saves what ran, also when a cell failed or the run was interrupted.
func (c *runCmd) write(e *env, nb *notebook.Notebook) error {
	for _, out := range []struct {
		file   path
		render func(io.Writer) error
	}{
		{c.Output, nb.Write},
		{c.HTML, func(w io.Writer) error { return nb.HTML(w, notebook.HTMLOptions{}) }},
	} {
		if out.file == "" {
			continue
		}
		var b bytes.Buffer
		if err := out.render(&b); err != nil {
			return err
		}
		if err := os.WriteFile(string(out.file), b.Bytes(), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "wrote %s\n", out.file)
	}
	return nil
}

// writable says whether a file could be written, without leaving one behind.
func writable(path string) error {
	_, err := os.Stat(path)
	fresh := errors.Is(err, os.ErrNotExist)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	f.Close()
	if fresh {
		return os.Remove(path)
	}
	return nil
}

// execute runs the notebook through a kernel of our own.
func (c *runCmd) execute(ctx context.Context, e *env, nb *notebook.Notebook) error {
	// All output counts here, so the queue holds as much as a notebook may.
	limits := wire.Limits{StreamQueue: notebook.MaxSize}
	cl, stop, err := local(ctx, e, kernel.Config{Limits: limits})
	if err != nil {
		return err
	}
	defer stop()
	return nb.Run(ctx, newExecutor(cl), notebook.RunOptions{AllowErrors: c.AllowErrors, Timeout: c.Timeout, Progress: func(ev notebook.CellEvent) {
		if !ev.Done {
			return
		}
		status := "ok"
		switch {
		case ev.Skipped:
			status = "skipped"
		case ev.Err != nil:
			status = "error: " + ev.Err.Error()
		}
		fmt.Fprintf(e.stdout, "cell %2d/%d  %7.2fs  %s\n", ev.Cell, ev.Cells, ev.Elapsed.Seconds(), status)
	}})
}

// local starts a kernel in this process and connects to it over its sockets, as any front end would. stop ends both.
func local(ctx context.Context, e *env, cfg kernel.Config) (cl *client.Client, stop func(), err error) {
	cfg.Connection = wire.Connection{Transport: "tcp", IP: "127.0.0.1", Key: wire.NewKey()}
	cfg.MemoryLimit = memoryLimit()
	cfg.Log = slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	k, err := newKernel(cfg)
	if err != nil {
		return nil, nil, err
	}
	kernelCtx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(kernelCtx) }()
	end := func() {
		cancel()
		<-ended
	}
	if cl, err = client.Dial(ctx, k.Connection()); err != nil {
		end()
		return nil, nil, err
	}
	return cl, func() {
		cl.Close()
		end()
	}, nil
}

// executor lets a notebook run its cells through a client.
type executor struct {
	*client.Client
	mu    sync.Mutex
	cells map[string]*cellOutput // by the id of the request
}

// cellOutput is where the outputs of a cell go, also once it has ended: a goroutine that it started may go on.
type cellOutput struct {
	put func(notebook.Output)
	bad error
}

func newExecutor(cl *client.Client) *executor {
	x := &executor{Client: cl, cells: map[string]*cellOutput{}}
	cl.Tap(x.take)
	return x
}

func (x *executor) take(ch wire.Channel, m *wire.Message) {
	if ch != wire.IOPub {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.cells[m.ParentHeader().MsgID]
	if c == nil {
		return
	}
	o, is, err := notebook.FromMessage(m.Header.MsgType, m.Content)
	if c.bad = errors.Join(c.bad, err); is && err == nil {
		c.put(o)
	}
}

func (x *executor) Execute(ctx context.Context, code string, output func(notebook.Output)) (notebook.Result, error) {
	m, err := x.NewMessage(wire.ExecuteRequest, wire.NewExecuteContent(code))
	if err != nil {
		return notebook.Result{}, err
	}
	c := &cellOutput{put: output}
	x.mu.Lock()
	x.cells[m.Header.MsgID] = c
	x.mu.Unlock()
	var reply wire.ExecuteReplyContent
	answer, err := x.Do(ctx, wire.Shell, m, nil)
	if err == nil {
		err = answer.Decode(&reply)
	}
	x.mu.Lock()
	bad := c.bad
	x.mu.Unlock()
	if err = errors.Join(err, bad); err != nil {
		if ctx.Err() != nil { // the cell must not go on beside what is written of it
			x.Interrupt(context.WithoutCancel(ctx))
		}
		return notebook.Result{}, err
	}
	r := notebook.Result{ExecutionCount: reply.ExecutionCount, Failed: reply.Status != wire.StatusOK, Name: reply.EName, Message: reply.EValue, Traceback: reply.Traceback}
	r.Line = line(reply.ExecutionCount, append([]string{reply.EValue}, reply.Traceback...))
	return r, nil
}

// line finds where in the cell an error happened, as the kernel writes it: In[3]:2 or In[3]:2:7. 0 when it does not say.
func line(count int, texts []string) int {
	at := regexp.MustCompile(`In\[` + strconv.Itoa(count) + `\]:(\d+)`)
	for _, t := range texts {
		if m := at.FindStringSubmatch(t); m != nil {
			n, _ := strconv.Atoi(m[1])
			return n
		}
	}
	return 0
}
