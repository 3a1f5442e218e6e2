package plots_test

import (
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/plots"
)

func TestJoin(t *testing.T) {
	a, b := mustDraw(t, francePredictions()), mustDraw(t, franceHeatmap())
	aw, ah := a.Size()
	bw, bh := b.Size()
	f, err := plots.Join(b, b, a)
	if err != nil {
		t.Fatal(err)
	}
	if w, h := f.Size(); w != max(2*bw+8, aw) || h != bh+8+ah {
		t.Errorf("size %dx%d of two %dx%d and one %dx%d: want two side by side and one below", w, h, bw, bh, aw, ah)
	}
	_, texts := parseSVG(t, f)
	var xs, ys []float64
	for _, x := range texts {
		if x.Text == "␣capital" && len(xs) < 20 {
			xs, ys = append(xs, x.X), append(ys, x.Y)
		}
	}
	n := len(xs) / 2
	if n == 0 || xs[n]-xs[0] < 1 || ys[n] != ys[0] {
		t.Errorf("the second picture does not stand beside the first: x %v, y %v", xs, ys)
	}
	if got := strings.Count(f.Text(), "The capital of France is"); got != 2 {
		t.Errorf("the text has the first picture %d times", got)
	}
	// Pixels are where the parts have them.
	img, part := decode(t, f), decode(t, b)
	for y := 0; y < 2*bh; y += 7 {
		for x := 0; x < 2*bw; x += 7 {
			if img.At(x, y) != part.At(x, y) || img.At(x+2*(bw+8), y) != part.At(x, y) {
				t.Fatalf("pixel %d,%d differs", x, y)
			}
		}
	}
	if _, err := plots.Join(); err == nil {
		t.Error("nothing was joined")
	}
	if _, err := plots.Join(a, &plots.Figure{}); err == nil {
		t.Error("an empty figure was joined")
	}
}
