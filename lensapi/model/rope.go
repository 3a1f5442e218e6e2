package model

import (
	"cmp"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
)

// RotaryScaling changes the frequencies of a rotary embedding so that it reaches over a longer context than the one
// it was first trained on. The zero value changes nothing.
type RotaryScaling struct {
	Type   string  // "", linear, llama3, longrope or yarn
	Factor float64 // how much longer; not longrope
	Ctx    int     // the first context; llama3, longrope, yarn

	LowFreq, HighFreq  float64 // turns within Ctx between which llama3 blends
	BetaSlow, BetaFast float64 // the same for yarn
	Amplitude          float64 // what yarn and longrope multiply rotated queries and keys by

	Short []float64 // what longrope divides the frequency of each pair by, in sequences no longer than Ctx
}

// rotary is the embedding of head values 0 to dims-1.
func (s RotaryScaling) rotary(dims int, base float64) *kernels.Rotary {
	r := kernels.NewRotary(dims, base)
	switch s.Type {
	case "linear":
		return r.Rescaled(func(_ int, freq float64) float64 { return freq / s.Factor }, 1)
	case "llama3":
		return r.Rescaled(func(_ int, freq float64) float64 {
			turns := float64(s.Ctx) * freq / (2 * math.Pi)
			keep := clamp((turns - s.LowFreq) / (s.HighFreq - s.LowFreq)) // 1: as it was
			return float64((1-keep)*freq/s.Factor) + float64(keep*freq)
		}, 1)
	case "longrope":
		return r.Rescaled(func(i int, freq float64) float64 { return freq / s.Short[i] }, s.Amplitude)
	case "yarn":
		// The pair, a fraction in general, that makes n turns within the first context.
		pair := func(n float64) float64 {
			return float64(dims) * kernels.Log(float64(s.Ctx)/(n*2*math.Pi)) / (2 * kernels.Log(base))
		}
		from := max(math.Floor(pair(s.BetaFast)), 0)
		to := min(math.Ceil(pair(s.BetaSlow)), float64(dims-1))
		if from == to {
			to += 0.001
		}
		return r.Rescaled(func(i int, freq float64) float64 {
			keep := 1 - clamp((float64(i)-from)/(to-from))
			return float64((1-keep)*freq/s.Factor) + float64(keep*freq)
		}, s.Amplitude)
	}
	return r
}

func clamp(v float64) float64 { return min(max(v, 0), 1) }

// newRotary is the rotary embedding of all layers but those with a window and a base of their own.
func newRotary(c Config) *rotary { return c.RotaryScaling.rotary(c.RotaryDims, c.RotaryBase) }

// newRotaries gives each layer its rotary embedding; layers share it.
func newRotaries(c Config) []*rotary {
	global, local := newRotary(c), (*rotary)(nil)
	if c.LocalBase > 0 {
		local = kernels.NewRotary(c.RotaryDims, c.LocalBase)
	}
	rs := slices.Repeat([]*rotary{global}, c.NLayers)
	for l := range rs {
		if local != nil && c.window(l) > 0 {
			rs[l] = local
		}
	}
	return rs
}

// rope is a rotary embedding as a config describes it.
type rope struct {
	base, fraction float64
	ctx            int // of the model
	first          int // original_max_position_embeddings of the config, or ctx
	scaling        RotaryScaling
}

// rope reads base, fraction of each head and scaling, which Hugging Face has moved from fields of the config
// (baseName, fractionName, rope_scaling) into one object, rope_parameters.
func (o *options) rope(ctx int, baseName string, base float64, fractionName string, fraction float64) rope {
	r := rope{base: o.positive(baseName, base), fraction: o.number(fractionName, fraction, 0, 1), ctx: ctx}
	r.fraction = o.number("partial_rotary_factor", r.fraction, 0, 1)
	// Some configs have the first context beside the object, and what one without the other means has changed.
	r.first = o.size("original_max_position_embeddings", r.ctx, maxCtx)
	old := r
	earlier, now := o.ropeObject("rope_scaling", &old), o.ropeObject("rope_parameters", &r)
	if earlier && now && !reflect.DeepEqual(old, r) {
		o.fail("rope_scaling and rope_parameters differ")
	}
	if earlier {
		r = old
	}
	if s := r.scaling; s.Ctx != 0 && o.has("original_max_position_embeddings") && s.Ctx != r.first {
		o.fail("original_max_position_embeddings is %d, but %d in the object for type %s", r.first, s.Ctx, s.Type)
	}
	return r
}

// ropeFields are those of an object, by type; every type has those of "".
var ropeFields = map[string][]string{
	"":         {"rope_type", "type", "rope_theta", "partial_rotary_factor", "factor", "original_max_position_embeddings"},
	"default":  nil,
	"dynamic":  nil,
	"linear":   nil,
	"llama3":   {"low_freq_factor", "high_freq_factor"},
	"longrope": {"short_factor", "long_factor", "attention_factor"},
	"yarn":     {"beta_fast", "beta_slow", "attention_factor"},
}

// ropeObject reads an object that describes a rotary embedding; false if there is none or an empty one.
func (o *options) ropeObject(name string, r *rope) bool {
	sub := &options{}
	if !o.get(name, &sub.fields) || len(sub.fields) == 0 {
		return false
	}
	r.read(sub)
	for _, w := range sub.wrong {
		o.fail("%s: %s", name, w)
	}
	return true
}

// read reads the fields of such an object.
func (r *rope) read(sub *options) {
	r.base = sub.positive("rope_theta", r.base)
	r.fraction = sub.number("partial_rotary_factor", r.fraction, 0, 1)
	s := RotaryScaling{Type: sub.text("rope_type", sub.text("type", "default"))}
	own, ok := ropeFields[s.Type]
	if !ok || s.Type == "" {
		types := slices.DeleteFunc(slices.Sorted(maps.Keys(ropeFields)), func(t string) bool { return t == "" })
		sub.fail("type %q is not supported (supported: %s)", s.Type, strings.Join(types, ", "))
		return
	}
	for _, f := range slices.Sorted(maps.Keys(sub.fields)) {
		if !slices.Contains(ropeFields[""], f) && !slices.Contains(own, f) {
			sub.fail("%s is not supported for type %s", f, s.Type)
		}
	}
	switch s.Type {
	case "default":
		return
	case "dynamic":
		// Frequencies change for sequences longer than max_position_embeddings, which is as long as they get here.
		if n := sub.size("original_max_position_embeddings", r.ctx, maxCtx); n != r.ctx {
			sub.fail("type dynamic with original_max_position_embeddings %d is not supported (only max_position_embeddings %d is)", n, r.ctx)
		}
		return
	}
	if s.Type == "longrope" {
		r.longrope(sub, s)
		return
	}
	s.Factor = sub.needed("factor", 1, maxCtx)
	switch s.Type {
	case "llama3":
		s.Ctx = sub.size("original_max_position_embeddings", 0, maxCtx)
		s.LowFreq = sub.needed("low_freq_factor", math.SmallestNonzeroFloat64, maxCtx)
		s.HighFreq = sub.needed("high_freq_factor", math.SmallestNonzeroFloat64, maxCtx)
		if len(sub.wrong) == 0 && s.HighFreq <= s.LowFreq {
			sub.fail("high_freq_factor %v is not above low_freq_factor %v", s.HighFreq, s.LowFreq)
		}
	case "yarn":
		s.Ctx = sub.size("original_max_position_embeddings", r.ctx, maxCtx)
		s.BetaFast = sub.positive("beta_fast", 32)
		s.BetaSlow = sub.positive("beta_slow", 1)
		if s.BetaFast <= s.BetaSlow {
			sub.fail("beta_fast %v is not above beta_slow %v", s.BetaFast, s.BetaSlow)
		}
		s.Amplitude = sub.positive("attention_factor", 1+float64(0.1*kernels.Log(s.Factor)))
		if r.base <= 1 {
			sub.fail("rope_theta is %v (allowed for yarn: more than 1)", r.base)
		}
	}
	r.scaling = s
}

// longrope reads what Phi-3 has. Sequences longer than the first context have frequencies of their own, from their first
// position on, so that keys could not be kept when a sequence grows beyond it: the model's context ends there.
func (r *rope) longrope(sub *options, s RotaryScaling) {
	s.Ctx = sub.size("original_max_position_embeddings", cmp.Or(r.first, r.ctx), maxCtx)
	longer := max(1, float64(r.ctx)/float64(s.Ctx))
	if f := sub.number("factor", longer, 1, maxCtx); math.Abs(f-longer) > 1e-6*longer {
		sub.fail("factor is %v, but max_position_embeddings is %v times original_max_position_embeddings", f, longer)
	}
	if s.Ctx < 2 {
		sub.fail("original_max_position_embeddings is %d (allowed for longrope: 2 or more)", s.Ctx)
		return
	}
	s.Amplitude = sub.positive("attention_factor", math.Sqrt(1+kernels.Log(longer)/kernels.Log(float64(s.Ctx))))
	if !sub.get("short_factor", &s.Short) {
		sub.fail("short_factor is missing")
		return
	}
	for _, f := range s.Short {
		if !(f > 0 && f <= maxCtx) {
			sub.fail("short_factor has %v (allowed: above 0, to %d)", f, maxCtx)
			break
		}
	}
	r.scaling = s
}

// needed is a number that has no default.
func (o *options) needed(name string, lo, hi float64) float64 {
	if !o.has(name) {
		o.fail("%s is missing", name)
		return lo
	}
	return o.number(name, lo, lo, hi)
}

// apply writes the embedding to c, whose heads are known, and demands whole pairs.
func (r rope) apply(o *options, c *Config) {
	c.RotaryBase, c.RotaryScaling = r.base, r.scaling
	c.RotaryDims = int(float64(c.DHead) * r.fraction)
	if c.RotaryDims%2 != 0 {
		o.fail("rotary embedding of %d values of each head (an even number is needed)", c.RotaryDims)
	}
	if s := r.scaling; s.Type == "longrope" {
		c.NCtx = min(c.NCtx, s.Ctx)
		if len(s.Short) != c.RotaryDims/2 {
			o.fail("short_factor has %d numbers, not one for each of %d pairs of a head", len(s.Short), c.RotaryDims/2)
		}
	}
}
