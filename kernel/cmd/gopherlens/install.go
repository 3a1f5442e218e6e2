package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	lens "github.com/gopherlens/gopherlens/lensapi"

	"github.com/gopherlens/gopherlens/kernel/client"
	"github.com/gopherlens/gopherlens/kernel/kernelspec"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

// place says where a kernelspec lies.
type place struct {
	User      bool     `xor:"place" help:"In the user's Jupyter folder (the default)."`
	SysPrefix bool     `xor:"place" help:"In the active environment, or /usr/local."`
	Prefix    path     `xor:"place" placeholder:"DIR" help:"In DIR/share/jupyter."`
	Name      string   `default:"gopherlens" help:"Name of the kernel."`
	Alias     []string `placeholder:"NAME" help:"Another name for it, such as gophernotes, under which existing notebooks find it. May be repeated."`
}

// options are those of the kernel, then of its aliases.
func (p place) options() []kernelspec.Options {
	all := []kernelspec.Options{{Name: p.Name, SysPrefix: p.SysPrefix, Prefix: string(p.Prefix)}}
	for _, name := range p.Alias {
		opt := all[0]
		opt.Name, opt.Alias, opt.DisplayName = name, true, fmt.Sprintf("Go (%s, by %s)", name, kernelspec.DefaultName)
		all = append(all, opt)
	}
	return all
}

// check fails before anything is done if one of the names or places is no good.
func (p place) check() error {
	for _, opt := range p.options() {
		if _, err := kernelspec.Dir(opt); err != nil {
			return usageError{err}
		}
	}
	return nil
}

type installCmd struct {
	place
	Check bool `help:"Start the installed kernel, run a cell and stop it again."`
}

func (c *installCmd) Run(e *env, root *cli) error {
	if err := c.check(); err != nil {
		return err
	}
	for _, opt := range c.options() {
		if root.CacheDir != "" { // chosen on the command line: for the installed kernel too
			opt.Env = map[string]string{lens.CacheDirEnv: string(root.CacheDir)}
		}
		dir, err := kernelspec.Install(opt)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "installed %s\n", dir)
		if c.Check {
			took, err := try(e.ctx, dir)
			if err != nil {
				return fmt.Errorf("check of %s: %w", dir, err)
			}
			fmt.Fprintf(e.stdout, "OK: it started and ran a cell in %.1f s\n", took.Seconds())
		}
	}
	return nil
}

// tryTime bounds a check; a slow disk may need seconds for the first start.
const tryTime = 60 * time.Second

// try starts the kernel of a kernelspec as Jupyter does, runs a cell and shuts it down.
func try(ctx context.Context, dir string) (took time.Duration, err error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	tmp, err := os.MkdirTemp("", "gopherlens-check-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(tmp)
	conn, err := freePorts()
	if err != nil {
		return 0, err
	}
	file := filepath.Join(tmp, "connection.json")
	data, err := json.Marshal(conn)
	if err == nil {
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		return 0, err
	}
	argv, environ, err := kernelspec.Command(dir, file)
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(append(os.Environ(), environ...), historyDirEnv+"=") // a check is no history
	cmd.WaitDelay = time.Second
	var said tail
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		cancel()
	}()
	defer func() {
		if err != nil {
			cancel()
			if <-ended; len(said) > 0 {
				err = fmt.Errorf("%w; it said: %s", err, said)
			}
		}
	}()
	cl, err := client.Dial(ctx, conn)
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	var result any
	reply, err := cl.Execute(ctx, "6 * 7", func(m *wire.Message) {
		var c wire.ExecuteResultContent
		if m.Header.MsgType == wire.ExecuteResult && m.Decode(&c) == nil {
			result = c.Data["text/plain"]
		}
	})
	switch {
	case err != nil:
		return 0, err
	case reply.Status != wire.StatusOK || result != "42":
		return 0, fmt.Errorf("the cell 6 * 7 gave %v: %s %s", result, reply.EName, reply.EValue)
	}
	took = time.Since(start)
	if err := cl.Shutdown(ctx, false); err != nil {
		return 0, err
	}
	select {
	case err = <-ended:
		ended <- nil
	case <-ctx.Done():
		err = errors.New("the kernel did not end when it was asked to")
	}
	return took, err
}

// tail keeps the head of what a kernel says on its way down.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p[:min(len(p), 4096-len(*t))]...)
	return len(p), nil
}

// freePorts is a signed connection on loopback ports that are free now, as Jupyter chooses them.
func freePorts() (wire.Connection, error) {
	conn := wire.Connection{Transport: "tcp", IP: "127.0.0.1", Key: wire.NewKey(), SignatureScheme: wire.SignatureScheme}
	for _, ch := range wire.Channels() {
		ln, err := wire.Listen(&conn, ch)
		if err != nil {
			return conn, err
		}
		defer ln.Close() // after all five: each must be another
	}
	return conn, nil
}

type uninstallCmd struct{ place }

func (c *uninstallCmd) Run(e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	for _, opt := range c.options() {
		dir, err := kernelspec.Uninstall(opt)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "removed %s\n", dir)
	}
	return nil
}
