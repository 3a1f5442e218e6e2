package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"github.com/gopherlens/gopherlens/cache"
	"github.com/gopherlens/gopherlens/kernel/interp/symbols"
	lens "github.com/gopherlens/gopherlens/lensapi"
)

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // the work failed: a cell, a file, a model
	exitUsage  = 2 // the arguments cannot be used

	exitInterrupted = 130 // Ctrl-C, or SIGTERM
)

type cli struct {
	CacheDir path `help:"Cache folder (default: $$GOPHERLENS_CACHE_DIR, else gopherlens in the user's cache folder)." placeholder:"DIR"`

	MaxMemory           string `help:"Memory of the whole process, model included, softly; blocks of the cache make way (450MiB, 2GB)." placeholder:"SIZE"`
	MemoryPolicy        string `help:"What the cache keeps in memory: ristretto (default) or lru, better when memory is scarce." placeholder:"NAME"`
	MaxDisk             string `help:"Size of the cache folder; beyond it the least recently used rows go, never tokens (default: no limit)." placeholder:"SIZE"`
	MaxConversationDisk string `help:"Size of one conversation's residual rows, or none (default 100MiB)." placeholder:"SIZE"`
	Codec               string `help:"How new conversations store residual rows: f16 (default), f32 exact, compact." placeholder:"NAME"`
	Layers              string `help:"Rows that new conversations store, 0 is embed, -1 the last (default: all)." placeholder:"0,6,-1"`

	Run       runCmd           `cmd:"" help:"Execute a notebook and write it with its outputs."`
	Console   consoleCmd       `cmd:"" help:"Run cells in this terminal."`
	Lens      lensCmd          `cmd:"" help:"Show the logit lens of a prompt."`
	Track     trackCmd         `cmd:"" help:"Follow tokens through the rows of a prompt."`
	Attribute attributeCmd     `cmd:"" help:"Say which layers, heads and neurons add to a logit."`
	Attention attentionCmd     `cmd:"" help:"Show where each head looks."`
	Heads     headsCmd         `cmd:"" help:"Score heads on random tokens that come twice: previous-token, duplicate-token, induction."`
	Patch     patchCmd         `cmd:"" help:"Patch activations of one prompt into another, layer by position or by head."`
	Fit       fitCmd           `cmd:"" help:"Fit a tuned lens on a text."`
	Search    searchCmd        `cmd:"" help:"Search what the cache holds for a model."`
	Serve     serveCmd         `cmd:"" help:"Serve the HTTP API: chat, click any token, see its layers."`
	Verify    verifyCmd        `cmd:"" help:"Compute a report again and say whether it is equal to the bit."`
	Kernel    kernelCmd        `cmd:"" help:"Serve a Jupyter front end; Jupyter itself calls this."`
	Install   installCmd       `cmd:"" help:"Tell Jupyter about this kernel."`
	Uninstall uninstallCmd     `cmd:"" help:"Take this kernel out of Jupyter."`
	Cache     cacheCmd         `cmd:"" help:"Look after the cache: status, list, check, gc, rm, export, estimate."`
	Check     checkCmd         `cmd:"" hidden:"" help:"The same as cache check."`
	Build     buildCmd         `cmd:"" help:"Compile a kernel with more packages for cells to import; needs Go."`
	Packages  packagesCmd      `cmd:"" help:"List what cells can import besides the standard library."`
	Bench     benchCmd         `cmd:"" help:"Measure this machine and a model on it."`
	Version   kong.VersionFlag `help:"Print the version."`
}

// path is a file or folder that was named on the command line, made absolute: a command may leave the folder it was called in.
type path string

// UnmarshalText refuses the empty path, which an unset variable of a script would otherwise turn into the current folder.
func (p *path) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("the path is empty: name a file or folder")
	}
	abs, err := filepath.Abs(string(text))
	*p = path(abs)
	return err
}

// env is what a command may touch of the outside.
type env struct {
	ctx            context.Context
	stdin          io.Reader
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
		kong.Vars{"version": describeVersion()}, kong.Writers(stdout, stderr), kong.Exit(func(n int) { panic(exit(n)) }))
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
	// Cells open models by themselves, from wherever they are: the choice reaches them as one absolute path. Without a home there is none to reach them.
	if dir, err := lens.CacheDir(string(c.CacheDir)); err == nil {
		if err := os.Setenv(lens.CacheDirEnv, dir); err != nil {
			fmt.Fprintf(stderr, "gopherlens: cache folder: %v\n", err)
			return exitUsage
		}
	}
	for name, value := range map[string]string{cache.EnvMaxMemory: c.MaxMemory, cache.EnvMemoryPolicy: c.MemoryPolicy, cache.EnvMaxDisk: c.MaxDisk,
		cache.EnvMaxConversationDisk: c.MaxConversationDisk, cache.EnvCodec: c.Codec, cache.EnvLayers: c.Layers} {
		if value == "" {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			fmt.Fprintf(stderr, "gopherlens: %s: %v\n", name, err)
			return exitUsage
		}
	}
	if _, err := cache.OptionsFromEnv(); err != nil {
		fmt.Fprintf(stderr, "gopherlens: %v\n", err)
		return exitUsage
	}
	if err := cmd.Run(&env{ctx, os.Stdin, stdout, stderr}, &c); err != nil {
		fmt.Fprintf(stderr, "gopherlens: %v\n", err)
		if errors.As(err, &usageError{}) {
			return exitUsage
		}
		if errors.Is(err, context.Canceled) {
			return exitInterrupted
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
	if symbols.From != "" { // built from a copy of that version
		v = symbols.From
	}
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
