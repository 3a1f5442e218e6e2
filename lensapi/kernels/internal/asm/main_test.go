package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestCurrent compares what the generator writes with what is committed.
func TestCurrent(t *testing.T) {
	made, err := all()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range made {
		have, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(have, text) {
			t.Errorf("%s is not what the generator writes: run go generate ./lensapi/kernels", name)
		}
	}
	for _, pattern := range []string{"*.s", "*_gen_*.go"} {
		have, err := filepath.Glob(filepath.Join("..", "..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range have {
			if made[filepath.Base(path)] == nil {
				t.Errorf("%s: no source here writes it", path)
			}
		}
	}
}
