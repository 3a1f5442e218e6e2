package lens

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/mattn/go-runewidth"
)

// table aligns columns by the width that a terminal gives their characters.
type table struct{ rows [][]string }

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) String() string {
	var width []int
	for _, r := range t.rows {
		for i, c := range r {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], runewidth.StringWidth(c))
		}
	}
	var b strings.Builder
	for _, r := range t.rows {
		line := ""
		for i, c := range r {
			line += runewidth.FillRight(c, width[i]) + "  "
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// prob writes a probability from its logarithm: .97, and <.01 rather than a zero that is none.
func prob(logprob float64) string {
	p := math.Exp(logprob)
	switch {
	case p >= 0.995:
		return "1.0"
	case p < 0.005:
		return "<.01"
	default:
		return strings.TrimPrefix(fmt.Sprintf("%.2f", p), "0")
	}
}

// String is the conversation's text, a line per message.
func (c *Conversation) String() string {
	var b strings.Builder
	for _, m := range c.history().messages {
		fmt.Fprintf(&b, "%s: %s\n", m.Role, m.Content)
	}
	return b.String()
}

// MIMEBundle shows the conversation as text, and in HTML with every token visible: hover over one to see its position, and what Click takes.
// Tokens are shaded by surprisal, -ln p of the token as the model saw it coming.
func (c *Conversation) MIMEBundle() map[string]any {
	b := map[string]any{"text/plain": c.String()}
	if c.Len() == 0 {
		b["text/plain"] = fmt.Sprintf("conversation %s with %s: nothing said yet\n", c.ID(), c.m.name)
	}
	type tok struct {
		TokenInfo
		Surprisal float64
		Known     bool
	}
	kept, ids, _ := c.snapshot()
	var turns [][]tok
	for p, info := range c.infos(ids, 0, len(ids)) {
		t := tok{TokenInfo: info}
		if rec, err := c.m.record(kept, p); err == nil && rec.self != nil {
			t.Surprisal, t.Known = -rec.self[len(rec.self)-1].logprob, true
		}
		if p == 0 || turns[len(turns)-1][0].Turn != info.Turn {
			turns = append(turns, nil)
		}
		turns[len(turns)-1] = append(turns[len(turns)-1], t)
	}
	var html strings.Builder
	if err := chatHTML.Execute(&html, map[string]any{"Turns": turns, "ID": c.ID(), "Model": c.m.name}); err == nil {
		b["text/html"] = html.String()
	}
	return b
}

// maxSurprisal is where the shade ends: 8 nats is one in 3,000.
const maxSurprisal = 8

var chatHTML = template.Must(template.New("chat").Funcs(template.FuncMap{
	"who":  TokenInfo.who,
	"nats": func(x float64) string { return fmt.Sprintf("%.2f", x) },
	"shade": func(s float64) template.CSS {
		return template.CSS(fmt.Sprintf("rgba(214,96,0,%.2f)", 0.6*min(1, max(0, s/maxSurprisal))))
	},
}).Parse(`<div style="font-family:sans-serif;font-size:13px">{{range .Turns}}{{with index . 0}}<p style="margin:6px 0 0 0;opacity:0.7">{{.Role}}, turn {{.Turn}}</p>{{end}}<p style="margin:2px 0;line-height:2">{{range .}}<span title="position {{.Position}}, id {{.TokenID}}, {{who .TokenInfo}}{{if .Known}}, surprisal {{nats .Surprisal}} nats{{end}}" style="padding:2px 1px;border-radius:3px;white-space:pre-wrap;{{if .Template}}opacity:0.55;{{end}}{{if .Known}}background-color:{{shade .Surprisal}};{{end}}">{{.TokenText}}</span>{{end}}</p>
{{end}}<p style="margin:6px 0;opacity:0.7">conversation {{.ID}} with {{.Model}}; shaded by surprisal, darkest at 8 nats; hover for positions</p></div>`))
