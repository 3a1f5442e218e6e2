package interp

import (
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// noExamples are those of TestExamples that do otherwise, or that are no programs, by the path of the file and the example.
var noExamples = map[string]string{
	"context/example_test.go":                        "needs another file of the test",
	"crypto/rsa/example_test.go":                     "needs another file of the test",
	"go/types/example_test.go":                       "needs another file of the test",
	"net/http/cookiejar/example_test.go":             "needs another file of the test",
	"time/example_test.go Date":                      "needs another file of the test, which sets the zone",
	"time/example_test.go Parse":                     "needs another file of the test, which sets the zone",
	"time/example_test.go Time_Format":               "needs another file of the test, which sets the zone",
	"go/doc/example_test.go":                         "imports what only the Go tree may",
	"embed/example_test.go":                          "a cell is not built from files",
	"encoding/json/jsontext/example_test.go":         "an experiment of Go 1.26, off by default",
	"encoding/json/v2/example_orderedobject_test.go": "an experiment of Go 1.26, off by default",
	"encoding/json/v2/example_test.go":               "an experiment of Go 1.26, off by default",
	"testing/synctest/example_test.go":               "its clock cannot run in cells",
	"errors/example_test.go AsType_custom_match":     "prints the name of its package",
	"errors/example_test.go As_custom_match":         "prints the name of its package",
	"runtime/example_test.go Frames":                 "prints the name of its package",
	"log/example_test.go Logger":                     "prints its line in the file",
	"log/example_test.go Logger_Output":              "prints its line in the file",
	"log/slog/example_wrap_test.go _wrapping":        "prints its line in the file",
	"go/ast/example_test.go Print":                   "ast.Print writes to the os.Stdout of the process",
	"runtime/example_test.go AddCleanup":             "waits for a cleanup, while its frame keeps the value",
}

// TestExamples runs the examples of the standard library as cells: the declarations of a file are one, each example is one that calls it.
func TestExamples(t *testing.T) {
	if os.Getenv("GOPHERLENS_SLOW") == "" {
		t.Skip("runs seven hundred examples: set GOPHERLENS_SLOW=1")
	}
	root := filepath.Join(runtime.GOROOT(), "src")
	var files []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && slices.Contains([]string{"cmd", "internal", "vendor", "testdata"}, d.Name()) {
			return filepath.SkipDir
		}
		if err == nil && strings.HasPrefix(d.Name(), "example") && strings.HasSuffix(path, "_test.go") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(t)
	passed, left := 0, 0
	for _, path := range files {
		rel, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		rel = filepath.ToSlash(rel)
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, src, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		examples := slices.DeleteFunc(doc.Examples(f), func(ex *doc.Example) bool { return ex.Output == "" && !ex.EmptyOutput })
		if len(examples) == 0 {
			continue
		}
		if noExamples[rel] != "" {
			left += len(examples)
			continue
		}
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
		t.Chdir(filepath.Dir(path))
		if got := s.eval(t, string(src[fset.Position(f.Name.End()).Offset:])); got.err != nil {
			t.Errorf("%s: %v", rel, got.err)
			continue
		}
		for _, ex := range examples {
			if noExamples[rel+" "+ex.Name] != "" {
				left++
				continue
			}
			got := s.eval(t, "Example"+ex.Name+"()")
			if g, w := exampleLines(got.stdout, ex.Unordered), exampleLines(ex.Output, ex.Unordered); got.err != nil || g != w {
				t.Errorf("%s %s: %v %s", rel, ex.Name, got.err, firstDifference(g, w))
				continue
			}
			passed++
		}
	}
	t.Logf("%d examples print what they should, %d are listed as others", passed, left)
}

// exampleLines is output as go test compares it, and with blanks at the ends of lines left out.
func exampleLines(s string, unordered bool) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " \t\r")
	}
	if unordered {
		slices.Sort(lines)
	}
	return strings.Join(lines, "\n")
}
