package plots_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/plots"
)

// trackLines is three tokens of the lens reference over its rows, at the last position; tokens below the tenth place leave gaps.
func trackLines() plots.Lines {
	ref := reference()
	l := plots.Lines{Title: "After “␣is” at position 4", Caption: "model teach-draft · lens normed", XLabel: "row", YLabel: "probability", Axis: plots.ProbabilityAxis}
	last := ref.Rows[len(ref.Rows)-1].Top[4]
	for _, c := range last[:3] {
		s := plots.Series{Name: plots.Glyphs(c.Token)}
		for _, row := range ref.Rows {
			v := math.NaN()
			for _, d := range row.Top[4] {
				if d.ID == c.ID {
					v = math.Exp(d.Logprob)
				}
			}
			s.Values = append(s.Values, v)
		}
		l.Series = append(l.Series, s)
	}
	for i := range ref.Rows {
		l.X = append(l.X, rowName(i))
	}
	return l
}

// ranks is a made-up line on the axis of ranks, with one of every other awkwardness.
func ranks() plots.Lines {
	return plots.Lines{Title: "Ranks", YLabel: "rank", XLabel: "row", Axis: plots.RankAxis, X: []string{"embed", "0_post", "1_post", "2_post"},
		Series: []plots.Series{{Name: "東京", Values: []float64{50000, 812, 3, 1}}, {Name: "␣antidisestablishmentarianism", Values: []float64{1, math.NaN(), 2, 1}},
			{Name: "third", Values: []float64{7, 7, 7, 1}}}}
}

func pattern() plots.Matrix {
	tokens := []string{"The", "␣capital", "␣of", "␣France", "␣is"}
	m := plots.Matrix{Title: "Attention of L1H0", Caption: "made-up weights", Rows: tokens, Columns: tokens, RowLabel: "from", ColumnLabel: "to", Label: "weight", Max: 1, Numbers: true}
	for i := range tokens {
		row := make([]float64, len(tokens))
		for j := 0; j <= i; j++ {
			row[j] = float64(j+1) * 2 / float64((i+1)*(i+2))
		}
		m.Values = append(m.Values, row)
	}
	return m
}

func sweep() plots.Matrix {
	m := plots.Matrix{Title: "Patching resid_pre", RowLabel: "layer", ColumnLabel: "position", Label: "share of the difference restored", Diverging: true, BottomUp: true,
		Max: 1, Numbers: true}
	for j := range 6 {
		m.Columns = append(m.Columns, fmt.Sprint(j))
	}
	for i := range 4 {
		m.Rows = append(m.Rows, fmt.Sprint(i))
		row := make([]float64, 6)
		for j := range row {
			row[j] = float64(i*j)/10 - 0.4
		}
		row[i] = math.NaN()
		m.Values = append(m.Values, row)
	}
	return m
}

func terms() plots.Bars {
	return plots.Bars{Title: "What adds to a logit", Caption: "made-up terms", Label: "logit", BottomUp: true,
		Bars: []plots.Bar{{"embed", -0.0319}, {"0_attn_out", 2.5}, {"0_mlp_out", -1.25}, {"bias", 0}}}
}

func ExampleBars() {
	f, err := terms().Draw()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(f.Text())
	// Output:
	// What adds to a logit
	// bias        0.0000
	// 0_mlp_out   -1.2500
	// 0_attn_out  2.5000
	// embed       -0.0319
	//
	// values: logit
	// made-up terms
}

func ExampleMatrix() {
	f, err := pattern().Draw()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(f.Text())
	// Output:
	// Attention of L1H0
	// from      The   ␣capital  ␣of   ␣France  ␣is
	// The       1.00  0.00      0.00  0.00     0.00
	// ␣capital  0.33  0.67      0.00  0.00     0.00
	// ␣of       0.17  0.33      0.50  0.00     0.00
	// ␣France   0.10  0.20      0.30  0.40     0.00
	// ␣is       0.07  0.13      0.20  0.27     0.33
	//
	// values: weight
	// made-up weights
}

func ExampleLines() {
	f, err := ranks().Draw()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(f.Text())
	// Output:
	// Ranks
	// row     東京   ␣antidisestablish…  third
	// 2_post  1      1                   1
	// 1_post  3      2                   7
	// 0_post  812    -                   7
	// embed   5e+04  1                   7
	//
	// values: rank
}

func TestChartsRefuse(t *testing.T) {
	many := plots.Lines{X: []string{"a"}}
	for range plots.MaxSeries + 1 {
		many.Series = append(many.Series, plots.Series{Values: []float64{1}})
	}
	for name, try := range map[string]struct {
		d    drawer
		says string
	}{
		"no bars":         {plots.Bars{}, "want 1 to"},
		"infinite bar":    {plots.Bars{Bars: []plots.Bar{{"a", math.Inf(1)}}}, "finite"},
		"no matrix":       {plots.Matrix{}, "want 1 to 2048"},
		"ragged":          {plots.Matrix{Rows: []string{"a"}, Columns: []string{"b"}, Values: [][]float64{{1, 2}}}, "want as many"},
		"negative":        {plots.Matrix{Rows: []string{"a"}, Columns: []string{"b"}, Values: [][]float64{{-1}}}, "Diverging"},
		"maximum":         {plots.Matrix{Rows: []string{"a"}, Columns: []string{"b"}, Values: [][]float64{{1}}, Max: -1}, "not usable"},
		"no lines":        {plots.Lines{X: []string{"a"}}, "want 1 to 8"},
		"too many lines":  {many, "told apart"},
		"short line":      {plots.Lines{X: []string{"a"}, Series: []plots.Series{{}}}, "want as many"},
		"probability":     {plots.Lines{X: []string{"a"}, Axis: plots.ProbabilityAxis, Series: []plots.Series{{Values: []float64{1.1}}}}, "0 to 1"},
		"rank 0":          {plots.Lines{X: []string{"a"}, Axis: plots.RankAxis, Series: []plots.Series{{Values: []float64{0}}}}, "1 or more"},
		"unknown axis":    {plots.Lines{X: []string{"a"}, Axis: 7, Series: []plots.Series{{Values: []float64{0}}}}, "unknown axis"},
		"only gaps, fine": {plots.Lines{X: []string{"a"}, Series: []plots.Series{{Values: []float64{math.NaN()}}}}, ""},
		"all alike, fine": {plots.Lines{X: []string{"a", "b"}, Series: []plots.Series{{Values: []float64{3, 3}}}}, ""},
	} {
		f, err := try.d.Draw()
		switch {
		case try.says == "" && err == nil:
			if _, err := f.PNG(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case try.says == "" || err == nil || !strings.Contains(err.Error(), try.says) || strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: error %v, want %q", name, err, try.says)
		}
	}
}

// White stands at zero, and the two sides fall in lightness alike.
func TestDivergingPicture(t *testing.T) {
	img := decode(t, mustDraw(t, plots.Matrix{Rows: []string{"r"}, Columns: []string{"a", "b", "c"}, Values: [][]float64{{-1, 0, 1}}, Diverging: true, Max: 1}))
	seen := map[string]bool{}
	for x := 0; x < img.Bounds().Dx(); x++ {
		for y := 0; y < 160; y++ {
			r, g, b, _ := img.At(x, y).RGBA()
			switch {
			case r>>8 > 150 && b>>8 < 60 && g < r:
				seen["red"] = true
			case b>>8 > 150 && r>>8 < 90:
				seen["blue"] = true
			}
		}
	}
	if !seen["red"] || !seen["blue"] {
		t.Errorf("colours %v", seen)
	}
}

// Text that stands on its side stays inside the picture and keeps its letters.
func TestTurnedColumnNames(t *testing.T) {
	m := pattern()
	m.Columns = []string{"␣antidisestablishmentarianism", "東京", "a", "⟨E2⟩", ""}
	f := mustDraw(t, m)
	_, texts := parseSVG(t, f)
	if !has(texts, "東京") || !has(texts, "⟨E2⟩") {
		t.Error("a column name is missing")
	}
	if _, err := f.PNG(); err != nil {
		t.Error(err)
	}
}
