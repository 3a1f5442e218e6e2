package gen

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// zoo calls the go command in the module that the test of gopherlens build adds.
func zoo(args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = filepath.Join("..", "..", "..", "cmd", "gopherlens", "testdata", "zoo")
	cmd.Env = append(cmd.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	return cmd.Output()
}

func TestGeneric(t *testing.T) {
	if testing.Short() {
		t.Skip("asks the go command for export data")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command")
	}
	targets := []Target{{Path: "example.com/zoo", File: "a"}, {Path: "example.com/zoo/bins", File: "b"}}
	std := func(path string) bool { return !strings.Contains(path, ".") }
	made, err := Generate(zoo, targets, &Generic{Known: std})
	if err != nil {
		t.Fatal(err)
	}
	patches, table := string(made.Files[PatchFile]), string(made.Files["b_gen.go"])
	for _, want := range []string{
		`patch{"example.com/zoo/bins", "bins", false,`, `patch{"example.com/zoo/internal/feed", "feed", true,`,
		"//go:build go1.21", "func Sum[T Number]", "type node[T any]", "func describe(", "func Ints()", "Push(native__.Third)", "return native__.CountOne()", "type Food interface",
	} {
		if !strings.Contains(patches, want) {
			t.Errorf("the patches lack %q", want)
		}
	}
	for _, not := range []string{"total", "type mark", "type Box", "func Marked", "func Inside", "func CountOne", "Meow"} {
		if strings.Contains(patches, not) {
			t.Errorf("the patches have %q", not)
		}
	}
	for _, want := range []string{`"CountOne":`, `"NewBox":`, `"Box":`, `"Third":`} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %s", want)
		}
	}
	if strings.Contains(table, `"Ints":`) { // its stack is not that of cells
		t.Error("the table has Ints")
	}
	if got := made.Skipped["example.com/zoo/bins"]; len(got) != 3 || !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "func Counted (it needs total") }) {
		t.Errorf("skipped: %q", got)
	}

	made, err = Generate(zoo, targets, &Generic{Known: std, Without: map[string]bool{"example.com/zoo/bins": true}})
	if err != nil {
		t.Fatal(err)
	}
	if patches := made.Files[PatchFile]; patches != nil || !strings.Contains(string(made.Files["b_gen.go"]), `"Ints":`) {
		t.Errorf("without generic code: %s", patches)
	}
}
