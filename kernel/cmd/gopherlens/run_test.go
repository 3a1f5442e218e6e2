package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel/notebook"
)

// tagged writes a notebook of code cells; a source may start with #tag and a space.
func tagged(t *testing.T, sources ...string) string {
	t.Helper()
	nb := &notebook.Notebook{Minor: 5}
	for _, src := range sources {
		c := &notebook.Cell{Type: notebook.Code, Source: src}
		if tag, rest, ok := strings.Cut(src, " "); ok && tag[0] == '#' {
			c.Source = rest
			if err := c.Metadata.Set("tags", []string{tag[1:]}); err != nil {
				t.Fatal(err)
			}
		}
		nb.Cells = append(nb.Cells, c)
	}
	var b bytes.Buffer
	if err := nb.Write(&b); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "nb.ipynb")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	return file
}

// executed reads what a run wrote beside a notebook.
func executed(t *testing.T, file string) *notebook.Notebook {
	t.Helper()
	b, err := os.ReadFile(strings.TrimSuffix(file, ".ipynb") + ".out.ipynb")
	if err != nil {
		t.Fatal(err)
	}
	nb, err := notebook.Read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return nb
}

func resultOf(c *notebook.Cell) string {
	for _, o := range c.Outputs {
		if s, ok := o.Data.Text("text/plain"); ok {
			return s
		}
	}
	return ""
}

func TestRunTags(t *testing.T) {
	file := tagged(t, "#raises-exception panic(\"on purpose\")", "#skip-execution panic(\"never\")", "6 * 7")
	if code, out, errs := gopherlens(t, "run", file); code != exitOK || !strings.Contains(out, "skipped") {
		t.Fatalf("status %d\n%s%s", code, out, errs)
	}
	nb := executed(t, file)
	if resultOf(nb.Cells[2]) != "42" || len(nb.Cells[1].Outputs) != 0 || nb.Cells[0].Outputs[0].Type != notebook.Error {
		t.Errorf("%+v", nb.Cells)
	}
}

func TestRunAllowErrorsAndTimeout(t *testing.T) {
	file := tagged(t, "panic(1)", "6 * 7")
	if code, _, errs := gopherlens(t, "run", "--allow-errors", file); code != exitOK || resultOf(executed(t, file).Cells[1]) != "42" {
		t.Errorf("status %d, %s", code, errs)
	}
	file = tagged(t, "1", "for {}", "3")
	if code, _, errs := gopherlens(t, "run", "--timeout", "300ms", file); code != exitFailed || !strings.Contains(errs, "cell 2") || !strings.Contains(errs, "longer") {
		t.Errorf("status %d, %s", code, errs)
	}
	if nb := executed(t, file); resultOf(nb.Cells[0]) != "1" || len(nb.Cells[2].Outputs) != 0 {
		t.Error("what ran was not saved")
	}
}

func TestRunInterrupted(t *testing.T) {
	file := tagged(t, "1", "for {}")
	ctx, cancel := context.WithCancel(context.Background())
	var out, errs bytes.Buffer
	watch := writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), "cell  1/2") {
			time.AfterFunc(100*time.Millisecond, cancel) // as Ctrl-C does
		}
		return out.Write(p)
	})
	if code := run(ctx, []string{"run", file}, watch, &errs); code != exitInterrupted {
		t.Errorf("status %d\n%s%s", code, out.String(), errs.String())
	}
	if nb := executed(t, file); resultOf(nb.Cells[0]) != "1" {
		t.Error("what ran was not saved")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestRunParameters(t *testing.T) {
	file := tagged(t, "import \"fmt\"", "#parameters name := \"World\"\nn, f := 1, 0.5\nvar on bool\nlist := []int{1}", "fmt.Sprint(name, n, f, on, list)")
	code, _, errs := gopherlens(t, "run", file, "-p", "name=a \"b\"; c=d", "-p", "n=-3", "-p", "f=2", "--param", "on=true", "-p", "list=[]int{4, 5}")
	if code != exitOK {
		t.Fatalf("status %d, %s", code, errs)
	}
	nb := executed(t, file)
	if len(nb.Cells) != 4 || !nb.Cells[2].HasTag("injected-parameters") {
		t.Fatalf("%d cells", len(nb.Cells))
	}
	if want := `a "b"; c=d-3 2 true [4 5]`; resultOf(nb.Cells[3]) != want {
		t.Errorf("%q, want %q\n%s", resultOf(nb.Cells[3]), want, nb.Cells[2].Source)
	}
	for arg, want := range map[string]string{"m=1": "no such variable", "n=x": "whole number", "n=1.5": "whole number", "f=many": "not a number", "f=NaN": "not a number",
		"on=yes": "true nor false", "list=[": "expression"} {
		if code, _, errs := gopherlens(t, "run", file, "-p", arg); code != exitUsage || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("-p %s: status %d, %s", arg, code, errs)
		}
	}
	if code, _, errs := gopherlens(t, "run", tagged(t, "1"), "-p", "n=1"); code != exitUsage || !strings.Contains(errs, "tagged parameters") {
		t.Errorf("status %d, %s", code, errs)
	}
	if code, _, errs := gopherlens(t, "run", tagged(t, "#parameters import \"os\"\nx := 1"), "-p", "x=1"); code != exitUsage || !strings.Contains(errs, "nothing but definitions") {
		t.Errorf("status %d, %s", code, errs)
	}
}

func TestRunCheck(t *testing.T) {
	file := tagged(t, "import (\"fmt\"; \"image\"; \"os\"; \"time\")\nfmt.Println(\"text\")\nfmt.Fprintln(os.Stderr, \"aside\")", "image.NewRGBA(image.Rect(0, 0, 4, 3))",
		"#nbval-ignore-output time.Now().UnixNano()", "#raises-exception panic(2)")
	if code, _, errs := gopherlens(t, "run", file); code != exitOK {
		t.Fatal(errs)
	}
	done := strings.TrimSuffix(file, ".ipynb") + ".out.ipynb"
	code, out, errs := gopherlens(t, "run", "--check", done)
	if code != exitOK || !strings.Contains(out, "every cell shows what") || strings.Contains(out, "wrote") {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
	b, err := os.ReadFile(done)
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b, []byte(`"text\n"`), []byte(`"other\n"`), 1)
	b = bytes.Replace(b, []byte("Rect(0, 0, 4, 3)"), []byte("Rect(0, 0, 5, 3)"), 1)
	if err := os.WriteFile(done, b, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs = gopherlens(t, "run", "--check", done)
	if code != exitFailed || !strings.Contains(out, `cell 1: was "stdout other", is "stdout text"`) || !strings.Contains(out, "cell 2: ") || strings.Contains(out, "cell 3: ") ||
		!strings.Contains(errs, "2 cells show something else") {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
}

func TestRunCommands(t *testing.T) {
	file := tagged(t, "%%writefile made.txt\nhello", "%cache", "%model teach", "%model nowhere")
	if code, _, errs := gopherlens(t, "run", "--allow-errors", file); code != exitOK {
		t.Fatal(errs)
	}
	if got, err := os.ReadFile(filepath.Join(filepath.Dir(file), "made.txt")); err != nil || string(got) != "hello\n" {
		t.Errorf("%q, %v", got, err)
	}
	b, _ := json.Marshal(executed(t, file).Cells[1].Outputs[0].Text + executed(t, file).Cells[2].Outputs[0].Text)
	if !strings.Contains(string(b), "files, ") || !strings.Contains(string(b), "teach: ") || !strings.Contains(string(b), "rows embed 0_post") {
		t.Errorf("%s", b)
	}
	if o := executed(t, file).Cells[3].Outputs[0]; o.Type != notebook.Error || !strings.Contains(o.ErrValue, "nowhere") {
		t.Errorf("%+v", o)
	}
}

func TestRunLateOutput(t *testing.T) {
	file := tagged(t, "ch, done := make(chan int), make(chan bool)\ngo func() { for v := range ch { println(v) }; done <- true }()", "for i := range 3 { ch <- i }", "close(ch)\n<-done")
	if code, out, errs := gopherlens(t, "run", file); code != exitOK {
		t.Fatalf("status %d\n%s%s", code, out, errs)
	}
	nb := executed(t, file)
	if got := nb.Cells[0].Outputs; len(got) != 1 || got[0].Text != "0\n1\n2\n" {
		t.Errorf("the first cell shows %+v", got)
	}
	if got := nb.Cells[1].Outputs; len(got) != 0 {
		t.Errorf("the second cell shows %+v", got)
	}
}
