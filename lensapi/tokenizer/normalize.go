package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// normalizer changes a piece of text before it is split. A piece is the text between two added tokens.
type normalizer func(string) (string, error)

const supportedNormalizers = "Sequence, NFC, NFD, NFKC, NFKD, Prepend, Replace"

// parseNormalizer returns nil for null. steps counts all steps of the file's component, depth the nesting.
func parseNormalizer(raw json.RawMessage, steps *int, depth int) ([]normalizer, error) {
	if isNull(raw) {
		return nil, nil
	}
	if err := enter(steps, depth); err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	typ, err := typeOf(raw)
	if err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	wrap := func(n normalizer, err error) ([]normalizer, error) {
		if err != nil {
			return nil, fmt.Errorf("normalizer %s: %w", typ, err)
		}
		return []normalizer{n}, nil
	}
	switch typ {
	case "Sequence":
		var s struct {
			Type        string            `json:"type"`
			Normalizers []json.RawMessage `json:"normalizers"`
		}
		if err := strict(raw, &s); err != nil {
			return wrap(nil, err)
		}
		var out []normalizer
		for _, r := range s.Normalizers {
			n, err := parseNormalizer(r, steps, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, n...)
		}
		return out, nil
	case "NFC", "NFD", "NFKC", "NFKD":
		var s struct {
			Type string `json:"type"`
		}
		form := map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}[typ]
		return wrap(func(t string) (string, error) { return form.String(t), nil }, strict(raw, &s))
	case "Prepend":
		var s struct {
			Type    string `json:"type"`
			Prepend string `json:"prepend"`
		}
		err := strict(raw, &s)
		return wrap(func(t string) (string, error) {
			if t == "" {
				return t, nil
			}
			return s.Prepend + t, nil
		}, err)
	case "Replace":
		r, err := parseReplace(raw)
		if err != nil {
			return wrap(nil, err)
		}
		return wrap(r.apply, nil)
	}
	return nil, fmt.Errorf("normalizer %s is not supported; supported: %s", quote(typ), supportedNormalizers)
}

// enter bounds the size and nesting of a component.
func enter(steps *int, depth int) error {
	if *steps++; *steps > maxSteps || depth > maxDepth {
		return fmt.Errorf("more than %d steps or %d levels of Sequence", maxSteps, maxDepth)
	}
	return nil
}

// pattern is HF's {"String": ...} or {"Regex": ...}.
type pattern struct {
	String *string `json:"String"`
	Regex  *string `json:"Regex"`
}

// replace is the Replace step of normalizers and decoders.
type replace struct {
	old string // when re is nil
	re  *splitRegex
	new string
}

func parseReplace(raw json.RawMessage) (*replace, error) {
	var s struct {
		Type    string  `json:"type"`
		Pattern pattern `json:"pattern"`
		Content string  `json:"content"`
	}
	if err := strict(raw, &s); err != nil {
		return nil, err
	}
	switch {
	case s.Pattern.String != nil && s.Pattern.Regex == nil:
		if *s.Pattern.String == "" {
			return nil, errors.New("the pattern is empty")
		}
		return &replace{old: *s.Pattern.String, new: s.Content}, nil
	case s.Pattern.Regex != nil && s.Pattern.String == nil:
		re, err := compileSplit(*s.Pattern.Regex)
		if err != nil {
			return nil, err
		}
		return &replace{re: re, new: s.Content}, nil
	}
	return nil, errors.New(`pattern must be {"String": ...} or {"Regex": ...}`)
}

func (r *replace) apply(t string) (string, error) {
	if r.re == nil {
		return strings.ReplaceAll(t, r.old, r.new), nil
	}
	spans, err := r.re.spans(t)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	at := 0
	for _, s := range spans {
		b.WriteString(t[at:s[0]])
		b.WriteString(r.new)
		at = s[1]
	}
	b.WriteString(t[at:])
	return b.String(), nil
}
