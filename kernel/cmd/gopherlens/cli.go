package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"github.com/gopherlens/gopherlens/cache"
	lens "github.com/gopherlens/gopherlens/lensapi"
)

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // the work failed: a cell, a file, a model
	exitUsage  = 2 // the arguments cannot be used
)

type cli struct {
	CacheDir string `help:"Cache folder (default: $$GOPHERLENS_CACHE_DIR, else gopherlens in the user's cache folder)." placeholder:"DIR" type:"path"`

	Run       runCmd           `cmd:"" help:"Execute a notebook and write it with its outputs."`
	Lens      lensCmd          `cmd:"" help:"Show the logit lens of a prompt."`
	Kernel    kernelCmd        `cmd:"" help:"Serve a Jupyter front end; Jupyter itself calls this."`
	Install   installCmd       `cmd:"" help:"Tell Jupyter about this kernel."`
	Uninstall uninstallCmd     `cmd:"" help:"Take this kernel out of Jupyter."`
	Check     checkCmd         `cmd:"" help:"Read the whole cache and say what is wrong with it."`
	Version   kong.VersionFlag `help:"Print the version."`
}

// env is what a command may touch of the outside.
type env struct {
	ctx            context.Context
	stdout, stderr io.Writer
}

// usageError is an error of the arguments rather than of the work.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run is main without the process: it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	type exit int
	defer func() { // --help and --version end the parse through kong's Exit
		switch e := recover().(type) {
		case nil:
		case exit:
			code = int(e)
		default:
			panic(e)
		}
	}()
	var c cli
	parser, err := kong.New(&c, kong.Name("gopherlens"), kong.Description("A Jupyter kernel for Go that looks inside language models."),
		kong.Vars{"version": version()}, kong.Writers(stdout, stderr), kong.Exit(func(n int) { panic(exit(n)) }), kong.UsageOnError())
	if err != nil {
		panic(err) // the struct above is wrong
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	cmd, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "gopherlens: %v (gopherlens --help lists what there is)\n", err)
		return exitUsage
	}
	if c.CacheDir != "" { // cells open models by themselves, so the choice must reach them too
		if err := os.Setenv(lens.CacheDirEnv, c.CacheDir); err != nil {
			fmt.Fprintf(stderr, "gopherlens: --cache-dir: %v\n", err)
			return exitUsage
		}
	}
	if err := cmd.Run(&env{ctx, stdout, stderr}, &c); err != nil {
		fmt.Fprintf(stderr, "gopherlens: %v\n", err)
		if errors.As(err, &usageError{}) {
			return exitUsage
		}
		return exitFailed
	}
	return exitOK
}

// version is the module's version, or the commit the binary was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = "devel"
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v += "-" + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return v
}

type checkCmd struct{}

func (checkCmd) Run(e *env) error {
	dir, err := lens.CacheDir("")
	if err != nil {
		return err
	}
	n := 0
	for p := range cache.Check(dir) {
		n++
		fmt.Fprintln(e.stdout, p)
	}
	if n > 0 {
		return fmt.Errorf("%d problems in %s; what is damaged is computed again when it is asked for", n, dir)
	}
	fmt.Fprintf(e.stdout, "%s: no problems\n", dir)
	return nil
}
