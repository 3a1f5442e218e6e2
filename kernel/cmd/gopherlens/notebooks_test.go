package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// output is what a cell of an executed notebook shows.
type output struct {
	Type string                     `json:"output_type"`
	Text json.RawMessage            `json:"text"`
	Data map[string]json.RawMessage `json:"data"`
}

// execute runs a notebook of the project as the README says, and returns the outputs of its code cells.
func execute(t *testing.T, path string) [][]output {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // the command goes to the notebook's folder
	out := filepath.Join(t.TempDir(), "out.ipynb")
	if code, stdout, stderr := gopherlens(t, "run", path, "--output", out); code != exitOK {
		t.Fatalf("status %d\n%s%s", code, stdout, stderr)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var nb struct {
		Cells []struct {
			Type    string   `json:"cell_type"`
			Outputs []output `json:"outputs"`
		} `json:"cells"`
	}
	if err := json.Unmarshal(b, &nb); err != nil {
		t.Fatal(err)
	}
	var cells [][]output
	for i, c := range nb.Cells {
		for _, o := range c.Outputs {
			if o.Type == "error" {
				t.Errorf("cell %d shows an error", i)
			}
		}
		if c.Type == "code" {
			cells = append(cells, c.Outputs)
		}
	}
	return cells
}

// says has some of what each notebook's text speaks of.
var says = map[string][]string{
	"01-logit-lens.ipynb": {
		"The capital of France is Paris.", "The currency of France is the euro.", // the chat
		"␣Paris .99",      // the lens of the prompt
		"5_post", "embed", // its rows
		"before it:", "␣euro 1.0, rank 1", // the click
		"forward passes for reopening and clicking: 0",
	},
	"02-looking-closer.ipynb": {
		"lens raw", "lens scaled", "mean KL to the model's own output", // side by side
		"Adam", "tuned", // the fit
		"logit of “␣Paris” less “␣Rome”", "largest heads: L1H0", "remainder", // attribution
		"L0H3", "last looks at", // attention
		"denoising", "clean 10.310, corrupted -8.281", // patching
		"zero blocks.0.attn.hook_z heads [3]", // intervention
	},
}

// Every notebook runs without an error and shows what it says, and runs again from the cache alone with the same outputs.
func TestNotebooks(t *testing.T) {
	paths, err := filepath.Glob("../../../notebooks/*.ipynb")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no notebooks: %v", err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, ".out.ipynb") {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			path, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Setenv(lens.CacheDirEnv, t.TempDir())
			first, second := execute(t, path), execute(t, path)
			var all strings.Builder
			pictures := 0
			for i, cell := range first {
				for j, o := range cell {
					if o.Data["image/png"] != nil {
						pictures++
					}
					a, b := shown(t, o), shown(t, second[i][j])
					all.WriteString(a + "\n")
					if strings.HasPrefix(a, "forward passes since load") {
						if !strings.HasPrefix(b, "forward passes since load: 0 (0 tokens)") {
							t.Errorf("the second run is not from the cache:\n%s", b)
						}
						continue
					}
					if a != b {
						t.Errorf("cell %d showed\n%s\nand then\n%s", i, a, b)
					}
				}
			}
			if pictures < 3 {
				t.Errorf("%d pictures", pictures)
			}
			if len(says[filepath.Base(path)]) == 0 {
				t.Error("nothing is said of this notebook")
			}
			for _, want := range says[filepath.Base(path)] {
				if !strings.Contains(all.String(), want) {
					t.Errorf("no %q in\n%s", want, all.String())
				}
			}
		})
	}
}

// shown is the text of an output.
func shown(t *testing.T, o output) string {
	t.Helper()
	raw := o.Text
	if raw == nil {
		raw = o.Data["text/plain"]
	}
	var lines []string
	if err := json.Unmarshal(raw, &lines); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return strings.Join(lines, "")
}
