package plots

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"
)

// A Scale says what the values of a [Heatmap] are and how they become colour.
// Dark is always near the model's own answer: high probability, low entropy,
// low divergence, low rank.
type Scale int

const (
	// Probability is linear in 0..1.
	Probability Scale = iota
	// Entropy is linear in 0..Max nats.
	Entropy
	// KL is a divergence in nats, drawn as log(1+KL) over 0..Max.
	KL
	// Rank is logarithmic in 1..Max; rank 1 has a colour of its own.
	Rank
)

// String returns the name of the scale in lower case.
func (s Scale) String() string {
	switch s {
	case Probability:
		return "probability"
	case Entropy:
		return "entropy"
	case KL:
		return "KL divergence"
	case Rank:
		return "rank"
	}
	return "Scale(" + strconv.Itoa(int(s)) + ")"
}

// legend is the label of the colour bar when the caller gives none.
func (s Scale) legend() string {
	switch s {
	case Entropy:
		return "entropy (nats)"
	case KL:
		return "KL divergence to the last row (nats, log(1+x) scale)"
	case Rank:
		return "rank (log scale)"
	}
	return "probability"
}

// slack is how far rounding may carry a value over the edge of its range.
const slack = 1e-4

// admit checks one value and moves it into the range when only rounding put it
// outside.
func (s Scale) admit(v float64) (float64, error) {
	low, high, allowed := 0.0, math.MaxFloat64, "0 or more nats"
	switch s {
	case Probability:
		high, allowed = 1, "0 to 1"
	case Rank:
		low, allowed = 1, "1 or more"
	}
	if math.IsNaN(v) || math.IsInf(v, 0) || v < low-slack || v > high+slack {
		return 0, fmt.Errorf("%s %v is not drawable: want %s", s, v, allowed)
	}
	return min(max(v, low), high), nil
}

// A ramp is a scale with its end fixed. top is the largest value of the data.
type ramp struct {
	scale    Scale
	max, top float64
}

// newRamp fixes the end of the scale: want, or when want is 0 the next round
// number that holds the data. Values are already admitted.
func newRamp(s Scale, want float64, cells [][]float64) (ramp, error) {
	r := ramp{scale: s}
	for _, row := range cells {
		r.top = max(r.top, slices.Max(row))
	}
	least := map[Scale]float64{Probability: 1, Entropy: 0, KL: 0, Rank: 2}
	switch {
	case math.IsNaN(want) || math.IsInf(want, 0) || want < 0 || want > 1e9:
		return r, fmt.Errorf("scale maximum %v is not usable: want 0 (from the data) to 1e9", want)
	case want != 0 && s != Probability && want <= least[s]:
		return r, fmt.Errorf("scale maximum %v is too small for %s: want more than %v", want, s, least[s])
	case s == Probability:
		r.max = 1
	case want != 0:
		r.max = want
	case s == Rank:
		r.max = math.Pow(10, max(1, math.Ceil(math.Log10(r.top)-1e-9)))
	default:
		r.max = roundUp(max(r.top, 1), 1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
	}
	return r, nil
}

// along places v on the colour bar, 0 at its left end and 1 at its right;
// values past the end are clipped. Rank 1 is not on the bar.
func (r ramp) along(v float64) float64 {
	var t float64
	switch r.scale {
	case KL:
		t = math.Log1p(v) / math.Log1p(r.max)
	case Rank:
		t = math.Log(v/2) / math.Log(r.max/2)
	default:
		t = v / r.max
	}
	return min(max(t, 0), 1)
}

// at is the colour at a place on the bar.
func (r ramp) at(along float64) color.RGBA {
	if r.scale == Probability {
		return sequential(along)
	}
	return sequential(1 - along)
}

func (r ramp) color(v float64) color.RGBA {
	if r.scale == Rank && v < 1.5 {
		return accent
	}
	return r.at(r.along(v))
}

type tick struct {
	along float64
	label string
}

// ticks are at most eight labelled places on the bar, far enough apart to be
// read. The last one says so when values past the end were clipped.
func (r ramp) ticks() []tick {
	var at []float64
	switch r.scale {
	case Probability:
		at = []float64{0, 0.25, 0.5, 0.75}
	case Entropy:
		step := roundUp(r.max/5, 1, 2, 5)
		for v := 0.0; v < r.max && len(at) < 8; v += step {
			at = append(at, v)
		}
	case KL:
		at = []float64{0, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000}
	case Rank:
		at = []float64{2, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}
		if r.max <= 20 {
			at = []float64{2, 5, 10}
		}
	}
	const apart = 0.13
	var out []tick
	for _, v := range at {
		t := r.along(v)
		if v < r.max && t < 1-apart && (len(out) == 0 || t > out[len(out)-1].along+apart) {
			out = append(out, tick{t, number(v)})
		}
	}
	last := number(r.max)
	if r.top > r.max {
		last = "≥ " + last
	}
	return append(out, tick{1, last})
}

// roundUp is the smallest of the steps, times a power of ten, that holds v; v > 0
// and steps rise from 1.
func roundUp(v float64, steps ...float64) float64 {
	base := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range steps {
		if v <= m*base*(1+1e-9) {
			return m * base
		}
	}
	return 10 * base
}

// number writes an axis value: no exponent, no needless zeros.
func number(v float64) string {
	if v >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// format writes one value as the text table shows it.
func (s Scale) format(v float64) string {
	if s == Rank {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
