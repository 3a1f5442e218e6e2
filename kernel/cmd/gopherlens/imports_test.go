package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/gopherlens/gopherlens"

// allowed says which of our packages each package may import; nil means anything.
var allowed = map[string][]string{
	"cache":                        {},
	"plots":                        {},
	"lensapi/kernels":              {},
	"lensapi/kernels/internal/asm": {},
	"lensapi/weights":              {},
	"lensapi/tokenizer":            {},
	"lensapi/teach":                {},
	"lensapi/model":                {"lensapi/weights", "lensapi/kernels"},
	"lensapi/forward":              {"lensapi/model"},
	"lensapi/lenstest":             {"lensapi/model", "lensapi/weights", "lensapi/tokenizer"},
	"lensapi":                      {"cache", "plots", "lensapi/forward", "lensapi/model", "lensapi/teach", "lensapi/tokenizer", "lensapi/weights"},
	"lensapi/httpapi":              {"cache", "plots", "lensapi", "lensapi/forward"},
	"lensapi/httpapi/explorer":     {},
	"kernel/wire":                  {},
	"kernel/display":               {},
	"kernel":                       {"kernel/wire", "kernel/display"},
	"kernel/client":                {"kernel/wire"},
	"kernel/kerneltest":            {"kernel", "kernel/wire", "kernel/client"},
	"kernel/kernelspec":            {},
	"kernel/notebook":              {},
	"kernel/magic":                 {"kernel"},
	"kernel/console":               {"kernel/client", "kernel/wire"},
	"kernel/interp":                {"kernel", "kernel/display", "lensapi", "plots", "cache"},
	"kernel/cmd/gopherlens":        nil,
}

// homes says where a module may be imported, and why only there.
var homes = []struct {
	prefix string
	homes  []string
	why    string
}{
	{"gorgonia.org/", []string{"lensapi/model", "kernel/interp"}, "its values are wrong without care; that care lives there (interp only lists its symbols)"},
	{"github.com/dgraph-io/ristretto", []string{"cache"}, "a dropped Set must never lose data"},
	{"github.com/klauspost/compress", []string{"cache"}, "decompression is bounded there"},
	{"gonum.org/v1/plot", []string{"plots", "kernel/interp"}, "pictures look alike because one package draws them (interp only lists its symbols)"},
	{"github.com/go-zeromq/zmq4", []string{"kernel/wire"}, "its sockets are not safe with hostile peers; the transport that is lives there"},
	{"github.com/mmcloughlin/avo", []string{"lensapi/kernels/internal/asm"}, "a generator is no part of the binary"},
	{"github.com/mattn/go-sixel", []string{"kernel/console"}, "one package knows what terminals show"},
	{"github.com/danielgtaylor/huma", []string{"lensapi/httpapi"}, "an endpoint is declared once, for requests, documents and tests"},
	{"github.com/chromedp/", []string{"lensapi/httpapi/explorer"}, "it drives the browser of that package's test"},
	{"github.com/goplus/", []string{"kernel/interp"}, "the engine can be replaced as long as one package knows it"},
}

// testOnly packages serve tests and are not shipped.
var testOnly = []string{"lensapi/lenstest", "kernel/kerneltest"}

// The files are parsed here rather than listed by the go command, whose answer the test cache would keep after another package changed.
func TestImportDirections(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	seen := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != root) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		pkg := home(filepath.ToSlash(rel))
		if _, ok := allowed[pkg]; !ok {
			t.Errorf("%s: package %s is not in the table: add it to allowed and to CONTRIBUTING.md", path, pkg)
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		seen++
		for _, im := range f.Imports {
			p, err := strconv.Unquote(im.Path.Value)
			if err != nil {
				return err
			}
			checkImport(t, path, pkg, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Fatalf("only %d files were checked: is %s the root?", seen, root)
	}
}

// home is the table's package for a folder: subfolders of interp, such as its symbol tables, follow its rules.
func home(dir string) string {
	if strings.HasPrefix(dir, "kernel/interp/") {
		return "kernel/interp"
	}
	return dir
}

func checkImport(t *testing.T, path, pkg, p string) {
	test := strings.HasSuffix(path, "_test.go")
	if own, ok := strings.CutPrefix(p, modulePath+"/"); ok {
		own = home(own)
		switch may := allowed[pkg]; {
		case own == pkg || may == nil && !slices.Contains(testOnly, own) || slices.Contains(may, own):
		case test: // tests may look at more, but a leaf's test must not know the middle
			if len(may) == 0 && (own == "lensapi" || own == "kernel") && !strings.HasPrefix(pkg, own) {
				t.Errorf("%s: the test of %s must not import %s", path, pkg, own)
			}
		default:
			t.Errorf("%s: %s must not import %s; it may import %v", path, pkg, own, may)
		}
	}
	for _, h := range homes {
		if strings.HasPrefix(p, h.prefix) && !slices.Contains(h.homes, pkg) && !test {
			t.Errorf("%s: %s has its home in %v (%s)", path, p, h.homes, h.why)
		}
	}
}

func TestEveryPackageHasDoc(t *testing.T) {
	for pkg := range allowed {
		if pkg == "kernel/cmd/gopherlens" {
			continue
		}
		if _, err := os.Stat(filepath.Join("..", "..", "..", pkg, "doc.go")); err != nil {
			t.Errorf("%s has no doc.go", pkg)
		}
	}
}

func TestRootHoldsOnlyWhatIsPrescribed(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"kernel", "lensapi", "notebooks", "cache", "plots", "bin", "go.mod", "go.sum", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile"}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(want, e.Name()) {
			t.Errorf("%s does not belong at the root", e.Name())
		}
	}
}
