package lens_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

const fitText = `The capital of France is Paris. The capital of Italy is Rome. The capital of Spain is Madrid. The currency of France is the euro.
When Mary and John went to the shop, John gave a book to Mary. The keys near the cabinet are good. The capital of Peru is Lima.
What is the capital of France? The capital of France is Paris. And its currency? The currency of France is the euro.`

// A fit brings every row nearer to the model's output than the normed lens has it, on positions that it has not seen; its losses are those of the lens.
func TestFitTunedLens(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx := context.Background()
	fit, err := m.FitTunedLens(ctx, fitText, lens.FitOptions{Steps: 60, Batch: 16, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for r, row := range fit.Rows {
		if !(fit.Tuned[r] < fit.Normed[r]) {
			t.Errorf("%s: tuned %.3f, normed %.3f", row, fit.Tuned[r], fit.Normed[r])
		}
	}
	ids, err := m.Encode(fitText)
	if err != nil {
		t.Fatal(err)
	}
	normed, err := m.LogitLensIDs(ctx, ids, lens.LensOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tuned, err := m.LogitLensIDs(ctx, ids, lens.LensOptions{Variant: lens.Tuned, Translators: fit.Translators})
	if err != nil {
		t.Fatal(err)
	}
	for r, row := range fit.Rows {
		var a, b float64
		for i := range fit.HeldOut {
			a += normed.Cells[r][i*10+9].KL / float64(fit.HeldOut)
			b += tuned.Cells[r][i*10+9].KL / float64(fit.HeldOut)
		}
		if math.Abs(a-fit.Normed[r]) > 1e-4 || math.Abs(b-fit.Tuned[r]) > 1e-4 {
			t.Errorf("%s: the fit says %.5f and %.5f, the lens %.5f and %.5f", row, fit.Normed[r], fit.Tuned[r], a, b)
		}
	}
	path := filepath.Join(t.TempDir(), "fit.safetensors")
	if err := fit.Translators.Save(path); err != nil {
		t.Fatal(err)
	}
	again, err := m.LoadTranslators(path)
	if err != nil || again.Digest != fit.Translators.Digest {
		t.Errorf("saved as %s, read as %v (%v)", fit.Translators.Digest, again, err)
	}
	t.Log(fit)
}

// A fit that was interrupted goes on to the bits of one that was not.
func TestFitResumes(t *testing.T) {
	m := tiny(t, "llama")
	text := fitText[:200]
	opt := lens.FitOptions{Steps: 12, Batch: 4, Seed: 3}
	whole, err := m.FitTunedLens(context.Background(), text, opt)
	if err != nil {
		t.Fatal(err)
	}
	opt.Checkpoint = filepath.Join(t.TempDir(), "fit.checkpoint")
	ctx, cancel := context.WithCancel(context.Background())
	opt.Progress = func(step, steps int, loss float64, left time.Duration) {
		if step == 5 {
			cancel()
		}
	}
	_, err = m.FitTunedLens(ctx, text, opt)
	wantError(t, err, lens.Interrupted, "5 of 12")
	steps := 0
	opt.Progress = func(int, int, float64, time.Duration) { steps++ }
	fit, err := m.FitTunedLens(context.Background(), text, opt)
	if err != nil {
		t.Fatal(err)
	}
	if steps != 7 || fit.Digest != whole.Digest || len(fit.Loss) != 12 || fit.Loss[3] != whole.Loss[3] || fit.Loss[11] != whole.Loss[11] {
		t.Errorf("%d steps to %s, without interruption %s", steps, fit.Digest, whole.Digest)
	}
	other := opt
	other.Seed = 4
	_, err = m.FitTunedLens(context.Background(), text, other)
	wantError(t, err, lens.Invalid, "another fit")
	if err := os.WriteFile(opt.Checkpoint, []byte("junk"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = m.FitTunedLens(context.Background(), text, opt)
	wantError(t, err, lens.Unavailable, "not a safetensors file")
}

func TestFitRefuses(t *testing.T) {
	m := tiny(t, "gpt2")
	ctx := context.Background()
	_, err := m.FitTunedLens(ctx, "short", lens.FitOptions{})
	wantError(t, err, lens.Invalid, "needs 20")
	_, err = m.FitTunedLens(ctx, fitText, lens.FitOptions{Rate: 2})
	wantError(t, err, lens.Invalid, "rate 2")
	_, err = m.FitTunedLens(ctx, fitText, lens.FitOptions{Steps: -1})
	wantError(t, err, lens.Invalid, "-1 steps")
}
