package main

import (
	"fmt"

	lens "github.com/gopherlens/gopherlens/lensapi"

	"github.com/gopherlens/gopherlens/kernel/kernelspec"
)

// place says where a kernelspec lies.
type place struct {
	User      bool   `xor:"place" help:"In the user's Jupyter folder (the default)."`
	SysPrefix bool   `xor:"place" help:"In the active environment, or /usr/local."`
	Prefix    path   `xor:"place" placeholder:"DIR" help:"In DIR/share/jupyter."`
	Name      string `default:"gopherlens" help:"Name of the kernel."`
}

func (p place) options() kernelspec.Options {
	return kernelspec.Options{Name: p.Name, SysPrefix: p.SysPrefix, Prefix: string(p.Prefix)}
}

type installCmd struct{ place }

func (c *installCmd) Run(e *env, root *cli) error {
	opt := c.options()
	if _, err := kernelspec.Dir(opt); err != nil {
		return usageError{err}
	}
	if root.CacheDir != "" { // chosen on the command line: for the installed kernel too
		opt.Env = map[string]string{lens.CacheDirEnv: string(root.CacheDir)}
	}
	dir, err := kernelspec.Install(opt)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "installed %s\n", dir)
	return nil
}

type uninstallCmd struct{ place }

func (c *uninstallCmd) Run(e *env) error {
	if _, err := kernelspec.Dir(c.options()); err != nil {
		return usageError{err}
	}
	dir, err := kernelspec.Uninstall(c.options())
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "removed %s\n", dir)
	return nil
}
