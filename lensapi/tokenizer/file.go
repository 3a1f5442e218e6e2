package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

const (
	// maxTokenizerFile bounds tokenizer.json: the largest published ones are about 35 MB.
	maxTokenizerFile = 256 << 20
	// maxConfigFile bounds the small files beside it.
	maxConfigFile = 16 << 20
	// maxID bounds every token id, so that a file of a few bytes cannot ask for gigabytes.
	maxID = 1<<22 - 1
	// maxSteps bounds the steps of a Sequence, and maxDepth how deep they nest.
	maxSteps = 64
	maxDepth = 8
)

// readFile reads name up to limit bytes. A missing file gives fs.ErrNotExist.
func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s is larger than the allowed %d bytes", name, limit)
	}
	return b, nil
}

// readOptional is readFile, with nil for a file that does not exist.
func readOptional(fsys fs.FS, name string) ([]byte, error) {
	b, err := readFile(fsys, name, maxConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// tokenizerFile is tokenizer.json. Fields are raw where their meaning depends on a "type".
type tokenizerFile struct {
	Version       json.RawMessage `json:"version"`
	Truncation    json.RawMessage `json:"truncation"` // this and the next are left over from training, and not what
	Padding       json.RawMessage `json:"padding"`    // Hugging Face's library does to a text unless it is told to
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

type addedToken struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// modelFile is the "model" object.
type modelFile struct {
	Type                    string          `json:"type"`
	Dropout                 *float64        `json:"dropout"`
	UnkToken                *string         `json:"unk_token"`
	ContinuingSubwordPrefix *string         `json:"continuing_subword_prefix"`
	EndOfWordSuffix         *string         `json:"end_of_word_suffix"`
	FuseUnk                 bool            `json:"fuse_unk"`
	ByteFallback            bool            `json:"byte_fallback"`
	IgnoreMerges            bool            `json:"ignore_merges"`
	Vocab                   map[string]int  `json:"vocab"`
	Merges                  json.RawMessage `json:"merges"`
}

// isNull says whether a field is absent or null.
func isNull(raw json.RawMessage) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || string(raw) == "null"
}

// strict decodes raw into v and refuses unknown fields, because an unknown field may change the ids.
func strict(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return oneLine(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("data after the JSON value")
	}
	return nil
}

// typeOf reads the "type" of a component.
func typeOf(raw json.RawMessage) (string, error) {
	var t struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(raw, &t); err != nil {
		return "", oneLine(err)
	}
	return t.Type, nil
}

// oneLine shortens an error to one line of bounded length: messages may quote a hostile file.
func oneLine(err error) error {
	s := err.Error()
	if !strings.ContainsAny(s, "\n\r") && len(s) <= 400 {
		return err
	}
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 400 {
		s = strings.ToValidUTF8(s[:400], "") + "..."
	}
	return errors.New(s)
}

// quote shows a token in an error, cut to a bounded length.
func quote(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%q...", strings.ToValidUTF8(s[:60], ""))
	}
	return fmt.Sprintf("%q", s)
}

// parseMerges reads "a b" strings and ["a","b"] pairs.
func parseMerges(raw json.RawMessage) ([][2]string, error) {
	if isNull(raw) {
		return nil, nil
	}
	var lines []string
	if err := json.Unmarshal(raw, &lines); err == nil {
		out := make([][2]string, len(lines))
		for i, l := range lines {
			a, b, ok := strings.Cut(l, " ")
			if !ok || a == "" || b == "" || strings.Contains(b, " ") {
				return nil, fmt.Errorf(`merge %d is %s; it must be two tokens with one space between, or a pair ["a","b"]`, i, quote(l))
			}
			out[i] = [2]string{a, b}
		}
		return out, nil
	}
	var pairs [][]string
	if err := json.Unmarshal(raw, &pairs); err != nil {
		return nil, errors.New(`merges must be a list of "a b" strings or of ["a","b"] pairs`)
	}
	out := make([][2]string, len(pairs))
	for i, p := range pairs {
		if len(p) != 2 || p[0] == "" || p[1] == "" {
			return nil, fmt.Errorf("merge %d must be a pair of two non-empty tokens", i)
		}
		out[i] = [2]string{p[0], p[1]}
	}
	return out, nil
}
