package lens

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

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
	Variant     Variant      // default Normed
	Translators *Translators // of the variants Tuned and Jacobian
	BOS         BOS
	Top         int       // candidates per cell, 1 to 1000; default 10
	Stats       bool      // with the further statistics of each cell
	Mid         bool      // with the rows between attention and MLP: 0_mid before 0_post, ...; never from Stored rows
	Rows        RowSource // where other rows than the recorded ones come from; default Fresh
}

const defaultTop = 10

func (o *LensOptions) check() error {
	if o.Variant == "" {
		o.Variant = Normed
	}
	if err := o.Variant.check(o.Translators); err != nil {
		return err
	}
	switch o.Rows {
	case Fresh, Stored:
	case "":
		o.Rows = Fresh
	default:
		return invalidf("rows %q: use %s or %s", o.Rows, Fresh, Stored)
	}
	if o.Mid && o.Rows == Stored {
		return invalidf("rows between attention and MLP are not stored: ask for them with rows %s", Fresh)
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

// recorded says that the exact records of the cache hold all that is asked for.
func (o *LensOptions) recorded() bool { return o.Variant == Normed && !o.Mid && !o.Stats }

func checkTop(top *int) error {
	if *top == 0 {
		*top = defaultTop
	}
	if *top < 1 || *top > maxTop {
		return invalidf("top %d: ask for 1 to %d candidates per cell", *top, maxTop)
	}
	return nil
}

// LogitLens shows, at every row and position of prompt, what the model was about to say. What was seen before comes from the cache, with the same bits and no
// forward pass. Other variants than Normed, further statistics and rows between attention and MLP are computed anew, from rows that opt.Rows chooses.
func (m *Model) LogitLens(ctx context.Context, prompt string, opt LensOptions) (*Grid, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	ids, err := m.PromptIDs(prompt, opt.BOS)
	if err != nil {
		return nil, err
	}
	return m.lens(ctx, ids, opt)
}

// LogitLensIDs is LogitLens for token ids, which are fed as they are (with a BOS before them when opt.BOS is BOSYes).
func (m *Model) LogitLensIDs(ctx context.Context, ids []int, opt LensOptions) (*Grid, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	ids, err := m.WithBOS(ids, opt.BOS)
	if err != nil {
		return nil, err
	}
	return m.lens(ctx, ids, opt)
}

// PromptIDs are the ids that a prompt is fed as: its tokens, and a BOS before them as bos says.
func (m *Model) PromptIDs(prompt string, bos BOS) ([]int, error) {
	ids, err := m.Encode(prompt)
	if err != nil {
		return nil, err
	}
	if (bos == BOSAuto || bos == "") && m.tok.AddsBOS() {
		bos = BOSYes
	}
	return m.WithBOS(ids, bos)
}

// WithBOS copies ids, with a BOS before them for BOSYes, and checks that the model can read them.
func (m *Model) WithBOS(ids []int, bos BOS) ([]int, error) {
	var all []int
	if bos == BOSYes {
		id, ok := m.tok.BOS()
		if !ok {
			return nil, invalidf("%s has no BOS token: use bos auto or no", m.name)
		}
		all = append(all, id)
	}
	all = append(all, ids...)
	return all, m.check(all)
}

// lens is the lens of a prompt; opt is checked.
func (m *Model) lens(ctx context.Context, ids []int, opt LensOptions) (*Grid, error) {
	if opt.recorded() || opt.Rows == Stored {
		conv, err := m.captured(ctx, ids, opt.Top)
		if err != nil {
			return nil, wrap(Unavailable, err, "logit lens of %d tokens", len(ids))
		}
		return m.conversationLens(ctx, conv, ids, 0, len(ids), opt)
	}
	return m.conversationLens(ctx, nil, ids, 0, len(ids), opt)
}

// conversationLens is the lens of positions from to to-1 of ids, with which the conversation begins; without a conversation rows are computed.
func (m *Model) conversationLens(ctx context.Context, conv *cache.Conversation, ids []int, from, to int, opt LensOptions) (*Grid, error) {
	if opt.recorded() {
		return m.grid(conv, ids, from, to, opt.Top)
	}
	s, err := m.stream(ctx, conv, ids, from, to, opt)
	if err != nil {
		return nil, err
	}
	return m.gridOf(ctx, s, ids, opt)
}

// captured returns a conversation that begins with ids and has the lens of each with at least top candidates: one that the cache knows, or a new one.
func (m *Model) captured(ctx context.Context, ids []int, top int) (*cache.Conversation, error) {
	m.store.capturing.Lock()
	defer m.store.capturing.Unlock()
	if c, n := m.store.Prefix(m.space, ids); n == len(ids) && m.holds(c, n, top) {
		return c, nil
	}
	keep := max(top, defaultTop)
	id := promptID(m.space, ids, keep)
	c, err := m.capture(ctx, id, ids, keep)
	if conflict(err) {
		return m.captureBeside(ctx, id, ids, keep)
	}
	return c, err
}

// captureBeside is capture while another process is at the same prompt. Two copies do no harm, but one is enough: theirs if it is complete when ours is,
// else ours, unless they are still at it.
func (m *Model) captureBeside(ctx context.Context, id string, ids []int, keep int) (*cache.Conversation, error) {
	c, err := m.capture(ctx, id+"~"+strings.ToLower(rand.Text()[:8]), ids, keep)
	if err != nil {
		return nil, err
	}
	theirs, err := m.store.Conversation(id)
	if err == nil && slices.Equal(theirs.Tokens(), ids) && m.holds(theirs, len(ids), keep) {
		return theirs, m.store.Delete(c.ID())
	}
	if err := m.store.Delete(id); err == nil || isNotFound(err) {
		if err := m.store.Rename(c.ID(), id); err != nil && !isExists(err) {
			return nil, err
		}
	}
	return c, nil
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
	g := m.newGrid(ids, from, to, Normed, m.rowNames)
	for p := from; p < to; p++ {
		col, err := m.column(c, ids, p, top)
		if err != nil {
			return nil, err
		}
		g.set(p-from, col)
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
