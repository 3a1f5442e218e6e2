package cache

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"path"
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
	sp := Space{Rows: 1, DModel: 1}
	blocks := make([]*block, 64)
	for i := range blocks {
		blocks[i] = &block{key: blockKey{byte(i)}, sp: sp, chunks: []chunk{{dtypeF16, make([]byte, 1000+i)}}}
	}
	for _, room := range []int64{1 << 20, 20 << 10} {
		lru := newLRU(room)
		rist, err := newRistretto(room)
		if err != nil {
			t.Fatal(err)
		}
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
	m := newLRU(3000) // three blocks of 1000
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

var testSpace = Space{Numerics: "n", Model: "m", Tokenizer: "t", Rows: 3, DModel: 4}

func testBlock(t testing.TB, sp Space, big bool) *block {
	t.Helper()
	rnd := rand.New(rand.NewPCG(3, 4))
	toks := make([]encRow, BlockTokens)
	for i := range toks {
		v := make([]float32, sp.values())
		for j := range v {
			v[j] = rnd.Float32()*200 - 100
		}
		if big && i == 7 {
			v[sp.DModel] = 1e6
		}
		toks[i] = encodeRow(sp, v)
	}
	b, err := newBlock(blockKey{1, 2, 3}, sp, toks)
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
	for _, big := range []bool{false, true} {
		b := testBlock(t, testSpace, big)
		data, err := marshalShard(b)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseShard(b.key, testSpace, data); err != nil || !sameBlock(b, back) {
			t.Fatalf("reading back: %v", err)
		}
		if b.chunks[1].t == dtypeF32 != big || b.chunks[0].t != dtypeF16 {
			t.Errorf("types are %v", b.chunks)
		}
		for i := range data {
			for bit := range 8 {
				bad := bytes.Clone(data)
				bad[i] ^= 1 << bit
				if _, err := parseShard(b.key, testSpace, bad); err == nil {
					t.Fatalf("flip of bit %d in byte %d not found", bit, i)
				}
			}
			if _, err := parseShard(b.key, testSpace, data[:i]); err == nil {
				t.Fatalf("cut at %d not found", i)
			}
		}
		if _, err := parseShard(b.key, testSpace, append(bytes.Clone(data), 0)); err == nil {
			t.Error("appended byte not found")
		}
		if _, err := parseShard(blockKey{9}, testSpace, data); err == nil {
			t.Error("block taken for another")
		}
		t.Logf("%d flips and %d cuts found", 8*len(data), len(data))
	}
}

// FuzzShard: bytes that pass every check are the file of the block they give, up to the compressor's choices.
func FuzzShard(f *testing.F) {
	for _, big := range []bool{false, true} {
		data, err := marshalShard(testBlock(f, testSpace, big))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, true)
		f.Add(data[:len(data)-1], false)
		bad := bytes.Clone(data)
		bad[100] ^= 1
		f.Add(bad, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, fix bool) {
		if fix {
			fixChecksums(data)
		}
		b, err := parseShard(blockKey{1, 2, 3}, testSpace, data)
		if err != nil {
			return
		}
		again, err := marshalShard(b)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseShard(b.key, testSpace, again); err != nil || !sameBlock(b, back) {
			t.Fatalf("written again: %v", err)
		}
	})
}

// fixChecksums lets fuzzing get past the checksums, to the decoder.
func fixChecksums(data []byte) {
	hs, is := shardHeaderSize(testSpace), shardIndexSize(testSpace)
	if len(data) < hs+is {
		return
	}
	le := binary.LittleEndian
	le.PutUint32(data[hs-crcSize:], crc(data[:hs-crcSize]))
	at := hs
	for r := range testSpace.Rows {
		n := int(le.Uint32(data[shardFixed+testSpace.Rows+4*r:]))
		if n < crcSize || n > len(data)-is-at {
			break
		}
		at += n
		le.PutUint32(data[at-crcSize:], crc(data[at-n:at-crcSize]))
	}
	copy(data[len(data)-is:], shardIndex(testSpace, data[:hs]))
}

// FuzzRow: an encoded row is either refused or decodes and encodes to values that stay the same.
func FuzzRow(f *testing.F) {
	f.Add([]byte(encodeRow(testSpace, make([]float32, testSpace.values()))))
	f.Add([]byte{2, 1, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		row, err := parseRow(testSpace, data)
		if err != nil {
			return
		}
		v := make([]float32, testSpace.values())
		row.decode(testSpace, v)
		w := make([]float32, len(v))
		encodeRow(testSpace, v).decode(testSpace, w)
		for i := range v {
			// A chunk of type f16 that holds infinities is never written by us; reading it must not invent numbers.
			if math.Float32bits(v[i]) != math.Float32bits(w[i]) {
				t.Fatalf("value %d is %v, then %v", i, v[i], w[i])
			}
		}
	})
}

// FuzzMetadata: what is read is written again as the same bytes, unless it has fields that are not known here.
func FuzzMetadata(f *testing.F) {
	data, err := metadata{Format: 1, UID: "u", Space: testSpace}.marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(sealMetadata([]byte(`{"format":1,"space":{"rows":-1}}`)))
	f.Add(sealMetadata([]byte(`{"format":2}`)))
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
		if back, err := parseMetadata(again); err != nil || !back.Created.Equal(m.Created) || back.UID != m.UID || back.Space != m.Space {
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
	a := rootKey(Space{Numerics: "ab", Model: "c", Tokenizer: "d", Rows: 1, DModel: 2})
	b := rootKey(Space{Numerics: "a", Model: "bc", Tokenizer: "d", Rows: 1, DModel: 2})
	if a == b || a == rootKey(Space{Numerics: "ab", Model: "c", Tokenizer: "d", Rows: 2, DModel: 1}) {
		t.Error("different spaces have one key")
	}
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(rapid.IntRange(0, maxTokenID), 0, 100).Draw(t, "ids")
		cut := rapid.IntRange(0, len(ids)).Draw(t, "cut")
		whole := extendKeys(a, nil, ids)
		parts := extendKeys(a, extendKeys(a, nil, ids[:cut]), ids)
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
