package lens

import (
	"context"
	"math"
	"os"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/lenstest"
)

// The gradient equals central differences of the loss, in every family: LayerNorm, RMSNorm, soft caps.
func TestFitGradient(t *testing.T) {
	for _, name := range []string{"gpt2", "llama", "gemma2", "neox"} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, lenstest.FS(name)); err != nil {
			t.Fatal(err)
		}
		m, err := LoadWith(dir, LoadOptions{CacheDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		opt := FitOptions{}
		if err := opt.check(); err != nil {
			t.Fatal(err)
		}
		f, err := m.newFitter(context.Background(), "the cat sat at the cats and the other cats in the sea of seats", opt)
		if err != nil {
			t.Fatal(err)
		}
		for r := range f.params { // away from the identity
			for i := range f.params[r] {
				f.params[r][i] = float32(0.1 * math.Sin(float64(i*(r+3))))
			}
		}
		positions := []int{0, 3, 8, 11}
		_, grads := f.gradients(positions, true)
		for r := range f.params {
			for _, i := range []int{0, 5, 17, 100, 255, 256, 271} {
				const h = 1.0 / 256
				at := f.params[r][i]
				f.params[r][i] = at + h
				up, _ := f.gradients(positions, false)
				f.params[r][i] = at - h
				down, _ := f.gradients(positions, false)
				f.params[r][i] = at
				if want := (up[r] - down[r]) / (2 * h); math.Abs(grads[r][i]-want) > 1e-4*max(1, math.Abs(want)) {
					t.Errorf("%s, row %d, parameter %d: %g, differences give %g", name, r, i, grads[r][i], want)
				}
			}
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
