package notebook_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/kernel/notebook"
)

func readFile(t testing.TB, name string) *notebook.Notebook {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	nb, err := notebook.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return nb
}

func write(t testing.TB, nb *notebook.Notebook) string {
	t.Helper()
	var b bytes.Buffer
	if err := nb.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func parse(t testing.TB, s string) *notebook.Notebook {
	t.Helper()
	nb, err := notebook.Read(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return nb
}

// Files in the form that Jupyter writes come back byte for byte.
func TestRoundTripJupyter(t *testing.T) {
	for _, name := range []string{"showcase.ipynb", "gophernotes.ipynb"} {
		want, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := write(t, readFile(t, name)); got != string(want) {
			t.Errorf("%s changed:\n%s", name, firstDiff(got, string(want)))
		}
	}
}

func firstDiff(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "got  " + g[i] + "\nwant " + w[i]
		}
	}
	return "lengths differ"
}

// A file of another tool keeps its order and what nobody here knows; only text becomes lists of lines.
func TestRoundTripForeign(t *testing.T) {
	src, err := os.ReadFile("testdata/editor.ipynb")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(
		`"source": "x := 1\nx"`, "\"source\": [\n    \"x := 1\\n\",\n    \"x\"\n   ]",
		`"text/plain": "1"`, "\"text/plain\": [\n       \"1\"\n      ]",
		"\"application/x-odd\": [\n       \"one\\n\",\n       \"two\"\n      ]", `"application/x-odd": "one\ntwo"`,
		`{"zeta": 1.50, "alpha": [1, 2.0e3, "\u003c"]}`,
		"{\n  \"zeta\": 1.50,\n  \"alpha\": [\n   1,\n   2.0e3,\n   \"\\u003c\"\n  ]\n }",
	).Replace(string(src))
	nb := readFile(t, "editor.ipynb")
	if got := write(t, nb); got != want {
		t.Errorf("%s", firstDiff(got, want))
	}
	c := nb.Cells[0]
	if c.Source != "x := 1\nx" || c.ID != "0f-A_9" || c.ExecutionCount != 3 || !c.HasTag(notebook.TagRaisesException) {
		t.Errorf("cell read as %+v", c)
	}
	if got, _ := c.Outputs[0].Data.Text("application/x-odd"); got != "one\ntwo" {
		t.Errorf("list of lines read as %q", got)
	}
	if nb.Language() != "go" {
		t.Errorf("language %q", nb.Language())
	}
}

func TestTypedFields(t *testing.T) {
	nb := readFile(t, "showcase.ipynb")
	if nb.Minor != 5 || nb.KernelSpec() != (notebook.KernelSpec{DisplayName: "Go (gopherlens)", Language: "go", Name: "gopherlens"}) {
		t.Errorf("minor %d, kernel %+v", nb.Minor, nb.KernelSpec())
	}
	var outs []notebook.Output
	for _, c := range nb.Cells {
		outs = append(outs, c.Outputs...)
	}
	first := outs[0]
	if first.Type != notebook.Stream || first.Name != "stdout" || first.Text != "0: \"embed\"\n1: \"0_post\"\n2: \"1_post\"\n" {
		t.Errorf("stream read as %+v", first)
	}
	for _, o := range outs {
		if o.Type == notebook.Error && (o.ErrName != "runtime error" || len(o.Traceback) != 4) {
			t.Errorf("error read as %+v", o)
		}
	}
	if err := nb.SetKernelSpec(notebook.KernelSpec{DisplayName: "D", Name: "n"}); err != nil {
		t.Fatal(err)
	}
	if got := nb.Metadata.Keys(); !reflect.DeepEqual(got, []string{"kernelspec", "language_info", "vscode"}) {
		t.Errorf("metadata keys %v", got)
	}
	if again := parse(t, write(t, nb)); again.KernelSpec().Name != "n" || again.Language() != "go" {
		t.Errorf("kernel not replaced: %+v", again.KernelSpec())
	}
}

func TestWriteNew(t *testing.T) {
	nb := &notebook.Notebook{Minor: 5, Cells: []*notebook.Cell{
		{Type: notebook.Markdown, Source: "# T\n"},
		{Type: notebook.Code, ID: "cell-1", Source: "f(\"<&>\u2028\")"},
		{Type: notebook.Code, ID: "no blanks allowed", ExecutionCount: 2, Outputs: []notebook.Output{
			{Type: notebook.Stream, Name: "stdout", Text: "a\r\nb\x01"},
			{Type: notebook.Error, ErrName: "E", ErrValue: "v"},
		}},
	}}
	const want = `{"cells":[
		{"cell_type":"markdown","id":"cell-4","metadata":{},"source":["# T\n"]},
		{"cell_type":"code","execution_count":null,"id":"cell-1","metadata":{},"outputs":[],"source":["f(\"<&>\u2028","\")"]},
		{"cell_type":"code","execution_count":2,"id":"cell-3","metadata":{},"outputs":[
			{"name":"stdout","output_type":"stream","text":["a\r\n","b\u0001"]},
			{"ename":"E","evalue":"v","output_type":"error","traceback":[]}],"source":[]}],
		"metadata":{},"nbformat":4,"nbformat_minor":5}`
	var buf bytes.Buffer
	if err := json.Indent(&buf, []byte(want), "", " "); err != nil {
		t.Fatal(err)
	}
	got := write(t, nb)
	if w := strings.ReplaceAll(buf.String(), `\u2028`, "\u2028") + "\n"; got != w {
		t.Errorf("got\n%s\n%s", got, firstDiff(got, w))
	}
	nb.Minor = 4
	if got := write(t, nb); strings.Contains(got, "cell-4") {
		t.Error("ids made up below nbformat 4.5")
	}
	nb.Cells[2].Outputs = []notebook.Output{{Type: notebook.ClearOutput}}
	if err := nb.Write(&buf); err == nil {
		t.Error("a clear_output was written")
	}
	nb.Cells = []*notebook.Cell{{Type: "heading"}}
	if err := nb.Write(&buf); err == nil || !strings.Contains(err.Error(), "allowed are code, markdown and raw") {
		t.Errorf("wrong cell type: %v", err)
	}
}

// Expected values are those of Python's str.splitlines(True).
func TestSplitLines(t *testing.T) {
	for in, want := range map[string]string{
		"":                 `[]`,
		"a":                `["a"]`,
		"a\n":              `["a\n"]`,
		"a\n\nb":           `["a\n","\n","b"]`,
		"1%\r2%\r\nx":      `["1%\r","2%\r\n","x"]`,
		"a\vb\fc\x1cd":     `["a\u000b","b\f","c\u001c","d"]`,
		"a\u0085b\u2029\n": "[\"a\u0085\",\"b\u2029\",\"\\n\"]",
	} {
		if got := notebook.SplitLines(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	cell := func(s string) string { return `{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[` + s + `]}` }
	out := func(s string) string {
		return cell(`{"cell_type":"raw","source":""},{"cell_type":"code","source":[],"outputs":[` + s + `]}`)
	}
	for in, want := range map[string]string{
		"":                                   "is empty",
		" \n":                                "is empty",
		"{\n\"nbformat\": 4,\n]":             "line 3",
		"[]":                                 "must be a JSON object",
		"{}":                                 "no nbformat number",
		`{"nbformat":"4"}`:                   "must be the number 4",
		`{"nbformat":3,"worksheets":[]}`:     "nbformat 3: only nbformat 4",
		`{"nbformat":5}`:                     "nbformat 5: only nbformat 4",
		`{"nbformat":4,"nbformat_minor":-1}`: "nbformat_minor",
		`{"nbformat":4}`:                     "no cells",
		`{"nbformat":4,"cells":{}}`:          "not a JSON array",
		`{"nbformat":4,"metadata":[],"cells":[]}`: ".metadata: not a JSON object",
		cell(`7`):             "cells[0]: not a JSON object",
		cell(`{"source":""}`): "cells[0] has no cell_type",
		cell(`{"cell_type":"heading","source":""}`):                    "allowed are code, markdown and raw",
		cell(`{"cell_type":"code"}`):                                   "cells[0] has no source",
		cell(`{"cell_type":"code","source":["a",1]}`):                  "cells[0].source: element 1 is not a string",
		cell(`{"cell_type":"code","source":7}`):                        "neither a string nor a list",
		cell(`{"cell_type":"code","source":"","execution_count":"1"}`): ".execution_count",
		cell(`{"cell_type":"code","source":"","outputs":{}}`):          "cells[0].outputs: not a list",
		out(`{}`):                       "cells[1].outputs[0] has no output_type",
		out(`{"output_type":"stream"}`): "cells[1].outputs[0] has no name",
		out(`{"output_type":"display_data","data":[]}`):                       ".data: not a JSON object",
		out(`{"output_type":"error","ename":"","evalue":"","traceback":"x"}`): "traceback",
		out(`{"output_type":"clear_output"}`):                                 "cannot stand in a file",
		strings.Repeat("[", 100000):                                           "not valid JSON",
	} {
		_, err := notebook.Read(strings.NewReader(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: error %v, want one with %q", in, err, want)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60q: error of several lines: %v", in, err)
		}
	}
	if _, err := notebook.ReadLimited(strings.NewReader(strings.Repeat(" ", 3<<20)), 2<<20); err == nil || !strings.Contains(err.Error(), "larger than the 2 MiB allowed") {
		t.Errorf("too large: %v", err)
	}
}

func TestReadBOMAndMinor(t *testing.T) {
	nb := parse(t, "\ufeff"+`{"nbformat":4,"nbformat_minor":9,"cells":[],"metadata":null}`)
	if nb.Minor != 9 {
		t.Errorf("minor %d", nb.Minor)
	}
}

func TestFromMessage(t *testing.T) {
	o, ok, err := notebook.FromMessage("display_data", []byte(`{"data":{"text/plain":"x"},"metadata":{},"transient":{"display_id":"d1"}}`))
	if text, _ := o.Data.Text("text/plain"); err != nil || !ok || o.DisplayID != "d1" || text != "x" {
		t.Errorf("display_data: %+v %v %v", o, ok, err)
	}
	if o, ok, err = notebook.FromMessage("clear_output", []byte(`{"wait":true}`)); err != nil || !ok || !o.Wait {
		t.Errorf("clear_output: %+v %v %v", o, ok, err)
	}
	if _, ok, err = notebook.FromMessage("status", []byte(`{}`)); ok || err != nil {
		t.Errorf("status is no output: %v %v", ok, err)
	}
	if _, _, err = notebook.FromMessage("stream", []byte(`{"text":7}`)); err == nil {
		t.Error("wrong content accepted")
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"showcase.ipynb", "gophernotes.ipynb", "editor.ipynb"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"nbformat":4,"cells":[{"cell_type":"code","source":["a\n",""],"a":1,"a":{"b":[]}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		nb, err := notebook.Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		once := write(t, nb)
		again := parse(t, once) // what we write we can read
		if twice := write(t, again); twice != once {
			t.Errorf("not stable: %s", firstDiff(twice, once))
		}
		var page bytes.Buffer
		if err := nb.HTML(&page, notebook.HTMLOptions{}); err != nil {
			t.Fatal(err)
		}
		checkPage(t, page.String())
	})
}
