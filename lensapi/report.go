package lens

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"slices"

	"github.com/gopherlens/gopherlens/lensapi/forward"
)

// ReportRequest says what a report holds: everything that its numbers depend on besides model and tokenizer. Fields that its Kind does not use are refused.
type ReportRequest struct {
	Kind string `json:"kind"` // lens, track, attribution, attention, patch or chat
	IDs  []int  `json:"ids"`  // exactly the ids fed; of patch: the clean prompt

	Variant Variant `json:"variant,omitempty"` // of lens and track
	// Translators is the digest of those of a tuned or jacobian lens, and Lens themselves: a report names them and does not hold them, so whoever verifies it sets Lens.
	Translators string       `json:"translators,omitempty"`
	Lens        *Translators `json:"-"`
	Top         int          `json:"top,omitempty"`    // of lens
	Stats       bool         `json:"stats,omitempty"`  // of lens, and of track for ranks
	Mid         bool         `json:"mid,omitempty"`    // of lens and track
	Tokens      []int        `json:"tokens,omitempty"` // of track

	Target     *Target             `json:"target,omitempty"`     // of attribution and patch
	Position   int                 `json:"position,omitempty"`   // of attribution and patch
	Convention *AttributionOptions `json:"convention,omitempty"` // of attribution

	Layers   []int `json:"layers,omitempty"` // of attention and patch
	Weighted bool  `json:"weighted,omitempty"`

	Corrupted []int  `json:"corrupted,omitempty"` // of patch: the corrupted prompt
	Site      string `json:"site,omitempty"`
	ByHead    bool   `json:"by_head,omitempty"`
	Noising   bool   `json:"noising,omitempty"`

	Sampling  *Sampling `json:"sampling,omitempty"`   // of chat, whose IDs are all that was fed before the answer
	MaxTokens int       `json:"max_tokens,omitempty"` // of chat
	StopTexts []string  `json:"stop_texts,omitempty"` // of chat
}

// Report is a result with all that is needed to compute it again. Its numbers are exact: Verify demands equal bits.
type Report struct {
	Format    int             `json:"format"` // 1
	Model     string          `json:"model"`
	Digest    string          `json:"model_digest"`     // of config.json and weights
	Tokenizer string          `json:"tokenizer_digest"` // of the tokenizer
	Numerics  string          `json:"numerics"`         // names the arithmetic; see forward.Numerics
	Version   string          `json:"version"`          // of the program that wrote it
	Request   ReportRequest   `json:"request"`
	Numbers   string          `json:"numbers_digest"` // hex SHA-256 of Result
	Result    json.RawMessage `json:"result"`         // as API.md documents it
}

const reportFormat = 1

// maxReport bounds a report that is read.
const maxReport = 256 << 20

// Report computes a result afresh and puts it into a report.
func (m *Model) Report(ctx context.Context, req ReportRequest) (*Report, error) {
	if req.Lens != nil && req.Translators == "" {
		req.Translators = req.Lens.Digest
	}
	result, err := m.answerReport(ctx, req, m.name)
	if err != nil {
		return nil, err
	}
	r := &Report{Format: reportFormat, Model: m.name, Digest: m.digest, Tokenizer: m.tok.Digest(), Numerics: forward.Numerics, Version: programVersion(), Request: req, Result: result}
	r.Numbers = r.numbers()
	return r, nil
}

func (r *Report) numbers() string {
	sum := sha256.Sum256(r.Result)
	return hex.EncodeToString(sum[:])
}

// answerReport is the result of a request as JSON. The model goes by the given name there: its folder may have another today.
func (m *Model) answerReport(ctx context.Context, req ReportRequest, name string) (json.RawMessage, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	var v any
	var err error
	opt := LensOptions{Variant: req.Variant, Translators: req.Lens, Top: req.Top, Stats: req.Stats, Mid: req.Mid}
	if req.Lens != nil && req.Lens.Digest != req.Translators {
		return nil, invalidf("the report is of translators %.12s, and these are %.12s", req.Translators, req.Lens.Digest)
	}
	switch req.Kind {
	case "lens":
		if err := opt.check(); err != nil {
			return nil, err
		}
		if err := m.check(req.IDs); err != nil {
			return nil, err
		}
		var s *stream // never from the cache, which could hold what is to be verified
		if s, err = m.freshStream(ctx, req.IDs, 0, len(req.IDs), req.Mid, nil); err == nil {
			v, err = m.gridOf(ctx, s, req.IDs, opt)
		}
	case "track":
		if err := opt.check(); err != nil {
			return nil, err
		}
		v, err = m.freshTrack(ctx, req.IDs, req.Tokens, opt)
	case "attribution":
		var convention AttributionOptions
		if req.Convention != nil {
			convention = *req.Convention
		}
		v, err = m.AttributeIDs(ctx, req.IDs, req.Position, *req.Target, convention)
	case "attention":
		v, err = m.AttentionIDs(ctx, req.IDs, AttentionOptions{Layers: req.Layers, Weighted: req.Weighted})
	case "patch":
		v, err = m.PatchIDs(ctx, req.IDs, req.Corrupted, *req.Target, PatchOptions{Position: req.Position, Site: req.Site, ByHead: req.ByHead, Noising: req.Noising, Layers: req.Layers})
	case "chat":
		v, err = m.answerAgain(ctx, req)
	}
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case *answered:
		v.Model = name
	case *Grid:
		v.Model = name
	case *Tracks:
		v.Model = name
	case *Attribution:
		v.Model = name
	case *Attention:
		v.Model = name
	case *Sweep:
		v.Model = name
	}
	b, err := json.Marshal(v)
	return b, wrap(Internal, err, "report")
}

// freshTrack is a track without the cache.
func (m *Model) freshTrack(ctx context.Context, ids, tokens []int, opt LensOptions) (*Tracks, error) {
	if err := m.check(ids); err != nil {
		return nil, err
	}
	s, err := m.freshStream(ctx, ids, 0, len(ids), opt.Mid, nil)
	if err != nil {
		return nil, err
	}
	t, err := m.newTracks(s, ids, tokens, opt)
	if err != nil {
		return nil, err
	}
	return t, m.trackWhole(ctx, s, tokens, opt, t)
}

// check refuses a request that asks for what its kind does not have.
func (req *ReportRequest) check() error {
	used := map[string][]string{
		"lens":        {"variant", "translators", "top", "stats", "mid"},
		"track":       {"variant", "translators", "stats", "mid", "tokens"},
		"attribution": {"target", "position", "convention"},
		"attention":   {"layers", "weighted"},
		"patch":       {"target", "position", "corrupted", "site", "by_head", "noising", "layers"},
		"chat":        {"sampling", "max_tokens", "stop_texts"},
	}[req.Kind]
	if used == nil {
		return invalidf("report of %q: use lens, track, attribution, attention, patch or chat", req.Kind)
	}
	if (req.Kind == "attribution" || req.Kind == "patch") && req.Target == nil {
		return invalidf("a report of %s needs a target", req.Kind)
	}
	if req.Kind == "track" && len(req.Tokens) == 0 {
		return invalidf("a report of tracks needs tokens")
	}
	if req.Kind == "chat" && (req.Sampling == nil || req.MaxTokens < 1) {
		return invalidf("a report of an answer needs its sampling and max_tokens of 1 at least")
	}
	if translated := req.Variant == Tuned || req.Variant == Jacobian; translated != (req.Translators != "") {
		return invalidf("a report of the %s lens names its translators, and one of another has none: set Lens", req.Variant)
	}
	b, err := json.Marshal(req)
	if err != nil {
		return wrap(Internal, err, "report")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return wrap(Internal, err, "report")
	}
	delete(fields, "kind")
	delete(fields, "ids")
	for _, name := range used {
		delete(fields, name)
	}
	for name := range fields {
		return invalidf("a report of %s has no %s; it has %v", req.Kind, name, used)
	}
	return nil
}

// Write writes the report as JSON.
func (r *Report) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return wrap(Unavailable, enc.Encode(r), "writing the report")
}

// ReadReport reads what Write wrote, and checks that the numbers are those that the digest was made of.
func ReadReport(rd io.Reader) (*Report, error) {
	b, err := io.ReadAll(io.LimitReader(rd, maxReport+1))
	if err != nil {
		return nil, wrap(Unavailable, err, "reading the report")
	}
	if len(b) > maxReport {
		return nil, invalidf("the report has more than %d bytes", maxReport)
	}
	r := &Report{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, wrap(Invalid, err, "not a report")
	}
	if r.Format != reportFormat {
		return nil, invalidf("report of format %d; this program reads format %d", r.Format, reportFormat)
	}
	if err := r.Request.check(); err != nil {
		return nil, err
	}
	if got := r.numbers(); got != r.Numbers {
		return nil, invalidf("the report was changed: its numbers have the digest %.12s, and it says %.12s", got, r.Numbers)
	}
	return r, nil
}

// Verdict is the outcome of Verify.
type Verdict struct {
	Equal bool `json:"equal"` // to the bit
	// First is where the numbers first differ: a path into the result and both values; "" when they are equal.
	First string `json:"first,omitempty"`
	// Notes name what is not as it was when the report was written, though the numbers may be equal all the same.
	Notes []string `json:"notes,omitempty"`
}

// String is the verdict in a line, and a line for each note.
func (v *Verdict) String() string {
	text := "equal to the bit\n"
	if !v.Equal {
		text = "differs: " + v.First + "\n"
	}
	for _, n := range v.Notes {
		text += "note: " + n + "\n"
	}
	return text
}

// Verify computes a report again, without the cache, and compares. Another model or tokenizer is an error.
func (m *Model) Verify(ctx context.Context, r *Report) (*Verdict, error) {
	if r.Digest != m.digest {
		return nil, invalidf("the report is of model %s (%.12s), and this is %s (%.12s): load the one it was made with", r.Model, r.Digest, m.name, m.digest)
	}
	if r.Tokenizer != m.tok.Digest() {
		return nil, invalidf("the report was made with tokenizer %.12s, and %s has %.12s", r.Tokenizer, m.name, m.tok.Digest())
	}
	result, err := m.answerReport(ctx, r.Request, r.Model)
	if err != nil {
		return nil, err
	}
	v := &Verdict{Equal: string(result) == string(r.Result)}
	if r.Numerics != forward.Numerics {
		v.Notes = append(v.Notes, fmt.Sprintf("written by arithmetic %s, verified by %s", r.Numerics, forward.Numerics))
	}
	if now := programVersion(); r.Version != now {
		v.Notes = append(v.Notes, fmt.Sprintf("written by version %s, verified by %s", r.Version, now))
	}
	if !v.Equal {
		v.First = firstDifference(r.Result, result)
	}
	return v, nil
}

// firstDifference is the first place where two JSON values differ.
func firstDifference(a, b []byte) string {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return "the results cannot be read"
	}
	if d := differ("", x, y); d != "" {
		return d
	}
	return "the results are written differently"
}

func differ(path string, a, b any) string {
	if path == "" {
		path = "result"
	}
	switch x := a.(type) {
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return fmt.Sprintf("%s: %d values and %d", path, len(x), len(y))
		}
		for i := range x {
			if d := differ(fmt.Sprintf("%s[%d]", path, i), x[i], y[i]); d != "" {
				return d
			}
		}
		return ""
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			return path + ": an object in one only"
		}
		for _, k := range sortedKeys(x, y) {
			if d := differ(path+"."+k, x[k], y[k]); d != "" {
				return d
			}
		}
		return ""
	}
	if a != b {
		return fmt.Sprintf("%s: %v in the report, %v now", path, a, b)
	}
	return ""
}

func sortedKeys(a, b map[string]any) []string {
	keys := slices.Collect(maps.Keys(a))
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// programVersion is the module's version, or the commit that the program was built from.
func programVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	if v == "" || v == "(devel)" {
		return "devel"
	}
	return v
}
