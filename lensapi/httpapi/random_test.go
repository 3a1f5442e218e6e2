package httpapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/gopherlens/gopherlens/lensapi/httpapi"
)

// Whatever is asked, the answer is one that the description allows, and never a defect: requests drawn from the description itself, right and wrong in every field.
func TestRandomRequests(t *testing.T) {
	n := 200
	if os.Getenv("GOPHERLENS_SLOW") != "" {
		n = 10000
	}
	r := serve(t, httpapi.Options{})
	r.chat(t, obj{"text": question, "conversation_id": "c"})
	resp, err := http.Get(r.URL + "/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(b)
	if err != nil {
		t.Fatal(err)
	}
	d := &drawer{rand.New(rand.NewPCG(1, 2))}
	paths := doc.Paths.InMatchingOrder()
	slices.Sort(paths)
	statuses := map[int]int{}
	for range n {
		path := paths[d.IntN(len(paths))]
		item := doc.Paths.Value(path)
		methods := []string{}
		for m := range item.Operations() {
			methods = append(methods, m)
		}
		slices.Sort(methods)
		method := methods[d.IntN(len(methods))]
		at, body, headers := d.request(path, item.GetOperation(method))
		if d.IntN(30) == 0 {
			method = []string{"GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"}[d.IntN(6)]
		}
		var in any
		if body != "" {
			in = body
		}
		g := r.ask(t, method, at, in, headers...)
		statuses[g.status]++
		if method == "DELETE" && g.status == http.StatusOK {
			r.chat(t, obj{"text": question, "conversation_id": "c"})
		}
		if g.status >= 500 {
			t.Fatalf("%s %s %s: %d %s\n%s", method, at, body, g.status, g.body, r.log)
		}
	}
	if s := r.log.String(); s != "" {
		t.Errorf("the log says %s", s)
	}
	t.Logf("%d requests, by status: %v", n, statuses)
	if statuses[200] < n/10 || statuses[422] < n/10 {
		t.Errorf("%v: the requests are all right or all wrong", statuses)
	}
}

// drawer draws requests.
type drawer struct{ *rand.Rand }

func (d *drawer) request(path string, op *openapi3.Operation) (at, body string, headers []string) {
	query := url.Values{}
	for _, p := range op.Parameters {
		v := p.Value
		switch v.In {
		case "path":
			path = strings.Replace(path, "{"+v.Name+"}", url.PathEscape(d.param(v)), 1)
		case "query":
			if d.IntN(3) == 0 {
				query.Set(v.Name, d.param(v))
			}
		}
	}
	if d.IntN(20) == 0 {
		query.Set("surprise", "1")
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	if d.IntN(5) == 0 {
		headers = append(headers, "Accept", []string{"text/event-stream", "application/x-ndjson", "text/html", "*/*", ";;,", "application/json;q=0"}[d.IntN(6)])
	}
	if op.RequestBody != nil {
		b, err := json.Marshal(d.value(op.RequestBody.Value.Content.Get("application/json").Schema, "", 0))
		if err != nil {
			panic(err)
		}
		if body = string(b); d.IntN(30) == 0 {
			body = body[:d.IntN(len(body)+1)]
		}
	}
	return path, body, headers
}

func (d *drawer) param(p *openapi3.Parameter) string {
	if p.Name == "conversation_id" && d.IntN(5) > 0 {
		return "c"
	}
	if p.Name == "layer" && d.IntN(5) > 0 {
		return []string{"0", "3", "rollout"}[d.IntN(3)]
	}
	v := d.value(p.Schema, p.Name, 0)
	if s, ok := v.(string); ok {
		return s
	}
	return fmt.Sprint(v)
}

// words are texts that mean something somewhere, or break something.
var words = []string{"", "c", "teach", "user", " Paris", " Rome", "The capital of France is", "The capital of Italy is", "embed", "5_post", "0,-1", "normed", "stored", "chat-x", "../../etc/passwd",
	"\x00", "é", "\U0001F600", "<script>", "(", "a*", "-1", "1e9", "null", strings.Repeat("x", 300), "<|user|>", "NaN", "%s%n"}

func (d *drawer) value(ref *openapi3.SchemaRef, name string, depth int) any {
	s := ref.Value
	if name == "max_tokens" && d.IntN(4) > 0 || name == "max_completion_tokens" { // long answers teach nothing more
		return 1 + d.IntN(6)
	}
	if strings.HasSuffix(name, "conversation_id") && d.IntN(3) > 0 {
		return "c"
	}
	if d.IntN(25) == 0 || depth > 4 { // of any type
		return []any{nil, true, -1, 3.5, "x", []any{}, obj{}, 1e300, int64(1) << 60}[d.IntN(9)]
	}
	if len(s.OneOf) > 0 {
		return d.value(s.OneOf[d.IntN(len(s.OneOf))], name, depth)
	}
	if len(s.Enum) > 0 && d.IntN(12) > 0 {
		return s.Enum[d.IntN(len(s.Enum))]
	}
	switch {
	case s.Type.Includes("boolean"):
		return d.IntN(2) == 0
	case s.Type.Includes("integer"):
		if d.IntN(6) == 0 {
			return []int64{-2, -1, 0, 63, 64, 65, 1000, 1001, 1 << 31, 1 << 53}[d.IntN(10)]
		}
		return d.IntN(18)
	case s.Type.Includes("number"):
		return []float64{0, 0.5, 1, 2, -1, 1e308}[d.IntN(6)]
	case s.Type.Includes("string"):
		return words[d.IntN(len(words))]
	case s.Type.Includes("array"):
		out := []any{}
		for range d.IntN(4) {
			out = append(out, d.value(s.Items, name, depth+1))
		}
		return out
	}
	out := obj{}
	var names []string
	for n := range s.Properties {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		if slices.Contains(s.Required, n) && d.IntN(15) > 0 || d.IntN(4) == 0 {
			out[n] = d.value(s.Properties[n], n, depth+1)
		}
	}
	if d.IntN(30) == 0 {
		out["surprise"] = 1
	}
	return out
}
