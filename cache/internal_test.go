package cache

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/x448/float16"
	"pgregory.net/rapid"
)

func TestHalfToFloat(t *testing.T) {
	for h := range 1 << 16 {
		want := float16.Frombits(uint16(h))
		got := halfToFloat(uint16(h))
		if want.IsNaN() != (got != got) || got == got && math.Float32bits(got) != math.Float32bits(want.Float32()) {
			t.Fatalf("%#04x is %v, want %v", h, got, want.Float32())
		}
	}
}

// The same operations on both policies: never a wrong block, never more than the budget, and with room for all no
// difference at all.
func TestMemoryPolicies(t *testing.T) {
	blocks := make([]*block, 64)
	for i := range blocks {
		blocks[i] = &block{key: blockKey{byte(i)}, chunks: []chunk{{dtypeF16, make([]byte, 1000+i)}}}
	}
	for _, room := range []int64{1 << 20, 20 << 10} {
		lru := newLRU(newBudget(room, 0))
		rist := newRistretto(newBudget(room, 0))
		defer rist.close()
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 3000 {
			b := blocks[rnd.IntN(len(blocks))]
			switch rnd.IntN(8) {
			case 0:
				lru.Remove(b.key)
				rist.Remove(b.key)
			case 1, 2, 3:
				lru.Add(b)
				rist.Add(b)
			default:
				x, okX := lru.Get(b.key)
				y, okY := rist.Get(b.key)
				if okX && x != b || okY && y != b || room == 1<<20 && okX != okY {
					t.Fatalf("block %d: lru %v, ristretto %v", b.key[0], okX, okY)
				}
			}
			for _, m := range []memory{lru, rist} {
				if st := m.Stats(); st.bytes > room || st.bytes < 0 || st.max != room {
					t.Fatalf("%T: %+v", m, st)
				}
			}
		}
	}
}

func TestLRUOrder(t *testing.T) {
	mk := func(i byte) *block { return &block{key: blockKey{i}, chunks: []chunk{{dtypeF16, make([]byte, 712)}}} }
	m := newLRU(newBudget(3000, 0)) // three blocks of 1000
	for i := range byte(3) {
		m.Add(mk(i))
	}
	m.Get(blockKey{0})
	m.Add(mk(3))
	for i, want := range []bool{true, false, true, true} {
		if _, ok := m.Get(blockKey{byte(i)}); ok != want {
			t.Errorf("block %d kept: %v", i, ok)
		}
	}
	m.Add(&block{key: blockKey{9}, chunks: []chunk{{dtypeF16, make([]byte, 5000)}}})
	if st := m.Stats(); st.rejected != 1 || st.bytes != 3000 {
		t.Errorf("stats %+v", st)
	}
}

func FuzzID(f *testing.F) {
	for _, s := range []string{"a", "A", "CON", "..", "../../etc", "x.", "~~", "a~-b", ".x", "a\x00b", "c-", strings.Repeat("Z", 64), "nul.txt"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if checkID(id) != nil {
			if _, ok := idOfDir(id); ok { // whatever is read from a disk gives a good id or none
				if got, _ := idOfDir(id); checkID(got) != nil {
					t.Fatalf("folder %q gives id %q", id, got)
				}
			}
			return
		}
		dir := dirName(id)
		back, ok := idOfDir(dir)
		clean := path.Clean("conv/" + dir)
		if !ok || back != id || clean != "conv/"+dir || path.Dir(clean) != "conv" || strings.HasSuffix(dir, ".") || len(dir) > 255 {
			t.Fatalf("id %q, folder %q, back %q", id, dir, back)
		}
		// Names that a file system may take for the same belong to the same id.
		if other := strings.ToLower(id); other != id && strings.EqualFold(dirName(other), dir) {
			t.Fatalf("ids %q and %q share folder %q", id, other, dir)
		}
	})
}

func testSegment() []byte {
	data := []byte(tokensMagic)
	data = appendFrame(data, frame{frameToken, 0, 5, []byte("record")})
	data = appendFrame(data, frame{frameEvent, 1, 0, []byte(`{"a":1}`)})
	return appendFrame(data, frame{frameToken, 1, 6, nil})
}

// FuzzSegment: whatever the bytes, the frames read encode to exactly the bytes passed over.
func FuzzSegment(f *testing.F) {
	good := testSegment()
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add(append(bytes.Clone(good), make([]byte, 100)...))
	f.Add([]byte("GLTOKS"))
	f.Add([]byte{})
	flipped := bytes.Clone(good)
	flipped[9] ^= 0x80
	f.Add(flipped)
	f.Fuzz(func(t *testing.T, data []byte) {
		again := []byte(tokensMagic)
		sc, err := scanSegment(bytes.NewReader(data), 0, int64(len(data)), tokensMagic, 1<<10, func(fr frame) error {
			again = appendFrame(again, fr)
			return nil
		})
		if err != nil || sc.good > int64(len(data)) || sc.torn && sc.bad != nil {
			t.Fatalf("scan %+v, %v", sc, err)
		}
		if sc.good > 0 && !bytes.Equal(again, data[:sc.good]) {
			t.Fatal("frames differ from the bytes they were read from")
		}
		if sc.clean() && sc.good != int64(len(data)) {
			t.Fatal("bytes were passed over")
		}
	})
}

// A log that lost a frame in the middle, or holds one twice, is not taken as whole.
func TestFramesOutOfPlace(t *testing.T) {
	var st state
	for _, f := range []frame{{frameToken, 1, 5, nil}, {frameEvent, 1, 0, []byte("1")}, {frameEvent, 0, 0, []byte("{")}, {frameRow, 0, 5, nil}} {
		if st.add(f, true) == nil {
			t.Errorf("frame %+v accepted", f)
		}
	}
}

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

// FuzzRow: an encoded row is either refused or decodes; what it decodes to is encoded to values that stay the same,
// unless the codec rounds them once more.
func FuzzRow(f *testing.F) {
	for i, l := range testLayouts {
		f.Add([]byte(encodeRow(l, make([]float32, 3*l.DModel))), i)
		f.Add([]byte{2, 1, 1}, i)
	}
	f.Fuzz(func(t *testing.T, data []byte, i int) {
		l := testLayouts[uint(i)%uint(len(testLayouts))]
		row, err := parseRow(l, data)
		if err != nil {
			return
		}
		v := make([]float32, l.values())
		row.decode(l, seqTo(l.Rows), v)
		if l.codec == CodecCompact {
			return
		}
		w := make([]float32, len(v))
		encodeRow(l, v).decode(l, seqTo(l.Rows), w)
		for i := range v {
			// A chunk of type f16 that holds infinities is never written by us; reading it must not invent numbers.
			if math.Float32bits(v[i]) != math.Float32bits(w[i]) {
				t.Fatalf("value %d is %v, then %v", i, v[i], w[i])
			}
		}
	})
}

// int8 keeps its outliers to the bit and the rest within half a step of the largest that remains.
func TestInt8(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, d := range []int{1, 2, 63, 64, 65, 768, 4096} {
		for trial := range 50 {
			vec := make([]float32, d)
			for i := range vec {
				vec[i] = float32(rnd.NormFloat64())
			}
			if trial%2 == 0 {
				vec[rnd.IntN(d)] = 2800
				vec[d-1] = -300
			}
			enc, ok := appendInt8(nil, vec)
			if !ok || len(enc) != dtypeInt8.size(d) {
				t.Fatalf("%d bytes for %d values", len(enc), d)
			}
			got := make([]float32, d)
			decodeInt8(enc, got)
			sorted := slices.Clone(vec)
			slices.SortFunc(sorted, func(a, b float32) int { return cmp.Compare(abs32(b), abs32(a)) })
			step := float32(0)
			if k := outliers(d); k < d {
				step = abs32(sorted[k]) / 127
			}
			exact := 0
			for i := range vec {
				if got[i] == vec[i] {
					exact++
				}
				if abs32(got[i]-vec[i]) > step/2*1.0001 {
					t.Fatalf("value %d of %d: %v became %v with steps of %v", i, d, vec[i], got[i], step)
				}
			}
			if exact < outliers(d) {
				t.Fatalf("%d values exact of %d, %d outliers", exact, d, outliers(d))
			}
		}
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(-1))} {
		if _, ok := appendInt8(nil, []float32{1, bad}); ok {
			t.Errorf("%v accepted", bad)
		}
	}
	if _, ok := appendInt8(nil, []float32{2, math.SmallestNonzeroFloat32}); ok {
		t.Error("a scale of zero accepted")
	}
}

// FuzzMetadata: what is read is written again as the same bytes, unless it has fields that are not known here.
func FuzzMetadata(f *testing.F) {
	data, err := metadata{Format: 1, UID: "u", Space: testSpace}.marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(sealMetadata([]byte(`{"format":1,"space":{"rows":-1}}`)))
	f.Add(sealMetadata([]byte(`{"format":3}`)))
	f.Add(sealMetadata([]byte(`{"format":2,"uid":"u","codec":"compact","block":8,"layers":[0,2],"space":{"rows":3,"d_model":4}}`)))
	f.Add(sealMetadata([]byte(`{"format":2,"codec":"x","block":-1,"layers":[7,2],"space":{"rows":3,"d_model":4}}`)))
	f.Add([]byte(`{"crc32c":"00000000","metadata":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseMetadata(data)
		if err != nil {
			return
		}
		again, err := m.marshal()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseMetadata(again); err != nil || !back.Created.Equal(m.Created) || back.UID != m.UID || back.Space != m.Space || !reflect.DeepEqual(back.layout(), m.layout()) {
			t.Fatalf("%+v came back as %+v, %v", m, back, err)
		}
	})
}

func TestMetadataFlips(t *testing.T) {
	data, err := metadata{Format: 1, UID: "u", Space: testSpace}.marshal()
	if err != nil {
		t.Fatal(err)
	}
	if m, err := parseMetadata(data); err != nil || m.Space != testSpace {
		t.Fatalf("%+v, %v", m, err)
	}
	for i := range data {
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			if _, err := parseMetadata(bad); err == nil {
				t.Errorf("flip of bit %d in byte %d not found", bit, i)
			}
		}
	}
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

func TestKeys(t *testing.T) {
	// Field borders count: moving bytes between fields gives another space.
	a := rootKey(Space{Numerics: "ab", Model: "c", Tokenizer: "d", Rows: 1, DModel: 2}, testLayout)
	b := rootKey(Space{Numerics: "a", Model: "bc", Tokenizer: "d", Rows: 1, DModel: 2}, testLayout)
	spaced := Space{Numerics: "ab", Model: "c", Tokenizer: "d", Rows: 1, DModel: 2}
	for _, l := range []layout{{codec: CodecF32}, {codec: CodecCompact}, {codec: CodecF16, layers: []int{0}}, {codec: CodecF16, layers: []int{1}}} {
		if rootKey(spaced, l) == a {
			t.Errorf("layout %+v shares", l)
		}
	}
	if a == b || a == rootKey(Space{Numerics: "ab", Model: "c", Tokenizer: "d", Rows: 2, DModel: 1}, testLayout) {
		t.Error("different spaces have one key")
	}
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(rapid.IntRange(0, maxTokenID), 0, 100).Draw(t, "ids")
		cut := rapid.IntRange(0, len(ids)).Draw(t, "cut")
		whole := extendKeys(a, BlockTokens, nil, ids)
		parts := extendKeys(a, BlockTokens, extendKeys(a, BlockTokens, nil, ids[:cut]), ids)
		if len(whole) != len(ids)/BlockTokens || len(parts) != len(whole) {
			t.Fatalf("%d and %d keys of %d ids", len(whole), len(parts), len(ids))
		}
		for i := range whole {
			if whole[i] != parts[i] {
				t.Fatal("keys depend on how the ids came")
			}
		}
	})
	for _, bad := range []Space{{Rows: 0, DModel: 1}, {Rows: 1, DModel: -1}, {Rows: 4096, DModel: 1 << 17}, {Rows: 1, DModel: 1, Model: strings.Repeat("x", 5000)}, {Rows: 1, DModel: 1, Model: "\xff"}} {
		if bad.Validate() == nil {
			t.Errorf("space %+v accepted", bad)
		}
	}
}
