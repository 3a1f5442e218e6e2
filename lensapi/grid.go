package lens

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gopherlens/gopherlens/plots"
)

// Token is one token as the model reads it.
type Token struct {
	ID    int
	Bytes []byte // what it stands for; not always whole UTF-8 characters
}

// Text is the token's text, or its display form when its bytes are not whole characters. It is for people: distinct tokens can share a text, so never use it as a key.
func (t Token) Text() string {
	if t.Bytes != nil && utf8.Valid(t.Bytes) {
		return string(t.Bytes)
	}
	return t.Glyphs()
}

// Glyphs is the token's display form: spaces and control characters that would be lost are visible.
// An id that the vocabulary has and the tokenizer has not (checkpoints are padded) is written as such.
func (t Token) Glyphs() string {
	if t.Bytes == nil {
		return fmt.Sprintf("⟨id %d⟩", t.ID)
	}
	return plots.Glyphs(t.Bytes)
}

// Candidate is a token that a row holds likely to come next.
type Candidate struct {
	ID      int     `json:"id"`
	Token   string  `json:"token"`   // its text, as Token.Text gives it
	Logit   float64 `json:"logit"`   // exactly the model's float32
	Logprob float64 `json:"logprob"` // nats
	Rank    int     `json:"rank"`    // 1 + number of tokens with a strictly greater logit
	Bytes   []byte  `json:"-"`       // exactly what the token stands for; nil for an id that the tokenizer lacks
}

// Next is how a cell scored one token: the one that really came at the next position, or the model's own first choice.
type Next struct {
	ID      int     `json:"id"`
	Logprob float64 `json:"logprob"` // nats
	Rank    int     `json:"rank"`
}

// Cell is the lens at one row and position: what the model was about to say there. Entropy, KL and log-partition are in nats; KL is
// sum p_model (ln p_model - ln p_cell), 0 in the last row. Next is nil at the last position.
type Cell struct {
	Entropy      float64     `json:"entropy"`
	KL           float64     `json:"kl"`
	LogPartition float64     `json:"log_partition"`
	Top          []Candidate `json:"top"`
	Next         *Next       `json:"next"`
	Answer       Next        `json:"answer"`          // the model's own first choice at this position: the last row's top-1
	Stats        *Stats      `json:"stats,omitempty"` // when LensOptions.Stats asked for them
}

// Grid is a logit lens over rows and positions. Its JSON form is stable: see API.md.
//
// Logits at position p predict the token at p+1. The last row is the model's own output: the same numbers its sampler saw.
type Grid struct {
	Model       string   `json:"model"`
	ModelDigest string   `json:"model_digest"`
	Variant     Variant  `json:"variant"`
	BOS         bool     `json:"bos"`             // whether the first token fed is the model's beginning-of-sequence token
	First       int      `json:"first,omitempty"` // position of the first column: 0, unless the grid is a part of a conversation
	IDs         []int    `json:"ids"`             // exactly the ids of the columns
	Tokens      []string `json:"tokens"`          // their texts
	Rows        []string `json:"rows"`            // embed, 0_post, ...: the order of the residual stream
	Cells       [][]Cell `json:"cells"`           // [row][position]
	Settled     []string `json:"settled"`         // by position: the first row from which on the model's own first choice is top-1 and stays; "" if never
	// Codec says how rows were stored that these numbers were computed from; "" when they are exact.
	Codec string `json:"codec,omitempty"`
	// Translators is the digest of the translators of a tuned or jacobian lens.
	Translators string `json:"translators,omitempty"`
	// Interventions says what was changed in the run, one line each; KL is then to the output of the changed run.
	Interventions []string `json:"interventions,omitempty"`
	glyphs        func(id int) string
	dVocab        int
}

// newGrid is a grid without cells for positions from to to-1 of ids.
func (m *Model) newGrid(ids []int, from, to int, v Variant, rows []string) *Grid {
	g := &Grid{Model: m.name, ModelDigest: m.digest, Variant: v, First: from, IDs: slices.Clone(ids[from:to]), Rows: slices.Clone(rows),
		Cells: make([][]Cell, len(rows)), Settled: make([]string, to-from), glyphs: m.glyphs, dVocab: m.cfg.DVocab}
	for i := range g.Cells {
		g.Cells[i] = make([]Cell, to-from)
	}
	for _, id := range g.IDs {
		g.Tokens = append(g.Tokens, m.token(id).Text())
	}
	bos, ok := m.tok.BOS()
	g.BOS = ok && ids[0] == bos
	return g
}

// cells turns the record of one position, and that of the position after it where there is one, into that position's column.
func (m *Model) cells(rec record, next *record, nextID, top int) []Cell {
	out := make([]Cell, len(rec.rows))
	for i, r := range rec.rows {
		c := Cell{Entropy: r.entropy, KL: r.kl, LogPartition: r.logPartition, Answer: Next{rec.rows[len(rec.rows)-1].top[0].id, r.answer.logprob, r.answer.rank}}
		for j, h := range r.top[:min(top, len(r.top))] {
			rank := j + 1
			if j > 0 && h.logit == r.top[j-1].logit {
				rank = c.Top[j-1].Rank
			}
			t := m.token(h.id)
			c.Top = append(c.Top, Candidate{ID: h.id, Token: t.Text(), Bytes: t.Bytes, Logit: float64(h.logit),
				Logprob: float64(h.logit) - r.logPartition, Rank: rank})
		}
		if next != nil {
			c.Next = &Next{ID: nextID, Logprob: next.self[i].logprob, Rank: next.self[i].rank}
		}
		out[i] = c
	}
	return out
}

// doubt is the mean KL to the model's own output, in nats, above which a row is marked: there its guesses say little of where the model will end. It is a
// convention of ours, about where a lens of GPT-2's early rows gives junk tokens.
const doubt = 3.0

// Doubtful says whether a row's mean KL to the model's own output is above 3 nats, which plots mark with †.
func (g *Grid) Doubtful(row int) bool { return g.meanKL(row) > doubt }

// set fills the column at index i.
func (g *Grid) set(i int, col []Cell) {
	settled := len(col)
	for settled > 0 && col[settled-1].Answer.Rank == 1 {
		settled--
	}
	if settled < len(col) {
		g.Settled[i] = g.Rows[settled]
	}
	for r, c := range col {
		g.Cells[r][i] = c
	}
}

// Heatmap draws the grid: rows bottom-up, the input token below each column, the actual next token above (with * where the model's own first choice was right),
// the first choice of each cell as text, and colour by scale.
func (g *Grid) Heatmap(scale plots.Scale) (*plots.Figure, error) { return g.heatmap(scale, 0) }

// heatmap ends the scale of KL at most, or where the data end for 0.
func (g *Grid) heatmap(scale plots.Scale, most float64) (*plots.Figure, error) {
	h := plots.Heatmap{Title: "Logit lens (" + string(g.Variant) + ")", Caption: g.caption(), Scale: scale}
	doubtful := false
	for i, row := range g.Rows {
		if g.Doubtful(i) {
			row, doubtful = row+" †", true
		}
		h.Rows = append(h.Rows, row)
	}
	if doubtful {
		h.Caption += fmt.Sprintf(" · † far from the model's output (mean KL above %g nats): this lens may misread the row.", doubt)
	}
	switch scale {
	case plots.Probability:
		h.Label = "probability of the token shown"
	case plots.KL:
		h.Label, h.Max = "KL divergence to the model's output (nats, log(1+x) scale)", most
	case plots.Rank:
		h.Label = "rank of the model's own first choice"
		h.Max = float64(g.dVocab)
	case plots.Entropy:
		h.Max = math.Log(float64(g.dVocab)) // the entropy of knowing nothing
	}
	for p := range g.IDs {
		col := plots.Column{Position: g.First + p, Below: g.show(g.IDs[p], g.Tokens[p])}
		if n := g.Cells[len(g.Cells)-1][p].Next; n != nil {
			col.Above = g.show(n.ID, fmt.Sprintf("⟨id %d⟩", n.ID))
			col.Hit = n.Rank == 1
		}
		h.Columns = append(h.Columns, col)
	}
	for _, row := range g.Cells {
		line := make([]plots.Cell, len(row))
		for p, c := range row {
			line[p] = plots.Cell{Text: g.show(c.Top[0].ID, c.Top[0].Token), Value: c.value(scale)}
		}
		h.Cells = append(h.Cells, line)
	}
	fig, err := h.Draw()
	return fig, wrap(Invalid, err, "drawing the heatmap")
}

// MIMEMetadata gives the picture's size, so that a front end shows its double density sharp rather than large.
func (g *Grid) MIMEMetadata() map[string]any {
	fig, err := g.Heatmap(plots.Probability)
	if err != nil {
		return nil
	}
	return fig.MIMEMetadata()
}

// value is what a scale colours a cell by: the probability of the token shown, the entropy, the KL, or the rank of the model's own first choice.
func (c Cell) value(s plots.Scale) float64 {
	switch s {
	case plots.Entropy:
		return c.Entropy
	case plots.KL:
		return c.KL
	case plots.Rank:
		return float64(c.Answer.Rank)
	default:
		return math.Exp(c.Top[0].Logprob)
	}
}

// MIMEBundle shows the grid as its table in text and the heatmap coloured by probability.
func (g *Grid) MIMEBundle() map[string]any {
	fig, err := g.Heatmap(plots.Probability)
	if err != nil {
		return map[string]any{"text/plain": g.String() + "\n" + err.Error() + "\n"}
	}
	b := fig.MIMEBundle()
	b["text/plain"] = g.String()
	return b
}

// show is the display form of a token; a grid that was read from JSON has only the text.
func (g *Grid) show(id int, text string) string {
	if g.glyphs != nil {
		return g.glyphs(id)
	}
	return text
}

// meanKL is the mean over positions of a row's KL.
func (g *Grid) meanKL(row int) float64 {
	var sum float64
	for _, c := range g.Cells[row] {
		sum += c.KL
	}
	return sum / float64(len(g.Cells[row]))
}

func (g *Grid) caption() string {
	bos := "no BOS"
	if g.BOS {
		bos = "BOS"
	}
	text := fmt.Sprintf("%s (%.12s) · lens %s · %s", g.Model, g.ModelDigest, g.Variant, bos)
	if g.Translators != "" {
		text += fmt.Sprintf(" · translators %.12s", g.Translators)
	}
	if g.Codec != "" {
		text += " · rows stored as " + g.Codec
	}
	for _, iv := range g.Interventions {
		text += " · " + iv
	}
	return text
}

// String is the grid as a table: one line a row, the model's own output on top, the first choice and its probability in each cell.
func (g *Grid) String() string {
	const perBlock = 8
	var b strings.Builder
	fmt.Fprintf(&b, "%s\na cell is what its row would say after the token at the head of its column\n", g.caption())
	for from := 0; from < len(g.IDs); from += perBlock {
		to := min(from+perBlock, len(g.IDs))
		var t table
		head := []string{"row"}
		for p := from; p < to; p++ {
			head = append(head, fmt.Sprintf("%d %s", g.First+p, g.show(g.IDs[p], g.Tokens[p])))
		}
		t.add(head...)
		for i := len(g.Rows) - 1; i >= 0; i-- {
			line := []string{g.Rows[i]}
			for p := from; p < to; p++ {
				top := g.Cells[i][p].Top[0]
				line = append(line, g.show(top.ID, top.Token)+" "+prob(top.Logprob))
			}
			t.add(line...)
		}
		b.WriteString("\n" + t.String())
	}
	return b.String()
}
