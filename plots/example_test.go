package plots_test

import (
	"fmt"
	"math"

	"github.com/gopherlens/gopherlens/plots"
)

// The pictures of the examples are the goldens: picture_test.go compares what
// these functions return with testdata.

// franceHeatmap is the lens of the teaching model over "The capital of France is".
func franceHeatmap() plots.Heatmap {
	ref := reference()
	h := plots.Heatmap{
		Title:   "The capital of France is",
		Caption: "model teach-draft · lens normed · BOS not fed",
		Scale:   plots.Probability,
	}
	last := ref.Rows[len(ref.Rows)-1]
	for j, token := range ref.Tokens {
		c := plots.Column{Position: j, Below: plots.Glyphs(token)}
		if j+1 < len(ref.Tokens) {
			c.Above = plots.Glyphs(ref.Tokens[j+1])
			c.Hit = last.Top[j][0].ID == ref.IDs[j+1]
		}
		h.Columns = append(h.Columns, c)
	}
	for i, row := range ref.Rows {
		h.Rows = append(h.Rows, rowName(i))
		cells := make([]plots.Cell, len(row.Top))
		for j, top := range row.Top {
			cells[j] = plots.Cell{Text: plots.Glyphs(top[0].Token), Value: math.Exp(top[0].Logprob)}
		}
		h.Cells = append(h.Cells, cells)
	}
	return h
}

// francePredictions is the same lens at the last position alone.
func francePredictions() plots.Predictions {
	ref := reference()
	d := plots.Predictions{
		Title:   "After “␣is” at position 4",
		Caption: "model teach-draft · lens normed · BOS not fed",
	}
	for i, row := range ref.Rows {
		r := plots.PredictionRow{Row: rowName(i), Entropy: row.Entropy[4]}
		for _, c := range row.Top[4][:3] {
			r.Top = append(r.Top, plots.Prediction{ID: c.ID, Text: plots.Glyphs(c.Token), Prob: math.Exp(c.Logprob)})
		}
		d.Rows = append(d.Rows, r)
	}
	return d
}

func rowName(i int) string {
	if i == 0 {
		return "embed"
	}
	return fmt.Sprintf("%d_post", i-1)
}

func ExampleHeatmap() {
	f, err := franceHeatmap().Draw()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(f.Text())
	// Output:
	// The capital of France is
	// next token  ␣capital       * ␣of          ␣France       * ␣is
	// 5_post      ␣city 0.45     ␣of 0.99       ␣Poland 0.05  ␣is 1.00      ␣Paris 0.99
	// 4_post      : 0.27         ␣of 1.00       ␣Chile 0.07   ␣is 1.00      ␣Paris 0.99
	// 3_post      ␣lasted 0.65   ␣of 0.94       ␣of 0.38      ␣is 0.99      ␣Paris 0.92
	// 2_post      ␣lasted 0.36   ␣of 0.94       ␣of 0.87      ␣is 0.57      ␣Paris 0.08
	// 1_post      : 0.33         ␣of 0.56       ␣of 0.77      ␣of 0.05      lin 0.01
	// 0_post      : 0.04         : 0.02         ⟨F2⟩ 0.00     lin 0.00      lin 0.00
	// embed       ␣country 0.08  ␣capital 0.02  ␣of 0.83      ␣France 0.74  ␣drink 0.02
	// input       The            ␣capital       ␣of           ␣France       ␣is
	// position    0              1              2             3             4
	//
	// values: probability
	// model teach-draft · lens normed · BOS not fed
}

func ExamplePredictions() {
	f, err := francePredictions().Draw()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(f.Text())
	// Output:
	// After “␣is” at position 4
	// row     top 1           top 2         top 3          entropy
	// 5_post  * ␣Paris 98.9%  ␣Madrid 0.5%  ␣Athens 0.1%   0.09
	// 4_post  * ␣Paris 98.8%  ␣Madrid 0.3%  ␣France <0.1%  0.11
	// 3_post  * ␣Paris 92.1%  ␣France 1.3%  ␣Amman 0.8%    0.65
	// 2_post  * ␣Paris 7.8%   ␣France 1.4%  lin 0.5%       6.13
	// 1_post  lin 0.5%        ⟨BE⟩ 0.4%     ␣from 0.4%     6.34
	// 0_post  lin 0.5%        ⟨F2⟩ 0.5%     ⟨A1⟩ 0.4%      6.26
	// embed   ␣drink 2.0%     ␣is 1.6%      ␣doors 1.6%    6.23
	//
	// * the answer, top-1 from 2_post up; entropy in nats
	// model teach-draft · lens normed · BOS not fed
}

// sumHeatmap is as small as a heatmap gets, on a scale with a known end.
func sumHeatmap() plots.Heatmap {
	return plots.Heatmap{
		Rows:    []string{"embed", "0_post"},
		Columns: []plots.Column{{Position: 0, Below: "2", Above: "␣+", Hit: true}},
		Cells:   [][]plots.Cell{{{Text: "3", Value: 4.2}}, {{Text: "␣+", Value: 0.3}}},
		Scale:   plots.Entropy,
		Max:     math.Log(1020), // the most that 1020 tokens allow
	}
}

func ExampleFigure_PNG() {
	f, err := sumHeatmap().Draw()
	if err != nil {
		fmt.Println(err)
		return
	}
	data, err := f.PNG()
	if err != nil {
		fmt.Println(err)
		return
	}
	width, height := f.Size()
	fmt.Printf("%s to show at %dx%d CSS pixels\n", data[1:4], width, height)
	// Output: PNG to show at 408x248 CSS pixels
}

func ExampleGlyphs() {
	for _, token := range []string{" Paris", "\n\n", "\t", " ", "", "a_b", "\xe2\x80", "\r", "zero\u200bwidth"} {
		fmt.Println(plots.Glyphs([]byte(token)))
	}
	// Output:
	// ␣Paris
	// ⏎⏎
	// ⇥
	// ␣
	// ∅
	// a_b
	// ⟨E2⟩⟨80⟩
	// ⟨0D⟩
	// zero⟨U+200B⟩width
}
