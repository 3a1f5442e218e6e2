package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// config is what the files beside tokenizer.json say. They hold many other settings, so unknown fields are allowed.
type config struct {
	Class              string                     `json:"tokenizer_class"`
	BOS                json.RawMessage            `json:"bos_token"`
	EOS                json.RawMessage            `json:"eos_token"`
	Unk                json.RawMessage            `json:"unk_token"`
	Pad                json.RawMessage            `json:"pad_token"`
	AddBOS             *bool                      `json:"add_bos_token"`
	AddEOS             *bool                      `json:"add_eos_token"`
	AddPrefixSpace     *bool                      `json:"add_prefix_space"`
	AddedTokensDecoder map[string]json.RawMessage `json:"added_tokens_decoder"`
	ChatTemplate       json.RawMessage            `json:"chat_template"`

	decoderTokens []addedToken // added_tokens_decoder in order of id
	extra         []addedToken // those of them that tokenizer.json does not have
	generation    struct {
		BOS *int            `json:"bos_token_id"`
		EOS json.RawMessage `json:"eos_token_id"`
	}
	template string
}

func readConfig(fsys fs.FS) (*config, error) {
	c := &config{}
	raw, err := readOptional(fsys, "tokenizer_config.json")
	if err != nil {
		return nil, err
	}
	if raw != nil {
		if err := json.Unmarshal(raw, c); err != nil {
			return nil, fmt.Errorf("tokenizer_config.json: %w", oneLine(err))
		}
	}
	if err := c.readSpecialMap(fsys); err != nil {
		return nil, err
	}
	if raw, err = readOptional(fsys, "generation_config.json"); err != nil {
		return nil, err
	}
	if raw != nil {
		if err := json.Unmarshal(raw, &c.generation); err != nil {
			return nil, fmt.Errorf("generation_config.json: %w", oneLine(err))
		}
	}
	if err := c.parseDecoderTokens(); err != nil {
		return nil, fmt.Errorf("tokenizer_config.json: added_tokens_decoder: %w", err)
	}
	if err := c.readTemplate(fsys); err != nil {
		return nil, err
	}
	return c, nil
}

// readSpecialMap fills names that tokenizer_config.json does not mention at all (null there means "none").
func (c *config) readSpecialMap(fsys fs.FS) error {
	raw, err := readOptional(fsys, "special_tokens_map.json")
	if err != nil || raw == nil {
		return err
	}
	var m config
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("special_tokens_map.json: %w", oneLine(err))
	}
	for _, p := range []struct{ to, from *json.RawMessage }{{&c.BOS, &m.BOS}, {&c.EOS, &m.EOS}, {&c.Unk, &m.Unk}, {&c.Pad, &m.Pad}} {
		if *p.to == nil {
			*p.to = *p.from
		}
	}
	return nil
}

func (c *config) parseDecoderTokens() error {
	for id, raw := range c.AddedTokensDecoder {
		var k addedToken
		if err := strict(raw, &k); err != nil {
			return fmt.Errorf("token %s: %w", quote(id), err)
		}
		n, err := strconv.Atoi(id)
		if err != nil {
			return fmt.Errorf("%s is not a token id", quote(id))
		}
		k.ID = n
		c.decoderTokens = append(c.decoderTokens, k)
	}
	slices.SortFunc(c.decoderTokens, func(a, b addedToken) int { return a.ID - b.ID })
	return nil
}

// extraTokens returns the file's added tokens and after them those that only tokenizer_config.json has: transformers adds
// these when it loads the checkpoint. A token that both have is the file's; a different content for its id is caught
// when the tokens are checked.
func (c *config) extraTokens(file []addedToken) []addedToken {
	have := make(map[addedToken]bool, len(file))
	key := func(k addedToken) addedToken { return addedToken{ID: k.ID, Content: k.Content} }
	for _, k := range file {
		have[key(k)] = true
	}
	for _, k := range c.decoderTokens {
		if !have[key(k)] {
			c.extra = append(c.extra, k)
		}
	}
	return append(slices.Clip(file), c.extra...)
}

// readTemplate finds the chat template: chat_template.jinja, else the string or the list of named templates in
// tokenizer_config.json, of which "default" is taken.
func (c *config) readTemplate(fsys fs.FS) error {
	raw, err := readOptional(fsys, "chat_template.jinja")
	if err != nil {
		return err
	}
	if raw != nil {
		c.template = string(raw)
		return nil
	}
	if isNull(c.ChatTemplate) || json.Unmarshal(c.ChatTemplate, &c.template) == nil {
		return nil
	}
	var named []struct {
		Name     string `json:"name"`
		Template string `json:"template"`
	}
	if err := json.Unmarshal(c.ChatTemplate, &named); err != nil {
		return errors.New("tokenizer_config.json: chat_template must be a string or a list of {name, template}")
	}
	for _, n := range named {
		if n.Name == "default" {
			c.template = n.Template
		}
	}
	return nil
}

// tokenName reads a token given as "x" or {"content": "x", ...}; null and absent are "".
func tokenName(raw json.RawMessage) (string, error) {
	if isNull(raw) {
		return "", nil
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, nil
	}
	var k struct {
		Content string `json:"content"`
	}
	if err := json.Unmarshal(raw, &k); err != nil || k.Content == "" {
		return "", errors.New(`must be a string or {"content": ...}`)
	}
	return k.Content, nil
}

// usesAddBOS tells the classes whose add_bos_token and add_eos_token replace the post-processor of tokenizer.json.
func usesAddBOS(class string) bool {
	switch strings.TrimSuffix(class, "Fast") {
	case "LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer", "CohereTokenizer":
		return true
	}
	return false
}

// names that stand for BOS and EOS by convention, for a checkpoint whose files name none.
var (
	knownBOS = []string{"<s>", "<|begin_of_text|>", "<bos>", "<|endoftext|>"}
	knownEOS = []string{"</s>", "<|end_of_text|>", "<eos>", "<|endoftext|>"}
)

// configure sets BOS, EOS and the chat template. prefix is the id that the post-processor prepends, -1 for none.
func (t *Tokenizer) configure(c *config, prefix int) error {
	if c.AddPrefixSpace != nil && t.pre.prefix != nil && *c.AddPrefixSpace != *t.pre.prefix {
		return fmt.Errorf("tokenizer_config.json: add_prefix_space %t contradicts %t in tokenizer.json; they must agree", *c.AddPrefixSpace, *t.pre.prefix)
	}
	t.template = c.template
	for _, p := range []struct {
		name string
		raw  json.RawMessage
		text *string
	}{{"bos_token", c.BOS, &t.bosText}, {"eos_token", c.EOS, &t.eosText}, {"unk_token", c.Unk, &t.unkText}, {"pad_token", c.Pad, &t.padText}} {
		s, err := tokenName(p.raw)
		if err != nil {
			return fmt.Errorf("%s %w", p.name, err)
		}
		*p.text = s
	}
	if err := t.configureBOS(c, prefix); err != nil {
		return err
	}
	return t.configureEOS(c)
}

func (t *Tokenizer) configureBOS(c *config, prefix int) error {
	switch {
	case t.bosText != "":
		id, ok := t.id(t.bosText)
		if !ok {
			return fmt.Errorf("bos_token %s is not a token of tokenizer.json", quote(t.bosText))
		}
		t.bos = id
	case prefix >= 0:
		t.bos = prefix
	case c.BOS != nil: // null: the checkpoint says it has none
	case c.generation.BOS != nil:
		if !t.known(*c.generation.BOS) {
			return fmt.Errorf("generation_config.json: bos_token_id %d is not a token id (0 to %d)", *c.generation.BOS, t.Size()-1)
		}
		t.bos = *c.generation.BOS
	default:
		t.bos = t.firstSpecial(knownBOS)
	}
	if prefix >= 0 && prefix != t.bos {
		return fmt.Errorf("the post_processor prepends %s but bos_token is %s; they must agree", quote(t.tokens[prefix]), quote(t.bosText))
	}
	t.addsBOS = prefix >= 0
	if usesAddBOS(c.Class) {
		if c.AddBOS != nil {
			t.addsBOS = *c.AddBOS
		}
		if c.AddEOS != nil && *c.AddEOS {
			return errors.New("tokenizer_config.json: add_eos_token true is not supported; it must be false")
		}
	}
	if t.addsBOS && t.bos < 0 {
		return errors.New("tokenizer_config.json: add_bos_token is true but no bos_token is named")
	}
	if t.bosText == "" && t.bos >= 0 {
		t.bosText = t.tokens[t.bos]
	}
	return nil
}

func (t *Tokenizer) configureEOS(c *config) error {
	add := func(id int) {
		if !slices.Contains(t.eos, id) {
			t.eos = append(t.eos, id)
		}
	}
	if t.eosText != "" {
		id, ok := t.id(t.eosText)
		if !ok {
			return fmt.Errorf("eos_token %s is not a token of tokenizer.json", quote(t.eosText))
		}
		add(id)
	}
	if raw := c.generation.EOS; !isNull(raw) {
		var one int
		var ids []int
		if json.Unmarshal(raw, &one) == nil {
			ids = []int{one}
		} else if json.Unmarshal(raw, &ids) != nil {
			return errors.New("generation_config.json: eos_token_id must be an id or a list of ids")
		}
		for _, id := range ids {
			if !t.known(id) {
				return fmt.Errorf("generation_config.json: eos_token_id %d is not a token id (0 to %d)", id, t.Size()-1)
			}
			add(id)
		}
	}
	if len(t.eos) == 0 && c.EOS == nil {
		if id := t.firstSpecial(knownEOS); id >= 0 {
			add(id)
		}
	}
	if t.eosText == "" && len(t.eos) > 0 {
		t.eosText = t.tokens[t.eos[0]]
	}
	return nil
}

// id finds a token by its content.
func (t *Tokenizer) id(content string) (int, bool) {
	if id, ok := t.byContent[content]; ok {
		return id, true
	}
	id, ok := t.model.vocab[content]
	return int(id), ok
}

func (t *Tokenizer) firstSpecial(names []string) int {
	for _, n := range names {
		if id, ok := t.byContent[n]; ok && t.IsSpecial(id) {
			return id
		}
	}
	return -1
}
