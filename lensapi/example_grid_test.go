package lens_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"math"

	lens "github.com/gopherlens/gopherlens/lensapi"
	"github.com/gopherlens/gopherlens/plots"
)

func ExampleModel_LogitLens() {
	m, done := example()
	defer done()
	g, err := m.LogitLens(context.Background(), "The capital of France is", lens.LensOptions{})
	if err != nil {
		log.Fatal(err)
	}
	last := len(g.IDs) - 1
	for i, row := range g.Rows {
		top := g.Cells[i][last].Top[0]
		fmt.Printf("%-7s %q %.3f\n", row, top.Token, math.Exp(top.Logprob))
	}
	// Output:
	// embed   " drink" 0.020
	// 0_post  "lin" 0.005
	// 1_post  "lin" 0.005
	// 2_post  " Paris" 0.078
	// 3_post  " Paris" 0.921
	// 4_post  " Paris" 0.988
	// 5_post  " Paris" 0.989
}

// Token ids are fed as they are.
func ExampleModel_LogitLensIDs() {
	m, done := example()
	defer done()
	ids, err := m.PromptIDs("When Mary and John went to the shop, John gave a book to", lens.BOSAuto)
	if err != nil {
		log.Fatal(err)
	}
	g, err := m.LogitLensIDs(context.Background(), ids, lens.LensOptions{Mid: true})
	if err != nil {
		log.Fatal(err)
	}
	last := len(g.IDs) - 1
	for i, row := range g.Rows {
		fmt.Printf("%-7s %q\n", row, g.Cells[i][last].Top[0].Token)
	}
	fmt.Println("settled from", g.Settled[last])
	// Output:
	// embed   "⟨EF⟩"
	// 0_mid   " bi"
	// 0_post  "⟨E9⟩"
	// 1_mid   " lasted"
	// 1_post  " lasted"
	// 2_mid   " John"
	// 2_post  " Rose"
	// 3_mid   " Mary"
	// 3_post  " Mary"
	// 4_mid   " Mary"
	// 4_post  " Mary"
	// 5_mid   " Mary"
	// 5_post  " Mary"
	// settled from 3_mid
}

// Heatmap draws the whole grid: the first choice of each cell, coloured by how far the row is from the model's own output.
func ExampleGrid_Heatmap() {
	m, done := example()
	defer done()
	g, err := m.LogitLens(context.Background(), "The capital of France is", lens.LensOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fig, err := g.Heatmap(plots.KL)
	if err != nil {
		log.Fatal(err)
	}
	svg, err := fig.SVG() // or PNG; in a notebook the last line of a cell shows it
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bytes.HasPrefix(svg, []byte("<svg ")))
	fmt.Print(fig.Text())
	// Output:
	// true
	// Logit lens (normed)
	// next token  ␣capital       * ␣of           ␣France       * ␣is
	// 5_post      ␣city 0.00     ␣of 0.00        ␣Poland 0.00  ␣is 0.00       ␣Paris 0.00
	// 4_post      : 0.98         ␣of 0.04        ␣Chile 0.41   ␣is 0.00       ␣Paris 0.00
	// 3_post      ␣lasted 6.48   ␣of 0.09        ␣of 1.77      ␣is 0.01       ␣Paris 0.07
	// 2_post †    ␣lasted 10.10  ␣of 0.10        ␣of 3.44      ␣is 0.56       ␣Paris 2.53
	// 1_post †    : 12.45        ␣of 0.61        ␣of 4.76      ␣of 5.29       lin 6.51
	// 0_post †    : 16.55        : 4.92          ⟨F2⟩ 9.75     lin 12.79      lin 14.97
	// embed †     ␣country 2.79  ␣capital 15.26  ␣of 7.31      ␣France 15.50  ␣drink 11.03
	// input       The            ␣capital        ␣of           ␣France        ␣is
	// position    0              1               2             3              4
	//
	// values: KL divergence to the model's output (nats, log(1+x) scale)
	// teach (1cb1ab342d92) · lens normed · no BOS · † far from the model's output (mean KL above 3 nats): this lens may misread the row.
}

// Rows whose mean KL to the model's own output is above 3 nats say little about what the model was going to say.
func ExampleGrid_Doubtful() {
	m, done := example()
	defer done()
	g, err := m.LogitLens(context.Background(), "The capital of France is", lens.LensOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for i, row := range g.Rows {
		fmt.Println(row, g.Doubtful(i))
	}
	// Output:
	// embed true
	// 0_post true
	// 1_post true
	// 2_post true
	// 3_post false
	// 4_post false
	// 5_post false
}

// Every statistic of one cell: what the model had in mind after " is", two blocks before the end.
func ExampleCell_Value() {
	m, done := example()
	defer done()
	g, err := m.LogitLens(context.Background(), "The capital of France is", lens.LensOptions{Stats: true})
	if err != nil {
		log.Fatal(err)
	}
	cell := g.Cells[4][4]
	for _, s := range lens.Statistics() {
		fmt.Printf("%-18s %.2f\n", s, cell.Value(s))
	}
	// Output:
	// probability        0.92
	// logit              8.37
	// rank               1.00
	// entropy            0.65
	// kl                 0.07
	// log_partition      8.45
	// cross_entropy      NaN
	// answer_probability 0.92
	// kl_reverse         0.32
	// js                 0.02
	// tv                 0.07
}

func ExampleVariants() {
	fmt.Println(lens.Variants())
	// Output: [normed raw scaled tuned jacobian]
}

// The lenses in one picture, with one scale of colours.
func ExampleComparison_Heatmap() {
	m, done := example()
	defer done()
	c, err := m.CompareLenses(context.Background(), "The keys", lens.LensOptions{}, lens.LensOptions{Variant: lens.Scaled})
	if err != nil {
		log.Fatal(err)
	}
	fig, err := c.Heatmap(plots.Entropy)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(fig.Text())
	// Output:
	// Logit lens (normed)
	// next token  ␣keys
	// 5_post      ␣city 2.39     ␣are 1.21
	// 4_post      : 3.15         ␣are 1.14
	// 3_post †    ␣lasted 1.97   ␣lasted 0.56
	// 2_post †    ␣lasted 3.26   ␣lasted 0.48
	// 1_post †    : 4.26         ␣lasted 0.98
	// 0_post †    : 6.20         ␣lasted 6.01
	// embed †     ␣country 5.53  ␣keys 2.57
	// input       The            ␣keys
	// position    0              1
	//
	// values: entropy (nats)
	// teach (1cb1ab342d92) · lens normed · no BOS · † far from the model's output (mean KL above 3 nats): this lens may misread the row.
	//
	// Logit lens (scaled)
	// next token  ␣keys
	// 5_post      ␣city 2.39    ␣are 1.21
	// 4_post      ␣city 4.72    ␣are 1.37
	// 3_post †    ␣lasted 5.00  ␣lasted 1.23
	// 2_post †    ␣lasted 5.15  ␣lasted 1.03
	// 1_post †    : 5.56        ␣lasted 1.86
	// 0_post †    : 6.28        ␣lasted 6.20
	// embed †     ␣Rome 6.84    ␣Dan 6.86
	// input       The           ␣keys
	// position    0             1
	//
	// values: entropy (nats)
	// teach (1cb1ab342d92) · lens scaled · no BOS · † far from the model's output (mean KL above 3 nats): this lens may misread the row.
}

// What changes in the lens when one word of the prompt does.
func ExampleContrast_Chart() {
	m, done := example()
	defer done()
	ctx := context.Background()
	a, err := m.LogitLens(ctx, "The keys near the cabinet", lens.LensOptions{})
	if err != nil {
		log.Fatal(err)
	}
	b, err := m.LogitLens(ctx, "The key near the cabinet", lens.LensOptions{})
	if err != nil {
		log.Fatal(err)
	}
	c, err := lens.NewContrast(a, b, lens.KL)
	if err != nil {
		log.Fatal(err)
	}
	fig, err := c.Chart()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(fig.Text())
	// Output:
	// Difference in kl
	// row     The   ␣keys/␣key  ␣near  ␣the   ␣cabinet
	// 5_post  0.00  0.00        0.00   0.00   0.00
	// 4_post  0.00  0.05        -0.00  0.12   0.12
	// 3_post  0.00  -2.24       -0.01  0.46   1.34
	// 2_post  0.00  -3.56       -0.20  0.43   1.58
	// 1_post  0.00  -2.56       -0.50  1.43   1.61
	// 0_post  0.00  -1.62       -0.71  1.42   1.41
	// embed   0.00  -2.99       0.00   -0.02  -0.76
	//
	// values: second less first
	// first: teach (1cb1ab342d92) · lens normed · no BOS · second: teach (1cb1ab342d92) · lens normed · no BOS · positions compared one to one; 1 of 5 tokens differ
}

func ExampleModel_CompareLenses() {
	m, done := example()
	defer done()
	c, err := m.CompareLenses(context.Background(), "The capital of France is")
	if err != nil {
		log.Fatal(err)
	}
	last := len(c.Grids[0].IDs) - 1
	for _, g := range c.Grids {
		fmt.Printf("%-6s", g.Variant)
		for i := range g.Rows {
			fmt.Printf(" %q", g.Cells[i][last].Top[0].Token)
		}
		fmt.Printf(", settled from %s\n", g.Settled[last])
	}
	// Output:
	// raw    "⟨CD⟩" "lin" "lin" " France" " Paris" " Paris" " Paris", settled from 3_post
	// normed " drink" "lin" "lin" " Paris" " Paris" " Paris" " Paris", settled from 2_post
	// scaled " is" "lin" "lin" " Paris" " Paris" " Paris" " Paris", settled from 2_post
}

func ExampleGrid_Values() {
	m, done := example()
	defer done()
	g, err := m.LogitLens(context.Background(), "The capital of France is", lens.LensOptions{Stats: true})
	if err != nil {
		log.Fatal(err)
	}
	js, err := g.Values(lens.JS)
	if err != nil {
		log.Fatal(err)
	}
	for i, row := range g.Rows {
		fmt.Printf("%-7s %.3f\n", row, js[i][len(g.IDs)-1])
	}
	// Output:
	// embed   0.689
	// 0_post  0.693
	// 1_post  0.686
	// 2_post  0.550
	// 3_post  0.023
	// 4_post  0.001
	// 5_post  0.000
}

func ExampleNewContrast() {
	m, done := example()
	defer done()
	var grids []*lens.Grid
	for _, country := range []string{"France", "Italy"} {
		g, err := m.LogitLens(context.Background(), "The capital of "+country+" is", lens.LensOptions{})
		if err != nil {
			log.Fatal(err)
		}
		grids = append(grids, g)
	}
	c, err := lens.NewContrast(grids[0], grids[1], lens.Entropy)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("before the names differ:", c.Difference[6][2])
	// Output: before the names differ: 0
}

func ExampleContrastAligned() {
	m, done := example()
	defer done()
	ctx := context.Background()
	a, err := m.LogitLens(ctx, "The capital of France is", lens.LensOptions{})
	if err != nil {
		log.Fatal(err)
	}
	b, err := m.LogitLens(ctx, "The capital of Italy is", lens.LensOptions{Mid: true}) // or the lens of another model
	if err != nil {
		log.Fatal(err)
	}
	c, err := lens.ContrastAligned(a, b, lens.Entropy, lens.ByName)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(a.Rows), "rows and", len(b.Rows), "have", len(c.Rows), "in common")
	// Output: 7 rows and 13 have 7 in common
}
