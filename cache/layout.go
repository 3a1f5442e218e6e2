package cache

import (
	"errors"
	"fmt"
	"slices"
)

// Codec names how residual rows are stored. What the lens showed is stored exactly with any of them.
type Codec string

// The codecs. A vector with a value that its codec cannot hold is stored as float32. How far the lens of stored rows is
// from that of the model's own pass is what a test finds on the embedded model, 658 cells of a chat: the part of them with
// the same first token, and the difference of log-probabilities of the first ten, the largest and the mean.
const (
	CodecF16     Codec = "f16"     // float16, half the size: 1.0000, 0.0044, 0.0004
	CodecF32     Codec = "f32"     // float32: exact
	CodecCompact Codec = "compact" // int8 per vector, its largest columns exact, a quarter of the size: 0.9970, 0.072, 0.009
)

var codecs = []Codec{CodecF16, CodecF32, CodecCompact}

func (c Codec) validate() error {
	if !slices.Contains(codecs, c) {
		return fmt.Errorf("codec %q is unknown (allowed: %s, %s, %s)", c, CodecF16, CodecF32, CodecCompact)
	}
	return nil
}

// natural is the type of a vector that the codec can hold.
func (c Codec) natural() dtype {
	switch c {
	case CodecF32:
		return dtypeArrayF32
	case CodecCompact:
		return dtypeInt8
	}
	return dtypeF16
}

// BlockTokens is the number of tokens in a block, unless Options say otherwise; MaxBlockTokens is the largest.
const (
	BlockTokens    = 16
	MaxBlockTokens = 64
)

// layout is how the rows of a conversation are stored.
type layout struct {
	Block  int   // tokens of a block
	Rows   int   // vectors stored per token
	DModel int   // values of a vector
	codec  Codec // of new vectors; stored ones name their type themselves
	layers []int // the rows of the space that are stored, ascending; nil: all
}

// values is the number of floats stored of one token.
func (l layout) values() int { return l.Rows * l.DModel }

// blockBytes is what the rows of a block take, unless values do not fit the codec.
func (l layout) blockBytes() int64 {
	return int64(l.Block) * int64(l.Rows*l.codec.natural().size(l.DModel))
}

// index gives the place of each of the rows of the space among those stored; ok is false if one is not.
func (l layout) index(rows []int) (at []int, ok bool) {
	if l.layers == nil {
		return rows, true
	}
	for _, r := range rows {
		i, found := slices.BinarySearch(l.layers, r)
		if !found {
			return nil, false
		}
		at = append(at, i)
	}
	return at, true
}

// rest is the layout of the rows that are not stored.
func (l layout) rest(sp Space) layout {
	var rows []int
	for r := range sp.Rows {
		if !slices.Contains(l.layers, r) {
			rows = append(rows, r)
		}
	}
	return layout{l.Block, len(rows), l.DModel, l.codec, rows}
}

// plain reports whether the layout is the one that format 1 knows.
func (l layout) plain() bool {
	return l.Block == BlockTokens && l.codec == CodecF16 && l.layers == nil
}

// shape bounds a layout that was read from a block alone.
func (l layout) validate() error {
	if l.Block < 1 || l.Block > MaxBlockTokens {
		return fmt.Errorf("%d tokens are not in 1..%d", l.Block, MaxBlockTokens)
	}
	return Space{Rows: l.Rows, DModel: l.DModel}.Validate()
}

// pickLayers turns the rows asked for, negative ones counted from the last, into those of the space, ascending. nil
// means all.
func pickLayers(want []int, rows int) ([]int, error) {
	if want == nil {
		return nil, nil
	}
	var out []int
	for _, r := range want {
		if r < 0 {
			r += rows
		}
		if r < 0 || r >= rows {
			return nil, fmt.Errorf("layer %d is not among rows 0..%d (negative ones count from the last)", r, rows-1)
		}
		out = append(out, r)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) == rows {
		return nil, nil
	}
	return out, nil
}

// layout of a conversation, from its metadata.
func (m metadata) layout() layout {
	l := layout{Block: BlockTokens, Rows: m.Space.Rows, DModel: m.Space.DModel, codec: CodecF16}
	if m.Codec != "" {
		l.codec = m.Codec
	}
	if m.Block != 0 {
		l.Block = m.Block
	}
	if m.Layers != nil {
		l.layers, l.Rows = m.Layers, len(m.Layers)
	}
	return l
}

// setLayout enters a layout; the plain one leaves no trace, so that programs that know format 1 only read it.
func (m *metadata) setLayout(l layout) {
	m.Format = formatMajor
	if l.plain() {
		return
	}
	m.Format, m.Codec, m.Block, m.Layers = formatLayouts, l.codec, l.Block, l.layers
}

// validate checks what a file says of a conversation.
func (m metadata) validate() error {
	errs := []error{m.Space.Validate()}
	if m.Codec != "" {
		errs = append(errs, m.Codec.validate())
	}
	if m.Block < 0 || m.Block > MaxBlockTokens {
		errs = append(errs, fmt.Errorf("blocks of %d tokens (allowed: 1 to %d)", m.Block, MaxBlockTokens))
	}
	if m.Layers != nil {
		l, err := pickLayers(m.Layers, m.Space.Rows)
		if err == nil && (len(m.Layers) == 0 || !slices.Equal(l, m.Layers)) {
			err = errors.New("layers are not some of the rows in their order")
		}
		errs = append(errs, err)
	}
	return join(errs...)
}
