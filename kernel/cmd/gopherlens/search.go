package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

type searchCmd struct {
	Model    string   `default:"teach" help:"Model whose conversations are searched: teach (embedded), or a folder." placeholder:"NAME|DIR"`
	Text     string   `xor:"what" required:"" help:"Text that matches a regular expression." placeholder:"RE"`
	Token    string   `xor:"what" required:"" help:"Cells where a token, as text (\" Paris\") or id:123, is among the first candidates." placeholder:"TOKEN"`
	Drop     float64  `xor:"what" required:"" name:"entropy-drop" help:"Cells whose entropy is so many nats below that of the row before." placeholder:"NATS"`
	Crossing int      `xor:"what" required:"" help:"Cells where the rank of the actual next token comes to this or less." placeholder:"RANK"`
	Like     string   `xor:"what" required:"" help:"Residual rows nearest to that of a conversation's position, at --row." placeholder:"ID:POSITION"`
	First    int      `default:"1" help:"With --token: how many candidates count."`
	Row      string   `help:"Only this row; with --like the row that is compared." placeholder:"ROW"`
	Dot      bool     `help:"With --like: by dot product in place of cosine."`
	In       []string `help:"Conversation, may be repeated. Default: all." placeholder:"ID"`
	Limit    int      `default:"20" help:"Hits shown, 1 to 10000."`
	JSON     bool     `name:"json" help:"Print one JSON object in place of the table."`
}

func (c *searchCmd) Run(e *env) error {
	m, err := lens.Load(c.Model)
	if err != nil {
		return usage(err)
	}
	defer m.Close()
	q := lens.Query{Text: c.Text, EntropyDrop: c.Drop, Crossing: c.Crossing, Row: c.Row, Dot: c.Dot, In: c.In, Limit: c.Limit}
	if c.Token != "" {
		id, err := parseToken(m, c.Token)
		if err != nil {
			return usage(err)
		}
		q.Token = &lens.Within{Token: id, First: c.First}
	}
	if c.Like != "" {
		if q.Near, err = like(e, m, c.Like, c.Row); err != nil {
			return usage(err)
		}
	}
	hits, err := m.Search(e.ctx, q)
	if err != nil {
		return usage(err)
	}
	if c.JSON {
		enc := json.NewEncoder(e.stdout)
		enc.SetEscapeHTML(false)
		return enc.Encode(hits)
	}
	_, err = fmt.Fprint(e.stdout, hits)
	return err
}

// like is the row of a conversation's position.
func like(e *env, m *lens.Model, place, row string) ([]float32, error) {
	id, digits, ok := strings.Cut(place, ":")
	p, err := strconv.Atoi(digits)
	if !ok || err != nil {
		return nil, usageError{fmt.Errorf("--like %q: give a conversation and a position, such as capitals:12", place)}
	}
	c, err := m.Reopen(id)
	if err != nil {
		return nil, err
	}
	r, err := c.Residuals(e.ctx, p, p+1)
	if err != nil {
		return nil, err
	}
	for i, name := range r.Rows {
		if name == row {
			return r.At(i, 0), nil
		}
	}
	return nil, usageError{fmt.Errorf("--row %q: name the row that is compared, one of %v", row, r.Rows)}
}
