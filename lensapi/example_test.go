package lens_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"strings"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// example loads the embedded model with a cache that the example throws away. A program of yours would say lens.Load("teach").
func example() (*lens.Model, func()) {
	dir, err := os.MkdirTemp("", "lens")
	if err != nil {
		log.Fatal(err)
	}
	m, err := lens.LoadWith("teach", lens.LoadOptions{CacheDir: dir})
	if err != nil {
		log.Fatal(err)
	}
	return m, func() {
		m.Close()
		os.RemoveAll(dir)
	}
}

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

func ExampleConversation_Say() {
	m, done := example()
	defer done()
	chat, err := m.NewChat(lens.ChatOptions{ID: "capitals"})
	if err != nil {
		log.Fatal(err)
	}
	for _, question := range []string{"What is the capital of France?", "And its currency?"} {
		reply, err := chat.Say(context.Background(), question)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(reply)
	}
	// Output:
	// The capital of France is Paris.
	// The currency of France is the euro.
}

func ExampleConversation_Click() {
	m, done := example()
	defer done()
	chat, err := m.NewChat(lens.ChatOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := chat.Say(context.Background(), "What is the capital of France?"); err != nil {
		log.Fatal(err)
	}
	paris, err := chat.Find("Paris")
	if err != nil {
		log.Fatal(err)
	}
	view, err := chat.Click(paris - 1) // what was the model about to say after the token before it?
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range view.LayerPredictions {
		fmt.Printf("%-7s rank of %q: %d\n", l.Row, view.LayerPredictions[6].Top[0].Token, l.Next.Rank)
	}
	// Output:
	// embed   rank of " Paris": 872
	// 0_post  rank of " Paris": 710
	// 1_post  rank of " Paris": 581
	// 2_post  rank of " Paris": 1
	// 3_post  rank of " Paris": 1
	// 4_post  rank of " Paris": 1
	// 5_post  rank of " Paris": 1
}

func ExampleModel_Complete() {
	m, done := example()
	defer done()
	text, err := m.Complete(context.Background(), "The keys near the cabinet", lens.ChatOptions{MaxTokens: 3})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Decode(text.IDs()))
	// Output: The keys near the cabinet are good.
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

func ExampleModel_Track() {
	m, done := example()
	defer done()
	paris, err := m.TokenID(" Paris")
	if err != nil {
		log.Fatal(err)
	}
	rome, err := m.TokenID(" Rome")
	if err != nil {
		log.Fatal(err)
	}
	t, err := m.Track(context.Background(), "The capital of France is", []int{paris, rome}, lens.LensOptions{})
	if err != nil {
		log.Fatal(err)
	}
	last := len(t.IDs) - 1
	for r, row := range t.Rows {
		fmt.Printf("%-7s %6.2f %6.2f\n", row, t.Logprob[0][r][last], t.Logprob[1][r][last])
	}
	// Output:
	// embed   -11.13 -10.73
	// 0_post  -15.04 -16.89
	// 1_post   -6.56 -11.14
	// 2_post   -2.55 -10.08
	// 3_post   -0.08  -8.07
	// 4_post   -0.01  -9.42
	// 5_post   -0.01  -9.68
}

func ExampleModel_Attribute() {
	m, done := example()
	defer done()
	paris, err := m.TokenID(" Paris")
	if err != nil {
		log.Fatal(err)
	}
	rome, err := m.TokenID(" Rome")
	if err != nil {
		log.Fatal(err)
	}
	a, err := m.Attribute(context.Background(), "The capital of France is", -1, lens.DifferenceOf(paris, rome), lens.AttributionOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range a.Parts() {
		fmt.Printf("%-10s %+.2f\n", p.Name, p.Value)
	}
	fmt.Printf("sum %.2f, total %.2f, first head %s\n", a.Sum, a.Total, a.TopHeads(1)[0].Name)
	// Output:
	// embed      -0.03
	// pos_embed  +0.02
	// 0_attn_out -0.14
	// 0_mlp_out  +1.75
	// 1_attn_out +1.66
	// 1_mlp_out  +1.25
	// 2_attn_out -0.03
	// 2_mlp_out  +2.78
	// 3_attn_out -0.42
	// 3_mlp_out  +0.97
	// 4_attn_out -0.47
	// 4_mlp_out  +1.90
	// 5_attn_out -0.18
	// 5_mlp_out  +0.71
	// bias       -0.11
	// sum 9.66, total 9.66, first head L1H0
}

func ExampleModel_Attention() {
	m, done := example()
	defer done()
	a, err := m.Attention(context.Background(), "The capital of France is", lens.AttentionOptions{})
	if err != nil {
		log.Fatal(err)
	}
	roll, err := a.Rollout()
	if err != nil {
		log.Fatal(err)
	}
	last := len(a.IDs) - 1
	fmt.Printf("L1H0 from the last token: %.2f\n", a.Pattern[1][0][last])
	fmt.Printf("rollout from there:       %.2f\n", roll[last])
	// Output:
	// L1H0 from the last token: [0.02 0.00 0.01 0.01 0.96]
	// rollout from there:       [0.70 0.16 0.05 0.04 0.05]
}

func ExampleModel_HeadScores() {
	m, done := example()
	defer done()
	s, err := m.HeadScores(context.Background(), lens.HeadScoreOptions{Length: 16})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("L0H0 looks at the token before: %.1f\n", s.Previous[0][0])
	// Output:
	// L0H0 looks at the token before: 0.6
}

func ExampleModel_Patch() {
	m, done := example()
	defer done()
	mary, err := m.TokenID(" Mary")
	if err != nil {
		log.Fatal(err)
	}
	john, err := m.TokenID(" John")
	if err != nil {
		log.Fatal(err)
	}
	s, err := m.Patch(context.Background(), "When Mary and John went to the shop, John gave a book to", "When Mary and John went to the shop, Mary gave a book to",
		lens.DifferenceOf(mary, john), lens.PatchOptions{Site: "z", ByHead: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("clean %.1f, corrupted %.1f\n", s.CleanValue, s.Corrupt)
	for i, l := range s.Layers {
		for h, v := range s.Normalized[i] {
			if v > 0.1 {
				fmt.Printf("L%dH%d %.1f\n", l, h, v)
			}
		}
	}
	// Output:
	// clean 10.3, corrupted -8.3
	// L0H1 0.2
	// L0H3 0.9
	// L1H2 0.1
}

func ExampleModel_Intervene() {
	m, done := example()
	defer done()
	prompt := "The capital of France is"
	for _, edits := range [][]lens.Intervention{nil, {{Site: lens.SiteAt(1, "z"), Heads: []int{0}, Edit: lens.Zero}}} {
		g, err := m.Intervene(context.Background(), prompt, edits, lens.LensOptions{})
		if err != nil {
			log.Fatal(err)
		}
		top := g.Cells[len(g.Rows)-1][len(g.IDs)-1].Top[0]
		fmt.Printf("%q %.2f %v\n", top.Token, math.Exp(top.Logprob), g.Interventions)
	}
	// Output:
	// " Paris" 0.99 []
	// " Paris" 0.89 [zero blocks.1.attn.hook_z heads [0]]
}

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

func ExampleModel_Report() {
	m, done := example()
	defer done()
	ids, err := m.Encode("The capital of France is")
	if err != nil {
		log.Fatal(err)
	}
	report, err := m.Report(context.Background(), lens.ReportRequest{Kind: "lens", IDs: ids, Top: 3})
	if err != nil {
		log.Fatal(err)
	}
	verdict, err := m.Verify(context.Background(), report)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(verdict)
	// Output: equal to the bit
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
	// Output: row,position,id,token,top_id,top_token,top_logprob,next_id,next_logprob,next_rank,probability,logit,rank,entropy,kl,log_partition,cross_entropy,answer_probability
}

func ExampleModel_Search() {
	m, done := example()
	defer done()
	for _, country := range []string{"France", "Italy", "Spain"} {
		if _, err := m.LogitLens(context.Background(), "The capital of "+country+" is", lens.LensOptions{}); err != nil {
			log.Fatal(err)
		}
	}
	rome, err := m.TokenID(" Rome")
	if err != nil {
		log.Fatal(err)
	}
	hits, err := m.Search(context.Background(), lens.Query{Token: &lens.Within{Token: rome, First: 1}, Row: "5_post"})
	if err != nil {
		log.Fatal(err)
	}
	for _, h := range hits.Hits {
		fmt.Printf("%d %q after %q\n", h.Position, h.TokenText, h.Context[len(h.Context)-1].TokenText)
	}
	// Output: 4 " is" after " Italy"
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

func ExampleAttention_RolledOut() {
	m, done := example()
	defer done()
	a, err := m.Attention(context.Background(), "The capital of France is", lens.AttentionOptions{})
	if err != nil {
		log.Fatal(err)
	}
	r, err := a.RolledOut()
	if err != nil {
		log.Fatal(err)
	}
	var sum float64
	for _, x := range r.Share[len(r.Share)-1] {
		sum += x
	}
	fmt.Printf("%.6f\n", sum)
	// Output: 1.000000
}

func ExamplePatchOptions_gradient() {
	m, done := example()
	defer done()
	paris, err := m.TokenID(" Paris")
	if err != nil {
		log.Fatal(err)
	}
	s, err := m.Patch(context.Background(), "The capital of France is", "The capital of Italy is", lens.LogitOf(paris), lens.PatchOptions{Site: "post", Gradient: true, Check: -1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d cells from one gradient, %d run exactly\n", s.Total, s.Checked.Cells)
	// Output: 30 cells from one gradient, 12 run exactly
}

func ExampleConversation_Report() {
	m, done := example()
	defer done()
	ctx := context.Background()
	chat, err := m.NewChat(lens.ChatOptions{Sampling: lens.Sampling{Temperature: 0.8, Seed: 7}})
	if err != nil {
		log.Fatal(err)
	}
	reply, err := chat.Say(ctx, "What is the capital of France?")
	if err != nil {
		log.Fatal(err)
	}
	r, err := chat.Report(ctx, reply)
	if err != nil {
		log.Fatal(err)
	}
	verdict, err := m.Verify(ctx, r)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(verdict)
	// Output: equal to the bit
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
