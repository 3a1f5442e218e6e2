package httpapi

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// routes declares every address. What is declared is what /api/openapi.json says and what requests are checked against.
func (s *Server) routes() {
	s.api = newAPI(s.mux, s.opt.Version)
	chat := s.op("chat", http.MethodPost, "/api/chat/with-activations", "Say something, and see the layers of the answer", "Chat")
	streams(s, &chat, ChatReply{}, "queued {position}, start, token, layer, done or error")
	huma.Register(s.api, chat, s.chat)

	click := s.op("click", http.MethodGet, "/api/activations/{conversation_id}/{token_position}", "A token and its layers", "Lens")
	streams(s, &click, Click{}, "token, layer, done or error")
	files(&click, "application/octet-stream")
	huma.Register(s.api, click, s.click)
	huma.Register(s.api, s.op("clickRange", http.MethodGet, "/api/activations/{conversation_id}", "Consecutive tokens and their layers", "Lens"), s.clickRange)

	huma.Register(s.api, s.op("heatmap", http.MethodGet, "/api/heatmap/{conversation_id}", "One statistic of every row and position", "Lens"), s.heatmap)
	huma.Register(s.api, s.op("track", http.MethodPost, "/api/track", "Follow tokens through all rows and positions", "Lens"), s.track)
	huma.Register(s.api, s.op("contrast", http.MethodPost, "/api/contrast", "The difference of two conversations or prompts", "Lens"), s.contrast)
	huma.Register(s.api, s.op("search", http.MethodPost, "/api/search", "Search all that the cache holds for a model", "Lens"), s.search)
	export := s.op("export", http.MethodGet, "/api/export/{conversation_id}", "A conversation's lens as a file", "Lens")
	files(&export, "application/json", "text/csv", "application/octet-stream", "text/html", "image/png", "image/svg+xml")
	huma.Register(s.api, export, s.export)
	huma.Register(s.api, s.op("attention", http.MethodGet, "/api/attention/{conversation_id}/{layer}", "Where the heads of a layer look", "Inside"), s.attention)
	patch := s.op("patch", http.MethodPost, "/api/patch", "Patch activations of one prompt into another", "Inside")
	streams(s, &patch, PatchReply{}, "queued, progress, done or error")
	huma.Register(s.api, patch, s.patch)

	huma.Register(s.api, s.op("listConversations", http.MethodGet, "/api/conversations", "The conversations that are kept", "Conversations"), s.conversations)
	huma.Register(s.api, s.op("getConversation", http.MethodGet, "/api/conversations/{conversation_id}", "A conversation with all its tokens", "Conversations"), s.conversation)
	huma.Register(s.api, s.op("deleteConversation", http.MethodDelete, "/api/cache/{conversation_id}", "Delete a conversation", "Cache"), s.delete)
	huma.Register(s.api, s.op("cacheStatus", http.MethodGet, "/api/cache/status", "What the cache holds, and how the server fares", "Cache"), s.status)

	huma.Register(s.api, s.op("listModels", http.MethodGet, "/api/models", "The models that are served", "Models"), s.listModels)
	huma.Register(s.api, s.op("getModel", http.MethodGet, "/api/models/{name}", "A model, which is loaded", "Models"), s.getModel)
	huma.Register(s.api, s.op("examples", http.MethodGet, "/api/examples", "Things to say to a model, and what to look for", "Models"), s.examples)

	completions := s.op("completions", http.MethodPost, "/v1/chat/completions", "Chat, in the form of OpenAI's clients", "OpenAI")
	streams(s, &completions, Completion{}, "chunks, then [DONE]")
	delete(completions.Responses["200"].Content, "application/x-ndjson")
	huma.Register(s.api, completions, s.completions)
	huma.Register(s.api, s.op("servedModels", http.MethodGet, "/v1/models", "The models, in that form", "OpenAI"), s.servedModels)

	s.mux.HandleFunc("GET /api/openapi.json", s.openAPI)
	s.mux.HandleFunc("GET /api/docs", s.docs)
	s.mux.HandleFunc("GET /api/docs.css", docsCSS)
	s.mux.HandleFunc("GET /healthz", healthz)
	s.mux.HandleFunc("GET /readyz", s.readyz)
	s.mux.HandleFunc("GET /metrics", s.metrics)
	s.mux.HandleFunc("/", s.elsewhere)
}

// op is an operation with the errors that it can answer.
func (s *Server) op(id, method, path, summary, tag string) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{tag}, MaxBodyBytes: s.opt.MaxBody, BodyReadTimeout: readTime,
		Responses: map[string]*huma.Response{"default": {Description: "what failed", Content: map[string]*huma.MediaType{"application/json": {Schema: s.schema(Error{})}}}}}
}

func (s *Server) schema(v any) *huma.Schema {
	return s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(v), true, "")
}

// streams says that an answer comes in one piece or as a stream.
func streams(s *Server, op *huma.Operation, v any, events string) {
	text := func(what string) *huma.MediaType {
		return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Description: what + ": " + events}}
	}
	op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{"application/json": {Schema: s.schema(v)},
		"text/event-stream": text("server-sent events"), "application/x-ndjson": text(`lines {"event", "data"}`)}}
}

// files says that an answer may be a file.
func files(op *huma.Operation, types ...string) {
	if op.Responses["200"] == nil {
		op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{}}
	}
	for _, t := range types {
		schema := &huma.Schema{Type: huma.TypeString, Format: "binary"}
		if t == "application/json" {
			schema = &huma.Schema{Description: "as lensapi/API.md documents it"}
		}
		op.Responses["200"].Content[t] = &huma.MediaType{Schema: schema}
	}
}

// methods are those that an address might know.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodPut, http.MethodPatch}

// elsewhere answers addresses that no operation has: of the API with what is allowed there, others with the page.
func (s *Server) elsewhere(w http.ResponseWriter, r *http.Request) {
	ours := strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/v1/")
	var allowed []string
	for _, m := range methods {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, pattern := s.mux.Handler(probe); pattern != "/" && pattern != "" {
			allowed = append(allowed, m)
		}
	}
	switch {
	case len(allowed) > 0:
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		s.refuse(w, r, errorf(MethodNotAllowed, "%s %s: use %s", r.Method, clip(r.URL.Path), strings.Join(allowed, " or ")))
	case !ours && s.opt.Page != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		s.opt.Page.ServeHTTP(w, r)
	default:
		s.refuse(w, r, errorf(NotFound, "there is nothing at %s: /api/docs lists what there is", clip(r.URL.Path)))
	}
}

// refuse answers with an error.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, e *Error) {
	s.note(r, e)
	for k, v := range e.GetHeaders() {
		w.Header()[k] = v
	}
	writeJSON(w, e.GetStatus(), e)
}

// known is a message that names what there is.
func known(what, got string, have []string) *Error {
	return errorf(Invalid, "%s", fmt.Sprintf("%s %q is not known: use one of %s", what, clip(got), strings.Join(have, " ")))
}
