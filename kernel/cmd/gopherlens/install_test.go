package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test program be the kernel that an installed kernelspec starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func TestInstallCheckAndAlias(t *testing.T) {
	prefix := t.TempDir()
	code, out, errs := gopherlens(t, "install", "--prefix", prefix, "--alias", "gophernotes", "--check")
	if code != exitOK || strings.Count(out, "OK: it started and ran a cell") != 2 {
		t.Fatalf("status %d\n%s%s", code, out, errs)
	}
	kernels := filepath.Join(prefix, "share", "jupyter", "kernels")
	for name, display := range map[string]string{"gopherlens": "Go (gopherlens)", "gophernotes": "Go (gophernotes, by gopherlens)"} {
		var spec struct {
			Argv    []string `json:"argv"`
			Display string   `json:"display_name"`
		}
		b, err := os.ReadFile(filepath.Join(kernels, name, "kernel.json"))
		if err == nil {
			err = json.Unmarshal(b, &spec)
		}
		if err != nil || spec.Display != display || !filepath.IsAbs(spec.Argv[0]) {
			t.Errorf("%s: %+v, %v", name, spec, err)
		}
	}
	// A program that does not serve is told about, with what it said.
	kernel := filepath.Join(kernels, "gopherlens", "kernel.json")
	b, err := os.ReadFile(kernel)
	if err != nil {
		t.Fatal(err)
	}
	broken := strings.Replace(string(b), `"kernel"`, `"nonsense"`, 1)
	if err := os.WriteFile(kernel, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := try(context.Background(), filepath.Dir(kernel)); err == nil {
		t.Error("a kernel that does not serve passed its check")
	}
	if code, out, errs := gopherlens(t, "uninstall", "--prefix", prefix, "--alias", "gophernotes"); code != exitOK || strings.Count(out, "removed") != 2 {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}

	// Another kernel's folder is not taken over.
	if err := os.MkdirAll(filepath.Join(kernels, "gophernotes"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(kernels, "gophernotes", "kernel.json"), []byte(`{"argv":["gophernotes"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := gopherlens(t, "install", "--prefix", prefix, "--alias", "gophernotes"); code != exitFailed || !strings.Contains(errs, "another kernel") {
		t.Errorf("status %d, %s", code, errs)
	}
	if code, _, errs := gopherlens(t, "install", "--prefix", prefix, "--alias", "UPPER"); code != exitUsage {
		t.Errorf("status %d, %s", code, errs)
	}
}

// TestKernelIgnoresFurtherArguments: jupyter run and jupyter console hand their own arguments on to the kernel.
func TestKernelIgnoresFurtherArguments(t *testing.T) {
	for _, further := range [][]string{{"script.go"}, {"--no-confirm-exit", "-x"}} {
		code, _, errs := gopherlens(t, append([]string{"kernel", filepath.Join(t.TempDir(), "missing.json")}, further...)...)
		if code != exitUsage || !strings.Contains(errs, "missing.json") || strings.Contains(errs, "unexpected") || strings.Contains(errs, "unknown flag") {
			t.Errorf("%v: status %d, %s", further, code, errs)
		}
	}
}
