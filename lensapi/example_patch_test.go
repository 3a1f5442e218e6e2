package lens_test

import (
	"context"
	"fmt"
	"log"
	"math"
	"strings"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

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

// Where does the country matter? Each cell is a run of the corrupted prompt with one row of the clean one put in.
func ExampleSweep_Chart() {
	m, done := example()
	defer done()
	var ids [][]int
	for _, country := range []string{"France", "Italy"} {
		prompt, err := m.PromptIDs("The capital of "+country+" is", lens.BOSAuto)
		if err != nil {
			log.Fatal(err)
		}
		ids = append(ids, prompt)
	}
	paris, err := m.TokenID(" Paris")
	if err != nil {
		log.Fatal(err)
	}
	s, err := m.PatchIDs(context.Background(), ids[0], ids[1], lens.LogitOf(paris), lens.PatchOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fig, err := s.Chart()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(fig.Text())
	// Output:
	// Patching resid_pre
	// layer  The   ␣capital  ␣of   ␣France/␣Italy  ␣is
	// 5      0.00  0.00      0.00  -0.00           1.01
	// 4      0.00  0.00      0.00  0.00            1.00
	// 3      0.00  0.00      0.00  0.01            1.00
	// 2      0.00  0.00      0.00  0.01            1.01
	// 1      0.00  0.00      0.00  0.01            1.00
	// 0      0.00  0.00      0.00  1.00            0.00
	//
	// values: share of the clean target
	// teach (1cb1ab342d92) · denoising: values of the clean run in the corrupted one · target: logit of “␣Paris” at position 4, clean 13.468, corrupted 2.716 · 1 is as clean, 0 as corrupted
}

// A long sweep tells how far it is.
func ExamplePrintProgress() {
	m, done := example()
	defer done()
	paris, err := m.TokenID(" Paris")
	if err != nil {
		log.Fatal(err)
	}
	var progress strings.Builder // or os.Stderr
	_, err = m.Patch(context.Background(), "The capital of France is", "The capital of Italy is", lens.LogitOf(paris),
		lens.PatchOptions{Site: "z", Noising: true, Progress: lens.PrintProgress(&progress)})
	if err != nil {
		log.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(progress.String()), "\n")
	fmt.Println(lines[len(lines)-1])
	// Output: 30 of 30, about 0s left
}

// Steering: the difference of two runs at " is", added in a run about something else, makes it answer for another country.
func ExampleModel_InterveneIDs() {
	m, done := example()
	defer done()
	ctx := context.Background()
	var rows [][]float32
	for _, country := range []string{"Japan", "France"} {
		text, err := m.Complete(ctx, "The capital of "+country+" is", lens.ChatOptions{MaxTokens: 1})
		if err != nil {
			log.Fatal(err)
		}
		r, err := text.Residuals(ctx, 4, 5)
		if err != nil {
			log.Fatal(err)
		}
		rows = append(rows, r.At(1, 0)) // 0_post, which enters block 1
	}
	toJapan := make([]float32, len(rows[0]))
	for i := range toJapan {
		toJapan[i] = rows[0][i] - rows[1][i]
	}
	ids, err := m.PromptIDs("The language of France is", lens.BOSAuto)
	if err != nil {
		log.Fatal(err)
	}
	steer := lens.Intervention{Site: lens.SiteAt(1, "resid_pre"), Edit: lens.Add, Vector: toJapan, Positions: []int{-1}}
	for _, edits := range [][]lens.Intervention{nil, {steer}} {
		g, err := m.InterveneIDs(ctx, ids, edits, lens.LensOptions{})
		if err != nil {
			log.Fatal(err)
		}
		top := g.Cells[len(g.Rows)-1][len(g.IDs)-1].Top[0]
		fmt.Printf("%q %.2f %v\n", top.Token, math.Exp(top.Logprob), g.Interventions)
	}
	// Output:
	// " French" 1.00 []
	// " Japanese" 0.99 [add blocks.1.hook_resid_pre positions [-1]]
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
