package interp

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "with GOPHERLENS_SLOW: write what the compiled cases print where a corpus file has a ? for it")

// TestCorpusCompiled: what the corpus expects is what the real compiler's
// program prints. Each case becomes a package: its declarations stay, its
// statements become one function, cell after cell. Cases with the flag cells
// show what only cells can do.
func TestCorpusCompiled(t *testing.T) {
	if os.Getenv("GOPHERLENS_SLOW") == "" {
		t.Skip("compiles the corpus: set GOPHERLENS_SLOW=1")
	}
	var cases []corpusCase
	for _, c := range readCorpus(t) {
		if c.compiles() {
			cases = append(cases, c)
		}
	}
	dir := t.TempDir()
	buildCases(t, dir, cases)
	for i, c := range cases {
		cmd := exec.Command(filepath.Join(dir, "cases"), strconv.Itoa(i))
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: compiled: %v", c.name, err)
			continue
		}
		text := strings.NewReplacer(casePackage+".", "main.", caseName(i), "main").Replace(string(out))
		parts := strings.Split(text, "\x1e\n")
		for k := range c.cells {
			cell := &c.cells[k]
			if cell.want == nil {
				continue
			}
			got := withoutBlank(parts[k])
			if *update && *cell.want == "?\n" {
				fillIn(t, c.file, cell.line, got)
				continue
			}
			if want := withoutStderr(*cell.want); got != want {
				t.Errorf("%s, line %d: the compiled program prints\n%sthe corpus expects\n%s", c.name, cell.line, got, want)
			}
		}
	}
	t.Logf("%d cases compiled", len(cases))
}

// compiles reports whether a compiled program can show what the case shows.
func (c *corpusCase) compiles() bool {
	if c.cellsOnly || c.interrupt {
		return false
	}
	checked := false
	for _, cell := range c.cells {
		if cell.fail != "" {
			return false
		}
		checked = checked || cell.want != nil
	}
	return checked
}

const casePackage = "casepackage"

func caseName(i int) string { return fmt.Sprintf("corpus/case%04d", i) }

func buildCases(t *testing.T, dir string, cases []corpusCase) {
	t.Helper()
	var imports, calls strings.Builder
	for i, c := range cases {
		src, err := c.program()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		file := filepath.Join(dir, fmt.Sprintf("case%04d", i), "case.go")
		writeFile(t, file, src)
		fmt.Fprintf(&imports, "import c%d %q\n", i, caseName(i))
		fmt.Fprintf(&calls, "\tcase \"%d\":\n\t\tc%d.Run()\n", i, i)
	}
	writeFile(t, filepath.Join(dir, "go.mod"), "module corpus\n\ngo 1.26\n")
	writeFile(t, filepath.Join(dir, "main.go"), "package main\n\nimport \"os\"\n"+imports.String()+"\nfunc main() {\n\tswitch os.Args[1] {\n"+calls.String()+"\t}\n}\n")
	if out := goBuild(t, dir, "cases"); out != "" {
		for i, c := range cases {
			out = strings.ReplaceAll(out, caseName(i)[len("corpus/"):]+"/case.go", c.name)
		}
		t.Fatal(out)
	}
}

// goBuild compiles a module and returns what the go command has against it.
func goBuild(t *testing.T, dir, name string) string {
	t.Helper()
	cmd := exec.Command("go", "build", "-gcflags=-e", "-ldflags=-s -w", "-o", name, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Fatal(err)
	}
	return string(out)
}

func writeFile(t *testing.T, file, src string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
}

// program is the case as a package with a function Run, which writes a record
// separator after each cell.
func (c *corpusCase) program() (string, error) {
	var decls, body, end strings.Builder
	imports := map[string]string{} // name -> path
	for i, cell := range c.cells {
		p, errs := planCell("cell", cell.src, i)
		if errs != nil {
			return "", fmt.Errorf("line %d: %v", cell.line, errs)
		}
		for _, im := range p.imports {
			imports[importedAs(im)] = im.path
		}
		for _, d := range p.decls {
			if d.tok == token.TYPE {
				decls.WriteString("type ")
			}
			decls.WriteString(d.src + "\n")
		}
		for _, n := range p.inits {
			body.WriteString(n + "()\n")
		}
		for k, st := range p.stmts {
			if st.varSpec && st.typ != "" { // functions may use it
				fmt.Fprintf(&decls, "var %s %s\n", strings.Join(st.defs, ", "), st.typ)
				if st.rhs != "" {
					fmt.Fprintf(&body, "%s = %s\n", strings.Join(st.defs, ", "), st.rhs)
				}
				continue
			}
			text := st.src
			if st.varSpec {
				text = "var " + text
			}
			if shows := cell.want != nil && strings.Contains(*cell.want, "=> "); shows && k == len(p.stmts)-1 && st.expr {
				text = "fmt__.Println(\"=>\", " + text + ")"
			}
			body.WriteString(text + "\n")
			for _, n := range st.defs {
				if n != "_" {
					fmt.Fprintf(&body, "_ = %s\n", n)
				}
			}
		}
		if p.program {
			body.WriteString("main()\n")
		}
		body.WriteString("fmt__.Print(\"\\x1e\\n\")\n{\n")
		end.WriteString("}\n")
	}
	src := "package " + casePackage + "\n\nimport fmt__ \"fmt\"\n"
	text := decls.String() + "\nfunc Run() {\n" + body.String() + end.String() + "}\n"
	f, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+text, 0)
	if err != nil {
		return "", err
	}
	used := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok {
				used[id.Name] = true
			}
		}
		return true
	})
	for name, path := range imports {
		if used[name] || name == "." {
			src += fmt.Sprintf("import %s %q\n", name, path)
		}
	}
	return src + text, nil
}

// importedAs is the name of an imported package in its cell.
func importedAs(im importSpec) string {
	if im.name != "" {
		return im.name
	}
	parts := strings.Split(im.path, "/")
	last := parts[len(parts)-1]
	if len(parts) > 1 && len(last) == 2 && last[0] == 'v' {
		last = parts[len(parts)-2]
	}
	return last
}

func withoutBlank(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if strings.TrimSuffix(line, "\n") != "" {
			b.WriteString(strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	return b.String()
}

func withoutStderr(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if !strings.HasPrefix(line, "[stderr] ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// fillIn puts text in the place of the file's first ?: cases come in order.
func fillIn(t *testing.T, file string, line int, text string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(data, []byte("\n<<<\n?\n"))
	if i < 0 {
		t.Fatalf("%s, line %d: no place", file, line)
	}
	out := append([]byte(nil), data[:i]...)
	out = append(out, "\n<<<\n"+text...)
	out = append(out, data[i+len("\n<<<\n?\n"):]...)
	if err := os.WriteFile(file, out, 0o644); err != nil {
		t.Fatal(err)
	}
}
