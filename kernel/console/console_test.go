package console

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/interp"
	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/magic"
)

func start(t *testing.T) *kerneltest.Server {
	t.Helper()
	session, err := interp.New()
	if err != nil {
		t.Fatal(err)
	}
	return kerneltest.StartConfig(t, kernel.Config{Connection: kerneltest.TCP(), Evaluator: magic.New(session), Banner: "banner"})
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// piping runs a console on text from a pipe.
func piping(t *testing.T, input string, opt Options) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	opt.Client, opt.In, opt.Out, opt.Err = start(t).Client, strings.NewReader(input), &out, &errs
	if opt.Getenv == nil {
		opt.Getenv = func(string) string { return "" }
	}
	if err := Run(within(t), opt); err != nil {
		t.Fatal(err)
	}
	return out.String(), errs.String()
}

func TestPipe(t *testing.T) {
	out, errs := piping(t, `import "fmt"

func twice(n int) int {
	return 2 * n
}
fmt.Println("printed")
twice(21)
panic("on purpose")
name := Must(Input("who? "))
Gopher
name
Page("a page")
exit
never
`, Options{})
	for _, want := range []string{"banner", "printed\n", "Out[4]: 42\n", "who? ", "Out[7]: Gopher\n", "a page\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if !strings.Contains(errs, "panic: on purpose") || strings.Contains(errs+out, "never") {
		t.Errorf("standard error:\n%s\noutput:\n%s", errs, out)
	}
}

func TestLoadAndUnfinishedEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cell.go")
	if err := os.WriteFile(file, []byte("x := 40\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := piping(t, "%load "+file+"\nx + 2\nfunc f(", Options{})
	if !strings.Contains(out, "x := 40\n") || !strings.Contains(out, ": 42\n") {
		t.Errorf("%s", out)
	}
}

func TestPictures(t *testing.T) {
	dir := t.TempDir()
	cell := "import \"image\"; image.NewRGBA(image.Rect(0, 0, 2, 2))\n"
	out, _ := piping(t, cell, Options{PictureDir: dir})
	m := regexp.MustCompile(`\[picture: (.*)\]`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("%s", out)
	}
	if b, err := os.ReadFile(m[1]); err != nil || !bytes.HasPrefix(b, []byte("\x89PNG")) || filepath.Dir(m[1]) != dir {
		t.Errorf("%s: %v", m[1], err)
	}
	out, _ = piping(t, cell, Options{Getenv: func(name string) string { return map[string]string{"TERM": "xterm-kitty"}[name] }})
	if !strings.Contains(out, "\x1b_Ga=T,f=100,m=0;iVBOR") {
		t.Errorf("%q", out)
	}
	var b bytes.Buffer
	kitty(&b, bytes.Repeat([]byte("x"), 10_000))
	if n := strings.Count(b.String(), "\x1b_G"); n != 4 || !strings.HasSuffix(b.String(), "\x1b\\\n") || strings.Count(b.String(), "m=1;") != 3 {
		t.Errorf("a large picture takes %d pieces", n)
	}
}

// screen is a terminal that a test types on.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) wait(t *testing.T, want string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		ok := strings.Contains(s.text.String(), want)
		s.mu.Unlock()
		if ok {
			return
		}
	}
	t.Fatalf("no %q on\n%q", want, s.text.String())
}

func TestEditor(t *testing.T) {
	k := start(t)
	in, typed := io.Pipe()
	s := &screen{}
	c := &console{Options: Options{Client: k.Client, In: in, Out: s, Err: s, Getenv: os.Getenv}, count: 1}
	c.current.Store("")
	e := c.newEditor(within(t), in, s)
	c.lines = e
	read := func(keys string) (string, error) {
		t.Helper()
		go io.WriteString(typed, keys)
		return e.read("> ", "")
	}
	if err := c.run(within(t), "import \"strings\"; longName := 1"); err != nil {
		t.Fatal(err)
	}
	for keys, want := range map[string]string{
		"6 * 7\r":              "6 * 7",
		"longN\t + 1\r":        "longName + 1",
		"strings.ToUpperS\t\r": "strings.ToUpperSpecial",
		"\tx\r":                "\tx",
		"nothingLikeIt\t\r":    "nothingLikeIt",
		"é + longN\t\r":        "é + longName",
	} {
		if got, err := read(keys); err != nil || got != want {
			t.Errorf("%q gave %q, %v", keys, got, err)
		}
	}
	read("strings.ToUp\t\t\r")
	s.wait(t, "ToUpper  ToUpperSpecial")
	if got, _ := read("\x1b[A\r"); got != "strings.ToUpper" { // the arrow up
		t.Errorf("the line before is %q", got)
	}
	if _, err := read("half a line\x03"); err != errCancelled {
		t.Errorf("Ctrl-C gave %v", err)
	}
	if got, err := read("next\r"); err != nil || got != "next" {
		t.Errorf("after Ctrl-C: %q, %v", got, err)
	}
	if _, err := read("\x04"); err != io.EOF {
		t.Errorf("Ctrl-D gave %v", err)
	}
	// A password is not shown, and no answer becomes history.
	go io.WriteString(typed, "secret\r")
	if got, err := e.ask("word? ", true); err != nil || got != "secret" || strings.Contains(s.text.String(), "secret") {
		t.Errorf("%q, %v", got, err)
	}
	if got, _ := read("\x1b[A\r"); got != "next" {
		t.Errorf("the line before is %q", got)
	}
	// Output that comes while a line is edited stands above it.
	if err := c.run(within(t), "gate := make(chan bool); go func() { <-gate; println(\"from afar\") }()"); err != nil {
		t.Fatal(err)
	}
	k.Client.Tap(c.late)
	line := make(chan string)
	go func() {
		got, _ := e.read("> ", "")
		line <- got
	}()
	io.WriteString(typed, "hal")
	s.wait(t, "hal")
	if _, err := k.Client.Execute(within(t), "close(gate)", nil); err != nil {
		t.Fatal(err)
	}
	s.wait(t, "from afar")
	io.WriteString(typed, "f\r")
	if got := <-line; got != "half" {
		t.Errorf("the line is %q", got)
	}
}
