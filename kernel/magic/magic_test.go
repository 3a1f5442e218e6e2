package magic

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/interp"
)

// session runs cells and keeps what they give.
type session struct {
	*Evaluator
	t     testing.TB
	count int
}

type result struct {
	stdout, stderr string
	shown          []map[string]any
	payload        []map[string]any
	value          any
	err            error
}

func newSession(t testing.TB, further ...Command) *session {
	t.Helper()
	inner, err := interp.New()
	if err != nil {
		t.Fatal(err)
	}
	e := New(inner, further...)
	t.Cleanup(func() { e.Close() })
	return &session{Evaluator: e, t: t}
}

func (s *session) eval(src string) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return s.evalContext(ctx, src)
}

func (s *session) evalContext(ctx context.Context, src string) (r result) {
	s.count++
	var out, errs bytes.Buffer
	r.value, r.err = s.Eval(ctx, &kernel.Cell{Count: s.count, Source: src, Stdout: &out, Stderr: &errs,
		Display: func(v any) error {
			bundle, err := kernel.Bundle(v)
			r.shown = append(r.shown, bundle)
			return err
		},
		Payload: func(p map[string]any) { r.payload = append(r.payload, p) }})
	r.stdout, r.stderr = out.String(), errs.String()
	return r
}

func TestSplit(t *testing.T) {
	e := New(nil)
	for src, want := range map[string]string{
		"x := 1":                             "code",
		"":                                   "code",
		"%help":                              "help()",
		"  %env A=b  \nx":                    "env(A=b) code",
		"x\n%help\ny":                        "code help() code",
		"//%help":                            "help()",
		"// %help\n// %% a jupytext mark\nx": "code",
		"// %d files":                        "code",
		"s := `\n%help\n`":                   "code",
		"s := `a` + `\n`\n%help":             "code help()",
		"/*\n%help\n*/":                      "code",
		"/* a */\n%help":                     "code help()",
		"f(a,\n%help\n)":                     "code",
		"func f() {\n%help\n}\n%help":        "code help()",
		"s := \"{\" // {\n%help":             "code help()",
		"s := '{'\n%help":                    "code help()",
		"s := \"unclosed {\n%help":           "code help()",
		"x = a +\n!b":                        "code",
		"x++\n!ls":                           "code sh(ls)",
		"!ls -l | wc":                        "sh(ls -l | wc)",
		"$ ls":                               "sh(ls)",
		"!a \\\n  b\nx":                      "sh(a \\\n  b) code",
		"!ok":                                "sh(ok)",
		"ok := true\n!ok":                    "code",
		"!(1 > 2)":                           "code",
		"!true":                              "code",
		"\n\n%%html\n<b>\n%help\n":           "html%%(<b>\n%help\n)",
		"x\n%%html\n<b>":                     "code html%%() code",
		"%%html":                             "html%%()",
		"%%":                                 "%%()",
		"%":                                  "()",
		"%Größe 1":                           "Größe(1)",
	} {
		var got []string
		end := 0
		for _, p := range e.split(src) {
			if src[p.off:p.off+len(p.text)] != p.text || p.off < end {
				t.Errorf("%q: part %+v is not where it says", src, p)
			}
			end = p.off + len(p.text)
			if p.line != strings.Count(src[:p.off], "\n") {
				t.Errorf("%q: part %+v has the wrong line", src, p)
			}
			switch {
			case p.shell:
				got = append(got, "sh("+p.args+")")
			case p.command && p.signs == 2:
				got = append(got, p.name+"%%("+p.body+")")
			case p.command:
				got = append(got, p.name+"("+p.args+")")
			default:
				got = append(got, "code")
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", src, got, want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, src := range []string{"%help\nx", "!a \\\n", "%%html\n<b>", "s := `\n%help", "/*", "x++\n//%time f()\n", "'", "\"\\", "%time\r\n"} {
		f.Add(src, 1)
	}
	e := New(nil)
	f.Fuzz(func(t *testing.T, src string, cursor int) {
		end := 0
		for _, p := range e.split(src) {
			if p.off < end || p.off+len(p.text) > len(src) || src[p.off:p.off+len(p.text)] != p.text || p.command && p.argsAt > len(p.text) {
				t.Fatalf("%q: part %+v", src, p)
			}
			if !blank(src[end:p.off]) {
				t.Fatalf("%q: lost %q", src, src[end:p.off])
			}
			end = p.off + len(p.text)
		}
		if !blank(src[end:]) {
			t.Fatalf("%q: lost %q", src, src[end:])
		}
		if plain := e.plain(src); len(plain) != len(src) || strings.Count(plain, "\n") != strings.Count(src, "\n") {
			t.Fatalf("%q is %q without commands", src, plain)
		}
		if cursor >= 0 && cursor <= len(src) {
			if got := e.Complete(src, cursor); got.Start < 0 || got.Start > got.End || got.End > len(src) {
				t.Fatalf("%q: completions replace [%d, %d)", src, got.Start, got.End)
			}
			e.Inspect(src, cursor, 0)
		}
		e.Check(src)
	})
}

func TestCommandsAndCodeInOrder(t *testing.T) {
	s := newSession(t)
	t.Setenv("MAGIC_TEST", "before")
	r := s.eval("import (\"fmt\"; \"os\")\nfmt.Println(os.Getenv(\"MAGIC_TEST\"))\n%env MAGIC_TEST = after one\n//%env MAGIC_TEST\nfmt.Println(os.Getenv(\"MAGIC_TEST\"))\n40 + 2")
	if r.err != nil || r.stdout != "before\nafter one\nafter one\n" || r.value != 42 {
		t.Errorf("%q, %v, %v", r.stdout, r.value, r.err)
	}
	// Errors name the line and column that the user sees.
	r = s.eval("%env MAGIC_TEST\n\n  %time undefinedName")
	if r.err == nil || !strings.Contains(r.err.Error()+traceback(r.err), "In[2]:3:9") {
		t.Errorf("%v %s", r.err, traceback(r.err))
	}
	if r = s.eval("x := 1\n%nonsense\nx = 2"); r.err == nil || !strings.Contains(r.err.Error(), "no command %nonsense") {
		t.Error(r.err)
	}
	if r = s.eval("x"); r.value != 1 {
		t.Errorf("what follows a failed command ran: x is %v", r.value)
	}
	for src, want := range map[string]string{"%html": "only %%html", "x\n%%html\n": "first line", "%%cd\n": "only %cd", "%env NO_SUCH_NAME": "not set",
		"%load": "name a file", "%load /no/such/file": "no such file", "%%writefile\nx": "name a file", "%go111module maybe": "on or off", "%time": "give it code"} {
		var e *kernel.EvalError
		if r := s.eval(src); !errors.As(r.err, &e) || !strings.Contains(r.err.Error(), want) {
			t.Errorf("%q: %v", src, r.err)
		}
	}
	if r := s.eval("%go111module off\n!true"); r.err != nil && runtime.GOOS != "windows" {
		t.Error(r.err)
	}
}

func traceback(err error) string {
	var e *kernel.EvalError
	if errors.As(err, &e) {
		return strings.Join(e.Traceback, "\n")
	}
	return ""
}

func TestFiles(t *testing.T) {
	s := newSession(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if err := os.Mkdir("below", 0o755); err != nil {
		t.Fatal(err)
	}
	r := s.eval("%%writefile below/hello.txt\nhello\n%not a command")
	if got, err := os.ReadFile("below/hello.txt"); r.err != nil || err != nil || string(got) != "hello\n%not a command\n" || r.stdout != "wrote below/hello.txt\n" {
		t.Errorf("%q, %v, %v, %q", got, err, r.err, r.stdout)
	}
	s.eval("%cd below")
	if r := s.eval("%%writefile -a hello.txt\nmore\n"); r.err != nil {
		t.Error(r.err)
	}
	r = s.eval("%load hello.txt")
	if len(r.payload) != 1 || r.payload[0]["source"] != "set_next_input" || r.payload[0]["replace"] != true ||
		r.payload[0]["text"] != "// %load hello.txt\nhello\n%not a command\nmore\n" {
		t.Errorf("%v, %v", r.payload, r.err)
	}
	if r := s.eval("%cd -"); r.stdout != dir+"\n" {
		t.Errorf("%q, %v", r.stdout, r.err)
	}
	if r := s.eval("%cd nowhere"); r.err == nil {
		t.Error("went nowhere")
	}
	if err := os.WriteFile("binary", []byte{0xff, 0xfe}, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := s.eval("%load binary"); r.err == nil || !strings.Contains(r.err.Error(), "UTF-8") {
		t.Error(r.err)
	}
}

func TestMarkup(t *testing.T) {
	s := newSession(t)
	for src, want := range map[string]map[string]any{
		"%%html\n<b>x</b>":       {"text/html": "<b>x</b>", "text/plain": "<b>x</b>"},
		"%%markdown\n# x\n":      {"text/markdown": "# x\n", "text/plain": "# x\n"},
		"%%javascript\nalert(1)": {"text/html": "<script>\nalert(1)\n</script>", "text/plain": "alert(1)"}, // VS Code shows text/javascript as text
	} {
		r := s.eval(src)
		if r.err != nil || len(r.shown) != 1 || len(r.shown[0]) != 2 {
			t.Fatalf("%q: %v, %v", src, r.shown, r.err)
		}
		for mime, data := range want {
			if r.shown[0][mime] != data {
				t.Errorf("%q: %s is %q", src, mime, r.shown[0][mime])
			}
		}
	}
}

func TestShell(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the commands are for sh")
	}
	s := newSession(t)
	r := s.eval("!echo out; echo err >&2\n$ printf '%s\\n' \\\n  more")
	if r.err != nil || r.stdout != "out\nmore\n" || r.stderr != "err\n" {
		t.Errorf("%+v", r)
	}
	var e *kernel.EvalError
	if r := s.eval("!exit 3\n!echo never"); !errors.As(r.err, &e) || !strings.Contains(e.Message, "exit status 3") || r.stdout != "" {
		t.Errorf("%+v", r)
	}
	// An interrupt ends the command and its children at once.
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if r := s.evalContext(ctx, "!sleep 60 | sleep 60"); !errors.Is(r.err, context.DeadlineExceeded) {
		t.Errorf("%+v", r)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("the command went on for %s", d)
	}
}

func TestScripts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the commands are for sh")
	}
	s := newSession(t)
	if r := s.eval("%%sh\nx=1\nfor i in a b; do\n  echo $i$x\ndone"); r.err != nil || r.stdout != "a1\nb1\n" {
		t.Errorf("%+v", r)
	}
	var e *kernel.EvalError
	if r := s.eval("%%sh -e\nfalse\necho never"); !errors.As(r.err, &e) || e.Message != "exit status 1: %%sh" || r.stdout != "" {
		t.Errorf("%+v", r)
	}
	wd, err := os.Getwd()
	if r := s.eval("%pwd"); err != nil || r.stdout != wd+"\n" {
		t.Errorf("%+v", r)
	}
}

func TestQuestions(t *testing.T) {
	s := newSession(t)
	s.eval("import \"strings\"\n// twice doubles.\nfunc twice(x int) int { return 2 * x }")
	for src, want := range map[string]string{
		"strings.Cut?":              "func strings.Cut(s string, sep string)",
		"?strings.Cut":              "func strings.Cut(s string, sep string)",
		"x := 1\n  twice ?\ny := 2": "func twice(x int) int\n\ntwice doubles.\n",
		"twice??":                   "// In[1]:3\nfunc twice(x int) int { return 2 * x }\n",
		"?? twice":                  "// In[1]:3\nfunc twice(x int) int { return 2 * x }\n",
		"%time?":                    "%time CODE   %%time\n\nRun code once",
	} {
		if r := s.eval(src); r.err != nil || !strings.Contains(r.stdout, want) {
			t.Errorf("%q: %q, %v", src, r.stdout, r.err)
		}
	}
	var e *kernel.EvalError
	if r := s.eval("nowhere?"); !errors.As(r.err, &e) || e.Message != "nothing is known of nowhere" {
		t.Errorf("%v", r.err)
	}
	for _, src := range []string{"s := `\ntwice?\n`", "/*\ntwice?\n*/"} {
		if r := s.eval(src); r.err != nil || r.stdout != "" {
			t.Errorf("%q: %+v", src, r)
		}
	}
	if got := s.Complete("?strings.Cu", len("?strings.Cu")); len(got.Items) == 0 || got.Items[0].Text != "Cut" {
		t.Errorf("%+v", got)
	}
	if b, found := s.Inspect("twice?", 5, 0); !found || !strings.Contains(b["text/plain"].(string), "twice doubles.") {
		t.Errorf("%v", b)
	}
}

func TestFormatCell(t *testing.T) {
	s := newSession(t)
	r := s.eval("%%fmt\nx:=1\nfunc f(){\nprintln( x)}")
	if want := "x := 1\nfunc f() {\n\tprintln(x)\n}"; r.err != nil || len(r.payload) != 1 || r.payload[0]["text"] != want || r.payload[0]["replace"] != true {
		t.Errorf("%+v", r)
	}
	for _, src := range []string{"%%fmt\nx := (", "%%fmt\n%pwd", "%fmt"} {
		if r := s.eval(src); r.err == nil || len(r.payload) > 0 {
			t.Errorf("%q: %+v", src, r)
		}
	}
}

func TestWhoAndReset(t *testing.T) {
	s := newSession(t)
	s.eval("import \"strings\"\ntype T struct{ A int }\nconst c = 2\nvar m map[string]T\nfunc f(x int) string { return strings.Repeat(\"a\", x) }")
	r := s.eval("%who")
	if want := "T   type    struct{A int}\nc   const   untyped int\nf   func    func(x int) string\nm   var     map[string]T\n"; r.stdout != want {
		t.Errorf("%s", r.stdout)
	}
	if r := s.eval("%who m strings"); !strings.Contains(r.stdout, "strings   package") || strings.Contains(r.stdout, "func") {
		t.Errorf("%s", r.stdout)
	}
	if r := s.eval("%reset\n%who"); r.err != nil || r.stdout != "no names\n" {
		t.Errorf("%q, %v", r.stdout, r.err)
	}
	if r := s.eval("f(1)"); r.err == nil {
		t.Error("f is still there")
	}
	if r := s.eval("T := 5\nDisplay(T)\nMust(T, ctx.Err())"); r.err != nil || r.value != 5 {
		t.Errorf("after a reset: %v, %v", r.value, r.err)
	}
}

func TestTime(t *testing.T) {
	s := newSession(t)
	if r := s.eval("%time x := 20 + 1\n%time x * 2"); r.err != nil || r.value != 42 || strings.Count(r.stdout, "Wall time: ") != 2 {
		t.Errorf("%+v", r)
	}
	if r := s.eval("%%time\ny := x\n\ny + z"); r.err == nil || !strings.Contains(traceback(r.err), "In[2]:4:5") || !strings.Contains(r.stdout, "Wall time") {
		t.Errorf("%v %s", r.stdout, traceback(r.err))
	}
	for _, src := range []string{"%timeit x + 1", "%timeit len(\"abc\")", "%timeit x++", "%%timeit\nfor i := range 3 {\n\tx += i\n}"} {
		if r := s.eval(src); r.err != nil || !strings.Contains(r.stdout, " per loop (median of 7 runs of ") {
			t.Errorf("%s: %q, %v", src, r.stdout, r.err)
		}
	}
	if r := s.eval("%timeit panic(\"no\")"); r.err == nil {
		t.Error("a failing loop was timed")
	}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	s := newSession(t, Command{Name: "extra", Help: "From outside.", Line: func(context.Context, *Call) (any, error) { return "extra", nil }})
	r := s.eval("%help")
	for _, c := range s.commands {
		if !strings.Contains(r.stdout, "%"+c.Name) || c.Help == "" || !strings.HasSuffix(c.Help, ".") {
			t.Errorf("%s is not explained", c.Name)
		}
	}
	if !slices.ContainsFunc(s.commands, func(c Command) bool { return c.Name == "extra" }) || s.eval("%extra").value != "extra" {
		t.Error("a further command does not run")
	}
	if r := s.eval("%help time"); !strings.HasPrefix(r.stdout, "%time CODE   %%time\n") {
		t.Errorf("%q", r.stdout)
	}
}

func TestEditing(t *testing.T) {
	s := newSession(t)
	s.eval("import \"strings\"")
	texts := func(src string) (got []string) {
		cursor := strings.IndexByte(src, '|')
		src = src[:cursor] + src[cursor+1:]
		c := s.Complete(src, cursor)
		for _, it := range c.Items {
			got = append(got, src[:c.Start]+it.Text)
		}
		return got
	}
	for src, want := range map[string]string{
		"%ti|":                           "%time %timeit",
		"%%ti|":                          "%%time %%timeit",
		"x\n%wh|":                        "x\n%who",
		"%time strings.ToUpperS|":        "%time strings.ToUpperSpecial",
		"%%time\nstrings.ToUpperS|":      "%%time\nstrings.ToUpperSpecial",
		"%help\nstrings.ToUpperS|":       "%help\nstrings.ToUpperSpecial",
		"%%html\nstrings.ToUpperS|":      "",
		"%cd ../mag|":                    "%cd ../magic/",
		"!cat magic_te|":                 "!cat magic_test.go",
		"%%writefile split|\nstrings.To": "%%writefile split.go",
	} {
		got := texts(src)
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", src, got, want)
		}
	}
	for src, want := range map[string]string{"%time strings.ToUpper": "func strings.ToUpper", "%time": "%time CODE", "%help\nstrings.ToUpper": "func strings.ToUpper"} {
		if got, ok := s.Inspect(src, len(src), 0); !ok || !strings.Contains(got["text/plain"].(string), want) {
			t.Errorf("inspect %q: %v", src, got)
		}
	}
	for src, want := range map[string]string{"%help": kernel.Complete, "%time f(": kernel.Incomplete, "%help\nfunc f() {": kernel.Incomplete, "x := )\n%help": kernel.Invalid,
		"%%html\n<b>": kernel.Incomplete, "%%html\n<b>\n\n": kernel.Complete, "%%time\nx := 1": kernel.Complete, "%%time\nfor {": kernel.Incomplete} {
		if got := s.Check(src); got.Status != want {
			t.Errorf("%q is %s, want %s", src, got.Status, want)
		}
	}
}
