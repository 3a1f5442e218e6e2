package lens

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
)

// HTML writes the grid as one self-contained page: no script, nothing loaded from anywhere. Hover over a cell for its candidates.
func (g *Grid) HTML(w io.Writer) error {
	return wrap(Unavailable, gridHTML.Execute(w, g), "writing the page")
}

var gridHTML = template.Must(template.New("grid").Funcs(template.FuncMap{
	"glyphs":  func(g *Grid, id int) string { return g.show(id, fmt.Sprintf("⟨id %d⟩", id)) },
	"caption": (*Grid).caption,
	"shade": func(c Cell) template.CSS {
		return template.CSS(fmt.Sprintf("rgba(0,125,156,%.3f)", 0.75*math.Exp(c.Top[0].Logprob)))
	},
	"prob":   prob,
	"detail": func(g *Grid, c Cell) string { return g.detail(c) },
	"pos":    func(g *Grid, p int) int { return g.First + p },
	"topDown": func(g *Grid) []int { // the model's own output on top, as in the picture
		out := make([]int, len(g.Rows))
		for i := range out {
			out[i] = len(g.Rows) - 1 - i
		}
		return out
	},
}).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Logit lens: {{.Model}}</title>
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1400px; padding: 0 1rem; }
h1 { font-size: 1.3rem; margin: 0 0 .2rem; }
p { margin: .2rem 0 1rem; opacity: .75; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font: 13px/1.4 ui-monospace, monospace; }
th, td { padding: .25rem .5rem; text-align: center; white-space: nowrap; border: 1px solid rgba(128,128,128,.25); }
th { font-weight: 600; }
th[scope=row] { text-align: right; position: sticky; left: 0; background: Canvas; }
small { display: block; opacity: .65; font-weight: 400; }
.hit { text-decoration: underline; }
</style></head><body>
{{$g := .}}<h1>Logit lens ({{.Variant}}) of {{.Model}}</h1>
<p>{{caption .}}. A cell shows the token that the model would say next from that row, and its probability; hover for the candidates. Entropy and KL in nats, ranks from 1.</p>
<div class="scroll"><table>
<tr><th scope="row">next</th>{{range $p, $c := index .Cells 0}}<th>{{with $c.Next}}{{glyphs $g .ID}}{{else}}&nbsp;{{end}}</th>{{end}}</tr>
{{range $i := topDown .}}<tr><th scope="row">{{index $g.Rows $i}}</th>{{range $c := index $g.Cells $i}}<td title="{{detail $g $c}}" style="background:{{shade $c}}">{{with index $c.Top 0}}{{glyphs $g .ID}}{{end}}<small>{{with index $c.Top 0}}{{prob .Logprob}}{{end}}</small></td>{{end}}</tr>
{{end}}<tr><th scope="row">input</th>{{range $p, $id := .IDs}}<th>{{glyphs $g $id}}<small>{{pos $g $p}} · id {{$id}}</small></th>{{end}}</tr>
</table></div>
<p>model sha256 {{.ModelDigest}}</p>
</body></html>
`))

func (g *Grid) detail(c Cell) string {
	var b strings.Builder
	for _, t := range c.Top {
		fmt.Fprintf(&b, "%d. %s  p %.4f  logit %.3f  id %d\n", t.Rank, g.show(t.ID, t.Token), math.Exp(t.Logprob), t.Logit, t.ID)
	}
	fmt.Fprintf(&b, "entropy %.3f, KL %.3f, log-partition %.3f", c.Entropy, c.KL, c.LogPartition)
	if c.Next != nil {
		fmt.Fprintf(&b, "\nactual next %s: p %.4f, rank %d", g.show(c.Next.ID, fmt.Sprintf("⟨id %d⟩", c.Next.ID)), math.Exp(c.Next.Logprob), c.Next.Rank)
	}
	return b.String()
}
