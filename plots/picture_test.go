package plots_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"gonum.org/v1/plot/cmpimg"

	"github.com/gopherlens/gopherlens/plots"
)

var update = flag.Bool("update", false, "rewrite the golden pictures in testdata")

// lensReference is testdata/teach.json: the lens of the teaching model over
// one prompt as an independent float64 program computed it.
type lensReference struct {
	IDs    []int
	Tokens [][]byte
	Rows   []struct {
		Entropy []float64 // [position]
		Top     [][]struct {
			ID      int
			Token   []byte
			Logprob float64
		} // [position][k]
	}
}

var reference = sync.OnceValue(func() lensReference {
	data, err := os.ReadFile(filepath.Join("testdata", "teach.json"))
	if err != nil {
		panic(err)
	}
	var ref lensReference
	if err := json.Unmarshal(data, &ref); err != nil {
		panic(err)
	}
	return ref
})

// awkward is a heatmap of everything that could go wrong in a cell.
func awkward(scale plots.Scale) plots.Heatmap {
	tokens := []string{" the", "\n", "\t", "", " antidisestablishmentarianism", "\xe2\x80",
		"東京", " e\u0301", " Привет", "Ωμέγα", " שלום", "<|endoftext|>"}
	h := plots.Heatmap{
		Title:   "Tokens that are hard to draw: this title is so long that it must be wrapped onto a second line",
		Caption: "No model: every cell holds a token and a value chosen to show what the picture does with it.",
		Scale:   scale,
		Max:     50,
		Rows:    []string{"embed", "0_post", "1_post"},
	}
	for j := range 6 {
		h.Columns = append(h.Columns, plots.Column{Position: 1000 + j, Hit: j%2 == 0,
			Below: plots.Glyphs([]byte(tokens[j])), Above: plots.Glyphs([]byte(tokens[j+1]))})
	}
	for i := range h.Rows {
		row := make([]plots.Cell, len(h.Columns))
		for j := range row {
			row[j] = plots.Cell{Text: plots.Glyphs([]byte(tokens[(i*4+j)%len(tokens)])), Value: float64(1 + (2-i)*j*j*2)}
		}
		h.Cells = append(h.Cells, row)
	}
	return h
}

type drawer interface{ Draw() (*plots.Figure, error) }

func pictures() map[string]drawer {
	return map[string]drawer{
		"heatmap_probability": franceHeatmap(),
		"heatmap_entropy":     sumHeatmap(),
		"heatmap_rank":        awkward(plots.Rank),
		"heatmap_kl":          awkward(plots.KL),
		"predictions":         francePredictions(),
		"lines_probability":   trackLines(),
		"lines_rank":          ranks(),
		"matrix_pattern":      pattern(),
		"matrix_sweep":        sweep(),
		"bars":                terms(),
	}
}

func mustDraw(t *testing.T, d drawer) *plots.Figure {
	t.Helper()
	f, err := d.Draw()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestPictures compares each picture with its golden. A small difference per
// pixel is allowed, for the rasteriser's floating point may be fused on some
// machines.
func TestPictures(t *testing.T) {
	for name, d := range pictures() {
		t.Run(name, func(t *testing.T) {
			got, err := mustDraw(t, d).PNG()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".png")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(want) > 150_000 {
				t.Errorf("golden has %d bytes: want at most 150000", len(want))
			}
			same, err := cmpimg.EqualApprox("png", got, want, 0.1)
			if err != nil {
				t.Fatal(err)
			}
			if !same {
				t.Errorf("picture differs from %s; run with -update, and look at what git shows", file)
			}
		})
	}
}
