package cache

import "fmt"

// Estimate says what a conversation will take on disk once it is closed; while it is written to, its tail has up to a
// mebibyte, or three blocks, more.
type Estimate struct {
	Bytes int64 `json:"bytes"`
	Rows  int64 `json:"rows"` // of it, residual rows
	Log   int64 `json:"log"`  // of it, tokens, lens records and events
	// How it was found. Measured, on conversations of the space that are stored: within one percent if the new one is like
	// them. Sampled, on rows of the model that the caller gave. Else by what models usually give, which may be a tenth off.
	Measured bool `json:"measured"`
	Sampled  bool `json:"sampled"`
}

func (e Estimate) String() string {
	how := "as models usually give: it may be a tenth off until something is stored"
	switch {
	case e.Measured:
		how = "as measured on conversations with this model"
	case e.Sampled:
		how = "as measured on a sample of this model"
	}
	return fmt.Sprintf("%s: rows %s, tokens and lens %s, %s", size(e.Bytes), size(e.Rows), size(e.Log), how)
}

// Sample is what an estimate goes by while nothing of a space is stored. The zero value says nothing.
type Sample struct {
	Resid  []float32 // residual rows of some tokens, [tokens, rows, d_model], at least of a block of them
	Record int       // bytes of the lens record of a token
}

// usualRatio is how far zstd shrinks the chunks of a codec, on the residual streams of trained models.
var usualRatio = map[Codec]float64{CodecF16: 0.92, CodecF32: 0.92, CodecCompact: 0.93}

const sampledBlocks = 64 // are enough for an estimate

// Estimate says what a conversation of that many tokens will take, before it is made: the layers of the options are
// stored, in the codec given ("" means that of the options). How well rows compress depends on the model, so it is
// measured on up to 64 blocks of the space, and what records take on its conversations; if there are none, on the
// sample.
func (s *Store) Estimate(sp Space, tokens int, codec Codec, sample Sample) (Estimate, error) {
	done, err := s.begin()
	if err != nil {
		return Estimate{}, err
	}
	defer done()
	opt := s.opt
	if codec != "" {
		opt.Codec = codec
	}
	if err := join(sp.Validate(), opt.Validate()); err != nil {
		return Estimate{}, err
	}
	if tokens < 0 {
		return Estimate{}, fmt.Errorf("%d tokens", tokens)
	}
	if len(sample.Resid)%sp.values() != 0 || sample.Record < 0 {
		return Estimate{}, fmt.Errorf("a sample of %d values is not one of tokens with %d rows of %d", len(sample.Resid), sp.Rows, sp.DModel)
	}
	l, err := opt.layout(sp)
	if err != nil {
		return Estimate{}, err
	}
	perBlock, perToken, err := s.stored(sp, l)
	if err != nil {
		return Estimate{}, err
	}
	e := Estimate{Measured: perBlock > 0 && perToken > 0}
	if perBlock == 0 {
		if perBlock, err = sampleBlock(sp, l, sample.Resid); err != nil {
			return Estimate{}, err
		}
		e.Sampled = perBlock > 0 && (perToken > 0 || sample.Record > 0)
	}
	if perBlock == 0 {
		frames := shardHeaderSize(l) + shardIndexSize(l) + l.Rows*(crcSize+12)
		perBlock = float64(frames) + usualRatio[l.codec]*float64(l.blockBytes())
	}
	if perToken == 0 {
		record := sample.Record
		if record == 0 {
			record = 128 * sp.Rows // ten candidates a row
		}
		perToken = float64(frameHeaderSize + record)
	}
	e.Rows = int64(perBlock*float64(tokens/l.Block)) + int64(tokens%l.Block)*(int64(frameHeaderSize+l.Rows)+l.blockBytes()/int64(l.Block))
	e.Log = int64(perToken * float64(tokens))
	e.Bytes = e.Rows + e.Log + 2*magicSize + 512 // metadata.json
	return e, nil
}

// stored measures the conversations of a space: the bytes of a block that is stored as l, and those in the log for each
// token; 0 where there is nothing to measure.
func (s *Store) stored(sp Space, l layout) (perBlock, perToken float64, err error) {
	all, err := s.all()
	if err != nil {
		return 0, 0, err
	}
	root := rootKey(sp, l)
	var bytes, blocks, logBytes, logTokens int64
	seen := map[blockKey]bool{}
	for _, c := range all {
		st, err := c.snapshot()
		if err != nil || c.meta.Space != sp {
			continue
		}
		if info, err := s.disk.Lstat(convPath(c.ID()) + "/tokens.log"); err == nil && len(st.tokens) > 0 {
			logBytes += info.Size() - magicSize
			logTokens += int64(len(st.tokens))
		}
		for _, k := range st.keys {
			if blocks == sampledBlocks || c.root != root || c.lay.Block != l.Block {
				break
			}
			if info, err := s.disk.Lstat(k.path()); err == nil && !seen[k] {
				seen[k] = true
				bytes += info.Size()
				blocks++
			}
		}
	}
	if blocks > 0 {
		perBlock = float64(bytes) / float64(blocks)
	}
	if logTokens > 0 {
		perToken = float64(logBytes) / float64(logTokens)
	}
	return perBlock, perToken, nil
}

// sampleBlock stores a sample nowhere and gives the mean size of its blocks, 0 if it has none.
func sampleBlock(sp Space, l layout, resid []float32) (float64, error) {
	blocks := min(len(resid)/sp.values()/l.Block, sampledBlocks)
	if blocks == 0 {
		return 0, nil
	}
	sum := 0
	for n := range blocks {
		rows := make([]encRow, l.Block)
		for i := range rows {
			at := (n*l.Block + i) * sp.values()
			rows[i] = encodeRow(l, resid[at:at+sp.values()])
		}
		b, err := newBlock(blockKey{}, l, rows)
		if err != nil {
			return 0, err
		}
		data, err := marshalShard(b)
		if err != nil {
			return 0, err
		}
		sum += len(data)
	}
	return float64(sum) / float64(blocks), nil
}
