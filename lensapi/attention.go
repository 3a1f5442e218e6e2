package lens

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gopherlens/gopherlens/cache"
	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/model"
	"github.com/gopherlens/gopherlens/plots"
)

// AttentionOptions chooses what Attention leaves to defaults.
type AttentionOptions struct {
	Layers []int // default: all
	// Weighted gives, beside the weights, weight times the length of what the head adds to the stream for attending to that position wholly: |v W_O|,
	// after Kobayashi et al. (2020). A head that attends to where its values are near zero, as to a first token, does little.
	Weighted bool
	Rows     RowSource // Fresh: from a pass. Stored: from the cache's rows, by redoing one projection per layer, without a forward pass
	BOS      BOS       // before a prompt
}

// Attention is the attention pattern of each head over a text.
type Attention struct {
	Model       string          `json:"model"`
	ModelDigest string          `json:"model_digest"`
	Codec       string          `json:"codec,omitempty"` // how rows were stored that it was computed from; "" when it is exact
	IDs         []int           `json:"ids"`
	Layers      []int           `json:"layers"`
	Pattern     [][][][]float32 `json:"pattern"`            // [layer][head][query][key], each query's weights summing to one; 0 after the query and before the layer's window
	Weighted    [][][][]float32 `json:"weighted,omitempty"` // [layer][head][query][key]: Pattern times the length of the value's part

	all    int // layers of the model
	glyphs func(id int) string
}

// maxPattern bounds the numbers of an Attention: 256 MiB.
const maxPattern = 1 << 26

// Attention is the attention of a prompt.
func (m *Model) Attention(ctx context.Context, prompt string, opt AttentionOptions) (*Attention, error) {
	ids, err := m.PromptIDs(prompt, opt.BOS)
	if err != nil {
		return nil, err
	}
	return m.AttentionIDs(ctx, ids, opt)
}

// AttentionIDs is Attention for token ids, which are fed as they are.
func (m *Model) AttentionIDs(ctx context.Context, ids []int, opt AttentionOptions) (*Attention, error) {
	ids, err := m.WithBOS(ids, BOSNo)
	if err != nil {
		return nil, err
	}
	var conv *cache.Conversation
	if opt.Rows == Stored {
		if conv, err = m.captured(ctx, ids, defaultTop); err != nil {
			return nil, wrap(Unavailable, err, "attention over %d tokens", len(ids))
		}
	}
	return m.attention(ctx, conv, ids, opt)
}

// Attention is the attention of the first n tokens of the conversation.
func (c *Conversation) Attention(ctx context.Context, n int, opt AttentionOptions) (*Attention, error) {
	kept, ids, _ := c.snapshot()
	if err := checkRange(0, n, len(ids)); err != nil {
		return nil, err
	}
	return c.m.attention(ctx, kept, ids[:n], opt)
}

func (m *Model) attention(ctx context.Context, conv *cache.Conversation, ids []int, opt AttentionOptions) (*Attention, error) {
	layers := slices.Clone(opt.Layers)
	if len(layers) == 0 {
		for l := range m.cfg.NLayers {
			layers = append(layers, l)
		}
	}
	for i, l := range layers {
		if l < 0 || l >= m.cfg.NLayers || slices.Contains(layers[:i], l) {
			return nil, invalidf("layer %d: %s has layers 0 to %d, each to be named once", l, m.name, m.cfg.NLayers-1)
		}
	}
	if n := len(layers) * m.cfg.NHeads * len(ids) * len(ids); n > maxPattern {
		return nil, invalidf("attention of %d layers over %d tokens has %d numbers, more than %d: choose fewer layers or tokens", len(layers), len(ids), n, maxPattern)
	}
	a := &Attention{Model: m.name, ModelDigest: m.digest, IDs: slices.Clone(ids), Layers: layers, all: m.cfg.NLayers, glyphs: m.glyphs}
	a.Pattern = make([][][][]float32, len(layers))
	if opt.Weighted {
		a.Weighted = make([][][][]float32, len(layers))
	}
	values := make([][]float32, len(layers)) // by layer: [T, n_kv_heads, d_head]
	var hooks [][]forward.Hook
	for i, l := range layers {
		a.Pattern[i] = cube[float32](m.cfg.NHeads, len(ids), len(ids))
		hooks = append(hooks, m.patternHooks(l, a.Pattern[i], &values[i]))
	}
	var err error
	switch opt.Rows {
	case Fresh, "":
		err = m.passOver(ctx, ids, slices.Concat(hooks...))
	case Stored:
		a.Codec = storedAs(conv)
		err = m.attentionOfRows(ctx, conv, len(ids), layers, hooks)
	default:
		return nil, invalidf("rows %q: use %s or %s", opt.Rows, Fresh, Stored)
	}
	if err != nil {
		return nil, wrap(Unavailable, err, "attention over %d tokens", len(ids))
	}
	for i, l := range layers {
		if opt.Weighted {
			if a.Weighted[i], err = m.weighted(l, a.Pattern[i], values[i]); err != nil {
				return nil, wrap(Invalid, err, "weighting attention")
			}
		}
	}
	return a, nil
}

// patternHooks copy a layer's pattern to [head][query][key], and its values to [T, n_kv_heads, d_head].
func (m *Model) patternHooks(l int, pattern [][][]float32, values *[]float32) []forward.Hook {
	at := fmt.Sprintf("blocks.%d.attn.", l)
	return []forward.Hook{{Site: at + "hook_pattern", Func: func(a model.Activation) error {
		heads, s := a.Shape[1], a.Shape[2]
		for i := range a.Shape[0] {
			for h := range heads {
				copy(pattern[h][a.Start+i], a.Data[(i*heads+h)*s:(i*heads+h+1)*s])
			}
		}
		return nil
	}}, {Site: at + "hook_v", Func: func(a model.Activation) error {
		*values = append(*values, a.Data...)
		return nil
	}}}
}

// passOver runs ids with hooks.
func (m *Model) passOver(ctx context.Context, ids []int, hooks []forward.Hook) error {
	sess := m.run.NewSession()
	for part := range slices.Chunk(ids, chunk) {
		if _, err := sess.Extend(ctx, part, hooks...); err != nil {
			return err
		}
	}
	return nil
}

// attentionOfRows redoes the attention of layers over the first n stored rows that enter each.
func (m *Model) attentionOfRows(ctx context.Context, conv *cache.Conversation, n int, layers []int, hooks [][]forward.Hook) error {
	for i, l := range layers {
		enters, err := conv.Layers(ctx, 0, n, []int{l}, m.residuals) // row l enters layer l
		if err != nil {
			return err
		}
		if err := m.run.Attention(ctx, l, enters, hooks[i]...); err != nil {
			return err
		}
	}
	return nil
}

// weighted is a layer's pattern times the length of what each value would add.
func (m *Model) weighted(l int, pattern [][][]float32, values []float32) ([][][]float32, error) {
	length, err := m.run.Model().ValueLengths(l, values)
	if err != nil {
		return nil, err
	}
	n := len(pattern[0])
	out := cube[float32](len(pattern), n, n)
	for h := range pattern {
		for q := range n {
			for k := range q + 1 {
				out[h][q][k] = float32(float64(pattern[h][q][k]) * length[k*len(pattern)+h])
			}
		}
	}
	return out, nil
}

// Rollout is the attention rollout of Abnar and Zuidema (2020): the product over layers, from the first up, of half the mean of the heads' patterns and half
// the identity, which stands for the residual stream. [query][key], each row summing to one. It needs all layers.
func (a *Attention) Rollout() ([][]float64, error) {
	if len(a.Layers) != a.all || !slices.IsSorted(a.Layers) {
		return nil, invalidf("rollout needs all %d layers in order; there are %v", a.all, a.Layers)
	}
	n := len(a.IDs)
	roll := make([][]float64, n)
	for q := range roll {
		roll[q] = make([]float64, n)
		roll[q][q] = 1
	}
	for _, layer := range a.Pattern {
		next := make([][]float64, n)
		for q := range next {
			next[q] = slices.Clone(roll[q])
			for k := range next[q] {
				next[q][k] *= 0.5
			}
			for k := range q + 1 {
				var mean float64
				for _, head := range layer {
					mean += float64(head[q][k]) / float64(len(layer))
				}
				for j := range k + 1 {
					next[q][j] += float64(0.5 * mean * roll[k][j])
				}
			}
		}
		roll = next
	}
	return roll, nil
}

func (a *Attention) caption() string {
	text := fmt.Sprintf("%s (%.12s)", a.Model, a.ModelDigest)
	if a.Codec != "" {
		text += " · rows stored as " + a.Codec
	}
	return text
}

// tokens are display texts for the sides of a picture, with positions where texts alone would be ambiguous.
func (a *Attention) tokens() []string {
	out := make([]string, len(a.IDs))
	for i, id := range a.IDs {
		out[i] = Token{ID: id}.Glyphs()
		if a.glyphs != nil {
			out[i] = a.glyphs(id)
		}
	}
	return out
}

// lower leaves out what a causal pattern cannot have.
func lower[T float32 | float64](rows [][]T) [][]float64 {
	out := make([][]float64, len(rows))
	for q, row := range rows {
		for k, v := range row {
			x := float64(v)
			if k > q {
				x = math.NaN()
			}
			out[q] = append(out[q], x)
		}
	}
	return out
}

// Head draws one head: queries downwards, keys to the right.
func (a *Attention) Head(layer, head int) (*plots.Figure, error) {
	i := slices.Index(a.Layers, layer)
	if i < 0 || head < 0 || head >= len(a.Pattern[i]) {
		return nil, notFoundf("L%dH%d: there are layers %v with heads 0 to %d", layer, head, a.Layers, len(a.Pattern[0])-1)
	}
	name := fmt.Sprintf("L%dH%d", layer, head)
	fig, err := a.matrix("Attention of "+name, "weight", lower(a.Pattern[i][head]), 1)
	if err != nil || a.Weighted == nil {
		return fig, err
	}
	weighted, err := a.matrix("Attention of "+name+", weighted by values", "weight × |v W_O|", lower(a.Weighted[i][head]), 0)
	if err != nil {
		return nil, err
	}
	fig, err = plots.Join(fig, weighted)
	return fig, wrap(Invalid, err, "drawing %s", name)
}

// RolloutChart draws the rollout.
func (a *Attention) RolloutChart() (*plots.Figure, error) {
	r, err := a.RolledOut()
	if err != nil {
		return nil, err
	}
	return r.Chart()
}

func (a *Attention) matrix(title, label string, values [][]float64, most float64) (*plots.Figure, error) {
	tokens := a.tokens()
	m := plots.Matrix{Title: title, Caption: a.caption() + " · rows attend to columns", Rows: tokens, Columns: tokens, RowLabel: "from", ColumnLabel: "to",
		Label: label, Values: values, Max: most, Numbers: len(tokens) <= 20}
	fig, err := m.Draw()
	return fig, wrap(Invalid, err, "drawing attention")
}

// Chart draws all heads small, layers bottom-up.
func (a *Attention) Chart() (*plots.Figure, error) {
	p := plots.Patterns{Title: fmt.Sprintf("Attention over %d tokens", len(a.IDs)), Caption: a.caption() + " · in each square queries go down and keys to the right", Layers: a.Layers, Label: "weight"}
	for _, layer := range a.Pattern {
		var heads [][][]float64
		for _, head := range layer {
			heads = append(heads, lower(head))
		}
		p.Values = append(p.Values, heads)
	}
	fig, err := p.Draw()
	return fig, wrap(Invalid, err, "drawing attention")
}

// String says of each head where the last position looks most.
func (a *Attention) String() string {
	var t table
	t.add("head", "last looks at", "weight", "mean on the first token", "mean on the one before")
	tokens := a.tokens()
	last := len(a.IDs) - 1
	for i, l := range a.Layers {
		for h, rows := range a.Pattern[i] {
			best := 0
			for k, v := range rows[last] {
				if v > rows[last][best] {
					best = k
				}
			}
			var first, before float64
			for q := 1; q <= last; q++ {
				first += float64(rows[q][0]) / float64(last)
				before += float64(rows[q][q-1]) / float64(last)
			}
			t.add(fmt.Sprintf("L%dH%d", l, h), fmt.Sprintf("%d %s", best, tokens[best]), fmt.Sprintf("%.2f", rows[last][best]), fmt.Sprintf("%.2f", first), fmt.Sprintf("%.2f", before))
		}
	}
	return strings.Join([]string{a.caption(), t.String()}, "\n")
}

// MIMEBundle shows the attention as a table and all heads as a picture.
func (a *Attention) MIMEBundle() map[string]any { return figureBundle(a, a.Chart) }

// MIMEMetadata gives the picture's size.
func (a *Attention) MIMEMetadata() map[string]any { return figureMetadata(a.Chart) }
