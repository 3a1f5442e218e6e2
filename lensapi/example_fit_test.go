package lens_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

func ExampleModel_FitTunedLens() {
	m, done := example()
	defer done()
	text := "The capital of France is Paris. The capital of Italy is Rome. The capital of Spain is Madrid. The keys near the cabinet are good."
	fit, err := m.FitTunedLens(context.Background(), text, lens.FitOptions{Steps: 25, Batch: 16})
	if err != nil {
		log.Fatal(err)
	}
	for r, row := range fit.Rows {
		fmt.Println(row, fit.Tuned[r] < fit.Normed[r])
	}
	g, err := m.LogitLens(context.Background(), "The capital of France is", lens.LensOptions{Variant: lens.Tuned, Translators: fit.Translators})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(g.Variant, "lens: settled from", g.Settled[len(g.IDs)-1])
	// Output:
	// embed true
	// 0_post true
	// 1_post true
	// 2_post true
	// 3_post true
	// 4_post true
	// tuned lens: settled from 0_post
}

// Translators are fitted once and kept in a file; those of another model are refused.
func ExampleModel_LoadTranslators() {
	m, done := example()
	defer done()
	dir, err := os.MkdirTemp("", "lens")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	fit, err := m.FitTunedLens(context.Background(), "The capital of France is Paris. The capital of Italy is Rome. The capital of Spain is Madrid.", lens.FitOptions{Steps: 5, Batch: 8})
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "tuned.safetensors")
	if err := fit.Translators.Save(path); err != nil {
		log.Fatal(err)
	}
	t, err := m.LoadTranslators(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Kind, t.Rows)
	fmt.Println("the same:", t.Digest == fit.Digest, "for this model:", t.Head == m.HeadDigest())
	// Output:
	// tuned [embed 0_post 1_post 2_post 3_post 4_post]
	// the same: true for this model: true
}

func ExampleFit_Chart() {
	m, done := example()
	defer done()
	fit, err := m.FitTunedLens(context.Background(), "The capital of France is Paris. The capital of Italy is Rome. The capital of Spain is Madrid.", lens.FitOptions{Steps: 5, Batch: 8})
	if err != nil {
		log.Fatal(err)
	}
	fig, err := fit.Chart() // the mean KL of each row under both lenses, and the loss by step
	if err != nil {
		log.Fatal(err)
	}
	table, _, _ := strings.Cut(fig.Text(), "\n\n")
	fmt.Println(table)
	// Output:
	// Held-out KL to the model's output
	// row     normed  tuned
	// 4_post  0.2744  0.1532
	// 3_post  1.21    0.2996
	// 2_post  2.607   0.7372
	// 1_post  6.334   2.223
	// 0_post  14.5    6.675
	// embed   9.011   8.465
}
