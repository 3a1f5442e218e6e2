// Command cmd writes the symbol tables and the tables of comments into
// ../symbols, or into the directory given as its argument. Run it through `go generate ./kernel/interp/...`.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gopherlens/gopherlens/kernel/interp/internal/gen"
)

func main() {
	dir := "symbols"
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	if err := run(dir); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	tables, err := gen.Generate(gen.Here(), gen.Targets, nil)
	if err != nil {
		return err
	}
	docs, err := gen.Docs()
	if err != nil {
		return err
	}
	files := tables.Files
	for name, table := range docs {
		if files[name], err = gen.Pack(table); err != nil {
			return err
		}
	}
	for name, src := range files {
		if err := os.WriteFile(filepath.Join(dir, name), src, 0o644); err != nil {
			return err
		}
	}
	return nil
}
