package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// source is what becomes one pair of files.
type source struct {
	name  string
	write func(c *build.Context)
}

var sources = []source{
	{"base", base},
	{"elements", elements},
	{"reductions", reductions},
}

func main() {
	if err := generate("."); err != nil {
		fmt.Fprintln(os.Stderr, "asm:", err)
		os.Exit(1)
	}
}

// generate writes all files to a folder.
func generate(dir string) error {
	for _, s := range sources {
		files, err := s.files()
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// files returns the text of the two files by name.
func (s source) files() (map[string][]byte, error) {
	c := build.NewContext()
	s.write(c)
	f, err := c.Result()
	if err != nil {
		return nil, err
	}
	if err := pass.Compile.Execute(f); err != nil {
		return nil, err
	}
	cfg := printer.Config{Name: "go generate (see internal/asm)", Pkg: "kernels"}
	code, err := printer.NewGoAsm(cfg).Print(f)
	if err != nil {
		return nil, err
	}
	stubs, err := printer.NewStubs(cfg).Print(f)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{s.name + "_amd64.s": code, s.name + "_gen_amd64.go": stubs}, nil
}
