package httpapi_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
	"github.com/gopherlens/gopherlens/lensapi/httpapi"
)

// both is a server with a conversation c of two turns, and the same conversation in the library.
func both(t *testing.T) (*rig, *lens.Conversation) {
	t.Helper()
	dir := t.TempDir()
	r := serve(t, httpapi.Options{Models: []httpapi.Source{teach(dir)}})
	r.chat(t, obj{"text": question, "conversation_id": "c"})
	r.chat(t, obj{"text": "And its currency?", "conversation_id": "c"})
	m, err := lens.LoadWith(lens.Embedded, lens.LoadOptions{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	c, err := m.Reopen("c")
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}

func TestHeatmap(t *testing.T) {
	r, c := both(t)
	for _, stat := range lens.Statistics() {
		for _, variant := range []lens.Variant{lens.Normed, lens.Raw} {
			h := into[httpapi.Heatmap](t, r.ask(t, "GET", fmt.Sprintf("/api/heatmap/c?statistic=%s&variant=%s&from=2&to=12", stat, variant), nil))
			stats := stat == lens.KLReverse || stat == lens.JS || stat == lens.TV
			g, err := c.Lens(context.Background(), 2, 12, lens.LensOptions{Variant: variant, Top: 1, Stats: stats, Rows: lens.Stored})
			if err != nil {
				t.Fatal(err)
			}
			want, err := g.Values(stat)
			if err != nil {
				t.Fatal(err)
			}
			for row := range want {
				for p, v := range want[row] {
					got := h.Values[row][p]
					if (got == nil) != math.IsNaN(v) || got != nil && *got != v {
						t.Errorf("%s %s: row %d position %d is %v, want %v", stat, variant, row, p, got, v)
					}
					top := g.Cells[row][p].Top[0]
					if h.TopIDs[row][p] != top.ID || h.Texts[fmt.Sprint(top.ID)] != top.Token || h.AnswerRank[row][p] != g.Cells[row][p].Answer.Rank {
						t.Errorf("%s %s: row %d position %d names %d", stat, variant, row, p, h.TopIDs[row][p])
					}
				}
			}
			if (h.Codec == "") != (variant == lens.Normed && !stats) {
				t.Errorf("%s %s: codec %q", stat, variant, h.Codec)
			}
		}
	}
	whole := into[httpapi.Heatmap](t, r.ask(t, "GET", "/api/heatmap/c?statistic=cross_entropy", nil))
	if n := len(whole.IDs); n != c.Len() || whole.Values[0][n-1] != nil {
		t.Errorf("%d positions of %d", n, c.Len())
	}
	refused(t, r.ask(t, "GET", "/api/heatmap/c?statistic=beauty", nil), httpapi.Invalid, "probability")
	refused(t, r.ask(t, "GET", "/api/heatmap/c?from=7&to=7", nil), httpapi.NotFound, "from < to")
}

func TestAttention(t *testing.T) {
	r, c := both(t)
	want, err := c.Attention(context.Background(), c.Len(), lens.AttentionOptions{Weighted: true, Rows: lens.Stored})
	if err != nil {
		t.Fatal(err)
	}
	a := into[httpapi.AttentionReply](t, r.ask(t, "GET", "/api/attention/c/2?weighted=true&heads=3,1", nil))
	if !reflect.DeepEqual(a.Heads, []int{3, 1}) || a.Layer != 2 || a.Codec != "float16" || len(a.Tokens) != c.Len() {
		t.Fatalf("%+v", a)
	}
	for i, h := range a.Heads {
		for q := range c.Len() {
			if !reflect.DeepEqual(a.Pattern[i][q], want.Pattern[2][h][q][:q+1]) || !reflect.DeepEqual(a.Weighted[i][q], want.Weighted[2][h][q][:q+1]) {
				t.Fatalf("head %d query %d differs", h, q)
			}
		}
	}
	one := into[httpapi.AttentionReply](t, r.ask(t, "GET", "/api/attention/c/2?query=5&rows=fresh", nil))
	if len(one.Pattern) != 4 || len(one.Pattern[0]) != 1 || len(one.Pattern[0][0]) != 6 || one.FirstQuery != 5 || one.Codec != "" {
		t.Errorf("one query: %+v", one)
	}
	roll := into[httpapi.AttentionReply](t, r.ask(t, "GET", "/api/attention/c/rollout?n=9", nil))
	if len(roll.Pattern) != 1 || len(roll.Pattern[0]) != 9 || roll.Layer != -1 {
		t.Errorf("rollout: %+v", roll)
	}
	var sum float64
	for _, v := range roll.Pattern[0][8] {
		sum += float64(v)
	}
	if math.Abs(sum-1) > 1e-5 {
		t.Errorf("a row of the rollout sums to %v", sum)
	}
	refused(t, r.ask(t, "GET", "/api/attention/c/6", nil), httpapi.Invalid, "layers 0 to 5")
	refused(t, r.ask(t, "GET", "/api/attention/c/0?heads=4", nil), httpapi.Invalid, "0 to 3")
	refused(t, r.ask(t, "GET", "/api/attention/c/first", nil), httpapi.Invalid, "layer")
	refused(t, r.ask(t, "GET", "/api/attention/c/0?query=99", nil), httpapi.NotFound, "positions 0 to")
	refused(t, r.ask(t, "GET", "/api/attention/c/0?n=999", nil), httpapi.NotFound, "tokens")
}

func TestSearch(t *testing.T) {
	r, _ := both(t)
	find := func(req obj) httpapi.SearchReply {
		t.Helper()
		return into[httpapi.SearchReply](t, r.ask(t, "POST", "/api/search", req))
	}
	text := find(obj{"text": "Paris"})
	if text.Total != 1 || text.Hits.Hits[0].ConversationID != "c" || text.Hits.Hits[0].TokenText != " Paris" {
		t.Errorf("text: %+v", text)
	}
	if token := find(obj{"token": obj{"id": " Paris", "first": 1}, "row": "5_post"}); token.Total == 0 || token.Hits.Hits[0].Position != text.Hits.Hits[0].Position-1 {
		t.Errorf("token: %+v", token)
	}
	if near := find(obj{"near": obj{"conversation_id": "c", "position": 5}, "row": "2_post", "limit": 3}); len(near.Hits.Hits) != 3 || near.Hits.Hits[0].Position != 5 || near.Hits.Hits[0].Score < 0.999 {
		t.Errorf("near: %+v", near)
	}
	for _, req := range []obj{{"entropy_drop": 0.5}, {"crossing": 1}} {
		if hits := find(req); hits.Total == 0 {
			t.Errorf("%v finds nothing", req)
		}
	}
	if none := find(obj{"text": "nowhere"}); none.Total != 0 || none.Hits.Hits == nil {
		t.Errorf("nothing: %+v", none)
	}
	for want, req := range map[string]obj{
		"exactly one":         {},
		"error parsing":       {"text": "("},
		"is 2 tokens":         {"token": obj{"id": " Paris."}},
		"row":                 {"near": obj{"conversation_id": "c", "position": 0}, "row": "9_post"},
		"unexpected property": {"txt": "a"},
	} {
		refused(t, r.ask(t, "POST", "/api/search", req), httpapi.Invalid, want)
	}
	refused(t, r.ask(t, "POST", "/api/search", obj{"near": obj{"conversation_id": "x", "position": 0}}), httpapi.NotFound, "no conversation")
}

func TestTrack(t *testing.T) {
	r, c := both(t)
	tr := into[httpapi.TrackReply](t, r.ask(t, "POST", "/api/track", obj{"conversation_id": "c", "from": 3, "tokens": []any{" Paris", 13}, "ranks": true}))
	paris, err := c.Model().TokenID(" Paris")
	if err != nil {
		t.Fatal(err)
	}
	want, err := c.Track(context.Background(), 3, c.Len(), []int{paris, 13}, lens.LensOptions{Rows: lens.Stored, Stats: true})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(tr.Logprob, want.Logprob) || !reflect.DeepEqual(tr.Rank, want.Rank) || tr.First != 3 || tr.Tracked[0].Token != " Paris" || len(tr.Tokens) != len(tr.IDs) {
		t.Errorf("%+v", tr)
	}
	text := into[httpapi.TrackReply](t, r.ask(t, "POST", "/api/track", obj{"text": "The capital of France is"}))
	if len(text.Tracked) == 0 || text.Tracked[0].Token != " Paris" || len(text.IDs) != 5 {
		t.Errorf("a prompt: %+v", text.Tracked)
	}
	for want, req := range map[string]obj{
		"exactly one of conversation_id and text": {},
		"2 tokens, not one":                       {"conversation_id": "c", "tokens": []any{" Paris."}},
		"vocabulary":                              {"conversation_id": "c", "tokens": []any{5000}},
		"no translators":                          {"conversation_id": "c", "variant": "jacobian"},
	} {
		refused(t, r.ask(t, "POST", "/api/track", req), httpapi.Invalid, want)
	}
	refused(t, r.ask(t, "POST", "/api/track", obj{"conversation_id": "c", "from": 99}), httpapi.NotFound, "tokens")
}

func TestContrast(t *testing.T) {
	r, _ := both(t)
	con := into[httpapi.ContrastReply](t, r.ask(t, "POST", "/api/contrast", obj{"a": obj{"text": "The capital of France is"}, "b": obj{"text": "The capital of Italy is"}, "statistic": "kl_reverse"}))
	for row := range con.Difference {
		for p, d := range con.Difference[row] {
			if got := *con.BValues[row][p] - *con.AValues[row][p]; got != *d {
				t.Errorf("row %d position %d: %v, want %v", row, p, *d, got)
			}
		}
	}
	if con.A.Tokens[3] != " France" || con.B.Tokens[3] != " Italy" || *con.Difference[0][0] != 0 {
		t.Errorf("%+v", con)
	}
	mixed := into[httpapi.ContrastReply](t, r.ask(t, "POST", "/api/contrast", obj{"a": obj{"conversation_id": "c", "to": 5}, "b": obj{"text": "The capital of France is"}}))
	if mixed.A.ConversationID != "c" || len(mixed.Difference[0]) != 5 {
		t.Errorf("%+v", mixed.A)
	}
	refused(t, r.ask(t, "POST", "/api/contrast", obj{"a": obj{"conversation_id": "c"}, "b": obj{"text": "The capital"}}), httpapi.Invalid, "positions")
}

func TestPatch(t *testing.T) {
	r, _ := both(t)
	req := obj{"clean": "The capital of France is", "corrupted": "The capital of Italy is", "token": " Paris", "against": " Rome"}
	p := into[httpapi.PatchReply](t, r.ask(t, "POST", "/api/patch", req))
	if len(p.Value) != 6 || len(p.Value[0]) != 5 || *p.Normalized[0][0] != 0 || math.Abs(*p.Normalized[0][3]-1) > 0.5 || p.CleanTokens[3] != " France" {
		t.Errorf("%+v", p)
	}
	evs := eventsOf(t, r.ask(t, "POST", "/api/patch", req, "Accept", "application/x-ndjson"))
	var done httpapi.PatchReply
	decode(t, evs[len(evs)-1].data, &done)
	if names(evs) != "progress done" || !reflect.DeepEqual(done, p) {
		t.Errorf("streamed: %s", names(evs))
	}
	for want, change := range map[string]obj{
		"must have as many":   {"corrupted": "The capital of Italy"},
		"enum":                {"site": "soul"},
		"2 tokens, not one":   {"token": " Paris."},
		"layers 0 to 5":       {"layers": []int{7}},
		"target is":           {"corrupted": "The capital of France is"},
		"unexpected property": {"clear": ""},
	} {
		bad := obj{}
		for _, o := range []obj{req, change} {
			for k, v := range o {
				bad[k] = v
			}
		}
		if want == "enum" {
			want = "one of"
		}
		refused(t, r.ask(t, "POST", "/api/patch", bad), httpapi.Invalid, want)
	}
}

func TestExport(t *testing.T) {
	r, c := both(t)
	get := func(query string) got {
		t.Helper()
		g := r.ask(t, "GET", "/api/export/c?"+query, nil)
		if g.status != 200 || !strings.HasPrefix(g.header.Get("Content-Disposition"), "attachment; filename=\"c.") {
			t.Errorf("%s: %d %s", query, g.status, g.header.Get("Content-Disposition"))
		}
		return g
	}
	var grid lens.Grid
	if err := json.Unmarshal(get("format=json&variant=raw&rows=fresh").body, &grid); err != nil || len(grid.IDs) != c.Len() || grid.Variant != lens.Raw || grid.Codec != "" {
		t.Errorf("json: %v, %d positions", err, len(grid.IDs))
	}
	if csv := get("format=csv&from=0&to=3").body; bytes.Count(csv, []byte("\n")) != 1+3*7 {
		t.Errorf("csv: %s", csv)
	}
	if z, err := zip.NewReader(bytes.NewReader(get("format=npz").body), int64(len(get("format=npz").body))); err != nil || len(z.File) < 5 {
		t.Errorf("npz: %v", err)
	}
	if _, err := png.Decode(bytes.NewReader(get("format=png&to=10&statistic=rank").body)); err != nil {
		t.Errorf("png: %v", err)
	}
	for format, begins := range map[string]string{"svg": "<svg", "html": "<!doctype html>", "npy": "\x93NUMPY", "parquet": "PAR1"} {
		if b := get("format=" + format + "&to=10").body; !bytes.HasPrefix(b, []byte(begins)) {
			t.Errorf("%s begins with %.40q", format, b)
		}
	}
	if st := get("format=safetensors").body; !bytes.Contains(st[:500], []byte("blocks.0.hook_resid_pre")) {
		t.Errorf("safetensors: %.60q", st)
	}
	refused(t, r.ask(t, "GET", "/api/export/c?format=exe", nil), httpapi.Invalid, "json")
	refused(t, r.ask(t, "GET", "/api/export/c?to=999", nil), httpapi.NotFound, "tokens")
}

// A tuned lens is there for the model that was given translators, with the numbers of the library, and refused for others.
func TestTunedLens(t *testing.T) {
	dir := t.TempDir()
	var tuned *lens.Translators
	src := teach(dir)
	src.Translators = func(m *lens.Model) ([]*lens.Translators, error) {
		fit, err := m.FitTunedLens(context.Background(), strings.Repeat("The capital of France is Paris. The keys near the cabinet are red. ", 4), lens.FitOptions{Steps: 2, Batch: 8})
		if err != nil {
			return nil, err
		}
		tuned = fit.Translators
		return []*lens.Translators{tuned}, nil
	}
	other := teach(dir)
	other.Name = "plain"
	r := serve(t, httpapi.Options{Models: []httpapi.Source{src, other}})
	r.chat(t, obj{"text": question, "conversation_id": "c"})
	if info := into[httpapi.ModelInfo](t, r.ask(t, "GET", "/api/models/teach", nil)); !slices.Contains(info.Variants, "tuned") || slices.Contains(info.Variants, "jacobian") {
		t.Errorf("variants %v", info.Variants)
	}
	click := into[httpapi.Click](t, r.ask(t, "GET", "/api/activations/c/12?variant=tuned&rows=fresh", nil))
	m, err := teach(dir).Load()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c, err := m.Reopen("c")
	if err != nil {
		t.Fatal(err)
	}
	g, err := c.Lens(context.Background(), 12, 13, lens.LensOptions{Variant: lens.Tuned, Translators: tuned})
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range click.LayerPredictions {
		if l.Entropy != g.Cells[i][0].Entropy || l.Top[0].ID != g.Cells[i][0].Top[0].ID {
			t.Errorf("row %s: %+v, want %+v", l.Row, l, g.Cells[i][0])
		}
	}
	refused(t, r.ask(t, "POST", "/api/chat/with-activations", obj{"text": "a", "model": "plain", "variant": "tuned"}), httpapi.Invalid, "no translators")
	refused(t, r.ask(t, "POST", "/api/chat/with-activations", obj{"text": "a", "model": "plain", "conversation_id": "c"}), httpapi.Conflict, "belongs to the model teach")
}
