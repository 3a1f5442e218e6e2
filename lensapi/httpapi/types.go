package httpapi

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// Head says what numbers are of: which conversation and model, through which lens.
type Head struct {
	ConversationID string `json:"conversation_id,omitempty"`
	ModelName      string `json:"model_name"`
	ModelDigest    string `json:"model_digest" doc:"hex SHA-256 of the model's config and weights: equal digests, equal numbers"`
	Variant        string `json:"variant" doc:"what is done to a row before it is unembedded"`
	Codec          string `json:"codec,omitempty" doc:"how the rows were rounded that the numbers were computed from; absent when they are exact"`
}

// Token is one token of a conversation. Template tokens are the markup that the model's chat template puts around messages.
type Token struct {
	lens.TokenInfo
	Surprisal *float64 `json:"surprisal" doc:"-ln p of the token as the model saw it coming, in nats; null at position 0"`
}

// Layer is the lens of one row: what the model was about to say after the token, as that row has it. Entropy, KL (to the model's own output, 0 in the last row)
// and log-partition are in nats.
type Layer struct {
	Row          string           `json:"row"`
	Entropy      float64          `json:"entropy"`
	KL           float64          `json:"kl"`
	LogPartition float64          `json:"log_partition"`
	Top          []lens.Candidate `json:"top" doc:"the first candidates by logit, ties by lower id"`
	Next         *lens.Next       `json:"next,omitempty" doc:"the token that really came; absent where none has come"`
	Answer       lens.Next        `json:"answer" doc:"the model's own first choice here: the last row's first candidate"`
}

// TokenView is a token with its layers.
type TokenView struct {
	Token
	Settled          string               `json:"settled" doc:"the first row from which on the model's own first choice is the first candidate and stays so; empty if never"`
	LayerPredictions []Layer              `json:"layer_predictions" doc:"in the order of the rows, embed first"`
	ContextWindow    []int                `json:"context_window" doc:"the positions of the tokens before it"`
	LayerActivations map[string][]float32 `json:"layer_activations,omitempty" doc:"residual rows [d_model], when they are asked for"`
}

// Click is what a click on a token shows.
type Click struct {
	Head
	TokenView
	Context []TokenView `json:"context,omitempty" doc:"the tokens before it with their layers, when they are asked for"`
}

// ClickRange is what clicks on consecutive tokens show.
type ClickRange struct {
	Head
	From   int         `json:"from"`
	To     int         `json:"to" doc:"the position after the last"`
	Total  int         `json:"total_tokens"`
	Tokens []TokenView `json:"tokens"`
}

// ConversationLine is a conversation in a list.
type ConversationLine struct {
	ConversationID string    `json:"conversation_id"`
	ModelName      string    `json:"model_name"`
	CreatedAt      time.Time `json:"created_at"`
	TotalTokens    int       `json:"total_tokens"`
	Title          string    `json:"title" doc:"the beginning of what the user said first"`
}

// Conversation is a conversation with all its tokens.
type Conversation struct {
	ConversationID string         `json:"conversation_id"`
	ModelName      string         `json:"model_name"`
	ModelDigest    string         `json:"model_digest"`
	CreatedAt      time.Time      `json:"created_at"`
	TotalTokens    int            `json:"total_tokens"`
	Rows           []string       `json:"rows" doc:"the rows of the residual stream: embed, 0_post, ..."`
	Messages       []lens.Message `json:"messages"`
	Tokens         []TokenInView  `json:"tokens"`
}

// TokenInView is a token; those of an answer just given have their layers.
type TokenInView struct {
	Token
	LayerPredictions []Layer `json:"layer_predictions,omitempty"`
	ContextWindow    []int   `json:"context_window,omitempty"`
}

// LensQuery chooses a lens in a query string.
type LensQuery struct {
	Layers  string `query:"layers" maxLength:"4096" doc:"rows, with commas between them: by index (0 is embed, -1 the last) or name (3_post); default: all"`
	Top     int    `query:"top" default:"10" minimum:"1" maximum:"1000" doc:"candidates of each row, as far as the conversation keeps them"`
	Variant string `query:"variant" default:"normed" enum:"normed,raw,scaled,tuned,jacobian"`
	Rows    string `query:"rows" default:"stored" enum:"stored,fresh" doc:"for other variants than normed, which is always exact: rows as the cache stores them, or from a forward pass"`
}

// chosen are the indices of the rows that are asked for; nil: all.
func chosen(refs []string, rows []string) ([]int, error) {
	var out []int
	for _, ref := range refs {
		i := slices.Index(rows, ref)
		if n, err := strconv.Atoi(ref); err == nil {
			i = n
			if n < 0 {
				i += len(rows)
			}
		}
		if i < 0 || i >= len(rows) {
			return nil, errorf(Invalid, "layers: there is no row %q: use 0 to %d, -1 for the last, or one of %s", ref, len(rows)-1, strings.Join(rows, " "))
		}
		if !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return out, nil
}

func splitList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// layersOf is the column of a grid at index i.
func layersOf(g *lens.Grid, i int, rows []int) []Layer {
	if rows == nil {
		rows = make([]int, len(g.Rows))
		for r := range rows {
			rows[r] = r
		}
	}
	out := make([]Layer, 0, len(rows))
	for _, r := range rows {
		c := g.Cells[r][i]
		out = append(out, Layer{g.Rows[r], c.Entropy, c.KL, c.LogPartition, c.Top, c.Next, c.Answer})
	}
	return out
}

// number is nil for NaN, which JSON has no word for.
func number(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

func numbers(rows [][]float64) [][]*float64 {
	out := make([][]*float64, len(rows))
	for i, row := range rows {
		out[i] = make([]*float64, len(row))
		for j, x := range row {
			out[i][j] = number(x)
		}
	}
	return out
}

// TokenRef names a token: by its id, or by a text that is exactly one token.
type TokenRef struct {
	ID   int
	Text string // "" for an id
}

// UnmarshalJSON reads a whole number or a text.
func (t *TokenRef) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &t.ID); err == nil {
		return nil
	}
	if err := json.Unmarshal(b, &t.Text); err != nil || t.Text == "" {
		return fmt.Errorf("a token is its id or its text")
	}
	return nil
}

// MarshalJSON writes what it read.
func (t TokenRef) MarshalJSON() ([]byte, error) {
	if t.Text != "" {
		return json.Marshal(t.Text)
	}
	return json.Marshal(t.ID)
}

// Schema says so to OpenAPI.
func (TokenRef) Schema(huma.Registry) *huma.Schema {
	one, most := 1, 1024
	return &huma.Schema{Description: "a token: its id, or a text that is exactly one token", OneOf: []*huma.Schema{{Type: huma.TypeInteger}, {Type: huma.TypeString, MinLength: &one, MaxLength: &most}}}
}

func (t TokenRef) id(m *lens.Model) (int, error) {
	if t.Text == "" {
		return t.ID, nil
	}
	return m.TokenID(t.Text)
}

func idsOf(m *lens.Model, refs []TokenRef) ([]int, error) {
	var ids []int
	for _, ref := range refs {
		id, err := ref.id(m)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// RowRef names a row: by its index (0 is embed, -1 the last), or by its name.
type RowRef string

// UnmarshalJSON reads a whole number or a text.
func (r *RowRef) UnmarshalJSON(b []byte) error {
	var n int
	if err := json.Unmarshal(b, &n); err == nil {
		*r = RowRef(strconv.Itoa(n))
		return nil
	}
	var s string
	err := json.Unmarshal(b, &s)
	*r = RowRef(s)
	return err
}

// Schema says so to OpenAPI.
func (RowRef) Schema(huma.Registry) *huma.Schema {
	most := 32
	return &huma.Schema{Description: "a row: its index (0 is embed, -1 the last), or its name", OneOf: []*huma.Schema{{Type: huma.TypeInteger}, {Type: huma.TypeString, MaxLength: &most}}}
}

func rowRefs(refs []RowRef) []string {
	out := make([]string, len(refs))
	for i, r := range refs {
		out[i] = string(r)
	}
	return out
}
