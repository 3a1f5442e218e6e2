package lenstest

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/model"
	"github.com/gopherlens/gopherlens/lensapi/weights"
)

//go:embed testdata/*/*
var files embed.FS

// Names lists the models.
func Names() []string {
	folders, err := files.ReadDir("testdata")
	if err != nil { // embedded: it is there
		return nil
	}
	var names []string
	for _, f := range folders {
		names = append(names, f.Name())
	}
	return names
}

// FS is the folder of a model: config.json, tokenizer.json, tokenizer_config.json, weights and golden.json. That of
// an unknown name has no files.
func FS(name string) fs.FS {
	sub, err := fs.Sub(files, "testdata/"+name)
	if err != nil { // only for a name that is not a path
		return embed.FS{}
	}
	return sub
}

// Reference is what the reference computed for one sequence: T positions, L layers, L+1 residual rows, natural logs.
type Reference struct {
	IDs     []int           `json:"ids"`      // [T]
	Resid   [][][]float64   `json:"resid"`    // [L+1][T][d_model]: what enters block 0, what leaves each block
	AttnOut [][][]float64   `json:"attn_out"` // [L][T][d_model]
	MLPOut  [][][]float64   `json:"mlp_out"`  // [L][T][d_model]
	Pattern [][][][]float64 `json:"pattern"`  // [L][n_heads][T][T]
	Logits  [][]float64     `json:"logits"`   // [T][d_vocab]
	Lens    []Lens          `json:"lens"`     // [L+1]
}

// Lens is the logit lens of one residual row: final norm and unembedding.
type Lens struct {
	IDs          [][]int     `json:"ids"`           // [T][10], most likely first, equal ones by id
	LogProbs     [][]float64 `json:"logprobs"`      // [T][10]
	Entropy      []float64   `json:"entropy"`       // [T]
	KL           []float64   `json:"kl"`            // [T]: of the model's distribution from this one
	LogPartition []float64   `json:"log_partition"` // [T]
	NextLogProb  []float64   `json:"next_logprob"`  // [T-1]: of the token that follows
}

// Golden returns the golden of a model.
func Golden(name string) (*Reference, error) {
	data, err := fs.ReadFile(FS(name), "golden.json")
	if err != nil {
		return nil, fmt.Errorf("lenstest: %w", err)
	}
	g := new(Reference)
	if err := json.Unmarshal(data, g); err != nil {
		return nil, fmt.Errorf("lenstest: golden of %s: %w", name, err)
	}
	return g, nil
}

// Model loads a model; an error ends the test.
func Model(tb testing.TB, name string) *model.Model {
	tb.Helper()
	return Load(tb, FS(name))
}

// Load loads the model in a folder; an error ends the test.
func Load(tb testing.TB, fsys fs.FS) *model.Model {
	tb.Helper()
	config, err := fs.ReadFile(fsys, "config.json")
	if err != nil {
		tb.Fatal(err)
	}
	w, err := weights.Open(fsys)
	if err != nil {
		tb.Fatal(err)
	}
	defer w.Close()
	m, err := model.Load(config, w)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}
