// Command gopherlens is a Jupyter kernel for Go that looks inside language models.
package main

import (
	"context"
	"os"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }
