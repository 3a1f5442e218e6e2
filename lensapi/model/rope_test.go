package model

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// frequencies reads them back from the angles of position 1.
func frequencies(r *kernels.Rotary) (freq []float64, amplitude float64) {
	angles := r.Angles(nil, 1, 1)
	sin, cos := angles[:len(angles)/2], angles[len(angles)/2:]
	for i, s := range sin {
		freq = append(freq, math.Atan2(float64(s), float64(cos[i])))
	}
	return freq, math.Hypot(float64(sin[0]), float64(cos[0]))
}

// TestRotaryScaling pins real configurations at the ends that the papers give: fast pairs keep their frequency, slow
// ones are divided by the factor. The tiny models' goldens pin what lies between.
func TestRotaryScaling(t *testing.T) {
	for name, c := range map[string]struct {
		object    string
		base      float64
		slow, amp float64 // what remains of the slowest frequency; the amplitude
	}{
		"default": {`{"rope_type":"default"}`, 10000, 1, 1},
		"linear":  {`{"type":"linear","factor":4.0}`, 10000, 0.25, 1},
		"dynamic": {`{"type":"dynamic","factor":4.0}`, 10000, 1, 1},
		"llama3":  {`{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192}`, 500000, 1. / 8, 1},
		"yarn":    {`{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":32768}`, 1000000, 1. / 4, 1.138629436111989},
	} {
		o := &options{fields: map[string]json.RawMessage{"rope_scaling": json.RawMessage(c.object)}}
		r := o.rope(131072, "rope_theta", c.base, "partial_rotary_factor", 1)
		if len(o.wrong) > 0 {
			t.Fatalf("%s: %v", name, o.wrong)
		}
		const dims = 128
		got, amp := frequencies(r.scaling.rotary(dims, r.base))
		if math.Abs(amp-c.amp) > 1e-7 {
			t.Errorf("%s: amplitude %v, want %v", name, amp, c.amp)
		}
		for i, f := range got {
			plain := math.Pow(c.base, -2*float64(i)/dims)
			if f > plain*(1+2e-7) || f < plain*c.slow*(1-2e-7) {
				t.Errorf("%s: frequency %d is %v, outside %v to %v", name, i, f, plain*c.slow, plain)
			}
		}
		first, last := 1.0, math.Pow(c.base, -2*63./dims)*c.slow
		if name == "linear" { // which changes all alike
			first = c.slow
		}
		if math.Abs(got[0]/first-1) > 2e-7 || math.Abs(got[63]/last-1) > 2e-7 {
			t.Errorf("%s: frequencies from %v to %v, want %v to %v", name, got[0], got[63], first, last)
		}
	}
}
