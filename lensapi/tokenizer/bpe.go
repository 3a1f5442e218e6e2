package tokenizer

import (
	"errors"
	"fmt"
	"sync"
	"unicode/utf8"
)

// merge is what happens to a pair of ids: its rank in the file and the id of the result.
type merge struct {
	rank int32
	id   int32
}

// bpe is the model: it turns one pre-tokenized word into ids.
type bpe struct {
	vocab        map[string]int32
	merges       map[uint64]merge // key: left id << 32 | right id
	unk          int32            // -1 none
	fuseUnk      bool
	ignoreMerges bool
	byteFallback bool
	bytes        [256]int32 // id of <0xXX>, -1 none

	// cache of whole words: natural text repeats them, and it makes encoding several times faster. It only grows to
	// maxCache entries of at most maxCached bytes, and is then left as it is.
	mu    sync.RWMutex
	cache map[string][]int32
}

const (
	maxCache  = 1 << 14
	maxCached = 64
)

func pairKey(a, b int32) uint64 { return uint64(uint32(a))<<32 | uint64(uint32(b)) }

// newBPE checks the model object and builds its tables.
func newBPE(m *modelFile) (*bpe, error) {
	switch {
	case m.Dropout != nil && *m.Dropout != 0:
		return nil, fmt.Errorf("model.dropout is %g, which makes ids random; only null or 0 is supported", *m.Dropout)
	case m.ContinuingSubwordPrefix != nil && *m.ContinuingSubwordPrefix != "":
		return nil, fmt.Errorf("model.continuing_subword_prefix %s is not supported; only null or empty is", quote(*m.ContinuingSubwordPrefix))
	case m.EndOfWordSuffix != nil && *m.EndOfWordSuffix != "":
		return nil, fmt.Errorf("model.end_of_word_suffix %s is not supported; only null or empty is", quote(*m.EndOfWordSuffix))
	case len(m.Vocab) == 0:
		return nil, errors.New("model.vocab is empty or missing")
	}
	b := &bpe{
		vocab:        make(map[string]int32, len(m.Vocab)),
		unk:          -1,
		fuseUnk:      m.FuseUnk,
		ignoreMerges: m.IgnoreMerges,
		byteFallback: m.ByteFallback,
		cache:        map[string][]int32{},
	}
	owner := make(map[int]string, len(m.Vocab))
	for t, id := range m.Vocab {
		if id < 0 || id > maxID {
			return nil, fmt.Errorf("model.vocab gives %s the id %d; allowed are 0 to %d", quote(t), id, maxID)
		}
		if other, taken := owner[id]; taken {
			a, c := min(t, other), max(t, other)
			return nil, fmt.Errorf("model.vocab gives the id %d to both %s and %s; ids must be unique", id, quote(a), quote(c))
		}
		owner[id] = t
		b.vocab[t] = int32(id)
	}
	for i := range b.bytes {
		b.bytes[i] = -1
		if id, ok := b.vocab[fmt.Sprintf("<0x%02X>", i)]; ok {
			b.bytes[i] = id
		}
	}
	if m.UnkToken != nil {
		id, ok := b.vocab[*m.UnkToken]
		if !ok {
			return nil, fmt.Errorf("model.unk_token %s is not in model.vocab", quote(*m.UnkToken))
		}
		b.unk = id
	}
	return b, b.addMerges(m)
}

func (b *bpe) addMerges(m *modelFile) error {
	pairs, err := parseMerges(m.Merges)
	if err != nil {
		return fmt.Errorf("model.merges: %w", err)
	}
	b.merges = make(map[uint64]merge, len(pairs))
	for i, p := range pairs {
		l, okL := b.vocab[p[0]]
		r, okR := b.vocab[p[1]]
		n, okN := b.vocab[p[0]+p[1]]
		if !okL || !okR || !okN {
			missing := p[0] + p[1]
			if !okL {
				missing = p[0]
			} else if !okR {
				missing = p[1]
			}
			return fmt.Errorf("model.merges: merge %d (%s, %s) needs %s, which is not in model.vocab", i, quote(p[0]), quote(p[1]), quote(missing))
		}
		// A pair listed twice keeps its last rank, as in the reference implementation.
		b.merges[pairKey(l, r)] = merge{rank: int32(i), id: n}
	}
	return nil
}

// encode appends the ids of one word to dst.
func (b *bpe) encode(dst []int, word string) ([]int, error) {
	if word == "" {
		return dst, nil
	}
	b.mu.RLock()
	ids, ok := b.cache[word]
	b.mu.RUnlock()
	if !ok {
		var err error
		if ids, err = b.word(word); err != nil {
			return dst, err
		}
		if len(word) <= maxCached {
			b.mu.Lock()
			if len(b.cache) < maxCache {
				b.cache[word] = ids
			}
			b.mu.Unlock()
		}
	}
	for _, id := range ids {
		dst = append(dst, int(id))
	}
	return dst, nil
}

func (b *bpe) word(word string) ([]int32, error) {
	if b.ignoreMerges {
		if id, ok := b.vocab[word]; ok {
			return []int32{id}, nil
		}
	}
	ids, err := b.symbols(word)
	if err != nil {
		return nil, err
	}
	return b.mergeAll(ids), nil
}

// symbols splits a word into one id per character, with byte fallback and the unknown token, in the order of the
// reference implementation: an unknown character waits until the next known one, so that fuse_unk can join a run.
func (b *bpe) symbols(word string) ([]int32, error) {
	ids := make([]int32, 0, len(word))
	pending := false
next:
	for i, n := 0, 0; i < len(word); i += n {
		_, n = utf8.DecodeRuneInString(word[i:])
		ch := word[i : i+n]
		if id, ok := b.vocab[ch]; ok {
			if pending {
				ids = append(ids, b.unk)
				pending = false
			}
			ids = append(ids, id)
			continue
		}
		if b.byteFallback {
			at := len(ids)
			for j := range n {
				id := b.bytes[ch[j]]
				if id < 0 {
					ids = ids[:at]
					break
				}
				ids = append(ids, id)
			}
			if len(ids) > at {
				continue next
			}
		}
		if b.unk < 0 {
			return nil, fmt.Errorf("character %q is not in the vocabulary and the tokenizer has no unknown token", ch)
		}
		if pending && !b.fuseUnk {
			ids = append(ids, b.unk)
		}
		pending = true
	}
	if pending {
		ids = append(ids, b.unk)
	}
	return ids, nil
}

// candidate is a possible merge of the symbol at pos with its right neighbour.
type candidate struct {
	rank, pos, id int32
}

func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.pos < d.pos
}

// mergeAll applies the lowest-ranked, leftmost merge until none is left. Symbols are a linked list and candidates a heap,
// so a word of n symbols costs O(n log n); a stale candidate is recognised because its pair no longer gives its id.
func (b *bpe) mergeAll(ids []int32) []int32 {
	n := len(ids)
	if n < 2 || len(b.merges) == 0 {
		return ids
	}
	next := make([]int32, n)
	prev := make([]int32, n)
	heap := make([]candidate, 0, n)
	push := func(l, r int32) {
		if m, ok := b.merges[pairKey(ids[l], ids[r])]; ok {
			heap = heapPush(heap, candidate{m.rank, l, m.id})
		}
	}
	for i := range n {
		next[i], prev[i] = int32(i+1), int32(i-1)
	}
	for i := range n - 1 {
		push(int32(i), int32(i+1))
	}
	for len(heap) > 0 {
		var c candidate
		c, heap = heapPop(heap)
		l := c.pos
		if ids[l] < 0 || next[l] == int32(n) {
			continue
		}
		r := next[l]
		if m, ok := b.merges[pairKey(ids[l], ids[r])]; !ok || m.id != c.id || m.rank != c.rank {
			continue
		}
		ids[l], ids[r] = c.id, -1
		next[l] = next[r]
		if next[l] < int32(n) {
			prev[next[l]] = l
			push(l, next[l])
		}
		if prev[l] >= 0 {
			push(prev[l], l)
		}
	}
	out := ids[:0]
	for i := int32(0); i < int32(n); i = next[i] {
		out = append(out, ids[i])
	}
	return out
}

func heapPush(h []candidate, c candidate) []candidate {
	h = append(h, c)
	i := len(h) - 1
	for i > 0 {
		p := (i - 1) / 2
		if !h[i].before(h[p]) {
			break
		}
		h[i], h[p] = h[p], h[i]
		i = p
	}
	return h
}

func heapPop(h []candidate) (candidate, []candidate) {
	top := h[0]
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		c := 2*i + 1
		if c >= last {
			break
		}
		if c+1 < last && h[c+1].before(h[c]) {
			c++
		}
		if !h[c].before(h[i]) {
			break
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
	return top, h
}
