package forward_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/lenstest"
)

func sampler(t *testing.T, s forward.Sampling) *forward.Sampler {
	t.Helper()
	smp, err := forward.NewSampler(s)
	if err != nil {
		t.Fatal(err)
	}
	return smp
}

func next(t *testing.T, s *forward.Sampler, logits []float32) int {
	t.Helper()
	id, err := s.Next(logits)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestGreedy(t *testing.T) {
	inf := float32(math.Inf(-1))
	for _, c := range []struct {
		logits []float32
		want   int
	}{
		{[]float32{0, 3, 3, 1}, 1}, {[]float32{-5}, 0}, {[]float32{inf, -1e30, inf}, 1}, {[]float32{0, float32(math.Copysign(0, -1))}, 0},
	} {
		for _, s := range []forward.Sampling{{}, {TopK: 2, TopP: 0.5}, {Temperature: 1, TopK: 1}, {Temperature: 1e-30}} {
			if len(c.logits) == 4 && s.Temperature == 1e-30 {
				continue // a tie is a tie at any temperature above zero
			}
			if len(c.logits) == 2 && s.Temperature == 1e-30 {
				continue
			}
			if got := next(t, sampler(t, s), c.logits); got != c.want {
				t.Errorf("%+v of %v: %d, want %d", s, c.logits, got, c.want)
			}
		}
	}
}

// TestFrequencies draws many times; each bound is more than five standard deviations wide.
func TestFrequencies(t *testing.T) {
	p := []float64{0.1, 0.4, 0.2, 0.3}
	logits := make([]float32, 4)
	for i, v := range p {
		logits[i] = float32(math.Log(v) + 2)
	}
	square := 0.1*0.1 + 0.4*0.4 + 0.2*0.2 + 0.3*0.3
	for name, c := range map[string]struct {
		s    forward.Sampling
		want []float64
	}{
		"temperature 1":   {forward.Sampling{Temperature: 1}, p},
		"temperature 1/2": {forward.Sampling{Temperature: 0.5}, []float64{0.01 / square, 0.16 / square, 0.04 / square, 0.09 / square}},
		"top-k 2":         {forward.Sampling{Temperature: 1, TopK: 2}, []float64{0, 0.4 / 0.7, 0, 0.3 / 0.7}},
		"top-k large":     {forward.Sampling{Temperature: 1, TopK: 9}, p},
		"top-p 0.5":       {forward.Sampling{Temperature: 1, TopP: 0.5}, []float64{0, 0.4 / 0.7, 0, 0.3 / 0.7}},
		"top-p 0.8":       {forward.Sampling{Temperature: 1, TopP: 0.8}, []float64{0, 0.4 / 0.9, 0.2 / 0.9, 0.3 / 0.9}},
		"top-p tiny":      {forward.Sampling{Temperature: 1, TopP: 1e-9}, []float64{0, 1, 0, 0}},
		"top-p after k":   {forward.Sampling{Temperature: 1, TopK: 2, TopP: 0.5}, []float64{0, 1, 0, 0}},
		"top-p 1":         {forward.Sampling{Temperature: 1, TopP: 1}, p},
	} {
		c.s.Seed = 7
		s := sampler(t, c.s)
		const n = 40000
		var count [4]int
		for range n {
			count[next(t, s, logits)]++
		}
		for id, want := range c.want {
			if got := float64(count[id]) / n; math.Abs(got-want) > 0.013 || want == 0 && count[id] > 0 {
				t.Errorf("%s: token %d drawn %.4f of the time, want %.4f", name, id, got, want)
			}
		}
	}
}

func TestSeeds(t *testing.T) {
	r := forward.New(lenstest.Model(t, "gpt2"))
	draw := func(seed uint64) []int {
		return generate(t, r, forward.Sampling{Temperature: 1.5, TopK: 50, Seed: seed}, []int{1, 2}, 30)
	}
	if a, b := draw(3), draw(3); !slices.Equal(a, b) {
		t.Errorf("one seed, two texts: %v, %v", a, b)
	}
	if a, b := draw(3), draw(4); slices.Equal(a, b) {
		t.Error("two seeds, one text")
	}
}

func TestBadSampling(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, s := range []forward.Sampling{{Temperature: -1}, {Temperature: nan}, {Temperature: inf}, {TopK: -1}, {TopP: -0.1}, {TopP: 1.1}, {TopP: nan}} {
		if _, err := forward.NewSampler(s); err == nil || s.Validate() == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
	err := forward.Sampling{Temperature: -1, TopK: -1, TopP: 2}.Validate()
	for _, want := range []string{"temperature -1", "top-k -1", "top-p 2"} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q does not say %q in one line", err, want)
		}
	}
	for _, logits := range [][]float32{nil, {0, float32(nan)}, {float32(inf), 0}, {float32(-inf), float32(-inf)}} {
		for _, s := range []forward.Sampling{{}, {Temperature: 1, TopP: 0.9}} {
			if id, err := sampler(t, s).Next(logits); err == nil {
				t.Errorf("%v of %v: token %d and no error", s, logits, id)
			}
		}
	}
}
