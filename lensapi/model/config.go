package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
)

// Config is a model's shape and the options that change its numbers.
type Config struct {
	Family   string // gpt2, llama or gpt_neox
	NLayers  int
	NHeads   int // query heads
	NKVHeads int // key/value heads; NHeads unless grouped
	DHead    int
	DModel   int
	DMLP     int
	DVocab   int
	NCtx     int   // the most positions of one sequence
	BOS      int   // -1: none, or not in the vocabulary
	EOS      []int // ids in the vocabulary that end a text; may be empty

	Activation string  // Hugging Face's name: gelu, gelu_new, silu, ...
	NormEps    float64 // added to the variance
	Tied       bool    // the unembedding is the embedding
	Parallel   bool    // attention and MLP both read resid_pre (gpt_neox)
	AttnBias   bool
	MLPBias    bool
	RotaryDims int     // values of each head that are rotated; 0: none
	RotaryBase float64 // frequencies are RotaryBase^(-2i/RotaryDims)
}

// family is what one architecture file offers.
type family struct {
	config func(o *options) Config
	new    func() architecture
}

var families = map[string]family{
	"gpt2":     {gpt2Config, func() architecture { return &gpt2{} }},
	"llama":    {llamaConfig, func() architecture { return &llama{} }},
	"gpt_neox": {neoxConfig, func() architecture { return &neox{} }},
}

// parseConfig reads config.json; absent and null fields have the defaults of Hugging Face's config classes.
func parseConfig(data []byte) (Config, error) {
	o := &options{}
	if err := json.Unmarshal(data, &o.fields); err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	typ := o.text("model_type", "")
	fam, ok := families[typ]
	if !ok {
		return Config{}, fmt.Errorf("config.json: model_type %q is not supported (supported: gpt2, gpt_neox, llama)", typ)
	}
	o.refuseSet("quantization_config", "quantized weights")
	c := fam.config(o)
	c.Family = typ
	c.BOS, c.EOS = -1, nil
	for _, id := range o.ids("bos_token_id", defaultBOS[typ]) {
		if id < c.DVocab {
			c.BOS = id
		}
	}
	for _, id := range o.ids("eos_token_id", defaultEOS[typ]) {
		if id < c.DVocab {
			c.EOS = append(c.EOS, id)
		}
	}
	if len(o.wrong) > 0 {
		return Config{}, fmt.Errorf("config.json: %s", strings.Join(o.wrong, "; "))
	}
	return c, nil
}

var (
	defaultBOS = map[string]int{"gpt2": 50256, "llama": 1, "gpt_neox": 0}
	defaultEOS = map[string]int{"gpt2": 50256, "llama": 2, "gpt_neox": 2}
)

// Bounds on sizes: far above any model that fits a machine, and small enough that no product of two overflows.
const (
	maxLayers = 1 << 10
	maxHeads  = 1 << 12
	maxWidth  = 1 << 18
	maxVocab  = 1 << 23
	maxCtx    = 1 << 24
)

// options reads fields and collects what is wrong with them.
type options struct {
	fields map[string]json.RawMessage
	wrong  []string
}

func (o *options) fail(format string, args ...any) {
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
}

// kindNames are for people who read JSON, not Go.
var kindNames = map[reflect.Kind]string{
	reflect.Int: "whole number", reflect.Float64: "number", reflect.Bool: "true or false", reflect.String: "text",
	reflect.Map: "JSON object", reflect.Slice: "list",
}

// get decodes a field into dst; false when it is absent or null.
func (o *options) get(name string, dst any) bool {
	raw, ok := o.fields[name]
	if !ok || string(raw) == "null" {
		return false
	}
	if err := json.Unmarshal(raw, dst); err != nil {
		var te *json.UnmarshalTypeError
		if errors.As(err, &te) {
			o.fail("%s: %.40s is not a %s", name, raw, kindNames[te.Type.Kind()])
		} else {
			o.fail("%s: %v", name, err)
		}
		return false
	}
	return true
}

func (o *options) text(name, def string) string {
	o.get(name, &def)
	return def
}

func (o *options) flag(name string, def bool) bool {
	o.get(name, &def)
	return def
}

// size is a number from 1 to limit; when it is wrong 1 stands in, so that later checks do not divide by zero.
func (o *options) size(name string, def, limit int) int {
	n := def
	o.get(name, &n)
	if n < 1 || n > limit {
		o.fail("%s is %d (allowed: 1 to %d)", name, n, limit)
		return 1
	}
	return n
}

// number is a finite value in [lo, hi].
func (o *options) number(name string, def, lo, hi float64) float64 {
	v := def
	o.get(name, &v)
	if !(v >= lo && v <= hi) {
		o.fail("%s is %v (allowed: %v to %v)", name, v, lo, hi)
		return def
	}
	return v
}

// ids reads one id, a list of ids or null.
func (o *options) ids(name string, def int) []int {
	raw, ok := o.fields[name]
	if !ok {
		return []int{def}
	}
	var list []int
	if len(raw) > 0 && raw[0] == '[' {
		o.get(name, &list)
	} else if o.get(name, &def) {
		list = []int{def}
	}
	return slices.DeleteFunc(list, func(id int) bool { return id < 0 })
}

// refuse demands that a flag has the one supported value.
func (o *options) refuse(name string, supported bool) {
	if o.flag(name, supported) != supported {
		o.fail("%s=%v is not supported (only %v is)", name, !supported, supported)
	}
}

// refuseSet demands that a field is absent, null, false or empty.
func (o *options) refuseSet(name, what string) {
	switch raw := string(o.fields[name]); raw {
	case "", "null", "false", "{}":
	default:
		o.fail("%s: %s are not supported", name, what)
	}
}

// divides demands that part divides whole.
func (o *options) divides(partName string, part int, wholeName string, whole int) {
	if part < 1 || whole%part != 0 {
		o.fail("%s %d does not divide %s %d", partName, part, wholeName, whole)
	}
}

// activation reads the name of a supported activation.
func (o *options) activation(name, def string) string {
	act := o.text(name, def)
	if activations[act] == nil {
		known := make([]string, 0, len(activations))
		for a := range activations {
			known = append(known, a)
		}
		slices.Sort(known)
		o.fail("%s %q is not supported (supported: %s)", name, act, strings.Join(known, ", "))
	}
	return act
}

// rope reads base and fraction of the rotary embedding, which Hugging Face has moved from fields of the config
// (baseName, fractionName, rope_scaling) into one object, rope_parameters.
func (o *options) rope(baseName, fractionName string, fraction float64) (base, frac float64) {
	base = o.number(baseName, 10000, math.SmallestNonzeroFloat64, math.MaxFloat64)
	frac = o.number(fractionName, fraction, 0, 1)
	frac = o.number("partial_rotary_factor", frac, 0, 1)
	for _, name := range []string{"rope_scaling", "rope_parameters"} {
		sub := &options{}
		if !o.get(name, &sub.fields) {
			continue
		}
		if typ := sub.text("rope_type", sub.text("type", "default")); typ != "default" {
			o.fail("%s of type %q is not supported (only default is)", name, typ)
		}
		base = sub.number("rope_theta", base, math.SmallestNonzeroFloat64, math.MaxFloat64)
		frac = sub.number("partial_rotary_factor", frac, 0, 1)
		for _, w := range sub.wrong {
			o.fail("%s: %s", name, w)
		}
	}
	return base, frac
}

// evenRotary demands whole pairs.
func (o *options) evenRotary(dims int) {
	if dims%2 != 0 {
		o.fail("rotary embedding of %d values of each head (an even number is needed)", dims)
	}
}

// refuseWindow refuses attention to a window of the last positions, unless it is switched off.
func (o *options) refuseWindow() {
	if o.flag("use_sliding_window", true) {
		o.refuseSet("sliding_window", "attention windows")
	}
}
