package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/gopherlens/gopherlens/cache"
	lens "github.com/gopherlens/gopherlens/lensapi"
	"github.com/gopherlens/gopherlens/lensapi/forward"
)

// CacheStatus is what the cache holds and how it fares.
type CacheStatus struct {
	Policy           string             `json:"policy"`
	Conversations    int                `json:"conversations" doc:"captured prompts among them"`
	Tokens           int                `json:"tokens" doc:"of the conversations read so far"`
	Memory           cache.MemoryStatus `json:"memory"`
	Disk             cache.DiskStatus   `json:"disk"`
	RecomputedTokens int64              `json:"recomputed_tokens"`
	Degraded         string             `json:"degraded" doc:"why the disk fails; empty when it works"`
	UnsavedTokens    int                `json:"unsaved_tokens"`
}

// Status is how the server fares. Counters count since it began.
type Status struct {
	Cache   CacheStatus   `json:"cache"`
	Forward forward.Stats `json:"forward" doc:"forward passes and tokens fed, of all models"`
	Runs    Runs          `json:"runs"`
}

type statusOutput struct{ Body Status }

func (s *Server) status(ctx context.Context, _ *struct{}) (*statusOutput, error) {
	m, err := s.models[0].get(ctx)
	if err != nil {
		return nil, fail(err)
	}
	st := m.Status().Cache
	why := st.Degraded
	if st.Dir != "" { // where the cache is concerns nobody beyond this machine
		why = strings.ReplaceAll(why, st.Dir, "the cache folder")
	}
	return &statusOutput{Status{CacheStatus{st.Policy, st.Conversations, st.Tokens, st.Memory, st.Disk, st.RecomputedTokens, why, st.UnsavedTokens}, s.passes(), s.gate.status()}}, nil
}

// passes sums over the models that are loaded.
func (s *Server) passes() forward.Stats {
	var sum forward.Stats
	for _, e := range s.models {
		if m := e.loaded(); m != nil {
			f := m.Status().Forward
			sum.Passes += f.Passes
			sum.Tokens += f.Tokens
		}
	}
	return sum
}

type deleteOutput struct{ Body Deleted }

// Deleted says what is gone.
type Deleted struct {
	ConversationID string `json:"conversation_id"`
	Deleted        bool   `json:"deleted"`
}

func (s *Server) delete(ctx context.Context, in *conversationInput) (*deleteOutput, error) {
	h, err := s.talks.hold(in.ConversationID)
	if err != nil {
		return nil, fail(err)
	}
	defer h.release()
	t := h.talk
	if t.Conversation == nil {
		if t, err = s.reopen(ctx, in.ConversationID); err != nil {
			return nil, fail(err)
		}
	}
	if err := t.Model().Forget(in.ConversationID); err != nil {
		return nil, fail(err)
	}
	h.keep(talk{})
	return &deleteOutput{Deleted{in.ConversationID, true}}, nil
}

func healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz says whether a first question would be answered without waiting for the model.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	m := s.models[0].loaded()
	if m == nil {
		e := errorf(Unavailable, "the model %s is being loaded", s.models[0].Name)
		e.retry = time.Second
		s.refuse(w, r, e)
		return
	}
	state := "ready"
	if m.Status().Cache.Degraded != "" {
		state = "degraded" // it answers, and keeps in memory what the disk does not take
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": state})
}

// metrics are in the text format of Prometheus.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	if m := s.models[0].loaded(); m != nil {
		if err := m.Status().Cache.Metrics(&b); err != nil {
			s.refuse(w, r, fail(err))
			return
		}
	}
	f, runs := s.passes(), s.gate.status()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	for _, m := range []struct {
		name, kind, help string
		value            any
	}{
		{"forward_passes_total", "counter", "Forward passes of all models.", f.Passes},
		{"forward_tokens_total", "counter", "Tokens fed to models.", f.Tokens},
		{"runs_running", "gauge", "Runs at work.", runs.Running},
		{"runs_waiting", "gauge", "Runs that wait for a slot.", runs.Waiting},
		{"runs_refused_total", "counter", "Runs refused because too many waited.", runs.Refused},
		{"heap_bytes", "gauge", "Bytes of live and dead objects.", mem.HeapAlloc},
		{"goroutines", "gauge", "Goroutines.", runtime.NumGoroutine()},
		{"uptime_seconds", "gauge", "Seconds since the server began.", time.Since(s.begun).Seconds()},
	} {
		fmt.Fprintf(&b, "# HELP gopherlens_%s %s\n# TYPE gopherlens_%s %s\ngopherlens_%s %v\n", m.name, m.help, m.name, m.kind, m.name, m.value)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(b.Bytes())
}

// ModelLine is a model in a list.
type ModelLine struct {
	Name    string `json:"name" doc:"by which requests ask for it"`
	Loaded  bool   `json:"loaded"`
	Default bool   `json:"default"`
}

// ModelList lists the models that are served.
type ModelList struct {
	Models []ModelLine `json:"models"`
}

type modelsOutput struct{ Body ModelList }

func (s *Server) listModels(context.Context, *struct{}) (*modelsOutput, error) {
	var out ModelList
	for i, e := range s.models {
		out.Models = append(out.Models, ModelLine{e.Name, e.loaded() != nil, i == 0})
	}
	return &modelsOutput{out}, nil
}

// ModelInfo is a model's shape and what can be asked of it.
type ModelInfo struct {
	ModelLine
	ModelName     string   `json:"model_name" doc:"as numbers name it: with what is approximate about it"`
	Digest        string   `json:"digest"`
	Family        string   `json:"family"`
	Chat          bool     `json:"chat" doc:"it has a chat template; without one it completes text"`
	Layers        int      `json:"layers"`
	Heads         int      `json:"heads"`
	DModel        int      `json:"d_model"`
	DVocab        int      `json:"d_vocab"`
	Context       int      `json:"context" doc:"the most positions of one conversation"`
	Rows          []string `json:"rows"`
	Variants      []string `json:"variants"`
	Statistics    []string `json:"statistics"`
	BytesPerToken int64    `json:"bytes_per_token" doc:"about what a token takes on disk"`
}

type modelInput struct {
	Name string `path:"name" maxLength:"64"`
}

type modelOutput struct{ Body ModelInfo }

func (s *Server) getModel(ctx context.Context, in *modelInput) (*modelOutput, error) {
	e, err := s.models.find(in.Name)
	if err != nil {
		return nil, fail(err)
	}
	m, err := e.get(ctx)
	if err != nil {
		return nil, fail(err)
	}
	const sample = 256
	size, err := m.EstimateCache(sample, "")
	if err != nil {
		return nil, fail(err)
	}
	e.mu.Lock()
	variants := e.variants()
	e.mu.Unlock()
	var stats []string
	for _, st := range lens.Statistics() {
		stats = append(stats, string(st))
	}
	c := m.Config()
	return &modelOutput{ModelInfo{ModelLine{e.Name, true, e == s.models[0]}, m.Name(), m.Digest(), c.Family, m.HasChatTemplate(), c.NLayers, c.NHeads, c.DModel, c.DVocab, c.NCtx,
		m.Rows(), variants, stats, size.Bytes / sample}}, nil
}

// Example is something to say, turn by turn, and what to look for.
type Example struct {
	Title string   `json:"title"`
	Turns []string `json:"turns"`
	Look  string   `json:"look"`
}

// Examples are those of a model.
type Examples struct {
	Examples []Example `json:"examples"`
}

type examplesInput struct {
	Model string `query:"model" maxLength:"64" doc:"default: the first that is served"`
}

type examplesOutput struct{ Body Examples }

// teachExamples work on the embedded model, which knows little else.
var teachExamples = []Example{
	{"A fact", []string{"What is the capital of France?"}, "Click the token before the city: from which row on is it the first candidate?"},
	{"A follow-up", []string{"What is the capital of France?", "And its currency?"}, "Nothing in the second question names France: attention shows where the answer looks."},
	{"A name to remember", []string{"My name is Mary.", "What is my name?"}, "The name is copied from another turn: watch its rank fall over the rows."},
	{"Another country", []string{"What is the capital of Peru?", "And France?"}, "The question is understood from the turn before: early rows still hesitate between cities."},
}

func (s *Server) examples(_ context.Context, in *examplesInput) (*examplesOutput, error) {
	e, err := s.models.named(in.Model)
	if err != nil {
		return nil, fail(err)
	}
	out := Examples{[]Example{}}
	if e.Name == lens.Embedded {
		out.Examples = teachExamples
	}
	return &examplesOutput{out}, nil
}
