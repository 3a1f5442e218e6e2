package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"

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

func shardHeaderSize(sp Space) int { return shardFixed + 5*sp.Rows + crcSize }
func shardIndexSize(sp Space) int  { return sp.Rows*indexEntrySize + crcSize }

// maxShardSize bounds a block file, so that a reader knows before it allocates. An incompressible zstd frame is
// longer than its content by 3 bytes per 128 KiB and a header of at most 18.
func maxShardSize(sp Space) int64 {
	raw := int64(BlockTokens) * int64(sp.DModel) * 4
	return int64(shardHeaderSize(sp)) + int64(shardIndexSize(sp)) + int64(sp.Rows)*(raw+raw/1024+64)
}

// Coders are made once: each keeps tables of about a megabyte. EncodeAll and DecodeAll are safe for concurrent use
// and start no goroutines.
var (
	zstdEncoder = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderCRC(false), zstd.WithEncoderConcurrency(2))
	})
	zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true))
	})
)

// marshalShard gives the bytes of the block's file.
func marshalShard(b *block) ([]byte, error) {
	enc, err := zstdEncoder()
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	hs := shardHeaderSize(b.sp)
	out := make([]byte, hs, int(b.cost())+hs+shardIndexSize(b.sp))
	copy(out, shardMagic)
	le.PutUint32(out[8:], uint32(hs))
	le.PutUint32(out[12:], uint32(BlockTokens))
	le.PutUint32(out[16:], uint32(b.sp.Rows))
	le.PutUint32(out[20:], uint32(b.sp.DModel))
	copy(out[24:], b.key[:])
	for r, c := range b.chunks {
		start := len(out)
		out = enc.EncodeAll(c.raw, out)
		out = le.AppendUint32(out, crc(out[start:]))
		out[shardFixed+r] = byte(c.t)
		le.PutUint32(out[shardFixed+b.sp.Rows+4*r:], uint32(len(out)-start))
	}
	le.PutUint32(out[hs-crcSize:], crc(out[:hs-crcSize]))
	return append(out, shardIndex(b.sp, out[:hs])...), nil
}

// shardIndex makes the index that zarr readers use from the header, which has all of it. A float32 chunk is entered as
// empty: zarr decodes all chunks as float16, and some readers return nonsense for one of twice the size.
func shardIndex(sp Space, header []byte) []byte {
	le := binary.LittleEndian
	index := make([]byte, 0, shardIndexSize(sp))
	at := uint64(len(header))
	for r := range sp.Rows {
		n := uint64(le.Uint32(header[shardFixed+sp.Rows+4*r:]))
		if dtype(header[shardFixed+r]) == dtypeF16 {
			index = le.AppendUint64(le.AppendUint64(index, at), n)
		} else {
			index = le.AppendUint64(le.AppendUint64(index, math.MaxUint64), math.MaxUint64)
		}
		at += n
	}
	return le.AppendUint32(index, crc(index))
}

// headerSpace reads the shape from the start of a block file; the bytes are not checked.
func headerSpace(header []byte) Space {
	le := binary.LittleEndian
	return Space{Rows: int(le.Uint32(header[16:])), DModel: int(le.Uint32(header[20:]))}
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
func shardHead(key blockKey, sp Space, header, index []byte, fileSize int64) (types []byte, ends []int64, err error) {
	le := binary.LittleEndian
	hs := shardHeaderSize(sp)
	switch {
	case string(header[:8]) != shardMagic:
		return nil, nil, damaged(0, "not a block of this version")
	case le.Uint32(header[hs-crcSize:]) != crc(header[:hs-crcSize]):
		return nil, nil, damaged(0, "header checksum differs")
	case int(le.Uint32(header[8:])) != hs, le.Uint32(header[12:]) != BlockTokens,
		int(le.Uint32(header[16:])) != sp.Rows, int(le.Uint32(header[20:])) != sp.DModel:
		return nil, nil, damaged(8, "block has another shape than its conversation")
	case blockKey(header[24:shardFixed]) != key:
		return nil, nil, damaged(24, "block has another key than its name")
	}
	indexAt := fileSize - int64(len(index))
	end := int64(hs)
	types = header[shardFixed : shardFixed+sp.Rows]
	for r, t := range types {
		n := le.Uint32(header[shardFixed+sp.Rows+4*r:])
		if t != byte(dtypeF16) && t != byte(dtypeF32) || n < crcSize {
			return nil, nil, damaged(shardFixed+r, "chunk %d has type %d and %d bytes", r, t, n)
		}
		end += int64(n)
		ends = append(ends, end)
	}
	if end != indexAt {
		return nil, nil, damaged(shardFixed+sp.Rows, "chunks end at %d, the index begins at %d", end, indexAt)
	}
	if !bytes.Equal(index, shardIndex(sp, header)) {
		return nil, nil, damaged(int(indexAt), "index differs from the header")
	}
	return types, ends, nil
}

// parseShard checks every byte of a block file and decodes it. Errors are *damage.
func parseShard(key blockKey, sp Space, data []byte) (*block, error) {
	hs, is := shardHeaderSize(sp), shardIndexSize(sp)
	if len(data) < hs+is || int64(len(data)) > maxShardSize(sp) {
		return nil, damaged(0, "block of %d bytes, %d to %d expected", len(data), hs+is, maxShardSize(sp))
	}
	types, ends, err := shardHead(key, sp, data[:hs], data[len(data)-is:], int64(len(data)))
	if err != nil {
		return nil, err
	}
	dec, err := zstdDecoder()
	if err != nil {
		return nil, err
	}
	b := &block{key: key, sp: sp, chunks: make([]chunk, sp.Rows)}
	start := hs
	for r := range b.chunks {
		end := int(ends[r])
		stored := data[start : end-crcSize]
		if binary.LittleEndian.Uint32(data[end-crcSize:]) != crc(stored) {
			return nil, damaged(start, "checksum of chunk %d differs", r)
		}
		t := dtype(types[r])
		want := BlockTokens * sp.DModel * t.size()
		// The capacity is the decoder's limit: a bomb fails instead of growing.
		raw, err := dec.DecodeAll(stored, make([]byte, 0, want))
		if err == nil && len(raw) != want {
			err = errors.New("wrong length")
		}
		if err != nil {
			return nil, damaged(start, "chunk %d cannot be decoded: %w", r, err)
		}
		b.chunks[r] = chunk{t, raw}
		start = end
	}
	return b, nil
}
