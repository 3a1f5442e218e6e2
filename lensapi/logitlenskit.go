package lens

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gopherlens/gopherlens/lensapi/model"
	"github.com/gopherlens/gopherlens/plots"
)

// LogitLensKit is a logit lens in the JSON format, version 2, of LogitLensKit and its widget: by position, the probability of every token that was among the first
// candidates of some layer, in all layers. Tokens go by their texts there; where two of one position have the same text, those with higher ids get it with their id
// behind it, so that none is lost. What other programs do not know of stands in fields of its own, which they pass over.
type LogitLensKit struct {
	Meta    KitMeta                `json:"meta"`
	Layers  []int                  `json:"layers"`  // the rows i_post; embed and i_mid have no number in that format
	Input   []string               `json:"input"`   // texts of the tokens fed, by position
	Tracked []map[string][]float64 `json:"tracked"` // [position][token][layer]: probabilities
	TopK    [][][]string           `json:"topk"`    // [layer][position]: the first candidates, in order

	InputIDs   []int            `json:"input_ids,omitempty"`   // ours: the ids of Input
	TrackedIDs []map[string]int `json:"tracked_ids,omitempty"` // ours: the ids of the tokens of Tracked
}

// KitMeta says where the numbers of a LogitLensKit come from. All but the first three fields are ours.
type KitMeta struct {
	Version     int     `json:"version"` // 2
	Timestamp   string  `json:"timestamp,omitempty"`
	Model       string  `json:"model,omitempty"`
	ModelDigest string  `json:"model_digest,omitempty"`
	Variant     Variant `json:"variant,omitempty"`
	Codec       string  `json:"codec,omitempty"`
	Translators string  `json:"translators,omitempty"`
}

const (
	kitVersion = 2
	// maxKit bounds a file that is read: 4096 tokens of an 80-layer model take 240 MB, by their own account.
	maxKit = 256 << 20
)

// LogitLensKit is the lens of a prompt in LogitLensKit's format, with opt.Top candidates of each cell. Probabilities are not rounded; LogitLensKit itself keeps five decimals.
// Rows between attention and MLP have no place in it.
func (m *Model) LogitLensKit(ctx context.Context, prompt string, opt LensOptions) (*LogitLensKit, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	ids, err := m.PromptIDs(prompt, opt.BOS)
	if err != nil {
		return nil, err
	}
	opt.BOS = BOSNo
	return m.LogitLensKitIDs(ctx, ids, opt)
}

// LogitLensKitIDs is LogitLensKit for token ids, which are fed as they are (with a BOS before them when opt.BOS is BOSYes).
func (m *Model) LogitLensKitIDs(ctx context.Context, ids []int, opt LensOptions) (*LogitLensKit, error) {
	opt.Mid = false
	if err := opt.check(); err != nil {
		return nil, err
	}
	ids, err := m.WithBOS(ids, opt.BOS)
	if err != nil {
		return nil, err
	}
	g, err := m.lens(ctx, ids, opt)
	if err != nil {
		return nil, err
	}
	conv, err := m.captured(ctx, ids, opt.Top)
	if err != nil {
		return nil, wrap(Unavailable, err, "tracking through %d tokens", len(ids))
	}
	s, err := m.stream(ctx, conv, ids, 0, len(ids), opt)
	if err != nil {
		return nil, err
	}
	k := &LogitLensKit{Meta: KitMeta{kitVersion, "", m.name, m.digest, opt.Variant, s.codec, g.Translators}, Input: slices.Clone(g.Tokens), InputIDs: slices.Clone(g.IDs),
		TopK: make([][][]string, m.cfg.NLayers)}
	for l := range m.cfg.NLayers {
		k.Layers = append(k.Layers, l)
	}
	r := reader{m, opt.Variant, opt.Translators, s.rows}
	for p := range ids {
		if err := ctx.Err(); err != nil {
			return nil, wrap(Interrupted, err, "tracking through %d tokens", len(ids))
		}
		m.kitPosition(k, g, p, r.normalized(s.at(p)))
	}
	return k, nil
}

// kitPosition adds one position, whose rows are normalized.
func (m *Model) kitPosition(k *LogitLensKit, g *Grid, p int, rows model.Normalized) {
	var ids []int
	for _, row := range g.Cells[1:] {
		for _, c := range row[p].Top {
			ids = append(ids, c.ID)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	z := make([]float32, len(g.Rows)*len(ids))
	m.run.Model().UnembedTokens(z, rows, ids)
	names, byName, tracked := map[int]string{}, map[string]int{}, map[string][]float64{}
	for i, id := range ids {
		name := m.token(id).Text()
		for tracked[name] != nil {
			name += fmt.Sprintf("⟨id %d⟩", id)
		}
		names[id], byName[name] = name, id
		for r := 1; r < len(g.Rows); r++ {
			tracked[name] = append(tracked[name], min(1, math.Exp(float64(z[r*len(ids)+i])-g.Cells[r][p].LogPartition)))
		}
	}
	k.Tracked, k.TrackedIDs = append(k.Tracked, tracked), append(k.TrackedIDs, byName)
	for l, row := range g.Cells[1:] {
		var top []string
		for _, c := range row[p].Top {
			top = append(top, names[c.ID])
		}
		k.TopK[l] = append(k.TopK[l], top)
	}
}

// Write writes the JSON.
func (k *LogitLensKit) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return wrap(Unavailable, enc.Encode(k), "writing for LogitLensKit")
}

// ReadLogitLensKit reads what LogitLensKit, its workbench or Write wrote. Version 1 of the format is refused.
func ReadLogitLensKit(r io.Reader) (*LogitLensKit, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxKit+1))
	if err != nil {
		return nil, wrap(Unavailable, err, "reading of LogitLensKit")
	}
	if len(b) > maxKit {
		return nil, invalidf("this file of LogitLensKit has more than %d bytes", maxKit)
	}
	k := &LogitLensKit{}
	if err := json.Unmarshal(b, k); err != nil {
		return nil, wrap(Invalid, err, "not JSON of LogitLensKit")
	}
	if err := k.check(); err != nil {
		return nil, wrap(Invalid, err, "LogitLensKit")
	}
	return k, nil
}

// check refuses what does not fit together.
func (k *LogitLensKit) check() error {
	n := len(k.Input)
	switch {
	case k.Meta.Version != kitVersion:
		return invalidf("version %d of the format: version %d is read", k.Meta.Version, kitVersion)
	case n == 0 || len(k.Layers) == 0:
		return invalidf("%d layers of %d tokens: there must be one of each at least", len(k.Layers), n)
	case len(k.Tracked) != n:
		return invalidf("tracked has %d positions and input %d", len(k.Tracked), n)
	case len(k.TopK) != len(k.Layers):
		return invalidf("topk has %d layers and layers %d", len(k.TopK), len(k.Layers))
	case k.InputIDs != nil && len(k.InputIDs) != n, k.TrackedIDs != nil && len(k.TrackedIDs) != n:
		return invalidf("input_ids has %d positions, tracked_ids %d and input %d", len(k.InputIDs), len(k.TrackedIDs), n)
	}
	for p, tracked := range k.Tracked {
		for token, ps := range tracked {
			if len(ps) != len(k.Layers) {
				return invalidf("token %q of position %d has %d probabilities for %d layers", token, p, len(ps), len(k.Layers))
			}
			for l, x := range ps {
				if !(x >= 0 && x <= 1) {
					return invalidf("token %q of position %d has the probability %v in layer %d", token, p, x, k.Layers[l])
				}
			}
		}
	}
	for l, row := range k.TopK {
		if len(row) != n {
			return invalidf("topk of layer %d has %d positions and input %d", k.Layers[l], len(row), n)
		}
		for p, top := range row {
			if len(top) == 0 {
				return invalidf("topk of layer %d, position %d is empty", k.Layers[l], p)
			}
		}
	}
	return nil
}

// Probability is that of a token by its text, in the layer at index l of Layers, after position p; NaN where the file does not track the token. Like an index of a slice, it
// panics out of range.
func (k *LogitLensKit) Probability(l, p int, token string) float64 {
	ps := k.Tracked[p][token]
	if ps == nil {
		return math.NaN()
	}
	return ps[l]
}

func (k *LogitLensKit) caption() string {
	text := k.Meta.Model
	if text == "" {
		text = "a model without a name"
	}
	if k.Meta.ModelDigest != "" {
		text += fmt.Sprintf(" (%.12s)", k.Meta.ModelDigest)
	}
	if k.Meta.Variant != "" {
		text += " · lens " + string(k.Meta.Variant)
	} else {
		text += " · read from LogitLensKit: lens normed, five decimals, tokens by their text"
	}
	return text
}

// escaped is what the texts have in place of bytes that are no characters, and of ids without a text.
var escaped = regexp.MustCompile(`⟨([0-9A-F]{2}|id \d+)⟩`)

// kitGlyphs is the display form of a token that is known by its text.
func kitGlyphs(text string) string {
	var b strings.Builder
	for {
		m := escaped.FindStringIndex(text)
		if m == nil {
			break
		}
		if m[0] > 0 {
			b.WriteString(plots.Glyphs([]byte(text[:m[0]])))
		}
		b.WriteString(text[m[0]:m[1]])
		text = text[m[1]:]
	}
	if text != "" || b.Len() == 0 {
		b.WriteString(plots.Glyphs([]byte(text)))
	}
	return b.String()
}

// Heatmap draws the first candidate of each cell and its probability, layers bottom-up.
func (k *LogitLensKit) Heatmap() (*plots.Figure, error) {
	h := plots.Heatmap{Title: "Logit lens", Caption: k.caption(), Scale: plots.Probability, Label: "probability of the token shown"}
	for p, text := range k.Input {
		h.Columns = append(h.Columns, plots.Column{Position: p, Below: kitGlyphs(text)})
	}
	for l, row := range k.TopK {
		h.Rows = append(h.Rows, strconv.Itoa(k.Layers[l])+"_post")
		line := make([]plots.Cell, len(row))
		for p, top := range row {
			line[p] = plots.Cell{Text: kitGlyphs(top[0]), Value: max(0, k.Probability(l, p, top[0]))}
			if math.IsNaN(line[p].Value) {
				return nil, invalidf("layer %d, position %d: %q is not tracked, so it has no probability to draw", k.Layers[l], p, top[0])
			}
		}
		h.Cells = append(h.Cells, line)
	}
	fig, err := h.Draw()
	return fig, wrap(Invalid, err, "drawing the lens")
}

// String is the first candidates at the last position as a table, the last layer on top.
func (k *LogitLensKit) String() string {
	var t table
	t.add("row", "first candidates, with probabilities")
	last := len(k.Input) - 1
	for l := len(k.Layers) - 1; l >= 0; l-- {
		var line strings.Builder
		for _, token := range k.TopK[l][last] {
			fmt.Fprintf(&line, "%s %s  ", kitGlyphs(token), prob(math.Log(k.Probability(l, last, token))))
		}
		t.add(strconv.Itoa(k.Layers[l])+"_post", line.String())
	}
	return fmt.Sprintf("%s\nafter %s at position %d\n%s", k.caption(), kitGlyphs(k.Input[last]), last, &t)
}

// MIMEBundle shows the lens as a table and a picture.
func (k *LogitLensKit) MIMEBundle() map[string]any { return figureBundle(k, k.Heatmap) }

// MIMEMetadata gives the picture's size.
func (k *LogitLensKit) MIMEMetadata() map[string]any { return figureMetadata(k.Heatmap) }
