package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dlclark/regexp2/v2"
	"pgregory.net/rapid"
)

// naiveMerge looks for the lowest rank again after every merge.
func naiveMerge(b *bpe, ids []int32) []int32 {
	ids = slices.Clone(ids)
	for {
		best, at := merge{rank: 1 << 30}, -1
		for i := 0; i+1 < len(ids); i++ {
			if m, ok := b.merges[pairKey(ids[i], ids[i+1])]; ok && m.rank < best.rank {
				best, at = m, i
			}
		}
		if at < 0 {
			return ids
		}
		ids[at] = best.id
		ids = slices.Delete(ids, at+1, at+2)
	}
}

// The heap must give what the plain rule gives, for any set of merges, also where two pairs give the same token.
func TestMergeEqualsNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		vocab := map[string]int{"a": 0, "b": 1, "c": 2}
		names := []string{"a", "b", "c"}
		var merges []string
		for range rapid.IntRange(0, 14).Draw(t, "merges") {
			l := rapid.SampledFrom(names).Draw(t, "left")
			r := rapid.SampledFrom(names).Draw(t, "right")
			if len(l)+len(r) > 12 {
				continue
			}
			if _, ok := vocab[l+r]; !ok {
				vocab[l+r] = len(vocab)
				names = append(names, l+r)
			}
			merges = append(merges, fmt.Sprintf("%q", l+" "+r))
		}
		b, err := newBPE(&modelFile{Vocab: vocab, Merges: []byte("[" + strings.Join(merges, ",") + "]")})
		if err != nil {
			t.Fatal(err)
		}
		word := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 60, -1).Draw(t, "word")
		ids, err := b.symbols(word)
		if err != nil {
			t.Fatal(err)
		}
		want := naiveMerge(b, ids)
		if got := b.mergeAll(slices.Clone(ids)); !slices.Equal(got, want) {
			t.Fatalf("%q with %v: %v, want %v", word, merges, got, want)
		}
	})
}

// The scanner written by hand must cut where the pattern itself cuts.
func TestScannerEqualsPattern(t *testing.T) {
	re := regexp2.MustCompile(gpt2Pattern)
	runes := []rune(" \n\t'sltredvm019aZé½東\u0301😀_-.\u00a0\u3000\u0085\u2028\u200b\u0661Ⅷ")
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom(runes))).Draw(t, "s")
		want, err := re.FindAllStringIndex(s, -1)
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, m := range want {
			n := gpt2Next(s[at:])
			if m[0] != at || m[1] != at+n {
				t.Fatalf("%q at %d: the scanner takes %d bytes, the pattern %v", s, at, n, m)
			}
			at += n
		}
		if at != len(s) {
			t.Fatalf("%q: the pattern ends at %d", s, at)
		}
	})
}

// A long word must not take quadratic time: the naive rule would need about 10^10 steps here.
func TestLongWord(t *testing.T) {
	b, err := newBPE(&modelFile{Vocab: map[string]int{"a": 0, "aa": 1, "aaaa": 2}, Merges: []byte(`["a a","aa aa"]`)})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := b.encode(nil, strings.Repeat("a", 1<<18))
	if err != nil || len(ids) != 1<<16 || ids[0] != 2 {
		t.Errorf("%d ids, %v", len(ids), err)
	}
}

// Examples of the Unicode standard (table 3-8 and around it): one U+FFFD per maximal part of an ill-formed sequence.
func TestLossy(t *testing.T) {
	for in, want := range map[string]string{
		"abc":                                  "abc",
		"\x80":                                 "\uFFFD",
		"\xC0\xAF":                             "\uFFFD\uFFFD",
		"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41": "\uFFFD\uFFFD\uFFFD\uFFFDA",
		"\xED\xA0\x80":                         "\uFFFD\uFFFD\uFFFD",
		"\xF4\x90\x80\x80":                     "\uFFFD\uFFFD\uFFFD\uFFFD",
		"\xF0\x80\x80\x41":                     "\uFFFD\uFFFD\uFFFDA",
		"x\xF0\x9F\x98":                        "x\uFFFD",
		"\xE2\x82":                             "\uFFFD",
		"\uFFFD\xE2\x82é":                      "\uFFFD\uFFFDé",
	} {
		if got := lossy([]byte(in)); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

func TestByteAlphabet(t *testing.T) {
	seen := map[rune]bool{}
	for b, r := range byteToRune {
		if seen[r] || int(runeToByte[r]) != b {
			t.Errorf("byte %#x is %q", b, r)
		}
		seen[r] = true
	}
	if toByteLevel(" \n\x00é") != "ĠĊĀÃ©" {
		t.Errorf("%q", toByteLevel(" \n\x00é"))
	}
	if _, ok := fromByteLevel("a b"); ok {
		t.Error("a space is not in the alphabet")
	}
}
