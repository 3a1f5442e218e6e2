package httpapi

import (
	"bytes"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// openAPI is the description that requests are checked against.
func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.api.OpenAPI())
}

// docs is the same for people: a page without scripts.
func (s *Server) docs(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	if err := docsHTML.Execute(&b, s.operations()); err != nil {
		s.refuse(w, r, fail(err))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(b.Bytes())
}

func docsCSS(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(docsStyle))
}

// section is the operations of a tag.
type section struct {
	Name       string
	Operations []operation
}

type operation struct {
	*huma.Operation
	Body, Answer []field
}

// field is a field of a schema, as a line of a table.
type field struct {
	Name, Type, Doc string
	Required        bool
}

func (s *Server) operations() []section {
	var out []section
	api := s.api.OpenAPI()
	paths := make([]string, 0, len(api.Paths))
	for p := range api.Paths {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		item := api.Paths[p]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Delete} {
			if op == nil {
				continue
			}
			o := operation{Operation: op}
			if op.RequestBody != nil {
				o.Body = s.fields(op.RequestBody.Content["application/json"])
			}
			if ok := op.Responses["200"]; ok != nil {
				o.Answer = s.fields(ok.Content["application/json"])
			}
			i := slices.IndexFunc(out, func(x section) bool { return x.Name == op.Tags[0] })
			if i < 0 {
				i, out = len(out), append(out, section{Name: op.Tags[0]})
			}
			out[i].Operations = append(out[i].Operations, o)
		}
	}
	return out
}

func (s *Server) fields(m *huma.MediaType) []field {
	if m == nil || m.Schema == nil {
		return nil
	}
	schema := m.Schema
	if schema.Ref != "" {
		schema = s.api.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
	}
	var out []field
	for name, p := range schema.Properties {
		out = append(out, field{name, typeOf(p), p.Description, slices.Contains(schema.Required, name)})
	}
	slices.SortFunc(out, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func typeOf(s *huma.Schema) string {
	switch {
	case s == nil:
		return ""
	case s.Ref != "":
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	case s.Type == huma.TypeArray:
		return "[" + typeOf(s.Items) + "]"
	case len(s.OneOf) > 0:
		var all []string
		for _, one := range s.OneOf {
			all = append(all, typeOf(one))
		}
		return strings.Join(all, " or ")
	case s.Nullable:
		return s.Type + " or null"
	}
	return s.Type
}

var docsHTML = template.Must(template.New("docs").Funcs(template.FuncMap{"type": typeOf}).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>gopherlens API</title><link rel="stylesheet" href="/api/docs.css"></head><body>
<h1>gopherlens API</h1>
<p>Errors are <code>{"error":{"code","message"}}</code>. Logarithms are natural, entropy and KL in nats, positions from 0 over all turns, ranks from 1. For programs: <a href="/api/openapi.json">openapi.json</a>.</p>
{{define "fields"}}<table><tr><th scope="col">field</th><th scope="col">type</th><th scope="col">what</th></tr>{{range .}}<tr><td><code>{{.Name}}</code>{{if .Required}} *{{end}}</td><td>{{.Type}}</td><td>{{.Doc}}</td></tr>{{end}}</table>{{end}}
{{range .}}<h2>{{.Name}}</h2>
{{range .Operations}}<details><summary><b>{{.Method}}</b> <code>{{.Path}}</code> {{.Summary}}</summary>
{{with .Parameters}}<h3>Parameters</h3><table><tr><th scope="col">name</th><th scope="col">type</th><th scope="col">what</th></tr>{{range .}}<tr><td><code>{{.Name}}</code> ({{.In}}){{if .Required}} *{{end}}</td><td>{{type .Schema}}{{with .Schema.Default}}, default {{.}}{{end}}{{with .Schema.Enum}}: {{range .}}{{.}} {{end}}{{end}}</td><td>{{.Description}}</td></tr>{{end}}</table>{{end}}
{{with .Body}}<h3>Body</h3>{{template "fields" .}}{{end}}
{{with .Answer}}<h3>Answer</h3>{{template "fields" .}}{{end}}
</details>
{{end}}{{end}}</body></html>
`))

const docsStyle = `:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1000px; padding: 0 1rem; }
summary { cursor: pointer; padding: .3rem 0; }
details { border-bottom: 1px solid rgba(128,128,128,.3); overflow-x: auto; }
table { border-collapse: collapse; margin: .3rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; }
h3 { font-size: 1rem; margin: .6rem 0 0; }
code { font-family: ui-monospace, monospace; }
`
