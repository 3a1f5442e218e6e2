package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
)

// Config is a model's shape and the options that change its numbers.
type Config struct {
	Family   string // model_type of config.json
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
	AttnBias   bool    // on q, k and v
	OutBias    bool    // on the output of attention
	MLPBias    bool
	QKNorm     bool    // each head of q and k is normalized before rotation
	EmbedScale float64 // what the token embedding is multiplied by
	AttnScale  float64 // what q·k is multiplied by
	LayerScale bool    // q·k of layer l is also divided by l+1 (gpt2)
	AttnCap    float64 // scores s become AttnCap tanh(s/AttnCap); 0: they stay
	LogitCap   float64 // the same for logits
	Windows    []int   // by layer: positions attended to, the query's own among them, 0 for all; nil: all in every layer

	RotaryDims    int     // values of each head that are rotated; 0: none
	RotaryBase    float64 // frequencies are RotaryBase^(-2i/RotaryDims) before scaling
	RotaryScaling RotaryScaling
	LocalBase     float64 // RotaryBase of layers with a window, where there is no scaling; 0: as the other layers
}

// scale is what q·k of layer l is multiplied by.
func (c Config) scale(l int) float64 {
	if c.LayerScale {
		return c.AttnScale / float64(l+1)
	}
	return c.AttnScale
}

// window is that of layer l.
func (c Config) window(l int) int {
	if c.Windows == nil {
		return 0
	}
	return c.Windows[l]
}

// family is what one architecture file offers.
type family struct {
	config   func(o *options) Config
	new      func() architecture
	bos, eos int // of a config that does not say; -1: none
}

// families by model_type. Each is one file.
var families = map[string]family{
	"gemma":       gemmaFamily,
	"gemma2":      gemma2Family,
	"gemma3":      gemma3VisionFamily,
	"gemma3_text": gemma3Family,
	"gpt2":        gpt2Family,
	"gpt_neo":     gptNeoFamily,
	"gpt_neox":    neoxFamily,
	"llama":       llamaFamily,
	"mistral":     mistralFamily,
	"opt":         optFamily,
	"phi3":        phi3Family,
	"qwen2":       qwen2Family,
	"qwen3":       qwen3Family,
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
		known := slices.Sorted(maps.Keys(families))
		return Config{}, fmt.Errorf("config.json: model_type %q is not supported (supported: %s)", typ, strings.Join(known, ", "))
	}
	o.refuseSet("quantization_config", "quantized weights")
	o.refuse("is_causal", true)
	c := fam.config(o)
	c.Family = typ
	if c.EmbedScale == 0 {
		c.EmbedScale = 1
	}
	if c.AttnScale == 0 {
		c.AttnScale = 1 / math.Sqrt(float64(c.DHead))
	}
	c.BOS, c.EOS = -1, nil
	for _, id := range o.ids("bos_token_id", fam.bos) {
		if id < c.DVocab {
			c.BOS = id
		}
	}
	for _, id := range o.ids("eos_token_id", fam.eos) {
		if id < c.DVocab {
			c.EOS = append(c.EOS, id)
		}
	}
	if len(o.wrong) > 0 {
		return Config{}, fmt.Errorf("config.json: %s", strings.Join(o.wrong, "; "))
	}
	return c, nil
}

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

// has says that a field is there and not null.
func (o *options) has(name string) bool {
	_, ok := o.fields[name]
	return ok && !o.null(name)
}

// null says that a field is there and null.
func (o *options) null(name string) bool { return string(o.fields[name]) == "null" }

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

// positive is a finite value above 0.
func (o *options) positive(name string, def float64) float64 {
	return o.number(name, def, math.SmallestNonzeroFloat64, math.MaxFloat64)
}

// limit is a positive value, or 0 for none: when the field is null, or absent and def is 0.
func (o *options) limit(name string, def float64) float64 {
	if _, ok := o.fields[name]; o.null(name) || !ok && def == 0 {
		return 0
	}
	return o.positive(name, def)
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
		known := slices.Sorted(maps.Keys(activations))
		o.fail("%s %q is not supported (supported: %s)", name, act, strings.Join(known, ", "))
	}
	return act
}

// alias reads a field by another of its names, which Hugging Face's configs take as well.
func (o *options) alias(name, other string) {
	raw, ok := o.fields[other]
	if !ok {
		return
	}
	if own, both := o.fields[name]; both && string(own) != string(raw) {
		o.fail("%s is %s, but %s, the same thing, is %s", name, own, other, raw)
	}
	o.fields[name] = raw
}

// refuseWindow refuses attention to a window of the last positions, unless it is switched off.
func (o *options) refuseWindow() {
	if o.flag("use_sliding_window", true) {
		o.refuseSet("sliding_window", "attention windows")
	}
}

// windows gives the layers that local names a window of sliding_window positions; a null sliding_window, or an
// absent one when def is 0, gives none.
func (o *options) windows(c *Config, def int, local func(l int) bool) {
	if _, ok := o.fields["sliding_window"]; o.null("sliding_window") || !ok && def == 0 {
		return
	}
	w := o.size("sliding_window", def, maxCtx)
	c.Windows = make([]int, c.NLayers)
	for l := range c.Windows {
		if local(l) {
			c.Windows[l] = w
		}
	}
}

// everyLayer is for windows, in families that do not have layer_types.
func (o *options) everyLayer() func(l int) bool {
	o.refuseSet("layer_types", "windows by layer in this family")
	return func(int) bool { return true }
}

// localLayers is for windows: the layers that a list layer_types calls sliding_attention; local without the list.
func (o *options) localLayers(layers int, local func(l int) bool) func(l int) bool {
	var types []string
	if !o.get("layer_types", &types) {
		return local
	}
	if len(types) != layers {
		o.fail("layer_types names %d layers, not %d", len(types), layers)
		return local
	}
	for _, t := range types {
		if t != "sliding_attention" && t != "full_attention" {
			o.fail("layer_types: %q is not supported (supported: full_attention, sliding_attention)", t)
		}
	}
	return func(l int) bool { return types[l] == "sliding_attention" }
}
