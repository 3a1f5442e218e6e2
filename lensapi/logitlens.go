package lens

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/gopherlens/gopherlens/cache"
)

// BOS says whether a beginning-of-sequence token is put before a prompt. It changes every number, so it is always explicit in what comes back.
type BOS string

// The choices of BOS.
const (
	BOSAuto BOS = "auto" // the default: as the checkpoint's own tokenizer does; ids given as ids are fed as they are
	BOSYes  BOS = "yes"  // always; an error when the tokenizer has none
	BOSNo   BOS = "no"   // never
)

// LensOptions chooses what LogitLens leaves to defaults. The zero value is usual.
type LensOptions struct {
	Variant Variant // default Normed, the only one so far
	BOS     BOS
	Top     int // candidates per cell, 1 to 1000; default 10
}

const defaultTop = 10

func (o *LensOptions) check() error {
	if o.Variant == "" {
		o.Variant = Normed
	}
	if o.Variant != Normed {
		return invalidf("lens variant %q is not known: use %q", o.Variant, Normed)
	}
	switch o.BOS {
	case BOSAuto, BOSYes, BOSNo:
	case "":
		o.BOS = BOSAuto
	default:
		return invalidf("bos %q: use auto, yes or no", o.BOS)
	}
	return checkTop(&o.Top)
}

func checkTop(top *int) error {
	if *top == 0 {
		*top = defaultTop
	}
	if *top < 1 || *top > maxTop {
		return invalidf("top %d: ask for 1 to %d candidates per cell", *top, maxTop)
	}
	return nil
}

// LogitLens shows, at every row and position of prompt, what the model was about to say. What was seen before comes from the cache, with the same bits and no forward pass.
func (m *Model) LogitLens(ctx context.Context, prompt string, opt LensOptions) (*Grid, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	ids, err := m.Encode(prompt)
	if err != nil {
		return nil, err
	}
	if opt.BOS == BOSAuto && m.tok.AddsBOS() {
		opt.BOS = BOSYes
	}
	return m.LogitLensIDs(ctx, ids, opt)
}

// LogitLensIDs is LogitLens for token ids, which are fed as they are (with a BOS before them when opt.BOS is BOSYes).
func (m *Model) LogitLensIDs(ctx context.Context, ids []int, opt LensOptions) (*Grid, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	if opt.BOS == BOSYes {
		bos, ok := m.tok.BOS()
		if !ok {
			return nil, invalidf("%s has no BOS token: use bos auto or no", m.name)
		}
		ids = append([]int{bos}, ids...)
	}
	ids = append([]int(nil), ids...)
	if err := m.check(ids); err != nil {
		return nil, err
	}
	conv, err := m.captured(ctx, ids, opt.Top)
	if err != nil {
		return nil, wrap(Unavailable, err, "logit lens of %d tokens", len(ids))
	}
	return m.grid(conv, ids, 0, len(ids), opt.Top)
}

// captured returns a conversation that begins with ids and has the lens of each with at least top candidates: one that the cache knows, or a new one.
func (m *Model) captured(ctx context.Context, ids []int, top int) (*cache.Conversation, error) {
	m.store.capturing.Lock()
	defer m.store.capturing.Unlock()
	if c, n := m.store.Prefix(m.space, ids); n == len(ids) && m.holds(c, n, top) {
		return c, nil
	}
	keep := max(top, defaultTop)
	c, err := m.capture(ctx, promptID(m.space, ids, keep), ids, keep)
	if conflict(err) {
		return m.capture(ctx, "", ids, keep) // another process is at the same prompt: a copy does no harm
	}
	return c, err
}

// capture feeds ids and keeps them under the name id. A capture that was cut short goes on where it stopped, or afresh when what is there cannot be read.
func (m *Model) capture(ctx context.Context, id string, ids []int, keep int) (*cache.Conversation, error) {
	c, err := m.store.Create(id, m.space)
	if errors.Is(err, cache.ErrExists) {
		if c, err = m.store.Conversation(id); err != nil || commonPrefix(c.Tokens(), ids) < c.Len() || !m.holds(c, c.Len(), keep) {
			if err = m.store.Delete(id); err == nil {
				c, err = m.store.Create(id, m.space)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	if len(c.Events()) == 0 {
		if err := c.AddEvent(event{Kind: eventPrompt}.encode()); err != nil {
			return nil, err
		}
	}
	f, n := m.newFeeder(keep), c.Len()
	if err := f.reread(ctx, ids[:n]); err != nil {
		return nil, err
	}
	return c, f.feed(ctx, ids[n:], c.Append)
}

// holds says whether the records of the first n tokens of c have top candidates.
func (m *Model) holds(c *cache.Conversation, n, top int) bool {
	for p := range n {
		b, err := c.Record(p)
		if err != nil {
			return false
		}
		rec, err := decodeRecord(b, len(m.rowNames), m.cfg.DVocab)
		if err != nil || len(rec.rows[0].top) < min(top, m.cfg.DVocab) {
			return false
		}
	}
	return true
}

// promptPrefix begins the names of captured prompts, which are no conversations of anybody.
const promptPrefix = "prompt-"

// promptID names the capture of a prompt by what it depends on, so that the same prompt is kept once.
func promptID(sp cache.Space, ids []int, k int) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %s %d\n", sp.Numerics, sp.Model, sp.Tokenizer, k)
	for _, id := range ids {
		h.Write(binary.LittleEndian.AppendUint32(nil, uint32(id)))
	}
	return promptPrefix + hex.EncodeToString(h.Sum(nil)[:12])
}

// grid reads the lens of positions from to to-1 back from a conversation that begins with ids. Only those count, so that a longer conversation that shares
// a prefix does not lend the last position its own next token.
func (m *Model) grid(c *cache.Conversation, ids []int, from, to, top int) (*Grid, error) {
	g := m.newGrid(ids, from, to)
	for i := range g.Cells {
		g.Cells[i] = make([]Cell, to-from)
	}
	for p := from; p < to; p++ {
		col, err := m.column(c, ids, p, top)
		if err != nil {
			return nil, err
		}
		for i, cell := range col {
			g.Cells[i][p-from] = cell
		}
	}
	return g, nil
}

// column is the lens of position p: a cell per row.
func (m *Model) column(c *cache.Conversation, ids []int, p, top int) ([]Cell, error) {
	rec, err := m.record(c, p)
	if err != nil {
		return nil, err
	}
	if p+1 >= len(ids) {
		return m.cells(rec, nil, 0, top), nil
	}
	next, err := m.record(c, p+1)
	if err != nil {
		return nil, err
	}
	if next.self == nil {
		return nil, &Error{Code: Internal, Message: fmt.Sprintf("the record of position %d lacks its score", p+1)}
	}
	return m.cells(rec, &next, ids[p+1], top), nil
}

func (m *Model) record(c *cache.Conversation, p int) (record, error) {
	b, err := c.Record(p)
	if err != nil {
		return record{}, wrap(Unavailable, err, "reading position %d of %s", p, c.ID())
	}
	rec, err := decodeRecord(b, len(m.rowNames), m.cfg.DVocab)
	return rec, wrap(Unavailable, err, "position %d of %s", p, c.ID())
}
