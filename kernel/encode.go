package kernel

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// encode is json.Marshal without the escapes meant for JSON inside HTML, which
// would make every HTML output larger.
func encode(v any) (json.RawMessage, error) {
	switch c := v.(type) {
	case wire.DisplayContent:
		texts := cutTexts(&c.Data)
		return encodeAround(c, texts)
	case wire.ExecuteResultContent:
		texts := cutTexts(&c.Data)
		return encodeAround(c, texts)
	}
	return encodeAround(v, nil)
}

// largeText is the length from which a text is written to the message in pieces. encoding/json holds three copies of it while it
// grows its buffers, which for a picture of 50 MB is most of the time that showing it takes.
const largeText = 1 << 20

// leftOut is a text that is left out, and what stands for it.
type leftOut struct{ mark, text string }

// cutTexts leaves the large texts out of a copy of d. They come in the order in which JSON has them.
func cutTexts(d *wire.Bundle) (texts []leftOut) {
	for _, key := range slices.Sorted(maps.Keys(*d)) {
		if s, ok := (*d)[key].(string); ok && len(s) >= largeText {
			if texts == nil {
				*d = maps.Clone(*d)
			}
			mark := rand.Text()
			(*d)[key] = mark
			texts = append(texts, leftOut{mark, s})
		}
	}
	return texts
}

func encodeAround(v any, texts []leftOut) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	rest := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(texts) == 0 {
		return rest, nil
	}
	size := len(rest)
	for _, t := range texts {
		size += len(t.text) + len(t.text)/16 // for what must be escaped
	}
	out := make([]byte, 0, size)
	for _, t := range texts {
		before, after, _ := bytes.Cut(rest, []byte(t.mark))
		out = appendText(append(out, before...), t.text)
		rest = after
	}
	return append(out, rest...), nil
}

// appendText appends what is between the quotes of s in JSON.
func appendText(out []byte, s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for len(s) > 0 {
		n := min(len(s), 64<<10)
		for range utf8.UTFMax - 1 {
			if n < len(s) && !utf8.RuneStart(s[n]) {
				n++
			}
		}
		b.Reset()
		e.Encode(s[:n]) // a string always encodes
		out = append(out, b.Bytes()[1:b.Len()-2]...)
		s = s[n:]
	}
	return out
}
