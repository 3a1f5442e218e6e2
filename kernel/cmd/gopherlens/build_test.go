package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestBuildRefuses(t *testing.T) {
	plain, cTwo, ours, dotless, lens := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	for dir, mod := range map[string]string{cTwo: "example.com/two/v2", ours: modulePath + "/x", dotless: "fmt", lens: "lens"} {
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module "+mod+"\n\ngo 1.26\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"build"}, "missing flags: --with", exitUsage},
		{[]string{"build", "--with", "github.com/google/uuid"}, "has no version (allowed: MODULE@VERSION", exitFailed},
		{[]string{"build", "--with=-modfile=x@v1"}, `"-modfile=x" is not the path`, exitFailed},
		{[]string{"build", "--with", "example.com/x@--upload"}, `"--upload" is not a version`, exitFailed},
		{[]string{"build", "--with", "example.com/x@none"}, `"none" is not a version`, exitFailed},
		{[]string{"build", "--with", "strings@v1.0.0"}, "the first element of those has a dot", exitFailed},
		{[]string{"build", "--with", modulePath + "/lensapi@v1.0.0"}, "is the kernel itself", exitFailed},
		{[]string{"build", "--with", "github.com/goplus/ixgo@v1.1.1"}, "the interpreter's own", exitFailed},
		{[]string{"build", "--with", plain}, "holds no go.mod", exitFailed},
		{[]string{"build", "--with", ours}, "is the kernel itself", exitFailed},
		{[]string{"build", "--with", lens}, "cells know lens as a package of the kernel", exitFailed},
		{[]string{"build", "--with", cTwo}, "has no package that a cell could import", exitFailed},
		{[]string{"build", "--with", dotless}, "package fmt: the path is the standard library's", exitFailed},
		{[]string{"build", "--with", "./testdata/zoo", "--source", plain}, "holds no source of gopherlens", exitFailed},
		{[]string{"build", "--with", "./testdata/zoo", "--output", plain}, "is a folder: name a file", exitUsage},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), c.args, &out, &errs); code != c.code {
			t.Errorf("%q: exit status %d, want %d", c.args, code, c.code)
		}
		lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
		if last := lines[len(lines)-1]; !strings.Contains(last, c.want) {
			t.Errorf("%q says %q, want %q", c.args, last, c.want)
		}
	}
	t.Setenv("PATH", plain)
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"build", "--with", "github.com/google/uuid@v1.6.0"}, &out, &errs); code != exitFailed || !strings.Contains(errs.String(), "no Go toolchain") {
		t.Errorf("without the go command: exit status %d, %s", code, errs.String())
	}
}

// The whole way: a kernel with a module of a folder is compiled, its cells import the module's packages, and it installs.
func TestBuiltKernel(t *testing.T) {
	if os.Getenv("GOPHERLENS_SLOW") == "" {
		t.Skip("compiles a kernel; set GOPHERLENS_SLOW=1")
	}
	binary := filepath.Join(t.TempDir(), "zookernel")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	zoo, err := filepath.Abs("testdata/zoo")
	if err != nil {
		t.Fatal(err)
	}
	var out, notes bytes.Buffer
	if code := run(t.Context(), []string{"build", "--with", "./testdata/zoo", "--output", binary}, &out, &notes); code != exitOK {
		t.Fatalf("exit status %d: %s", code, notes.String())
	}
	t.Logf("%s%s", out.String(), notes.String())
	for _, want := range []string{
		"left out: package example.com/zoo/withc: needs cgo",
		"package example.com/zoo/bins without func Counted (it needs total: there is one variable total, of the compiled code), " +
			"func Inside (outside its package: b.inside undefined (cannot refer to unexported field inside)), func Marked (it needs mark: compiled code uses the type mark too)\n",
	} {
		if !strings.Contains(notes.String(), want) {
			t.Errorf("the notes do not say %q", want)
		}
	}
	file := tagged(t,
		`import ("example.com/zoo"; "example.com/zoo/pens")`,
		`type dog struct{}
func (dog) Sound() string { return "woof" }
zoo.Visit(zoo.Cat{Name: "Tom"}, dog{})`,
		`zoo.Visitors *= 10
var p pens.Pen
p.Keep(zoo.Cat{})
p.Keep(dog{}) * zoo.Legs * int(real(-zoo.Unit*zoo.Unit))`,
		`zoo.Visit()`,
		`import "example.com/zoo/bins"
bins.Sum(1, 2), bins.Sum(0.5), bins.Fed("oats"), bins.Third`,
		`s := bins.Ints()
s.Push(7).Pop() + s.Pop()`,
		`import "fmt"
var t *bins.Stack[int] = s
fmt.Sprintf("%T %v", t, t)`,
		`fs := bins.Late([]string{"a", "b"})
fs[0]() + fs[1]()`,
		`bins.CountOne()
bins.Count("x"), bins.Visit(dog{}), zoo.Visitors`,
		"#raises-exception import \"example.com/zoo/internal/feed\"")
	if text, err := exec.Command(binary, "run", file).CombinedOutput(); err != nil {
		t.Fatalf("run: %v: %s", err, text)
	}
	cells := executed(t, file).Cells
	for i, want := range map[int]string{1: `1: Tom says meow, woof`, 2: "16", 3: "11: ", 4: "6 1 oats, oats 3", 5: "10", 6: "*bins.Stack[int] full true, 1",
		7: "bb", 8: "2 12 12"} {
		if got := resultOf(cells[i]); got != want {
			t.Errorf("cell %d shows %q, want %q", i+1, got, want)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--version"}, "with example.com/zoo"},
		{[]string{"packages"}, "example.com/zoo/pens  of example.com/zoo"},
		{[]string{"install", "--prefix", t.TempDir(), "--check"}, "OK: it started and ran a cell"},
		{[]string{"build", "--with", zoo, "--source", zoo}, "holds no source of gopherlens"},
	} {
		text, _ := exec.Command(binary, c.args...).CombinedOutput()
		if !strings.Contains(string(text), c.want) {
			t.Errorf("%q says %q, want %q", c.args, text, c.want)
		}
	}
}
