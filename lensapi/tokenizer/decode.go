package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// decodeStep turns the token strings of a sequence into others; the joined result is the text.
type decodeStep func([]string) []string

// decoder is the parsed component. unmark undoes, for one token, the character that stands for a space.
type decoder struct {
	steps     []decodeStep
	byteLevel bool
	unmark    []*replace
}

const supportedDecoders = "Sequence, ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace"

func parseDecoder(raw json.RawMessage, d *decoder, steps *int, depth int) error {
	if isNull(raw) {
		return nil
	}
	if err := enter(steps, depth); err != nil {
		return fmt.Errorf("decoder: %w", err)
	}
	typ, err := typeOf(raw)
	if err != nil {
		return fmt.Errorf("decoder: %w", err)
	}
	var step decodeStep
	switch typ {
	case "Sequence":
		var s struct {
			Type     string            `json:"type"`
			Decoders []json.RawMessage `json:"decoders"`
		}
		if err := strict(raw, &s); err != nil {
			return fmt.Errorf("decoder %s: %w", typ, err)
		}
		for _, r := range s.Decoders {
			if err := parseDecoder(r, d, steps, depth+1); err != nil {
				return err
			}
		}
		return nil
	case "ByteLevel":
		var s struct {
			Type           string `json:"type"`
			AddPrefixSpace bool   `json:"add_prefix_space"`
			TrimOffsets    bool   `json:"trim_offsets"`
			UseRegex       bool   `json:"use_regex"`
		}
		err, d.byteLevel, step = strict(raw, &s), true, decodeByteLevel
	case "Replace":
		var r *replace
		if r, err = parseReplace(raw); err == nil {
			d.unmark = append(d.unmark, r)
			step = func(in []string) []string {
				for i, t := range in {
					if u, err := r.apply(t); err == nil {
						in[i] = u
					}
				}
				return in
			}
		}
	case "ByteFallback", "Fuse":
		var s struct {
			Type string `json:"type"`
		}
		err, step = strict(raw, &s), decodeByteFallback
		if typ == "Fuse" {
			step = func(in []string) []string { return []string{strings.Join(in, "")} }
		}
	case "Strip":
		step, err = parseStrip(raw)
	case "Metaspace":
		var rep, scheme string
		if rep, scheme, _, err = parseMetaspace(raw); err == nil {
			d.unmark = append(d.unmark, &replace{old: rep, new: " "})
			step = decodeMetaspace(rep, scheme)
		}
	default:
		return fmt.Errorf("decoder %s is not supported; supported: %s", quote(typ), supportedDecoders)
	}
	if err != nil {
		return fmt.Errorf("decoder %s: %w", typ, err)
	}
	d.steps = append(d.steps, step)
	return nil
}

func parseStrip(raw json.RawMessage) (decodeStep, error) {
	var s struct {
		Type    string `json:"type"`
		Content string `json:"content"`
		Start   int    `json:"start"`
		Stop    int    `json:"stop"`
	}
	if err := strict(raw, &s); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(s.Content) != 1 || s.Start < 0 || s.Stop < 0 {
		return nil, errors.New("content must be one character, start and stop not negative")
	}
	return func(in []string) []string {
		for i, t := range in {
			for n := 0; n < s.Start && strings.HasPrefix(t, s.Content); n++ {
				t = t[len(s.Content):]
			}
			for n := 0; n < s.Stop && strings.HasSuffix(t, s.Content); n++ {
				t = t[:len(t)-len(s.Content)]
			}
			in[i] = t
		}
		return in
	}, nil
}

func decodeMetaspace(rep, scheme string) decodeStep {
	return func(in []string) []string {
		for i, t := range in {
			with := " "
			if i == 0 && scheme != "never" {
				with = ""
			}
			in[i] = strings.ReplaceAll(t, rep, with)
		}
		return in
	}
}

func decodeByteLevel(in []string) []string {
	var out []byte
	for _, t := range in {
		if b, ok := fromByteLevel(t); ok {
			out = append(out, b...)
		} else {
			out = append(out, t...)
		}
	}
	return []string{lossy(out)}
}

// decodeByteFallback joins runs of <0xXX>; a run that is not UTF-8 gives one U+FFFD per byte, as in the reference.
func decodeByteFallback(in []string) []string {
	out := make([]string, 0, len(in))
	var run []byte
	flush := func() {
		switch {
		case len(run) == 0:
		case utf8.Valid(run):
			out = append(out, string(run))
		default:
			out = append(out, strings.Repeat("\uFFFD", len(run)))
		}
		run = run[:0]
	}
	for _, t := range in {
		if b, ok := fallbackByte(t); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, t)
	}
	flush()
	return out
}

// fallbackByte reads a token of the form <0xXX>.
func fallbackByte(t string) (byte, bool) {
	if len(t) != 6 || t[:3] != "<0x" || t[5] != '>' {
		return 0, false
	}
	hi, lo := hexDigit(t[3]), hexDigit(t[4])
	return byte(hi<<4 | lo), hi >= 0 && lo >= 0
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// lossy is UTF-8 with U+FFFD for each maximal invalid part, as Rust's from_utf8_lossy (and the Unicode standard) does
// it: a truncated character gives one replacement, not one per byte.
func lossy(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var out strings.Builder
	out.Grow(len(b) + 8)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r != utf8.RuneError || n > 1 {
			out.Write(b[:n])
			b = b[n:]
			continue
		}
		out.WriteString("\uFFFD")
		b = b[invalidPart(b):]
	}
	return out.String()
}

// invalidPart is the length of the longest start of b that could begin a character but does not continue as one; at
// least 1.
func invalidPart(b []byte) int {
	lo, hi, need := byte(0x80), byte(0xBF), 0
	switch c := b[0]; {
	case c >= 0xC2 && c <= 0xDF:
		need = 1
	case c >= 0xE0 && c <= 0xEF:
		need = 2
		if c == 0xE0 {
			lo = 0xA0
		} else if c == 0xED {
			hi = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		need = 3
		if c == 0xF0 {
			lo = 0x90
		} else if c == 0xF4 {
			hi = 0x8F
		}
	}
	n := 1
	for ; n <= need && n < len(b) && b[n] >= lo && b[n] <= hi; n++ {
		lo, hi = 0x80, 0xBF
	}
	return n
}
