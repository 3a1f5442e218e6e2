package cache

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

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
