package lens

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/model"
	"github.com/gopherlens/gopherlens/plots"
)

// Target is a number that a run is asked about at one position: the logit of a token, or the difference of two logits, which is also that of their
// log-probabilities.
type Target struct {
	Token   int  `json:"token"`
	Against *int `json:"against,omitempty"` // the token whose logit is subtracted
}

// LogitOf is the logit of a token.
func LogitOf(token int) Target { return Target{Token: token} }

// DifferenceOf is the logit of a token less that of another.
func DifferenceOf(token, against int) Target { return Target{token, &against} }

func (m *Model) checkTarget(t Target) error {
	if err := m.checkToken(t.Token); err != nil {
		return err
	}
	if t.Against != nil {
		return m.checkToken(*t.Against)
	}
	return nil
}

// of reads the target from logits [d_vocab].
func (t Target) of(z []float32) float64 {
	x := float64(z[t.Token])
	if t.Against != nil {
		x -= float64(z[*t.Against])
	}
	return x
}

// AttributionOptions are the conventions of direct logit attribution. They change the parts, never what they sum to beyond what is said here.
type AttributionOptions struct {
	// ValueBiasApart counts what attention's value bias adds as part of the layer's bias and not of its heads. TransformerLens does so when it folds the value
	// bias into b_O (fold_value_biases); the default leaves it with the heads, as the checkpoint has it.
	ValueBiasApart bool
	// CentredUnembedding takes the mean over the vocabulary out of the unembedding, as TransformerLens's center_unembed does. It moves the logit of a single token by a
	// constant (told as part of Total, for the sum to stay exact), and no difference of two.
	CentredUnembedding bool
	// NoNorm leaves the final norm out: parts sum to the logit of the raw lens. Default: the norm with the scale that it had at this position, which is
	// linear in the parts. The gain of the norm is always folded into the direction.
	NoNorm bool
	BOS    BOS // before a prompt
}

// Attribution says what each part of the model adds directly to a logit at one position, through the final norm and the unembedding alone, not through later
// layers. Sum + Remainder = Total exactly; the remainder is rounding. Numbers are before any soft cap of the logits.
type Attribution struct {
	Model       string             `json:"model"`
	ModelDigest string             `json:"model_digest"`
	Position    int                `json:"position"`
	TokenID     int                `json:"token_id"` // at the position
	Target      Target             `json:"target"`
	Convention  AttributionOptions `json:"convention"`
	Embed       float64            `json:"embed"`
	PosEmbed    float64            `json:"pos_embed"` // 0 where positions are not added to the stream
	Attn        []float64          `json:"attn"`      // [layer]: Heads and AttnBias of the layer, as the pass summed them
	MLP         []float64          `json:"mlp"`       // [layer]: Neurons and MLPBias
	Heads       [][]float64        `json:"heads"`     // [layer][head]
	AttnBias    []float64          `json:"attn_bias"`
	Neurons     [][]float64        `json:"neurons"` // [layer][neuron]
	MLPBias     []float64          `json:"mlp_bias"`
	Bias        float64            `json:"bias"`      // of the final norm, through the unembedding
	Sum         float64            `json:"sum"`       // Embed + PosEmbed + Attn + MLP + Bias
	Total       float64            `json:"total"`     // what the model has there
	Remainder   float64            `json:"remainder"` // Total - Sum

	glyphs func(id int) string
}

// Attribute runs a prompt and attributes a target at a position (-1: the last).
func (m *Model) Attribute(ctx context.Context, prompt string, position int, target Target, opt AttributionOptions) (*Attribution, error) {
	ids, err := m.PromptIDs(prompt, opt.BOS)
	if err != nil {
		return nil, err
	}
	return m.attribute(ctx, ids, position, target, opt)
}

// AttributeIDs is Attribute for token ids, which are fed as they are (with a BOS before them when opt.BOS is BOSYes).
func (m *Model) AttributeIDs(ctx context.Context, ids []int, position int, target Target, opt AttributionOptions) (*Attribution, error) {
	ids, err := m.WithBOS(ids, opt.BOS)
	if err != nil {
		return nil, err
	}
	return m.attribute(ctx, ids, position, target, opt)
}

// Attribute runs the conversation up to a position (-1: the last) again and attributes a target there.
func (c *Conversation) Attribute(ctx context.Context, position int, target Target, opt AttributionOptions) (*Attribution, error) {
	_, ids, _ := c.snapshot()
	if len(ids) == 0 {
		return nil, checkRange(0, 1, 0)
	}
	return c.m.attribute(ctx, ids, position, target, opt)
}

// atPosition resolves -1 and refuses positions that n tokens do not have.
func atPosition(position, n int) (int, error) {
	if position == -1 {
		position = n - 1
	}
	if position < 0 || position >= n {
		return 0, notFoundf("position %d: there are positions 0 to %d, and -1 for the last", position, n-1)
	}
	return position, nil
}

func (m *Model) attribute(ctx context.Context, ids []int, position int, target Target, opt AttributionOptions) (*Attribution, error) {
	p, err := atPosition(position, len(ids))
	if err != nil {
		return nil, err
	}
	if err := m.checkTarget(target); err != nil {
		return nil, err
	}
	ids = ids[:p+1]
	at, last, err := m.sitesAt(ctx, ids)
	if err != nil {
		return nil, wrap(Unavailable, err, "attribution at position %d", p)
	}
	a := &Attribution{Model: m.name, ModelDigest: m.digest, Position: p, TokenID: ids[p], Target: target, Convention: opt, glyphs: m.glyphs}
	mod, against := m.run.Model(), -1
	if target.Against != nil {
		against = *target.Against
	}
	u, bias := mod.Direction(target.Token, against, opt.CentredUnembedding)
	scale := mod.FinalScale(last)
	if opt.NoNorm {
		u, bias, scale = mod.UnembeddingRow(target.Token, against, opt.CentredUnembedding), 0, 1
	}
	along := func(x []float32) float64 {
		var sum float64
		for i, v := range x {
			sum += float64(u[i] * float64(v))
		}
		return sum / scale
	}
	a.Bias, a.Embed = bias, along(at["hook_embed"])
	if x, ok := at["hook_pos_embed"]; ok {
		a.PosEmbed = along(x)
	}
	a.Sum = a.Embed + a.PosEmbed + a.Bias
	for l := range m.cfg.NLayers {
		b := fmt.Sprintf("blocks.%d.", l)
		c, err := mod.Contribution(l, u, at[b+"attn.hook_z"], at[b+"mlp.hook_post"])
		if err != nil {
			return nil, wrap(Invalid, err, "attribution")
		}
		a.Attn, a.MLP = append(a.Attn, along(at[b+"hook_attn_out"])), append(a.MLP, along(at[b+"hook_mlp_out"]))
		a.addParts(c, scale)
		a.Sum += a.Attn[l] + a.MLP[l]
	}
	a.Total, err = m.targetOf(last, target, opt)
	a.Remainder = a.Total - a.Sum
	return a, err
}

// addParts adds a layer's parts, divided by the final norm's scale.
func (a *Attribution) addParts(c model.Contribution, scale float64) {
	bias := c.AttnBias
	for h := range c.Heads {
		if a.Convention.ValueBiasApart {
			c.Heads[h] -= c.Values[h]
			bias += c.Values[h]
		}
		c.Heads[h] /= scale
	}
	for i := range c.Neurons {
		c.Neurons[i] /= scale
	}
	a.Heads, a.AttnBias = append(a.Heads, c.Heads), append(a.AttnBias, bias/scale)
	a.Neurons, a.MLPBias = append(a.Neurons, c.Neurons), append(a.MLPBias, c.MLPBias/scale)
}

// targetOf is what the last row x has of the target, before any soft cap, in float64 over the whole row at once: the independent side of the sum.
func (m *Model) targetOf(x []float32, target Target, opt AttributionOptions) (float64, error) {
	mod := m.run.Model()
	y := mod.Normalize(x).Data()
	if opt.NoNorm {
		y = x
	}
	against := -1
	if target.Against != nil {
		against = *target.Against
	}
	w := mod.UnembeddingRow(target.Token, against, opt.CentredUnembedding)
	var sum float64
	for i, v := range y {
		sum += float64(w[i] * float64(v))
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return 0, wrap(Invalid, errNotFinite, "attribution")
	}
	return sum, nil
}

// sitesAt runs ids and copies what the sites of attribution hold at the last position, by name; last is the last row.
func (m *Model) sitesAt(ctx context.Context, ids []int) (at map[string][]float32, last []float32, err error) {
	at = map[string][]float32{}
	var hooks []forward.Hook
	for _, s := range m.run.Model().Sites() {
		name := s.Name
		for _, want := range []string{"hook_embed", "hook_pos_embed", "attn.hook_z", "mlp.hook_post", "hook_attn_out", "hook_mlp_out"} {
			if name != want && !(strings.HasPrefix(name, "blocks.") && strings.HasSuffix(name, "."+want)) {
				continue
			}
			hooks = append(hooks, forward.Hook{Site: name, Func: func(a model.Activation) error {
				n := len(a.Data) / a.Shape[0]
				at[name] = slices.Clone(a.Data[len(a.Data)-n:]) // a later call is of later positions
				return nil
			}})
		}
	}
	sess := m.run.NewSession()
	for part := range slices.Chunk(ids, chunk) {
		t, err := sess.Extend(ctx, part, hooks...)
		if err != nil {
			return nil, nil, err
		}
		last = t.Last()
	}
	return at, last, nil
}

// Part is one term of an attribution.
type Part struct {
	Name  string  `json:"name"` // embed, pos_embed, 0_attn_out, 0_mlp_out, ..., bias; L9H9 for a head, L11N611 for a neuron
	Value float64 `json:"value"`
}

// Parts are the terms that sum to Sum, in the order of the pass.
func (a *Attribution) Parts() []Part {
	out := []Part{{"embed", a.Embed}}
	if a.PosEmbed != 0 {
		out = append(out, Part{"pos_embed", a.PosEmbed})
	}
	for l := range a.Attn {
		out = append(out, Part{fmt.Sprintf("%d_attn_out", l), a.Attn[l]}, Part{fmt.Sprintf("%d_mlp_out", l), a.MLP[l]})
	}
	return append(out, Part{"bias", a.Bias})
}

// TopHeads are the n heads that add most, by size.
func (a *Attribution) TopHeads(n int) []Part { return topParts(a.Heads, "H", n) }

// TopNeurons are the n neurons that add most, by size.
func (a *Attribution) TopNeurons(n int) []Part { return topParts(a.Neurons, "N", n) }

func topParts(values [][]float64, kind string, n int) []Part {
	var all []Part
	for l, row := range values {
		for i, v := range row {
			all = append(all, Part{fmt.Sprintf("L%d%s%d", l, kind, i), v})
		}
	}
	slices.SortStableFunc(all, func(x, y Part) int {
		switch a, b := math.Abs(x.Value), math.Abs(y.Value); {
		case a > b:
			return -1
		case a < b:
			return 1
		}
		return 0
	})
	return all[:max(0, min(n, len(all)))]
}

func (a *Attribution) show(id int) string {
	if a.glyphs == nil {
		return Token{ID: id}.Glyphs()
	}
	return a.glyphs(id)
}

func (a *Attribution) what() string {
	if a.Target.Against == nil {
		return fmt.Sprintf("logit of “%s”", a.show(a.Target.Token))
	}
	return fmt.Sprintf("logit of “%s” less “%s”", a.show(a.Target.Token), a.show(*a.Target.Against))
}

func (a *Attribution) caption() string {
	text := fmt.Sprintf("%s (%.12s) · direct attribution after “%s” at position %d", a.Model, a.ModelDigest, a.show(a.TokenID), a.Position)
	if a.Convention.NoNorm {
		text += " · without the final norm"
	} else {
		text += " · final norm with its own scale"
	}
	if a.Convention.ValueBiasApart {
		text += " · value bias apart from heads"
	} else {
		text += " · value bias in heads"
	}
	if a.Convention.CentredUnembedding {
		text += " · centred unembedding"
	}
	return text
}

// Chart draws the terms as bars, in the order of the pass from the bottom up.
func (a *Attribution) Chart() (*plots.Figure, error) {
	b := plots.Bars{Title: "What adds to the " + a.what(), Caption: fmt.Sprintf("%s · sum %.4f, total %.4f, remainder %.1e", a.caption(), a.Sum, a.Total, a.Remainder), Label: "logit", BottomUp: true}
	for _, p := range a.Parts() {
		b.Bars = append(b.Bars, plots.Bar{Name: p.Name, Value: p.Value})
	}
	fig, err := b.Draw()
	return fig, wrap(Invalid, err, "drawing the attribution")
}

// HeadChart draws the heads, layers by heads.
func (a *Attribution) HeadChart() (*plots.Figure, error) {
	fig, err := headMatrix("What each head adds to the "+a.what(), a.caption(), "logit", a.Heads, true).Draw()
	return fig, wrap(Invalid, err, "drawing the attribution")
}

// headMatrix is a picture of a number for each head, layers bottom-up.
func headMatrix(title, caption, label string, values [][]float64, signed bool) plots.Matrix {
	m := plots.Matrix{Title: title, Caption: caption, Label: label, RowLabel: "layer", ColumnLabel: "head", Values: values, BottomUp: true, Diverging: signed, Numbers: true}
	for l := range values {
		m.Rows = append(m.Rows, fmt.Sprint(l))
	}
	for h := range values[0] {
		m.Columns = append(m.Columns, fmt.Sprint(h))
	}
	return m
}

// String is the terms, the first heads and the first neurons.
func (a *Attribution) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n", a.what(), a.caption())
	var t table
	for _, p := range append(a.Parts(), Part{"sum", a.Sum}, Part{"total", a.Total}) {
		t.add(p.Name, fmt.Sprintf("%+.4f", p.Value))
	}
	t.add("remainder", fmt.Sprintf("%+.1e", a.Remainder))
	b.WriteString(t.String())
	for _, list := range []struct {
		name  string
		parts []Part
	}{{"heads", a.TopHeads(5)}, {"neurons", a.TopNeurons(5)}} {
		fmt.Fprintf(&b, "largest %s:", list.name)
		for _, p := range list.parts {
			fmt.Fprintf(&b, " %s %+.3f", p.Name, p.Value)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// MIMEBundle shows the attribution as a table, and as bars beside the heads.
func (a *Attribution) MIMEBundle() map[string]any { return figureBundle(a, a.both) }

// MIMEMetadata gives the picture's size.
func (a *Attribution) MIMEMetadata() map[string]any { return figureMetadata(a.both) }

func (a *Attribution) both() (*plots.Figure, error) {
	bars, err := a.Chart()
	if err != nil {
		return nil, err
	}
	heads, err := a.HeadChart()
	if err != nil {
		return nil, err
	}
	return plots.Join(bars, heads)
}
