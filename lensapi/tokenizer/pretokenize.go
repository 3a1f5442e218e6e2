package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// piece is a part of the text on its way to the model. first tells that it begins where the text begins.
type piece struct {
	text  string
	first bool
}

// preTokenizer splits pieces further.
type preTokenizer func([]piece) ([]piece, error)

const supportedPreTokenizers = "Sequence, ByteLevel, Split, Metaspace, Digits"

// preTokenizers is the parsed component with what other parts must know of it.
type preTokenizers struct {
	steps     []preTokenizer
	byteLevel bool
	prefix    *bool // ByteLevel's add_prefix_space
}

func parsePreTokenizer(raw json.RawMessage, p *preTokenizers, steps *int, depth int) error {
	if isNull(raw) {
		return nil
	}
	if err := enter(steps, depth); err != nil {
		return fmt.Errorf("pre_tokenizer: %w", err)
	}
	typ, err := typeOf(raw)
	if err != nil {
		return fmt.Errorf("pre_tokenizer: %w", err)
	}
	var step preTokenizer
	switch typ {
	case "Sequence":
		var s struct {
			Type          string            `json:"type"`
			Pretokenizers []json.RawMessage `json:"pretokenizers"`
		}
		if err := strict(raw, &s); err != nil {
			return fmt.Errorf("pre_tokenizer %s: %w", typ, err)
		}
		for _, r := range s.Pretokenizers {
			if err := parsePreTokenizer(r, p, steps, depth+1); err != nil {
				return err
			}
		}
		return nil
	case "ByteLevel":
		if p.byteLevel {
			return errors.New("pre_tokenizer: ByteLevel occurs twice")
		}
		step, err = parseByteLevel(raw, p)
	case "Split":
		step, err = parseSplit(raw)
	case "Metaspace":
		step, err = parseMetaspacePre(raw)
	case "Digits":
		step, err = parseDigits(raw)
	default:
		return fmt.Errorf("pre_tokenizer %s is not supported; supported: %s", quote(typ), supportedPreTokenizers)
	}
	if err != nil {
		return fmt.Errorf("pre_tokenizer %s: %w", typ, err)
	}
	p.steps = append(p.steps, step)
	return nil
}

func parseByteLevel(raw json.RawMessage, p *preTokenizers) (preTokenizer, error) {
	s := struct {
		Type           string `json:"type"`
		AddPrefixSpace bool   `json:"add_prefix_space"`
		TrimOffsets    bool   `json:"trim_offsets"` // concerns offsets only
		UseRegex       bool   `json:"use_regex"`
	}{UseRegex: true}
	if err := strict(raw, &s); err != nil {
		return nil, err
	}
	p.byteLevel, p.prefix = true, &s.AddPrefixSpace
	return func(in []piece) ([]piece, error) {
		out := make([]piece, 0, len(in))
		for _, x := range in {
			t := x.text
			if s.AddPrefixSpace && !strings.HasPrefix(t, " ") {
				t = " " + t
			}
			if !s.UseRegex {
				out = append(out, piece{toByteLevel(t), x.first})
				continue
			}
			for first := x.first; t != ""; first = false {
				n := gpt2Next(t)
				out = append(out, piece{toByteLevel(t[:n]), first})
				t = t[n:]
			}
		}
		return out, nil
	}, nil
}

// behaviours of Split.
const (
	isolated = iota
	removed
	mergedWithPrevious
	mergedWithNext
	contiguous
)

var behaviours = map[string]int{"Isolated": isolated, "Removed": removed, "MergedWithPrevious": mergedWithPrevious,
	"MergedWithNext": mergedWithNext, "Contiguous": contiguous}

func parseSplit(raw json.RawMessage) (preTokenizer, error) {
	var s struct {
		Type     string  `json:"type"`
		Pattern  pattern `json:"pattern"`
		Behavior string  `json:"behavior"`
		Invert   bool    `json:"invert"`
	}
	if err := strict(raw, &s); err != nil {
		return nil, err
	}
	b, ok := behaviours[s.Behavior]
	if !ok {
		return nil, fmt.Errorf("behavior %s is not supported; supported: Isolated, Removed, MergedWithPrevious, MergedWithNext, Contiguous", quote(s.Behavior))
	}
	var spans func(string) ([][2]int, error)
	switch {
	case s.Pattern.String != nil && s.Pattern.Regex == nil:
		if *s.Pattern.String == "" {
			return nil, errors.New("the pattern is empty")
		}
		spans = func(t string) ([][2]int, error) { return literalSpans(t, *s.Pattern.String), nil }
	case s.Pattern.Regex != nil && s.Pattern.String == nil:
		re, err := compileSplit(*s.Pattern.Regex)
		if err != nil {
			return nil, err
		}
		spans = re.spans
	default:
		return nil, errors.New(`pattern must be {"String": ...} or {"Regex": ...}`)
	}
	return splitter(spans, b, s.Invert), nil
}

func parseDigits(raw json.RawMessage) (preTokenizer, error) {
	var s struct {
		Type             string `json:"type"`
		IndividualDigits bool   `json:"individual_digits"`
	}
	if err := strict(raw, &s); err != nil {
		return nil, err
	}
	b := contiguous
	if s.IndividualDigits {
		b = isolated
	}
	return splitter(func(t string) (out [][2]int, err error) {
		for i, r := range t {
			if unicode.Is(unicode.N, r) {
				out = append(out, [2]int{i, i + utf8.RuneLen(r)})
			}
		}
		return out, nil
	}, b, false), nil
}

// parseMetaspace reads what the pre-tokenizer and the decoder of that name share.
func parseMetaspace(raw json.RawMessage) (replacement, scheme string, split bool, err error) {
	s := struct {
		Type           string  `json:"type"`
		Replacement    string  `json:"replacement"`
		AddPrefixSpace *bool   `json:"add_prefix_space"`
		PrependScheme  *string `json:"prepend_scheme"`
		Split          *bool   `json:"split"`
		StrRep         string  `json:"str_rep"` // old files repeat the replacement here
	}{}
	if err := strict(raw, &s); err != nil {
		return "", "", false, err
	}
	if utf8.RuneCountInString(s.Replacement) != 1 {
		return "", "", false, fmt.Errorf("replacement %s must be one character", quote(s.Replacement))
	}
	scheme = "always"
	if s.PrependScheme != nil {
		scheme = *s.PrependScheme
	}
	switch scheme {
	case "always", "first", "never":
	default:
		return "", "", false, fmt.Errorf("prepend_scheme %s is not supported; supported: always, first, never", quote(scheme))
	}
	if s.AddPrefixSpace != nil && !*s.AddPrefixSpace {
		if s.PrependScheme != nil && scheme != "never" {
			return "", "", false, errors.New("add_prefix_space false contradicts prepend_scheme " + scheme)
		}
		scheme = "never"
	}
	return s.Replacement, scheme, s.Split == nil || *s.Split, nil
}

func parseMetaspacePre(raw json.RawMessage) (preTokenizer, error) {
	rep, scheme, split, err := parseMetaspace(raw)
	if err != nil {
		return nil, err
	}
	cut := splitter(func(t string) ([][2]int, error) { return literalSpans(t, rep), nil }, mergedWithNext, false)
	return func(in []piece) ([]piece, error) {
		marked := make([]piece, len(in))
		for i, x := range in {
			t := strings.ReplaceAll(x.text, " ", rep)
			if !strings.HasPrefix(t, rep) && (scheme == "always" || scheme == "first" && x.first) {
				t = rep + t
			}
			marked[i] = piece{t, x.first}
		}
		if !split {
			return marked, nil
		}
		return cut(marked)
	}, nil
}

func literalSpans(t, s string) (out [][2]int) {
	for at := 0; ; {
		i := strings.Index(t[at:], s)
		if i < 0 {
			return out
		}
		out = append(out, [2]int{at + i, at + i + len(s)})
		at += i + len(s)
	}
}

// splitter cuts pieces at the spans that a pattern matches.
func splitter(spans func(string) ([][2]int, error), behaviour int, invert bool) preTokenizer {
	return func(in []piece) ([]piece, error) {
		out := make([]piece, 0, len(in))
		for _, x := range in {
			ms, err := spans(x.text)
			if err != nil {
				return nil, err
			}
			for _, s := range arrange(x.text, ms, behaviour, invert) {
				if s[0] < s[1] {
					out = append(out, piece{x.text[s[0]:s[1]], x.first && s[0] == 0})
				}
			}
		}
		return out, nil
	}
}

// arrange covers the text with matches and the gaps between them, and joins them as the behaviour says.
func arrange(t string, ms [][2]int, behaviour int, invert bool) [][2]int {
	type part struct {
		span  [2]int
		match bool
	}
	parts := make([]part, 0, 2*len(ms)+1)
	at := 0
	for _, m := range ms {
		if m[0] > at {
			parts = append(parts, part{[2]int{at, m[0]}, invert})
		}
		if m[1] > m[0] {
			parts = append(parts, part{m, !invert})
		}
		at = m[1]
	}
	if at < len(t) {
		parts = append(parts, part{[2]int{at, len(t)}, invert})
	}
	out := make([][2]int, 0, len(parts))
	for i, p := range parts {
		n := len(out)
		switch behaviour {
		case removed:
			if p.match {
				continue
			}
		case contiguous:
			if i > 0 && parts[i-1].match == p.match {
				out[n-1][1] = p.span[1]
				continue
			}
		case mergedWithPrevious:
			if p.match && n > 0 && !parts[i-1].match {
				out[n-1][1] = p.span[1]
				continue
			}
		case mergedWithNext:
			if i > 0 && parts[i-1].match && !p.match {
				out[n-1][1] = p.span[1]
				continue
			}
		}
		out = append(out, p.span)
	}
	return out
}

// splitRegex is a pattern of the file. The reference engine is Oniguruma; look-ahead needs a backtracking engine, so
// matching is bounded in time and in backtracking memory.
type splitRegex struct {
	re   *regexp2.Regexp
	gpt2 bool // the pattern is gpt2Pattern: use the scanner
}

const (
	maxPattern      = 16 << 10
	regexTimeout    = 10 * time.Second
	regexStackLimit = 8 << 20 // slots of eight bytes
)

func compileSplit(expr string) (re *splitRegex, err error) {
	if len(expr) > maxPattern {
		return nil, fmt.Errorf("the pattern is longer than %d bytes", maxPattern)
	}
	if expr == gpt2Pattern {
		return &splitRegex{gpt2: true}, nil
	}
	defer func() {
		if r := recover(); r != nil {
			re, err = nil, fmt.Errorf("pattern %s cannot be compiled: %w", quote(expr), oneLine(fmt.Errorf("%v", r)))
		}
	}()
	// Multiline: Oniguruma's ^ and $ match at every line.
	c, err := regexp2.Compile(expr, regexp2.Multiline, regexp2.OptionMaxBacktrackingStackSize(regexStackLimit))
	if err != nil {
		return nil, fmt.Errorf("pattern %s cannot be compiled: %w", quote(expr), oneLine(err))
	}
	c.MatchTimeout = regexTimeout
	return &splitRegex{re: c}, nil
}

// spans returns the matches in t as byte offsets; empty matches are left out.
func (s *splitRegex) spans(t string) (out [][2]int, err error) {
	if s.gpt2 {
		for at := 0; at < len(t); {
			n := gpt2Next(t[at:])
			out = append(out, [2]int{at, at + n})
			at += n
		}
		return out, nil
	}
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, fmt.Errorf("pattern %s failed: %w", quote(s.re.String()), oneLine(fmt.Errorf("%v", r)))
		}
	}()
	ms, err := s.re.FindAllStringIndex(t, -1)
	if err != nil {
		return nil, fmt.Errorf("pattern %s failed: %w", quote(s.re.String()), oneLine(err))
	}
	for _, m := range ms {
		if m[1] > m[0] {
			out = append(out, [2]int{m[0], m[1]})
		}
	}
	return out, nil
}
