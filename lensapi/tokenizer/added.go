package tokenizer

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxAdded      = 1 << 17
	maxAddedBytes = 1 << 20 // of all added tokens together: each byte may become a node of a trie
)

// trie holds added tokens for leftmost-longest matching.
type trie struct {
	nodes []trieNode
	empty bool
}

type trieNode struct {
	next  map[byte]int32
	token *addedToken
}

func newTrie() *trie { return &trie{nodes: make([]trieNode, 1), empty: true} }

func (t *trie) add(content string, tok *addedToken) {
	at := int32(0)
	for i := range len(content) {
		n := &t.nodes[at]
		child, ok := n.next[content[i]]
		if !ok {
			if n.next == nil {
				n.next = map[byte]int32{}
			}
			child = int32(len(t.nodes))
			n.next[content[i]] = child
			t.nodes = append(t.nodes, trieNode{})
		}
		at = child
	}
	t.nodes[at].token = tok
	t.empty = false
}

// find returns the leftmost match in s at or after from, the longest of those that begin there.
func (t *trie) find(s string, from int) (start, end int, tok *addedToken) {
	for i := from; i < len(s); i++ {
		at := int32(0)
		for j := i; j < len(s); j++ {
			child, ok := t.nodes[at].next[s[j]]
			if !ok {
				break
			}
			at = child
			if n := t.nodes[at].token; n != nil {
				end, tok = j+1, n
			}
		}
		if tok != nil {
			return i, end, tok
		}
	}
	return 0, 0, nil
}

// segment is a stretch of text, or an added token when tok is set.
type segment struct {
	text  string
	first bool // begins where the whole text begins
	tok   *addedToken
}

// cut splits s at the added tokens of t, with their lstrip, rstrip and single_word.
func (t *trie) cut(s string, first bool) []segment {
	if s == "" {
		return nil
	}
	if t.empty {
		return []segment{{text: s, first: first}}
	}
	var out []segment
	done := 0 // bytes of s already in out
	for from := 0; ; {
		start, end, tok := t.find(s, from)
		if tok == nil {
			break
		}
		from = end
		if tok.SingleWord && (wordEnds(s[:start]) || wordBegins(s[end:])) {
			continue
		}
		if tok.LStrip {
			start = max(len(strings.TrimRightFunc(s[:start], isSpace)), done)
		}
		if tok.RStrip {
			end = len(s) - len(strings.TrimLeftFunc(s[end:], isSpace))
		}
		if tok.LStrip && start >= end { // all of it was eaten by the token before
			continue
		}
		if done < start {
			out = append(out, segment{text: s[done:start], first: first && done == 0})
		}
		// A token of spaces is there even if rstrip of the one before has eaten them, unless it has lstrip, and what
		// follows it is text again: so it is in the reference.
		out = append(out, segment{tok: tok})
		done = end
	}
	if done < len(s) {
		out = append(out, segment{text: s[done:], first: first && done == 0})
	}
	return out
}

func isSpace(r rune) bool { return unicode.Is(unicode.White_Space, r) }

func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Pc, unicode.Nl, unicode.Other_Alphabetic, unicode.Join_Control)
}

func wordEnds(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && isWord(r)
}

func wordBegins(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && isWord(r)
}

// addTokens checks the added tokens against the vocabulary and builds the two tries: tokens matched in the text as it
// is, and tokens matched after normalization (their content is normalized too).
func (t *Tokenizer) addTokens(tokens []addedToken) error {
	if len(tokens) > maxAdded {
		return fmt.Errorf("added_tokens has %d entries; at most %d are allowed", len(tokens), maxAdded)
	}
	owner := make(map[int]string, len(t.model.vocab))
	for s, id := range t.model.vocab {
		owner[int(id)] = s
	}
	t.added = make(map[int]*addedToken, len(tokens))
	t.byContent = make(map[string]int, len(tokens))
	t.raw, t.normal = newTrie(), newTrie()
	total := 0
	for i := range tokens {
		k := &tokens[i]
		if total += len(k.Content); total > maxAddedBytes {
			return fmt.Errorf("added_tokens have more than %d bytes", maxAddedBytes)
		}
		switch s, taken := owner[k.ID]; {
		case k.Content == "":
			return fmt.Errorf("added token %d is empty", i)
		case !utf8.ValidString(k.Content):
			return fmt.Errorf("added token %s is not UTF-8", quote(k.Content))
		case k.ID < 0 || k.ID > maxID:
			return fmt.Errorf("added token %s has the id %d; allowed are 0 to %d", quote(k.Content), k.ID, maxID)
		case taken && s != k.Content:
			return fmt.Errorf("added token %s has the id %d, which belongs to %s", quote(k.Content), k.ID, quote(s))
		}
		if id, ok := t.model.vocab[k.Content]; ok && int(id) != k.ID {
			return fmt.Errorf("added token %s has the id %d, but model.vocab gives it %d", quote(k.Content), k.ID, id)
		}
		if _, ok := t.added[k.ID]; ok {
			return fmt.Errorf("added token id %d occurs twice", k.ID)
		}
		if id, ok := t.byContent[k.Content]; ok {
			return fmt.Errorf("added token %s occurs twice, as %d and %d", quote(k.Content), id, k.ID)
		}
		owner[k.ID] = k.Content
		t.added[k.ID], t.byContent[k.Content] = k, k.ID
		if !k.Normalized {
			t.raw.add(k.Content, k)
			continue
		}
		c, err := t.normalize(k.Content)
		if err != nil {
			return err
		}
		if c == "" {
			return errors.New("added token " + quote(k.Content) + " is empty after normalization")
		}
		t.normal.add(c, k)
	}
	return nil
}
