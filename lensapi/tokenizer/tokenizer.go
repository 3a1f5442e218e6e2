package tokenizer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"
)

// maxText bounds one call of Encode.
const maxText = 256 << 20

// Tokenizer is a loaded tokenizer. Make one with Load. It is safe for concurrent use.
type Tokenizer struct {
	model       *bpe
	normalizers []normalizer
	pre         preTokenizers
	dec         decoder
	hasDecoder  bool

	tokens      []string // by id; "" for an id that no token has
	added       map[int]*addedToken
	byContent   map[string]int
	raw, normal *trie

	bos     int // -1 none
	addsBOS bool
	eos     []int
	digest  string

	template string
	bosText  string
	eosText  string
	unkText  string
	padText  string
}

// Load reads tokenizer.json and the files beside it from the root of a checkpoint folder.
//
// Errors are one line, name the file and the part that is wrong or not supported, and list what is supported. A chat
// template is only read here: what is wrong with it is reported by RenderChat, so that such a model can still be used
// with plain prompts.
func Load(fsys fs.FS) (*Tokenizer, error) {
	raw, err := readFile(fsys, "tokenizer.json", maxTokenizerFile)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	cfg, err := readConfig(fsys)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	t, err := parse(raw, cfg)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return t, nil
}

func parse(raw []byte, cfg *config) (*Tokenizer, error) {
	var f tokenizerFile
	if err := strict(raw, &f); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	t := &Tokenizer{bos: -1}
	prefix, err := t.build(&f, cfg)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	if err := t.configure(cfg, prefix); err != nil {
		return nil, err
	}
	t.digest, err = digest(raw, cfg)
	return t, err
}

// build makes everything that tokenizer.json describes and returns the id that its post-processor prepends, -1 for none.
func (t *Tokenizer) build(f *tokenizerFile, cfg *config) (prefix int, err error) {
	m, err := parseModel(f.Model)
	if err != nil {
		return -1, err
	}
	if t.model, err = newBPE(m); err != nil {
		return -1, err
	}
	steps := 0
	if t.normalizers, err = parseNormalizer(f.Normalizer, &steps, 0); err != nil {
		return -1, err
	}
	if err = parsePreTokenizer(f.PreTokenizer, &t.pre, &steps, 0); err != nil {
		return -1, err
	}
	t.hasDecoder = !isNull(f.Decoder)
	if err = parseDecoder(f.Decoder, &t.dec, &steps, 0); err != nil {
		return -1, err
	}
	if err = t.addTokens(cfg.extraTokens(f.AddedTokens)); err != nil {
		return -1, err
	}
	if err = t.index(); err != nil {
		return -1, err
	}
	return t.parsePost(f.PostProcessor, &steps, 0)
}

func parseModel(raw json.RawMessage) (*modelFile, error) {
	if isNull(raw) {
		return nil, errors.New("model is missing")
	}
	typ, err := typeOf(raw)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	// Files written before the field existed have no type; strict decoding then tells a BPE model by its fields.
	if typ != "BPE" && typ != "" {
		return nil, fmt.Errorf("model %s is not supported; supported: BPE", quote(typ))
	}
	var m modelFile
	if err := strict(raw, &m); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return &m, nil
}

// index makes the table from id to token.
func (t *Tokenizer) index() error {
	top := 0
	for _, id := range t.model.vocab {
		top = max(top, int(id))
	}
	for id := range t.added {
		top = max(top, id)
	}
	// The table is as long as the highest id, so a tiny file must not name a huge one.
	if n := len(t.model.vocab) + len(t.added); top >= 4*n+1<<16 {
		return fmt.Errorf("the highest id is %d for %d tokens; ids may be at most %d here", top, n, 4*n+1<<16-1)
	}
	t.tokens = make([]string, top+1)
	for s, id := range t.model.vocab {
		t.tokens[id] = s
	}
	for id, k := range t.added {
		t.tokens[id] = k.Content
	}
	return nil
}

// parsePost reads the post-processor, of which only a single prepended token can be honoured.
func (t *Tokenizer) parsePost(raw json.RawMessage, steps *int, depth int) (int, error) {
	const supported = "null, ByteLevel, Sequence, TemplateProcessing"
	if isNull(raw) {
		return -1, nil
	}
	if err := enter(steps, depth); err != nil {
		return -1, fmt.Errorf("post_processor: %w", err)
	}
	typ, err := typeOf(raw)
	if err != nil {
		return -1, fmt.Errorf("post_processor: %w", err)
	}
	switch typ {
	case "ByteLevel": // offsets only
		return -1, nil
	case "Sequence":
		var s struct {
			Type       string            `json:"type"`
			Processors []json.RawMessage `json:"processors"`
		}
		if err := strict(raw, &s); err != nil {
			return -1, fmt.Errorf("post_processor %s: %w", typ, err)
		}
		prefix := -1
		for _, r := range s.Processors {
			id, err := t.parsePost(r, steps, depth+1)
			if err != nil {
				return -1, err
			}
			if id >= 0 && prefix >= 0 {
				return -1, errors.New("post_processor prepends two tokens; at most one is supported")
			}
			prefix = max(prefix, id)
		}
		return prefix, nil
	case "TemplateProcessing":
		id, err := t.parseTemplateProcessing(raw)
		if err != nil {
			return -1, fmt.Errorf("post_processor %s: %w", typ, err)
		}
		return id, nil
	}
	return -1, fmt.Errorf("post_processor %s is not supported; supported: %s", quote(typ), supported)
}

func (t *Tokenizer) parseTemplateProcessing(raw json.RawMessage) (int, error) {
	type ref struct {
		ID     string `json:"id"`
		TypeID int    `json:"type_id"`
	}
	var s struct {
		Type   string `json:"type"`
		Single []struct {
			SpecialToken *ref `json:"SpecialToken"`
			Sequence     *ref `json:"Sequence"`
		} `json:"single"`
		Pair          json.RawMessage `json:"pair"` // pairs of texts are not encoded here
		SpecialTokens map[string]struct {
			ID     string   `json:"id"`
			IDs    []int    `json:"ids"`
			Tokens []string `json:"tokens"`
		} `json:"special_tokens"`
	}
	if err := strict(raw, &s); err != nil {
		return -1, err
	}
	prefix, seen := -1, false
	for _, p := range s.Single {
		switch {
		case p.Sequence != nil && p.SpecialToken == nil && !seen:
			seen = true
		case p.SpecialToken != nil && p.Sequence == nil && !seen && prefix < 0:
			k := s.SpecialTokens[p.SpecialToken.ID]
			if len(k.IDs) != 1 || !t.known(k.IDs[0]) {
				return -1, fmt.Errorf("special token %s must have exactly one id, of a token of the file", quote(p.SpecialToken.ID))
			}
			prefix = k.IDs[0]
		default:
			return -1, errors.New("only the text, or one special token and then the text, is supported")
		}
	}
	if !seen {
		return -1, errors.New("the text (Sequence A) is missing")
	}
	return prefix, nil
}

func (t *Tokenizer) known(id int) bool { return id >= 0 && id < len(t.tokens) && t.tokens[id] != "" }

func (t *Tokenizer) normalize(s string) (string, error) {
	var err error
	for _, n := range t.normalizers {
		if s, err = n(s); err != nil {
			return "", fmt.Errorf("normalizer: %w", err)
		}
	}
	return s, nil
}

// Encode returns the ids of text. Added and special tokens that occur in the text are recognised as such; neither BOS
// nor EOS is added. The empty text has no ids.
//
// Text that is not UTF-8, or longer than 256 MiB, is an error, and so is a character that the vocabulary cannot express
// when the checkpoint has no unknown token.
func (t *Tokenizer) Encode(text string) ([]int, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("encode: the text has %d bytes; at most %d are allowed", len(text), maxText)
	}
	if at := invalidAt(text); at >= 0 {
		return nil, fmt.Errorf("encode: byte %d of the text is not UTF-8; only valid UTF-8 can be encoded", at)
	}
	ids := make([]int, 0, len(text)/3+1)
	for _, s := range t.raw.cut(text, true) {
		if s.tok != nil {
			ids = append(ids, s.tok.ID)
			continue
		}
		n, err := t.normalize(s.text)
		if err != nil {
			return nil, fmt.Errorf("encode: %w", err)
		}
		for _, s := range t.normal.cut(n, s.first) {
			if s.tok != nil {
				ids = append(ids, s.tok.ID)
				continue
			}
			if ids, err = t.encodePiece(ids, piece{s.text, s.first}); err != nil {
				return nil, fmt.Errorf("encode: %w", err)
			}
		}
	}
	return ids, nil
}

func (t *Tokenizer) encodePiece(ids []int, p piece) ([]int, error) {
	pieces := []piece{p}
	var err error
	for _, step := range t.pre.steps {
		if pieces, err = step(pieces); err != nil {
			return nil, fmt.Errorf("pre_tokenizer: %w", err)
		}
	}
	for _, p := range pieces {
		if ids, err = t.model.encode(ids, p.text); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// invalidAt is the offset of the first byte of s that is not UTF-8, -1 if there is none.
func invalidAt(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
	}
	return -1
}

// Decode returns the text of ids as the checkpoint's decoder writes it: special tokens and unknown ids are left out, as
// Hugging Face does with skip_special_tokens, bytes that are not UTF-8 become U+FFFD, and a sentencepiece-style decoder
// strips the one space that it put before the text. It does not clean up spaces before punctuation.
func (t *Tokenizer) Decode(ids []int) string {
	parts := make([]string, 0, len(ids))
	for _, id := range ids {
		if t.known(id) && !t.IsSpecial(id) {
			parts = append(parts, t.tokens[id])
		}
	}
	if !t.hasDecoder {
		// The reference puts spaces between tokens when a file has no decoder.
		return strings.Join(parts, " ")
	}
	for _, step := range t.dec.steps {
		parts = step(parts)
	}
	return strings.Join(parts, "")
}

// Bytes returns the exact bytes that token id stands for in a text: byte-level and byte-fallback tokens are decoded, the
// mark for a space is a space, and an added or special token is its own content. It is nil for an id that no token has.
// The caller may keep and change the result.
func (t *Tokenizer) Bytes(id int) []byte {
	if !t.known(id) {
		return nil
	}
	s := t.tokens[id]
	if _, ok := t.added[id]; ok {
		return []byte(s)
	}
	if t.model.byteFallback {
		if b, ok := fallbackByte(s); ok {
			return []byte{b}
		}
	}
	if t.pre.byteLevel || t.dec.byteLevel {
		if b, ok := fromByteLevel(s); ok {
			return b
		}
	}
	for _, r := range t.dec.unmark {
		if u, err := r.apply(s); err == nil {
			s = u
		}
	}
	return []byte(s)
}

// IsSpecial says whether id is a special token: one that Decode leaves out.
func (t *Tokenizer) IsSpecial(id int) bool {
	k, ok := t.added[id]
	return ok && k.Special
}

// Size is the highest id + 1. A model's d_vocab may be larger, where it is padded.
func (t *Tokenizer) Size() int { return len(t.tokens) }

// BOS returns the id of the beginning-of-sequence token; ok is false when the checkpoint names none. Encode never adds it.
func (t *Tokenizer) BOS() (id int, ok bool) { return t.bos, t.bos >= 0 }

// AddsBOS says whether the checkpoint's own settings put BOS before a text.
func (t *Tokenizer) AddsBOS() bool { return t.addsBOS }

// EOS returns the ids that end a generation, the tokenizer's own first; it may be empty. The caller may change the result.
func (t *Tokenizer) EOS() []int { return append([]int(nil), t.eos...) }

// Digest is the hex SHA-256 of everything that affects ids: tokenizer.json without the whitespace between its JSON
// values, and added tokens that only tokenizer_config.json names. It does not depend on line endings, but two files with
// the same meaning and another order of fields differ.
func (t *Tokenizer) Digest() string { return t.digest }

func digest(raw []byte, cfg *config) (string, error) {
	h := sha256.New()
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return "", fmt.Errorf("tokenizer.json: %w", oneLine(err))
	}
	h.Write(b.Bytes())
	if len(cfg.extra) > 0 {
		extra, err := json.Marshal(cfg.extra)
		if err != nil {
			return "", fmt.Errorf("tokenizer_config.json: %w", err)
		}
		h.Write(extra)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
