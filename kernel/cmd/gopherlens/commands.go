package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gopherlens/gopherlens/cache"
	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/magic"
	lens "github.com/gopherlens/gopherlens/lensapi"
)

// commands are those of cells that know models and caches.
func commands() []magic.Command {
	return []magic.Command{
		{Name: "model", Args: "[teach | FOLDER]", Help: "Describe a model: the embedded one, or a folder in Hugging Face layout.", Line: describeModel},
		{Name: "cache", Args: "[check]", Help: "Say where the cache is and how large, or read all of it and say what is wrong.", Line: describeCache},
		{Name: "packages", Help: "List what can be imported besides the standard library.", Line: describePackages},
	}
}

func commandError(err error) error {
	return &kernel.EvalError{Name: "CommandError", Message: err.Error()}
}

func describeModel(_ context.Context, c *magic.Call) (any, error) {
	name := c.Args
	if name == "" {
		name = lens.Embedded
	}
	m, err := lens.Load(name)
	if err != nil {
		return nil, commandError(err)
	}
	defer m.Close()
	fmt.Fprintf(c.Cell.Stdout, "%s\nrows %s\n", m, strings.Join(m.Rows(), " "))
	return nil, nil
}

func describeCache(_ context.Context, c *magic.Call) (any, error) {
	dir, err := lens.CacheDir("")
	if err != nil {
		return nil, commandError(err)
	}
	switch c.Args {
	case "check":
		n := 0
		for p := range cache.Check(dir) {
			n++
			fmt.Fprintln(c.Cell.Stdout, p)
		}
		if n > 0 {
			return nil, commandError(fmt.Errorf("%d problems in %s", n, dir))
		}
		fmt.Fprintf(c.Cell.Stdout, "%s: no problems\n", dir)
		return nil, nil
	case "":
	default:
		return nil, commandError(fmt.Errorf("%%cache %s: nothing, or check", c.Args))
	}
	files, bytes := 0, int64(0)
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // nothing was cached yet, or it left while we looked
		}
		if err != nil || d.IsDir() {
			return err
		}
		fi, err := d.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil {
			files++
			bytes += fi.Size()
		}
		return err
	})
	if err != nil {
		return nil, commandError(err)
	}
	fmt.Fprintf(c.Cell.Stdout, "%s: %d files, %.1f MiB\n", dir, files, float64(bytes)/(1<<20))
	return nil, nil
}
