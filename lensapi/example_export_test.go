package lens_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

func ExampleGrid_CSV() {
	m, done := example()
	defer done()
	g, err := m.LogitLens(context.Background(), "The capital", lens.LensOptions{})
	if err != nil {
		log.Fatal(err)
	}
	var b strings.Builder
	if err := g.CSV(&b); err != nil {
		log.Fatal(err)
	}
	head, _, _ := strings.Cut(b.String(), "\n")
	fmt.Println(head)
	// Output: row,position,id,token,top_id,top_token,top_logprob,next_id,next_logprob,next_rank,probability,logit,rank,entropy,kl,log_partition,cross_entropy,answer_probability,model
}

func ExampleGrid_Parquet() {
	m, done := example()
	defer done()
	g, err := m.LogitLens(context.Background(), "The capital of France is", lens.LensOptions{Stats: true})
	if err != nil {
		log.Fatal(err)
	}
	f, err := os.CreateTemp("", "cells-*.parquet") // pandas.read_parquet, DuckDB, Polars read it
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(f.Name())
	if err := errors.Join(g.Parquet(f), f.Close()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(g.Rows)*len(g.IDs), "lines")
	// Output: 35 lines
}

// numpy.load reads it.
func ExampleGrid_NPZ() {
	m, done := example()
	defer done()
	g, err := m.LogitLens(context.Background(), "The capital of France is", lens.LensOptions{})
	if err != nil {
		log.Fatal(err)
	}
	var b bytes.Buffer // or a file
	if err := g.NPZ(&b); err != nil {
		log.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range z.File {
		fmt.Println(f.Name)
	}
	// Output:
	// ids.npy
	// first.npy
	// top_id.npy
	// top_logit.npy
	// top_logprob.npy
	// probability.npy
	// logit.npy
	// rank.npy
	// entropy.npy
	// kl.npy
	// log_partition.npy
	// cross_entropy.npy
	// answer_probability.npy
	// model.npy
}

// zarr.open reads it, and in a browser zarrita does.
func ExampleGrid_Zarr() {
	m, done := example()
	defer done()
	g, err := m.LogitLens(context.Background(), "The capital of France is", lens.LensOptions{})
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "lens")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := g.Zarr(filepath.Join(dir, "france.zarr")); err != nil {
		log.Fatal(err)
	}
	arrays, err := filepath.Glob(filepath.Join(dir, "france.zarr", "top_*"))
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range arrays {
		fmt.Println(filepath.Base(a))
	}
	// Output:
	// top_id
	// top_logit
	// top_logprob
}

// One page that needs nothing from anywhere: hover over a cell for its candidates.
func ExampleGrid_HTML() {
	m, done := example()
	defer done()
	g, err := m.LogitLens(context.Background(), "The capital of France is", lens.LensOptions{})
	if err != nil {
		log.Fatal(err)
	}
	var page strings.Builder // or a file
	if err := g.HTML(&page); err != nil {
		log.Fatal(err)
	}
	fmt.Println("Paris:", strings.Contains(page.String(), "␣Paris"))
	fmt.Println("script:", strings.Contains(page.String(), "<script"))
	// Output:
	// Paris: true
	// script: false
}

// The residual stream under TransformerLens's names, for safetensors.torch.load_file.
func ExampleResiduals_Safetensors() {
	m, done := example()
	defer done()
	ctx := context.Background()
	chat, err := m.Complete(ctx, "The capital of France is", lens.ChatOptions{MaxTokens: 1})
	if err != nil {
		log.Fatal(err)
	}
	r, err := chat.Residuals(ctx, 0, 5)
	if err != nil {
		log.Fatal(err)
	}
	var b bytes.Buffer // or a file
	if err := r.Safetensors(&b); err != nil {
		log.Fatal(err)
	}
	var header map[string]struct {
		Shape []int `json:"shape"`
	}
	if err := json.NewDecoder(bytes.NewReader(b.Bytes()[8:])).Decode(&header); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(header)-1, "tensors")
	fmt.Println("blocks.5.hook_resid_post", header["blocks.5.hook_resid_post"].Shape)
	// Output:
	// 7 tensors
	// blocks.5.hook_resid_post [5 96]
}

// All rows as one array [positions, rows, d_model], for numpy.load.
func ExampleResiduals_NPY() {
	m, done := example()
	defer done()
	ctx := context.Background()
	chat, err := m.Complete(ctx, "The capital of France is", lens.ChatOptions{MaxTokens: 1})
	if err != nil {
		log.Fatal(err)
	}
	r, err := chat.Residuals(ctx, 0, 5)
	if err != nil {
		log.Fatal(err)
	}
	var b bytes.Buffer // or a file
	if err := r.NPY(&b); err != nil {
		log.Fatal(err)
	}
	header, _, _ := strings.Cut(b.String()[10:], "\n")
	fmt.Println(strings.TrimSpace(header))
	// Output: {'descr': '<f4', 'fortran_order': False, 'shape': (5, 7, 96, ), }
}

// The same array as a zarr v3 group.
func ExampleResiduals_Zarr() {
	m, done := example()
	defer done()
	ctx := context.Background()
	chat, err := m.Complete(ctx, "The capital of France is", lens.ChatOptions{MaxTokens: 1})
	if err != nil {
		log.Fatal(err)
	}
	r, err := chat.Residuals(ctx, 0, 5)
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "lens")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	group := filepath.Join(dir, "rows.zarr")
	if err := r.Zarr(group); err != nil {
		log.Fatal(err)
	}
	files, err := os.ReadDir(group)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		fmt.Println(f.Name())
	}
	// Output:
	// rows
	// zarr.json
}

func ExampleModel_LogitLensKit() {
	m, done := example()
	defer done()
	k, err := m.LogitLensKit(context.Background(), "The capital of France is", lens.LensOptions{Top: 5})
	if err != nil {
		log.Fatal(err)
	}
	last := len(k.Input) - 1
	for l, layer := range k.Layers {
		fmt.Printf("%d %q %.3f\n", layer, k.TopK[l][last][0], k.Probability(l, last, " Paris"))
	}
	// Output:
	// 0 "lin" 0.000
	// 1 "lin" 0.001
	// 2 " Paris" 0.078
	// 3 " Paris" 0.921
	// 4 " Paris" 0.988
	// 5 " Paris" 0.989
}

// What LogitLensKit and its workbench write, and what they read.
func ExampleReadLogitLensKit() {
	m, done := example()
	defer done()
	ids, err := m.PromptIDs("The capital of France is", lens.BOSAuto)
	if err != nil {
		log.Fatal(err)
	}
	k, err := m.LogitLensKitIDs(context.Background(), ids, lens.LensOptions{Top: 1})
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if err := k.Write(&file); err != nil {
		log.Fatal(err)
	}
	k, err = lens.ReadLogitLensKit(&file)
	if err != nil {
		log.Fatal(err)
	}
	fig, err := k.Heatmap()
	if err != nil {
		log.Fatal(err)
	}
	svg, err := fig.SVG()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Paris:", bytes.Contains(svg, []byte("Paris")))
	fmt.Print(k)
	// Output:
	// Paris: true
	// teach (1cb1ab342d92) · lens normed
	// after ␣is at position 4
	// row     first candidates, with probabilities
	// 5_post  ␣Paris .99
	// 4_post  ␣Paris .99
	// 3_post  ␣Paris .92
	// 2_post  ␣Paris .08
	// 1_post  lin .01
	// 0_post  lin <.01
}
