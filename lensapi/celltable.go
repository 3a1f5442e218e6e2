package lens

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
)

// columnKind is what a column of a table holds.
type columnKind int

const (
	text columnKind = iota
	whole
	number
)

// column is a column of the table of a grid's cells.
type column struct {
	name     string
	kind     columnKind
	optional bool               // some lines may have no value
	at       func(line int) any // a string, an int or a float64, as kind says; nil: no value
}

// columns are the cells of the grid as a table, a line for each cell, row after row.
func (g *Grid) columns() (columns []column, lines int) {
	n := len(g.IDs)
	place := func(i int) (r, p int) { return i / n, i % n }
	cell := func(i int) Cell { return g.Cells[i/n][i%n] }
	add := func(name string, kind columnKind, optional bool, at func(i int) any) {
		columns = append(columns, column{name, kind, optional, at})
	}
	add("row", text, false, func(i int) any { r, _ := place(i); return g.Rows[r] })
	add("position", whole, false, func(i int) any { _, p := place(i); return g.First + p })
	add("id", whole, false, func(i int) any { _, p := place(i); return g.IDs[p] })
	add("token", text, false, func(i int) any { _, p := place(i); return g.Tokens[p] })
	add("top_id", whole, false, func(i int) any { return cell(i).Top[0].ID })
	add("top_token", text, false, func(i int) any { return cell(i).Top[0].Token })
	add("top_logprob", number, false, func(i int) any { return cell(i).Top[0].Logprob })
	next := func(name string, kind columnKind, of func(n *Next) any) {
		add(name, kind, true, func(i int) any {
			if n := cell(i).Next; n != nil {
				return of(n)
			}
			return nil
		})
	}
	next("next_id", whole, func(n *Next) any { return n.ID })
	next("next_logprob", number, func(n *Next) any { return n.Logprob })
	next("next_rank", whole, func(n *Next) any { return n.Rank })
	for _, s := range Statistics() {
		if _, err := g.Values(s); err != nil {
			continue // not asked for
		}
		add(string(s), number, true, func(i int) any {
			if v := cell(i).Value(s); !math.IsNaN(v) {
				return v
			}
			return nil
		})
	}
	return columns, n * len(g.Rows)
}

// CSV writes the grid as a table, a line for each cell: row, position, the input token, the first candidate, the actual next token with its log-probability and
// rank, each statistic that the grid has, and the model with what is approximate about it. Numbers are in full precision; what a cell lacks is empty. Texts that spreadsheets would take for a formula are
// left as they are: read the ids.
func (g *Grid) CSV(w io.Writer) error { return wrap(Unavailable, g.csv(w), "writing the grid") }

func (g *Grid) csv(w io.Writer) error {
	c := csv.NewWriter(w)
	columns, lines := g.columns()
	columns = append(columns, column{name: "model", at: func(int) any { return g.Model }}) // a table has no other place for it
	line := make([]string, len(columns))
	for j, col := range columns {
		line[j] = col.name
	}
	if err := c.Write(line); err != nil {
		return err
	}
	for i := range lines {
		for j, col := range columns {
			switch v := col.at(i).(type) {
			case nil:
				line[j] = ""
			case float64:
				line[j] = strconv.FormatFloat(v, 'g', -1, 64)
			default:
				line[j] = fmt.Sprint(v)
			}
		}
		if err := c.Write(line); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// Parquet writes the table that CSV writes without its last column, typed: texts in UTF-8, ids, positions and ranks as INT64, the rest as DOUBLE; what a cell lacks is null. The file's
// metadata say the model, its digest, the variant and what else the caption says.
func (g *Grid) Parquet(w io.Writer) error {
	columns, lines := g.columns()
	return wrap(Unavailable, writeParquet(w, columns, lines, g.provenance()), "writing the grid")
}

// provenance says where a grid's numbers come from, for the metadata of files.
func (g *Grid) provenance() [][2]string {
	meta := [][2]string{{"gopherlens.model", g.Model}, {"gopherlens.model_digest", g.ModelDigest}, {"gopherlens.variant", string(g.Variant)}, {"gopherlens.caption", g.caption()}}
	if g.Codec != "" {
		meta = append(meta, [2]string{"gopherlens.codec", g.Codec})
	}
	if g.Translators != "" {
		meta = append(meta, [2]string{"gopherlens.translators", g.Translators})
	}
	return meta
}
