package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/interp"
	"github.com/gopherlens/gopherlens/kernel/interp/extend"
	"github.com/gopherlens/gopherlens/kernel/interp/symbols"
	"github.com/gopherlens/gopherlens/kernel/magic"
)

type buildCmd struct {
	With   []string `required:"" sep:"none" placeholder:"MODULE@VERSION" help:"A module, all of whose packages are added; MODULE/sub/pkg@VERSION for one package; the folder of a module, ./DIR. May be repeated."`
	Output path     `placeholder:"FILE" help:"The binary to write (default: gopherlens-extended in the current folder)."`
	Source path     `placeholder:"DIR" help:"A checkout of gopherlens (default: the one this binary is from, or the module in its version)."`
}

func (c *buildCmd) Run(e *env) error {
	out := string(c.Output)
	if out == "" {
		name := "gopherlens-extended"
		if goos := os.Getenv("GOOS"); goos == "windows" || goos == "" && runtime.GOOS == "windows" {
			name += ".exe"
		}
		var err error
		if out, err = filepath.Abs(name); err != nil {
			return err
		}
	}
	if fi, err := os.Stat(out); err == nil && fi.IsDir() {
		return usageError{fmt.Errorf("%s is a folder: name a file with --output", out)}
	}
	start := time.Now()
	r, err := extend.Build(e.ctx, extend.Options{With: c.With, Output: out, Source: string(c.Source), Notes: e.stderr})
	if err != nil {
		return err
	}
	fi, err := os.Stat(out)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s: %.1f MB in %.0f s\n", out, float64(fi.Size())/1e6, time.Since(start).Seconds())
	for _, m := range r.Modules {
		fmt.Fprintf(e.stdout, "  %s: %s\n", label(m), strings.Join(m.Packages, ", "))
	}
	fmt.Fprintf(e.stdout, "%s install makes it the kernel of notebooks\n", out)
	return nil
}

type packagesCmd struct {
	Check bool `help:"Import each in a cell, and fail if one cannot be."`
}

func (c *packagesCmd) Run(e *env) error {
	if !c.Check {
		listPackages(e.stdout)
		return nil
	}
	s, err := interp.New()
	if err != nil {
		return err
	}
	defer s.Close()
	bad := 0
	for i, p := range append(interp.Packages(), slices.Sorted(maps.Keys(symbols.Short))...) {
		_, err := s.Eval(e.ctx, &kernel.Cell{Source: fmt.Sprintf("import p%d %q", i, p), Count: i + 1, Stdout: e.stdout, Stderr: e.stderr})
		if err != nil {
			bad++
			var fail *kernel.EvalError
			if errors.As(err, &fail) {
				err = errors.New(fail.Message)
			}
			fmt.Fprintf(e.stdout, "%s: %v\n", p, err)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d packages cannot be imported", bad)
	}
	return nil
}

// added are the modules that gopherlens build put into this binary.
func added() []string {
	var out []string
	for _, m := range symbols.Added {
		out = append(out, label(m))
	}
	return out
}

func label(m symbols.Module) string {
	if m.Version == "" { // of a folder
		return m.Path
	}
	return m.Path + "@" + m.Version
}

// describeVersion is the version and what was built in.
func describeVersion() string {
	return strings.Join(append([]string{version()}, added()...), "\nwith ")
}

// listPackages writes what can be imported, a line each: short paths, then full ones, with the module that gopherlens build took them from.
func listPackages(w io.Writer) {
	for _, p := range slices.Sorted(maps.Keys(symbols.Short)) {
		fmt.Fprintln(w, p)
	}
	from := map[string]string{}
	for _, m := range symbols.Added {
		for _, p := range m.Packages {
			from[p] = "  of " + label(m)
		}
	}
	for _, p := range interp.Packages() {
		fmt.Fprintln(w, p+from[p])
	}
}

func describePackages(_ context.Context, c *magic.Call) (any, error) {
	listPackages(c.Cell.Stdout)
	return nil, nil
}
