package lens

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/gopherlens/gopherlens/plots"
)

// ContextTokens is how many tokens before a clicked one are shown with it.
const ContextTokens = 15

// TokenInfo is one token of a conversation as a reader sees it.
type TokenInfo struct {
	TokenID   int    `json:"token_id"`
	TokenText string `json:"token_text"`
	Position  int    `json:"position"` // from 0, over all turns
	Role      string `json:"role"`     // system, user, assistant; prompt without a chat template
	Turn      int    `json:"turn"`     // the message it belongs to, from 0
	Generated bool   `json:"generated"`
	Template  bool   `json:"template"` // markup of the chat template, not part of a message's text
}

// LayerPrediction is the lens of one row at the clicked position.
type LayerPrediction struct {
	Row string `json:"row"`
	Cell
}

// TokenView is what a click on a token shows: row by row what the model was about to say after it, and the tokens before it.
type TokenView struct {
	ConversationID string  `json:"conversation_id"`
	ModelName      string  `json:"model_name"`
	ModelDigest    string  `json:"model_digest"`
	Variant        Variant `json:"variant"`
	TokenInfo
	LayerPredictions []LayerPrediction `json:"layer_predictions"` // in the order of the rows: embed first
	ContextWindow    []TokenInfo       `json:"context_window"`    // up to ContextTokens tokens before it, in order

	m *Model
}

// Tokens returns every token of the conversation with its role.
func (c *Conversation) Tokens() []TokenInfo {
	_, ids, _ := c.snapshot()
	return c.infos(ids, 0, len(ids))
}

// Infos are the tokens at positions from to to-1 with their roles.
func (c *Conversation) Infos(from, to int) ([]TokenInfo, error) {
	_, ids, _ := c.snapshot()
	if err := checkRange(from, to, len(ids)); err != nil {
		return nil, err
	}
	return c.infos(ids, from, to), nil
}

// infos describes the tokens at positions from to to-1.
func (c *Conversation) infos(ids []int, from, to int) []TokenInfo {
	out := make([]TokenInfo, 0, to-from)
	for p := from; p < to; p++ {
		out = append(out, TokenInfo{TokenID: ids[p], TokenText: c.m.token(ids[p]).Text(), Position: p, Role: rolePrompt})
	}
	_, all, events := c.snapshot()
	for _, s := range readHistory(events, all, nil).spans {
		for p := max(s.Start, from); p < min(s.End, to); p++ {
			t := &out[p-from]
			t.Role, t.Turn, t.Generated, t.Template = s.role, s.turn, s.generated, s.Template
		}
	}
	return out
}

// Click shows what the model was about to say after the token at position, row by row, from the cache: no forward pass. Position -1 is the last.
func (c *Conversation) Click(position int) (*TokenView, error) {
	kept, ids, _ := c.snapshot()
	if position == -1 {
		position = len(ids) - 1
	}
	if len(ids) > 0 && (position < 0 || position >= len(ids)) {
		return nil, notFoundf("position %d: the conversation has positions 0 to %d, and -1 for the last", position, len(ids)-1)
	}
	if err := checkRange(position, position+1, len(ids)); err != nil {
		return nil, err
	}
	col, err := c.m.column(kept, ids, position, c.opt.Top)
	if err != nil {
		return nil, err
	}
	from := max(0, position-ContextTokens)
	infos := c.infos(ids, from, position+1)
	v := &TokenView{ConversationID: kept.ID(), ModelName: c.m.name, ModelDigest: c.m.digest, Variant: Normed,
		TokenInfo: infos[position-from], ContextWindow: infos[:position-from], m: c.m}
	for i, cell := range col {
		v.LayerPredictions = append(v.LayerPredictions, LayerPrediction{c.m.rowNames[i], cell})
	}
	return v, nil
}

// Chart draws the view: the rows bottom-up, and the first candidates of each as bars.
func (v *TokenView) Chart() (*plots.Figure, error) {
	const shown = 5
	p := plots.Predictions{Title: fmt.Sprintf("After “%s” at position %d", v.glyphs(v.TokenID), v.Position), Caption: v.caption()}
	for _, l := range v.LayerPredictions {
		row := plots.PredictionRow{Row: l.Row, Entropy: l.Entropy}
		for _, c := range l.Top[:min(shown, len(l.Top))] {
			row.Top = append(row.Top, plots.Prediction{ID: c.ID, Text: v.glyphs(c.ID), Prob: math.Exp(c.Logprob)})
		}
		p.Rows = append(p.Rows, row)
	}
	fig, err := p.Draw()
	return fig, wrap(Invalid, err, "drawing the layer predictions")
}

// glyphs is the display form of a token; a view that was read from JSON knows only ids.
func (v *TokenView) glyphs(id int) string {
	if v.m == nil {
		return Token{ID: id}.Glyphs()
	}
	return v.m.glyphs(id)
}

func (v *TokenView) caption() string {
	return fmt.Sprintf("%s (%.12s) · lens %s · conversation %s", v.ModelName, v.ModelDigest, v.Variant, v.ConversationID)
}

// String is the view as a table: the model's own output on top.
func (v *TokenView) String() string {
	const shown = 5
	var b strings.Builder
	fmt.Fprintf(&b, "position %d: %s (id %d, %s, turn %d)\n%s\nbefore it:", v.Position, v.glyphs(v.TokenID), v.TokenID, v.who(), v.Turn, v.caption())
	for _, t := range v.ContextWindow {
		fmt.Fprintf(&b, " %d:%s", t.Position, v.glyphs(t.TokenID))
	}
	b.WriteString("\n")
	var t table
	t.add("row", "about to say", "", "", "", "", "entropy", "KL", "next")
	for i := len(v.LayerPredictions) - 1; i >= 0; i-- {
		l := v.LayerPredictions[i]
		line := []string{l.Row}
		for j := range shown {
			text := ""
			if j < len(l.Top) {
				text = v.glyphs(l.Top[j].ID) + " " + prob(l.Top[j].Logprob)
			}
			line = append(line, text)
		}
		t.add(append(line, fmt.Sprintf("%.2f", l.Entropy), fmt.Sprintf("%.2f", l.KL), v.next(l))...)
	}
	b.WriteString(t.String())
	return b.String()
}

func (t TokenInfo) who() string {
	switch {
	case t.Template:
		return "template"
	case t.Generated:
		return t.Role + ", generated"
	default:
		return t.Role
	}
}

// next says how a row scored the token that really came.
func (v *TokenView) next(l LayerPrediction) string {
	if l.Next == nil {
		return "-"
	}
	return fmt.Sprintf("%s %s, rank %d", v.glyphs(l.Next.ID), prob(l.Next.Logprob), l.Next.Rank)
}

// came is the token that really came, the same in every row.
func (v *TokenView) came() string {
	for _, l := range v.LayerPredictions {
		if l.Next != nil {
			return v.glyphs(l.Next.ID)
		}
	}
	return "nothing yet"
}

// MIMEBundle shows the view as text, as a static HTML table (inline styles only: it survives where scripts and style sheets are removed) and as a chart.
func (v *TokenView) MIMEBundle() map[string]any {
	b := map[string]any{}
	if fig, err := v.Chart(); err == nil {
		b = fig.MIMEBundle()
		delete(b, "image/svg+xml") // the picture is only for front ends that show no HTML
	}
	b["text/plain"] = v.String()
	var html strings.Builder
	if err := viewHTML.Execute(&html, v); err == nil {
		b["text/html"] = html.String()
	}
	return b
}

// MIMEMetadata gives the picture's size, so that a front end shows its double density sharp rather than large.
func (v *TokenView) MIMEMetadata() map[string]any {
	fig, err := v.Chart()
	if err != nil {
		return nil
	}
	return fig.MIMEMetadata()
}

// viewHTML shades candidates by probability, and answers in the context.
var viewHTML = template.Must(template.New("view").Funcs(template.FuncMap{
	"glyphs": func(v *TokenView, id int) string { return v.glyphs(id) },
	"prob":   prob,
	"shade": func(logprob float64) template.CSS {
		return template.CSS(fmt.Sprintf("rgba(0,125,156,%.2f)", 0.75*math.Exp(logprob)))
	},
	"nats":    func(x float64) string { return fmt.Sprintf("%.2f", x) },
	"came":    (*TokenView).came,
	"caption": func(v *TokenView) string { return v.caption() },
	"who":     TokenInfo.who,
	"tokens": func(v *TokenView) []TokenInfo {
		return append(v.ContextWindow[:len(v.ContextWindow):len(v.ContextWindow)], v.TokenInfo)
	},
	"bottomUp": func(ls []LayerPrediction) []LayerPrediction {
		out := make([]LayerPrediction, 0, len(ls))
		for i := len(ls) - 1; i >= 0; i-- {
			out = append(out, ls[i])
		}
		return out
	},
	"first": func(cs []Candidate) []Candidate { return cs[:min(5, len(cs))] },
}).Parse(`{{$v := .}}<div style="font-family:sans-serif;font-size:13px">
<p style="margin:4px 0;line-height:2">{{range tokens .}}<span title="position {{.Position}}, id {{.TokenID}}, {{who .}}, turn {{.Turn}}" style="padding:2px 1px;border-radius:3px;font-family:monospace;{{if eq .Position $v.Position}}border:2px solid #007d9c;{{end}}{{if .Template}}opacity:0.55;{{end}}{{if .Generated}}background-color:rgba(0,125,156,0.14);{{end}}">{{glyphs $v .TokenID}}</span>{{end}}</p>
<p style="margin:4px 0">after <b style="font-family:monospace">{{glyphs . .TokenID}}</b> at position {{.Position}} ({{who .TokenInfo}}, turn {{.Turn}}) the model was about to say:</p>
<div style="overflow-x:auto"><table style="font-size:12px;border-collapse:collapse">
<tr><th style="text-align:left;padding:2px 5px">row</th><th colspan="5" style="text-align:left;padding:2px 5px">first five, with their probabilities</th><th style="text-align:right;padding:2px 5px">entropy</th><th style="text-align:right;padding:2px 5px">KL</th><th style="text-align:left;padding:2px 5px">next came {{came .}}</th></tr>
{{range bottomUp .LayerPredictions}}<tr><td style="text-align:left;padding:2px 5px;font-family:monospace">{{.Row}}</td>{{range first .Top}}<td title="id {{.ID}}, logit {{nats .Logit}}, logprob {{nats .Logprob}}, rank {{.Rank}}" style="text-align:left;padding:2px 5px;font-family:monospace;overflow-wrap:anywhere;background-color:{{shade .Logprob}}">{{glyphs $v .ID}} {{prob .Logprob}}</td>{{end}}<td style="text-align:right;padding:2px 5px">{{nats .Entropy}}</td><td style="text-align:right;padding:2px 5px">{{nats .KL}}</td><td style="text-align:left;padding:2px 5px;font-family:monospace">{{with .Next}}{{prob .Logprob}}, rank {{.Rank}}{{else}}-{{end}}</td></tr>
{{end}}</table></div>
<p style="margin:4px 0;opacity:0.7">{{caption .}}; entropy and KL in nats, rank from 1</p></div>`))
