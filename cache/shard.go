package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
)

// A block file is a zarr v3 shard with a header of ours before the chunks, which zarr readers do not look at.
// FORMAT.md draws it.
const (
	shardMagic     = "GLBLOCK1"
	shardFixed     = 24 + len(blockKey{}) // magic, four sizes, key
	indexEntrySize = 16
	crcSize        = 4
)

func shardHeaderSize(l layout) int { return shardFixed + 5*l.Rows + crcSize }
func shardIndexSize(l layout) int  { return l.Rows*indexEntrySize + crcSize }

// maxShardSize bounds a block file, so that a reader knows before it allocates. An incompressible zstd frame is
// longer than its content by 3 bytes per 128 KiB and a header of at most 18.
func maxShardSize(l layout) int64 {
	raw := int64(l.Block) * int64(max(dtypeF32.size(l.DModel), dtypeInt8.size(l.DModel)))
	return int64(shardHeaderSize(l)) + int64(shardIndexSize(l)) + int64(l.Rows)*(raw+raw/1024+64)
}

// Coders are made once: each keeps tables of about a megabyte. EncodeAll and DecodeAll are safe for concurrent use
// and start no goroutines. Residual rows hardly ever repeat, so that what there is to gain is in the frequencies of
// bytes: the quick level finds that too, if it is told to code all literals.
var (
	zstdEncoder = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithAllLitEntropyCompression(true), zstd.WithEncoderCRC(false), zstd.WithEncoderConcurrency(2))
	})
	zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true))
	})
)

// marshalShard gives the bytes of the block's file.
func marshalShard(b *block) ([]byte, error) {
	enc, err := zstdEncoder()
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	hs := shardHeaderSize(b.lay)
	out := make([]byte, hs, int(b.cost())+hs+shardIndexSize(b.lay))
	copy(out, shardMagic)
	le.PutUint32(out[8:], uint32(hs))
	le.PutUint32(out[12:], uint32(b.lay.Block))
	le.PutUint32(out[16:], uint32(b.lay.Rows))
	le.PutUint32(out[20:], uint32(b.lay.DModel))
	copy(out[24:], b.key[:])
	for r, c := range b.chunks {
		start := len(out)
		out = enc.EncodeAll(c.raw, out)
		out = le.AppendUint32(out, crc(out[start:]))
		out[shardFixed+r] = byte(c.t)
		le.PutUint32(out[shardFixed+b.lay.Rows+4*r:], uint32(len(out)-start))
	}
	le.PutUint32(out[hs-crcSize:], crc(out[:hs-crcSize]))
	return append(out, shardIndex(b.lay, out[:hs])...), nil
}

// shardIndex makes the index that zarr readers use from the header, which has all of it. A chunk that is not of the
// array's type is entered as empty: zarr decodes all chunks alike, and some readers return nonsense for one of another
// size.
func shardIndex(l layout, header []byte) []byte {
	le := binary.LittleEndian
	index := make([]byte, 0, shardIndexSize(l))
	at := uint64(len(header))
	for r := range l.Rows {
		n := uint64(le.Uint32(header[shardFixed+l.Rows+4*r:]))
		if t := dtype(header[shardFixed+r]); t == dtypeF16 || t == dtypeArrayF32 {
			index = le.AppendUint64(le.AppendUint64(index, at), n)
		} else {
			index = le.AppendUint64(le.AppendUint64(index, math.MaxUint64), math.MaxUint64)
		}
		at += n
	}
	return le.AppendUint32(index, crc(index))
}

// headerLayout reads the shape from the start of a block file; the bytes are not checked.
func headerLayout(header []byte) layout {
	le := binary.LittleEndian
	return layout{Block: int(le.Uint32(header[12:])), Rows: int(le.Uint32(header[16:])), DModel: int(le.Uint32(header[20:]))}
}

// damage is what is wrong with a file, and where; callers that know the file name make a CorruptError of it.
type damage struct {
	offset int64
	err    error
}

func (d *damage) Error() string { return d.err.Error() }

func damaged(offset int, format string, args ...any) error {
	return &damage{int64(offset), fmt.Errorf(format, args...)}
}

// shardHead checks header and index of a block file and gives the chunks' types and where each ends. Chunks follow one
// another without gaps, so that every byte of the file is under some checksum.
func shardHead(key blockKey, l layout, header, index []byte, fileSize int64) (types []byte, ends []int64, err error) {
	le := binary.LittleEndian
	hs := shardHeaderSize(l)
	switch {
	case string(header[:8]) != shardMagic:
		return nil, nil, damaged(0, "not a block of this version")
	case le.Uint32(header[hs-crcSize:]) != crc(header[:hs-crcSize]):
		return nil, nil, damaged(0, "header checksum differs")
	case int(le.Uint32(header[8:])) != hs, int(le.Uint32(header[12:])) != l.Block,
		int(le.Uint32(header[16:])) != l.Rows, int(le.Uint32(header[20:])) != l.DModel:
		return nil, nil, damaged(8, "block has another shape than its conversation")
	case blockKey(header[24:shardFixed]) != key:
		return nil, nil, damaged(24, "block has another key than its name")
	}
	indexAt := fileSize - int64(len(index))
	end := int64(hs)
	types = header[shardFixed : shardFixed+l.Rows]
	for r, t := range types {
		n := le.Uint32(header[shardFixed+l.Rows+4*r:])
		if dtype(t) < dtypeF16 || dtype(t) > dtypeArrayF32 || n < crcSize {
			return nil, nil, damaged(shardFixed+r, "chunk %d has type %d and %d bytes", r, t, n)
		}
		end += int64(n)
		ends = append(ends, end)
	}
	if end != indexAt {
		return nil, nil, damaged(shardFixed+l.Rows, "chunks end at %d, the index begins at %d", end, indexAt)
	}
	if !bytes.Equal(index, shardIndex(l, header)) {
		return nil, nil, damaged(int(indexAt), "index differs from the header")
	}
	return types, ends, nil
}

// readShard checks header and index of a block file and decodes the chunks of the stored rows at; nil means all, and
// then every byte of the file has been checked. Damage is *damage.
func readShard(r io.ReaderAt, size int64, key blockKey, l layout, at []int) (*block, error) {
	hs, is := shardHeaderSize(l), shardIndexSize(l)
	if size < int64(hs+is) || size > maxShardSize(l) {
		return nil, damaged(0, "block of %d bytes, %d to %d expected", size, hs+is, maxShardSize(l))
	}
	var whole []byte // the file, if all of it is wanted
	part := func(from, to int64) ([]byte, error) {
		if whole != nil {
			return whole[from:to], nil
		}
		p := make([]byte, to-from)
		if n, err := r.ReadAt(p, from); n < len(p) {
			return nil, unexpected(err)
		}
		return p, nil
	}
	if at == nil {
		buf := fileBuffers.Get().(*[]byte)
		defer fileBuffers.Put(buf)
		*buf = slices.Grow((*buf)[:0], int(size))[:size]
		if n, err := r.ReadAt(*buf, 0); n < len(*buf) {
			return nil, unexpected(err)
		}
		whole = *buf
		at = seqTo(l.Rows)
	}
	header, err := part(0, int64(hs))
	if err != nil {
		return nil, err
	}
	index, err := part(size-int64(is), size)
	if err != nil {
		return nil, err
	}
	types, ends, err := shardHead(key, l, header, index, size)
	if err != nil {
		return nil, err
	}
	b := &block{key: key, lay: l, chunks: make([]chunk, l.Rows)}
	err = each(len(at), func(j int) error {
		i, start := at[j], int64(hs)
		if i > 0 {
			start = ends[i-1]
		}
		stored, err := part(start, ends[i])
		if err != nil {
			return err
		}
		t := dtype(types[i])
		raw, err := decodeChunk(stored, l.Block*t.size(l.DModel))
		if err != nil {
			return damaged(int(start), "chunk %d: %w", i, err)
		}
		b.chunks[i] = chunk{t, raw}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// fileBuffers are for the bytes of files, which nobody needs once they are decoded.
var fileBuffers = sync.Pool{New: func() any { return new([]byte) }}

// each calls fn for 0 to n-1 on as many goroutines as there are processors and gives the error of the lowest.
func each(n int, fn func(i int) error) error {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers < 2 {
		for i := range n {
			if err := fn(i); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, n)
	var next atomic.Int64
	var failed atomic.Bool
	work := func() {
		for !failed.Load() {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			if errs[i] = fn(i); errs[i] != nil {
				failed.Store(true)
			}
		}
	}
	var wg sync.WaitGroup
	for range workers - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// decodeChunk checks and decompresses a chunk of want bytes.
func decodeChunk(stored []byte, want int) ([]byte, error) {
	end := len(stored) - crcSize
	if binary.LittleEndian.Uint32(stored[end:]) != crc(stored[:end]) {
		return nil, errors.New("checksum differs")
	}
	dec, err := zstdDecoder()
	if err != nil {
		return nil, err
	}
	// The capacity is the decoder's limit: a bomb fails instead of growing.
	raw, err := dec.DecodeAll(stored[:end], make([]byte, 0, want))
	if err == nil && len(raw) != want {
		err = errors.New("wrong length")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot be decoded: %w", err)
	}
	return raw, nil
}

// parseShard is readShard of all of a file in memory.
func parseShard(key blockKey, l layout, data []byte) (*block, error) {
	return readShard(bytes.NewReader(data), int64(len(data)), key, l, nil)
}

func seqTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
