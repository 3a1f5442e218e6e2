package cache

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

var (
	testSpace   = Space{Numerics: "n", Model: "m", Tokenizer: "t", Rows: 3, DModel: 4}
	testLayout  = layout{Block: BlockTokens, Rows: 3, DModel: 4, codec: CodecF16}
	testLayouts = []layout{
		testLayout,
		{Block: 4, Rows: 3, DModel: 4, codec: CodecF32},
		{Block: 8, Rows: 2, DModel: 70, codec: CodecCompact, layers: []int{0, 2}},
	}
)

func testBlock(t testing.TB, l layout, big bool) *block {
	t.Helper()
	rnd := rand.New(rand.NewPCG(3, 4))
	toks := make([]encRow, l.Block)
	for i := range toks {
		v := make([]float32, 3*l.DModel)
		for j := range v {
			v[j] = rnd.Float32()*200 - 100
		}
		if big && i == 3 {
			v[2*l.DModel] = float32(math.Inf(1))
		}
		toks[i] = encodeRow(l, v)
	}
	b, err := newBlock(blockKey{1, 2, 3}, l, toks)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sameBlock(a, b *block) bool {
	if a.key != b.key || len(a.chunks) != len(b.chunks) {
		return false
	}
	for i := range a.chunks {
		if a.chunks[i].t != b.chunks[i].t || !bytes.Equal(a.chunks[i].raw, b.chunks[i].raw) {
			return false
		}
	}
	return true
}

// Every flip and every cut of a block file is found, and so is anything appended.
func TestShardDamage(t *testing.T) {
	flips, cuts := 0, 0
	for _, l := range testLayouts {
		for _, big := range []bool{false, true} {
			b := testBlock(t, l, big)
			data, err := marshalShard(b)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := parseShard(b.key, l, data); err != nil || !sameBlock(b, back) {
				t.Fatalf("reading back: %v", err)
			}
			last := b.chunks[l.Rows-1].t
			if b.chunks[0].t != l.codec.natural() || big && last != dtypeF32 && last != dtypeArrayF32 || !big && last != l.codec.natural() {
				t.Errorf("types are %v", b.chunks)
			}
			for i := range data {
				for bit := range 8 {
					bad := bytes.Clone(data)
					bad[i] ^= 1 << bit
					if _, err := parseShard(b.key, l, bad); err == nil {
						t.Fatalf("flip of bit %d in byte %d not found", bit, i)
					}
					flips++
				}
				if _, err := parseShard(b.key, l, data[:i]); err == nil {
					t.Fatalf("cut at %d not found", i)
				}
				cuts++
			}
			if _, err := parseShard(b.key, l, append(bytes.Clone(data), 0)); err == nil {
				t.Error("appended byte not found")
			}
			if _, err := parseShard(blockKey{9}, l, data); err == nil {
				t.Error("block taken for another")
			}
		}
	}
	t.Logf("%d flips and %d cuts found", flips, cuts)
}

// Only the chunks that are wanted are read, and what is damaged elsewhere does not matter to them.
func TestShardPart(t *testing.T) {
	for _, l := range testLayouts {
		b := testBlock(t, l, true)
		data, err := marshalShard(b)
		if err != nil {
			t.Fatal(err)
		}
		counted := &countingReader{data: data}
		part, err := readShard(counted, int64(len(data)), b.key, l, []int{1})
		if err != nil || part.chunks[0].raw != nil || !bytes.Equal(part.chunks[1].raw, b.chunks[1].raw) {
			t.Fatalf("%+v, %v", part, err)
		}
		first := int(binary.LittleEndian.Uint32(data[shardFixed+l.Rows:]))
		second := int(binary.LittleEndian.Uint32(data[shardFixed+l.Rows+4:]))
		if want := shardHeaderSize(l) + shardIndexSize(l) + second; counted.n != want {
			t.Errorf("%d bytes read of %d, %d wanted", counted.n, len(data), want)
		}
		data[shardHeaderSize(l)] ^= 1
		if _, err := readShard(counted, int64(len(data)), b.key, l, []int{1}); err != nil {
			t.Error(err)
		}
		data[shardHeaderSize(l)+first+1] ^= 1
		if _, err := readShard(counted, int64(len(data)), b.key, l, []int{1}); err == nil {
			t.Error("damage of the wanted chunk not found")
		}
	}
}

type countingReader struct {
	data []byte
	n    int
}

func (r *countingReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := bytes.NewReader(r.data).ReadAt(p, off)
	r.n += n
	return n, err
}

// FuzzShard: bytes that pass every check are the file of the block they give, up to the compressor's choices.
func FuzzShard(f *testing.F) {
	for i, l := range testLayouts {
		for _, big := range []bool{false, true} {
			data, err := marshalShard(testBlock(f, l, big))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data, i, true)
			f.Add(data[:len(data)-1], i, false)
			bad := bytes.Clone(data)
			bad[100] ^= 1
			f.Add(bad, i, true)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, i int, fix bool) {
		l := testLayouts[uint(i)%uint(len(testLayouts))]
		if fix {
			fixChecksums(l, data)
		}
		if len(data) >= shardFixed {
			_ = headerLayout(data).validate()
		}
		b, err := parseShard(blockKey{1, 2, 3}, l, data)
		if err != nil {
			return
		}
		again, err := marshalShard(b)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseShard(b.key, l, again); err != nil || !sameBlock(b, back) {
			t.Fatalf("written again: %v", err)
		}
		dst := make([]float32, l.values())
		b.decode(l.Block-1, seqTo(l.Rows), dst)
	})
}

// FuzzShardIndex: header and index alone, whatever they say, give chunks that lie in the file one after another.
func FuzzShardIndex(f *testing.F) {
	data, err := marshalShard(testBlock(f, testLayout, true))
	if err != nil {
		f.Fatal(err)
	}
	hs, is := shardHeaderSize(testLayout), shardIndexSize(testLayout)
	f.Add(data[:hs], data[len(data)-is:], int64(len(data)))
	f.Add(data[:hs], data[len(data)-is:], int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, header, index []byte, size int64) {
		if len(header) < hs || len(index) < is || size < int64(hs+is) {
			return
		}
		header, index = bytes.Clone(header[:hs]), bytes.Clone(index[:is])
		le := binary.LittleEndian
		copy(header[24:], (&blockKey{1, 2, 3})[:])
		le.PutUint32(header[hs-crcSize:], crc(header[:hs-crcSize]))
		copy(index, shardIndex(testLayout, header))
		_, ends, err := shardHead(blockKey{1, 2, 3}, testLayout, header, index, size)
		if err != nil {
			return
		}
		at := int64(hs)
		for _, end := range ends {
			if end < at+crcSize {
				t.Fatalf("chunks end at %v", ends)
			}
			at = end
		}
		if at != size-int64(is) {
			t.Fatalf("chunks end at %d of %d", at, size)
		}
	})
}

// fixChecksums lets fuzzing get past the checksums, to the decoder.
func fixChecksums(l layout, data []byte) {
	hs, is := shardHeaderSize(l), shardIndexSize(l)
	if len(data) < hs+is {
		return
	}
	le := binary.LittleEndian
	le.PutUint32(data[hs-crcSize:], crc(data[:hs-crcSize]))
	at := hs
	for r := range l.Rows {
		n := int(le.Uint32(data[shardFixed+l.Rows+4*r:]))
		if n < crcSize || n > len(data)-is-at {
			break
		}
		at += n
		le.PutUint32(data[at-crcSize:], crc(data[at-n:at-crcSize]))
	}
	copy(data[len(data)-is:], shardIndex(l, data[:hs]))
}

// A bomb fails at the size the shape allows.
func TestZstdBomb(t *testing.T) {
	enc, err := zstdEncoder()
	if err != nil {
		t.Fatal(err)
	}
	dec, err := zstdDecoder()
	if err != nil {
		t.Fatal(err)
	}
	bomb := enc.EncodeAll(make([]byte, 64<<20), nil)
	if out, err := dec.DecodeAll(bomb, make([]byte, 0, 100)); err == nil || cap(out) > 1<<20 {
		t.Errorf("%d bytes decoded into a buffer of 100, %v", cap(out), err)
	}
}
